"""The terms in words, Chinese and English, made from the clauses that the engine uses."""

from bounty.money import grouped_yuan
from bounty.rules.clauses import SUBSIDY_CLAUSES, TASK_CLAUSES, sentences
from bounty.rules.terms import MONTH, Formula, LevelTerms, Terms


def terms_in_words(terms: Terms, *, chinese: bool) -> list[str]:
    """What the programme promises, a sentence each."""
    return _chinese(terms) if chinese else _english(terms)


def _chinese(terms: Terms) -> list[str]:
    task = "；".join(sentences(TASK_CLAUSES, terms, chinese=True))
    subsidy = "；".join(sentences(SUBSIDY_CLAUSES, terms, chinese=True))
    tiers = "，".join(
        f"达到目标的 {percent(tier.at)} 为 {tier.rate_permille}‰" for tier in terms.subsidy.tiers
    )
    months = terms.cycle == MONTH
    basis = "实付金额" if terms.subsidy.basis == "order_amount" else "佣金"
    lapse = terms.subsidy.lapse_months
    caps = caps_text(terms, "每单最多 {}", "每人每期最多 {}", "，")
    types, categories = ids_text(terms.virtual.types, "无"), ids_text(terms.virtual.category_ids, "无")
    return [
        f"{terms.name}（自 {terms.effective_from} 期起）",
        *(f"{name}：{level_zh(level, terms.cycle)}" for name, level in sorted(terms.levels.items())),
        f"计入任务的订单须同时满足：{task}。每单最多计 {grouped_yuan(terms.task.order_cap_fen)}。",
        f"达标后，{'当月' if months else '本期'}同时满足下列条件的订单按{basis}得补贴：{subsidy}。",
        f"补贴比例：{tiers}{caps}；每单按分取整（四舍六入五取偶），随佣金结算发放。",
        f"虚拟商品：订单类型为 {types}，或类目含 {categories}。",
        *(
            [f"{'当月' if months else '本期'}结束 {lapse} 个月后佣金仍未结算的订单，补贴作废。"]
            if lapse
            else []
        ),
    ]


def _english(terms: Terms) -> list[str]:
    task = "; ".join(sentences(TASK_CLAUSES, terms, chinese=False))
    subsidy = "; ".join(sentences(SUBSIDY_CLAUSES, terms, chinese=False))
    tiers = ", ".join(
        f"from {percent(tier.at)} of the target {tier.rate_permille}‰" for tier in terms.subsidy.tiers
    )
    unit = terms.cycle
    basis = "amount paid" if terms.subsidy.basis == "order_amount" else "commission"
    types, categories, lapse = terms.virtual.types, terms.virtual.category_ids, terms.subsidy.lapse_months
    caps = caps_text(terms, "at most {} an order", "at most {} a promoter and period", ", ")
    cap = grouped_yuan(terms.task.order_cap_fen)
    return [
        f"{terms.name} (from period {terms.effective_from})",
        *(f"{name}: {level_en(level, terms.cycle)}" for name, level in sorted(terms.levels.items())),
        f"An order counts to the task when it is: {task}. Each counts at most {cap}.",
        f"If you pass, you earn a share of the {basis} of each order of the {unit} that is: {subsidy}.",
        f"Rates: {tiers}{caps}; rounded half-even to the fen an order, paid as its commission settles.",
        f"Virtual goods: of type {ids_text(types, 'none')}, or with a category of {ids_text(categories, 'none')}.",
        *([f"What has not settled {lapse} months after the {unit} is void."] if lapse else []),
    ]


def level_zh(level: LevelTerms, cycle: str = MONTH) -> str:
    """A level in Chinese: who takes part in it, what counts, what is to be reached."""
    targets = []
    of_history = "个月（至上上月）月均" if cycle == MONTH else "个半月（至上上期）平均"
    if isinstance(level.gmv, Formula):
        formula = level.gmv
        ceiling = "" if formula.ceiling_fen is None else f"，不高于 {grouped_yuan(formula.ceiling_fen)}"
        targets.append(
            f"GMV 目标为本人此前 {formula.history_periods} {of_history}的 {percent(formula.factor)}，"
            f"向上取整到 {grouped_yuan(formula.step_fen)}，不低于 {grouped_yuan(formula.floor_fen)}{ceiling}"
        )
    elif level.gmv:
        targets.append(f"GMV 目标 {grouped_yuan(level.gmv)}")
    if level.orders:
        targets.append(f"订单目标 {level.orders} 单")
    tenure = f"注册满 {level.min_tenure_months} 个月；" if level.min_tenure_months else ""
    return f"{tenure}{'只计直推订单' if level.direct_only else '直推与非直推都计'}；{'，且'.join(targets)}"


def level_en(level: LevelTerms, cycle: str = MONTH) -> str:
    """The same in English."""
    targets = []
    if isinstance(level.gmv, Formula):
        formula = level.gmv
        ceiling = "" if formula.ceiling_fen is None else f", at most {grouped_yuan(formula.ceiling_fen)}"
        targets.append(
            f"a GMV of {percent(formula.factor)} of the promoter's own mean over {formula.history_periods} {cycle}s up "
            f"to two before, rounded up to {grouped_yuan(formula.step_fen)}, at least "
            f"{grouped_yuan(formula.floor_fen)}{ceiling}"
        )
    elif level.gmv:
        targets.append(f"a GMV of {grouped_yuan(level.gmv)}")
    if level.orders:
        targets.append("1 order" if level.orders == 1 else f"{level.orders} orders")
    tenure = f"registered {level.min_tenure_months} months; " if level.min_tenure_months else ""
    counted = "direct orders only" if level.direct_only else "direct and indirect orders"
    return f"{tenure}{counted}; {' and '.join(targets)}"


CATEGORY_NAMES: dict[int, tuple[str, str]] = {
    8721: ("本地化生活服务", "local services"),
    8722: ("电影/演出/体育赛事", "films, shows and sports"),
    8723: ("个性定制/设计服务", "custom design"),
    8724: ("购物卡/礼品卡/代金券", "gift cards and vouchers"),
    8725: ("婚庆/摄影/摄像服务", "weddings and photography"),
    8726: ("教育培训", "education"),
    8727: ("景点门票/周边游", "tickets and day trips"),
    8728: ("旅游路线/商品/服务", "travel"),
    8729: ("生活缴费", "utility bills and top-ups"),
    8730: ("影视/会员/腾讯QQ专区", "video and memberships"),
    8732: ("网络服务/软件", "online services and software"),
    8733: ("网上营业厅", "telecom services"),
    8734: ("休闲娱乐", "leisure"),
    8736: ("游戏服务/直播", "games and live streams"),
}
"""The platform's categories of the first level that virtual goods may be of: its own names (pdd.goods.cats.get, 2018),
and what they mean in English."""


def categories_text(ids: list[int], nothing: str, *, chinese: bool) -> str:
    """Categories with their names, where they are known."""
    known = {each: CATEGORY_NAMES[each][0 if chinese else 1] for each in ids if each in CATEGORY_NAMES}
    between, name = ("、", "{}（{}）") if chinese else (", ", "{} ({})")
    named = (name.format(each, known[each]) if each in known else str(each) for each in sorted(set(ids)))
    return between.join(named) or nothing


def ids_text(ids: list[int], nothing: str) -> str:
    """Numbers of types or categories, or the word for none."""
    return ", ".join(map(str, sorted(set(ids)))) or nothing


def percent(myriad: int) -> str:
    """Ten-thousandths as a percentage without trailing zeros.

    >>> percent(10_000), percent(15_050)
    ('100%', '150.5%')
    """
    whole, part = divmod(myriad, 100)
    return f"{whole}{f'.{part:02d}'.rstrip('0') if part else ''}%"


def caps_text(terms: Terms, an_order: str, a_promoter: str, comma: str) -> str:
    """The caps that there are, each behind a comma; blank where there are none."""
    caps = ((an_order, terms.subsidy.order_cap_fen), (a_promoter, terms.subsidy.promoter_cap_fen))
    return "".join(comma + sentence.format(grouped_yuan(cap)) for sentence, cap in caps if cap is not None)
