"""A sample month history: the files an operator would have, made from a seed and marked as sample data.

    promoters --how much each sells--> orders --what becomes of each--> steps --as synced--> files

Nothing in it happens after the present it is given, and the same seed and present give the same bytes. Who sells how
much follows Zipf's law, and those within reach of their target push on or give up close to it, as people do who can
see it.
"""

import csv
import io
import json
import random
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field, replace
from datetime import date, timedelta
from enum import Enum, IntEnum, auto
from pathlib import Path
from typing import Any, Final, TypeVar

from bounty.clock import midnight, shanghai_date, shown
from bounty.money import fen_of, money_of, read_yuan, share, shown_yuan
from bounty.rules.periods import Bounds, Period, bounds_of
from bounty.rules.terms import Formula, Terms, read_terms

T = TypeVar("T")

MINUTE, HOUR, DAY = 60, 3600, 86400
HISTORY_MONTHS, PAST_PERIODS = 3, 3

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


@dataclass(frozen=True)
class SampleHistory:
    """The files that were written, in the order in which an operator would take them in."""

    folder: Path
    terms: Path
    promoters: Path
    violations: Path
    links: Path
    targets: Path
    orders: list[Path]
    """By month of update, oldest first."""
    periods: list[Period]
    """The three past ones and the open one, oldest first."""


def write_sample(
    folder: Path, now: int, seed: int = 2022, promoters: int = 300, orders: int = 30_000
) -> SampleHistory:
    """Write a sample history of seven months up to the present into a folder, and say where everything is.

    now        epoch seconds; the month in Shanghai is the open period
    promoters  how many; from about 100 on, every reason occurs that the terms leave room for
    orders     how many distinct order numbers; the targets are tuned for about a hundred a promoter
    """
    rng = random.Random(seed)  # noqa: S311 - to come out the same again, not to be hard to guess
    open_period = Period.of(shanghai_date(now))
    months = [open_period.plus(step) for step in range(-HISTORY_MONTHS - PAST_PERIODS, 1)]
    terms_toml = _TERMS.format(effective_from=months[HISTORY_MONTHS])
    world = _World(rng, now, read_terms(terms_toml), months)

    people = _promoters(world, promoters, orders)
    violations = _violation_rows(world, people)
    world.own_targets.update(_own_targets(world, people, {int(row[0]) for row in violations}))
    made = [order for month in months for one in people for order in _task_orders(world, one, month)]
    made += _other_orders(world, people, orders - len(made))

    folder.mkdir(parents=True, exist_ok=True)
    return SampleHistory(
        folder=folder,
        terms=_write(folder / "sample-terms.toml", terms_toml),
        promoters=_write_csv(folder / "sample-promoters.csv", _PROMOTER_COLUMNS, _promoter_rows(people)),
        violations=_write_csv(folder / "sample-violations.csv", _VIOLATION_COLUMNS, violations),
        links=_write_csv(folder / "sample-links.csv", _LINK_COLUMNS, _link_rows(world, people)),
        targets=_write_csv(folder / "sample-targets.csv", _TARGET_COLUMNS, _target_rows(world)),
        orders=_write_orders(world, folder, made),
        periods=world.periods,
    )


@dataclass(frozen=True)
class _Target:
    """What a promoter must reach in a period; 0 for no such target."""

    gmv_fen: int
    orders: int


@dataclass
class _World:
    """Chance, the present and the terms, and what has been decided so far."""

    rng: random.Random
    now: int
    terms: Terms
    months: list[Period]
    """The history, the past periods, the open one."""
    own_targets: dict[tuple[Period, int], _Target] = field(default_factory=dict)
    """Of the targets file, by period and promoter."""
    history_fen: dict[tuple[Period, int], int] = field(default_factory=dict)
    """GMV that counts where a level asks for no direct orders, by month and promoter."""
    bounds: dict[Period, Bounds] = field(init=False)
    serial: int = 0
    """Of the order made last."""

    def __post_init__(self) -> None:
        self.bounds = {month: bounds_of(month, self.terms) for month in self.months}

    @property
    def periods(self) -> list[Period]:
        return self.months[HISTORY_MONTHS:]

    @property
    def past_periods(self) -> list[Period]:
        return self.periods[:-1]

    @property
    def today(self) -> date:
        return shanghai_date(self.now)

    @property
    def latest(self) -> int:
        """Nothing is paid from this instant on: its row, some seconds later, must not lie in the future."""
        return self.now - MINUTE

    def chance(self, permille: int) -> bool:
        return self.rng.randrange(1000) < permille

    def drawn(self, weights: dict[T, int]) -> T:
        """One of the keys, by its weight."""
        return self.rng.choices(list(weights), list(weights.values()))[0]


# Goods


@dataclass(frozen=True)
class _Goods:
    """Something that is sold."""

    number: int
    price_fen: int
    rate_permille: int
    """Of the commission."""
    type: int | None
    """The platform's scene; None where it is the buyer's way in that decides."""
    cat_ids: tuple[int, ...]
    category: str
    name: str


# price, rate, type, categories from the first level down, name of the first level, name
_SHELF: Final = """
5.80    250  -   6398;6400;12301          零食           每日坚果体验装 25g×2袋
7.90    350  -   11684;11702;20911        居家日用       食品级保鲜膜 30cm×20m
9.90    450  -   5752;5760;18422          手机数码配件   Type-C快充数据线 1米
12.80   300  -   6398;6412;12377;30518    零食           手工麻花独立小包 500g
15.90   300  -   11684;11698;20874        居家日用       懒人抹布厨房纸 200抽
19.90   200  -   15543;15561;22810        书籍/杂志/报纸 小学生字帖练习册 全6本
22.80   300  -   9314;9320;17755          水果生鲜       陕西红富士苹果 5斤装
25.90   350  -   8439;8460;16203          女装           冰丝防晒袖套 2双
29.90   300  -   11684;11690;20833;41207  居家日用       竹浆本色抽纸 24包整箱
33.00   250  -   14697;14711;24480        母婴用品       婴儿纯棉口水巾 10条
36.90   300  -   9314;9338;17790          水果生鲜       丹东九九草莓 2斤顺丰
39.90   400  -   239;260;10118            男装           纯棉圆领短袖T恤 2件
45.00   300  -   6398;6420;12415          零食           大连即食海参丝 10袋
49.90   350  -   18814;18830;26661        美妆护肤       氨基酸洗面奶 120g×2支
55.00   250  -   15543;15570;22868        书籍/杂志/报纸 少儿科普绘本 精装8册
59.00   400  -   8439;8446;16110;33092    女装           法式碎花连衣裙
65.90   300  -   9314;9344;17812          水果生鲜       阳澄湖大闸蟹 6只礼盒
69.00   350  -   239;248;10066            男装           弹力商务休闲裤
75.00   200  -   14697;14720;24533        母婴用品       拉拉裤XL码 92片
79.90   350  -   11684;11715;20990        居家日用       全棉四件套 1.5米床
85.00   300  -   18814;18841;26712        美妆护肤       玻尿酸面膜 50片
89.00   300  -   5752;5771;18480          手机数码配件   20000毫安大容量充电宝
95.00   400  -   8439;8452;16155          女装           加绒加厚卫衣外套
99.00   250  -   18637;18650;25904        家用电器       养生壶 1.5升 多功能
109.00  300  -   239;255;10091;28833      男装           工装加绒夹克
119.00  200  -   18637;18655;25931        家用电器       空气炸锅 4.5升
129.00  300  -   11684;11730;21044        居家日用       乳胶记忆枕 一对
139.00  350  -   8439;8470;16244          女装           羊毛混纺针织开衫
149.00  250  -   5752;5780;18513          手机数码配件   蓝牙降噪耳机
159.00  200  -   14697;14735;24590        母婴用品       儿童安全座椅增高垫
169.00  300  -   239;270;10177            男装           轻薄白鸭绒羽绒服
179.00  200  -   18637;18662;25968        家用电器       破壁机 家用静音款
189.00  250  -   11684;11741;21090        居家日用       人体工学办公椅
199.00  300  -   18814;18852;26749        美妆护肤       抗皱紧致护肤套装
219.00  200  -   18637;18670;26003        家用电器       扫拖一体吸尘器
259.00  150  -   9314;9351;17840          水果生鲜       内蒙古羔羊排 10斤
329.00  200  -   8439;8475;16270          女装           双面呢羊绒大衣
399.00  150  -   18637;18677;26031;47115  家用电器       即热式饮水机
499.00  120  -   5752;5788;18544          手机数码配件   11寸学习平板
599.00  100  -   18637;18684;26066        家用电器       滚筒洗烘一体机 8公斤
699.00  100  -   11684;11760;21155        居家日用       独立弹簧床垫 1.8米
899.00  80   -   18637;18690;26090        家用电器       变频冷暖空调 1匹
"""
_VIRTUAL_SHELF: Final = """
9.90    50   0   8730;8741;15011          影视/会员/腾讯QQ专区  视频会员周卡
19.90   50   0   8730;8741;15014          影视/会员/腾讯QQ专区  音乐会员月卡
30.00   20   94  8729;8760;15120          生活缴费              话费充值 30元
50.00   20   94  8729;8760;15121;31877    生活缴费              话费充值 50元
68.00   30   0   8736;8790;15266          游戏服务/直播         手游点券 680点
99.00   20   94  10000;10001;10002        充值中心              加油卡充值 100元
100.00  10   0   8724;8770;15180          购物卡/礼品卡/代金券  超市购物卡 100元
129.00  60   0   8732;8780;15233          网络服务/软件         办公软件 一年会员
"""


def _goods_of(shelf: str, first_number: int) -> list[_Goods]:
    return [_one_goods(number, line) for number, line in enumerate(shelf.strip().splitlines(), first_number)]


def _one_goods(number: int, line: str) -> _Goods:
    price, rate, scene, cat_ids, category, name = line.split(maxsplit=5)
    return _Goods(
        number=number,
        price_fen=read_yuan(price),
        rate_permille=int(rate),
        type=None if scene == "-" else int(scene),
        cat_ids=tuple(map(int, cat_ids.split(";"))),
        category=category,
        name=name,
    )


_GOODS: Final = _goods_of(_SHELF, first_number=1)
"""By rising price."""
_VIRTUAL_GOODS: Final = _goods_of(_VIRTUAL_SHELF, first_number=101)
_SCENES: Final = {0: 60, 4: 10, 7: 8, 8: 6, 9: 2, 77: 2, 103: 8, 104: 2, 105: 2}
"""The platform's codes of physical orders, with their weights."""


# Promoters


_SURNAMES: Final = "陈林李王张刘黄周吴徐孙马朱胡郭何高罗郑梁谢宋唐许韩冯邓曹彭曾"
_GIVEN_NAMES: Final = (
    "默 静 婷 磊 洋 勇 艳 敏 涛 明 超 霞 平 刚 桂兰 建国 志强 秀英 小红 海燕 晓东 文博 雨桐 子涵 "
    "思远 佳怡 浩然 欣妍 一鸣 若溪 俊杰 诗雅 梓萱 宇航 雪梅 春生 玉梅 国栋 立新 永康"
).split()
_VIOLATIONS: Final = ("站内导流", "虚假交易", "诱导下单", "违规推广素材")


@dataclass(frozen=True)
class _Career:
    """When a promoter registered, and the level from each day on, oldest first."""

    registered_on: date
    levels: dict[date, str]


@dataclass(frozen=True)
class _Promoter:
    """Who sells, what, where and how much."""

    promoter_id: int
    name: str
    career: _Career
    size: int
    """Orders that count in the task window of an ordinary month; 0 for who sells nothing."""
    goods: list[_Goods]
    places: list[str]
    """p_ids in use."""
    punished: dict[Period, str]
    """A further place, by the month near whose end the platform punishes it."""

    @property
    def usual_fen(self) -> int:
        """What an order of the usual goods adds to GMV, before coupons."""
        return sum(min(goods.price_fen, _ORDER_CAP_FEN) for goods in self.goods) // len(self.goods)

    def level_in(self, month: Period) -> str | None:
        """The level by which the month is judged; None for who is not on its roster or has none."""
        started = [day for day in self.career.levels if day <= month.first_day]
        listed = self.career.registered_on < month.first_day
        return self.career.levels[started[-1]] if listed and started else None


def _promoters(world: _World, count: int, orders: int) -> list[_Promoter]:
    """Everybody, the largest first."""
    rng = world.rng
    names = [surname + given for surname in _SURNAMES for given in _GIVEN_NAMES]
    rng.shuffle(names)
    ids = rng.sample(range(1_000_000, 10_000_000), count)
    sizes = _sizes(count, orders)
    careers = _careers(world, count)
    # Neither the largest, whose result would hang on it, nor so small that it would not be seen.
    punished = {count // 8 + rank: period for rank, period in enumerate(world.past_periods)}
    people = []
    for rank, promoter_id in enumerate(ids):
        places = [f"{promoter_id}_{number}" for number in rng.sample(range(10**8, 10**9), rng.randint(2, 6))]
        people.append(
            _Promoter(
                promoter_id=promoter_id,
                name=f"示例·{names[rank % len(names)]}",
                career=careers[rank],
                size=sizes[rank],
                goods=_range_of_goods(rng),
                places=places,
                punished={punished[rank]: places.pop()} if rank in punished else {},
            )
        )
    return people


def _sizes(count: int, orders: int) -> list[int]:
    """Orders a task window by rank, after Zipf and Mandelbrot; four in ten sell nothing.

    A month's window holds about 14% of all orders that count; the rest is late in the month, fails, or is history.
    """
    sellers = count * 6 // 10
    weights = [1_000_000 // (rank + 8) for rank in range(sellers)]
    a_window = orders * 14 // 100
    return [max(1, a_window * weight // sum(weights)) for weight in weights] + [0] * (count - sellers)


def _range_of_goods(rng: random.Random) -> list[_Goods]:
    """What one promoter sells: neighbours in price, the dearer ones more often."""
    middle = max(rng.randrange(10, len(_GOODS) - 4), rng.randrange(10, len(_GOODS) - 4))
    return rng.sample(_GOODS[max(0, middle - 12) : middle + 8], 8)


def _careers(world: _World, count: int) -> list[_Career]:
    """A career by rank, those on the edges of the roster among the ranks that sell a little."""
    careers = [_career(world, rank, count) for rank in range(count)]
    edges = _edge_careers(world)
    at = count // 5
    careers[at : at + len(edges)] = edges
    return careers[:count]


def _career(world: _World, rank: int, count: int) -> _Career:
    """A career of the last two years; the large have risen more often."""
    start = world.months[-1].plus(-24).first_day
    registered_on = start + timedelta(days=world.rng.randrange((world.today - start).days))
    large = rank < count // 4
    level = world.drawn({"V0": 60, "V1": 34, "V2": 6} if large else {"V0": 80, "V1": 17, "V2": 3})
    before = {"V0": None, "V1": "V0", "V2": "V1"}[level]
    rises_on = world.rng.choice(world.months).first_day
    if before and registered_on < rises_on and world.chance(350):
        return _Career(registered_on, {registered_on: before, rises_on: level})
    return _Career(registered_on, {registered_on: level})


def _edge_careers(world: _World) -> list[_Career]:
    """For each period a V1 who has been registered just long enough and one who lacks a day; one without a level."""
    tenure = world.terms.levels["V1"].min_tenure_months
    days = [period.plus(-tenure).day(number) for period in world.periods for number in (1, 2)]
    levelless = world.past_periods[-1]
    late = _Career(levelless.plus(-1).day(10), {levelless.day(15): "V0"})
    return [*(_Career(day, {day: "V1"}) for day in days), late]


def _violation_rows(world: _World, people: Sequence[_Promoter]) -> list[list[str]]:
    """Violations of one promoter in twenty, some of them cleared by now."""
    rows = []
    for one in people:
        if not world.chance(50):
            continue
        registered_on = one.career.registered_on
        occurred_on = registered_on + timedelta(days=world.rng.randint(0, (world.today - registered_on).days))
        cleared_on = occurred_on + timedelta(days=world.rng.randint(30, 90))
        cleared = cleared_on <= world.today and world.chance(400)
        reason = world.rng.choice(_VIOLATIONS)
        rows.append([str(one.promoter_id), str(occurred_on), reason, str(cleared_on) if cleared else ""])
    return rows


def _own_targets(
    world: _World, people: Sequence[_Promoter], violators: set[int]
) -> dict[tuple[Period, int], _Target]:
    """For each period some V0 with targets of their own, lower ones and none at all."""
    given = (_Target(120_000, 12), _Target(150_000, 0), _Target(0, 15), _Target(0, 0), _Target(0, 0))
    targets = {}
    for period in world.periods:
        known = [one for one in people if one.level_in(period) == "V0" and one.promoter_id not in violators]
        near = [one for one in known if 5 <= one.size <= 20]
        for one, target in zip(world.rng.sample(near, min(len(near), len(given))), given, strict=False):
            targets[period, one.promoter_id] = target
    return targets


# How much each sells


_ORDER_CAP_FEN: Final = 200_00
"""As in the terms above."""
_AIMS: Final = (860, 930, 975, 995, 1000, 1003, 1020, 1060, 1150, 1300, 1500, 1510)
"""Where people within reach of their target end up, per mille of it."""


@dataclass(frozen=True)
class _Goal:
    """A promoter sells in a task window until both are reached."""

    gmv_fen: int
    orders: int


def _target(world: _World, one: _Promoter, period: Period) -> _Target:
    """What the roster will ask of the promoter; nothing of who has no level that the terms offer."""
    level = world.terms.levels.get(one.level_in(period) or "")
    own = world.own_targets.get((period, one.promoter_id))
    if own or level is None:
        return own or _Target(0, 0)
    if isinstance(level.gmv, Formula):
        months = [period.plus(-2 - back) for back in range(level.gmv.history_periods)]
        history_fen = sum(world.history_fen.get((month, one.promoter_id), 0) for month in months)
        return _Target(level.gmv.target_fen(history_fen), level.orders or 0)
    return _Target(level.gmv or 0, level.orders or 0)


def _goal(world: _World, one: _Promoter, month: Period) -> _Goal:
    """What the promoter sells in the month's task window: as ever, or as much as the target makes worth while."""
    usual = _usual_orders(world, one, month)
    if month not in world.past_periods or not usual:
        return _Goal(0, usual)
    target = _target(world, one, month)
    attained = [1000 * usual // target.orders] if target.orders else []
    attained += [1000 * usual * one.usual_fen // target.gmv_fen] if target.gmv_fen else []
    if not attained or not 550 <= min(attained) <= 1450 or world.chance(250):
        return _Goal(0, usual)
    aim = world.rng.choice(_AIMS)
    return _Goal(target.gmv_fen * aim // 1000, target.orders * aim // 1000)


def _usual_orders(world: _World, one: _Promoter, month: Period) -> int:
    """Orders that count in the month, as chance has it: some rest, and before the programme there was less reason."""
    start, until = _selling_span(world, one, month, task=True)
    resting = 30 if one.size >= 15 else 280
    if not one.size or start >= until or world.chance(resting):
        return 0
    bounds = world.bounds[month]
    elapsed = 1000 * (until - start) // (bounds.task_until - bounds.task_from)
    zeal = 1000 if month in world.periods else 800 if one.level_in(month) == "V1" else 400
    return max(1, one.size * world.rng.randint(600, 1400) * zeal * elapsed // 1000**3)


def _selling_span(world: _World, one: _Promoter, month: Period, *, task: bool) -> tuple[int, int]:
    """From when until when the promoter sells in a month, within or after its task window; may be empty."""
    bounds = world.bounds[month]
    start, until = (bounds.task_from, bounds.task_until) if task else (bounds.task_until, bounds.month_until)
    return max(start, midnight(one.career.registered_on) + HOUR), min(until, world.latest)


# Orders


class _Status(IntEnum):
    """The platform's codes."""

    UNPAID = -1
    PAID = 0
    GROUPED = 1
    RECEIVED = 2
    AUDITED = 3
    REFUSED = 4
    SETTLED = 5
    NO_COMMISSION = 8
    PUNISHED = 10


class _Fate(Enum):
    """What becomes of an order, or what it is from the start."""

    ORDINARY = auto()
    COMPARED = auto()
    AFTER_SALE_OPEN = auto()
    REFUNDED_LATE = auto()
    """After the receipt cutoff: it counts, and earns nothing."""
    INDIRECT = auto()
    DIRECT_UNKNOWN = auto()
    VIRTUAL = auto()
    RECEIVED_LATE = auto()
    UNRECEIVED = auto()
    REFUNDED_UNRECEIVED = auto()
    REFUNDED = auto()
    RISKY = auto()
    RETURNED = auto()
    """An after-sale that only the detail reply tells of, for a while."""
    PUNISHED = auto()
    NO_COMMISSION = auto()
    UNPAID = auto()


_COUNTING: Final = {_Fate.ORDINARY: 92, _Fate.COMPARED: 5, _Fate.AFTER_SALE_OPEN: 1, _Fate.REFUNDED_LATE: 2}
_NOT_DIRECT: Final = {_Fate.INDIRECT: 30, _Fate.DIRECT_UNKNOWN: 3}
"""These count where a level asks for no direct orders."""
_FAILING: Final = {
    _Fate.VIRTUAL: 20,
    _Fate.RECEIVED_LATE: 10,
    _Fate.UNRECEIVED: 4,
    _Fate.REFUNDED_UNRECEIVED: 20,
    _Fate.REFUNDED: 14,
    _Fate.RISKY: 3,
    _Fate.RETURNED: 4,
    _Fate.NO_COMMISSION: 3,
    _Fate.UNPAID: 5,
}


@dataclass(frozen=True, slots=True)
class _Step:
    """An order as the platform tells of it from one update on; None for what has not happened."""

    modified_at: int
    status: _Status
    grouped_at: int | None = None
    received_at: int | None = None
    verified_at: int | None = None
    settled_at: int | None = None
    fail_reason: str | None = None
    return_status: int | None = None
    """Told by the detail reply; None where the step is told by the list."""


@dataclass(frozen=True, slots=True)
class _Order:
    """What does not change of an order, and its steps, oldest first; None for what its rows do not carry."""

    serial: int
    fate: _Fate
    order_sn: str
    place: str
    goods: _Goods
    quantity: int
    amount_fen: int
    rate_permille: int
    commission_fen: int
    type: int
    cat_ids: tuple[int, ...] | None
    is_direct: int | None
    price_compare: int | None
    created_at: int
    paid_at: int | None
    steps: list[_Step]


def _task_orders(world: _World, one: _Promoter, month: Period) -> list[_Order]:
    """The orders of a promoter in a task window: as many that count as the goal asks for, and some that do not."""
    goal = _goal(world, one, month)
    span = _selling_span(world, one, month, task=True)
    counting, failing = _fates(world, one, month)
    gmv_fen = counted = 0
    made: list[_Order] = []
    while counted < goal.orders or gmv_fen < goal.gmv_fen:
        # The order that completes the goal does so to the fen, the others being as they come.
        short_fen = goal.gmv_fen - gmv_fen if counted + 1 >= goal.orders else 0
        order = _order(world, one, month, world.drawn(counting), span, short_fen)
        gmv_fen += _capped_fen(order)
        counted += 1
        made.append(order)
        if world.chance(280):
            made.append(_order(world, one, month, world.drawn(failing), span))
    world.history_fen[month, one.promoter_id] = sum(
        _capped_fen(order) for order in made if order.fate in _COUNTING or order.fate in _NOT_DIRECT
    )
    return made


def _capped_fen(order: _Order) -> int:
    return min(order.amount_fen, _ORDER_CAP_FEN)


def _other_orders(world: _World, people: Sequence[_Promoter], count: int) -> list[_Order]:
    """So many orders after the task windows, by everybody's size and the time there was."""
    slots = []
    weights = []
    for month in world.months:
        for one in people:
            start, until = span = _selling_span(world, one, month, task=False)
            if one.size and start < until:
                slots.append((one, month, span))
                weights.append(one.size * (until - start))
    if not slots:
        return []
    made = []
    for one, month, span in world.rng.choices(slots, weights, k=max(0, count)):
        counting, failing = _fates(world, one, month)
        made.append(_order(world, one, month, world.drawn(failing if world.chance(220) else counting), span))
    return made


def _fates(world: _World, one: _Promoter, month: Period) -> tuple[dict[_Fate, int], dict[_Fate, int]]:
    """Which fates count for the task of the promoter's level, and which do not, with their weights."""
    failing = _FAILING | ({_Fate.PUNISHED: 120} if month in one.punished else {})
    if world.terms.direct_only(one.level_in(month)):
        return _COUNTING, failing | _NOT_DIRECT
    return _COUNTING | _NOT_DIRECT, failing


def _order(
    world: _World, one: _Promoter, month: Period, fate: _Fate, span: tuple[int, int], short_fen: int = 0
) -> _Order:
    """An order of that fate, paid within the span.

    short_fen  what the promoter lacks; the order is of just that amount if it is worth more
    """
    rng = world.rng
    world.serial += 1
    goods = rng.choice(_VIRTUAL_GOODS if fate is _Fate.VIRTUAL else one.goods)
    quantity, amount_fen = _amount(rng, goods)
    if 1_00 <= short_fen <= min(amount_fen, _ORDER_CAP_FEN):
        amount_fen = short_fen
    compared = fate is _Fate.COMPARED
    rate_permille = _rate_permille(fate, goods)
    paid_at = _instant(rng, *span)
    created_at = paid_at - rng.randrange(3, rng.choice((20, 120, 1000)))
    known = fate is _Fate.VIRTUAL or not world.chance(4)
    return _Order(
        serial=world.serial,
        fate=fate,
        order_sn=_order_sn(world.serial, created_at),
        place=one.punished[month] if fate is _Fate.PUNISHED else rng.choice(one.places),
        goods=goods,
        quantity=quantity,
        amount_fen=amount_fen,
        rate_permille=rate_permille,
        commission_fen=fen_of(share(money_of(amount_fen), rate_permille)),
        type=world.drawn(_SCENES) if goods.type is None else goods.type,
        cat_ids=goods.cat_ids if known else None,
        is_direct={_Fate.INDIRECT: 0, _Fate.DIRECT_UNKNOWN: None}.get(fate, 1),
        price_compare=int(compared) if known or compared else None,
        created_at=created_at,
        paid_at=None if fate is _Fate.UNPAID else paid_at,
        steps=_steps(rng, fate, paid_at, world.bounds[month]),
    )


def _rate_permille(fate: _Fate, goods: _Goods) -> int:
    """The commission's rate; less on an order that was found by comparing prices."""
    if fate is _Fate.NO_COMMISSION:
        return 0
    return goods.rate_permille // 2 if fate is _Fate.COMPARED else goods.rate_permille


def _amount(rng: random.Random, goods: _Goods) -> tuple[int, int]:
    """A quantity, and what is paid for it in fen after a coupon."""
    quantity = 2 if goods.price_fen < 50_00 and rng.randrange(12) == 0 else 1
    full_fen = goods.price_fen * quantity
    coupons = [coupon_fen for coupon_fen in (1_00, 3_00, 5_00, 10_00, 20_00) if coupon_fen * 5 <= full_fen]
    return quantity, full_fen - (rng.choice(coupons) if rng.randrange(3) == 0 else 0)


_BUSY: Final = (3, 2, 1, 1, 1, 1, 2, 3, 5, 7, 8, 8, 8, 8, 7, 7, 7, 7, 7, 8, 10, 10, 9, 6)
"""How busy each hour of the day is in Shanghai, in tenths."""


def _instant(rng: random.Random, start: int, until: int) -> int:
    """An instant within a span: by day rather than by night, and now and then its very first or last."""
    if rng.randrange(300) == 0:
        return rng.choice((start, until - 1))
    while True:
        instant = rng.randrange(start, until)
        if _BUSY[(instant // HOUR + 8) % 24] > rng.randrange(10):
            return instant


def _order_sn(serial: int, created_at: int) -> str:
    """The date in Shanghai and 15 digits."""
    return f"{shanghai_date(created_at):%y%m%d}-{_digits(serial)}"


def _digits(serial: int) -> str:
    """15 digits that look like chance and never come twice: the factor has no divisor in common with 10^15."""
    return f"{serial * 611_953_281_647_293 % 10**15:015d}"


# What becomes of an order


def _steps(rng: random.Random, fate: _Fate, paid_at: int, bounds: Bounds) -> list[_Step]:
    """An order's steps, oldest first and each later than the one before, however far in the future."""
    if fate in (_Fate.UNPAID, _Fate.NO_COMMISSION):
        status = _Status.UNPAID if fate is _Fate.UNPAID else _Status.NO_COMMISSION
        return [_Step(paid_at + _lag(rng), status)]
    # Two thirds are bought alone, which groups them at once.
    wait = 0 if rng.randrange(3) else rng.randrange(MINUTE, 23 * MINUTE)
    paid = [_Step(paid_at + _lag(rng), _Status.PAID)] if wait else []
    grouped_at = paid_at + wait
    grouped = _Step(grouped_at + _lag(rng), _Status.GROUPED, grouped_at=grouped_at)
    return [*paid, grouped, *_LIVES[fate](rng, grouped, bounds)]


def _ordinary(rng: random.Random, grouped: _Step, bounds: Bounds) -> list[_Step]:
    """Received after some days, seldom just before the cutoff; audited; settled."""
    if rng.randrange(40) == 0:
        just_before = 1 + rng.randrange(rng.choice((MINUTE, 6 * HOUR)))
        return _earning(rng, _received(rng, grouped, bounds.receipt_cutoff - just_before))
    return _earning(rng, _delivered(rng, grouped))


def _virtual(rng: random.Random, grouped: _Step, _: Bounds) -> list[_Step]:
    return _earning(rng, _received(rng, grouped, grouped.modified_at + rng.randrange(MINUTE, HOUR)))


def _received_late(rng: random.Random, grouped: _Step, bounds: Bounds) -> list[_Step]:
    """From the cutoff's own second on."""
    at = bounds.receipt_cutoff + rng.randrange(rng.choice((MINUTE, 6 * HOUR, 6 * DAY)))
    return _earning(rng, _received(rng, grouped, at))


def _unreceived(*_: object) -> list[_Step]:
    return []


def _refunded_unreceived(rng: random.Random, grouped: _Step, _: Bounds) -> list[_Step]:
    return [_refused(grouped, grouped.modified_at + rng.randrange(2 * HOUR, 3 * DAY), "买家申请退款成功")]


def _refunded(rng: random.Random, grouped: _Step, _: Bounds) -> list[_Step]:
    """Within eight days of receipt, so that in the task window it is before the cutoff."""
    received = _delivered(rng, grouped)
    refunded_at = received.modified_at + rng.randrange(HOUR, 8 * DAY)
    return [received, _refused(received, refunded_at, "买家申请退货退款成功")]


def _refunded_late(rng: random.Random, grouped: _Step, bounds: Bounds) -> list[_Step]:
    """Received in time and refunded after the cutoff, but before anything settles on the 20th."""
    received = _delivered(rng, grouped)
    refunded_at = bounds.receipt_cutoff + rng.randrange(8 * DAY)
    told = [step for step in (received, _audited(rng, received)) if step.modified_at < refunded_at]
    return [*told, _refused(told[-1], refunded_at, "售后成功")]


def _risky(rng: random.Random, grouped: _Step, _: Bounds) -> list[_Step]:
    """Refused by the platform without a time of verification, as happens."""
    received = _delivered(rng, grouped)
    refused = _refused(received, received.modified_at + rng.randrange(DAY, 5 * DAY), "风控审核未通过")
    return [received, replace(refused, verified_at=None)]


def _after_sale_open(rng: random.Random, grouped: _Step, _: Bounds) -> list[_Step]:
    received = _delivered(rng, grouped)
    return [received, _after_sale(rng, received, return_status=1)]


def _returned(rng: random.Random, grouped: _Step, _: Bounds) -> list[_Step]:
    """An after-sale completed, of which the detail reply tells at once and the list a day later or not at all."""
    received = _delivered(rng, grouped)
    returned = _after_sale(rng, received, return_status=2)
    refused = _refused(received, returned.modified_at + DAY, "售后成功")
    return [received, returned, *([refused] if rng.randrange(2) else [])]


def _punished(rng: random.Random, grouped: _Step, bounds: Bounds) -> list[_Step]:
    """Punished with its place on the 25th, or, where it was paid later, within hours."""
    punished_at = max(bounds.task_until + 4 * DAY + 10 * HOUR, grouped.modified_at + 2 * HOUR)
    untouched = [grouped, *_ordinary(rng, grouped, bounds)]
    told = [step for step in untouched if step.modified_at < punished_at]
    modified_at = punished_at + rng.randrange(10 * MINUTE)
    punished = replace(told[-1], modified_at=modified_at, status=_Status.PUNISHED, fail_reason="站内导流")
    return [*told[1:], punished]


_Life = Callable[[random.Random, _Step, Bounds], list[_Step]]
"""From chance, the step of grouping and the month's bounds to the steps after it."""
_LIVES: Final[dict[_Fate, _Life]] = {
    **dict.fromkeys((_Fate.ORDINARY, _Fate.COMPARED, _Fate.INDIRECT, _Fate.DIRECT_UNKNOWN), _ordinary),
    _Fate.AFTER_SALE_OPEN: _after_sale_open,
    _Fate.REFUNDED_LATE: _refunded_late,
    _Fate.VIRTUAL: _virtual,
    _Fate.RECEIVED_LATE: _received_late,
    _Fate.UNRECEIVED: _unreceived,
    _Fate.REFUNDED_UNRECEIVED: _refunded_unreceived,
    _Fate.REFUNDED: _refunded,
    _Fate.RISKY: _risky,
    _Fate.RETURNED: _returned,
    _Fate.PUNISHED: _punished,
}


def _lag(rng: random.Random) -> int:
    """Seconds from what happened to the update that tells of it."""
    return rng.randint(6, 11)


def _received(rng: random.Random, grouped: _Step, at: int) -> _Step:
    return replace(grouped, modified_at=at + _lag(rng), status=_Status.RECEIVED, received_at=at)


def _delivered(rng: random.Random, grouped: _Step) -> _Step:
    """Received as most parcels are, after two to nine days."""
    return _received(rng, grouped, grouped.modified_at + rng.randrange(2 * DAY, 9 * DAY))


def _earning(rng: random.Random, received: _Step) -> list[_Step]:
    """Received, audited and settled."""
    audited = _audited(rng, received)
    return [received, audited, _settled(rng, audited)]


def _audited(rng: random.Random, received: _Step) -> _Step:
    """By a batch, 15 days after receipt and some hours."""
    at = received.modified_at + 15 * DAY + rng.randrange(10 * HOUR)
    return replace(received, modified_at=at, status=_Status.AUDITED, verified_at=at)


def _settled(rng: random.Random, audited: _Step) -> _Step:
    """In the small hours of the 20th, with all that was audited by the 15th."""
    audited_on = shanghai_date(audited.modified_at)
    month = Period.of(audited_on).plus(0 if audited_on.day <= 15 else 1)
    at = midnight(month.day(20)) + rng.randrange(2 * HOUR, 5 * HOUR)
    return replace(audited, modified_at=at + _lag(rng), status=_Status.SETTLED, settled_at=at)


def _refused(before: _Step, at: int, reason: str) -> _Step:
    return replace(before, modified_at=at, status=_Status.REFUSED, verified_at=at, fail_reason=reason)


def _after_sale(rng: random.Random, received: _Step, return_status: int) -> _Step:
    at = received.modified_at + rng.randrange(DAY, 5 * DAY)
    return replace(received, modified_at=at, return_status=return_status)


# What the operator was told of them


class _Channel(Enum):
    """By which road a row came; the values end the files' names."""

    INCREMENT = "increment.json"
    FEED = "feed.jsonl"
    EXPORT = "export.csv"
    DETAIL = "detail.json"


_CHANNELS: Final = {_Channel.INCREMENT: 35, _Channel.FEED: 15, _Channel.EXPORT: 50}
_PAGE: Final = 100
"""Orders in a body."""


@dataclass(frozen=True, slots=True)
class _Told:
    """A row: an order as of one of its steps."""

    order: _Order
    step: _Step


def _write_orders(world: _World, folder: Path, made: Iterable[_Order]) -> list[Path]:
    """Files of what was updated in each month, by channel; no file where there was nothing."""
    told: dict[tuple[Period, _Channel], list[_Told]] = {}
    for order in made:
        for channel, step in _updates(world, order):
            month = Period.of(shanghai_date(step.modified_at))
            told.setdefault((month, channel), []).append(_Told(order, step))
    return [
        _write_month(world, folder, month, channel, rows)
        for month in world.months
        for channel in _Channel
        if (rows := told.get((month, channel)))
    ]


def _write_month(world: _World, folder: Path, month: Period, channel: _Channel, rows: list[_Told]) -> Path:
    path = folder / f"sample-{month}-{channel.value}"
    rows.sort(key=lambda row: (row.step.modified_at, row.order.serial))
    if channel is _Channel.EXPORT:
        cells = [_sheet_row(row) for row in _newest_of_each(rows)]
        if month == world.past_periods[-1]:
            paid_at = _SHEET_COLUMNS.index("支付时间")
            cells += _bad_rows(world, [row for row in cells if row[paid_at].startswith(str(month))])
        gbk = month == world.past_periods[0]
        return _write_csv(path, _SHEET_COLUMNS, cells, encoding="gb18030" if gbk else "utf-8-sig")
    if channel is _Channel.FEED:
        return _write(path, "".join(_json(_feed_row(row)) + "\n" for row in rows))
    bodies = _pages(rows, month) if channel is _Channel.INCREMENT else map(_detail_body, rows)
    return _write(path, "[\n" + ",\n".join(map(_json, bodies)) + "\n]\n")


def _updates(world: _World, order: _Order) -> list[tuple[_Channel, _Step]]:
    """The steps that were caught by now: always the newest that the order's channel had, and some before it."""
    happened = [step for step in order.steps if step.modified_at <= world.now]
    listed = [step for step in happened if step.return_status is None]
    channel = world.drawn(_CHANNELS)
    known = [step for step in listed if step.modified_at <= _synced_at(world, channel)]
    if not known:
        channel, known = _Channel.INCREMENT, listed
    caught = [*(step for step in known[:-1] if world.chance(350)), known[-1]]
    details = [step for step in happened if step.return_status is not None]
    if not details and order.fate is _Fate.ORDINARY and world.chance(15):
        details = [replace(known[-1], return_status=0)]
    return [(channel, step) for step in caught] + [(_Channel.DETAIL, step) for step in details]


def _synced_at(world: _World, channel: _Channel) -> int:
    """The increment is up to the minute, the feed is some hours old, the export was made at midnight."""
    if channel is _Channel.EXPORT:
        return midnight(world.today)
    return world.now - (3 * HOUR if channel is _Channel.FEED else 0)


def _newest_of_each(rows: Iterable[_Told]) -> list[_Told]:
    """One row an order, as a sheet has it."""
    return list({row.order.serial: row for row in rows}.values())


_DESCRIPTIONS: Final = {
    _Status.UNPAID: "未支付",
    _Status.PAID: "已支付",
    _Status.GROUPED: "已成团",
    _Status.RECEIVED: "确认收货",
    _Status.AUDITED: "审核通过",
    _Status.REFUSED: "审核失败",
    _Status.SETTLED: "已经结算",
    _Status.NO_COMMISSION: "非多多进宝商品",
    _Status.PUNISHED: "已处罚",
}


def _pages(rows: Sequence[_Told], month: Period) -> list[dict[str, Any]]:
    """Bodies of the increment, read from the last page to the first; neighbours overlap by a row, as they may."""
    starts = range(0, max(1, len(rows) - 1), _PAGE - 1)
    return [
        {
            "order_list_get_response": {
                "order_list": [_list_row(row) for row in rows[start : start + _PAGE]],
                "total_count": len(rows),
                "request_id": f"sample-{month}-{start:06d}",
            }
        }
        for start in reversed(starts)
    ]


_UNUSED: Final = dict.fromkeys(
    (
        "auth_duo_id auth_duo_id_service_fee cash_gift_id cpa_new cps_level duo_id_service_fee red_packet_type "
        "scene_at_market_fee sep_duo_id sep_market_fee sep_rate share_amount share_rate subsidy_amount "
        "subsidy_duo_amount_level subsidy_duo_amount_ten_million subsidy_type zs_duo_id"
    ).split(),
    0,
) | dict.fromkeys("custom_parameters no_subsidy_reason sep_parameters sep_pid".split(), "")
"""Fields of the list that say nothing here."""


def _list_row(row: _Told) -> dict[str, Any]:
    """A row with the fields of the platform's list; a fact that is unknown is absent."""
    order, step, goods = row.order, row.step, row.order.goods
    facts = {
        "cat_ids": order.cat_ids,
        "is_direct": order.is_direct,
        "price_compare_status": order.price_compare,
    }
    return {
        "order_sn": order.order_sn,
        "p_id": order.place,
        "order_status": step.status,
        "order_status_desc": _DESCRIPTIONS[step.status],
        "fail_reason": step.fail_reason,
        "goods_id": 600_000_000_000 + goods.number,
        "goods_sign": f"sample_goods_{goods.number:03d}",
        "goods_name": goods.name,
        "goods_thumbnail_url": f"https://img.example/sample/{goods.number:03d}.jpeg",
        "goods_category_name": goods.category,
        "goods_price": goods.price_fen,
        "goods_quantity": order.quantity,
        "mall_id": 700_000_000 + goods.cat_ids[0],
        "mall_name": f"示例·{goods.category}店",
        # Above 2^53, as real ones are: who reads it as a float loses it.
        "group_id": 860_461_037_000_000_000 + order.serial,
        "order_amount": order.amount_fen,
        "platform_discount": goods.price_fen * order.quantity - order.amount_fen,
        "promotion_rate": order.rate_permille,
        "promotion_amount": order.commission_fen,
        "type": order.type,
        **{name: value for name, value in facts.items() if value is not None},
        "activity_tags": [7] if order.type == 103 else [],
        "bandan_risk_consult": -1 if step.received_at is None else 0,
        "order_create_time": order.created_at,
        "order_pay_time": order.paid_at,
        "order_group_success_time": step.grouped_at,
        "order_receive_time": step.received_at,
        "order_verify_time": step.verified_at,
        "order_settle_time": step.settled_at,
        "order_modify_at": step.modified_at,
        "batch_no": "" if step.settled_at is None else f"{shanghai_date(step.settled_at):%Y%m%d}01",
        "subsidy_list": [],
        **_UNUSED,
    }


def _feed_row(row: _Told) -> dict[str, Any]:
    """The same with 0 for what has not happened."""
    return {name: _or_zero(name, value) for name, value in _list_row(row).items()}


def _or_zero(name: str, value: Any) -> Any:
    return 0 if value is None and name.endswith("_time") else value


def _detail_body(row: _Told) -> dict[str, Any]:
    """A body of the detail reply: other name for the p_id, nothing for what has not happened, and two facts more."""
    fields = {name: value for name, value in _list_row(row).items() if value is not None}
    fields["pid"] = fields.pop("p_id")
    fields["return_status"] = row.step.return_status
    fields["url_last_generate_time"] = row.order.created_at - row.order.serial % (20 * DAY)
    fields["request_id"] = f"sample-{row.order.order_sn}"
    return {"order_detail_response": fields}


_SHEET_COLUMNS: Final = (
    "订单编号 推广位ID 商品名称 实付金额(元) 佣金(元) 订单状态 是否直推 比价状态 订单类型 类目ID "
    "生成时间 支付时间 确认收货时间 审核时间 结算时间 更新时间"
).split()
_SHEET_WORDS: Final = _DESCRIPTIONS | {_Status.AUDITED: "审核成功", _Status.NO_COMMISSION: "8"}
_YES_NO: Final = {1: "是", 0: "否", None: ""}
_COMPARED_WORDS: Final = {1: "比价", 0: "正常", None: ""}


def _sheet_row(row: _Told) -> list[str]:
    """A row of the sheet, cell by cell."""
    order, step = row.order, row.step
    happened = (order.created_at, order.paid_at, step.received_at, step.verified_at, step.settled_at)
    return [
        order.order_sn,
        order.place,
        order.goods.name,
        shown_yuan(order.amount_fen),
        shown_yuan(order.commission_fen),
        _SHEET_WORDS[step.status],
        _YES_NO[order.is_direct],
        _COMPARED_WORDS[order.price_compare],
        str(order.type),
        ";".join(map(str, order.cat_ids or ())),
        *map(_sheet_time, (*happened, step.modified_at)),
    ]


def _sheet_time(instant: int | None) -> str:
    return "" if instant is None else shown(instant)[:19].replace("T", " ")


def _bad_rows(world: _World, good_rows: Sequence[list[str]]) -> list[list[str]]:
    """A handful of rows that can't be taken in, each made from a good one: what the quarantine is for."""
    faults: list[tuple[str, Callable[[str], str]]] = [
        ("实付金额(元)", lambda _: "12.345"),
        ("订单编号", lambda order_sn: f"{order_sn[0]}.{order_sn[1:6]}E+14"),
        ("推广位ID", lambda _: "99000001_1"),  # a promoter nobody knows: ids here have 7 digits
        ("订单状态", lambda _: "已发货"),
        ("支付时间", lambda paid_at: paid_at[:10]),
    ]
    rows = []
    for (column, spoiled), good in zip(faults, good_rows, strict=False):
        world.serial += 1
        row = [f"{good[0][:6]}-{_digits(world.serial)}", *good[1:]]
        at = _SHEET_COLUMNS.index(column)
        row[at] = spoiled(row[at])
        rows.append(row)
    return rows


# Files


_PROMOTER_COLUMNS: Final = "promoter_id name level level_from registered_on".split()
_VIOLATION_COLUMNS: Final = "promoter_id occurred_on reason cleared_on".split()
_LINK_COLUMNS: Final = "p_id channel".split()
_TARGET_COLUMNS: Final = "period promoter_id gmv_yuan orders".split()


def _promoter_rows(people: Iterable[_Promoter]) -> list[list[str]]:
    return [
        [str(one.promoter_id), one.name, level, str(level_from), str(one.career.registered_on)]
        for one in sorted(people, key=lambda one: one.promoter_id)
        for level_from, level in one.career.levels.items()
    ]


def _link_rows(world: _World, people: Iterable[_Promoter]) -> list[list[str]]:
    """Most places make their links in the app, some elsewhere; of some nothing is known."""
    channels = {place: world.drawn({"app": 80, "other": 9, "": 11}) for one in people for place in one.places}
    return [[place, channel] for place, channel in channels.items() if channel]


def _target_rows(world: _World) -> list[list[str]]:
    return [
        [
            str(period),
            str(promoter_id),
            shown_yuan(target.gmv_fen) if target.gmv_fen else "",
            str(target.orders or ""),
        ]
        for (period, promoter_id), target in world.own_targets.items()
    ]


def _json(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))


def _write_csv(
    path: Path, columns: Sequence[str], rows: Iterable[Sequence[str]], encoding: str = "utf-8-sig"
) -> Path:
    text = io.StringIO(newline="")
    writer = csv.writer(text, lineterminator="\r\n")
    writer.writerow(columns)
    writer.writerows(rows)
    return _write(path, text.getvalue(), encoding)


def _write(path: Path, text: str, encoding: str = "utf-8") -> Path:
    """Bytes rather than text, so that line ends are the same on every system."""
    path.write_bytes(text.encode(encoding))
    return path
