"""Terms with every option turned."""

from __future__ import annotations

import random

from tests import oracle


def any_period(rng: random.Random) -> str:
    """Any month; Februaries, the months around them and year ends come more often."""
    year = rng.randint(2020, 2034)  # so that nobody registered before 2015
    month = rng.choice([1, 2, 3, 12, 12, rng.randint(1, 12), rng.randint(1, 12)])
    return rng.choice(
        [f"{year}-{month:02d}", f"{year}-{month:02d}", "2022-12", "2024-02", "2024-03", "2096-02"]
    )


def any_terms(rng: random.Random, period: str) -> str:
    cap_fen = rng.choice([20000, 20000, 9999, 5000, 12345])
    first_day = rng.choice([1, 1, 1, 2, 3, 10])
    last_day = rng.choice([20, 20, 15, 25, 28, 30, 31, '"end"'])
    parts = [
        f'name = "{rng.choice(["V0&V1 定向赏金补贴", "赏金", "a # b = c"])}"',
        f'effective_from = "{oracle.period_after(period, -rng.choice([0, 0, 1, 7]))}"',
        "",
        "[task]",
        f"first_day = {first_day}",
        f"last_day = {last_day}",
        f"receipt_cutoff_day = {rng.choice([10, 10, 1, 5, 15, 28, 28, 31])}",
        f'order_cap_yuan = "{oracle.yuan(cap_fen)}"',
        f"count_price_compare = {_bool(rng)}",
        *_filters(rng, cap_fen),
        "",
        "[virtual]",
        f"types = {rng.choice([[94], [94], [94, 77], []])}",
        f"category_ids = {rng.choice([[8724, 8729, 8730, 8732, 8733, 8736], [8729], [8721, 8724], []])}",
    ]
    for name in rng.choice([["V0", "V1"], ["V0", "V1"], ["V0"], ["V1", "V0", "V2"], ["V0", "V3"]]):
        parts += ["", f"[levels.{name}]", *_level_toml(rng, cap_fen)]
    return "\n".join([*parts, *_subsidy_toml(rng, cap_fen)]) + "\n"


def _filters(rng: random.Random, cap_fen: int) -> list[str]:
    """What a task may count alone: some categories, a minimum, live rooms too."""
    lines = []
    if rng.random() < 0.4:
        lines.append(f"count_live_room = {_bool(rng)}")
    if rng.random() < 0.3:
        lines.append(f"category_ids = {rng.choice([[239], [239, 6400, 15551, 1, 70], [8439, 239, 8721]])}")
    if rng.random() < 0.3:
        lines.append(f'min_order_yuan = "{oracle.yuan(rng.choice([1, 990, cap_fen // 3, cap_fen]))}"')
    return lines


def _bool(rng: random.Random) -> str:
    return rng.choice(["true", "false"])


def _level_toml(rng: random.Random, cap_fen: int) -> list[str]:
    lines = [f"direct_only = {_bool(rng)}"]
    if rng.random() < 0.5:
        lines.append(f"min_tenure_months = {rng.choice([1, 2, 2, 3, 6, 13])}")
    asked = rng.choice(["gmv", "gmv", "orders", "both", "both", "gmv and no orders"])
    if asked != "orders":
        floor_fen = rng.choice([1, cap_fen // 10, cap_fen // 3, rng.randint(cap_fen, 3 * cap_fen)])
        if rng.random() < 0.5:
            lines.append(f'gmv_yuan = "{oracle.yuan(rng.randint(2 * cap_fen, 12 * cap_fen))}"')
        else:
            ceiling = f'ceiling = "{oracle.yuan(floor_fen + rng.randint(0, 3 * cap_fen))}", '
            lines.append(
                f"gmv_yuan = {{ history_periods = {rng.choice([1, 2, 3, 3, 6])}, "
                f'factor = "{rng.choice(["1.10", "1", "0.5", "1.3333", "0.0101", "2.5", "0.9999"])}", '
                f'floor = "{oracle.yuan(floor_fen)}", {rng.choice(["", ceiling])}'
                f'step = "{rng.choice(["100.00", "0.01", "0.07", "33.33", "1.00", "250.00"])}" }}'
            )
    if asked in ("orders", "both"):
        lines.append(f"orders = {rng.randint(2, 14)}")
    elif asked == "gmv and no orders":
        lines.append("orders = 0")
    return lines


def _subsidy_toml(rng: random.Random, cap_fen: int) -> list[str]:
    ats = [
        "1.00",
        *sorted(rng.sample(["1.0001", "1.05", "1.25", "1.3333", "1.50", "2", "3.7"], k=rng.randint(0, 3))),
    ]
    rates = sorted(rng.sample([0, 1, 5, 7, 15, 20, 25, 30, 45, 50, 125, 350, 450, 1000], k=len(ats)))
    # Caps near what the first rate that pays gives: of one order at the task's cap, and of ten of them.
    usual_fen = max(1, cap_fen * next((rate for rate in rates if rate), 20) // 1000)
    lines = [
        "",
        "[subsidy]",
        f'basis = "{rng.choice(["order_amount", "order_amount", "commission"])}"',
        f"include_price_compare = {_bool(rng)}",
        *rng.choice([[], [], [f"include_live_room = {_bool(rng)}"]]),
        f'links = "{rng.choice(["any", "app_or_unknown", "app_or_unknown", "app"])}"',
    ]
    if rng.random() < 0.6:
        lines.append(f'order_cap_yuan = "{oracle.yuan(max(1, usual_fen * rng.randint(3, 15) // 10))}"')
    if rng.random() < 0.6:
        lines.append(
            f'promoter_cap_yuan = "{oracle.yuan(usual_fen * rng.randint(2, 20) + rng.randint(0, 9))}"'
        )
    if rng.random() < 0.5:
        lines.append(f"lapse_months = {rng.randint(1, 12)}")
    for at, rate in zip(ats, rates, strict=True):
        lines += ["", "[[subsidy.tiers]]", f'at = "{at}"', f"rate_permille = {rate}"]
    return lines
