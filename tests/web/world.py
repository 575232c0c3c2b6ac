"""A small site: a corrected month, an open one, and an account of each kind; and what serves it for real.

2022-11  published, corrected once        2022-12  open; what it is depends on the clock
promoter@  PROMOTER: V0, passed in November, close to it in December     neighbour@  the next promoter
operator@ second@ finance@ admin@         every password is PASSWORD
"""

import shutil
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.request import urlopen

from sqlalchemy import Engine, select

from bounty.accounts.service import add_user
from bounty.audit.service import Actor, acting
from bounty.db import transaction
from bounty.models import Payout, User
from bounty.money import shown_yuan
from bounty.payees.encryption import PayeeCipher, PayeeDetails
from bounty.payees.files import PayeeRow
from bounty.payees.service import propose_payees
from bounty.payment_results.files import read_payment_results
from bounty.payment_results.service import import_results
from bounty.roster.programmes import add_programme
from bounty.tranches import approval, departures, preparation
from tests.factories import (
    PROMOTER,
    Month,
    Row,
    environment,
    half_month_terms,
    link,
    order_row,
    promoter,
    shanghai,
    terms_toml,
    violation,
)

NEIGHBOUR = PROMOTER + 1
CANARY = "金丝雀7f3a9c51"
"""In the neighbour's name and the names of their goods, and nowhere else."""
CANARY_ORDERS = [first + 20 + 5 * n for first in (100, 200) for n in range(6)]
"""The numbers of the neighbour's orders."""
PASSWORD = "correct horse battery"
PAYEE_KEY = "for tests: nobody else's, and no secret of theirs"
ACCOUNTS: dict[str, tuple[str, int | None]] = {
    "promoter@example.com": ("promoter", PROMOTER),
    "neighbour@example.com": ("promoter", NEIGHBOUR),
    "operator@example.com": ("operator", None),
    "second@example.com": ("operator", None),
    "finance@example.com": ("finance", None),
    "admin@example.com": ("admin", None),
}
"""E-mail -> role, and the promoter it belongs to."""
EMAILS = {
    "promoter": "promoter@example.com",
    "operator": "operator@example.com",
    "finance": "finance@example.com",
    "admin": "admin@example.com",
}
"""Role -> who has it."""
LEVELS = {
    "V0": 'direct_only = true\ngmv_yuan = "700.00"\norders = 6',
    "V1": "direct_only = false\nmin_tenure_months = 2\ngmv_yuan = { history_periods = 3, "
    'factor = "1.10", floor = "300.00", ceiling = "500000.00", step = "100.00" }',
}
"""The contract's, with targets that a handful of orders reach."""
SPRINT, SPRINT_NAME = "sprint", "半月冲刺"
"""Code and name of the second programme, where there is one."""
DECEMBER = "2022-12-15 15:00:00"
"""Within the task window."""
JANUARY = "2023-01-12 10:00:00"
"""After the receipt cutoff: December can be settled."""


def month_orders(month: str, *, first: int) -> list[Row]:
    """Orders of three promoters: one of each fate for PROMOTER, a few that count for the others.

    first   the number of the first; they take up to 60 from there
    """
    paid, received = f"{month}-05 12:00:00", f"{month}-09 12:00:00"
    rows = [
        order_row(number=first + at, amount_fen=12_000 + at, paid=paid, received=received) for at in range(4)
    ]
    rows += [
        order_row(number=first + 10, amount_fen=3_100, paid=f"{month}-13 21:04:00", received=None),
        order_row(number=first + 11, amount_fen=4_200, paid=paid, received=received, is_direct=0),
        order_row(number=first + 12, amount_fen=1_500, paid=paid, received=received, type=94),
        order_row(number=first + 13, amount_fen=5_300, paid=paid, received=received, status=4),
        order_row(
            number=first + 14, amount_fen=90_000, paid=f"{month}-12 08:00:00", received=f"{month}-14 09:00:00"
        ),
    ]
    for at, other in enumerate((NEIGHBOUR, PROMOTER + 2), 20):
        rows += [
            order_row(
                number=first + at + 5 * n,
                promoter_id=other,
                amount_fen=15_000,
                paid=paid,
                received=received,
                p_id=f"{other}_1",
                goods_name=CANARY if other == NEIGHBOUR else "示例 商品",
            )
            for n in range(6)
        ]
    return rows


def fill(engine: Engine, folder: Path) -> None:
    """Put the small site into an empty database."""
    opened = Month(engine, folder / "october", period="2022-11", now="2022-10-25 09:00:00")
    opened.table(
        "promoters",
        promoter(name="示例·林晓"),
        promoter(NEIGHBOUR, name=f"示例·{CANARY}"),
        promoter(PROMOTER + 2, name="示例·何安", level="V1"),
        promoter(PROMOTER + 3, name="示例·吴双"),
        promoter(
            PROMOTER + 4, name="示例·方晴", level="V1", registered_on="2022-10-02", level_from="2022-10-02"
        ),
        *(promoter(PROMOTER + at, name=f"示例·{at} 号") for at in range(5, 9)),
    )
    opened.table("violations", violation(PROMOTER + 3, occurred_on="2022-10-11"))
    opened.table("links", link(f"{NEIGHBOUR}_1", "app"))
    opened.terms(terms_toml(levels=LEVELS, effective_from="2022-11"))
    opened.open()
    Month(engine, folder / "november", period="2022-12", now="2022-11-25 09:00:00").open()
    november = Month(engine, folder / "december", period="2022-11", now="2022-12-12 10:00:00")
    november.orders(
        *month_orders("2022-11", first=100),
        *(
            order_row(number=104 + n, paid="2022-11-06 12:00:00", received="2022-11-10 12:00:00")
            for n in range(2)
        ),
    )
    november.settle()
    november.publish()
    corrected = Month(engine, folder / "corrected", period="2022-11", now="2022-12-14 10:00:00")
    corrected.orders(
        order_row(
            number=101,
            amount_fen=11_001,
            paid="2022-11-05 12:00:00",
            received="2022-11-09 12:00:00",
            modified="2022-12-13 10:00:00",
        )
    )
    corrected.settle()
    corrected.publish()
    december = Month(engine, folder / "december-orders", period="2022-12", now="2022-12-15 09:00:00")
    december.orders(*month_orders("2022-12", first=200))
    december.orders(order_row(number=299, order_status=99))  # waits in quarantine
    with transaction(engine) as connection:
        for email, (role, promoter_id) in ACCOUNTS.items():
            add_user(
                connection,
                email=email,
                name=email.partition("@")[0],
                role=role,
                promoter_id=promoter_id,
                password=PASSWORD,
                now=december.now,
            )


def add_sprint(engine: Engine, folder: Path) -> None:
    """A second programme, of half-months over the same orders: the first of November published, those of December's
    open. Whoever passed in it is owed by both; to be called before ``pay``."""
    with transaction(engine) as connection:
        add_programme(connection, SPRINT, SPRINT_NAME, 0)
    levels = {
        "V0": 'direct_only = true\ngmv_yuan = "700.00"\norders = 6',
        "V1": 'direct_only = false\ngmv_yuan = { history_periods = 3, factor = "1.10", floor = "300.00", '
        'step = "100.00" }',
    }
    half = half_month_terms(terms_toml(levels=levels, effective_from="2022-11"))
    half = half.replace('"2022-12a"', '"2022-11a"').replace("V0&V1 定向赏金补贴", f"{SPRINT_NAME}补贴")
    for period, now in (("2022-11a", "2022-10-28"), ("2022-11b", "2022-11-12"), ("2022-12a", "2022-11-27")):
        month = Month(engine, folder / period, period=f"{SPRINT}:{period}", now=f"{now} 09:00:00")
        if period == "2022-11a":
            month.terms(half)
        month.open()
    first = Month(engine, folder / "first-half", period=f"{SPRINT}:2022-11a", now="2022-12-12 11:00:00")
    first.settle()
    first.publish()


def pay(engine: Engine, folder: Path) -> None:
    """Pay November: tranche 1 is paid, but for the neighbour's payment, which failed, and one held; tranche 2, prepared
    by finance, takes an order back that was refunded since. A payment that the books never asked for is answered for.
    """
    month = Month(engine, folder / "settled", period="2022-11", now="2022-12-14 12:00:00")
    month.orders(
        *(settled(100 + at, 12_000 + at) for at in (0, 2)),
        *(
            settled(
                number, 15_000, promoter_id=other, goods_name=CANARY if other == NEIGHBOUR else "示例 商品"
            )
            for number, other in ((120, NEIGHBOUR), (125, NEIGHBOUR), (121, PROMOTER + 2))
        ),
    )
    with transaction(engine) as connection:
        given = [
            PayeeRow(place, each, PayeeDetails("alipay", f"1380000{place:04d}", "示例收款人", "", ""))
            for place, each in enumerate((PROMOTER, NEIGHBOUR), 2)
        ]
        propose_payees(
            connection, given, PayeeCipher(PAYEE_KEY), month.now, reason=None, approval_required=False
        )
        first, _ = preparation.prepare(connection, shanghai("2022-12-14 00:00:00"), month.now)
        approval.export_begins(connection, first.tranche_id, month.now, approval_required=False)
        asked = select(Payout.promoter_id, Payout.payable_fen).where(Payout.tranche_id == first.tranche_id)
        payable = {row.promoter_id: shown_yuan(row.payable_fen) for row in connection.execute(asked)}
    receipt = folder / "receipt.csv"
    receipt.write_text(
        "payout_id,amount_yuan,status,reason\n"
        f"P1-{PROMOTER},{payable[PROMOTER]},paid,\nP1-{NEIGHBOUR},{payable[NEIGHBOUR]},failed,账户名与姓名不符\nP9-{PROMOTER},1.00,paid,\n",
        encoding="utf-8",
    )
    later = Month(engine, folder / "refunded", period="2022-11", now="2022-12-15 08:00:00")
    with transaction(engine) as connection:
        import_results(connection, read_payment_results(receipt), PayeeCipher(PAYEE_KEY), later.now)
        departures.answer(
            connection,
            f"P9-{PROMOTER}",
            departures.SEEN,
            "付款方误填编号",
            later.now,
            approval_required=False,
        )
    later.orders(
        settled(100, 12_000, status=4, modified="2022-12-14 18:00:00"),
        settled(103, 12_003, settled="2022-12-14 20:00:00", modified="2022-12-14 20:00:00"),
        settled(
            104,
            10_000,
            paid="2022-11-06 12:00:00",
            settled="2022-12-14 20:00:00",
            modified="2022-12-14 20:00:00",
        ),
    )
    with transaction(engine) as connection:
        finance = connection.execute(select(User.id).where(User.email == EMAILS["finance"])).scalar_one()
    with transaction(acting(engine, Actor(EMAILS["finance"], finance, "finance"))) as connection:
        preparation.prepare(connection, shanghai("2022-12-15 00:00:00"), later.now)


def settled(number: int, amount_fen: int, **fields: Any) -> Row:
    """An order of November whose commission has settled."""
    others = {"p_id": f"{fields['promoter_id']}_1"} if "promoter_id" in fields else {}
    usual: dict[str, Any] = {
        "paid": "2022-11-05 12:00:00",
        "received": "2022-11-09 12:00:00",
        "status": 5,
        "verified": "2022-12-12 12:00:00",
        "settled": "2022-12-13 12:00:00",
        "modified": "2022-12-13 12:00:00",
    }
    return order_row(number=number, amount_fen=amount_fen, **usual | others | fields)


@dataclass(frozen=True, slots=True)
class Site:
    """The application, served by a process of its own."""

    url: str
    """Without a slash at the end."""
    database_url: str
    folder: Path
    """Its uploads and mails."""


def serving(
    listening: socket.socket, database_url: str, folder: Path, now: str, **more: str
) -> "subprocess.Popen[bytes]":
    """Start what serves a database on a socket, as a process of its own group, with a clock that stands.

    now    a wall time in Shanghai
    more   settings, by their variables
    """
    number, port = listening.fileno(), listening.getsockname()[1]
    variables = {
        "BOUNTY_SECRET_KEY": "for tests: nobody else's, and not a secret",
        "BOUNTY_TOTP_KEY": "for tests: nobody else's, and not a secret either",
        "BOUNTY_PAYEE_KEY": PAYEE_KEY,
        "BOUNTY_UPLOADS": str(folder / "uploads"),
        "BOUNTY_BACKUPS": str(folder / "backups"),
        "BOUNTY_PUBLIC_URL": f"http://127.0.0.1:{port}",
        "BOUNTY_WECHAT_APPID": "wx0123456789abcdef",
    } | more
    command = [
        *(sys.executable, "-m", "gunicorn", "--bind", f"fd://{number}"),
        *("--worker-class", "gthread", "--threads", "4", "--log-level", "warning", "bounty.app:create_app()"),
    ]
    env = environment(database_url, f"{now.replace(' ', 'T')}+08:00", **variables)
    with (folder / "served.log").open("ab") as log:
        return subprocess.Popen(
            command, env=env, pass_fds=[number], stdout=log, stderr=log, start_new_session=True
        )


@contextmanager
def served(database_url: str, folder: Path, now: str, **more: str) -> Iterator[Site]:
    """Serve a database until the end of a test, as ``serving`` does."""
    # The socket is ours, so that there is no port to guess; who comes before the server is up waits.
    with socket.create_server(("127.0.0.1", 0)) as listening:
        url = f"http://127.0.0.1:{listening.getsockname()[1]}"
        process = serving(listening, database_url, folder, now, **more)
        try:
            # What is asked first waits for the application to be made.
            urlopen(f"{url}/static/icon.svg", timeout=120).close()
            yield Site(url, database_url, folder)
        finally:
            process.terminate()
            process.wait(timeout=30)


def copied(template: Path, folder: Path) -> str:
    """The URL of a copy of an SQLite database."""
    folder.mkdir(parents=True, exist_ok=True)
    shutil.copy(template, folder / "books.sqlite")
    return f"sqlite:///{folder / 'books.sqlite'}"
