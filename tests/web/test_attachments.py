"""Files of an appeal: judged by their content, encoded anew, private, and never opened in the site's name."""

import io
import stat
from pathlib import Path
from typing import Any

import pytest
from flask.testing import FlaskClient
from PIL import Image

from bounty.appeals.attachments import AttachmentLimits, check_file
from bounty.errors import BountyError
from tests.factories import sn
from tests.web.clients import application, close, log_in, post, token_of
from tests.web.world import EMAILS, copied

LIMITS = AttachmentLimits(files=2, megabytes=1)
PDF = b"%PDF-1.7\n1 0 obj\n<<>>\nendobj\ntrailer\n<<>>\n%%EOF\n"


def picture(kind: str, size: tuple[int, int] = (40, 20), **options: Any) -> bytes:
    written = io.BytesIO()
    Image.new("RGB", size, (200, 30, 30)).save(written, kind, **options)
    return written.getvalue()


def test_a_picture_is_encoded_anew_without_what_it_carries() -> None:
    exif = Image.Exif()
    exif[0x0112], exif[0x010F] = 6, "<script>alert(1)</script>"  # turned by 90 degrees; the maker
    photo = check_file("IMG 1.HEIC", picture("JPEG", exif=exif) + b"<html><script>", LIMITS)
    assert (photo.name, photo.media_type) == ("IMG 1.jpg", "image/jpeg")
    assert b"script" not in photo.content
    with Image.open(io.BytesIO(photo.content)) as opened:
        assert (opened.size, dict(opened.getexif())) == ((20, 40), {})
    for kind in ("PNG", "GIF", "WEBP", "BMP"):
        assert check_file("a.exe", picture(kind), LIMITS).media_type == "image/png"
    assert check_file("a.pdf.html", PDF, LIMITS).name == "a.pdf.pdf"


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"<svg xmlns='http://www.w3.org/2000/svg'><script>alert(1)</script></svg>",
        b"<html><script>alert(1)</script></html>",
        b"MZ\x90\x00 a program",
        picture("PNG")[:60],
        PDF[:-8],
        picture("TIFF"),
        picture("PNG", (7000, 7000)),  # 49 million pixels in some kilobytes
    ],
    ids=["empty", "svg", "html", "program", "cut-png", "cut-pdf", "other-kind", "bomb"],
)
def test_anything_else_is_refused_in_both_languages(content: bytes) -> None:
    with pytest.raises(BountyError, match="Only pictures") as refused:
        check_file("evidence.png", content, LIMITS)
    assert "只接受图片" in refused.value.zh


def test_a_file_over_the_limit_is_refused_with_the_limit() -> None:
    with pytest.raises(BountyError, match="larger than 1 MB"):
        check_file("big.pdf", PDF + b"x" * 1_000_000, LIMITS)


def ask(client: FlaskClient, *files: tuple[bytes, str], order: int = 211) -> Any:
    token = token_of(client.get("/rules").text)
    form = {"csrf_token": token, "order_sn": sn(order), "words": "截图为证。"}
    data = form | {"files": [(io.BytesIO(content), name) for content, name in files]}
    return client.post("/appeals/new", data=data, content_type="multipart/form-data")


def downloaded(client: FlaskClient, path: str) -> bytes:
    with client.get(path) as answer:
        return answer.data


def test_the_promoter_and_operations_see_a_file_and_nobody_else(
    paid_books: Path, clock: Any, tmp_path: Path
) -> None:
    assert clock
    url = copied(paid_books, tmp_path / "books")
    app = application(url, None, tmp_path, appeal_files=2, appeal_file_megabytes=1)
    promoter = app.test_client()
    log_in(promoter, EMAILS["promoter"])
    refused = ask(promoter, (b"<svg/>", "x.png"))
    assert (refused.status_code, "只接受图片" in refused.text, "截图为证。" in refused.text) == (
        422,
        True,
        True,
    )
    assert promoter.get("/appeals/1").status_code == 404  # nothing was asked

    assert ask(promoter, (picture("PNG"), "聊天.png"), (PDF, "合同.pdf")).status_code == 303
    page = promoter.get("/appeals/1").text
    assert "聊天.png" in page
    sent = promoter.get("/appeals/1/files/1")
    assert (sent.status_code, sent.mimetype) == (200, "image/png")
    sent.close()
    assert sent.headers["Content-Security-Policy"].startswith("sandbox;")
    assert sent.headers["Content-Disposition"].startswith("attachment;")
    assert (sent.headers["X-Content-Type-Options"], sent.headers["Cache-Control"]) == ("nosniff", "no-store")
    assert downloaded(promoter, "/appeals/1/files/2") == PDF
    assert promoter.get("/appeals/1/files/3").status_code == 404

    stored = list((tmp_path / "uploads" / "attachments").iterdir())
    assert sorted(path.suffix for path in stored) == [".pdf", ".png"]
    assert {stat.S_IMODE(path.stat().st_mode) for path in stored} == {0o600}
    assert stat.S_IMODE(stored[0].parent.stat().st_mode) == 0o700

    operator = app.test_client()
    log_in(operator, EMAILS["operator"])
    assert "合同.pdf" in operator.get("/operations/appeals/1").text
    assert downloaded(operator, "/operations/appeals/1/files/2") == PDF
    assert (
        post(operator, "/operations/appeals/1", verdict="ASKED", words="还有吗？", number="1").status_code
        == 303
    )
    token = token_of(promoter.get("/rules").text)
    more = {
        "csrf_token": token,
        "number": "2",
        "words": "还有一张。",
        "files": [(io.BytesIO(picture("GIF", (8, 8))), "c.gif")],
    }
    said = promoter.post("/appeals/1", data=more, content_type="multipart/form-data")
    assert (said.status_code, "最多附 2 个文件" in said.text, "还有一张。" in said.text) == (422, True, True)

    for role in ("finance", None):
        other = app.test_client()
        if role:
            log_in(other, EMAILS[role])
        assert {other.get(path).status_code for path in ("/appeals/1/files/1", "/operations/appeals/1/files/1")} <= {
            302, 403, 404,
        }  # fmt: skip
    close(app)
