"""The accounts of the sample data: their addresses, names and password, and whether a database holds them."""

from typing import Final

from sqlalchemy import Connection, select

from bounty.models import User

DEMO_PASSWORD: Final = "sample-data-only"  # noqa: S105 - printed with the sample, whose data is made up
STAFF: Final = (
    ("operator", "operator@example.com", "示例·周衡"),
    ("operator", "second@example.com", "示例·许念"),
    ("finance", "finance@example.com", "示例·沈知远"),
    ("admin", "admin@example.com", "示例·管理员"),
)
"""Role, e-mail and name."""
PROMOTERS: Final = (
    ("promoter@example.com", "推手：进度达标", "Promoter, on track"),
    ("behind@example.com", "推手：进度落后", "Promoter, behind"),
    ("passed@example.com", "推手：已达标", "Promoter, passed"),
    ("ineligible@example.com", "推手：无资格", "Promoter, not eligible"),
)
"""E-mail, and the situation in Chinese and English."""
DEMO_ACCOUNTS: Final = (
    *PROMOTERS,
    ("operator@example.com", "运营", "Operations"),
    ("second@example.com", "运营：第二人，批准核算", "Operations, the second person, who approves"),
    ("finance@example.com", "财务", "Finance"),
    ("admin@example.com", "管理员", "Administrator"),
)
"""E-mail, and what to log in as, in Chinese and English."""


def demo_accounts_in(connection: Connection) -> list[tuple[str, str, str]]:
    """Those of DEMO_ACCOUNTS that the database holds as sample data made them; empty in any other database."""
    emails = [email for email, *_ in DEMO_ACCOUNTS]
    held = select(User.email, User.name).where(User.email.in_(emails), User.active)
    found = {row.email: row.name for row in connection.execute(held)}
    if any(found.get(email) != name for _, email, name in STAFF):
        return []
    return [each for each in DEMO_ACCOUNTS if each[0] in found]
