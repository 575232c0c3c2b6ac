"""What promoters ask, answered from the terms: every number in an answer is read from them."""

from dataclasses import dataclass

from bounty.money import grouped_yuan
from bounty.rules.clauses import (
    APP_LINK,
    NOT_FAILED_AT_ALL,
    NOT_FAILED_BY_CUTOFF,
    NOT_LIVE_ROOM_FOR_SUBSIDY,
    NOT_LIVE_ROOM_FOR_TASK,
    RECEIVED_IN_TIME,
    SUBSIDY_CLAUSES,
    TASK_CLAUSES,
    cutoff_en,
    cutoff_zh,
    sentences,
)
from bounty.rules.paydays import AUDIT_DAYS
from bounty.rules.terms import Formula, Terms
from bounty.rules.terms_text import caps_text, categories_text, ids_text, level_en, level_zh, percent


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
    categories = categories_text(terms.virtual.category_ids, "无", chinese=True)
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
            "目标由来是什么？",
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
                (
                    f"比价订单{'' if task.count_price_compare else '不'}计入任务，"
                    f"{'也' if subsidy.include_price_compare == task.count_price_compare else '但'}"
                    f"{'有' if subsidy.include_price_compare else '没有'}补贴。"
                )
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
            [
                f"任务要求{RECEIVED_IN_TIME.zh(terms)}。晚收货的订单不计入任务；您达标时，它仍可以有补贴。",
                "以平台记录的确认收货时间为准：买家在 APP 内确认，或平台到期自动确认。「待收货」是只差收货的订单。",
                "您可以提醒买家收到商品后确认收货；不能代为确认，也不能用返现、赠品换取提前确认。",
            ],
        ),
        FaqEntry(
            "cap",
            "「封顶」是什么？",
            [
                f"每单最多计 {grouped_yuan(task.order_cap_fen)} 到任务的 GMV，超出的部分不计；订单数照计 1 单。",
                f"补贴{caps if caps else '没有上限'}；与任务的封顶无关。",
            ],
        ),
        FaqEntry(
            "snapshot",
            "「快照」是什么？",
            [
                "快照是当月 1 日的记录。等级、注册时长、违规和目标都以开期时冻结的名单为准，之后的变化从下一期起算。",
            ],
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
                f"比例：{tiers}{'。' + caps if caps else ''}。每单按分取整（四舍六入五取偶），合计是各单之和。",
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
                (
                    f"平台每月 {subsidy.settled_on_day} 日结算当月 {subsidy.audited_by_day} 日及以前审核通过的订单；"
                    f"没有售后的订单在收货 {AUDIT_DAYS} 天后审核。"
                ),
                *(
                    [f"当月结束 {subsidy.lapse_months} 个月后佣金仍未结算的订单，补贴作废。"]
                    if subsidy.lapse_months
                    else []
                ),
            ],
        ),
        FaqEntry(
            "appeal",
            "对结论有异议怎么办？",
            [
                "在订单页或任务页提出申诉，写明哪里不对、有什么凭据；现在的判断会随申诉一并保存。",
                "申诉期到哪一天写在订单页、任务页和「申诉」页上，写明之后不会提前。答复会发到「消息」。",
                "申诉成立的，更正进入下一号公示。",
            ],
        ),
        FaqEntry(
            "tax",
            "补贴要缴税吗？",
            ["页面、公示和文件里的补贴都是税前金额。代扣与开票以您和平台的协议为准。"],
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
    categories = categories_text(terms.virtual.category_ids, "none", chinese=False)
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
                    f"Price-comparison orders {'count' if task.count_price_compare else 'do not count'} to the task "
                    f"and {'earn' if subsidy.include_price_compare else 'earn no'} subsidy."
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
                ),
                (
                    "What the platform records as the receipt holds: the buyer confirms in the app, or the platform "
                    "does when the time is over. An order is pending while only its receipt is missing."
                ),
                (
                    "You may remind buyers to confirm once the goods have arrived. You may not confirm for them or "
                    "offer anything for it."
                ),
            ],
        ),
        FaqEntry(
            "cap",
            "What does capped mean?",
            [
                (
                    f"An order counts at most {grouped_yuan(task.order_cap_fen)} to the GMV of the task, and still as "
                    "one order."
                ),
                f"The subsidy {'is ' + caps.lstrip(', ') if caps else 'has no cap'}, whatever the task counts.",
            ],
        ),
        FaqEntry(
            "snapshot",
            "What is the snapshot?",
            [
                (
                    "The record of the 1st of the month. Level, tenure, violations and target are those of the roster "
                    "frozen when the period opens; what changes later holds from the next period."
                )
            ],
        ),
        FaqEntry(
            "refund",
            "What if an order is refunded?",
            [
                (
                    f"The task asks for orders {NOT_FAILED_BY_CUTOFF.en(terms)}; the subsidy for orders "
                    f"{NOT_FAILED_AT_ALL.en(terms)}. A partial refund counts as a full refund."
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
                (
                    f"On day {subsidy.settled_on_day} of each month the platform settles the orders audited by day "
                    f"{subsidy.audited_by_day}; without an after-sale an order is audited {AUDIT_DAYS} days after its "
                    "receipt."
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
            "appeal",
            "What if I disagree?",
            [
                (
                    "Appeal on the page of the order or of your task: say what is wrong and what shows it. The verdict "
                    "as it stands is kept with the appeal."
                ),
                (
                    "Those pages and the page of your appeals say until when; a deadline once shown is never earlier "
                    "afterwards. The answer is among your messages."
                ),
                "The correction of an accepted appeal goes into the next notice.",
            ],
        ),
        FaqEntry(
            "tax",
            "Is the subsidy taxed?",
            [
                (
                    "On the pages, in notices and in files the subsidy is gross of tax. What is withheld and invoiced "
                    "is settled by your agreement with the platform."
                )
            ],
        ),
        FaqEntry(
            "notice",
            "Can a result change after its notice?",
            [
                (
                    f"A {terms.cycle} is settled after {cutoff_en(terms)}, and then published. What a notice says is "
                    "never changed."
                ),
                (
                    "Facts and corrections that come later make the next notice, which says what "
                    "changed and why."
                ),
            ],
        ),
    ]
