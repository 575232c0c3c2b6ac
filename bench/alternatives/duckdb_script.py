"""The month with DuckDB: ``python duckdb_script.py FOLDER OUT``.

Reads the folder's CSV files, keeps the newest row of each order and since when it fails, measures, settles, and writes
OUT/results.csv and OUT/subsidy_lines.csv. The terms are those of the bench's data, written in as numbers.
"""

import csv
import sys
from pathlib import Path

import duckdb

ORDERS = """
CREATE TABLE orders AS
WITH raw AS (
    SELECT DISTINCT "订单编号" AS sn, "推广位ID" AS p_id,
           CAST(CAST("实付金额(元)" AS DECIMAL(18, 2)) * 100 AS BIGINT) AS fen,
           CASE "订单状态" WHEN '未支付' THEN -1 WHEN '已成团' THEN 1 WHEN '确认收货' THEN 2 WHEN '审核通过' THEN 3
                WHEN '审核失败' THEN 4 WHEN '已结算' THEN 5 WHEN '已处罚' THEN 10
                ELSE CAST("订单状态" AS INT) END AS status,
           "是否直推" = '是' AS direct, "比价状态" = '比价' AS compared,
           "订单类型" = '94' OR list_has_any(string_split("类目ID", ';'),
                                             ['8724', '8729', '8730', '8732', '8733', '8736']) AS virtual,
           CAST(nullif("支付时间", '') AS TIMESTAMP) AS paid, CAST(nullif("确认收货时间", '') AS TIMESTAMP) AS received,
           CAST(nullif("审核时间", '') AS TIMESTAMP) AS verified, CAST("更新时间" AS TIMESTAMP) AS modified
    FROM read_csv('{folder}/orders.csv', header = true, all_varchar = true)
),
newest AS (
    SELECT DISTINCT ON (sn) * FROM raw ORDER BY sn, modified DESC, status DESC
),
sound AS (SELECT sn, max(modified) AS until FROM raw WHERE status NOT IN (4, 10) GROUP BY sn),
failing AS (SELECT r.sn, min(r.modified) AS since FROM raw r LEFT JOIN sound s USING (sn)
            WHERE r.status IN (4, 10) AND (s.until IS NULL OR r.modified > s.until) GROUP BY r.sn)
SELECT n.*, CAST(string_split(p_id, '_')[1] AS BIGINT) AS promoter,
       CASE WHEN n.status = 4 AND n.verified IS NOT NULL THEN n.verified ELSE f.since END AS failed_at
FROM newest n LEFT JOIN failing f USING (sn)
"""
ROSTER = """
CREATE TABLE roster AS
WITH levels AS (
    SELECT CAST(promoter_id AS BIGINT) AS promoter, promoter_id, name, level, CAST(registered_on AS DATE) AS registered
    FROM read_csv('{folder}/promoters.csv', header = true, all_varchar = true)
    WHERE registered_on < '2022-12-01' AND level_from <= '2022-12-01'
    QUALIFY row_number() OVER (PARTITION BY promoter_id ORDER BY level_from DESC) = 1
)
SELECT *,
       CASE WHEN level NOT IN ('V0', 'V1') THEN 'LEVEL_NOT_OFFERED'
            WHEN level = 'V1' AND registered > '2022-10-01' THEN 'TENURE_TOO_SHORT'
            WHEN promoter_id IN (SELECT promoter_id FROM read_csv('{folder}/violations.csv', all_varchar = true)
                                 WHERE occurred_on < '2022-12-01'
                                   AND coalesce(nullif(cleared_on, ''), '9999') >= '2022-12-01')
            THEN 'VIOLATION' END AS reason
FROM levels
"""
MEASURED = """
CREATE TABLE measured AS
SELECT r.promoter, m.month, CAST(sum(least(o.fen, 20000)) AS BIGINT) AS gmv, count(*) AS orders
FROM orders o
JOIN roster r USING (promoter)
JOIN (VALUES ('2022-08', TIMESTAMP '2022-08-01', TIMESTAMP '2022-08-21', TIMESTAMP '2022-09-11'),
             ('2022-09', TIMESTAMP '2022-09-01', TIMESTAMP '2022-09-21', TIMESTAMP '2022-10-11'),
             ('2022-10', TIMESTAMP '2022-10-01', TIMESTAMP '2022-10-21', TIMESTAMP '2022-11-11'),
             ('2022-12', TIMESTAMP '2022-12-01', TIMESTAMP '2022-12-21', TIMESTAMP '2023-01-11'))
     AS m (month, task_from, task_until, cutoff) ON o.paid >= m.task_from AND o.paid < m.task_until
WHERE o.status NOT IN (-1, 8) AND (r.level = 'V1' OR o.direct) AND NOT o.virtual
  AND (o.failed_at IS NULL OR o.failed_at >= m.cutoff) AND o.received < m.cutoff
GROUP BY ALL
"""
RESULTS = """
CREATE TABLE judged AS
WITH history AS (
    SELECT promoter, CAST(sum(gmv) AS BIGINT) AS gmv FROM measured WHERE month < '2022-12' GROUP BY promoter
),
given AS (
    SELECT promoter_id, CAST(CAST(nullif(gmv_yuan, '') AS DECIMAL(18, 2)) * 100 AS BIGINT) AS gmv,
           CAST(nullif(orders, '') AS BIGINT) AS orders
    FROM read_csv('{folder}/targets.csv', header = true, all_varchar = true) WHERE period = '2022-12'
),
targets AS (
    SELECT r.promoter, r.name, r.level, r.reason,
           nullif(CASE WHEN g.promoter_id IS NOT NULL THEN g.gmv WHEN r.level = 'V0' THEN 200000
                       ELSE least(greatest((coalesce(h.gmv, 0) * 11 + 299999) // 300000 * 10000, 100000), 50000000)
                  END, 0) AS target_gmv,
           nullif(CASE WHEN g.promoter_id IS NOT NULL THEN g.orders WHEN r.level = 'V0' THEN 20 END, 0) AS target_orders
    FROM roster r LEFT JOIN history h USING (promoter) LEFT JOIN given g ON g.promoter_id = r.promoter_id
),
eligible AS (
    SELECT promoter, name, level, target_gmv, target_orders,
           coalesce(reason, CASE WHEN target_gmv IS NULL AND target_orders IS NULL THEN 'NO_TARGET' END) AS reason
    FROM targets
)
SELECT e.*, coalesce(m.gmv, 0) AS gmv, coalesce(m.orders, 0) AS orders,
       CASE WHEN e.reason IS NOT NULL THEN NULL
            WHEN coalesce(m.gmv, 0) * 2 >= coalesce(target_gmv, 0) * 3
             AND coalesce(m.orders, 0) * 2 >= coalesce(target_orders, 0) * 3 THEN 30
            WHEN coalesce(m.gmv, 0) >= coalesce(target_gmv, 0)
             AND coalesce(m.orders, 0) >= coalesce(target_orders, 0) THEN 20 END AS rate
FROM eligible e LEFT JOIN measured m ON m.promoter = e.promoter AND m.month = '2022-12'
"""
LINES = """
CREATE TABLE lines AS
WITH shares AS (
    SELECT o.promoter, o.sn, o.paid, o.fen AS basis, j.rate,
           CAST(least(round_even(CAST(o.fen * j.rate AS DECIMAL(18, 0)) / 1000, 0), 2000) AS BIGINT) AS share
    FROM orders o
    JOIN judged j USING (promoter)
    LEFT JOIN read_csv('{folder}/links.csv', header = true, all_varchar = true) l ON l.p_id = o.p_id
    WHERE j.rate IS NOT NULL AND o.paid >= TIMESTAMP '2022-12-01' AND o.paid < TIMESTAMP '2023-01-01'
      AND o.status NOT IN (-1, 8) AND NOT o.virtual AND NOT o.compared AND o.failed_at IS NULL
      AND l.channel IS DISTINCT FROM 'other'
),
running AS (SELECT *, sum(share) OVER (PARTITION BY promoter ORDER BY paid, sn) - share AS before FROM shares)
SELECT promoter, sn, paid, basis, rate, CAST(least(share, 500000 - before) AS BIGINT) AS subsidy
FROM running WHERE before < 500000 AND share > 0
"""
LINE_TEXTS = """
SELECT '2022-12', promoter, sn, strftime(paid, '%Y-%m-%dT%H:%M:%S+08:00'), CAST(basis / 100.0 AS DECIMAL(18, 2)), rate,
       CAST(subsidy / 100.0 AS DECIMAL(18, 2))
FROM lines ORDER BY promoter, paid, sn
"""
RESULT_TEXTS = """
SELECT '2022-12', j.promoter, name, level, if(reason IS NULL, 'yes', 'no'), reason,
       if(reason IS NULL, CAST(gmv / 100.0 AS DECIMAL(18, 2)), NULL), if(reason IS NULL, orders, NULL),
       if(reason IS NULL, CAST(target_gmv / 100.0 AS DECIMAL(18, 2)), NULL), if(reason IS NULL, target_orders, NULL),
       if(rate IS NULL, 'no', 'yes'), rate, if(reason IS NULL, coalesce(l.n, 0), NULL),
       if(reason IS NULL, CAST(coalesce(l.fen, 0) / 100.0 AS DECIMAL(18, 2)), NULL)
FROM judged j
LEFT JOIN (SELECT promoter, count(*) AS n, CAST(sum(subsidy) AS BIGINT) AS fen FROM lines GROUP BY promoter) l
       USING (promoter)
ORDER BY j.promoter
"""
LINE_COLUMNS = "period,promoter_id,order_sn,paid_at,basis_yuan,rate_permille,subsidy_yuan"
RESULT_COLUMNS = (
    "period,promoter_id,name,level,eligible,reason,gmv_yuan,orders,target_gmv_yuan,target_orders,"
    "passed,rate_permille,subsidy_orders,subsidy_yuan"
)


def main(folder: Path, out: Path) -> None:
    """The whole month."""
    connection = duckdb.connect()
    for statement in (ORDERS, ROSTER, MEASURED, RESULTS, LINES):
        connection.execute(statement.format(folder=folder))
    out.mkdir(parents=True, exist_ok=True)
    _write(connection, LINE_TEXTS, LINE_COLUMNS, out / "subsidy_lines.csv")
    _write(connection, RESULT_TEXTS, RESULT_COLUMNS, out / "results.csv")
    connection.close()


def _write(connection: duckdb.DuckDBPyConnection, query: str, columns: str, path: Path) -> None:
    rows = connection.execute(query)
    with path.open("w", encoding="utf-8-sig", newline="") as file:
        writer = csv.writer(file, lineterminator="\r\n")
        writer.writerow(columns.split(","))
        while some := rows.fetchmany(10_000):
            writer.writerows(some)


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
