"""Books of 0.1 come through an upgrade as they were; a migration is never edited; another schema is refused."""

import hashlib
import json
import lzma
import os
import re
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from alembic import command
from alembic.config import Config
from sqlalchemy import Engine, make_url, select, text

from bounty import schema
from bounty.checks.books import run_checks
from bounty.db import make_engine, snapshot, transaction
from bounty.errors import BountyError
from bounty.models import AuditEvent, Books
from tests import forked_commands, postgres

KEPT = Path(__file__).parent / "kept"
"""Books that the program of 0.1 made (schema 0007), and what its commands said of them: two notices, payees, a tranche
that was paid in part and one that takes a line back."""
AT = "2023-02-21T12:00:00+08:00"
SEAL_KEY = "a key of the tests, which keeps no secret"
VERSIONS = Path(schema.__file__).parent.parent / "migrations" / "versions"

COMMITTED = {
    "0001_the_books.py": "52597e265e1978ffe32db33b6be212f6dfee825a175a584064f3d5de83072a60",
    "0002_people.py": "e12f03e8b5985d83dc6a7843091057cc19f6be961d3dd8d0643a740e88f46732",
    "0003_slices.py": "92f911374bcc03d91eb973cc6f17b526510d11071f7310d81f10989d7a777c77",
    "0004_one_time_codes.py": "224f8c9cc4979dc9120182e50632a49a91b3882641d260196c2817e87d6d240c",
    "0005_calendar.py": "8cf13e275eeb45726297217595fbeafb63b1d07e41971abbc8ecf47b678da095",
    "0006_messages.py": "00e7a79bf0fb2f72505fb93108c1bf6d4e616d11d6b0b4f69aa44812d8a7941b",
    "0007_payouts.py": "87f5cdd5ad2964076256568ea5927e3a627744c5ca38657623c82fc53e73042e",
    "0008_all_errors_of_a_row.py": "56abbb3e73120a2497f7c2af610a51523cf11c88afb0cfb1562738d6d31f5e51",
    "0009_tries.py": "cca4fb5df97e98ed6d4e2a013bc3519bf355a9c816ce1a81b2d48e5727895f64",
    "0010_books.py": "3128f63a6673094c656b32c765726c175d7eda846767541edd87d04341ab052a",
    "0011_confirmations.py": "0cf32d46b4c8ea5627563df4dc8d4ab352b38118f100611ee55fcbf8aab1c4dd",
    "0012_worker_wakes.py": "d93e5732f179ad86bf23d3db5f790de127f6f37efc50f577b13002ac4303e3d0",
    "0013_api_tokens.py": "e40c44d7a027ac53b9f3cc1647c98dd0822c05d37dc38d8852b474742bdb06c3",
    "0014_live_rooms.py": "f0f8817b150e8c9c4f34c1ce4dbb321a7d8b14b04e81fe4fdc5aed23e3a7c10a",
    "0015_programmes.py": "10d9ff13f0b8b8a3ab191f7f10d969194eba0dcca80cb878cec5975221ab8dea",
    "0016_header_names.py": "1771d4f653bd7800bd981aa0646d46e32f09e762611bd1f6c4473958e5f45ce2",
    "0017_passkeys.py": "dca4137ed732f8b215a5290bc25998dbe6c6b8478eddd02a587c338da7d87b0f",
    "0018_news_for_promoters.py": "b9e79e77570dec0676a5cef2ef8589f796952e0d74eca027d7238b05a21e5985",
    "0019_what_waits.py": "a20cbe162476d9edd5b3338c96f3685a581b3d054e421b2fabc522abfcad4790",
    "0020_attachments_and_wechat.py": "37137b9349cedcb360d551f37c4e92c08e04991992e05201f4c2ee9ae5518c8b",
    "0021_forecasts.py": "9411872d990189cdc5139836a4f9fac254668882b88cf404485c825738d2cc6c",
    "0022_totals.py": "1bfac7c413929cae65cee8b520cf60163ab1b269d336706933c30dc7a67df640",
    "0023_keys_by_order_number.py": "d01b706e3735d463829c38da28362bd029d6997489628128eeb1f0a42c22bb44",
    "0024_seals_for_many_servers.py": "c8f22b8553d8fce6c9ccf37bb6f457315d2b09976c623275d9f2638a5e54a41d",
    "0025_link_versions.py": "a9917734af3f77792ef9c98f5df4ca20a69e124ea6db7f0046f7d38b30025c36",
    "0026_stored_figures.py": "8fcd04bd3486bdf5c608e2d09ddd14053f8e34c13651b87cce46687aa2272298",
    "0027_webhook_endpoints.py": "f669a916b766e76e62bf894ace9877cb2638c9331693fe635d3837c6a219faef",
    "0028_received_texts.py": "e884fabcac58b90f4f9b7f30bad3f4fe3aee29e81335b3ab2119b8217607e6b4",
    "0029_corrections_by_promoter.py": "ee528d18b31d0f195179bfab602496c1016bdc1612f5ffb1f18157a34ab8d191",
    "0030_imports_in_parts.py": "404043c95f28affcb03b5764686ed50821b2703fd7449437c3596490e6208e5a",
    "0031_archives.py": "63d0c6e40d9bf48c9b3065bfe42b8e551b7315448522256b765822beee559c87",
    "0032_payees_of_a_proposal.py": "7c8ca5d67e1f32d3b62a56ae10ca7b28c1435b96d6aadd696f41813cdd4305c2",
}
"""Every migration that was committed. Books out there were made by it as it stands: what is wrong with one is mended by
the next."""


def test_a_committed_migration_is_never_edited() -> None:
    found = {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in VERSIONS.glob("*.py")}
    assert found == COMMITTED


def bounty(url: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    """What a command says."""
    ours = {"BOUNTY_DATABASE_URL": url, "BOUNTY_NOW": AT, "BOUNTY_CALENDAR_BACKUPS": "0"}
    return forked_commands.run(arguments, {**os.environ, **ours})


@pytest.fixture(params=["sqlite", "postgresql"])
def old_books(
    request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[str]:
    """The URL of books of 0.1, not upgraded yet."""
    monkeypatch.setenv("BOUNTY_BACKUPS", str(tmp_path / "backups"))
    monkeypatch.setenv("BOUNTY_PAYEE_KEY", SEAL_KEY)
    if request.param == "sqlite":
        path = tmp_path / "books.sqlite"
        path.write_bytes(lzma.decompress((KEPT / "0.1.sqlite.xz").read_bytes()))
        yield f"sqlite:///{path}"
        return
    url = postgres.fresh_database()
    to = make_url(url)
    psql = [
        str(postgres.client_programs() / "psql"),
        "-q",
        "-v",
        "ON_ERROR_STOP=1",
        "-h",
        str(to.query["host"]),
    ]
    subprocess.run(
        [*psql, "-U", str(to.username), "-d", str(to.database)],
        input=lzma.decompress((KEPT / "0.1.postgresql.sql.xz").read_bytes()),
        check=True,
        stdout=subprocess.DEVNULL,
    )
    yield url
    postgres.drop_database(url)


NEW_CLAUSES = {"NOT_LIVE_ROOM", "IN_CATEGORY", "AT_LEAST_MINIMUM", "NOT_IN_OTHER_PROGRAMME"}
"""Clauses that came after 0.1. They hold under terms that do not name them."""


def without_new_clauses(words: str, text: str) -> str:
    """What a command says of the clauses that 0.1 knew. The others must hold in an explanation; of them, only live-room
    orders are named in the words of terms that do not name them."""
    if words.startswith("terms show"):
        return text.replace("；不是直播间订单", "").replace("; not a live-room order", "")
    if not words.startswith("explain") or "--json" not in words:
        return text
    found = json.loads(text)
    for part in ("task", "subsidy"):
        assert all(each["holds"] for each in found[part]["clauses"] if each["code"] in NEW_CLAUSES)
        found[part]["clauses"] = [each for each in found[part]["clauses"] if each["code"] not in NEW_CLAUSES]
    return json.dumps(found, ensure_ascii=False) + "\n"


SENTENCES = {
    "day 1 00:00 to day 20 24:00 of the month": "the 1st to the end of the 20th of the month",
    "received before day 10 24:00": "received by the end of the 10th",
    "by day 10 24:00": "by the end of the 10th",
    "推广链接不是在 APP 以外生成": "推广链接须在 APP 内生成（来源不明的也算）",
    "a link not known to be made outside the app": "a link made in the app, or of unknown origin",
    "按单四舍六入五成双到分": "每单按分取整（四舍六入五取偶）",
    "(for V0; others are free)": "(V0 only)",
    "Who passed earns a part of": "If you pass, you earn a share of",
}
"""Sentences of 0.1 -> how they are worded now."""


def as_said_now(text: str) -> str:
    """What a command of 0.1 said, in today's spelling: amounts as on the pages, one thing in the singular."""
    text = re.sub(
        r"(carried in|lines|payable|carried on|->|counted|subsidy) (-?)(?=[0-9]+\.[0-9]{2}\b)",
        r"\1 \2¥",
        text,
    )
    text = text.replace("tranche 1 paid", "tranche 1 answered")  # one of its payouts failed
    for old, new in SENTENCES.items():
        text = text.replace(old, new)
    text = text.replace("¥-", "-¥").replace("-¥", "−¥")
    return re.sub(r"\b1 (row|order|line|result)s\b", r"1 \1", text)


def test_books_of_0_1_say_after_the_upgrade_what_they_said_before(old_books: str, tmp_path: Path) -> None:
    before = json.loads((KEPT / "0.1.json").read_text(encoding="utf-8"))
    assert bounty(old_books, "check").returncode == 1
    assert bounty(old_books, "db", "upgrade").returncode == 0
    out = tmp_path / "out"
    given = {
        "export 2022-12": ("--out", str(out / "notice")),
        "payout export 1": ("--out", str(out / "tranche")),
    }
    said = {}
    for words in before["said"]:
        result = bounty(old_books, *words.split(), *given.get(words, ()))
        assert result.returncode == 0, (words, result.stderr)
        said[words] = result.stdout.replace(str(out), "OUT")
    checked = [line.split()[:2] for line in said.pop("check").splitlines()]
    assert {count for count, _ in checked} == {"0"}
    assert {f"{name}:" for name in before["said"].pop("check")} <= {name for _, name in checked}
    # The chain of events goes by the clock of the day on which the books were made, and is each database's own.
    assert said.pop("audit verify").startswith(before["said"].pop("audit verify").split("head")[0])
    now = {words: without_new_clauses(words, text) for words, text in said.items()}
    assert now == {words: as_said_now(text) for words, text in before["said"].items()}
    files = {
        str(path.relative_to(out)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in out.rglob("*")
        if path.is_file()
    }
    assert files == before["files"]


def test_books_that_were_used_are_named_after_their_first_event(old_books: str) -> None:
    engine = make_engine(old_books)
    schema.upgrade(engine)
    with snapshot(engine) as connection:
        first = connection.execute(
            select(AuditEvent.event_sha256).where(AuditEvent.event_id == 1)
        ).scalar_one()
        assert connection.execute(select(Books.name)).scalar_one() == first[:16]
    engine.dispose()


def test_events_of_before_0_1_are_accepted_and_those_of_0_1_must_agree(old_books: str) -> None:
    engine = make_engine(old_books)
    schema.upgrade(engine)
    drop_guards(engine)

    def unlike(rewrite: Callable[[dict[str, Any]], dict[str, Any]]) -> int:
        """How often made-as-recorded is broken, with the settlements' events told otherwise."""
        with engine.connect() as connection, connection.begin() as attempt:
            rows = connection.execute(
                select(AuditEvent.event_id, AuditEvent.after).where(AuditEvent.act == "settlement.make")
            ).all()
            for row in rows:
                after = json.dumps(rewrite(json.loads(row.after or "")), ensure_ascii=False)
                connection.execute(
                    text("UPDATE audit_events SET after = :after WHERE event_id = :event"),
                    {"after": after, "event": row.event_id},
                )
            found = {finding.name: finding.violations for finding in run_checks(connection)}
            attempt.rollback()
        return found["made-as-recorded"]

    def without(told: dict[str, Any]) -> dict[str, Any]:
        return {name: value for name, value in told.items() if name not in ("as_of_batch", "quarantined")}

    assert unlike(lambda told: told) == 0
    assert unlike(without) == 0
    assert unlike(lambda told: told | {"quarantined": 5}) > 0
    assert unlike(lambda told: without(told) | {"content_sha256": "0"}) > 0
    engine.dispose()


def drop_guards(engine: Engine) -> None:
    with transaction(engine) as connection:
        if engine.dialect.name == "postgresql":
            connection.exec_driver_sql("ALTER TABLE audit_events DISABLE TRIGGER USER")
            return
        found = connection.exec_driver_sql(
            "SELECT name FROM sqlite_master WHERE type = 'trigger' AND tbl_name = 'audit_events'"
        )
        for (name,) in found.all():
            connection.exec_driver_sql(f"DROP TRIGGER {name}")


# A schema that is not what its revision says


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ("ALTER TABLE users DROP COLUMN last_totp_counter", "column users.last_totp_counter is missing"),
        ("ALTER TABLE users ADD COLUMN nickname TEXT", "column users.nickname is not of it"),
        ("DROP INDEX ix_outbox_next_try_at", "index ix_outbox_next_try_at of outbox is missing"),
        ("DROP TABLE message_choices", "column message_choices."),
    ],
)
def test_a_schema_that_is_another_than_its_revision_says_is_not_upgraded(
    old_books: str, change: str, said: str
) -> None:
    engine = make_engine(old_books)
    with transaction(engine) as connection:
        connection.exec_driver_sql(change)
    with pytest.raises(BountyError, match="Nothing was changed") as refused:
        schema.upgrade(engine)
    assert said in str(refused.value)
    with engine.connect() as connection:
        assert schema.stored_revision(connection) == "0007"
    engine.dispose()


def test_a_guard_that_is_gone_is_named(old_books: str) -> None:
    engine = make_engine(old_books)
    drop_guards(engine)
    with pytest.raises(BountyError, match="trigger audit_events_no_"):
        schema.upgrade(engine)
    engine.dispose()


def test_a_schema_of_a_later_program_is_not_touched(old_books: str) -> None:
    engine = make_engine(old_books)
    with transaction(engine) as connection:
        connection.exec_driver_sql("UPDATE alembic_version SET version_num = '9999'")
    with pytest.raises(BountyError, match="9999, which this program doesn't know"):
        schema.upgrade(engine)
    engine.dispose()


@pytest.mark.parametrize("revision", ["0001", "0002", "0003", "0004", "0005", "0006"])
def test_an_earlier_schema_that_is_what_it_says_comes_up(tmp_path: Path, revision: str) -> None:
    engine = make_engine(f"sqlite:///{tmp_path / 'books.sqlite'}")
    config = Config()
    config.set_main_option("script_location", str(VERSIONS.parent))
    config.attributes["engine"] = engine
    command.upgrade(config, revision)
    schema.upgrade(engine)
    schema.require_current(engine)
    assert schema.differences(engine, schema.program_revision()) == []
    engine.dispose()


# What stops a backup stops an export


def test_books_that_do_not_balance_are_neither_copied_nor_paid(old_books: str, tmp_path: Path) -> None:
    engine = make_engine(old_books)
    schema.upgrade(engine)
    with transaction(engine) as connection:
        connection.exec_driver_sql("UPDATE orders SET order_amount_fen = order_amount_fen + 1")
    engine.dispose()
    programs = {"BOUNTY_POSTGRES_PROGRAMS": str(postgres.client_programs())}
    with pytest.MonkeyPatch.context() as patch:
        for name, value in programs.items():
            patch.setenv(name, value)
        copied = bounty(old_books, "backup", str(tmp_path / "kept"))
    paid = bounty(old_books, "payout", "export", "2", "--out", str(tmp_path / "out"))
    assert (copied.returncode, paid.returncode) == (1, 1)
    assert "fold-equals-rebuild" in copied.stderr
    assert "The books do not balance (" in paid.stderr
    assert "fold-equals-rebuild" in paid.stderr
    assert not (tmp_path / "out").exists()
