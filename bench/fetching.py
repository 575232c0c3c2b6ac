"""The stand-in for the open platform in a separate process: ``python -m bench.fetching PROMOTERS.csv ORDERS``."""

import csv
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from bench.data import epoch
from bounty.fake_platform.fake_orders import FakeOrders
from bounty.fake_platform.faults import Faults
from bounty.fake_platform.gateway import Gateway
from bounty.fake_platform.server import StandIn

CLIENT: Final = "bench"
"""Client id and secret of the application."""
NOW: Final = epoch("2023-01-11 12:00:00")
FROM_AT: Final = epoch("2022-12-01 00:00:00")


@contextmanager
def stood_in(promoters: Path, orders: int) -> Iterator[str]:
    """The address of a stand-in with orders of December, without faults and with a constant clock."""
    command = [sys.executable, "-m", "bench.fetching", str(promoters), str(orders)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, encoding="utf-8") as process:
        assert process.stdout is not None
        try:
            yield process.stdout.readline().strip()
        finally:
            process.terminate()


def _serve(promoters: Path, orders: int) -> None:
    with promoters.open(encoding="utf-8-sig", newline="") as file:
        ids = sorted({int(row["promoter_id"]) for row in csv.DictReader(file)})
    market = FakeOrders(1, ids, FROM_AT, epoch("2023-01-01 00:00:00"), orders)
    gateway = Gateway(market, CLIENT, CLIENT, lambda: NOW, calls_a_second=1_000_000_000)
    with StandIn(gateway, Faults()) as server:
        print(server.url, flush=True)
        server.serve_forever()


if __name__ == "__main__":
    _serve(Path(sys.argv[1]), int(sys.argv[2]))
