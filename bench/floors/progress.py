"""The floor of progress: one promoter's month in one hand-written statement."""

from time import perf_counter
from typing import Any

from bench.floors.connect import is_sqlite, postgresql, sqlite

_BOUNDS = """
SELECT p.task_from, p.task_until, p.receipt_cutoff, p.month_from, p.month_until, r.level
FROM periods AS p JOIN roster AS r ON r.period = p.period WHERE p.period = {mark} AND r.promoter_id = {mark}
"""

_VERDICTS = """
SELECT verdict, count(*), sum(fen), sum(CASE WHEN fen > 20000 THEN 20000 ELSE fen END)
FROM (
    SELECT order_amount_fen AS fen,
           CASE WHEN paid_at < {task_from} OR paid_at >= {task_until} THEN 'PAID_IN_WINDOW'
                WHEN order_status IN (-1, 8) THEN 'COMMISSIONABLE'
                {direct}
                WHEN type = 94 OR cat_ids IN (SELECT cat_ids FROM category_sets
                                              WHERE category_id IN (8724, 8729, 8730, 8732, 8733, 8736))
                THEN 'NOT_VIRTUAL'
                WHEN failed_at < {receipt_cutoff} THEN 'NOT_FAILED'
                WHEN received_at < {receipt_cutoff} THEN 'COUNTED'
                WHEN received_at IS NULL THEN 'PENDING'
                ELSE 'RECEIVED_IN_TIME' END AS verdict
    FROM orders WHERE promoter_id = {promoter} AND paid_at >= {month_from} AND paid_at < {month_until}
) AS judged
GROUP BY verdict
"""
_NAMES = ("task_from", "task_until", "receipt_cutoff", "month_from", "month_until")


def progress(database: str, period: str, promoters: list[int], repeat: int) -> dict[str, Any]:
    """Milliseconds of the statement for each promoter and repetition."""
    connection: Any = sqlite(database) if is_sqlite(database) else postgresql(database)
    mark = "?" if is_sqlite(database) else "%s"
    taken = []
    found: list[Any] = []
    for promoter in promoters * repeat:
        start = perf_counter()
        *bounds, level = connection.execute(_BOUNDS.format(mark=mark), (period, promoter)).fetchone()
        direct = "" if level == "V1" else "WHEN is_direct IS NULL OR is_direct <> 1 THEN 'DIRECT'"
        statement = _VERDICTS.format(**dict.fromkeys((*_NAMES, "promoter"), mark), direct=direct)
        task_from, task_until, cutoff, month_from, month_until = bounds
        values = (task_from, task_until, cutoff, cutoff, promoter, month_from, month_until)
        found = connection.execute(statement, values).fetchall()
        taken.append((perf_counter() - start) * 1000)
    connection.close()
    return {"ms": taken, "orders": sum(row[1] for row in found)}
