"""The floor of settling: bare SQL that computes and writes the same rows in the same tables, and reads the lines once.

The terms are those of the bench's own data (``bench.data.TERMS``), written into the statements as numbers.
"""

from typing import Any

from bench.floors.connect import is_sqlite, postgresql, sqlite

_PERIOD = (
    "SELECT task_from, task_until, receipt_cutoff, month_from, month_until FROM periods WHERE period = {mark}"
)
_VIRTUAL_SETS = "SELECT cat_ids FROM category_sets WHERE category_id IN (8724, 8729, 8730, 8732, 8733, 8736)"

_ATTAINED = """
INSERT INTO attained
SELECT promoter_id, gmv, n,
       CASE WHEN (gmv_target IS NULL OR gmv * 2 >= gmv_target * 3)
             AND (n_target IS NULL OR n * 2 >= n_target * 3) THEN 30
            WHEN (gmv_target IS NULL OR gmv >= gmv_target) AND (n_target IS NULL OR n >= n_target) THEN 20 END
FROM (
    SELECT r.promoter_id, r.target_gmv_fen AS gmv_target, r.target_orders AS n_target, count(o.promoter_id) AS n,
           coalesce(sum(CASE WHEN o.order_amount_fen > 20000 THEN 20000 ELSE o.order_amount_fen END), 0) AS gmv
    FROM roster AS r
    LEFT JOIN orders AS o
      ON o.promoter_id = r.promoter_id AND o.paid_at >= :task_from AND o.paid_at < :task_until
     AND o.order_status NOT IN (-1, 8)
     AND (r.level = 'V1' OR o.is_direct = 1)
     AND (o.type IS NULL OR o.type <> 94)
     AND (o.cat_ids IS NULL OR o.cat_ids NOT IN ({virtual}))
     AND (o.failed_at IS NULL OR o.failed_at >= :receipt_cutoff)
     AND o.received_at < :receipt_cutoff
    WHERE r.period = :period AND r.reason IS NULL
    GROUP BY r.promoter_id, r.target_gmv_fen, r.target_orders
) AS measured
"""

_LINES = """
INSERT INTO lines (promoter_id, settlement_id, order_sn, paid_at, basis_fen, subsidy_fen)
SELECT promoter_id, :settlement_id, order_sn, paid_at, order_amount_fen, given FROM (
    SELECT promoter_id, order_sn, paid_at, order_amount_fen,
           CASE WHEN running <= 500000 THEN earned ELSE 500000 - running + earned END AS given
    FROM (
        SELECT promoter_id, order_sn, paid_at, order_amount_fen, earned,
               sum(earned) OVER (PARTITION BY promoter_id ORDER BY paid_at, order_sn ROWS UNBOUNDED PRECEDING)
                   AS running
        FROM (
            SELECT promoter_id, order_sn, paid_at, order_amount_fen,
                   CASE WHEN share > 2000 THEN 2000 ELSE share END AS earned
            FROM (
                SELECT o.promoter_id, o.order_sn, o.paid_at, o.order_amount_fen,
                       o.order_amount_fen * a.rate_permille / 1000
                       + CASE WHEN o.order_amount_fen * a.rate_permille % 1000 > 500 THEN 1
                              WHEN o.order_amount_fen * a.rate_permille % 1000 < 500 THEN 0
                              ELSE o.order_amount_fen * a.rate_permille / 1000 % 2 END AS share
                FROM attained AS a
                CROSS JOIN orders AS o -- in SQLite also: in this order
                WHERE o.promoter_id = a.promoter_id AND o.paid_at >= :month_from AND o.paid_at < :month_until
                  AND a.rate_permille IS NOT NULL
                  AND o.order_status NOT IN (-1, 8)
                  AND (o.type IS NULL OR o.type <> 94)
                  AND (o.cat_ids IS NULL OR o.cat_ids NOT IN ({virtual}))
                  AND (o.price_compare_status IS NULL OR o.price_compare_status <> 1)
                  AND o.failed_at IS NULL
                  AND NOT EXISTS (SELECT 1 FROM links AS l WHERE l.promoter_id = o.promoter_id AND l.p_id = o.p_id
                                  AND l.channel = 'other')
            ) AS shares
        ) AS earning
    ) AS adding_up
) AS giving
WHERE given > 0
"""

_RESULTS = """
INSERT INTO results
       (promoter_id, settlement_id, gmv_fen, orders, passed, rate_permille, subsidy_orders, subsidy_fen)
SELECT r.promoter_id, :settlement_id, a.gmv, a.n, a.rate_permille IS NOT NULL, a.rate_permille,
       coalesce(s.n, 0), coalesce(s.fen, 0)
FROM roster AS r
LEFT JOIN attained AS a ON a.promoter_id = r.promoter_id
LEFT JOIN (SELECT promoter_id, count(*) AS n, sum(subsidy_fen) AS fen FROM lines
           WHERE settlement_id = :settlement_id GROUP BY promoter_id) AS s ON s.promoter_id = r.promoter_id
WHERE r.period = :period
"""

_SETTLEMENT = """
INSERT INTO settlements (settlement_id, period, settled_at, as_of_batch_id, quarantined, results_rows, results_sha256,
                         lines_rows, lines_sha256, subsidy_fen, content_sha256)
VALUES (:settlement_id, :period, 0, (SELECT max(batch_id) FROM batches), 0, 0, '', 0, '', 0, '')
"""

_READ = """
SELECT promoter_id, order_sn, paid_at, basis_fen, subsidy_fen FROM lines
WHERE settlement_id = {settlement_id} ORDER BY promoter_id, paid_at, order_sn
"""

_TEMPORARY = (
    "CREATE TEMPORARY TABLE attained "
    "(promoter_id bigint PRIMARY KEY, gmv bigint, n bigint, rate_permille bigint)"
)
_NAMES = ("task_from", "task_until", "receipt_cutoff", "month_from", "month_until")


def settle(database: str, period: str) -> dict[str, Any]:
    """Settle a period again; returns the number of lines and their sum."""
    return _sqlite(database, period) if is_sqlite(database) else _postgresql(database, period)


def _sqlite(path: str, period: str) -> dict[str, Any]:
    connection = sqlite(path)
    connection.execute("BEGIN IMMEDIATE")
    bounds = connection.execute(_PERIOD.format(mark="?"), (period,)).fetchone()
    (settlement_id,) = connection.execute(
        "SELECT coalesce(max(settlement_id), 0) + 1 FROM settlements"
    ).fetchone()
    known = dict(zip(_NAMES, bounds, strict=True)) | {"period": period, "settlement_id": settlement_id}
    connection.execute(_TEMPORARY)
    for statement in (_ATTAINED, _LINES, _RESULTS, _SETTLEMENT):
        connection.execute(statement.format(virtual=_VIRTUAL_SETS), known)
    rows = fen = 0
    cursor = connection.execute(_READ.format(settlement_id=settlement_id))
    while some := cursor.fetchmany(1000):
        rows += len(some)
        fen += sum(row[4] for row in some)
    connection.execute("COMMIT")
    connection.close()
    return {"rows": rows, "subsidy_fen": fen}


def _postgresql(conninfo: str, period: str) -> dict[str, Any]:
    connection = postgresql(conninfo)
    connection.execute("BEGIN")
    connection.execute("SELECT pg_advisory_xact_lock(1)")
    bounds = connection.execute(_PERIOD.format(mark="%s"), (period,)).fetchone()
    assert bounds is not None
    found = connection.execute("SELECT coalesce(max(settlement_id), 0) + 1 FROM settlements").fetchone()
    assert found is not None
    known = dict(zip(_NAMES, bounds, strict=True)) | {"period": f"'{period}'", "settlement_id": found[0]}
    connection.execute(_TEMPORARY)
    for statement in (_ATTAINED, _LINES, _RESULTS, _SETTLEMENT):
        connection.execute(_filled(statement.format(virtual=_VIRTUAL_SETS), known))
        if statement is _ATTAINED:
            connection.execute("ANALYZE attained")
    rows = 0
    with connection.cursor().copy(
        f"COPY ({_READ.format(settlement_id=found[0])}) TO STDOUT".encode()
    ) as copy:
        for block in copy:
            rows += bytes(block).count(b"\n")
    total = connection.execute(
        f"SELECT sum(subsidy_fen) FROM results WHERE settlement_id = {found[0]}".encode()
    ).fetchone()
    connection.execute("COMMIT")
    connection.close()
    return {"rows": rows, "subsidy_fen": int(total[0]) if total else 0}


def _filled(statement: str, known: dict[str, Any]) -> bytes:
    for name, value in known.items():
        statement = statement.replace(f":{name}", str(value))
    return statement.encode()
