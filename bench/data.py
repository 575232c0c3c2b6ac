"""The input files of one size, made once from a seed: terms, reference files, one CSV in bulk, details, pages, and a
late CSV.

Orders are numbered by the time they were paid, from August 2022 to the first days of January 2023, four in five of them
in December, the month that is settled. The CSV holds the earlier ones, some twice; the pages bring the rest, 50 a page,
each page with 50 further states of orders that the CSV brought. Everything about an order follows from its number, so
that a page can go on with an order without anything having been kept of it. The late CSV has a further state of one
order in 200, of February: half of them were refunded since.
"""

import json
from bisect import bisect
from collections import deque
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from datetime import date, datetime, timedelta
from hashlib import blake2b
from itertools import accumulate
from math import gcd
from pathlib import Path
from typing import Any, Final

VERSION: Final = 2
"""Version of the generated data; data of another version is generated again."""
PERIOD: Final = "2022-12"
OPENED_AT: Final = "2022-12-01T00:00:00+08:00"
IMPORTED_AT: Final = "2023-01-20T00:00:00+08:00"
SETTLED_AT: Final = "2023-01-20T12:00:00+08:00"
FORECAST_AT: Final = "2022-12-15T05:00:00+08:00"
PAGE_ROWS: Final = 100
LATE_STEP: Final = 200
DAY: Final = 86400

TERMS: Final = """\
name = "V0&V1 (bench)"
effective_from = "2022-12"

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
gmv_yuan = { history_periods = 3, factor = "1.10", floor = "1000.00", ceiling = "500000.00", step = "100.00" }

[subsidy]
basis = "order_amount"
include_price_compare = false
links = "app_or_unknown"
order_cap_yuan = "20.00"
promoter_cap_yuan = "5000.00"

[[subsidy.tiers]]
at = "1.00"
rate_permille = 20

[[subsidy.tiers]]
at = "1.50"
rate_permille = 30
"""
CSV_HEADER: Final = (
    "订单编号,推广位ID,商品名称,实付金额(元),佣金(元),订单状态,是否直推,比价状态,订单类型,类目ID,"
    "生成时间,支付时间,确认收货时间,审核时间,结算时间,更新时间"
)
_WORDS: Final = {
    -1: "未支付",
    1: "已成团",
    2: "确认收货",
    3: "审核通过",
    4: "审核失败",
    5: "已结算",
    8: "8",
    10: "已处罚",
}
_GOODS: Final = (
    "【百亿补贴】纯棉四件套全棉床上用品 1.8米床", "新疆阿克苏冰糖心苹果 10斤装", "抽纸整箱家用面巾纸 40包",
    "充电宝20000毫安快充大容量", "儿童春秋款运动鞋 防滑透气", "话费充值 100元", "山东烟台红富士 现摘现发",
    "不锈钢保温杯 大容量便携", "蓝牙耳机 长续航降噪", "厨房纸巾 吸油吸水 6卷",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Plan:
    """The numbers of orders, promoters and pages."""

    orders: int
    promoters: int
    pages: int

    @property
    def in_csv(self) -> int:
        """Orders of the CSV: those from 0 to here."""
        return self.orders - self.pages * PAGE_ROWS // 2


@dataclass(frozen=True, slots=True)
class Data:
    """A folder of input files, and a description of them."""

    folder: Path
    plan: Plan
    csv_rows: int
    page_rows: int
    detail_rows: int
    late_rows: int
    busiest: list[int]
    """The promoters with the most orders, largest first."""
    middle: list[int]
    """Promoters with a median number of orders."""

    @property
    def pages(self) -> list[Path]:
        """In the order in which they arrive."""
        return [self.folder / "pages" / f"{number:05d}.json" for number in range(self.plan.pages)]


PLANS: Final = {
    "1k": Plan(1_000, 20, 4),
    "10k": Plan(10_000, 200, 40),
    "100k": Plan(100_000, 2_000, 300),
    "1m": Plan(1_000_000, 20_000, 3_000),
    "10m": Plan(10_000_000, 200_000, 5_000),
}


def data_of(size: str, root: Path) -> Data:
    """The data of a size; generated if it is missing."""
    plan, folder = PLANS[size], root / size
    facts = folder / "facts.json"
    if facts.exists():
        known = json.loads(facts.read_text())
        if known.pop("version") == VERSION and known.pop("plan") == asdict(plan):
            return Data(folder=folder, plan=plan, **known)
    (folder / "pages").mkdir(parents=True, exist_ok=True)
    maker = _Maker(plan)
    counts = maker.write(folder)
    text = json.dumps({"version": VERSION, "plan": asdict(plan), **counts})
    facts.write_text(text)
    return Data(folder=folder, plan=plan, **counts)


def epoch(text: str) -> int:
    """Epoch seconds of an instant with its offset."""
    return int(datetime.fromisoformat(text).timestamp())


def shanghai_midnight(day: date) -> int:
    """Epoch seconds at which a Shanghai day begins; +08:00 in all these years."""
    return (day - date(1970, 1, 1)).days * DAY - 8 * 3600


_SPANS: Final = (
    # Part of the orders, first day, day after the last.
    (0.18, date(2022, 8, 1), date(2022, 11, 1)),
    (0.02, date(2022, 11, 1), date(2022, 12, 1)),
    (0.79, date(2022, 12, 1), date(2023, 1, 1)),
    (0.01, date(2023, 1, 1), date(2023, 1, 2)),
)


@dataclass(slots=True)
class _Order:
    """The constant facts of an order, and its states from the first (0) to the last (3)."""

    order_sn: str
    p_id: str
    goods: str
    amount_fen: int
    promotion_fen: int
    kind: int
    cat_ids: list[int]
    is_direct: int
    compared: int
    created_at: int
    paid_at: int
    received_at: int
    verified_at: int
    fate: str
    csv_state: int


class _Maker:
    def __init__(self, plan: Plan) -> None:
        self.plan = plan
        self.ids = [1_000_000 + (rank * 7919) % (plan.promoters * 10 + 1) for rank in range(plan.promoters)]
        assert len(set(self.ids)) == plan.promoters
        # Zipf and Mandelbrot, as the product's sample data has it: the busiest of 200,000 has 1.2 % of all orders.
        self._until = list(accumulate(1 / (rank + 8) for rank in range(plan.promoters)))
        self._spans = []
        before = 0.0
        for part, first, until in _SPANS:
            start = shanghai_midnight(first)
            self._spans.append((before, part, start, shanghai_midnight(until) - start))
            before += part
        self._sets = [[1451 + n, 2001 + 7 * n, 14000 + n, 0] for n in range(60)]
        self._sets += [[590, 8724 + n, 0, 0] for n in (0, 5)]
        self._days: dict[int, tuple[str, str]] = {}

    def order(self, number: int) -> _Order:
        digest = int.from_bytes(blake2b(number.to_bytes(8), digest_size=24, person=b"bench").digest())

        def drawn(below: int) -> int:
            nonlocal digest
            digest, found = divmod(digest, below)
            return found

        share = number / self.plan.orders
        before, part, start, length = next(span for span in reversed(self._spans) if share >= span[0])
        paid_at = start + min(int((share - before) / part * length), length - 1)
        rank = bisect(self._until, drawn(1 << 40) / (1 << 40) * self._until[-1])
        promoter_id = self.ids[min(rank, self.plan.promoters - 1)]
        fate = _fate(drawn(1000))
        small = drawn(3000) + 200 + drawn(2500)
        amount_fen = small * (10 if drawn(20) == 0 else 1)
        permille = (50, 100, 200, 350, 450)[drawn(5)]
        received_at = paid_at + 3 * DAY + drawn(9 * DAY) + (drawn(40) == 0) * 30 * DAY
        created_at = paid_at - 5 - drawn(300)
        category = drawn(62 * 3)
        code = drawn(10**6)
        return _Order(
            order_sn=f"{self._day((created_at + 8 * 3600) // DAY)[0]}-{_scattered(number):015d}",
            p_id=f"{promoter_id}_{promoter_id % 1000 + 100 * drawn(3)}",
            goods=_GOODS[drawn(len(_GOODS))] + f" {code:06d}",
            amount_fen=amount_fen,
            promotion_fen=(amount_fen * permille + 500) // 1000,
            kind=94 if drawn(100) == 0 else (0, 0, 0, 4, 7, 103)[drawn(6)],
            cat_ids=self._sets[category % 60 if category < 180 else 60 + category % 2],
            is_direct=int(drawn(100) < 85),
            compared=int(drawn(100) < 4),
            created_at=created_at,
            paid_at=paid_at,
            received_at=received_at,
            verified_at=received_at + 15 * DAY + drawn(DAY),
            fate=fate,
            csv_state=(0, 1, 1, 2, 2, 2, 2, 2)[drawn(8)],
        )

    def _day(self, number: int) -> tuple[str, str]:
        """A Shanghai day, counted from 1970, as order numbers and as files write it."""
        if number not in self._days:
            day = date(1970, 1, 1) + timedelta(days=number)
            self._days[number] = day.strftime("%y%m%d"), day.isoformat()
        return self._days[number]

    # --- files ---

    def write(self, folder: Path) -> dict[str, Any]:
        (folder / "terms.toml").write_text(TERMS, encoding="utf-8")
        self._write_references(folder)
        csv_rows = self._write_csv(folder / "orders.csv")
        detail_rows = self._write_details(folder / "details.json")
        self._write_pages(folder / "pages")
        late_rows = self._write_late(folder / "late.csv")
        middle, around = self.plan.promoters // 2, min(100, self.plan.promoters // 4)
        return {
            "csv_rows": csv_rows,
            "page_rows": self.plan.pages * PAGE_ROWS,
            "detail_rows": detail_rows,
            "late_rows": late_rows,
            "busiest": self.ids[:5],
            "middle": self.ids[middle - around : middle + around],
        }

    def _write_references(self, folder: Path) -> None:
        promoters, violations, links, targets = (
            ["promoter_id,name,level,level_from,registered_on"],
            ["promoter_id,occurred_on,reason,cleared_on"],
            ["p_id,channel"],
            ["period,promoter_id,gmv_yuan,orders"],
        )
        for rank, promoter_id in enumerate(self.ids):
            draw = (rank * 2_654_435_761) >> 8
            level = "V2" if draw % 37 == 0 else ("V0", "V1")[draw % 2]
            registered = "2022-11-15" if draw % 41 == 0 else f"2022-0{1 + draw % 6}-10"
            promoters.append(f"{promoter_id},推广者{rank},{level},{registered},{registered}")
            if draw % 53 == 0:
                violations.append(f"{promoter_id},2022-10-02,刷单,")
            if draw % 59 == 0:
                violations.append(f"{promoter_id},2022-09-02,刷单,2022-11-01")
            if draw % 43 == 0:
                targets.append(f"{PERIOD},{promoter_id},{1500 + draw % 900}.00,{draw % 3 * 10 or ''}")
            channels = enumerate((draw + place) % 4 for place in range(3))
            links += [
                f"{promoter_id}_{promoter_id % 1000 + 100 * place},{'app' if channel else 'other'}"
                for place, channel in channels
                if channel < 3
            ]
        for name, rows in (
            ("promoters", promoters), ("violations", violations), ("links", links), ("targets", targets),
        ):  # fmt: skip
            (folder / f"{name}.csv").write_text("\n".join([*rows, ""]), encoding="utf-8")

    def _write_csv(self, path: Path) -> int:
        rows = 0
        with path.open("w", encoding="utf-8-sig", newline="") as file:
            file.write(CSV_HEADER + "\r\n")
            for order, state in self._csv_states():
                file.write(self._csv_row(order, _state(order, state)))
                rows += 1
        return rows

    def _write_late(self, path: Path) -> int:
        """The last state of some orders a day after everything else of them; every second one refunded by then."""
        rows = 0
        with path.open("w", encoding="utf-8-sig", newline="") as file:
            file.write(CSV_HEADER + "\r\n")
            for number in range(3, self.plan.orders, LATE_STEP):
                order = self.order(number)
                status, paid_at, received_at, verified_at, settled_at, modified_at = _state(order, 3)
                status = 4 if rows % 2 and status == 5 else status
                late = (status, paid_at, received_at, verified_at, settled_at, modified_at + DAY)
                file.write(self._csv_row(order, late))
                rows += 1
        return rows

    def _csv_states(self) -> Iterator[tuple[_Order, int]]:
        """Every order of the CSV; of one in twelve its first state, and the later one some 5,000 rows on."""
        later: deque[_Order] = deque()
        for number in range(self.plan.in_csv):
            order = self.order(number)
            if number % 12 == 0 and order.csv_state > 0:
                yield order, 0
                later.append(order)
            else:
                yield order, order.csv_state
            if len(later) > 400:
                first = later.popleft()
                yield first, first.csv_state
        for order in later:
            yield order, order.csv_state

    def _csv_row(self, order: _Order, state: "_State") -> str:
        status, paid_at, received_at, verified_at, settled_at, modified_at = state
        return (
            f"{order.order_sn},{order.p_id},{order.goods},{_yuan(order.amount_fen)},{_yuan(order.promotion_fen)},"
            f"{_WORDS[status]},{'是' if order.is_direct else '否'},{'比价' if order.compared else '正常'},{order.kind},"
            f"{';'.join(map(str, filter(None, order.cat_ids)))},{self._time(order.created_at)},{self._time(paid_at)},"
            f"{self._time(received_at)},{self._time(verified_at)},{self._time(settled_at)},{self._time(modified_at)}\r\n"
        )

    def _time(self, instant: int | None) -> str:
        if instant is None:
            return ""
        day, second = divmod(instant + 8 * 3600, DAY)
        return f"{self._day(day)[1]} {second // 3600:02d}:{second // 60 % 60:02d}:{second % 60:02d}"

    def _write_details(self, path: Path) -> int:
        """Replies of order.detail.get, with after-sales under way and completed."""
        numbers = range(7, self.plan.in_csv, 1000)
        bodies = []
        for number in numbers:
            order = self.order(number)
            state = _state(order, 2)
            fields = self._fields(order, (*state[:-1], state[-1] + 60))
            fields["pid"] = fields.pop("p_id")
            fields |= {"return_status": number // 1000 % 3, "url_last_generate_time": order.created_at - 900}
            bodies.append({"order_detail_response": fields})
        path.write_text(json.dumps(bodies, ensure_ascii=False), encoding="utf-8")
        return len(bodies)

    def _write_pages(self, folder: Path) -> None:
        plan, half = self.plan, PAGE_ROWS // 2
        # The orders of the last third of the CSV, scattered, each once.
        window = max(plan.in_csv // 3, plan.pages * half)
        stride = next(step for step in range(window * 5 // 8, 0, -1) if gcd(step, window) == 1)
        for page in range(plan.pages):
            rows = []
            for place in range(half):
                at = page * half + place
                new, known = self.order(plan.in_csv + at), self.order(plan.in_csv - 1 - at * stride % window)
                rows.append(self._fields(new, _state(new, new.csv_state)))
                rows.append(self._fields(known, _state(known, known.csv_state + 1)))
            body = {
                "order_list_get_response": {
                    "order_list": rows, "total_count": PAGE_ROWS, "request_id": f"1669{page:010d}",
                }
            }  # fmt: skip
            text = json.dumps(body, ensure_ascii=False, separators=(",", ":"))
            (folder / f"{page:05d}.json").write_text(text, encoding="utf-8")

    def _fields(self, order: _Order, state: tuple[Any, ...]) -> dict[str, Any]:
        """A row of the platform's order list."""
        status, paid_at, received_at, verified_at, settled_at, modified_at = state
        thumbnail = f"https://img.example.com/mms/{order.order_sn}.jpeg"
        return {
            "order_sn": order.order_sn, "order_id": f"{order.order_sn[7:]}==", "p_id": order.p_id,
            "custom_parameters": '{"uid":"11111","sid":"group1"}', "auth_duo_id": 0, "zs_duo_id": 0,
            "goods_id": 8_000_000_000 + order.amount_fen, "goods_sign": f"c9r2omogKFFU{order.amount_fen:08d}",
            "goods_name": order.goods, "goods_thumbnail_url": thumbnail, "goods_quantity": 1,
            "goods_price": order.amount_fen + 500, "mall_id": 100_000 + order.kind, "mall_name": "示例旗舰店",
            "order_amount": order.amount_fen, "platform_discount": 0, "promotion_rate": 100,
            "promotion_amount": order.promotion_fen, "order_status": status, "order_status_desc": _WORDS[status],
            "fail_reason": "售后完成" if status == 4 else "", "is_direct": order.is_direct,
            "price_compare_status": order.compared, "bandan_risk_consult": -1, "type": order.kind,
            "cat_ids": order.cat_ids, "activity_tags": [4, 7], "cpa_new": 0, "cps_level": 0,
            "order_create_time": order.created_at, "order_pay_time": paid_at,
            "order_group_success_time": paid_at and paid_at + 30, "order_receive_time": received_at,
            "order_verify_time": verified_at, "order_settle_time": settled_at, "order_modify_at": modified_at,
            "batch_no": "", "group_id": 860461037241593915, "subsidy_type": 0, "subsidy_amount": 0,
            "sep_market_fee": 0, "sep_rate": 0, "share_amount": 0, "share_rate": 0,
        }  # fmt: skip


def _fate(draw: int) -> str:
    """Outcome of an order, by its number of a thousand."""
    bounds = ((890, "good"), (940, "failed"), (950, "punished"), (955, "recovered"), (985, "never received"),
              (993, "unpaid"), (1000, "no commission"))  # fmt: skip
    return next(fate for bound, fate in bounds if draw < bound)


_State = tuple[int, int | None, int | None, int | None, int | None, int]


def _state(order: _Order, state: int) -> _State:  # noqa: PLR0911 - one line a case
    """Status, paid, received, verified, settled and modified of one of an order's states; the last strictly rises."""
    paid_at, received_at, verified_at = order.paid_at, order.received_at, order.verified_at
    modified_at = (paid_at + 8, received_at + 10, verified_at, verified_at + 20 * DAY + 60)[state]
    if order.fate == "unpaid":
        return -1, None, None, None, None, modified_at
    if order.fate == "no commission":
        return 8, paid_at, None, None, None, modified_at
    if state == 0 or order.fate == "never received":
        return 1, paid_at, None, None, None, modified_at
    if state == 1:
        return 2, paid_at, received_at, None, None, modified_at
    if order.fate == "failed":
        return 4, paid_at, received_at, verified_at, None, modified_at
    if order.fate == "punished":
        return 10, paid_at, received_at, None, None, modified_at
    if order.fate == "recovered" and state == 2:
        return 4, paid_at, received_at, None, None, modified_at
    if state == 2:
        return 3, paid_at, received_at, verified_at, None, modified_at
    return 5, paid_at, received_at, verified_at, verified_at + 20 * DAY, modified_at


def _yuan(fen: int) -> str:
    return f"{fen // 100}.{fen % 100:02d}"


def _scattered(number: int) -> int:
    """A 15-digit number that is unique for each input."""
    return (number * 618_033_988_749_893 + 271_828_182_845) % 10**15
