"""The terms of the sample: those of docs/promises.md, Terms, with a name that marks them as sample data."""

from typing import Final

from bounty.rules.periods import Period

_TERMS: Final = """\
name = "V0&V1 定向赏金补贴（示例数据）"
effective_from = "{effective_from}"

[task]
first_day = 1
last_day = 20
receipt_cutoff_day = 10
order_cap_yuan = "200.00"
count_price_compare = true

[virtual]
types = [94]
category_ids = [8724, 8729, 8730, 8732, 8733, 8736]

[levels.V0]
direct_only = true
gmv_yuan = "2000.00"
orders = 20

[levels.V1]
direct_only = false
min_tenure_months = 2
gmv_yuan = {{ history_periods = 3, factor = "1.10", floor = "3000.00", ceiling = "500000.00", step = "100.00" }}

[subsidy]
basis = "order_amount"
include_price_compare = false
links = "app_or_unknown"
order_cap_yuan = "20.00"
promoter_cap_yuan = "5000.00"
lapse_months = 6

[[subsidy.tiers]]
at = "1.00"
rate_permille = 20

[[subsidy.tiers]]
at = "1.50"
rate_permille = 30
"""


def sample_terms(effective_from: Period) -> str:
    """The terms as TOML.

    effective_from   the first period that they apply to
    """
    return _TERMS.format(effective_from=effective_from)
