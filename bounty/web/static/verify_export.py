"""Check what bounty exported, without bounty: python verify_export.py FOLDER [FOLDER ...]

Reads manifest.json of each folder, hashes its files again, adds their rows and fen up again, makes the content hash
again, and follows the chain of notices (notices.jsonl) to the exported one; the chains of several folders must agree.
Works for a notice, a draft (which is in no chain) and a tranche of payouts. Prints what it found; ends with 0 if
everything holds, else with 1. It takes Python 3.9 or newer, and nothing else.
"""

from __future__ import annotations

import csv
import hashlib
import io
import json
import re
import sys
from collections import Counter
from pathlib import Path
from typing import Any

Facts = dict[str, Any]
ADDED = ("results.csv", "subsidy_lines.csv", "tranche_lines.csv", "payouts.csv")
NO_CHAIN = (
    "notices.jsonl is missing, so that the notice can't be followed: export it with --statements "
    "(a notice from before there were statements has none)"
)


def need(holds: object, words: str) -> None:
    if not holds:
        raise ValueError(words)


def sha256(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def fen(yuan: str) -> int:
    need(re.fullmatch(r"-?[0-9]+\.[0-9]{2}", yuan), f"{yuan!r} is no amount in yuan with two decimals")
    return int(yuan.replace(".", ""))


def read(folder: Path, told: Facts) -> list[dict[str, str]]:
    """The rows of a file, once it is what the manifest says; of a file in a payer's own layout none."""
    name, path = told["name"], folder / told["name"]
    need(Path(name).name == name and path.is_file(), f"{name} is missing")
    data = path.read_bytes()
    need(sha256(data) == told["sha256"], f"{name} is not what the manifest describes: its hash differs")
    if name not in ADDED:
        print(f"  {name}: hash as in the manifest")
        return []
    header, *cells = csv.reader(io.StringIO(data.decode("utf-8-sig"), newline=""))
    need(all(len(row) == len(header) for row in cells), f"{name} has rows of unequal length")
    need(len(cells) == told["rows"], f"{name} has {len(cells)} rows, the manifest says {told['rows']}")
    total = sum(fen(row[-1] or "0.00") for row in cells)
    need(total == told["sum_fen"], f"{name} adds up to {total} fen, the manifest says {told['sum_fen']}")
    print(f"  {name}: hash, {len(cells)} rows and {total} fen as in the manifest")
    return [dict(zip(header, row)) for row in cells]  # noqa: B905 - Python 3.9 has no strict


def check_settlement(folder: Path, manifest: Facts) -> list[str]:
    """The chain up to a notice; empty for a draft."""
    files = manifest["files"]
    need(tuple(told["name"] for told in files) == ADDED[:2], "the manifest doesn't name the two files")
    results, lines = (read(folder, told) for told in files)
    need(all(row["period"] == manifest["period"] for row in results + lines), "a row is of another period")
    need(len({row["order_sn"] for row in lines}) == len(lines), "an order has two lines")
    need(len({row["promoter_id"] for row in results}) == len(results), "a promoter has two results")
    orders, earned = Counter(row["promoter_id"] for row in lines), Counter[str]()
    for row in lines:
        need(fen(row["subsidy_yuan"]) > 0, f"the line of order {row['order_sn']} is of nothing")
        earned[row["promoter_id"]] += fen(row["subsidy_yuan"])
    for row in results:
        who, said = row["promoter_id"], (int(row["subsidy_orders"] or 0), fen(row["subsidy_yuan"] or "0.00"))
        need(said == (orders.pop(who, 0), earned.pop(who, 0)), f"the lines of promoter {who} don't add up")
        need(row["passed"] == "yes" or said == (0, 0), f"promoter {who} earns without having passed")
    need(not orders, f"lines without a result: of promoters {', '.join(orders)}")
    hashes = [manifest["terms_sha256"], *(told["sha256"] for told in files)]
    content = sha256("".join(f"{each}\n" for each in hashes).encode())
    need(content == manifest["content_sha256"], "the content hash is not that of terms, results and lines")
    print(f"  each promoter's lines add up to the result; content sha256:{content}")
    if manifest["notice"] is None:
        print("  a draft: it is in no chain yet")
        return []
    facts = {name: manifest[name] for name in ("period", "notice", "settlement", "terms_sha256")}
    passed = sum(row["passed"] == "yes" for row in results)
    counts = {"results": len(results), "passed": passed, "lines": len(lines)}
    facts |= {"content_sha256": content, "counts": counts, "sums": {"subsidy_fen": files[1]["sum_fen"]}}
    return check_chain(folder, facts | {"results_sha256": hashes[1], "lines_sha256": hashes[2]})


def check_chain(folder: Path, facts: Facts) -> list[str]:
    """The statements up to that of a notice, which must say these facts."""
    need((folder / "notices.jsonl").is_file(), NO_CHAIN)
    *chain, rest = (folder / "notices.jsonl").read_bytes().decode().split("\n")
    need(chain and not rest, "notices.jsonl doesn't end with a whole line")
    previous, one = "0" * 64, Facts()
    for number, line in enumerate(chain, 1):
        one = json.loads(line)
        text = json.dumps(one, ensure_ascii=False, sort_keys=True, separators=(",", ":"))
        need(line == text, f"line {number} of notices.jsonl is not written as statements are")
        need(one["number"] == number, f"line {number} of notices.jsonl is statement {one['number']}")
        need(one["previous_sha256"] == previous, f"statement {number} doesn't follow from the one before")
        previous = sha256(line.encode())
    for name, value in facts.items():
        need(one[name] == value, f"the last statement says {name} {one[name]}, and the export {value}")
    print(f"  the chain of {len(chain)} holds; compare with the public page: sha256:{previous}")
    return chain


def check_tranche(folder: Path, manifest: Facts) -> list[str]:
    rows = {told["name"]: read(folder, told) for told in manifest["files"]}
    need(rows.keys() >= set(ADDED[2:]), "the manifest doesn't name the two files of a tranche")
    due = Counter[str]()
    for row in rows["tranche_lines.csv"]:
        due[row["promoter_id"]] += fen(row["amount_yuan"])
    for row in rows["payouts.csv"]:
        names = ("carry_in_yuan", "lines_yuan", "carry_out_yuan", "payable_yuan")
        carried, lines, left, payable = (fen(row[name]) for name in names)
        holds = lines == due.pop(row["promoter_id"], 0) and carried + lines == left + payable >= left
        need(holds, f"the payout of promoter {row['promoter_id']} doesn't add up")
    need(not due, f"lines without a payout: of promoters {', '.join(due)}")
    print("  each promoter's lines and what was carried add up to the payout")
    return []


def main(folders: list[str]) -> None:
    need(folders, "give the folders: python verify_export.py FOLDER [FOLDER ...]")
    chains = []
    for folder in map(Path, folders):
        print(folder)
        manifest = json.loads((folder / "manifest.json").read_bytes())
        chains.append((check_tranche if "tranche" in manifest else check_settlement)(folder, manifest))
    longest = max(chains, key=len)
    for name, chain in zip(folders, chains):  # noqa: B905
        need(chain == longest[: len(chain)], f"the chain in {name} is not that of the other folders")
    print("everything holds")


if __name__ == "__main__":
    try:
        main(sys.argv[1:])
    except (OSError, ValueError, LookupError, TypeError, AttributeError, csv.Error) as error:
        print(f"DOES NOT HOLD: {error if isinstance(error, (OSError, ValueError)) else repr(error)}")
        sys.exit(1)
