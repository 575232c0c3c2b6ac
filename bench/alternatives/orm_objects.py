"""The month with plain ORM objects: ``python orm_objects.py FOLDER OUT DATABASE_URL``.

Puts the folder's CSV files into tables of its own (one row an order: the newest, and since when it fails), then walks
over promoters and their orders as objects, measures, settles, and writes OUT/results.csv and OUT/subsidy_lines.csv.
The terms are those of the bench's data, written in as numbers.
"""

import csv
import sys
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime
from itertools import islice
from pathlib import Path

from sqlalchemy import BigInteger, ForeignKey, create_engine, select
from sqlalchemy.orm import DeclarativeBase, Mapped, Session, mapped_column, relationship, selectinload

DAY = datetime.fromisoformat
"""Instants are Shanghai's wall time, as the files have it."""
MONTH, FIRST, NEXT = "2022-12", DAY("2022-12-01"), DAY("2023-01-01")
WINDOWS = {
    "2022-08": (DAY("2022-08-01"), DAY("2022-08-21"), DAY("2022-09-11")),
    "2022-09": (DAY("2022-09-01"), DAY("2022-09-21"), DAY("2022-10-11")),
    "2022-10": (DAY("2022-10-01"), DAY("2022-10-21"), DAY("2022-11-11")),
    MONTH: (FIRST, DAY("2022-12-21"), DAY("2023-01-11")),
}
"""Month -> first day and end of the task window, receipt cutoff."""
STATUS = {
    "未支付": -1, "已成团": 1, "确认收货": 2, "审核通过": 3, "审核失败": 4, "已结算": 5, "8": 8, "已处罚": 10,
}  # fmt: skip
VIRTUAL = {"8724", "8729", "8730", "8732", "8733", "8736"}
ROWS_AT_A_TIME = 1_000
CsvRow = dict[str, str]


class Base(DeclarativeBase):
    """Of the tables."""


class Order(Base):
    """The newest state of an order."""

    __tablename__ = "orders"
    sn: Mapped[str] = mapped_column(primary_key=True)
    promoter_id: Mapped[int] = mapped_column(BigInteger, ForeignKey("promoters.id"), index=True)
    p_id: Mapped[str]
    fen: Mapped[int]
    status: Mapped[int]
    direct: Mapped[bool]
    compared: Mapped[bool]
    virtual: Mapped[bool]
    paid: Mapped[datetime | None]
    received: Mapped[datetime | None]
    verified: Mapped[datetime | None]
    modified: Mapped[datetime]
    failing_since: Mapped[datetime | None]

    @property
    def failed_at(self) -> datetime | None:
        """When it failed; None if it has not."""
        return self.verified if self.status == 4 and self.verified else self.failing_since

    def counts(self, direct_only: bool, month: str) -> bool:
        """Whether it counts for the task of a month."""
        task_from, task_until, cutoff = WINDOWS[month]
        return (
            self.paid is not None
            and task_from <= self.paid < task_until
            and self.status not in (-1, 8)
            and (self.direct or not direct_only)
            and not self.virtual
            and (self.failed_at is None or self.failed_at >= cutoff)
            and self.received is not None
            and self.received < cutoff
        )

    def earns(self, other_links: set[str]) -> bool:
        """Whether it can earn a subsidy."""
        return (
            self.paid is not None
            and FIRST <= self.paid < NEXT
            and self.status not in (-1, 8)
            and not (self.virtual or self.compared)
            and self.failed_at is None
            and self.p_id not in other_links
        )


class Promoter(Base):
    """A promoter, with what the files say of them."""

    __tablename__ = "promoters"
    id: Mapped[int] = mapped_column(BigInteger, primary_key=True, autoincrement=False)
    name: Mapped[str]
    level: Mapped[str]
    registered_on: Mapped[datetime]
    violating: Mapped[bool]
    target_gmv: Mapped[int | None]
    target_orders: Mapped[int | None]
    target_given: Mapped[bool]
    orders: Mapped[list[Order]] = relationship()

    def measured(self, month: str) -> tuple[int, int]:
        """Fen, each order at most 200 yuan, and number of the orders that count."""
        counting = [order.fen for order in self.orders if order.counts(self.level != "V1", month)]
        return sum(min(fen, 20_000) for fen in counting), len(counting)

    def targets(self) -> tuple[int, int]:
        """GMV in fen and orders; 0 is none."""
        if self.target_given:
            return self.target_gmv or 0, self.target_orders or 0
        if self.level == "V0":
            return 200_000, 20
        history = sum(self.measured(month)[0] for month in WINDOWS if month != MONTH)
        return min(max(-(-history * 11 // 300_000) * 10_000, 100_000), 50_000_000), 0

    def reason(self) -> str:
        """The first reason why they are not judged; blank for none."""
        if self.level not in ("V0", "V1"):
            return "LEVEL_NOT_OFFERED"
        if self.level == "V1" and self.registered_on > DAY("2022-10-01"):
            return "TENURE_TOO_SHORT"
        if self.violating:
            return "VIOLATION"
        return "" if any(self.targets()) else "NO_TARGET"


@dataclass(frozen=True)
class Line:
    """What an order earns, fen."""

    order: Order
    rate: int
    subsidy: int


def import_promoters(session: Session, folder: Path) -> None:
    """The promoters that are judged in the month."""
    violating = {
        row["promoter_id"]
        for row in _rows(folder / "violations.csv")
        if row["occurred_on"] < "2022-12-01" and (row["cleared_on"] or "9999") >= "2022-12-01"
    }
    targets = {row["promoter_id"]: row for row in _rows(folder / "targets.csv") if row["period"] == MONTH}
    for row in _rows(folder / "promoters.csv"):
        if row["registered_on"] < "2022-12-01":
            given = targets.get(row["promoter_id"])
            session.add(
                Promoter(
                    id=int(row["promoter_id"]),
                    name=row["name"],
                    level=row["level"],
                    registered_on=datetime.fromisoformat(row["registered_on"]),
                    violating=row["promoter_id"] in violating,
                    target_gmv=_fen(given["gmv_yuan"]) if given and given["gmv_yuan"] else None,
                    target_orders=int(given["orders"]) if given and given["orders"] else None,
                    target_given=given is not None,
                )
            )
    session.commit()


def import_orders(session: Session, path: Path) -> None:
    """Every order's newest row. A row that comes late, behind a newer one, is lost."""
    known = set(session.scalars(select(Promoter.id)))
    rows = _rows(path)
    while some := [*islice(rows, ROWS_AT_A_TIME)]:
        numbers = {row["订单编号"] for row in some}
        held = {order.sn: order for order in session.scalars(select(Order).where(Order.sn.in_(numbers)))}
        for row in some:
            promoter_id, modified = int(row["推广位ID"].partition("_")[0]), _instant(row["更新时间"])
            assert modified is not None
            order = held.get(row["订单编号"])
            if promoter_id not in known or (order is not None and order.modified >= modified):
                continue
            if order is None:
                order = held[row["订单编号"]] = Order(sn=row["订单编号"], failing_since=None)
                session.add(order)
            take(order, row, promoter_id, modified)
        session.commit()
        session.expunge_all()


def take(order: Order, row: CsvRow, promoter_id: int, modified: datetime) -> None:
    """Put a newer row's facts into an order."""
    order.promoter_id, order.p_id, order.modified = promoter_id, row["推广位ID"], modified
    order.fen, order.status = _fen(row["实付金额(元)"]), STATUS[row["订单状态"]]
    order.direct, order.compared = row["是否直推"] == "是", row["比价状态"] == "比价"
    order.virtual = row["订单类型"] == "94" or not VIRTUAL.isdisjoint(row["类目ID"].split(";"))
    order.paid, order.received = _instant(row["支付时间"]), _instant(row["确认收货时间"])
    order.verified = _instant(row["审核时间"])
    if order.status not in (4, 10):
        order.failing_since = None
    elif order.failing_since is None:
        order.failing_since = modified


def settle(promoter: Promoter, other_links: set[str]) -> tuple[list[str], list[Line]]:
    """A promoter's row of results.csv, and their lines."""
    head = [MONTH, str(promoter.id), promoter.name, promoter.level]
    if reason := promoter.reason():
        return [*head, "no", reason, "", "", "", "", "no", "", "", ""], []
    (gmv, count), (target_gmv, target_orders) = promoter.measured(MONTH), promoter.targets()
    rate = 0
    if gmv * 2 >= target_gmv * 3 and count * 2 >= target_orders * 3:
        rate = 30
    elif gmv >= target_gmv and count >= target_orders:
        rate = 20
    lines = [*lines_of(promoter, rate, other_links)] if rate else []
    return [
        *head, "yes", "", _yuan(gmv), str(count),
        _yuan(target_gmv) if target_gmv else "", str(target_orders or ""), "yes" if rate else "no",
        str(rate or ""), str(len(lines)), _yuan(sum(line.subsidy for line in lines)),
    ], lines  # fmt: skip


def lines_of(promoter: Promoter, rate: int, other_links: set[str]) -> Iterator[Line]:
    """What each order earns, at most 20 yuan, and the promoter at most 5,000."""
    room = 500_000
    earning = [order for order in promoter.orders if order.earns(other_links)]
    for order in sorted(earning, key=lambda order: (order.paid or FIRST, order.sn)):
        whole, rest = divmod(order.fen * rate, 1000)
        share = min(whole + (rest > 500 or (rest == 500 and whole % 2 == 1)), 2_000, room)
        room -= share
        if share > 0:
            yield Line(order, rate, share)


def write(session: Session, folder: Path, out: Path) -> None:
    """Both files."""
    other_links = {row["p_id"] for row in _rows(folder / "links.csv") if row["channel"] == "other"}
    out.mkdir(parents=True, exist_ok=True)
    with (
        (out / "results.csv").open("w", encoding="utf-8-sig", newline="") as results_file,
        (out / "subsidy_lines.csv").open("w", encoding="utf-8-sig", newline="") as lines_file,
    ):
        results = csv.writer(results_file, lineterminator="\r\n")
        lines = csv.writer(lines_file, lineterminator="\r\n")
        results.writerow(
            "period,promoter_id,name,level,eligible,reason,gmv_yuan,orders,target_gmv_yuan,target_orders,passed,"
            "rate_permille,subsidy_orders,subsidy_yuan".split(",")
        )
        lines.writerow("period,promoter_id,order_sn,paid_at,basis_yuan,rate_permille,subsidy_yuan".split(","))
        ids = [*session.scalars(select(Promoter.id).order_by(Promoter.id))]
        for start in range(0, len(ids), 200):
            some = Promoter.id.in_(ids[start : start + 200])
            query = select(Promoter).where(some).order_by(Promoter.id).options(selectinload(Promoter.orders))
            for promoter in session.scalars(query):
                result, earned = settle(promoter, other_links)
                results.writerow(result)
                lines.writerows(_line_texts(promoter.id, earned))
            session.expunge_all()


def _line_texts(promoter_id: int, lines: Iterable[Line]) -> Iterator[tuple[str, ...]]:
    for line in lines:
        order = line.order
        assert order.paid is not None
        yield (
            MONTH, str(promoter_id), order.sn, f"{order.paid.isoformat()}+08:00", _yuan(order.fen), str(line.rate),
            _yuan(line.subsidy),
        )  # fmt: skip


def _rows(path: Path) -> Iterator[CsvRow]:
    with path.open(encoding="utf-8-sig", newline="") as file:
        yield from csv.DictReader(file)


def _instant(text: str) -> datetime | None:
    return datetime.fromisoformat(text) if text else None


def _fen(text: str) -> int:
    return round(float(text) * 100)


def _yuan(fen: int) -> str:
    return f"{fen // 100}.{fen % 100:02d}"


def main(folder: Path, out: Path, url: str) -> None:
    """The whole month."""
    engine = create_engine(url)
    Base.metadata.create_all(engine)
    with Session(engine) as session:
        import_promoters(session, folder)
        import_orders(session, folder / "orders.csv")
        write(session, folder, out)
    engine.dispose()


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]), sys.argv[3])
