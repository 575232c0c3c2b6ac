"""Tables that become cards on a phone: every cell says the name of its column, so that the head can go."""

import re
from html import unescape

from markupsafe import Markup, escape

_TAG = re.compile(r"<(/?)(table|thead|tbody|tfoot|tr|th|td)\b([^>]*)>")
_SPAN = re.compile(r'\b(col|row)span="(\d+)"')
_ANY_TAG = re.compile(r"<[^>]*>")


def cards(table: str) -> Markup:
    """A rendered table with the class ``cards rows``; its cells carry the names of their columns as ``data-label``.

    table   the HTML of one table, rendered by our templates: attributes in double quotes, ``>`` escaped in them

    A cell that has a label keeps it; one that spans columns gets none.

    >>> cards("<table><thead><tr><th>State</th></tr></thead><tbody><tr><td>open</td></tr></tbody></table>")[64:]
    Markup('<tbody><tr><td data-label="State">open</td></tr></tbody></table>')
    """
    table = str(table)  # a Markup escapes what it is joined with
    labels: list[str] = []
    taken: dict[int, int] = {}  # column -> further rows that a cell above fills
    part, column, out, end = "", 0, [], 0
    for tag in _TAG.finditer(table):
        closing, name, attributes = tag[1], tag[2], tag[3]
        out.append(table[end : tag.start()])
        end = tag.end()
        if closing:
            if name == "th" and part == "thead":
                text = unescape(_ANY_TAG.sub("", out[-1])).strip(" \n↑↓")
                label = " ".join(text.split())
                labels.append(label[:1].upper() + label[1:])
            out.append(tag[0])
            continue
        if name == "table":
            out.append(f'<table class="cards rows"{attributes}>')
            continue
        if name in ("thead", "tbody", "tfoot"):
            part, taken = name, {}
        elif name == "tr":
            column = 0
        elif part in ("tbody", "tfoot"):
            while taken.get(column):
                taken[column] -= 1
                column += 1
            spans = {kind: int(count) for kind, count in _SPAN.findall(attributes)}
            if "row" in spans:
                taken[column] = spans["row"] - 1
            wide = spans.get("col", 1)
            if part == "tbody" and wide == 1 and column < len(labels) and "data-label=" not in attributes:
                attributes += f' data-label="{escape(labels[column])}"'
            column += wide
        out.append(f"<{name}{attributes}>")
    out.append(table[end:])
    return Markup("".join(out))  # noqa: S704 - of what a template has escaped
