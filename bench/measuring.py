"""The measurement of one size on one database: every step beside its floor, and beside what else one would write."""

import sys
import tempfile
from collections.abc import Callable
from itertools import zip_longest
from pathlib import Path
from statistics import median
from typing import Any

from bench import fetching, instead, pages, report, tables
from bench.data import PERIOD, Data, data_of
from bench.databases import Databases
from bench.run import measured

DRAFT_AT, PAID_AT = "2023-01-20T12:05:00+08:00", "2023-02-26T10:00:00+08:00"
"""Instants at which every page is measured."""
WHOLE_UP_TO = 1_000_000
"""Orders. Of more, an import only makes the month that is settled, without its floor and without the same again, and a
page is asked for a fifth as often: each would take the better part of an hour, and tell what it tells at this size."""
FETCHED = 20_000
"""Orders that are fetched, at most: each page costs the same, and the stand-in makes them up one by one."""


class Bench:
    """The measurement of one size on one database."""

    def __init__(self, databases: Databases, data: Data, runs: int) -> None:
        self.databases, self.data, self.runs = databases, data, runs
        self.steps: dict[str, dict[str, Any]] = {}
        self.instead: dict[str, dict[str, Any]] = {}
        self._csv, self._pages = str(data.folder / "orders.csv"), str(data.folder / "pages")

    def measure(self) -> None:
        """Measure every step, in the order of a month."""
        data, databases = self.data, self.databases
        databases.create("base")
        self._call("bench.steps:prepare", url=databases.url("base"), folder=str(data.folder))
        self.fetch()
        if data.plan.orders <= WHOLE_UP_TO:
            self.in_place_of_it()
        self.imports()
        self._note(
            "open",
            [self._call("bench.steps:open_month", url=databases.url("month"))],
            None,
            data.plan.promoters,
        )
        self._on_copies(
            "settle", "month", "settled", data.plan.orders,
            lambda name: self._call("bench.steps:settle", url=databases.url(name)),
            lambda name: self._call("bench.floors.settle:settle", database=databases.bare(name), period=PERIOD),
        )  # fmt: skip
        databases.drop("month")
        settled = self.steps["settle"]
        assert settled["result"]["subsidy_fen"] == settled["floor"]["result"]["subsidy_fen"], (
            "the floor settles otherwise"
        )
        again = [self._call("bench.steps:settle", url=databases.url("settled")) for _ in range(self.runs)]
        assert not any(run["result"]["created"] for run in again), "settling again made another settlement"
        self._note("settle again", again, None, data.plan.orders)
        for step, target, arguments in (
            ("simulate, its own terms", "bench.steps:simulate", {"changed": False}),
            ("simulate, other terms", "bench.steps:simulate", {"changed": True}),
            ("forecast", "bench.steps:forecast", {}),
        ):
            runs = [self._call(target, url=databases.url("settled"), **arguments) for _ in range(self.runs)]
            self._note(step, runs, None, data.plan.orders)
        for step, target in (
            ("recompute", "bench.instead:recompute"),
            ("export of facts for Spark", "bench.instead:lake_export"),
            ("recompute on Spark", "bench.instead:recompute_on_spark"),
        ):
            runs = [self._call(target, url=databases.url("settled")) for _ in range(self.runs)]
            self._note(step, runs, None, data.plan.orders)
        self._start_up()
        assert self.steps["recompute on Spark"]["result"]["subsidy_fen"] == settled["result"]["subsidy_fen"]

    def _start_up(self) -> None:
        """The same on Spark of a month with few orders, whose time is all start-up: session, plans, generated code."""
        small, databases = data_of("1k", self.data.folder.parent), self.databases
        databases.create("small")
        url = databases.url("small")
        self._call("bench.steps:prepare", url=url, folder=str(small.folder))
        self._call("bench.steps:bulk", url=url, path=str(small.folder / "orders.csv"))
        for target in ("bench.steps:open_month", "bench.steps:settle"):
            self._call(target, url=url)
        runs = [self._call("bench.instead:recompute_on_spark", url=url) for _ in range(self.runs)]
        self._note("recompute on Spark, 1k orders", runs, None, small.plan.orders)
        databases.drop("small")

    def in_place_of_it(self) -> None:
        """The same month by the program's commands and by each script: the same bytes, or the bench fails."""
        data, databases = self.data, self.databases
        folder = data.folder / f"instead-{databases.name}"
        runs: dict[str, list[dict[str, Any]]] = {name: [] for name in instead.KEEPS}
        for _ in range(self.runs):
            for name, its_runs in runs.items():
                out = folder / name.replace(" ", "-")
                databases.create("instead", like="base" if name == "bounty" else None)
                asked = {"url": databases.url("instead"), "out": str(out)}
                if name == "bounty":
                    its_runs.append(self._call("bench.instead:program", csv=self._csv, **asked))
                else:
                    asked |= {"name": name, "folder": str(data.folder)}
                    its_runs.append(self._call("bench.instead:script", **asked))
                databases.drop("instead")
                require_same(folder / "bounty", out)
        for name, its_runs in runs.items():
            self.instead[name] = _summary(its_runs, data.csv_rows)
            print(report.line_of(f"month by {name}", self.instead[name]), flush=True)

    def imports(self) -> None:
        """Measure the import of the CSV, of the same CSV again, of details, and of pages."""
        data, databases = self.data, self.databases
        whole = data.plan.orders <= WHOLE_UP_TO
        if whole:
            alone = []
            for _ in range(self.runs):
                databases.create("alone", like="base")
                url = databases.url("alone")
                alone.append(self._call("bench.steps:bulk", url=url, path=self._csv, alone=True))
                databases.drop("alone")
            self._note("csv in bulk, one process", alone, None, data.csv_rows)
        self._on_copies(
            "csv in bulk", "base", "held", data.csv_rows,
            lambda name: self._call("bench.steps:bulk", url=databases.url(name), path=self._csv),
            (lambda name: self._call("bench.floors.imports:bulk", database=databases.bare(name), path=self._csv))
            if whole else None,
        )  # fmt: skip
        databases.drop("base")
        if whole:
            again = [
                self._call("bench.steps:bulk", url=databases.url("held"), path=self._csv)
                for _ in range(self.runs)
            ]
            self._note("the same csv again", again, None, data.csv_rows)
            for run in again:
                assert run["result"]["unchanged"] == data.csv_rows, run["result"]
        self._call("bench.steps:bulk", url=databases.url("held"), path=str(data.folder / "details.json"))
        pages = {"folder": self._pages, "count": data.plan.pages}
        self._on_copies(
            "pages of 100", "held", "month", data.page_rows,
            lambda name: self._call("bench.steps:pages", url=databases.url(name), **pages),
            (lambda name: self._call("bench.floors.imports:pages", database=databases.bare(name), **pages))
            if whole else None,
        )  # fmt: skip
        databases.drop("held")

    def fetch(self) -> None:
        """A month from the stand-in; beside it the bare download of the same replies and our own import of them."""
        asked = {"client": fetching.CLIENT, "now": fetching.NOW, "from_at": fetching.FROM_AT}
        orders = min(max(self.data.plan.orders // 10, 1_000), FETCHED)
        with (
            tempfile.TemporaryDirectory(prefix="bounty-bench-") as replies,
            fetching.stood_in(self.data.folder / "promoters.csv", orders) as address,
        ):

            def floor(name: str) -> dict[str, Any]:
                down = self._call("bench.floors.download:download", address=address, folder=replies, **asked)
                taken = self._call("bench.steps:fetched", url=self.databases.url(name), folder=replies)
                assert down["result"]["rows"] == taken["result"]["rows"]
                return taken | {name: down[name] + taken[name] for name in ("wall_s", "cpu_s")}

            def step(name: str) -> dict[str, Any]:
                return self._call("bench.steps:sync", url=self.databases.url(name), address=address, **asked)

            rows = self._call("bench.floors.download:download", address=address, folder=replies, **asked)[
                "result"
            ]["rows"]
            self._on_copies("sync", "base", "fetched", rows, step, floor)
        assert self.steps["sync"]["result"]["rows"] == rows, "sync and its floor fetch otherwise"
        self.databases.drop("fetched")

    def export(self, folder: Path) -> None:
        """The files, and the floor's beside them."""
        mine, floors = [], []
        for _ in range(self.runs):
            mine.append(
                self._call(
                    "bench.steps:export", url=self.databases.url("settled"), folder=str(folder / "product")
                )
            )
            floors.append(
                self._call(
                    "bench.floors.export:export",
                    database=self.databases.bare("settled"), period=PERIOD, folder=str(folder / "floor"),
                )
            )  # fmt: skip
        for name in ("results.csv", "subsidy_lines.csv"):
            same = (folder / "product" / name).read_bytes() == (folder / "floor" / name).read_bytes()
            assert same, f"the floor writes another {name}"
        self._note("export", mine, floors, mine[0]["result"]["rows"])

    def progress(self) -> None:
        """Measure the statements of progress for promoters of median size and for the largest."""
        for name, promoters, repeat in (
            ("progress, median promoter", self.data.middle, 10),
            ("progress, busiest promoter", self.data.busiest[:1], 200),
        ):  # fmt: skip
            asked: dict[str, Any] = {"promoters": promoters, "repeat": repeat}
            mine = self._call("bench.steps:progress", url=self.databases.url("settled"), **asked)
            floor = self._call(
                "bench.floors.progress:progress",
                database=self.databases.bare("settled"),
                period=PERIOD,
                **asked,
            )
            taken, least, called = (_quantiles(run) for run in (
                mine["result"].pop("ms"), floor["result"].pop("ms"), mine["result"].pop("call_ms"),
            ))  # fmt: skip
            rows = len(promoters) * repeat
            found = _summary([mine], rows) | {
                "ms": taken,
                "call_ms": called,
                "ratio": taken["p50"] / least["p50"],
            }
            found["floor"] = _summary([floor], rows) | {"ms": least}
            self.steps[name] = found
            print(report.line_of(name, found), flush=True)

    def pages(self) -> dict[str, Any]:
        """The task page under load beside its floor; last, as it adds accounts."""
        found, url = {}, self.databases.url("settled")
        for name, promoter in (
            ("median promoter", self.data.middle[0]),
            ("busiest promoter", self.data.busiest[0]),
        ):
            requests = 500 if self.data.plan.orders <= WHOLE_UP_TO else 100
            asked = {"url": url, "promoter_id": promoter, "requests": requests}
            found[name] = {
                "in_database": self._call("bench.pages:in_database", **asked)["result"],
                "under_load": self._call(
                    "bench.pages:under_load", database_process=self.databases.server, **asked
                )["result"],
            }
        print("\n".join(pages.lines_of(found)), flush=True)
        return found

    def after_the_draft(self) -> dict[str, Any]:
        """Every page over a draft, then the month published and paid in part, then every page again."""
        url, folder = self.databases.url("settled"), str(self.data.folder)
        asked = {"url": url, "busiest": self.data.busiest[0], "middle": self.data.middle}
        found, orders = {}, self.data.plan.orders
        self._once("figures of pages, a draft", "bench.paying:figures", orders, at=DRAFT_AT)
        found["draft"] = self._every_page(at=DRAFT_AT, own=False, **asked)
        self._once("publish", "bench.paying:publish", self.data.plan.promoters)
        self._once("payees", "bench.paying:payees", self.data.plan.promoters)
        self._once("prepare a tranche", "bench.paying:tranche", None)
        self._once("receipt", "bench.paying:receipt", None, folder=folder)
        self._once("late csv", "bench.paying:late", None, path=f"{folder}/late.csv")
        self._once("settle after it", "bench.paying:settle_again", orders)
        self._once("figures of pages, paid", "bench.paying:figures", orders, at=PAID_AT)
        found["paid"] = self._every_page(at=PAID_AT, own=True, **asked)
        return found

    def _once(self, step: str, target: str, rows: int | None, **arguments: Any) -> None:
        run = self._call(target, url=self.databases.url("settled"), **arguments)
        self._note(step, [run], None, run["result"]["rows"] if rows is None else rows)

    def _every_page(self, **asked: Any) -> dict[str, Any]:
        run = self._call("bench.every_page:every_page", **asked)
        found: dict[str, Any] = run["result"] | {
            key: run[key] for key in ("wall_s", "peak_mb", "others_share")
        }
        print(tables.pages_in_words(found), flush=True)
        return found

    def _call(self, target: str, **arguments: Any) -> dict[str, Any]:
        print(f"  {target} ...", end="\r", file=sys.stderr, flush=True)
        return measured(target, self.databases.server, **arguments)

    def _on_copies(
        self,
        step: str,
        like: str,
        kept: str,
        rows: int,
        call: Callable[[str], Any],
        floor: Callable[[str], Any] | None,
    ) -> None:
        """Measure a step and its floor, if any, in turn, each on a fresh copy; the product's last is kept by a name."""
        mine, floors = [], []
        for _ in range(self.runs):
            if floor is not None:
                self.databases.create("floor", like=like)
                floors.append(floor("floor"))
                self.databases.drop("floor")
            self.databases.create(kept, like=like)
            mine.append(call(kept))
        self._note(step, mine, floors, rows)

    def _note(
        self, step: str, mine: list[dict[str, Any]], floors: list[dict[str, Any]] | None, rows: int
    ) -> None:
        found = _summary(mine, rows)
        if floors:
            found["floor"] = _summary(floors, rows)
            found["ratio"] = found["cpu_s"] / max(found["floor"]["cpu_s"], 0.01)  # the clock's own tick
            found["ratio_wall"] = found["wall_s"] / found["floor"]["wall_s"]
        self.steps[step] = found
        print(report.line_of(step, found), flush=True)


def require_same(one: Path, other: Path) -> None:
    """Raises AssertionError with the first line in which results.csv or subsidy_lines.csv differ by a byte."""
    for name in instead.FILES:
        mine, theirs = (one / name).read_bytes(), (other / name).read_bytes()
        if mine != theirs:
            pairs = zip_longest(mine.splitlines(), theirs.splitlines(), fillvalue=b"(nothing)")
            at, (was, now) = next((at, pair) for at, pair in enumerate(pairs, 1) if pair[0] != pair[1])
            raise AssertionError(
                f"{other.name} writes another {name}; line {at}: {was.decode()} and {now.decode()}"
            )


def _summary(runs: list[dict[str, Any]], rows: int) -> dict[str, Any]:
    wall_s = median(run["wall_s"] for run in runs)
    return {
        "runs": len(runs),
        "rows": rows,
        "wall_s": wall_s,
        "cpu_s": median(run["cpu_s"] for run in runs),
        "rows_per_s": rows / wall_s,
        "peak_mb": max(run["peak_mb"] for run in runs),
        "others_share": max(run["others_share"] for run in runs),
        "result": runs[-1]["result"],
    }


def _quantiles(taken: list[float]) -> dict[str, float]:
    rising = sorted(taken)
    return {"p50": rising[len(rising) // 2], "p99": rising[len(rising) * 99 // 100]}
