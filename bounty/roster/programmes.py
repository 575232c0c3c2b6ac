"""Programmes: bounties that run side by side over the same orders, each with its own terms, periods and notices."""

from typing import NamedTuple

from sqlalchemy import Connection, insert, select, update

from bounty.audit.service import record
from bounty.db import Query, fetch_all, fetch_first, wait_for_turn
from bounty.errors import BountyError
from bounty.models import OpenPeriod, Programme, TermsVersion
from bounty.rules.periods import MAIN, Period, in_programme, is_programme_code
from bounty.rules.terms import MONTH, read_terms

LONGEST = 200
"""Characters of a name."""
_UNNAMED_MAIN = ("主项目", "Main programme")


class ProgrammeRow(NamedTuple):
    """A row of ``programmes``."""

    code: str
    name: str
    added_at: int
    retired_at: int | None


def programmes(connection: Connection) -> list[ProgrammeRow]:
    """Every programme, ``main`` first and then by code."""
    rows = fetch_all(connection, select(Programme.__table__).order_by(Programme.code), ProgrammeRow)
    return sorted(rows, key=lambda row: (row.code != MAIN, row.code))


def every_programme() -> Query:
    """The programmes as rows, columns as of ``Programme``."""
    return select(Programme.__table__)


def has_several(connection: Connection) -> bool:
    """Whether there are other programmes than ``main``."""
    others = select(Programme.code).where(Programme.code != MAIN).limit(1)
    return connection.execute(others).first() is not None


def programme_titles(connection: Connection) -> dict[str, tuple[str, str]]:
    """Code -> what people call the programme in Chinese and in English, ``main`` first.

    ``main`` is called by its code when the database is made; until it is renamed each language has a word for it.
    """
    return {
        row.code: _UNNAMED_MAIN if row.code == row.name == MAIN else (row.name, row.name)
        for row in programmes(connection)
    }


def period_in_words(connection: Connection, period: Period) -> tuple[str, str]:
    """A period in Chinese and in English, after its programme's name where there are several: ``冲刺 2022-12a``."""
    titles = programme_titles(connection)
    if len(titles) == 1:
        return period.name, period.name
    zh, en = titles[period.programme]
    return f"{zh} {period.name}", f"{en} {period.name}"


def add_programme(connection: Connection, code: str, name: str, now: int) -> bool:
    """Add a programme; the same again changes nothing, and is False.

    Raises BountyError for a code or a name that can't be, and a code that another name has.
    """
    if not is_programme_code(code):
        raise BountyError(
            f"{code!r} can't be a programme's code: write at most 32 of a-z, 0-9 and -, a letter first.",
            f"{code!r} 不能作为项目代码：请用小写字母开头，只含小写字母、数字和 -，最多 32 个字符。",
        )
    name = _name(name)
    present = connection.execute(select(Programme.name).where(Programme.code == code)).scalar()
    if present == name:
        return False
    if present is not None:
        raise BountyError(
            f"There is a programme {code} already, named {present}: `bounty programme rename {code} --name NAME`.",
            f"项目 {code} 已存在，名称为 {present}：如需改名请用 `bounty programme rename {code} --name NAME`。",
        )
    connection.execute(insert(Programme).values(code=code, name=name, added_at=now, retired_at=None))
    record(connection, "programme.add", code, now, after={"name": name})
    return True


def rename_programme(connection: Connection, code: str, name: str, now: int) -> bool:
    """Give a programme another name; the same again changes nothing, and is False.

    Raises BountyError for a name that can't be, and where there is no such programme.
    """
    name, programme = _name(name), require_programme(connection, code)
    if programme.name == name:
        return False
    connection.execute(update(Programme).where(Programme.code == code).values(name=name))
    record(connection, "programme.rename", code, now, before={"name": programme.name}, after={"name": name})
    return True


def retire_programme(connection: Connection, code: str, now: int) -> bool:
    """Open no new period of a programme any more, while what is open goes on; again changes nothing, and is False.

    Raises BountyError where there is no such programme, and for the last one that is not retired: no programme at all
    would open a period.
    """
    wait_for_turn(connection)
    if require_programme(connection, code).retired_at is not None:
        return False
    others = select(Programme.code).where(Programme.code != code, Programme.retired_at.is_(None)).limit(1)
    if connection.execute(others).first() is None:
        raise BountyError(
            f"Programme {code} is the last that opens periods: add another one, or restore one, before it is retired.",
            f"{code} 是最后一个还在开期的项目：请先新增或恢复另一个项目，再停用它。",
        )
    connection.execute(update(Programme).where(Programme.code == code).values(retired_at=now))
    record(connection, "programme.retire", code, now)
    return True


def restore_programme(connection: Connection, code: str, now: int) -> bool:
    """Let a retired programme open periods again; one that is not retired stays as it is, and is False.

    Raises BountyError where there is no such programme.
    """
    retired_at = require_programme(connection, code).retired_at
    if retired_at is None:
        return False
    connection.execute(update(Programme).where(Programme.code == code).values(retired_at=None))
    record(connection, "programme.restore", code, now, before={"retired_at": retired_at})
    return True


def require_programme(connection: Connection, code: str) -> ProgrammeRow:
    """A programme by its code.

    Raises BountyError where there is none.
    """
    row = fetch_first(connection, select(Programme.__table__).where(Programme.code == code), ProgrammeRow)
    if row is None:
        raise BountyError(
            f"There is no programme {code!r}: `bounty programme list` shows them, `bounty programme add` adds one.",
            f"没有项目 {code!r}：`bounty programme list` 列出全部项目，`bounty programme add` 可新增。",
        )
    return row


def require_running(connection: Connection, code: str) -> None:
    """Raises BountyError where there is no such programme, or it opens no period any more."""
    if require_programme(connection, code).retired_at is not None:
        raise BountyError(
            f"Programme {code} is retired: it opens no new period, and what is open goes on; "
            f"`bounty programme restore {code}` lets it open periods again.",
            f"项目 {code} 已停用：不再开新的期次，已开的期次照常进行；`bounty programme restore {code}` 可恢复。",
        )


def cycle_of(connection: Connection, programme: str) -> str | None:
    """The cycle of a programme, which all versions of its terms share; null while it has none."""
    toml = connection.execute(
        select(TermsVersion.toml)
        .where(in_programme(TermsVersion.effective_from.expression, programme))
        .limit(1)
    ).scalar()
    return None if toml is None else read_terms(toml).cycle


def cycle_or_month(connection: Connection, programme: str) -> str:
    """The same; a month while a programme has no terms."""
    return cycle_of(connection, programme) or MONTH


def open_periods_of(connection: Connection, programme: str) -> list[str]:
    """The open periods of a programme as text, the newest first."""
    period = OpenPeriod.period
    mine = in_programme(period.expression, programme)
    return list(connection.execute(select(period).where(mine).order_by(period.desc())).scalars())


def _name(name: str) -> str:
    name = name.strip()
    if not 0 < len(name) <= LONGEST or any(ord(sign) < 32 for sign in name):
        raise BountyError(
            f"Give the programme a name of at most {LONGEST} characters, on one line.",
            f"请给项目起一个不超过 {LONGEST} 字的名称，只占一行。",
        )
    return name
