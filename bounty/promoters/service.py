"""Promoters, violations and links from their files."""

from bounty.models import Level, Link, LinkVersion, Violation
from bounty.promoters.reference_upsert import ReferenceKind

PROMOTERS = ReferenceKind(
    "promoters",
    Level,
    key=("promoter_id", "level_from"),
    values=("level", "name", "registered_on"),
    names_promoters=True,
)
VIOLATIONS = ReferenceKind(
    "violations", Violation, key=("promoter_id", "occurred_on"), values=("reason", "cleared_on")
)
LINKS = ReferenceKind(
    "links",
    Link,
    key=("promoter_id", "p_id"),
    values=("channel",),
    promoter_column="p_id",
    versions=LinkVersion,
)
