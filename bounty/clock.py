"""The one place for time: the present instant, Shanghai, and instants as text.

An instant is kept as whole epoch seconds (UTC); a date is a Shanghai date. Windows are half-open.
"""

from datetime import UTC, date, datetime, timedelta, timezone
from zoneinfo import ZoneInfo

SHANGHAI = ZoneInfo("Asia/Shanghai")
# Every instant the program takes in lies in 2015..2099, where Shanghai is +08:00 without exception.
_SHANGHAI_OFFSET = timezone(timedelta(hours=8))
EARLIEST = 1420041600  # 2015-01-01 00:00:00 Shanghai
LATEST = 4102415999  # 2099-12-31 23:59:59 Shanghai


def now() -> int:
    """The present instant in epoch seconds. Called at the edges and passed down."""
    return int(datetime.now(UTC).timestamp())


def shown(instant: int) -> str:
    """An instant for people and files.

    >>> shown(1671551999)
    '2022-12-20T23:59:59+08:00'
    """
    return datetime.fromtimestamp(instant, _SHANGHAI_OFFSET).isoformat()


class ShownMinutes(dict[int, str]):
    """Minutes since the epoch, shown up to their seconds: for millions of instants of a few months.

    >>> minutes = ShownMinutes()
    >>> minutes[1671551999 // 60] + ShownMinutes.SECONDS[1671551999 % 60]
    '2022-12-20T23:59:59+08:00'
    """

    SECONDS = tuple(f"{second:02d}+08:00" for second in range(60))
    _ROOM = 200_000

    def __missing__(self, minute: int) -> str:
        if len(self) >= self._ROOM:
            self.clear()
        self[minute] = text = shown(minute * 60)[:17]
        return text


def shanghai_date(instant: int) -> date:
    """The Shanghai date in which an instant lies.

    >>> shanghai_date(1669823999), shanghai_date(1669824000)
    (datetime.date(2022, 11, 30), datetime.date(2022, 12, 1))
    """
    return datetime.fromtimestamp(instant, _SHANGHAI_OFFSET).date()


def midnight(day: date) -> int:
    """The instant at which a Shanghai day begins.

    >>> midnight(date(2022, 12, 1))
    1669824000
    """
    return int(datetime(day.year, day.month, day.day, tzinfo=SHANGHAI).timestamp())


def read_instant(text: str) -> int:
    """An instant from ISO text with its offset, or, without one, in Shanghai.

    Raises ValueError for anything else.

    >>> read_instant("2022-12-21T00:00:00+08:00"), read_instant("2022-12-20T16:00:00Z"), read_instant("2022-12-21")
    (1671552000, 1671552000, 1671552000)
    """
    moment = datetime.fromisoformat(text)
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=SHANGHAI)
    return int(moment.timestamp())
