"""Checks a settlement independently: with the tests' oracle, or with DuckDB over the same input files."""

import csv
import json
from datetime import datetime
from pathlib import Path
from typing import Any

from bench.data import PERIOD, Data

_WORDS = {
    "未支付": -1, "已成团": 1, "确认收货": 2, "审核通过": 3, "审核失败": 4, "已结算": 5, "已处罚": 10, "8": 8,
}  # fmt: skip


def check(data: Data, export: Path) -> str:
    """Describe the comparison in words. Raises AssertionError if the export differs from the recomputed result."""
    if data.plan.orders <= 100_000:
        return _by_oracle(data, export)
    return _by_duckdb(data.folder, export)


def _by_oracle(data: Data, export: Path) -> str:
    from tests import oracle  # noqa: PLC0415 - not needed for the larger sizes

    def rows_of(name: str) -> list[dict[str, str]]:
        with (data.folder / f"{name}.csv").open(encoding="utf-8-sig", newline="") as file:
            return list(csv.DictReader(file))

    rows: list[dict[str, Any]] = [_api_row(row) for row in rows_of("orders")]
    for path in data.pages:
        rows += json.loads(path.read_bytes())["order_list_get_response"]["order_list"]
    rows += [
        body["order_detail_response"] for body in json.loads((data.folder / "details.json").read_bytes())
    ]
    terms = oracle.read_terms((data.folder / "terms.toml").read_text(encoding="utf-8"))
    orders = oracle.fold(rows)
    promoters, violations, targets = (rows_of(name) for name in ("promoters", "violations", "targets"))
    entries = oracle.roster(PERIOD, terms, promoters, violations, targets, orders)
    settled = oracle.settle(PERIOD, terms, entries, orders, rows_of("links"))
    assert (export / "results.csv").read_bytes() == oracle.results_csv(settled), (
        "results.csv: not the oracle's"
    )
    assert (export / "subsidy_lines.csv").read_bytes() == oracle.lines_csv(settled), (
        "subsidy_lines.csv: not the oracle's"
    )
    return f"both files equal the oracle's to the byte ({len(settled.lines)} lines)"


def _api_row(row: dict[str, str]) -> dict[str, Any]:
    """A row of the CSV with the API's field names."""

    def fen(yuan: str) -> int:
        whole, _, part = yuan.partition(".")
        return int(whole) * 100 + int(part)

    def instant(text: str) -> int | None:
        return int(datetime.fromisoformat(f"{text}+08:00").timestamp()) if text else None

    return {
        "order_sn": row["订单编号"],
        "p_id": row["推广位ID"],
        "order_amount": fen(row["实付金额(元)"]),
        "promotion_amount": fen(row["佣金(元)"]),
        "order_status": _WORDS[row["订单状态"]],
        "is_direct": int(row["是否直推"] == "是"),
        "price_compare_status": int(row["比价状态"] == "比价"),
        "type": int(row["订单类型"]),
        "cat_ids": [int(one) for one in row["类目ID"].split(";") if one],
        "order_pay_time": instant(row["支付时间"]),
        "order_receive_time": instant(row["确认收货时间"]),
        "order_verify_time": instant(row["审核时间"]),
        "order_settle_time": instant(row["结算时间"]),
        "order_modify_at": instant(row["更新时间"]),
    }


# The contract once more, in another engine's SQL and over the files as they came. Every row has its own update time
# within its order (bench.data), so that the fold needs no ties.
_ROWS = """
CREATE TABLE rows AS
SELECT "订单编号" AS sn, "推广位ID" AS p_id, CAST(round(CAST("实付金额(元)" AS DECIMAL(18, 2)) * 100) AS BIGINT) AS fen,
       CASE "订单状态" WHEN '未支付' THEN -1 WHEN '已成团' THEN 1 WHEN '确认收货' THEN 2 WHEN '审核通过' THEN 3
            WHEN '审核失败' THEN 4
            WHEN '已结算' THEN 5 WHEN '已处罚' THEN 10 ELSE CAST("订单状态" AS INT) END AS status,
       "是否直推" = '是' AS direct, "比价状态" = '比价' AS compared, CAST("订单类型" AS INT) AS kind,
       CAST(string_split("类目ID", ';') AS BIGINT[]) AS cats,
       {paid} AS paid, {received} AS received, {verified} AS verified, {modified} AS modified,
       false AS detail, CAST(NULL AS INT) AS returned
FROM read_csv('{folder}/orders.csv', header = true, all_varchar = true)
UNION ALL
SELECT o.order_sn, o.p_id, o.order_amount, o.order_status, o.is_direct = 1, o.price_compare_status = 1, o.type,
       o.cat_ids, o.order_pay_time, o.order_receive_time, o.order_verify_time, o.order_modify_at, false, NULL
FROM (SELECT unnest(order_list_get_response.order_list) AS o FROM read_json('{folder}/pages/*.json', columns = {{
    order_list_get_response: 'STRUCT(order_list STRUCT(order_sn VARCHAR, p_id VARCHAR, order_amount BIGINT,
        order_status INT, is_direct INT, price_compare_status INT, "type" INT, cat_ids BIGINT[], order_pay_time BIGINT,
        order_receive_time BIGINT, order_verify_time BIGINT, order_modify_at BIGINT)[])'}}))
UNION ALL
SELECT o.order_sn, o.pid, o.order_amount, o.order_status, o.is_direct = 1, o.price_compare_status = 1, o.type,
       o.cat_ids, o.order_pay_time, o.order_receive_time, o.order_verify_time, o.order_modify_at, true, o.return_status
FROM (SELECT order_detail_response AS o FROM read_json('{folder}/details.json', columns = {{
    order_detail_response: 'STRUCT(order_sn VARCHAR, pid VARCHAR, order_amount BIGINT, order_status INT, is_direct INT,
        price_compare_status INT, "type" INT, cat_ids BIGINT[], order_pay_time BIGINT, order_receive_time BIGINT,
        order_verify_time BIGINT, order_modify_at BIGINT, return_status INT)'}}))
"""
_ORDERS = """
CREATE TABLE orders AS
WITH distinct_rows AS (SELECT DISTINCT ON (sn, modified, detail) * FROM rows),
sound AS (SELECT sn, max(modified) AS at FROM distinct_rows WHERE status NOT IN (4, 10) GROUP BY sn),
failing AS (SELECT r.sn, min(r.modified) AS since FROM distinct_rows r LEFT JOIN sound s USING (sn)
            WHERE r.status IN (4, 10) AND (s.at IS NULL OR r.modified > s.at) GROUP BY r.sn),
returns AS (SELECT sn, arg_max(returned, modified) AS returned, max(modified) AS at FROM distinct_rows
              WHERE detail GROUP BY sn),
newest AS (SELECT sn, arg_max(struct_pack(p_id, fen, status, direct, compared, kind, cats, paid, received, verified),
                              modified) AS row
           FROM distinct_rows GROUP BY sn)
SELECT n.sn, unnest(n.row), CAST(string_split(n.row.p_id, '_')[1] AS BIGINT) AS promoter,
       n.row.kind = 94 OR len(list_intersect(n.row.cats, [8724, 8729, 8730, 8732, 8733, 8736])) > 0 AS virtual,
       least(CASE WHEN n.row.status = 4 AND n.row.verified IS NOT NULL THEN n.row.verified ELSE f.since END,
             CASE WHEN d.returned = 2 THEN d.at END) AS failed
FROM newest n LEFT JOIN failing f USING (sn) LEFT JOIN returns d USING (sn)
"""
_JUDGED = """
CREATE TABLE judged AS
WITH roster AS (
    SELECT CAST(p.promoter_id AS BIGINT) AS promoter, p.level,
           p.level IN ('V0', 'V1') AND NOT (p.level = 'V1' AND p.registered_on > '2022-10-01')
           AND NOT EXISTS (SELECT 1 FROM read_csv('{folder}/violations.csv', all_varchar = true) v
                           WHERE v.promoter_id = p.promoter_id AND v.occurred_on < '2022-12-01'
                             AND (v.cleared_on IS NULL OR v.cleared_on = ''
                                  OR v.cleared_on >= '2022-12-01')) AS eligible,
           t.promoter_id IS NOT NULL AS given,
           CAST(round(CAST(nullif(t.gmv_yuan, '') AS DECIMAL(18, 2)) * 100) AS BIGINT) AS given_gmv,
           CAST(nullif(t.orders, '') AS BIGINT) AS given_orders
    FROM read_csv('{folder}/promoters.csv', header = true, all_varchar = true) p
    LEFT JOIN read_csv('{folder}/targets.csv', header = true, all_varchar = true) t
      ON t.promoter_id = p.promoter_id AND t.period = '2022-12'
    WHERE p.registered_on < '2022-12-01'
),
months AS (
    SELECT * FROM (VALUES
        ('2022-08', 1659283200, 1661011200, 1662825600), ('2022-09', 1661961600, 1663689600, 1665417600),
        ('2022-10', 1664553600, 1666281600, 1668096000), ('2022-12', 1669824000, 1671552000, 1673366400))
        AS m (month, task_from, task_until, cutoff)
),
measured AS (
    SELECT r.promoter, m.month, sum(least(o.fen, 20000)) AS gmv, count(*) AS orders
    FROM orders o JOIN roster r USING (promoter) JOIN months m ON o.paid >= m.task_from AND o.paid < m.task_until
    WHERE o.status NOT IN (-1, 8) AND (r.level = 'V1' OR o.direct) AND NOT o.virtual
      AND (o.failed IS NULL OR o.failed >= m.cutoff) AND o.received < m.cutoff
    GROUP BY ALL
),
targets AS (
    SELECT r.*, CASE WHEN r.given THEN nullif(r.given_gmv, 0) WHEN r.level = 'V0' THEN 200000
        ELSE least(greatest(((coalesce(h.gmv, 0) * 11 + 299999) // 300000) * 10000, 100000), 50000000)
        END AS target_gmv,
        CASE WHEN r.given THEN nullif(r.given_orders, 0) WHEN r.level = 'V0' THEN 20 END AS target_orders
    FROM roster r
    LEFT JOIN (SELECT promoter, CAST(sum(gmv) AS BIGINT) AS gmv FROM measured
               WHERE month < '2022-12' GROUP BY promoter) h
           USING (promoter)
)
SELECT t.promoter, t.eligible, coalesce(m.gmv, 0) AS gmv, coalesce(m.orders, 0) AS orders,
       CASE WHEN NOT t.eligible THEN NULL
            WHEN coalesce(gmv * 2 >= target_gmv * 3, target_gmv IS NULL)
             AND coalesce(orders * 2 >= target_orders * 3, target_orders IS NULL) THEN 30
            WHEN coalesce(gmv >= target_gmv, target_gmv IS NULL)
             AND coalesce(orders >= target_orders, target_orders IS NULL) THEN 20 END AS rate
FROM targets t LEFT JOIN measured m ON m.promoter = t.promoter AND m.month = '2022-12'
"""
_SUBSIDIES = """
CREATE TABLE expected AS
WITH shares AS (
    SELECT o.promoter, o.sn, o.paid,
           CAST(least(round_even(CAST(o.fen * j.rate AS DECIMAL(18, 0)) / 1000, 0), 2000) AS BIGINT) AS fen
    FROM orders o JOIN judged j USING (promoter)
    WHERE j.rate IS NOT NULL AND o.paid >= 1669824000 AND o.paid < 1672502400 AND o.status NOT IN (-1, 8)
      AND NOT o.virtual AND NOT o.compared AND o.failed IS NULL
      AND NOT EXISTS (SELECT 1 FROM read_csv('{folder}/links.csv', header = true, all_varchar = true) l
                      WHERE l.p_id = o.p_id AND l.channel = 'other')
),
running AS (SELECT *, sum(fen) OVER (PARTITION BY promoter ORDER BY paid, sn) AS upto FROM shares),
given AS (SELECT promoter, least(fen, 500000 - (upto - fen)) AS fen FROM running WHERE upto - fen < 500000 AND fen > 0)
SELECT j.promoter, j.eligible, j.gmv, j.orders, j.rate, coalesce(g.n, 0) AS lines, coalesce(g.fen, 0) AS subsidy
FROM judged j
LEFT JOIN (SELECT promoter, count(*) AS n, sum(fen) AS fen FROM given GROUP BY promoter) g USING (promoter)
"""
_FOUND = """
CREATE TABLE found AS
SELECT CAST(promoter_id AS BIGINT) AS promoter, eligible = 'yes' AS eligible,
       CAST(coalesce(CAST(nullif(gmv_yuan, '') AS DECIMAL(18, 2)), 0) * 100 AS BIGINT) AS gmv,
       coalesce(CAST(nullif(orders, '') AS BIGINT), 0) AS orders, CAST(nullif(rate_permille, '') AS INT) AS rate,
       coalesce(CAST(nullif(subsidy_orders, '') AS BIGINT), 0) AS lines,
       CAST(coalesce(CAST(nullif(subsidy_yuan, '') AS DECIMAL(18, 2)), 0) * 100 AS BIGINT) AS subsidy
FROM read_csv('{export}/results.csv', header = true, all_varchar = true)
"""
_DIFFERENT = """
SELECT e.promoter, e, f FROM expected e FULL JOIN found f USING (promoter)
WHERE e.promoter IS NULL OR f.promoter IS NULL OR e.eligible <> f.eligible OR e.rate IS DISTINCT FROM f.rate
   OR (e.eligible AND (e.gmv <> f.gmv OR e.orders <> f.orders OR e.lines <> f.lines OR e.subsidy <> f.subsidy))
ORDER BY 1 LIMIT 5
"""


def _by_duckdb(folder: Path, export: Path) -> str:
    import duckdb  # noqa: PLC0415 - not needed for the smaller sizes

    def instant(column: str) -> str:
        return f"CAST(epoch(strptime(nullif(\"{column}\", ''), '%Y-%m-%d %H:%M:%S')) AS BIGINT) - 28800"

    connection = duckdb.connect()
    connection.execute("SET memory_limit = '6GB'; SET preserve_insertion_order = false")
    instants = {
        "paid": instant("支付时间"),
        "received": instant("确认收货时间"),
        "verified": instant("审核时间"),
        "modified": instant("更新时间"),
    }
    for statement in (_ROWS, _ORDERS, _JUDGED, _SUBSIDIES, _FOUND):
        connection.execute(statement.format(folder=folder, export=export, **instants))
    different = connection.execute(_DIFFERENT).fetchall()
    assert not different, f"results.csv: not DuckDB's, such as {different}"
    lines, fen = connection.execute("SELECT sum(lines), sum(subsidy) FROM expected").fetchone() or (0, 0)
    written = connection.execute(
        f"SELECT count(*), CAST(sum(CAST(subsidy_yuan AS DECIMAL(18, 2))) * 100 AS BIGINT) "
        f"FROM read_csv('{export}/subsidy_lines.csv', header = true, all_varchar = true)"
    ).fetchone()
    connection.close()
    assert written == (lines, fen), f"subsidy_lines.csv: {written}, and DuckDB says {(lines, fen)}"
    return f"gmv, orders, rate, lines and subsidy of every promoter equal DuckDB's ({lines} lines, {fen} fen)"
