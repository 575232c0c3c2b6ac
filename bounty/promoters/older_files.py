"""Older files of promoters that come again: what they would put back that a later file has changed."""

from datetime import date

from sqlalchemy import Connection, select

from bounty.errors import BountyError
from bounty.ingest.batches import Source
from bounty.models import Batch, Level

_CHANGES_SHOWN = 10
_LEVEL_FACTS = (("等级", "level"), ("名称", "name"), ("注册日", "registration"))


class OlderFileRefused(BountyError):
    """An older file of promoters, whose rows would put back what a later file has changed."""

    def __init__(self, changes: list[tuple[str, str]]) -> None:
        shown = changes[:_CHANGES_SHOWN]
        more_zh, more_en = ("…", " ...") if len(changes) > len(shown) else ("", "")
        super().__init__(
            f"This file was imported before, and a later one has changed what it says. It would change back: "
            f"{'; '.join(en for _, en in shown)}{more_en}. Nothing was imported; add --force if that is meant.",
            f"这份文件以前导入过，之后的文件改动了其中的内容。再次导入会改回："
            f"{'；'.join(zh for zh, _ in shown)}{more_zh}。没有导入任何内容；确认无误后再强制导入。",
        )
        self.changes = changes


def was_imported_before(connection: Connection, source: Source) -> bool:
    """Whether a file of this kind with the same content was imported before."""
    same = select(Batch.batch_id).where(Batch.kind == source.kind, Batch.sha256 == source.sha256).limit(1)
    return connection.execute(same).first() is not None


def levels(connection: Connection) -> dict[tuple[int, date], tuple[str, str, date]]:
    """Promoter and first day -> level, name and registration."""
    row = Level
    every = select(row.promoter_id, row.level_from, row.level, row.name, row.registered_on)
    return {(each[0], each[1]): (each[2], each[3], each[4]) for each in connection.execute(every)}


def changes(
    before: dict[tuple[int, date], tuple[str, str, date]],
    after: dict[tuple[int, date], tuple[str, str, date]],
) -> list[tuple[str, str]]:
    """The message about each level that differs: before and after, in Chinese and in English."""
    messages = []
    for (promoter_id, level_from), was in sorted(before.items()):
        now = after.get((promoter_id, level_from), was)
        for (zh, en), old, new in zip(_LEVEL_FACTS, was, now, strict=True):
            if old != new:
                messages.append(
                    (
                        f"推手 {promoter_id}（{level_from} 起）的{zh}：{old} → {new}",
                        f"promoter {promoter_id} from {level_from}, {en}: {old} -> {new}",
                    )
                )
    return messages
