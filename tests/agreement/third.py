"""A third opinion on a month, in SQL for DuckDB: from the raw rows to who passed and what each order earns.

It shares nothing with the engine or the oracle but the contract; what they both misread, it may read otherwise.

    rows --aged--> every row with its rank of age --state--> orders --verdicts--> measured, lines
"""

import json
import tomllib
from collections.abc import Iterable, Mapping, Sequence
from decimal import Decimal
from pathlib import Path
from typing import Any

import duckdb

from tests.agreement.months import Case

ROWS = {
    "order_sn": "VARCHAR",
    "p_id": "VARCHAR",
    "pid": "VARCHAR",
    "order_status": "BIGINT",
    "order_amount": "VARCHAR",
    "promotion_amount": "VARCHAR",
    "type": "BIGINT",
    "cat_ids": "BIGINT[]",
    "is_direct": "BIGINT",
    "price_compare_status": "BIGINT",
    "order_pay_time": "BIGINT",
    "order_receive_time": "BIGINT",
    "order_verify_time": "BIGINT",
    "order_settle_time": "BIGINT",
    "order_modify_at": "BIGINT",
    "return_status": "BIGINT",
    "url_last_generate_time": "BIGINT",
    "sep_duo_id": "BIGINT",
    "sep_pid": "VARCHAR",
}
TABLES = {
    "promoters": ("promoter_id", "name", "level", "level_from", "registered_on"),
    "violations": ("promoter_id", "occurred_on", "reason", "cleared_on"),
    "links": ("p_id", "channel"),
    "targets": ("period", "promoter_id", "gmv_yuan", "orders"),
}
LEVELS = (
    "level VARCHAR, direct_only BOOLEAN, tenure BIGINT, gmv_fen HUGEINT, orders BIGINT, history BIGINT, "
    "factor_myriad HUGEINT, floor_fen HUGEINT, ceiling_fen HUGEINT, step_fen HUGEINT"
)

CALENDAR = """
CREATE MACRO midnight(day) AS date_diff('day', DATE '1970-01-01', day::DATE) * 86400 - 28800;
CREATE MACRO day_of(first, number) AS least(first + to_days(number - 1), last_day(first)::TIMESTAMP);
CREATE TABLE bounds AS
SELECT months_back,
       midnight(first) AS month_from,
       midnight(first + INTERVAL 1 MONTH) AS month_until,
       midnight(day_of(first, $first_day)) AS task_from,
       midnight(day_of(first, $last_day) + INTERVAL 1 DAY) AS task_until,
       midnight(day_of(first + INTERVAL 1 MONTH, $receipt_cutoff_day) + INTERVAL 1 DAY) AS cutoff
FROM (SELECT months_back, $month::TIMESTAMP - to_months(months_back) AS first FROM range(40) AS _(months_back));
"""

ORDERS = """
CREATE TABLE facts AS
SELECT *,
       '{"cat_ids":' || coalesce('[' || array_to_string(cats, ',') || ']', 'null')
       || ',"is_direct":' || coalesce(is_direct::VARCHAR, 'null')
       || ',"order_amount":' || amount
       || ',"order_pay_time":' || coalesce(paid::VARCHAR, 'null')
       || ',"order_receive_time":' || coalesce(received::VARCHAR, 'null')
       || ',"order_settle_time":' || coalesce(settled::VARCHAR, 'null')
       || ',"order_status":' || status
       || ',"order_verify_time":' || coalesce(verified::VARCHAR, 'null')
       || ',"p_id":"' || place || '"'
       || ',"price_compare_status":' || coalesce(price_compare_status::VARCHAR, 'null')
       || ',"promotion_amount":' || commission
       || ',"return_status":' || coalesce(returned::VARCHAR, 'null')
       || ',"type":' || coalesce(type::VARCHAR, 'null') || '}' AS canonical
FROM (
    SELECT order_sn, order_modify_at AS modified, order_status AS status, type, is_direct, price_compare_status,
           coalesce(pid, p_id) AS place, pid IS NOT NULL AS detail,
           order_amount::BIGINT AS amount, coalesce(promotion_amount::BIGINT, 0) AS commission,
           nullif(list_sort(list_filter(cat_ids, lambda x: x <> 0)), []) AS cats,
           nullif(order_pay_time, 0) AS paid, nullif(order_receive_time, 0) AS received,
           nullif(order_verify_time, 0) AS verified, nullif(order_settle_time, 0) AS settled,
           CASE WHEN pid IS NOT NULL THEN return_status END AS returned,
           coalesce(nullif(sep_pid, ''), nullif(sep_duo_id, 0)::VARCHAR, '') AS room,
           CASE WHEN pid IS NOT NULL THEN coalesce(url_last_generate_time, 0) ELSE 0 END AS link_time
    FROM told
);
CREATE TABLE aged AS
SELECT *,
       row_number() OVER newest_first AS age,
       row_number() OVER details_newest_first AS detail_age
FROM facts
WINDOW newest_first AS (
           PARTITION BY order_sn ORDER BY modified DESC, status DESC, canonical DESC, room DESC, link_time DESC
       ),
       details_newest_first AS (
           PARTITION BY order_sn, detail
           ORDER BY modified DESC, status DESC, canonical DESC, room DESC, link_time DESC
       );
-- The unbroken run that ends in the newest row: those younger than the youngest that does not fail.
CREATE TABLE runs AS
SELECT order_sn,
       coalesce(min(age) FILTER (WHERE status NOT IN (4, 10)), 9223372036854775807) AS audit_breaks_at,
       coalesce(min(detail_age) FILTER (WHERE detail AND returned IS DISTINCT FROM 2), 9223372036854775807)
           AS return_breaks_at
FROM aged GROUP BY order_sn;
CREATE TABLE failures AS
SELECT order_sn,
       min(modified) FILTER (WHERE age < audit_breaks_at) AS audit_failed_at,
       min(modified) FILTER (WHERE detail AND detail_age < return_breaks_at) AS return_failed_at
FROM aged JOIN runs USING (order_sn) GROUP BY order_sn;
CREATE TABLE orders AS
SELECT newest.*,
       split_part(place, '_', 1)::BIGINT AS promoter_id,
       least(
           CASE WHEN audit_failed_at IS NOT NULL AND status = 4 THEN coalesce(verified, audit_failed_at)
                ELSE audit_failed_at END,
           return_failed_at
       ) AS failed_at,
       coalesce(list_contains($virtual_types::BIGINT[], type), false)
       OR coalesce(list_has_any($virtual_category_ids::BIGINT[], cats), false) AS virtual,
       coalesce(is_direct = 1, false) AS direct,
       coalesce(price_compare_status = 1, false) AS price_compare,
       room <> '' AS live,
       $any_category OR coalesce(list_has_any($task_category_ids::BIGINT[], cats), false) AS in_category
FROM aged AS newest JOIN failures USING (order_sn) WHERE age = 1;
-- What counts for a task of any of the months, but for DIRECT, which asks for the level.
CREATE TABLE counting AS
SELECT promoter_id, months_back, direct, least(amount, $order_cap_fen) AS counted_fen
FROM orders JOIN bounds ON paid >= task_from AND paid < task_until
WHERE status NOT IN (-1, 8) AND NOT virtual AND ($count_price_compare OR NOT price_compare)
  AND ($count_live_room OR NOT live) AND in_category AND amount >= $min_order_fen
  AND (failed_at IS NULL OR failed_at >= cutoff) AND received < cutoff;
"""

ROSTER = """
CREATE TABLE judged AS
WITH kept AS (
    SELECT promoter_id::BIGINT AS promoter_id, name, level, level_from::DATE AS level_from,
           registered_on::DATE AS registered_on
    FROM promoters QUALIFY row_number() OVER (PARTITION BY promoter_id, level_from ORDER BY seq DESC) = 1
), newest AS (
    SELECT promoter_id, arg_max(name, level_from) AS name, arg_max(registered_on, level_from) AS registered_on,
           coalesce(arg_max(level, level_from) FILTER (WHERE level_from <= $month::DATE), '') AS level
    FROM kept GROUP BY promoter_id
), violators AS (
    SELECT DISTINCT promoter_id::BIGINT AS promoter_id FROM (
        SELECT * FROM violations QUALIFY row_number() OVER (PARTITION BY promoter_id, occurred_on ORDER BY seq DESC) = 1
    ) WHERE occurred_on::DATE < $month::DATE
        AND (cleared_on = '' OR nullif(cleared_on, '')::DATE >= $month::DATE)
), given AS (
    SELECT promoter_id::BIGINT AS promoter_id,
           (nullif(gmv_yuan, '')::DECIMAL(18, 2) * 100)::HUGEINT AS gmv_fen, nullif(orders, '')::BIGINT AS orders
    FROM targets WHERE period = $period QUALIFY row_number() OVER (PARTITION BY promoter_id ORDER BY seq DESC) = 1
), history AS (
    SELECT newest.promoter_id, coalesce(sum(counted_fen), 0)::HUGEINT AS fen
    FROM newest JOIN levels USING (level)
    LEFT JOIN counting ON counting.promoter_id = newest.promoter_id
        AND months_back BETWEEN 2 AND 1 + history AND (direct OR NOT direct_only)
    GROUP BY newest.promoter_id
), targeted AS (
    SELECT newest.*, levels.level IS NOT NULL AS offered, coalesce(direct_only, true) AS direct_only, tenure,
           violators.promoter_id IS NOT NULL AS violator,
           nullif(CASE WHEN given.promoter_id IS NOT NULL THEN given.gmv_fen
                WHEN history IS NULL THEN levels.gmv_fen
                ELSE least(ceiling_fen, greatest(floor_fen, step_fen * (
                    (fen * factor_myriad + history * 10000 * step_fen - 1) // (history * 10000 * step_fen)
                ))) END, 0) AS gmv_target,
           nullif(CASE WHEN given.promoter_id IS NOT NULL THEN given.orders ELSE levels.orders END, 0) AS orders_target
    FROM newest LEFT JOIN levels USING (level) LEFT JOIN given USING (promoter_id)
    LEFT JOIN history AS own USING (promoter_id) LEFT JOIN violators USING (promoter_id)
    WHERE registered_on < $month::DATE
)
SELECT *,
       CASE WHEN NOT offered THEN 'LEVEL_NOT_OFFERED'
            WHEN registered_on + to_months(coalesce(tenure, 0)) > $month::TIMESTAMP THEN 'TENURE_TOO_SHORT'
            WHEN violator THEN 'VIOLATION'
            WHEN gmv_target IS NULL AND orders_target IS NULL THEN 'NO_TARGET' END AS reason
FROM targeted;
"""

SETTLED = """
CREATE TABLE rated AS
WITH measured AS (
    SELECT judged.promoter_id, coalesce(sum(counted_fen), 0)::HUGEINT AS gmv, count(counted_fen) AS orders
    FROM judged LEFT JOIN counting ON counting.promoter_id = judged.promoter_id
        AND months_back = 0 AND (direct OR NOT direct_only)
    GROUP BY judged.promoter_id
)
SELECT judged.*, gmv, orders,
       reason IS NULL AND coalesce(gmv >= gmv_target, true) AND coalesce(orders >= orders_target, true) AS passed,
       (SELECT arg_max(rate, at_myriad) FROM tiers
        WHERE reason IS NULL
          AND coalesce(gmv * 10000 >= at_myriad * gmv_target, true)
          AND coalesce(orders::HUGEINT * 10000 >= at_myriad * orders_target, true)) AS rate
FROM judged JOIN measured USING (promoter_id);
CREATE TABLE lines AS
WITH earning AS (
    SELECT promoter_id, order_sn, paid, rate,
           CASE WHEN $basis = 'commission' THEN commission ELSE amount END AS basis_fen,
           basis_fen * rate // 1000 AS whole, basis_fen * rate % 1000 AS rest,
           least(whole + CASE WHEN rest > 500 OR (rest = 500 AND whole % 2 = 1) THEN 1 ELSE 0 END, $line_cap_fen) AS fen
    FROM orders JOIN rated USING (promoter_id) JOIN bounds ON months_back = 0
    LEFT JOIN (SELECT DISTINCT ON (p_id) p_id, channel FROM links ORDER BY p_id, seq DESC) AS link ON link.p_id = place
    WHERE rate IS NOT NULL AND paid >= month_from AND paid < month_until AND status NOT IN (-1, 8) AND NOT virtual
      AND ($include_price_compare OR NOT price_compare) AND ($include_live_room OR NOT live) AND failed_at IS NULL
      AND CASE $links WHEN 'any' THEN true WHEN 'app' THEN coalesce(channel = 'app', false)
               ELSE coalesce(channel <> 'other', true) END
)
SELECT promoter_id, order_sn, paid, basis_fen, rate, least(fen, $total_cap_fen - before) AS fen FROM (
    SELECT *, coalesce(sum(fen) OVER (
        PARTITION BY promoter_id ORDER BY paid, order_sn ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING
    ), 0)::HUGEINT AS before FROM earning
) WHERE fen > 0 AND before < $total_cap_fen;
"""

RESULTS = """
SELECT promoter_id, name, level, reason, gmv::BIGINT, orders, gmv_target::BIGINT, orders_target, passed, rate,
       count(order_sn), coalesce(sum(fen), 0)::BIGINT
FROM rated LEFT JOIN (SELECT promoter_id, order_sn, fen FROM lines) AS own USING (promoter_id)
GROUP BY ALL ORDER BY promoter_id
"""
LINES = """
SELECT promoter_id, order_sn, paid, basis_fen, rate, fen::BIGINT FROM lines ORDER BY promoter_id, paid, order_sn
"""
NO_CAP_FEN = 2**62


def opinion(case: Case, folder: Path) -> tuple[Sequence[tuple[Any, ...]], Sequence[tuple[Any, ...]]]:
    """Results and lines of a case, as ``verdict.in_figures`` has the oracle's.

    folder  for a file or two on the way
    """
    terms = tomllib.loads(case.terms_toml)
    with duckdb.connect() as connection:
        connection.execute("SET threads = 1; SET enable_progress_bar = false")
        _load(connection, folder, "told", case.rows, ROWS)
        for name, columns in TABLES.items():
            _load(connection, folder, name, getattr(case, name), dict.fromkeys(columns, "VARCHAR"))
        _load_terms(connection, terms)
        values = _values(case, terms)
        for script in (CALENDAR, ORDERS, ROSTER, SETTLED):
            for statement in duckdb.extract_statements(script):
                asked = {name: values[name] for name in statement.named_parameters}
                connection.execute(statement, asked)
        return connection.execute(RESULTS).fetchall(), connection.execute(LINES).fetchall()


def _load(
    connection: duckdb.DuckDBPyConnection,
    folder: Path,
    name: str,
    rows: Iterable[Mapping[str, Any]],
    columns: Mapping[str, str],
) -> None:
    """A table of rows, with the place of each as `seq`."""
    path = folder / f"third-{name}.jsonl"
    with path.open("w", encoding="utf-8") as file:
        for seq, row in enumerate(rows):
            print(json.dumps({"seq": seq, **row}), file=file)
    typed = ", ".join(f"{column}: '{kind}'" for column, kind in {"seq": "BIGINT", **columns}.items())
    source = f"read_json('{path}', format = 'newline_delimited', columns = {{{typed}}})"
    connection.execute(f"CREATE TABLE {name} AS SELECT * FROM {source}")
    path.unlink()


def _load_terms(connection: duckdb.DuckDBPyConnection, terms: dict[str, Any]) -> None:
    connection.execute(f"CREATE TABLE levels ({LEVELS})")
    for name, level in terms["levels"].items():
        gmv = level.get("gmv_yuan")
        formula: list[int | None] = [None] * 5
        if isinstance(gmv, dict):
            formula = [
                gmv["history_periods"],
                _times(gmv["factor"], 10_000),
                *(_times(gmv.get(key), 100) for key in ("floor", "ceiling", "step")),
            ]
        fixed = None if isinstance(gmv, dict) else _times(gmv, 100)
        row = [
            name,
            level["direct_only"],
            level.get("min_tenure_months"),
            fixed,
            level.get("orders"),
            *formula,
        ]
        connection.execute("INSERT INTO levels VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)", row)
    connection.execute("CREATE TABLE tiers (at_myriad HUGEINT, rate BIGINT)")
    for tier in terms["subsidy"]["tiers"]:
        connection.execute(
            "INSERT INTO tiers VALUES (?, ?)", [_times(tier["at"], 10_000), tier["rate_permille"]]
        )


def _values(case: Case, terms: dict[str, Any]) -> dict[str, Any]:
    """What the statements ask for, by name."""
    task, virtual, subsidy = terms["task"], terms["virtual"], terms["subsidy"]

    def cap_fen(table: dict[str, Any], key: str) -> int:
        return NO_CAP_FEN if table.get(key) is None else _times(table[key], 100) or 0

    return {
        "period": case.period,
        "month": f"{case.period}-01",
        "first_day": task["first_day"],
        "last_day": 31 if task["last_day"] == "end" else task["last_day"],
        "receipt_cutoff_day": task["receipt_cutoff_day"],
        "order_cap_fen": cap_fen(task, "order_cap_yuan"),
        "count_price_compare": task["count_price_compare"],
        "count_live_room": task.get("count_live_room", False),
        "any_category": "category_ids" not in task,
        "task_category_ids": task.get("category_ids", []),
        "min_order_fen": _times(task.get("min_order_yuan", "0.00"), 100),
        "virtual_types": virtual["types"],
        "virtual_category_ids": virtual["category_ids"],
        "basis": subsidy["basis"],
        "include_price_compare": subsidy["include_price_compare"],
        "include_live_room": subsidy.get("include_live_room", False),
        "links": subsidy["links"],
        "line_cap_fen": cap_fen(subsidy, "order_cap_yuan"),
        "total_cap_fen": cap_fen(subsidy, "promoter_cap_yuan"),
    }


def _times(number: str | None, by: int) -> int | None:
    """A decimal text times a power of ten, which makes it whole."""
    return None if number is None else int(Decimal(number) * by)
