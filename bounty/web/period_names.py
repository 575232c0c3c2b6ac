"""What pages call a period and its programme. Where there is one programme, pages name none."""

from dataclasses import replace

from flask import Flask, g

from bounty.db import Condition
from bounty.roster.programmes import programme_titles
from bounty.rules.periods import MAIN, PERIOD_KEY, Period, in_programme
from bounty.web.shared.language import in_language
from bounty.web.shared.request_context import reading
from bounty.web.shared.table_filters import Filter, Option
from bounty.web.shared.tables import Table

_HALVES = (("", ""), ("上半月", "1st half of "), ("下半月", "2nd half of "))


def programme_names() -> dict[str, str]:
    """Code -> name of every programme in the reader's language, ``main`` first."""
    if "programme_titles" not in g:
        with reading() as connection:
            g.programme_titles = programme_titles(connection)
    return {code: in_language(*title) for code, title in g.programme_titles.items()}


def several_programmes() -> bool:
    """Whether there are others than ``main``."""
    return len(programme_names()) > 1


def period_title(period: Period | str) -> str:
    """A period in a heading: ``2022年12月期``, ``半月冲刺 2022年12月上半月期``."""
    of = Period.parse(period) if isinstance(period, str) else period
    zh, en = _HALVES[of.half]
    title = in_language(f"{of.year}年{of.month}月{zh}期", f"{en}{of.name[:7]}")
    return f"{_prefix(of.programme)}{title}"


def period_label(period: Period | str) -> str:
    """A period in a table, a link or a sentence: ``2022-12``, ``半月冲刺 2022-12a``."""
    of = Period.parse(period) if isinstance(period, str) else period
    return f"{_prefix(of.programme)}{of.name}"


def with_period_labels(text: str) -> str:
    """A text that was written without a reader in mind, its periods named as pages name them; a command between
    backticks names its programme by ``--programme``.
    """
    parts = text.split("`")
    parts[::2] = [PERIOD_KEY.sub(lambda key: period_label(key[0]), part) for part in parts[::2]]
    parts[1::2] = [PERIOD_KEY.sub(r"\2 --programme \1", part) for part in parts[1::2]]
    return "`".join(parts)


def programme_argument(period: Period | str) -> str | None:
    """What names a period's programme in the address of an order; nothing for ``main``."""
    of = Period.parse(period) if isinstance(period, str) else period
    return None if of.programme == MAIN else of.programme


def by_programme(table: Table, *, newest_first: str | None = None, column: str = "period") -> Table:
    """A table of periods, with a choice of the programme where there are several.

    newest_first  the label of what tells when periods begin: the order of all programmes together
    column        the label of the periods
    """
    if not several_programmes():
        return table

    def of(code: str) -> Condition:
        return lambda rows: in_programme(rows.c[column], code)

    options = tuple(Option(code, name, name, of(code)) for code, name in programme_names().items())
    order = table.order if newest_first is None else f"-{newest_first}"
    choice = Filter("programme", "项目", "Programme", options)
    return replace(table, filters=(choice, *table.filters), order=order)


def _prefix(programme: str) -> str:
    return f"{programme_names().get(programme, programme)} " if several_programmes() else ""


def install(app: Flask) -> None:
    """Let templates have them."""
    app.jinja_env.globals.update(
        period_title=period_title,
        period_label=period_label,
        programme_argument=programme_argument,
        programme_names=programme_names,
        several_programmes=several_programmes,
    )
    app.jinja_env.filters.update(with_period_labels=with_period_labels)
