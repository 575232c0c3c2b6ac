"""The catalogue of the pages' texts: ``python deploy/translations.py check|update``.

A text is written in Chinese, as a literal argument of ``_``, ``_n``, ``_p`` or ``_np`` (bounty/web/shared/language.py);
its English is in ``bounty/translations/en/LC_MESSAGES/messages.po``, and compiled in ``messages.mo`` beside it.

update   take new texts into the catalogue, without their English; take out texts that no page uses; compile
check    fail on a text without its English, one that is fuzzy or that no page uses, one whose English has other
         values, on a stale ``messages.mo``, on a sentence that is glued from parts, and on a long template line
"""

import ast
import io
import re
import sys
from collections.abc import Iterator
from datetime import UTC, datetime
from functools import cache
from pathlib import Path

from babel.messages.catalog import Catalog, Message
from babel.messages.extract import extract_from_dir
from babel.messages.mofile import write_mo
from babel.messages.pofile import read_po, write_po
from jinja2 import Environment, nodes

ROOT = Path(__file__).resolve().parent.parent
PO = ROOT / "bounty" / "translations" / "en" / "LC_MESSAGES" / "messages.po"
KEYWORDS = {"_": None, "_n": (1, 1), "_p": ((1, "c"), 2), "_np": ((1, "c"), 2, 2)}
"""Function -> which of its arguments are the message and (c) its context. One Chinese form serves every number."""
METHODS = [("templates/**.html", "jinja2"), ("templates/**.txt", "jinja2"), ("bounty/web/**.py", "python")]
VALUE = re.compile(r"%\((\w+)\)(?:s|\.\d+f)")
LONGEST = 160
"""Bytes of a template line: a Chinese character has three of them, and is twice as wide as a Latin letter."""

DATED = datetime(2026, 11, 29, tzinfo=UTC)
"""What the catalogue is dated: always the same, so that only a change of texts changes a file."""
HEADER = """\
# The English of the pages' texts. A key is the Chinese text as the code has it.
# After a change of texts: make texts (docs/architecture.md, "Texts")."""


@cache
def extracted() -> Catalog:
    """Every text that a page or a template uses, without its English."""
    found = Catalog(
        locale="en",
        project="bounty",
        version="pages",
        msgid_bugs_address="-",
        last_translator="-",
        language_team="en",
        creation_date=DATED,
        revision_date=DATED,
        header_comment=HEADER,
        fuzzy=False,
    )
    for path, _line, message, comments, context in extract_from_dir(
        ROOT, METHODS, {"jinja2": {"silent": "false"}}, KEYWORDS, ("i18n:",)
    ):
        found.add(message, None, [(path, 1)], auto_comments=comments, context=context)
    return found


def catalogue() -> Catalog:
    """The catalogue as it is in the tree."""
    if not PO.exists():
        return Catalog(locale="en")
    with PO.open("rb") as file:
        return read_po(file, locale="en")


def english(message: Message) -> list[str]:
    """The English texts of a message: one, or one for each plural form."""
    return [message.string] if isinstance(message.string, str) else list(message.string)


def chinese(message: Message) -> str:
    """The Chinese text of a message."""
    return message.id if isinstance(message.id, str) else message.id[0]


def key(message: Message) -> tuple[str | None, str, bool]:
    """What tells messages apart: context, text, and whether it has plural forms."""
    return message.context, chinese(message), not isinstance(message.id, str)


def compiled(found: Catalog) -> bytes:
    """The bytes of the compiled catalogue."""
    file = io.BytesIO()
    write_mo(file, found)
    return file.getvalue()


def update() -> None:
    """Rewrite the catalogue and its compiled form."""
    held = {key(message): message.string for message in catalogue() if message.id}
    found = extracted()
    for message in found:
        if message.id and key(message) in held:
            message.string = held[key(message)]
    PO.parent.mkdir(parents=True, exist_ok=True)
    with PO.open("wb") as file:
        write_po(file, found, width=110, sort_by_file=True, include_lineno=False, omit_header=False)
    PO.with_suffix(".mo").write_bytes(compiled(found))


def untranslated() -> Iterator[str]:
    """What is wrong between the texts and the catalogue."""
    used = {key(message): message for message in extracted() if message.id}
    held_catalogue = catalogue()
    held = {key(message): message for message in held_catalogue if message.id}
    for each, message in used.items():
        if each not in held or not all(english(held[each])):
            yield f"{message.locations[0][0]}: no English for {each[1]!r}" + (
                f" ({each[0]})" if each[0] else ""
            )
    for each, message in held.items():
        if each not in used:
            yield f"{PO.name}: no page uses {each[1]!r}" + (f" ({each[0]})" if each[0] else "")
        if message.fuzzy:
            yield f"{PO.name}: the English of {each[1]!r} is fuzzy"
        values = set(VALUE.findall(each[1]))
        if any(not set(VALUE.findall(text)) <= values for text in english(message) if text):
            yield f"{PO.name}: the English of {each[1]!r} has a value that the Chinese has not"
    mo = PO.with_suffix(".mo")
    if not mo.exists() or mo.read_bytes() != compiled(held_catalogue):
        yield f"{mo.name} is not what {PO.name} compiles to"


# What a whole sentence neither begins nor ends with. A label may end with its colon.
GLUE = re.compile(r"^[\s，。；：、）,.;:)]|[\s，；（、,;(]$")
ENDED = re.compile(r"[。？！.?!]$")
BETWEEN = re.compile(r"[\s，。；：、（）,.;:()]*")
ELEMENTS = {"chip", "badge"}
"""Macros of an element that stands apart from the words beside it, as a whole link does."""
INLINE = re.compile(r"</?(?:a|b|em|i|strong)\b[^<>]*>")


def glued() -> Iterator[str]:
    """Every sentence that is made from parts."""
    for message in catalogue():
        for text in [chinese(message), *english(message)] if message.id else []:
            if GLUE.search(text):
                yield f"{PO.name}: part of a sentence: {text!r}"
            if "<" in text:
                yield f"{PO.name}: markup in a text, instead of a value that is markup: {text!r}"
    for path in sorted((ROOT / "templates").rglob("*.html")):
        for line, why in glued_in_template(path.read_text(encoding="utf-8")):
            yield f"{path.relative_to(ROOT)}:{line}: {why}"
    for path in sorted((ROOT / "bounty" / "web").rglob("*.py")):
        for line, why in glued_in_python(path.read_text(encoding="utf-8")):
            yield f"{path.relative_to(ROOT)}:{line}: {why}"


def text_of(node: nodes.Node) -> str | None:
    """The Chinese text of an expression that is a text, or either of two; None for another expression."""
    if isinstance(node, nodes.CondExpr):
        return text_of(node.expr1) or (text_of(node.expr2) if node.expr2 else None)
    if isinstance(node, nodes.Call) and isinstance(node.node, nodes.Name) and node.node.name in KEYWORDS:
        return next(
            (
                arg.value
                for arg in reversed(node.args)
                if isinstance(arg, nodes.Const) and isinstance(arg.value, str)
            ),
            "",
        )
    return None


def glued_in_template(source: str) -> Iterator[tuple[int, str]]:
    """Line and reason: a text that is joined to another value, or stands beside one within a sentence."""
    tree = Environment(autoescape=True).parse(source)
    for each in tree.find_all((nodes.Concat, nodes.Add, nodes.Mod, nodes.Filter)):
        if isinstance(each, nodes.Concat):
            operands = each.nodes
        elif isinstance(each, nodes.Filter):
            operands = [each.node] if each.name == "format" and each.node is not None else []
        else:
            operands = [each.left, each.right]
        if any(text_of(operand) is not None for operand in operands):
            yield each.lineno, "a text is joined to another value: give the value a name in the text"
    for each in tree.find_all(nodes.Call):
        text = text_of(each)
        if text is not None and each.dyn_kwargs is None:
            wrong = unfilled(text, each.node.name, {value.key for value in each.kwargs})
            if wrong:
                yield each.lineno, wrong
    for output in tree.find_all(nodes.Output):
        yield from _neighbours(output.nodes)


def unfilled(text: str, function: str, given: set[str]) -> str | None:
    """What is wrong between a text's values and those that a call gives it."""
    wanted = set(VALUE.findall(text)) - ({"num"} if function in ("_n", "_np") else set())
    if wanted != given:
        return f"the values of {text!r} are not those of the call: {', '.join(sorted(wanted ^ given))}"
    if (given or function in ("_n", "_np")) and "%" in VALUE.sub("", text).replace("%%", ""):
        return f"a percent sign in {text!r} is written %%"
    return None


def _neighbours(parts: list[nodes.Expr]) -> Iterator[tuple[int, str]]:
    last: nodes.Expr | None = None
    for part in parts:
        if isinstance(part, nodes.TemplateData):
            if "</a>" in part.data or not BETWEEN.fullmatch(INLINE.sub("", part.data)):
                last = None
            continue
        if isinstance(part, nodes.Call) and isinstance(part.node, nodes.Name) and part.node.name in ELEMENTS:
            last = None
            continue
        texts = [text_of(each) if each is not None else None for each in (last, part)]
        ended = texts[0] is not None and ENDED.search(texts[0])
        if last is not None and not ended and any(text is not None for text in texts):
            yield (
                part.lineno,
                "a text and another value stand side by side: write one text with a named value",
            )
        last = part


def glued_in_python(source: str) -> Iterator[tuple[int, str]]:
    """Line and reason, as ``glued_in_template``; and a name that hides ``_``."""

    def is_text(node: ast.AST) -> bool:
        if isinstance(node, ast.IfExp):
            return is_text(node.body) or is_text(node.orelse)
        return isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in KEYWORDS

    tree = ast.parse(source)
    uses = any(is_text(node) for node in ast.walk(tree))
    for node in ast.walk(tree):
        operands: list[ast.AST] = []
        match node:
            case ast.BinOp(left=left, op=ast.Add() | ast.Mod(), right=right):
                operands = [left, right]
            case ast.AugAssign(op=ast.Add(), value=value):
                operands = [value]
            case ast.JoinedStr(values=values):
                operands = [part.value for part in values if isinstance(part, ast.FormattedValue)]
            case ast.Name(id="_", ctx=ast.Store()) | ast.arg(arg="_") if uses:
                yield node.lineno, "this name hides the function _"
        if is_text(node) and isinstance(node, ast.Call):
            literals = [
                arg.value for arg in node.args if isinstance(arg, ast.Constant) and isinstance(arg.value, str)
            ]
            given = {keyword.arg for keyword in node.keywords}
            wrong = unfilled(literals[-1], node.func.id, given) if literals and None not in given else None
            if wrong:
                yield node.lineno, wrong
        if any(is_text(operand) for operand in operands):
            yield node.lineno, "a text is joined to another value: give the value a name in the text"


def long_lines() -> Iterator[str]:
    """Every line of a template of more than LONGEST bytes."""
    for path in sorted((ROOT / "templates").rglob("*.*")):
        for number, line in enumerate(path.read_bytes().splitlines(), 1):
            if len(line) > LONGEST:
                yield f"{path.relative_to(ROOT)}:{number}: {len(line)} bytes, more than {LONGEST}"


def main(words: list[str]) -> int:
    """Returns the exit status."""
    if words == ["update"]:
        update()
        return 0
    if words != ["check"]:
        print(__doc__, file=sys.stderr)
        return 2
    found = [*untranslated(), *glued(), *long_lines()]
    for each in found:
        print(each, file=sys.stderr)
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
