"""The shell: a result of every command as JSON in its documented shape, quick help, and numbers in sentences."""

import json
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import click
import pytest
from sqlalchemy import Engine

from bounty.accounts.service import add_user
from bounty.app import main
from bounty.db import transaction
from bounty.models.payment_results import RowVerdict
from tests import postgres
from tests.factories import (
    PROMOTER,
    Month,
    command,
    order_row,
    payee,
    promoter,
    sn,
    terms_toml,
    write_json,
    write_table,
)
from tests.payout.world import SETTLED

NO_RESULT = {"worker", "stand-in", "upload", "run", "shell", "routes"}
"""They run until they are ended, or report to the process that started them."""
SEEN_ELSEWHERE = {
    "forecast",
    "approve", "void ask", "void answer", "payees approve", "payout answer", "payout reopen", "payout approve",
    "archive", "lake export", "sync", "sync coverage", "sync sweep", "outbox resend", "restore", "demo", "payout close",
}  # fmt: skip
"""What takes two people, the platform, or a database of its own."""
COUNTS = ["read", "new", "changed", "unchanged", "stale", "quarantined"]
PROMISES = Path(__file__).parents[1] / "docs" / "promises.md"
NOW = "2023-01-25T12:00:00+08:00"
only_sqlite = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)


def commands(group: click.Group, above: str = "") -> Iterator[tuple[str, click.Command]]:
    context = click.Context(group)
    for name in group.list_commands(context):
        entry = group.get_command(context, name)
        assert entry is not None
        if isinstance(entry, click.Group):
            if entry.invoke_without_command:
                yield f"{above}{name}", entry
            yield from commands(entry, f"{above}{name} ")
        else:
            yield f"{above}{name}", entry


def documented() -> dict[str, tuple[str, list[str]]]:
    """Command -> what the page of promises says it prints: object or list, and the fields."""
    shapes: dict[str, tuple[str, list[str]]] = {}
    section = PROMISES.read_text(encoding="utf-8").partition("\n## JSON\n")[2].partition("\n### ")[0]
    for line in section.splitlines():
        if not line.startswith("| `"):
            continue
        _, names, kind, fields, _ = line.split("|")
        plain = re.sub(r"\([^)]*\)", "", fields.partition(";")[0])
        listed = [
            COUNTS if part.strip() == "the six counts" else re.findall("`([a-z_0-9]+)`", part)
            for part in plain.split(",")
        ]
        for name in re.findall("`([^`]+)`", names):
            shapes[name] = (kind.strip(), [field for part in listed for field in part])
    shapes["payout list"] = ("list", [each for each in shapes["payout list"][1] if each != "a"])
    for name in ("payout prepare", "payout show"):
        shapes[name] = ("object", [*shapes["payout list"][1], *shapes[name][1]])
    verdicts = [verdict.lower() for verdict in RowVerdict]
    shapes["payout receipt"] = ("list", [*shapes["payout receipt"][1], *verdicts])
    return shapes


def test_every_command_that_prints_a_result_prints_it_as_json_too() -> None:
    lacking = [
        name
        for name, entry in commands(main)
        if name not in NO_RESULT and not any("--json" in each.opts for each in entry.params)
    ]
    assert lacking == []


def test_every_shape_is_documented() -> None:
    kinds = {"import promoters", "import violations", "import links", "import targets", "import orders"}
    taken = {name for name, _ in commands(main)} - NO_RESULT - kinds | {"import KIND"}
    assert set(documented()) == taken


def test_the_list_of_commands_is_the_commands_and_is_short() -> None:
    shown = command("sqlite://", None, "--help").stdout
    assert [option for option in ("--env-file", "--app", "--debug") if option in shown] == []
    assert "--version" in shown
    for name, entry in commands(main):
        if name not in NO_RESULT:
            assert re.search(rf"^  {name.split()[0]}  +\S", shown, re.MULTILINE), name
        assert entry.get_short_help_str()
    assert "..." not in shown.partition("The month:")[2]


def test_help_loads_neither_the_books_nor_the_pages() -> None:
    """What takes the time is importing; a bare `bounty --help` imports the command line and no library behind it."""
    script = (
        "import sys; from bounty.app import main; main(['--help'], standalone_mode=False); "
        "print(sorted(sys.modules))"
    )
    said = subprocess.run([sys.executable, "-c", script], capture_output=True, encoding="utf-8", check=True)
    loaded = set(re.findall(r"'([a-z_.0-9]+)'", said.stdout.splitlines()[-1]))
    heavy = {"sqlalchemy", "pydantic", "alembic", "rich", "cryptography", "flask_security", "config"}
    assert heavy & loaded == set()
    assert {each for each in loaded if each.startswith("bounty.") and each.count(".") > 1} == set()


class Shell:
    """Commands with ``--json``, each answer held against its documented shape."""

    def __init__(self, database_url: str) -> None:
        self._url, self._shapes = database_url, documented()
        self.seen: set[str] = set()

    def __call__(self, name: str, *arguments: str | Path, code: int = 0) -> Any:
        said = command(self._url, NOW, *name.split(), *map(str, arguments), "--json")
        assert (said.exit_code, said.stderr.count("\n") <= 1 or name in ("check", "import flags")) == (
            code,
            True,
        ), said.stderr
        answer = json.loads(said.stdout)
        shaped = (
            "import KIND"
            if name.startswith("import ") and name.split()[1] not in ("list", "undo", "flags", "headers")
            else name
        )
        self.seen.add(shaped)
        kind, fields = self._shapes[shaped]
        assert not kind or isinstance(answer, list) == (kind == "list"), name
        for each in answer if isinstance(answer, list) else [answer]:
            assert not kind or set(each) == set(fields), name
        return answer


def test_a_month_in_json(
    engine: Engine, database_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    if database_url.startswith("postgresql"):
        monkeypatch.setenv("BOUNTY_POSTGRES_PROGRAMS", str(postgres.client_programs()))
    shell = Shell(database_url)
    terms = tmp_path / "terms.toml"
    terms.write_text(terms_toml(), encoding="utf-8")
    assert shell("terms add", terms)["changed"]
    assert not shell("terms add", terms)["changed"]
    assert shell("terms show", "2022-12")["zh"]
    assert shell("programme add", "sprint", "--name", "冲刺") == {
        "code": "sprint",
        "name": "冲刺",
        "changed": True,
    }
    shell("programme rename", "sprint", "--name", "冲刺")
    assert [each["code"] for each in shell("programme list")] == ["main", "sprint"]
    shell("programme retire", "sprint")
    assert shell("programme restore", "sprint") == {"code": "sprint", "changed": True}
    (taken,) = shell("import promoters", write_table(tmp_path / "promoters.csv", [promoter()]))
    assert (taken["read"], taken["new"], taken["refused"]) == (1, 1, None)
    month = Month(engine, tmp_path)
    orders = [order_row(number=number, **SETTLED) for number in range(1, 31)]
    assert shell("open", "2022-12")["eligible"] == 1
    (taken,) = shell("import orders", write_json(tmp_path / "orders.json", orders))
    batch = str(taken["batch"])
    unknown = write_json(tmp_path / "unknown.json", [order_row(number=40, promoter_id=1234567)])
    assert shell("import orders", unknown)[0]["quarantined"] == 1
    assert [each["quarantined"] for each in shell("import list")] == [1, 0, 0]
    assert shell("import headers", "orders", "--keep", "实付金额=实付金额(元)") == [
        {"header": "实付金额", "column": "实付金额(元)"}
    ]
    assert shell("import flags", batch)["batch"] == int(batch)
    (entry,) = shell("quarantine list")
    assert entry["errors"][0]["code"] == "E-PROMOTER"
    assert shell("quarantine export") == [entry]
    assert shell("quarantine retry") == []
    shell("quarantine dismiss", str(entry["entry"]), "--reason", "试")
    assert shell("quarantine list") == []
    spare = write_json(tmp_path / "spare.json", [order_row(number=50)])
    (undone,) = shell("import orders", spare)
    assert shell("import undo", str(undone["batch"]))["rows"] == 1
    shell("confirm-data", "2022-12", "--through", "2023-01-11", "--reason", "试")
    assert shell("progress", "2022-12", str(PROMOTER))["promoter_id"] == PROMOTER
    assert shell("explain", sn(1))["order_sn"] == sn(1)
    assert [each["promoter_id"] for each in shell("results", "2022-12")] == [PROMOTER]
    assert shell("rebuild")["rows"]["promoter_progress"] == 1
    assert shell("figures") == {"computed": []}  # of books as small as these, pages compute them
    published(shell, month, terms, tmp_path)
    paid(shell, tmp_path)
    people(shell, engine, tmp_path)
    assert set(documented()) - shell.seen == SEEN_ELSEWHERE


def published(shell: Shell, month: Month, terms: Path, tmp_path: Path) -> None:
    draft = shell("settle", "2022-12")
    assert draft["changed"]
    assert not shell("waive", "2022-12", "FRESH", "--reason", "试")["changed"]
    assert shell("publish", "2022-12")["content_sha256"] == draft["content_sha256"]
    assert shell("notice", "2022-12")["changes"] is None
    assert shell("status", "2022-12")["state"] == "PUBLISHED"
    assert shell("export", "2022-12", "--out", tmp_path / "out")["settlement"] == draft["settlement"]
    assert shell("recompute", "2022-12")["equal"]
    shell("simulate", terms, "--periods", "2022-12")
    assert shell("check")["violations"] == 0
    month.orders(order_row(number=1, modified="2023-01-24 00:00:00", status=4))
    again = shell("settle", "2022-12")
    assert again["subsidy_fen"] < draft["subsidy_fen"]
    shell("confirm-data", "2022-12", "--through", "2023-01-12", "--reason", "试")
    shell("publish", "2022-12")
    changes = shell("notice", "2022-12")["changes"]
    assert [each["order_sn"] for each in changes["orders"]] == [sn(1)]


def paid(shell: Shell, tmp_path: Path) -> None:
    given = shell("payees import", write_table(tmp_path / "payees.csv", [payee()]))
    assert (given["payees"], given["in_force"]) == (1, True)
    assert [each["promoter_id"] for each in shell("payees list")["in_force"]] == [PROMOTER]
    held = shell("payout hold", "2022-12", str(PROMOTER), "--reason", "试", "--due", "2023-02-01")
    assert held["due_at"] == "2023-02-02T00:00:00+08:00"
    assert shell("payout release", "2022-12", str(PROMOTER), "--reason", "试")["state"] == "released"
    tranche = shell("payout prepare")
    number = str(tranche["tranche"])
    assert shell("payout list")[0]["content_sha256"] == tranche["content_sha256"]
    shell("payout export", number, "--out", tmp_path / "tranche")
    (payout,) = shell("payout show", number)["payouts"]
    told = shell("payout reconcile")  # right after an export everything waits, and nothing differs
    assert (told["differences"], told["waiting"]["payouts"]) == ([], 1)
    results = tmp_path / "results.csv"
    yuan = f"{payout['payable_fen'] // 100}.{payout['payable_fen'] % 100:02d}"
    results.write_text(
        f"payout_id,amount_yuan,status,reason\n{payout['payout']},{yuan},paid,\n", encoding="utf-8"
    )
    (receipt,) = shell("payout receipt", results)
    assert (receipt["matched"], receipt["changed"]) == (1, True)
    assert shell("payout mark", payout["payout"], "paid", "--reason", "试")["changed"] == []
    assert shell("payout unanswered") == []


def people(shell: Shell, engine: Engine, tmp_path: Path) -> None:
    shell("user add", "a@example.com", "--role", "operator")
    with transaction(engine) as connection:
        add_user(connection, email="b@example.com", name="b", role="operator", password="not a secret", now=1)
    assert shell("user role", "b@example.com", "finance") == {"email": "b@example.com", "role": "finance"}
    shell("user disable", "b@example.com")
    assert [(each["role"], each["active"]) for each in shell("user list")] == [("finance", False)]
    assert shell("user enable", "b@example.com") == {"email": "b@example.com", "active": True}
    assert [each["active"] for each in shell("user list")] == [True]
    issued = shell("token add", "--role", "operator", "--name", "试")
    assert shell("token list")[0]["token_id"] == issued["token_id"]
    shell("token revoke", str(issued["token_id"]))
    assert shell("audit verify")["broken"] == []
    shell("outbox list")
    webhooks(shell)
    assert shell("db upgrade")["schema"]
    shell("slots")
    assert shell("backup", tmp_path / "backups")["rows"] > 0


def webhooks(shell: Shell) -> None:
    made = shell("webhook add", "--kind", "webhook", "--name", "x", "--url", "https://example.com/hook?k=1")
    number, secret = str(made["endpoint_id"]), made["secret"]
    assert secret.startswith("whsec_")
    assert shell("webhook rotate", number)["secret"] not in (secret, None)
    assert shell("webhook change", number, "--event", "draft", "--event", "result")["changed"]
    assert shell("webhook test", number)["message"].startswith("msg_")
    assert shell("webhook disable", number)["changed"]
    assert not shell("webhook disable", number)["changed"]
    (held,) = shell("webhook list")
    assert (held["shown_url"], held["events"]) == ("https://example.com/hook?…", ["draft", "result"])
    assert held["disabled_why"] == "BY_HAND"
    assert shell("webhook enable", number)["state"] == "on"


@only_sqlite
def test_a_refusal_with_json_stays_one_sentence(engine: Engine, database_url: str) -> None:
    said = command(database_url, NOW, "settle", "2022-12", "--json")
    assert (said.exit_code, said.stdout, said.stderr.count("\n")) == (1, "", 1)


@only_sqlite
def test_one_is_singular_and_amounts_are_grouped(engine: Engine, database_url: str, tmp_path: Path) -> None:
    month = Month(engine, tmp_path)
    month.begin()
    month.orders(*(order_row(number=number, amount_fen=20_000_00, **SETTLED) for number in range(1, 31)))
    month.settle()
    month.publish()
    month.orders(order_row(number=1, modified="2023-01-24 00:00:00", status=4))
    said = command(database_url, NOW, "status", "2022-12").stdout
    assert "settling again would change 1 order and 1 result, subsidy −¥" in said
    said = command(database_url, NOW, "notice", "2022-12").stdout
    assert re.search(r"1 result, 30 lines, subsidy ¥\d+,\d{3}\.\d\d\n", said)
    assert not re.search(r"¥\d{4}", said)
