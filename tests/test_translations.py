"""The pages' texts have their English, and whoever adds one is told what it lacks."""

import importlib.util
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parent.parent
SCRIPT = ROOT / "deploy" / "translations.py"


@pytest.fixture(scope="module")
def translations() -> Any:
    """The script of ``make texts`` as a module."""
    spec = importlib.util.spec_from_file_location("translations", SCRIPT)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_every_text_has_its_english_and_is_a_whole_sentence() -> None:
    checked = subprocess.run([sys.executable, SCRIPT, "check"], capture_output=True, text=True, check=False)
    assert (checked.returncode, checked.stderr) == (0, "")
    assert "deploy/translations.py check" in (ROOT / "Makefile").read_text()


@pytest.mark.parametrize(
    ("planted", "complaint"),
    [
        (lambda po: re.sub(r'msgstr "Log in"', 'msgstr ""', po), "no English for '登录'"),
        (
            lambda po: po + '\nmsgid "没有页面用它"\nmsgstr "No page uses this"\n',
            "no page uses '没有页面用它'",
        ),
        (lambda po: re.sub(r'(?m)^(?=msgid "登录"$)', "#, fuzzy\n", po), "the English of '登录' is fuzzy"),
        (
            lambda po: po.replace('msgstr "Log in"', 'msgstr "Log in, %(who)s"'),
            "has a value that the Chinese has not",
        ),
        (lambda po: po.replace('msgstr "Log in"', 'msgstr "Log in to"'), "messages.mo is not what"),
        (lambda po: po.replace('msgstr "Log in"', 'msgstr "Log in "'), "part of a sentence: 'Log in '"),
    ],
)
def test_a_planted_fault_of_the_catalogue_is_found(
    translations: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, planted: Any, complaint: str
) -> None:
    po = tmp_path / "messages.po"
    before = translations.PO.read_text(encoding="utf-8")
    po.write_text(planted(before), encoding="utf-8")
    assert po.read_text(encoding="utf-8") != before
    po.with_suffix(".mo").write_bytes(translations.PO.with_suffix(".mo").read_bytes())
    monkeypatch.setattr(translations, "PO", po)
    found = [*translations.untranslated(), *translations.glued()]
    assert any(complaint in each for each in found), found


@pytest.mark.parametrize(
    "source",
    [
        '{{ _("还差") }} {{ amount }}',
        '{{ _("还差") }} <b>{{ amount }}</b>',
        '{{ amount }} {{ _("没有付") }}',
        '{{ _("还差") }}{{ _("三单") if many else _("一单") }}',
        '{{ _("还差 ") ~ amount }}',
        '{{ _("还差 %s")|format(amount) }}',
        '{{ _("还差 %s") % amount }}',
        '{{ _("还差 %(amount)s", amont=amount) }}',
        '{{ _("达到 %(amount)s 的 20%", amount=amount) }}',
    ],
)
def test_a_glued_sentence_of_a_template_is_found(translations: Any, source: str) -> None:
    assert list(translations.glued_in_template(source))


@pytest.mark.parametrize(
    "source",
    [
        '<dt>{{ _("还差") }}</dt><dd>{{ amount }}</dd>',
        '{{ _("还差 %(amount)s", amount=amount|money) }}',
        '{{ _("两项都达到才算达标。") }} <a href="/">{{ _("规则") }}</a>',
        '{{ chip("ok", _("达标")) }} {{ amount }}',
    ],
)
def test_a_whole_sentence_of_a_template_is_let_pass(translations: Any, source: str) -> None:
    assert list(translations.glued_in_template(source)) == []


@pytest.mark.parametrize(
    "source",
    [
        'said = _("还差") + amount',
        "said = f\"{_('还差')} {amount}\"",
        'said += _("没有付")',
        'said = _("还差 %s") % amount',
        'said = _n("%(num)s 单待收货 %(amount)s", orders)',
        'for _ in rows:\n    said = _("还差")',
    ],
)
def test_a_glued_sentence_of_a_view_is_found(translations: Any, source: str) -> None:
    assert list(translations.glued_in_python(source))
    assert list(translations.glued_in_python('said = _("还差 %(amount)s", amount=amount)')) == []


def test_a_long_template_line_is_found_by_its_bytes(
    translations: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "templates").mkdir()
    monkeypatch.setattr(translations, "ROOT", tmp_path)
    lines = ["单" * 53 + "a", "单" * 53 + "ab", "a" * 161]
    (tmp_path / "templates" / "page.html").write_text("\n".join(lines), encoding="utf-8")
    assert list(translations.long_lines()) == [
        f"templates/page.html:{line}: 161 bytes, more than 160" for line in (2, 3)
    ]
