"""How a level may be spelled: ``v0`` and ``V0级`` are V0 where the terms know V0 and neither of them."""

from collections.abc import Collection


def level_in(terms_levels: Collection[str], level: str | None) -> str | None:
    """The level as the terms spell it; as it stands where they have none, or several, that it could be.

    >>> level_in(("V0", "V1"), "v0"), level_in(("V0", "V1"), "V1级"), level_in(("V0", "V1"), "V2")
    ('V0', 'V1', 'V2')
    """
    if level is None or level in terms_levels:
        return level
    meant = [known for known in terms_levels if _plain(known) == _plain(level)]
    return meant[0] if len(meant) == 1 else level


def _plain(level: str) -> str:
    return level.casefold().removesuffix("级").strip()
