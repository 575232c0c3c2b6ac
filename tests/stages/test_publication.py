"""Publishing: a notice is numbered once, says what it changed and why, and never reads otherwise again."""

import hashlib
import json
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Engine

from bounty.db import snapshot
from bounty.errors import BountyError
from bounty.notices import service as publication
from tests.factories import (
    PROMOTER,
    Month,
    bounty,
    detail_of,
    link,
    order_row,
    plain_terms,
    promoter,
    shanghai,
    sn,
    target,
)

OTHER = 2000939
NOW = "2023-01-15T12:00:00+08:00"
FRESH = "2023-01-11 00:00:00"
"""The cutoff: an order updated then shows that the data reaches it."""


@pytest.fixture
def month(engine: Engine, tmp_path: Path) -> Month:
    """December 2022 after its cutoff, open, with two promoters; the other one needs two orders."""
    month = Month(engine, tmp_path)
    month.table("promoters", promoter(), promoter(OTHER))
    month.table("targets", target(OTHER, orders="2"))
    month.terms(plain_terms())
    month.open()
    return month


def exported(
    month: Month, folder: Path, *, draft: bool = False, notice: int | None = None
) -> dict[str, bytes]:
    """The three files, by name; written twice, to the same bytes."""
    written = []
    for _ in range(2):
        with snapshot(month.engine) as connection:
            publication.export(connection, month.period, folder, draft=draft, notice=notice)
        written.append({path.name: path.read_bytes() for path in folder.iterdir()})
    assert written[0] == written[1]
    assert set(written[0]) == {"manifest.json", "results.csv", "subsidy_lines.csv"}
    return written[0]


def changes(month: Month, settlement_id: int) -> list[tuple[Any, ...]]:
    """Per order that a notice judges otherwise: promoter, number, cause, counted and earned before and after."""
    with snapshot(month.engine) as connection:
        return [
            (
                row.promoter_id,
                int(row.order_sn.partition("-")[2]),
                row.cause,
                (row.was_counted_fen, row.now_counted_fen),
                (row.was_subsidy_fen, row.now_subsidy_fen),
            )
            for row in publication.changed_orders(connection, settlement_id)
        ]


def test_publishing_again_is_the_same_notice(month: Month, database_url: str) -> None:
    month.orders(order_row(modified=FRESH))
    content = month.settle().content_sha256
    for state in ("published", "stands already, with the same content"):
        ran = bounty(database_url, "publish", "2022-12", now=NOW)
        assert (ran.returncode, ran.stderr) == (0, "")
        said = [f"notice 1 of 2022-12 {state} (settlement 1)", f"content sha256:{content}"]
        assert ran.stdout.splitlines() == said
    month.settle()
    assert month.publish().notice == 1


def test_there_is_nothing_to_publish_before_a_settlement(month: Month, tmp_path: Path) -> None:
    for period, words in (("2022-12", "2022-12 has no settlement yet"), ("2023-01", "2023-01 is not open")):
        other = Month(month.engine, tmp_path, period=period)
        for _ in range(2):
            with pytest.raises(BountyError, match=words):
                other.publish()


@pytest.mark.parametrize(
    "setting",
    [{"BOUNTY_REQUIRE_APPROVAL": "true"}, {"BOUNTY_ENV": "production"}],
    ids=["setting", "production"],
)
def test_where_approval_is_required_a_draft_without_it_stays_one(
    month: Month, database_url: str, setting: dict[str, str]
) -> None:
    month.orders(order_row(modified=FRESH))
    month.settle()
    refused = bounty(database_url, "publish", "2022-12", **setting)
    assert (refused.returncode, refused.stdout, len(refused.stderr.splitlines())) == (1, "", 1)
    assert "approv" in refused.stderr
    assert month.progress()["published"] is None
    waived = bounty(database_url, "publish", "2022-12", **setting | {"BOUNTY_REQUIRE_APPROVAL": "false"})
    assert waived.returncode == 0


# What a second notice changes


def test_a_second_notice_lists_each_order_that_it_judges_otherwise_and_why(
    month: Month, database_url: str
) -> None:
    kept, late, refunded, relinked, corrected, unreceived, returned = (
        order_row(number=fen, amount_fen=fen, p_id=f"{PROMOTER}_{fen}") for fen in (1, 2, 4, 8, 16, 32, 64)
    )
    unreceived |= {"order_status": 1, "order_receive_time": None, "order_modify_at": 1670212810}
    alone = order_row(number=128, promoter_id=OTHER, amount_fen=128)
    month.orders(kept, late, refunded, relinked, corrected, unreceived, returned, alone)
    first = month.settle()
    assert first.lines.sum_fen == 1 + 2 + 4 + 8 + 16 + 32 + 64  # and 128 not: one order is no pass
    assert month.publish().notice == 1

    now = shanghai("2023-01-15 11:00:00")
    failed = {"order_status": 4, "order_modify_at": now}
    month.orders(
        late | failed | {"order_verify_time": shanghai("2023-01-11 00:00:00")},
        refunded | failed | {"order_verify_time": shanghai("2023-01-10 23:59:59")},
        corrected | {"order_amount": 17, "order_modify_at": now},
        unreceived | {"order_status": 2, "order_receive_time": 1670558400, "order_modify_at": now},
        detail_of(returned, return_status=2, order_modify_at=now),
        order_row(number=256, promoter_id=OTHER, amount_fen=256),
    )
    month.table("links", link(f"{PROMOTER}_8", "other"), link(f"{PROMOTER}_1", "app"))
    second = month.settle()
    notice = month.publish()
    assert (notice.notice, notice.settlement_id) == (2, second.settlement_id)
    assert changes(month, second.settlement_id) == [
        (PROMOTER, 2, "LATE_FAILURE", (2, 2), (2, 0)),  # failed at the cutoff: it counted, and stays counted
        (PROMOTER, 4, "LATE_FAILURE", (4, None), (4, 0)),
        (PROMOTER, 8, "CORRECTION", (8, 8), (8, 0)),
        (PROMOTER, 16, "CORRECTION", (16, 17), (16, 17)),
        (PROMOTER, 32, "NEW_DATA", (None, 32), (32, 32)),
        (PROMOTER, 64, "LATE_FAILURE", (64, 64), (64, 0)),
        (OTHER, 128, "RESULT", (128, 128), (0, 128)),
        (OTHER, 256, "NEW_DATA", (None, 256), (0, 256)),
    ]
    assert changes(month, first.settlement_id) == []
    assert second.lines.sum_fen == 1 + 17 + 32 + 128 + 256

    said = bounty(database_url, "notice", "2022-12").stdout
    assert said.startswith("notice 2 of 2022-12, published 2023-01-15T12:00:00+08:00\n")
    for line in (
        "  LATE_FAILURE 3 orders, subsidy −¥0.70: ",
        "  CORRECTION 2 orders, subsidy −¥0.07: ",
        "  NEW_DATA 2 orders, subsidy +¥2.56: ",
        "  RESULT 1 order, subsidy +¥1.28: ",
        f"  order {sn(4)} of {PROMOTER}: LATE_FAILURE, counted ¥0.04 -> no, subsidy ¥0.04 -> ¥0.00",
    ):
        assert line in said


def test_an_order_that_moves_is_a_correction_for_both_its_promoters(month: Month) -> None:
    row = order_row(number=1, amount_fen=1)
    month.orders(row, order_row(number=2, amount_fen=2), order_row(number=4, amount_fen=4, promoter_id=OTHER))
    month.settle()
    month.publish()
    month.orders(row | {"p_id": f"{OTHER}_1", "order_modify_at": row["order_modify_at"] + 1})
    second = month.settle()
    month.publish()
    assert changes(month, second.settlement_id) == [
        (PROMOTER, 1, "CORRECTION", (1, None), (1, 0)),
        (OTHER, 1, "CORRECTION", (None, 1), (0, 1)),
        (OTHER, 4, "RESULT", (4, 4), (0, 4)),
    ]


def test_an_audit_that_merely_went_on_is_not_why_an_order_is_judged_otherwise(month: Month) -> None:
    """Between two notices nearly every order goes from received to audited; that alone changes no verdict."""
    relinked = order_row(number=1, amount_fen=1, p_id=f"{PROMOTER}_1")
    replaced = order_row(number=2, amount_fen=2, p_id=f"{PROMOTER}_2")
    alone = order_row(number=4, amount_fen=4, promoter_id=OTHER)
    month.table("links", link(f"{PROMOTER}_9", "other"))
    month.orders(relinked, replaced, alone)
    month.settle()
    month.publish()
    audited = {
        "order_status": 3,
        "order_verify_time": shanghai("2022-12-24 03:00:00"),
        "order_modify_at": 1671822010,
    }
    month.orders(
        relinked | audited,
        replaced | audited | {"p_id": f"{PROMOTER}_9"},
        alone | audited,
        order_row(number=8, amount_fen=8, promoter_id=OTHER),
    )
    month.table("links", link(f"{PROMOTER}_1", "other"))
    second = month.settle()
    month.publish()
    assert changes(month, second.settlement_id) == [
        (PROMOTER, 1, "CORRECTION", (1, 1), (1, 0)),
        (PROMOTER, 2, "CORRECTION", (2, 2), (2, 0)),
        (OTHER, 4, "RESULT", (4, 4), (0, 4)),
        (OTHER, 8, "NEW_DATA", (None, 8), (0, 8)),
    ]


def test_the_changes_are_against_the_notice_before_and_not_against_a_draft_between(month: Month) -> None:
    month.orders(order_row(number=1, amount_fen=1))
    month.settle()
    month.publish()
    for fen in (2, 4):
        month.orders(order_row(number=fen, amount_fen=fen))
        draft = month.settle()
    month.publish()
    assert [change[1:3] for change in changes(month, draft.settlement_id)] == [
        (2, "NEW_DATA"),
        (4, "NEW_DATA"),
    ]
    assert month.progress()["published"] == {
        "notice": 2,
        "gmv_fen": 1 + 2 + 4,
        "orders": 3,
        "passed": True,
        "subsidy_fen": 1 + 2 + 4,
    }


def test_an_order_let_out_of_quarantine_is_new_data(month: Month) -> None:
    month.orders(order_row(number=1, amount_fen=1), order_row(number=2, amount_fen=2, order_status=99))
    month.settle()
    month.publish()
    month.orders(order_row(number=2, amount_fen=2))
    second = month.settle()
    month.publish()
    assert changes(month, second.settlement_id) == [(PROMOTER, 2, "NEW_DATA", (None, 2), (0, 2))]


def test_notice_1_reads_and_exports_as_it_did_whatever_comes_later(
    month: Month, database_url: str, tmp_path: Path
) -> None:
    row = order_row(amount_fen=1)
    month.orders(row, order_row(number=2, amount_fen=2))
    month.settle()
    month.publish()
    before = exported(month, tmp_path / "before")
    read = bounty(database_url, "notice", "2022-12", "--number", "1").stdout
    month.orders(
        row
        | {"order_amount": 5, "order_pay_time": row["order_pay_time"] + 60, "order_modify_at": 1673000000},
        order_row(number=4, amount_fen=4),
    )
    month.table("promoters", promoter(name="改名", level="V1"), promoter(3))
    month.table("links", link(f"{PROMOTER}_107021838", "other"))
    month.settle()
    assert exported(month, tmp_path / "while a draft waits") == before
    assert month.publish().notice == 2
    for folder in ("after", "after"):
        ran = bounty(database_url, "export", "2022-12", "--notice", "1", "--out", tmp_path / folder)
        assert (ran.returncode, ran.stderr) == (0, "")
        assert {path.name: path.read_bytes() for path in (tmp_path / folder).iterdir()} == before
    assert bounty(database_url, "notice", "2022-12", "--number", "1").stdout == read
    newest = exported(month, tmp_path / "newest")
    assert json.loads(newest["manifest.json"])["notice"] == 2
    assert all(newest[name] != before[name] for name in before)
    assert "改名" not in newest["results.csv"].decode()  # names are the roster's


# Export


def test_which_settlement_is_exported(month: Month, tmp_path: Path) -> None:
    def refused(words: str, **which: Any) -> None:
        for _ in range(2):
            with pytest.raises(BountyError, match=words):
                exported(month, tmp_path / "refused", **which)
        assert not (tmp_path / "refused").exists()

    refused("2022-12 has no draft", draft=True)
    refused("2022-12 is not published yet")
    month.orders(order_row(amount_fen=1))
    month.settle()
    refused("2022-12 is not published yet")
    draft = exported(month, tmp_path / "draft", draft=True)
    month.publish()
    refused("2022-12 has no draft: its newest settlement is published", draft=True)
    refused("2022-12 has no notice 2", notice=2)
    published = exported(month, tmp_path / "published")
    assert json.loads(draft.pop("manifest.json")) == json.loads(published.pop("manifest.json")) | {
        "notice": None
    }
    assert draft == published
    month.orders(order_row(number=2, amount_fen=2))
    month.settle()
    for which, settlement, notice in (({}, 1, 1), ({"draft": True}, 2, None)):
        manifest = json.loads(exported(month, tmp_path / "again", **which)["manifest.json"])
        assert (manifest["settlement"], manifest["notice"]) == (settlement, notice)


def test_draft_and_notice_together_are_refused_and_so_is_a_file_in_place_of_the_folder(
    month: Month, database_url: str, tmp_path: Path
) -> None:
    month.orders(order_row())
    month.settle()
    month.publish()
    (tmp_path / "file").write_bytes(b"kept")
    for arguments in (("--draft", "--notice", "1", "--out", tmp_path / "x"), ("--out", tmp_path / "file")):
        ran = bounty(database_url, "export", "2022-12", *arguments)
        assert (ran.returncode, ran.stdout, len(ran.stderr.splitlines())) == (1, "", 1)
    assert (tmp_path / "file").read_bytes() == b"kept"


def sha256(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def test_the_manifest_can_be_made_again_by_hand(month: Month, tmp_path: Path) -> None:
    month.orders(*(order_row(number=fen, amount_fen=fen) for fen in (1, 2, 4)))
    settled = month.settle()
    month.publish()
    files = exported(month, tmp_path / "out")
    terms = month.terms(plain_terms())
    results, lines = sha256(files["results.csv"]), sha256(files["subsidy_lines.csv"])
    assert json.loads(files["manifest.json"]) == {
        "period": "2022-12",
        "settlement": 1,
        "notice": 1,
        "terms_sha256": terms,
        "content_sha256": sha256(f"{terms}\n{results}\n{lines}\n".encode()),
        "files": [
            {"name": "results.csv", "rows": 2, "sum_fen": 1 + 2 + 4, "sha256": results},
            {"name": "subsidy_lines.csv", "rows": 3, "sum_fen": 1 + 2 + 4, "sha256": lines},
        ],
    }
    assert settled.content_sha256 == sha256(f"{terms}\n{results}\n{lines}\n".encode())


NAMES = {
    "=1+1": "'=1+1",
    "+86": "'+86",
    "-折": "'-折",
    "@me": "'@me",
    "\ttab": "'\ttab",
    "\rcr": '"\'\rcr"',
    "＝全": "'＝全",
    "＋全": "'＋全",
    "－全": "'－全",
    "＠全": "'＠全",
    'a "b", c': '"a ""b"", c"',
    "two\nlines": '"two\nlines"',
    " blanks  ": " blanks  ",
    "'quoted": "'quoted",
    "中文😀": "中文😀",
    "1-2=3": "1-2=3",
}


def test_names_are_quoted_and_inert_and_ids_keep_every_digit(engine: Engine, tmp_path: Path) -> None:
    month = Month(engine, tmp_path)
    ids = range(999999999999984, 1000000000000000)
    month.begin(*(promoter(number, name=name, level="＝V9") for number, name in zip(ids, NAMES, strict=True)))
    month.settle()
    header = (
        "period,promoter_id,name,level,eligible,reason,gmv_yuan,orders,target_gmv_yuan,target_orders,passed"
    )
    expected = [f"\ufeff{header},rate_permille,subsidy_orders,subsidy_yuan"]
    for number, cell in zip(ids, NAMES.values(), strict=True):
        # A level is parsed, so its full-width sign is an ASCII one; a name stays as it is.
        expected.append(f"2022-12,{number},{cell},'=V9,no,LEVEL_NOT_OFFERED,,,,,no,,,")
    files = exported(month, tmp_path / "out", draft=True)
    assert files["results.csv"].decode() == "".join(line + "\r\n" for line in expected)
    assert files["subsidy_lines.csv"].decode() == (
        "\ufeffperiod,promoter_id,order_sn,paid_at,basis_yuan,rate_permille,subsidy_yuan\r\n"
    )
