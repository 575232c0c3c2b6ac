"""The month with pandas: ``python pandas_script.py FOLDER OUT``.

Reads the folder's CSV files whole, keeps the newest row of each order and since when it fails, measures, settles, and
writes OUT/results.csv and OUT/subsidy_lines.csv. The terms are those of the bench's data, written in as numbers.
"""

import sys
from pathlib import Path

import pandas as pd

MONTH, FIRST, NEXT = "2022-12", pd.Timestamp("2022-12-01"), pd.Timestamp("2023-01-01")
LAST_TENURE = pd.Timestamp("2022-10-01")
"""A V1 registered later is not two months old at the month's begin."""
WINDOWS = {
    "2022-08": ("2022-08-01", "2022-08-21", "2022-09-11"),
    "2022-09": ("2022-09-01", "2022-09-21", "2022-10-11"),
    "2022-10": ("2022-10-01", "2022-10-21", "2022-11-11"),
    MONTH: ("2022-12-01", "2022-12-21", "2023-01-11"),
}
"""Month -> first day and end of the task window, receipt cutoff."""
STATUS = {
    "未支付": -1, "已成团": 1, "确认收货": 2, "审核通过": 3, "审核失败": 4, "已结算": 5, "8": 8, "已处罚": 10,
}  # fmt: skip
TIMES = {"支付时间": "paid", "确认收货时间": "received", "审核时间": "verified", "更新时间": "modified"}
TEXTS = ("订单编号", "推广位ID", "实付金额(元)", "订单状态", "是否直推", "比价状态", "订单类型", "类目ID")
VIRTUAL = r"(?:^|;)(?:8724|8729|8730|8732|8733|8736)(?:;|$)"


def read_orders(path: Path) -> pd.DataFrame:
    """One row an order: its newest, with ``failed_at``, NaT where it has not failed."""
    raw = pd.read_csv(path, usecols=[*TEXTS, *TIMES], dtype=str, keep_default_na=False, encoding="utf-8-sig")
    rows = pd.DataFrame(
        {
            "sn": raw["订单编号"],
            "p_id": raw["推广位ID"],
            "promoter": raw["推广位ID"].str.split("_").str[0].astype("int64"),
            "fen": (pd.to_numeric(raw["实付金额(元)"]) * 100).round().astype("int64"),
            "status": raw["订单状态"].map(STATUS).astype("int64"),
            "direct": raw["是否直推"] == "是",
            "compared": raw["比价状态"] == "比价",
            "virtual": (raw["订单类型"] == "94") | raw["类目ID"].str.contains(VIRTUAL),
        }
        | {name: pd.to_datetime(raw[text], format="%Y-%m-%d %H:%M:%S") for text, name in TIMES.items()}
    )
    rows = rows.drop_duplicates().sort_values(["sn", "modified", "status"])
    orders = rows.drop_duplicates("sn", keep="last").set_index("sn")
    failing = rows["status"].isin((4, 10))
    sound_until = rows[~failing].groupby("sn")["modified"].max()
    failed = rows[failing]
    failed = failed[~(failed["modified"] <= failed["sn"].map(sound_until))]
    since = failed.groupby("sn")["modified"].min().reindex(orders.index)
    audited = (orders["status"] == 4) & orders["verified"].notna()
    orders["failed_at"] = since.mask(audited, orders["verified"])
    return orders.reset_index()


def read_roster(folder: Path) -> pd.DataFrame:
    """Who is judged, by promoter, with the first reason against them; blank for none."""
    promoters = _text_table(folder / "promoters.csv")
    for name in ("registered_on", "level_from"):
        promoters[name] = pd.to_datetime(promoters[name])
    promoters = promoters[(promoters["registered_on"] < FIRST) & (promoters["level_from"] <= FIRST)]
    roster = promoters.sort_values("level_from").drop_duplicates("promoter_id", keep="last")
    roster["promoter"] = roster["promoter_id"].astype("int64")
    violations = _text_table(folder / "violations.csv")
    violations = violations[violations["occurred_on"] < "2022-12-01"]
    open_ones = violations[(violations["cleared_on"] == "") | (violations["cleared_on"] >= "2022-12-01")]
    roster["reason"] = ""
    roster.loc[roster["promoter_id"].isin(open_ones["promoter_id"]), "reason"] = "VIOLATION"
    too_short = (roster["level"] == "V1") & (roster["registered_on"] > LAST_TENURE)
    roster.loc[too_short, "reason"] = "TENURE_TOO_SHORT"
    roster.loc[~roster["level"].isin(("V0", "V1")), "reason"] = "LEVEL_NOT_OFFERED"
    return roster.set_index("promoter").sort_index()


def measure(orders: pd.DataFrame, level: pd.Series, month: str) -> pd.DataFrame:
    """``gmv`` (fen, each order at most 200 yuan) and ``orders`` that count, by promoter."""
    task_from, task_until, cutoff = map(pd.Timestamp, WINDOWS[month])
    counts = orders[
        (orders["paid"] >= task_from)
        & (orders["paid"] < task_until)
        & ~orders["status"].isin((-1, 8))
        & (orders["direct"] | (orders["promoter"].map(level) == "V1"))
        & ~orders["virtual"]
        & ~(orders["failed_at"] < cutoff)
        & (orders["received"] < cutoff)
    ]
    grouped = counts.assign(fen=counts["fen"].clip(upper=20_000)).groupby("promoter")["fen"]
    return grouped.agg(gmv="sum", orders="count")


def add_targets(roster: pd.DataFrame, orders: pd.DataFrame, folder: Path) -> None:
    """Targets by level or from the months before, replaced by those of the file; 0 is none."""
    history = [measure(orders, roster["level"], month)["gmv"] for month in WINDOWS if month != MONTH]
    total = pd.concat(history).groupby("promoter").sum().reindex(roster.index, fill_value=0)
    by_history = (-(-total * 11 // 300_000) * 10_000).clip(lower=100_000, upper=50_000_000)
    first_level = roster["level"] == "V0"
    roster["target_gmv"] = by_history.mask(first_level, 200_000)
    roster["target_orders"] = first_level.astype("int64") * 20
    given = _text_table(folder / "targets.csv")
    given = given[given["period"] == MONTH].set_index("promoter_id")
    named = roster["promoter_id"].isin(given.index)
    rows = given.reindex(roster.loc[named, "promoter_id"])
    gmv = (pd.to_numeric(rows["gmv_yuan"]) * 100).round().fillna(0).astype("int64")
    roster.loc[named, "target_gmv"] = gmv.to_numpy()
    roster.loc[named, "target_orders"] = pd.to_numeric(rows["orders"]).fillna(0).astype("int64").to_numpy()
    roster.loc[(roster["reason"] == "") & (roster["target_gmv"] + roster["target_orders"] == 0), "reason"] = (
        "NO_TARGET"
    )


def judge(roster: pd.DataFrame, orders: pd.DataFrame) -> None:
    """``gmv``, ``orders`` and ``rate`` (per mille; 0 for who has not passed) of each promoter."""
    found = measure(orders, roster["level"], MONTH).reindex(roster.index, fill_value=0)
    roster["gmv"], roster["orders"] = found["gmv"], found["orders"]
    eligible = roster["reason"] == ""
    once = (roster["gmv"] >= roster["target_gmv"]) & (roster["orders"] >= roster["target_orders"])
    half_more = (roster["gmv"] * 2 >= roster["target_gmv"] * 3) & (
        roster["orders"] * 2 >= roster["target_orders"] * 3
    )
    roster["rate"] = 0
    roster.loc[eligible & once, "rate"] = 20
    roster.loc[eligible & half_more, "rate"] = 30


def earn(roster: pd.DataFrame, orders: pd.DataFrame, links: pd.DataFrame) -> pd.DataFrame:
    """The lines, in their order: what each order earns, at most 20 yuan, and a promoter at most 5,000."""
    channel = links.drop_duplicates("p_id", keep="last").set_index("p_id")["channel"]
    lines = orders[
        (orders["paid"] >= FIRST)
        & (orders["paid"] < NEXT)
        & ~orders["status"].isin((-1, 8))
        & ~orders["virtual"]
        & ~orders["compared"]
        & orders["failed_at"].isna()
        & (orders["p_id"].map(channel) != "other")
    ].copy()
    lines["rate"] = lines["promoter"].map(roster["rate"]).fillna(0).astype("int64")
    lines = lines[lines["rate"] > 0].sort_values(["promoter", "paid", "sn"])
    whole, rest = lines["fen"] * lines["rate"] // 1000, lines["fen"] * lines["rate"] % 1000
    up = (rest > 500) | ((rest == 500) & (whole % 2 == 1))
    share = (whole + up).clip(upper=2_000)
    before = share.groupby(lines["promoter"]).cumsum() - share
    lines["subsidy"] = share.clip(upper=(500_000 - before).clip(lower=0))
    return lines[lines["subsidy"] > 0]


def write_lines(lines: pd.DataFrame, path: Path) -> None:
    """subsidy_lines.csv."""
    paid = lines["paid"].dt.strftime("%Y-%m-%dT%H:%M:%S+08:00")
    columns = {
        "period": MONTH, "promoter_id": lines["promoter"], "order_sn": lines["sn"], "paid_at": paid,
        "basis_yuan": _yuan(lines["fen"]), "rate_permille": lines["rate"], "subsidy_yuan": _yuan(lines["subsidy"]),
    }  # fmt: skip
    pd.DataFrame(columns).to_csv(path, index=False, lineterminator="\r\n", encoding="utf-8-sig")


def write_results(roster: pd.DataFrame, lines: pd.DataFrame, path: Path) -> None:
    """results.csv."""
    earned = lines.groupby("promoter")["subsidy"].agg(["count", "sum"]).reindex(roster.index, fill_value=0)
    eligible, passed = roster["reason"] == "", roster["rate"] > 0
    columns = {
        "period": MONTH,
        "promoter_id": roster.index,
        "name": roster["name"],
        "level": roster["level"],
        "eligible": eligible.map({True: "yes", False: "no"}),
        "reason": roster["reason"],
        "gmv_yuan": _yuan(roster["gmv"]).where(eligible, ""),
        "orders": roster["orders"].astype(str).where(eligible, ""),
        "target_gmv_yuan": _yuan(roster["target_gmv"]).where(eligible & (roster["target_gmv"] > 0), ""),
        "target_orders": roster["target_orders"]
        .astype(str)
        .where(eligible & (roster["target_orders"] > 0), ""),
        "passed": passed.map({True: "yes", False: "no"}),
        "rate_permille": roster["rate"].astype(str).where(passed, ""),
        "subsidy_orders": earned["count"].astype(str).where(eligible, ""),
        "subsidy_yuan": _yuan(earned["sum"]).where(eligible, ""),
    }
    pd.DataFrame(columns).to_csv(path, index=False, lineterminator="\r\n", encoding="utf-8-sig")


def _text_table(path: Path) -> pd.DataFrame:
    return pd.read_csv(path, dtype=str, keep_default_na=False, encoding="utf-8-sig")


def _yuan(fen: pd.Series) -> pd.Series:
    return (fen // 100).astype(str) + "." + (fen % 100).astype(str).str.zfill(2)


def main(folder: Path, out: Path) -> None:
    """The whole month."""
    orders, roster = read_orders(folder / "orders.csv"), read_roster(folder)
    add_targets(roster, orders, folder)
    judge(roster, orders)
    lines = earn(roster, orders, _text_table(folder / "links.csv"))
    out.mkdir(parents=True, exist_ok=True)
    write_lines(lines, out / "subsidy_lines.csv")
    write_results(roster, lines, out / "results.csv")


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
