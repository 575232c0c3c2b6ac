"""An old copy of the books asks on finance's page what left since it was made, and two people answer there."""

import io
import re
import shutil
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient

from bounty.audit.journal import name_and_note
from bounty.db import snapshot
from bounty.tranches import departures
from bounty.web.shared.request_context import EXTENSION
from tests import postgres
from tests.factories import PROMOTER
from tests.payout.people import Codes
from tests.web.clients import KEYS, application, close, log_in, post, token_of, words_of
from tests.web.payout_pages.desk import NOW, upload
from tests.web.world import EMAILS

PAGE, ANSWER = "/finance/tranches", "/finance/tranches/unanswered"
LEFT = {"subject": "tranche 2", "verdict": "left", "reason": "网银流水"}


@pytest.fixture
def old(paid_url: str, tmp_path: Path) -> Iterator[tuple[str, bytes]]:
    """The URL of a copy of the books of before tranche 2 left for the payer, and the archive that left."""
    first = application(paid_url, NOW, tmp_path, backups=tmp_path / "backups")
    name_and_note(first.extensions[EXTENSION].engine)  # as a backup does
    close(first)
    if paid_url.startswith("sqlite"):
        kept = f"sqlite:///{tmp_path / 'old.sqlite'}"
        shutil.copy(paid_url.removeprefix("sqlite:///"), tmp_path / "old.sqlite")
    else:
        kept = postgres.fresh_database(template=paid_url)
    app = application(paid_url, NOW, tmp_path, backups=tmp_path / "backups")
    finance = app.test_client()
    log_in(finance, EMAILS["finance"])
    assert post(finance, "/finance/tranches/2/export").status_code == 303
    archive = finance.get("/finance/tranches/2/tranche.zip").data
    close(app)
    yield kept, archive
    if not kept.startswith("sqlite"):
        postgres.drop_database(kept)


def visitor(app: Flask, role: str) -> FlaskClient:
    client = app.test_client()
    log_in(client, EMAILS[role])
    return client


def asked(app: Flask) -> list[str]:
    with snapshot(app.extensions[EXTENSION].engine) as connection:
        return [question.subject for question in departures.questions(connection)]


def test_two_people_answer_for_what_an_old_copy_does_not_know(old: tuple[str, bytes], tmp_path: Path) -> None:
    app = application(old[0], NOW, tmp_path, backups=tmp_path / "backups", require_approval=True)
    finance, admin, operator = (visitor(app, role) for role in ("finance", "admin", "operator"))
    engine = app.extensions[EXTENSION].engine
    codes = {role: Codes(engine, EMAILS[role], KEYS["totp_key"]) for role in ("finance", "admin")}
    strange = f"payout_id,amount_yuan,status\r\nP7-{PROMOTER},5.00,paid\r\nP2-{PROMOTER},1.00,paid\r\n"
    (waiting,) = re.findall(
        r'name="waiting" value="([0-9a-f]{64})"',
        upload(finance, "/finance/receipts/", "r.csv", strange).text,
    )
    code = codes["finance"].fresh()
    assert (
        post(finance, "/finance/receipts/take", waiting=waiting, name="r.csv", code=code).status_code == 303
    )
    assert asked(app) == ["tranche 2", "copy", f"P7-{PROMOTER}", f"P2-{PROMOTER}"]
    # The page names each with its evidence, and only who may answer has the forms.
    page = words_of(finance.get(PAGE).text)
    for part in (
        "批次 2，应付",
        "2022-12-15 15:00",
        f"P2-{PROMOTER} 已付 ¥1.00",
        f"付款 P7-{PROMOTER}",
        "备份之后的其他批次",
    ):
        assert part in page, part
    assert operator.get(PAGE).text.count(ANSWER) == 0
    assert finance.get(PAGE).text.count(f'action="{ANSWER}"') == 4
    assert post(operator, ANSWER, **LEFT).status_code == 403
    assert finance.post(ANSWER, data=LEFT).status_code == 400  # without the form's token

    def answer(client: FlaskClient, role: str, **fields: str) -> Any:
        return post(client, ANSWER, code=codes[role].fresh(), **fields)

    for wrong in (
        {"reason": " "},
        {"verdict": "seen"},
        {"subject": "tranche 3"},
        {"subject": ""},
        {"verdict": ""},
    ):
        assert answer(finance, "finance", **LEFT | wrong).status_code == 409, wrong
    refused = post(finance, ANSWER, **LEFT, code="000000")
    assert refused.status_code == 409
    for _ in range(2):  # however often one says so
        assert answer(finance, "finance", **LEFT).status_code == 303
        assert "tranche 2" in asked(app)
    assert "finance@example.com 于" in words_of(admin.get(PAGE).text)
    assert answer(admin, "admin", **LEFT | {"verdict": "stayed"}).status_code == 303
    assert "tranche 2" in asked(app)  # they disagree
    assert answer(admin, "admin", **LEFT).status_code == 303
    assert asked(app) == ["copy", f"P7-{PROMOTER}", f"P2-{PROMOTER}"]
    for subject, verdict in (
        (f"P7-{PROMOTER}", "seen"),
        (f"P2-{PROMOTER}", "seen"),
        ("copy", "nothing-else"),
    ):
        for client, role in ((finance, "finance"), (admin, "admin")):
            fields = {"subject": subject, "verdict": verdict, "reason": "网银流水"}
            assert answer(client, role, **fields).status_code == 303
    assert asked(app) == []
    assert "待回答" not in words_of(finance.get(PAGE).text)
    close(app)


def test_a_tranche_is_brought_back_from_its_archive_alone(old: tuple[str, bytes], tmp_path: Path) -> None:
    url, archive = old
    app = application(url, NOW, tmp_path, backups=tmp_path / "backups")
    finance = visitor(app, "finance")

    def send(content: bytes, subject: str = "tranche 2") -> Any:
        token, file = token_of(finance.get("/rules").text), (io.BytesIO(content), "tranche-2.zip")
        data = {"csrf_token": token, "subject": subject, "verdict": "left", "reason": "x", "file": file}
        return finance.post(ANSWER, data=data, content_type="multipart/form-data")

    assert send(b"PK nothing").status_code == 409
    assert "manifest.json" in words_of(send(packed({"a.txt": b"x"})).text)
    with zipfile.ZipFile(io.BytesIO(archive)) as files:
        content = {name: files.read(name) for name in files.namelist()}
    changed = content | {"tranche_lines.csv": content["tranche_lines.csv"].replace(b"0", b"1")}
    assert "manifest.json 不符" in words_of(send(packed(changed)).text)
    assert "不是所问的" in words_of(send(archive, f"P2-{PROMOTER}").text)
    assert asked(app) == ["tranche 2", "copy"]
    assert (
        send(archive, "copy").status_code == 303
    )  # what is asked about the copy, and its tranche is in the archive
    assert asked(app) == ["copy"]
    with zipfile.ZipFile(io.BytesIO(finance.get("/finance/tranches/2/tranche.zip").data)) as files:
        assert {name: files.read(name) for name in files.namelist()} == content
    close(app)


def packed(files: dict[str, bytes]) -> bytes:
    archive = io.BytesIO()
    with zipfile.ZipFile(archive, "w") as writing:
        for name, content in files.items():
            writing.writestr(name, content)
    return archive.getvalue()
