"""The floor of export: read the rows in file order, and write the bytes."""

from collections.abc import Iterable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from bench.floors.connect import is_sqlite, postgresql, sqlite

_LINES = """
SELECT l.promoter_id, l.order_sn, l.paid_at, l.basis_fen, r.rate_permille, l.subsidy_fen
FROM results AS r JOIN lines AS l ON l.promoter_id = r.promoter_id AND l.settlement_id = r.settlement_id
WHERE r.settlement_id = 1 AND r.subsidy_orders > 0 ORDER BY r.promoter_id, l.paid_at, l.order_sn
"""
_RESULTS = """
SELECT s.promoter_id, r.name, r.level, r.reason, s.gmv_fen, s.orders, r.target_gmv_fen, r.target_orders, s.passed,
       s.rate_permille, s.subsidy_orders, s.subsidy_fen
FROM results AS s JOIN roster AS r ON r.promoter_id = s.promoter_id AND r.period = '{period}'
WHERE s.settlement_id = 1 ORDER BY s.promoter_id
"""
_BATCH = 1000


def export(database: str, period: str, folder: str) -> dict[str, Any]:
    """Write both files of settlement 1; returns the number of lines."""
    out = Path(folder)
    out.mkdir(parents=True, exist_ok=True)
    connection: Any = sqlite(database) if is_sqlite(database) else postgresql(database)
    with connection:
        lines = _rows(connection, _LINES)
        count = _write(out / "subsidy_lines.csv", LINES_HEADER, (_line_texts(period, some) for some in lines))
        results = _rows(connection, _RESULTS.format(period=period))
        _write(
            out / "results.csv",
            RESULTS_HEADER,
            ([_result_text(period, row) for row in some] for some in results),
        )
    connection.close()
    return {"rows": count}


LINES_HEADER = "period,promoter_id,order_sn,paid_at,basis_yuan,rate_permille,subsidy_yuan\r\n"
RESULTS_HEADER = (
    "period,promoter_id,name,level,eligible,reason,gmv_yuan,orders,target_gmv_yuan,target_orders,"
    "passed,rate_permille,subsidy_orders,subsidy_yuan\r\n"
)


def _rows(connection: Any, statement: str) -> Iterable[list[tuple[Any, ...]]]:
    if hasattr(connection, "pgconn"):
        cursor = connection.cursor("rows", binary=True)
        connection.execute("BEGIN")
        cursor.execute(statement)
    else:
        cursor = connection.execute(statement)
    while some := cursor.fetchmany(_BATCH):
        yield some
    cursor.close()
    if hasattr(connection, "pgconn"):
        connection.execute("COMMIT")


def _line_texts(period: str, rows: list[tuple[Any, ...]]) -> list[str]:
    texts = []
    for promoter_id, order_sn, paid_at, basis, rate, subsidy in rows:
        day, second = divmod(paid_at + 28800, 86400)
        minute = second // 60
        texts.append(
            f"{period},{promoter_id},{order_sn},{_DAYS[day]}T{_CLOCKS[minute]}{second % 60:02d}+08:00,"
            f"{basis // 100}.{basis % 100:02d},{rate},{subsidy // 100}.{subsidy % 100:02d}\r\n"
        )
    return texts


class _Days(dict[int, str]):
    def __missing__(self, day: int) -> str:
        self[day] = text = datetime.fromtimestamp(day * 86400, UTC).date().isoformat()
        return text


_DAYS = _Days()
_CLOCKS = [f"{minute // 60:02d}:{minute % 60:02d}:" for minute in range(1440)]


def _result_text(period: str, row: tuple[Any, ...]) -> str:
    promoter_id, name, level, reason, gmv, orders, gmv_target, n_target, passed, rate, lines, subsidy = row
    if reason is not None:
        return f"{period},{promoter_id},{name},{level or ''},no,{reason},,,,,no,,,\r\n"
    return (
        f"{period},{promoter_id},{name},{level or ''},yes,,{_yuan(gmv)},{orders},"
        f"{'' if gmv_target is None else _yuan(gmv_target)},{'' if n_target is None else n_target},"
        f"{'yes' if passed else 'no'},{'' if rate is None else rate},{lines},{_yuan(subsidy)}\r\n"
    )


def _yuan(fen: int) -> str:
    return f"{fen // 100}.{fen % 100:02d}"


def _write(path: Path, header: str, batches: Iterable[list[str]]) -> int:
    count = 0
    with path.open("wb") as out:
        out.write(b"\xef\xbb\xbf" + header.encode())
        for texts in batches:
            out.write("".join(texts).encode())
            count += len(texts)
    return count
