"""Time: the present instant, Shanghai dates, and instants as text.

An instant is a whole number of epoch seconds (UTC); a date is a Shanghai date. Windows are half-open.
"""

from datetime import UTC, date, datetime, timedelta, timezone
from zoneinfo import ZoneInfo

SHANGHAI = ZoneInfo("Asia/Shanghai")
# Every accepted instant lies in 2015..2099, when Shanghai is always +08:00.
_SHANGHAI_OFFSET = timezone(timedelta(hours=8))
EARLIEST = 1420041600  # 2015-01-01 00:00:00 Shanghai
LATEST = 4102415999  # 2099-12-31 23:59:59 Shanghai


def now() -> int:
    """The present instant in epoch seconds. Entry points call it once and pass the result down."""
    return int(datetime.now(UTC).timestamp())


def shown(instant: int) -> str:
    """An instant as ISO text in Shanghai time, for people and files.

    >>> shown(1671551999)
    '2022-12-20T23:59:59+08:00'
    """
    return datetime.fromtimestamp(instant, _SHANGHAI_OFFSET).isoformat()


class ShownMinutes(dict[int, str]):
    """Cache for formatting millions of instants: minute since the epoch -> ISO text without seconds and offset.

    >>> minutes = ShownMinutes()
    >>> minutes[1671551999 // 60] + ShownMinutes.SECONDS[1671551999 % 60]
    '2022-12-20T23:59:59+08:00'
    """

    SECONDS = tuple(f"{second:02d}+08:00" for second in range(60))
    _CACHE_LIMIT = 200_000

    def __missing__(self, minute: int) -> str:
        if len(self) >= self._CACHE_LIMIT:
            self.clear()
        self[minute] = text = shown(minute * 60)[:17]
        return text


def shanghai_date(instant: int) -> date:
    """The Shanghai date of an instant.

    >>> shanghai_date(1669823999), shanghai_date(1669824000)
    (datetime.date(2022, 11, 30), datetime.date(2022, 12, 1))
    """
    return datetime.fromtimestamp(instant, _SHANGHAI_OFFSET).date()


def midnight(day: date) -> int:
    """The first instant of a Shanghai date.

    >>> midnight(date(2022, 12, 1))
    1669824000
    """
    return int(datetime(day.year, day.month, day.day, tzinfo=SHANGHAI).timestamp())


def read_instant(text: str) -> int:
    """Parse ISO text to an instant; text without an offset is Shanghai time.

    Raises ValueError for anything else.

    >>> read_instant("2022-12-21T00:00:00+08:00"), read_instant("2022-12-20T16:00:00Z"), read_instant("2022-12-21")
    (1671552000, 1671552000, 1671552000)
    """
    moment = datetime.fromisoformat(text)
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=SHANGHAI)
    return int(moment.timestamp())
