"""What promoters ask, answered from the terms: every number in an answer is read from them."""

from dataclasses import dataclass

from bounty.money import grouped_yuan
from bounty.rules.clauses import (
    APP_LINK,
    NOT_FAILED_AT_ALL,
    NOT_FAILED_BY_CUTOFF,
    NOT_LIVE_ROOM_FOR_SUBSIDY,
    NOT_LIVE_ROOM_FOR_TASK,
    NOT_PRICE_COMPARE_FOR_SUBSIDY,
    NOT_PRICE_COMPARE_FOR_TASK,
    RECEIVED_IN_TIME,
    SUBSIDY_CLAUSES,
    TASK_CLAUSES,
    cutoff_en,
    cutoff_zh,
    sentences,
)
from bounty.rules.terms import MONTH, Formula, Terms
from bounty.rules.terms_text import caps_text, ids_text, level_en, level_zh, percent


@dataclass(frozen=True, slots=True)
class FaqEntry:
    """A question and its answer in one language."""

    name: str
    """By which an address can point to it; alike in both languages."""
    question: str
    sentences: list[str]


def faq_entries(terms: Terms, *, chinese: bool) -> list[FaqEntry]:
    """The questions, in the order in which they come up."""
    return _chinese(terms) if chinese else _english(terms)


def _chinese(terms: Terms) -> list[FaqEntry]:
    task, subsidy, levels = terms.task, terms.subsidy, sorted(terms.levels.items())
    tenures = [
        f"{name} 须在当月 1 日前注册满 {level.min_tenure_months} 个月"
        for name, level in levels
        if level.min_tenure_months
    ]
    direct = [name for name, level in levels if level.direct_only]
    formulas = [level.gmv for _, level in levels if isinstance(level.gmv, Formula)]
    basis = "实付金额" if subsidy.basis == "order_amount" else "佣金"
    tiers = "；".join(f"达到目标的 {percent(tier.at)} 起为 {tier.rate_permille}‰" for tier in subsidy.tiers)
    caps = caps_text(terms, "每单最多 {}", "每人每期最多 {}", "，").lstrip("，")
    types = ids_text(terms.virtual.types, "无")
    categories = ids_text(terms.virtual.category_ids, "无")
    conditions = "；".join(sentences(SUBSIDY_CLAUSES, terms, chinese=True))
    return [
        FaqEntry(
            "eligibility",
            "为什么没有参与资格？",
            [
                f"任务只面向等级 {'、'.join(name for name, _ in levels)}，以当月 1 日的等级为准。",
                *(f"{sentence}。" for sentence in tenures),
                "当月 1 日前有未解除的违规记录，本期不能参与；没有大于 0 的目标，本期也不能参与。",
                "名单在开期时冻结，之后的变化不影响本期。您的任务页写明适用的是哪一条，以及何时可以参与。",
            ],
        ),
        FaqEntry(
            "target",
            "目标怎么来的？",
            [
                *(f"{name}：{level_zh(level, terms.cycle)}。" for name, level in levels),
                *(["历史月份没有订单的按 0 计。"] if formulas else []),
                "运营为您单独设定了目标的，以设定的为准。目标在开期时冻结，与资格一起在任务页上列出。",
            ],
        ),
        FaqEntry(
            "counts",
            "哪些订单计入任务？",
            [
                f"同时满足下列各条的订单：{'；'.join(sentences(TASK_CLAUSES, terms, chinese=True))}。",
                f"每单最多计 {grouped_yuan(task.order_cap_fen)}，这个上限不影响订单数，也不影响补贴。",
            ],
        ),
        FaqEntry(
            "direct",
            "什么是直推？",
            [
                "用户从您的推广链接进入后直接下单，中间没有离开，平台就标为直推；平台没有给出标记的，不按直推计。",
                f"{'、'.join(direct)} 只计直推订单。" if direct else "本期各等级直推与非直推都计。",
            ],
        ),
        FaqEntry(
            "virtual",
            "什么是虚拟商品？",
            [f"订单类型为 {types}，或类目含 {categories} 的商品。虚拟商品不计入任务，也没有补贴。"],
        ),
        FaqEntry(
            "compare",
            "比价订单算不算？",
            [
                f"任务：{NOT_PRICE_COMPARE_FOR_TASK.zh(terms)}。补贴：{NOT_PRICE_COMPARE_FOR_SUBSIDY.zh(terms)}。"
            ],
        ),
        FaqEntry(
            "live",
            "直播间订单算不算？",
            [
                (
                    "用户从直播间下单时，平台在订单上记有直播间。"
                    f"任务：{NOT_LIVE_ROOM_FOR_TASK.zh(terms)}。补贴：{NOT_LIVE_ROOM_FOR_SUBSIDY.zh(terms)}。"
                )
            ],
        ),
        FaqEntry(
            "receipt",
            "收货晚了怎么办？",
            [f"任务要求{RECEIVED_IN_TIME.zh(terms)}。晚收货的订单不计入任务；您达标时，它仍可以有补贴。"],
        ),
        FaqEntry(
            "refund",
            "退款了怎么办？",
            [
                f"任务要求{NOT_FAILED_BY_CUTOFF.zh(terms)}；补贴要求{NOT_FAILED_AT_ALL.zh(terms)}。部分退款按整单退款处理。"
            ],
        ),
        FaqEntry(
            "subsidy",
            "补贴怎么算？",
            [
                f"达标后，同时满足下列各条的订单按{basis}计算：{conditions}。",
                f"比例：{tiers}{'。' + caps if caps else ''}。按单四舍六入五成双到分，合计是各单之和。",
            ],
        ),
        FaqEntry(
            "links",
            "推广链接有什么要求？",
            [f"任务不限链接。补贴：{APP_LINK.zh(terms)}。"],
        ),
        FaqEntry(
            "payday",
            "补贴什么时候到账？",
            [
                "结果公示后，随订单的佣金结算：佣金结算之前，补贴都是预计。",
                *(
                    [f"当月结束 {subsidy.lapse_months} 个月后佣金仍未结算的订单，补贴作废。"]
                    if subsidy.lapse_months
                    else []
                ),
            ],
        ),
        FaqEntry(
            "notice",
            "公示以后还会变吗？",
            [
                f"{cutoff_zh(terms)}后核算，核算后公示。公示过的内容不再改动。",
                "之后到达的事实或更正会成为下一号公示，写明改了哪些、为什么。",
            ],
        ),
    ]


def _english(terms: Terms) -> list[FaqEntry]:
    task, subsidy, levels = terms.task, terms.subsidy, sorted(terms.levels.items())
    tenures = [
        f"{name} must be registered for {level.min_tenure_months} months on the 1st of the month"
        for name, level in levels
        if level.min_tenure_months
    ]
    direct = [name for name, level in levels if level.direct_only]
    formulas = [level.gmv for _, level in levels if isinstance(level.gmv, Formula)]
    basis = "amount paid" if subsidy.basis == "order_amount" else "commission"
    tiers = "; ".join(
        f"from {percent(tier.at)} of the target {tier.rate_permille}‰" for tier in subsidy.tiers
    )
    caps = caps_text(terms, "at most {} an order", "at most {} a promoter and period", ", ")
    types = ids_text(terms.virtual.types, "none")
    categories = ids_text(terms.virtual.category_ids, "none")
    return [
        FaqEntry(
            "eligibility",
            "Why am I not eligible?",
            [
                (
                    f"The task is for levels {', '.join(name for name, _ in levels)}, as held on the "
                    "1st of the month."
                ),
                *(f"{sentence}." for sentence in tenures),
                (
                    "Whoever has a violation from before the 1st that is not cleared takes no part in "
                    "the month; nor does "
                    "whoever has no target above 0."
                ),
                (
                    "The roster is frozen when the period opens, and later changes do not touch it. "
                    "Your task page says which "
                    "rule applies, and from when you can take part."
                ),
            ],
        ),
        FaqEntry(
            "target",
            "Where does my target come from?",
            [
                *(f"{name}: {level_en(level, terms.cycle)}." for name, level in levels),
                *(["A month of the history without orders counts as 0."] if formulas else []),
                (
                    "Where operations have set a target for you, that one holds. Targets are frozen "
                    "when the period opens and "
                    "stand on your task page with your eligibility."
                ),
            ],
        ),
        FaqEntry(
            "counts",
            "Which orders count to the task?",
            [
                f"Those that are: {'; '.join(sentences(TASK_CLAUSES, terms, chinese=False))}.",
                (
                    f"Each counts at most {grouped_yuan(task.order_cap_fen)}; the cap touches neither "
                    "the number of orders nor "
                    "the subsidy."
                ),
            ],
        ),
        FaqEntry(
            "direct",
            "What is direct push?",
            [
                (
                    "A buyer came by your link and ordered without leaving on the way: the platform "
                    "then marks the order as "
                    "direct. An order without the mark does not count as direct."
                ),
                f"For {', '.join(direct)} only direct orders count."
                if direct
                else "At every level direct and indirect orders count.",
            ],
        ),
        FaqEntry(
            "virtual",
            "What are virtual goods?",
            [
                (
                    f"Orders of type {types}, or with a category of {categories}. They neither count "
                    "to the task nor earn a "
                    "subsidy."
                )
            ],
        ),
        FaqEntry(
            "compare",
            "Do price-comparison orders count?",
            [
                (
                    f"Task: {NOT_PRICE_COMPARE_FOR_TASK.en(terms)}. Subsidy: "
                    f"{NOT_PRICE_COMPARE_FOR_SUBSIDY.en(terms)}."
                )
            ],
        ),
        FaqEntry(
            "live",
            "Do live-room orders count?",
            [
                (
                    "Where a buyer ordered in a live room, the platform names the room in the order. "
                    f"Task: {NOT_LIVE_ROOM_FOR_TASK.en(terms)}. Subsidy: {NOT_LIVE_ROOM_FOR_SUBSIDY.en(terms)}."
                )
            ],
        ),
        FaqEntry(
            "receipt",
            "What if the goods are received late?",
            [
                (
                    f"The task asks for orders {RECEIVED_IN_TIME.en(terms)}. A later one does not "
                    "count to the task; if you "
                    "pass, it can still earn a subsidy."
                )
            ],
        ),
        FaqEntry(
            "refund",
            "What if an order is refunded?",
            [
                (
                    f"The task asks for orders {NOT_FAILED_BY_CUTOFF.en(terms)}; the subsidy for orders "
                    f"{NOT_FAILED_AT_ALL.en(terms)}. A part refunded is the order refunded."
                )
            ],
        ),
        FaqEntry(
            "subsidy",
            "How is the subsidy worked out?",
            [
                (
                    f"If you pass, of the {basis} of each order that is: "
                    f"{'; '.join(sentences(SUBSIDY_CLAUSES, terms, chinese=False))}."
                ),
                f"Rates: {tiers}{caps}. Rounded half-even to the fen an order; totals are sums of orders.",
            ],
        ),
        FaqEntry(
            "links",
            "Which links may I use?",
            [f"Any for the task. For the subsidy: {APP_LINK.en(terms)}."],
        ),
        FaqEntry(
            "payday",
            "When is the subsidy paid?",
            [
                (
                    "After the result is published, as the order's commission settles: until then a "
                    "subsidy is expected."
                ),
                *(
                    [
                        (
                            f"What has not settled {subsidy.lapse_months} months after the end of the "
                            "month is void."
                        )
                    ]
                    if subsidy.lapse_months
                    else []
                ),
            ],
        ),
        FaqEntry(
            "notice",
            "Can a result change after its notice?",
            [
                (
                    f"A month is settled after day {task.receipt_cutoff_day} 24:00 of the next, and "
                    if terms.cycle == MONTH
                    else f"A half-month is settled after {cutoff_en(terms)}, and "
                )
                + ("then published. What a notice says is never changed."),
                (
                    "Facts and corrections that come later make the next notice, which says what "
                    "changed and why."
                ),
            ],
        ),
    ]
