"""Orders with a life each, told in several versions; chance puts instants on the bounds and amounts on the caps."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from math import gcd
from typing import Any

from tests import oracle
from tests.agreement.months.case import DAY, Row, World

GOODS = [
    "纸巾 24包",
    'T恤 "纯棉", 男',
    "=1+1",
    "话费 100元",
    "－折－",
    "naïve café",
    "😀 抱枕",
    "@home",
    "苹果；梨",
]
ORDINARY_CATEGORIES = [[239], [6398, 6400], [15543, 15550, 15551, 15560], [8439, 1], [7, 11, 70]]


@dataclass(frozen=True)
class _Life:
    """What happens to one order, up to its receipt. `received` is None when it never is."""

    order_sn: str
    p_id: str
    order_amount: int
    promotion_amount: int
    type: int | None
    cat_ids: list[int] | None
    is_direct: int | None
    price_compare_status: int | None
    goods_name: str
    created: int
    paid: int
    received: int | None
    room: Row
    """The fields of the live room it was ordered in; none for most."""
    cutoff: int
    """Of the month the order was made for: failures happen around it."""


def as_told(life: _Life, status: int, modified: int, **changes: Any) -> Row:
    """The platform's row for this state; instants that `changes` does not set have not come."""
    row = {
        "order_sn": life.order_sn,
        "p_id": life.p_id,
        "goods_name": life.goods_name,
        "order_amount": life.order_amount,
        "promotion_amount": life.promotion_amount,
        "order_status": status,
        "type": life.type,
        "cat_ids": life.cat_ids,
        "is_direct": life.is_direct,
        "price_compare_status": life.price_compare_status,
        "order_create_time": life.created,
        "order_pay_time": None if status == oracle.UNPAID else life.paid,
        "order_receive_time": None,
        "order_verify_time": None,
        "order_settle_time": None,
        "order_modify_at": modified,
    }
    return row | life.room | changes


def as_detail(row: Row, return_status: int | None) -> Row:
    """The same state as the detail reply tells it."""
    detail = row | {"pid": row["p_id"], "return_status": return_status}
    del detail["p_id"]
    detail["url_last_generate_time"] = row["order_create_time"] - 600
    if detail["is_direct"] is None:
        # A body without any is_direct or receipt is taken for the oauth list and refused.
        detail["is_direct"] = 0
    return detail


def any_order(world: World, promoter_id: int) -> list[Row]:
    """All versions of an order that may or may not count: of the period, of its history, or of a month beside."""
    rng = world.rng
    bounds = world.bounds(rng.choice([0, 0, 0, 0, 0, -1, -2, -2, -2, -3, -3, -4, -5, -7, -8, 1]))
    life = any_life(world, promoter_id, bounds)
    ends: dict[Callable[[World, _Life], list[Row]], int] = {
        lives_well: 55,
        _fails: 14,
        _fails_and_recovers: 6,
        _fails_in_a_broken_run: 7,
        _is_returned: 12,
        _never_was: 6,
    }
    rows = rng.choices(list(ends), list(ends.values()))[0](world, life)
    if world.chance(6):
        # Until its last version it was somebody else's.
        elsewhere = rng.choice(world.p_ids[rng.choice(list(world.p_ids))])
        for row in rows[:-1]:
            row["pid" if "pid" in row else "p_id"] = elsewhere
    if world.chance(12):
        rows.append(at_the_same_time(world, rng.choice(rows)))
    if len(rows) > 1 and world.chance(50):
        rows.remove(rng.choice(rows[:-1]))
    if world.chance(15):
        rows.append(
            as_detail(rng.choice([row for row in rows if "p_id" in row] or [as_told(life, 1, life.paid)]), 0)
        )
    return rows


def any_life(world: World, promoter_id: int, bounds: oracle.Windows) -> _Life:
    rng = world.rng
    paid = _paid_at(world, bounds)
    amount = any_amount(world)
    virtual_categories = sorted(world.terms.virtual_category_ids) or [8736]
    virtual_types = sorted(world.terms.virtual_types) or [94]
    cat_ids = rng.choice([*ORDINARY_CATEGORIES, None])
    if world.chance(8):
        cat_ids = [rng.choice([239, 8722]), rng.choice(virtual_categories)]
    return _Life(
        order_sn=any_number(world, paid),
        p_id=rng.choice(world.p_ids[promoter_id]),
        order_amount=amount,
        promotion_amount=commission_of(world, amount),
        type=rng.choices([0, None, rng.choice(virtual_types), 103], [80, 6, 6, 8])[0],
        cat_ids=cat_ids,
        is_direct=rng.choices([1, 0, None], [75, 15, 10])[0],
        price_compare_status=rng.choices([0, 1, None], [75, 15, 10])[0],
        goods_name=rng.choice(GOODS),
        created=paid - rng.choice([0, 3, 60, 1020]),
        paid=paid,
        received=_received_at(world, paid, bounds.cutoff),
        room=_any_room(world),
        cutoff=bounds.cutoff,
    )


def _any_room(world: World) -> Row:
    """No live room, mostly; its promoter and its place, or one of them."""
    if not world.chance(8):
        return world.rng.choice([{}, {}, {"sep_duo_id": 0, "sep_pid": ""}, {"sep_duo_id": None}])
    promoter_id, places = world.rng.choice(list(world.p_ids.items()))
    room: Row = {"sep_duo_id": promoter_id, "sep_pid": world.rng.choice(places)}
    return {key: room[key] for key in world.rng.choice([["sep_duo_id"], ["sep_pid"], list(room)])}


def any_number(world: World, paid: int) -> str:
    """As the platform makes them, and some of other lengths: bytes, numbers and collations then sort differently."""
    world.serial += 1
    day = oracle.instant_text(paid)[2:10].replace("-", "")
    number = world.serial * 1_000_003 + world.rng.randrange(1_000_000)
    return world.rng.choices([f"{day}-{number:015d}", f"{day}-{number}", f"{day}{number:015d}"], [90, 5, 5])[
        0
    ]


def _paid_at(world: World, bounds: oracle.Windows) -> int:
    rng = world.rng
    edges = [bounds.task_from, bounds.task_until, bounds.month_from, bounds.month_until]
    return rng.choices(
        [
            rng.choice(edges) + rng.choice([-1, 0, 1]),
            rng.randrange(bounds.task_from, bounds.task_until),
            rng.randrange(bounds.month_from, bounds.month_until),
            # Noon of the first day: orders of one instant, which only their numbers put in order.
            bounds.task_from + DAY // 2,
        ],
        [25, 45, 20, 10],
    )[0]


def _received_at(world: World, paid: int, cutoff: int) -> int | None:
    rng = world.rng
    at_cutoff = cutoff + rng.choice([-1, 0, 1])
    soon = paid + rng.randint(3600, 9 * DAY)
    received = rng.choices([None, at_cutoff, soon, cutoff + rng.randint(2, 9 * DAY)], [14, 16, 65, 5])[0]
    return None if received is None else max(received, paid)


def any_amount(world: World) -> int:
    """Fen: about the task's cap, about what meets the order's subsidy cap, ties of rounding, anything."""
    rng, terms = world.rng, world.terms
    cap_fen = terms.task_order_cap_fen or 20000
    rate = rng.choice(terms.tiers).rate_permille or 20
    at_subsidy_cap = (terms.subsidy_order_cap_fen or 100) * 1000 // rate
    return rng.choices(
        [
            cap_fen + rng.choice([-1, 0, 1]),
            max(0, at_subsidy_cap + rng.choice([-1, 0, 1, 1000])),
            any_tie(world, cap_fen),
            rng.randint(1, 3 * cap_fen),
            rng.choice([0, 1, 24, 25, 26, 10**9]),
            (terms.min_order_fen or 100) + rng.choice([-1, 0, 1]),
        ],
        [20, 15, 30, 24, 3, 8],
    )[0]


def any_tie(world: World, at_most: int) -> int:
    """An amount whose subsidy at one of the rates ends on exactly half a fen, where that rate has any."""
    rng = world.rng
    rate = rng.choice(world.terms.tiers).rate_permille
    ties = [amount for amount in range(min(1000, at_most + 1)) if amount * rate % 1000 == 500]
    if not ties:
        return rng.randint(0, at_most)
    again = 1000 // gcd(rate, 1000)
    first = ties[0]
    return first + again * rng.randint(0, (at_most - first) // again)


def commission_of(world: World, amount: int) -> int:
    rng = world.rng
    return rng.choice(
        [0, 1, amount // 10, oracle.half_even(amount * 350, 1000), any_tie(world, max(amount, 1))]
    )


def _lag(world: World) -> int:
    """Seconds by which `order_modify_at` trails the event."""
    return world.rng.choice([0, 0, 6, 10, 11])


def _beginning(world: World, life: _Life) -> list[Row]:
    """Up to the receipt, if there is one: unpaid (rarely told), paid, grouped, received."""
    rows = []
    if world.chance(5):
        rows.append(as_told(life, oracle.UNPAID, life.created))
    rows.append(as_told(life, 0, life.paid + _lag(world)))
    if world.chance(50):
        rows.append(as_told(life, 1, life.paid + 12 + _lag(world)))
    if life.received is not None:
        received = max(life.received, life.paid)
        rows.append(as_told(life, 2, received + 30 + _lag(world), order_receive_time=received))
    return rows


def lives_well(world: World, life: _Life) -> list[Row]:
    """To the receipt, and perhaps on to audit and settlement."""
    rows = _beginning(world, life)
    if life.received is None or world.chance(40):
        return rows
    verified = life.received + 15 * DAY + world.rng.randrange(DAY)
    known = {"order_receive_time": life.received, "order_verify_time": verified}
    rows.append(as_told(life, 3, verified + _lag(world), **known))
    if world.chance(60):
        settled = verified + 9 * DAY
        rows.append(as_told(life, 5, settled + _lag(world), **known, order_settle_time=settled))
    return rows


def _failing_at(world: World, life: _Life) -> int:
    rng = world.rng
    at_cutoff = life.cutoff + rng.choice([-1, 0, 1])
    return max(
        life.paid + 60, rng.choice([at_cutoff, at_cutoff, life.cutoff + rng.randint(-9 * DAY, 9 * DAY)])
    )


def _received_before(life: _Life, instant: int) -> dict[str, int]:
    """The receipt as a row of that instant knows it."""
    return (
        {"order_receive_time": life.received}
        if life.received is not None and life.received <= instant
        else {}
    )


def _fails(world: World, life: _Life) -> list[Row]:
    """Audit failed with or without its time, or punished; the row may come on the second or much later."""
    rng = world.rng
    failed = _failing_at(world, life)
    known = _received_before(life, failed)
    rows = [row for row in _beginning(world, life) if row["order_modify_at"] <= failed]
    kind = rng.choice(["verified", "verified", "unverified", "punished", "failed, then punished"])
    if kind == "verified":
        late = rng.choice([0, 0, 10, 3 * DAY])
        rows.append(as_told(life, 4, failed + late, **known, order_verify_time=failed))
    elif kind == "unverified":
        rows.append(as_told(life, 4, failed, **known))
    elif kind == "punished":
        # With a verify time, which says nothing here: it is that of the audit passed before.
        rows.append(as_told(life, 10, failed, **known, order_verify_time=rng.choice([None, failed - 30])))
    else:
        rows.append(as_told(life, 4, failed, **known, order_verify_time=rng.choice([None, failed])))
        rows.append(as_told(life, 10, failed + rng.choice([0, 1, DAY]), **known))
    if kind != "failed, then punished" and world.chance(30):
        # Told again later, otherwise the same: the run began with the first.
        rows.append(rows[-1] | {"order_modify_at": rows[-1]["order_modify_at"] + rng.choice([1, 2 * DAY])})
    return rows


def _fails_and_recovers(world: World, life: _Life) -> list[Row]:
    """An audit that failed, appealed against with success: nothing of the failure remains."""
    failed = _failing_at(world, life)
    known = _received_before(life, failed)
    rows = [row for row in _beginning(world, life) if row["order_modify_at"] <= failed]
    rows.append(as_told(life, 4, failed, **known, order_verify_time=failed))
    again = failed + world.rng.choice([0, 1, 2 * DAY])
    # At the same second the greater status wins, so the recovery is to 5 there.
    rows.append(as_told(life, 5 if again == failed else 3, again, **known, order_verify_time=again))
    return rows


def _fails_in_a_broken_run(world: World, life: _Life) -> list[Row]:
    """4, well again, 4 or 10, 4 or 10: the run that counts begins after the break."""
    rng = world.rng
    second = _failing_at(world, life)
    first = max(life.paid + 20, second - rng.choice([2, 50, 5 * DAY]))
    known = _received_before(life, first)
    rows = [row for row in _beginning(world, life) if row["order_modify_at"] <= first]
    rows.append(as_told(life, 4, first, **known, order_verify_time=rng.choice([None, first])))
    rows.append(as_told(life, rng.choice([1, 2, 3]), first + 1, **known))
    rows.append(as_told(life, rng.choice([4, 10]), second, **known))
    rows.append(as_told(life, rng.choice([4, 10]), second + rng.choice([0, 1, DAY]), **known))
    return rows


def _is_returned(world: World, life: _Life) -> list[Row]:
    """An after-sale, told by the detail reply alone: asked for, done, taken back, done again."""
    rng = world.rng
    done = _failing_at(world, life)
    known = _received_before(life, done)
    rows = [row for row in _beginning(world, life) if row["order_modify_at"] <= done]
    course: list[int | None] = rng.choice(
        [[2], [1, 2], [0, 1], [2, 1], [2, 2], [2, 1, 2], [2, 0], [1, None], [2, None, 2]]
    )
    status = 2 if known else 1
    for place, return_status in enumerate(course):
        step = done - 1 + place if len(course) > 1 else done
        rows.append(as_detail(as_told(life, status, step, **known), return_status))
    if world.chance(25):
        # The audit follows, with a time of its own on either side.
        audited = done + rng.choice([-1, 0, 1, DAY])
        rows.append(as_told(life, 4, done + DAY + 5, **known, order_verify_time=audited))
    elif world.chance(50):
        rows.append(as_told(life, 3 if known else 1, done + rng.choice([1, DAY]), **known))
    return rows


def _never_was(world: World, life: _Life) -> list[Row]:
    """Never paid, or not in the programme at all."""
    if world.chance(40):
        return [as_told(life, oracle.UNPAID, life.created + _lag(world))]
    rows = _beginning(world, life)
    return [
        *rows,
        rows[-1] | {"order_status": oracle.NO_COMMISSION, "order_modify_at": rows[-1]["order_modify_at"] + 5},
    ]


def at_the_same_time(world: World, row: Row) -> Row:
    """A row of the same second that tells another story; who wins is for the fold to say."""
    rng = world.rng
    other = dict(row)
    key = rng.choice(
        [
            "order_amount",
            "order_status",
            "is_direct",
            "cat_ids",
            "type",
            "place",
            "order_receive_time",
            "room",
        ]
    )
    if key == "order_amount":
        # 999 and 1000 are told apart as texts.
        other[key] = rng.choice([999, 1000, row[key] + 1])
    elif key == "order_status":
        other[key] = rng.choice([status for status in (0, 1, 2, 3, 4, 5, 10) if status != row[key]])
        other["order_pay_time"] = row["order_pay_time"] or row["order_create_time"]
    elif key == "is_direct":
        other[key] = 0 if row[key] == 1 else 1
    elif key == "cat_ids":
        other[key] = rng.choice([[8729], [10, 9], [239, 8724]])
    elif key == "type":
        other[key] = rng.choice([94, 9, 10])
    elif key == "place":
        place = "pid" if "pid" in row else "p_id"
        other[place] = rng.choice(world.p_ids[rng.choice(list(world.p_ids))])
    elif key == "room":
        # None of the canonical facts; yet which came first must not matter.
        other["sep_duo_id"] = rng.choice([0, 9, 10])
    elif row["order_pay_time"]:
        other[key] = row["order_pay_time"] + rng.choice([1, 5 * DAY])
    return other
