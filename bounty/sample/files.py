"""Writes the sample's files: reference tables, and orders by month and channel."""

import csv
import io
import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Final

from bounty.json_types import JsonObject
from bounty.money import shown_yuan
from bounty.rules.periods import Period
from bounty.sample.context import SampleContext, SampleTarget
from bounty.sample.orders import digits
from bounty.sample.people import SamplePromoter, SampleViolation
from bounty.sample.rows import detail_body, feed_row, increment_bodies, sheet_row
from bounty.sample.updates import Channel, Delivery, Update

_UTF8_WITH_MARK: Final = "utf-8-sig"


def write_terms(folder: Path, toml: str) -> Path:
    """Write sample-terms.toml."""
    return _write(folder / "sample-terms.toml", toml)


def write_promoters(folder: Path, people: Iterable[SamplePromoter]) -> Path:
    """Write sample-promoters.csv with a row for each level of each promoter."""
    columns = "promoter_id name level level_from registered_on".split()
    rows = [
        [promoter.promoter_id, promoter.name, level, level_from, promoter.career.registered_on]
        for promoter in sorted(people, key=lambda promoter: promoter.promoter_id)
        for level_from, level in promoter.career.levels.items()
    ]
    return _write_csv(folder / "sample-promoters.csv", columns, rows)


def write_violations(folder: Path, violations: Iterable[SampleViolation]) -> Path:
    """Write sample-violations.csv."""
    columns = "promoter_id occurred_on reason cleared_on".split()
    rows = [[each.promoter_id, each.occurred_on, each.reason, each.cleared_on] for each in violations]
    return _write_csv(folder / "sample-violations.csv", columns, rows)


def write_links(folder: Path, channels: Mapping[str, str]) -> Path:
    """Write sample-links.csv.

    channels   p_id -> channel
    """
    return _write_csv(folder / "sample-links.csv", ["p_id", "channel"], channels.items())


def write_targets(folder: Path, targets: Mapping[tuple[Period, int], SampleTarget]) -> Path:
    """Write sample-targets.csv; a target of 0 is an empty cell."""
    columns = "period promoter_id gmv_yuan orders".split()
    rows = [
        [period, promoter_id, shown_yuan(target.gmv_fen) if target.gmv_fen else "", target.orders or ""]
        for (period, promoter_id), target in targets.items()
    ]
    return _write_csv(folder / "sample-targets.csv", columns, rows)


def write_orders(
    context: SampleContext, folder: Path, updates: Mapping[tuple[Delivery, Channel], Sequence[Update]]
) -> dict[Delivery, list[Path]]:
    """Write a file for each delivery and channel that has updates; the files by delivery, oldest first."""
    written: dict[Delivery, list[Path]] = {}
    for month in context.months:
        for delivery in (Delivery(month, 1), Delivery(month, 2)):
            for channel in Channel:
                if (delivery, channel) in updates:
                    path = _write_delivery(context, folder, delivery, channel, updates[delivery, channel])
                    written.setdefault(delivery, []).append(path)
    return written


def _write_delivery(
    context: SampleContext, folder: Path, delivery: Delivery, channel: Channel, updates: Sequence[Update]
) -> Path:
    month, path = delivery.month, folder / f"sample-{delivery.month}-{delivery.part}-{channel.value}"
    match channel:
        case Channel.EXPORT:
            rows = [sheet_row(update) for update in _newest_of_each(updates)]
            if delivery == (context.past_periods[-1], 2):
                rows += _bad_rows(context, [row for row in rows if row["支付时间"].startswith(str(month))])
            gbk = month == context.past_periods[0]
            cells = [list(row.values()) for row in rows]
            return _write_csv(path, list(rows[0]), cells, encoding="gb18030" if gbk else _UTF8_WITH_MARK)
        case Channel.FEED:
            return _write(path, "".join(_json(feed_row(update)) + "\n" for update in updates))
        case Channel.INCREMENT:
            return _write_array(path, increment_bodies(updates, month))
        case Channel.DETAIL:
            return _write_array(path, map(detail_body, updates))


def _newest_of_each(updates: Iterable[Update]) -> Iterable[Update]:
    """The newest update of each order, because a sheet has one row for each order."""
    return {update.order.serial: update for update in updates}.values()


def _bad_rows(context: SampleContext, good_rows: Sequence[dict[str, str]]) -> list[dict[str, str]]:
    """Some invalid rows for the quarantine, each made from a valid row."""
    faults: list[tuple[str, Callable[[str], str]]] = [
        ("实付金额(元)", lambda _: "12.345"),
        ("订单编号", lambda order_sn: f"{order_sn[0]}.{order_sn[1:6]}E+14"),
        ("推广位ID", lambda _: "99000001_1"),  # an unknown promoter: sample ids have 7 digits
        ("订单状态", lambda _: "已发货"),
        ("支付时间", lambda paid_at: paid_at[:10]),
    ]
    rows = []
    for (column, invalid), good in zip(faults, good_rows, strict=False):
        day, _, _ = good["订单编号"].partition("-")
        row = good | {"订单编号": f"{day}-{digits(context.next_serial())}"}
        rows.append(row | {column: invalid(row[column])})
    return rows


def _write_array(path: Path, bodies: Iterable[JsonObject]) -> Path:
    return _write(path, "[\n" + ",\n".join(map(_json, bodies)) + "\n]\n")


def _json(value: JsonObject) -> str:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))


def _write_csv(
    path: Path, columns: Sequence[str], rows: Iterable[Sequence[object]], encoding: str = _UTF8_WITH_MARK
) -> Path:
    text = io.StringIO(newline="")
    writer = csv.writer(text, lineterminator="\r\n")
    writer.writerow(columns)
    writer.writerows(rows)
    return _write(path, text.getvalue(), encoding)


def _write(path: Path, text: str, encoding: str = "utf-8") -> Path:
    """Write text as bytes, so that line ends are the same on every system."""
    path.write_bytes(text.encode(encoding))
    return path
