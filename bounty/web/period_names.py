"""What pages call a period and its programme; of ``main`` nothing more is said, and where there is no other programme
pages are as if there were none.
"""

from flask import Flask, g

from bounty.roster.programmes import programmes
from bounty.rules.periods import MAIN, Period
from bounty.web.shared.language import t
from bounty.web.shared.request_context import reading

_HALVES = (("", ""), ("上半月", "1st half of "), ("下半月", "2nd half of "))


def programme_names() -> dict[str, str]:
    """Code -> name of every programme, ``main`` first."""
    if "programme_names" not in g:
        with reading() as connection:
            g.programme_names = {row.code: row.name for row in programmes(connection)}
    names: dict[str, str] = g.programme_names
    return names


def several_programmes() -> bool:
    """Whether there are others than ``main``."""
    return len(programme_names()) > 1


def period_title(period: Period | str) -> str:
    """A period in a heading: ``2022年12月期``, ``半月冲刺 2022年12月上半月期``."""
    of = Period.parse(period) if isinstance(period, str) else period
    zh, en = _HALVES[of.half]
    title = t(f"{of.year}年{of.month}月{zh}期", f"{en}{of.name[:7]}")
    return f"{_prefix(of)}{title}"


def period_label(period: Period | str) -> str:
    """A period in a table or a link: ``2022-12``, ``半月冲刺 2022-12a``."""
    of = Period.parse(period) if isinstance(period, str) else period
    return f"{_prefix(of)}{of.name}"


def _prefix(period: Period) -> str:
    if period.programme == MAIN:
        return ""
    return f"{programme_names().get(period.programme, period.programme)} "


def install(app: Flask) -> None:
    """Let templates have them."""
    app.jinja_env.globals.update(
        period_title=period_title,
        period_label=period_label,
        programme_names=programme_names,
        several_programmes=several_programmes,
    )
