"""Receivers of events: programs by signed webhooks, and chat robots."""

from sqlalchemy import CheckConstraint
from sqlalchemy.orm import Mapped, mapped_column

from bounty.db import Base, WholeNumber, Words
from bounty.labels import LabelledCode


class EndpointKind(LabelledCode):
    """What receives the events of an endpoint."""

    WEBHOOK = "webhook", "webhook（程序）", "webhook (a program)"
    DINGTALK = "dingtalk", "钉钉机器人", "DingTalk robot"
    WECOM = "wecom", "企业微信机器人", "WeCom robot"
    FEISHU = "feishu", "飞书机器人", "Feishu robot"


class DisabledReason(LabelledCode):
    """Why an endpoint is disabled."""

    BY_HAND = "BY_HAND", "由人停用", "disabled by hand"
    FAILING = "FAILING", "连续多日发送失败", "failed for days"
    GONE = "GONE", "接收方已不再需要", "the receiver is gone"


ENDPOINT_KINDS = tuple(map(str, EndpointKind))


class WebhookEndpoint(Base):
    """An address to which events are sent. Disabled rather than deleted, so that its deliveries keep their receiver."""

    __tablename__ = "webhook_endpoints"
    __table_args__ = (
        CheckConstraint(f"kind IN {ENDPOINT_KINDS}", name="kind"),
        CheckConstraint("(disabled_at IS NULL) = (disabled_why IS NULL)", name="disabled"),
        CheckConstraint(f"disabled_why IN {tuple(map(str, DisabledReason))}", name="disabled_why"),
        {"sqlite_strict": True},
    )

    endpoint_id: Mapped[int] = mapped_column(WholeNumber, primary_key=True)
    """The endpoint's number."""
    name: Mapped[str] = mapped_column(Words)
    """What people call it."""
    kind: Mapped[str] = mapped_column(Words)
    """One of EndpointKind, which decides the form of a delivery and its signature."""
    sealed: Mapped[str] = mapped_column(Words)
    """Address and secrets, encrypted; see ``notifications.endpoints.EndpointSecrets``. A robot's address is a
    credential."""
    shown_url: Mapped[str] = mapped_column(Words)
    """The address without what must not be seen."""
    events: Mapped[str] = mapped_column(Words)
    """The kinds of events that it gets, joined by commas; blank for all, those of later versions too."""
    programme: Mapped[str | None] = mapped_column(Words)
    """The programme whose events it gets, beside those of no programme; null for all."""
    made_at: Mapped[int] = mapped_column(WholeNumber)
    """Epoch seconds."""
    rotated_at: Mapped[int | None] = mapped_column(WholeNumber)
    """When the secret was last replaced; epoch seconds; null if it never was."""
    failing_since: Mapped[int | None] = mapped_column(WholeNumber)
    """The first failure since the last delivery that was accepted; epoch seconds; null while none fails."""
    disabled_at: Mapped[int | None] = mapped_column(WholeNumber)
    """From when nothing is sent there; epoch seconds; null while it is on."""
    disabled_why: Mapped[str | None] = mapped_column(Words)
    """One of DisabledReason; null while it is on."""
