"""A file of 2 GB goes in through the command, in flat memory."""

import json
import re
import subprocess
import time
from pathlib import Path

import pytest

from tests.factories import SCRIPT, bounty, environment, order_row, promoter, shanghai, write_table

pytestmark = pytest.mark.soak  # minutes, and 8 GB of disk

FILE_BYTES = 2 << 30
MOST_MB = 300
PROMOTERS = 2_000
BAD_EVERY = 250_000
"""Every so many rows one has an amount that is none."""


def write_orders(path: Path) -> tuple[int, int]:
    """Lines of orders, each with about as many bytes as the platform's; how many, and how many of them are bad."""
    model = order_row(number=0) | {
        "order_sn": "SN",
        "p_id": "PLACE",
        "order_amount": "AMOUNT",
        "order_create_time": shanghai("2022-12-05 11:59:00"),
        "goods_thumbnail_url": "https://img.example.com/" + "x" * 120,
        "custom_parameters": '{"uid":"11111"}',
        **{f"field_{number}": "示例" * 8 for number in range(10)},
    }
    text = json.dumps(model, ensure_ascii=False, separators=(",", ":"))
    one, two, three, four = re.split('SN|PLACE|"AMOUNT"', text)
    rows = written = 0
    with path.open("wb") as file:
        while written < FILE_BYTES:
            amount = "1990" if rows % BAD_EVERY else "19.90"
            line = f"{one}221205-{rows:015d}{two}{1 + rows % PROMOTERS}_1{three}{amount}{four}\n"
            written += file.write(line.encode())
            rows += 1
    return rows, -(-rows // BAD_EVERY)


def peak_mb(process: "subprocess.Popen[str]") -> float:
    """The most memory that a process held, in MiB, once it has ended."""
    most = 0
    while process.poll() is None:
        status = Path(f"/proc/{process.pid}/status").read_text()
        if found := re.search(r"VmHWM:\s+([0-9]+) kB", status):
            most = int(found[1])
        time.sleep(0.1)
    return most / 1024


def test_a_file_of_2_gb_goes_in_within_300_mb(
    database_url: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    people = write_table(tmp_path / "promoters.csv", [promoter(number) for number in range(1, 1 + PROMOTERS)])
    assert bounty(database_url, "import", "promoters", people).returncode == 0
    path = tmp_path / "orders.jsonl"
    rows, bad = write_orders(path)
    began = time.monotonic()
    command = [SCRIPT, "import", "orders", str(path)]
    with subprocess.Popen(
        command, env=environment(database_url), stdout=subprocess.PIPE, encoding="utf-8"
    ) as process:
        peak = peak_mb(process)
        assert process.stdout is not None
        said = process.stdout.read()
    minutes = (time.monotonic() - began) / 60
    kind = database_url.partition(":")[0].partition("+")[0]
    with capsys.disabled():
        size = path.stat().st_size / 2**30
        print(f"\n{kind}: {size:.2f} GiB, {rows} rows, peak {peak:.0f} MiB, {minutes:.1f} minutes")
    path.unlink()
    assert process.returncode == 0
    assert said == f"{path} read={rows} new={rows - bad} changed=0 unchanged=0 stale=0 quarantined={bad}\n"
    assert peak <= MOST_MB
