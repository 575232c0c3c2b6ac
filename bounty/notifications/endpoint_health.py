"""The health of an endpoint: one that fails for days, or is gone, is disabled, and operators are notified."""

from sqlalchemy import Connection, update

from bounty.clock import shown
from bounty.models import WebhookEndpoint
from bounty.notifications.endpoints import FAILING_SECONDS, EndpointRow, disable_endpoint, endpoint_of
from bounty.notifications.outbox import MessageText, notify_operators


def record_result(connection: Connection, endpoint_id: int, now: int, *, failed: bool, gone: bool) -> None:
    """Note the result of a delivery, in the transaction that notes the attempt.

    gone   whether the receiver wants nothing any more (HTTP 410)
    """
    endpoint = endpoint_of(connection, endpoint_id)
    assert endpoint is not None
    since = endpoint.failing_since
    if failed and since is None:
        since = now
    if not failed:
        since = None
    if since != endpoint.failing_since:
        of_endpoint = WebhookEndpoint.endpoint_id == endpoint_id
        connection.execute(update(WebhookEndpoint).where(of_endpoint).values(failing_since=since))
    if endpoint.disabled_at is not None or since is None:
        return
    if gone or now - since >= FAILING_SECONDS:
        disable_endpoint(connection, endpoint_id, now, "GONE" if gone else "FAILING")
        _notify_operators(connection, endpoint, since, now, gone=gone)


def _notify_operators(
    connection: Connection, endpoint: EndpointRow, since: int, now: int, *, gone: bool
) -> None:
    name, number = endpoint.name, endpoint.endpoint_id
    at = shown(since)[:16].replace("T", " ")
    why_zh = "接收方答复已不再需要（HTTP 410）" if gone else f"自 {at} 起一直发送失败"
    why_en = "it answered that it is gone (HTTP 410)" if gone else f"every delivery has failed since {at}"
    text = MessageText(
        (f"接收方“{name}”已停用", f"The endpoint {name} was disabled"),
        zh=f"接收方“{name}”已自动停用：{why_zh}。修好后请在页面上重新启用，并重发未送达的事件。",
        en=f"The endpoint {name} was disabled: {why_en}. Once it is mended, enable it on its page and resend what was "
        "not delivered.",
        path=f"/operations/webhooks/{number}",
    )
    notify_operators(connection, "webhook", f"endpoint {number} disabled {now}", text, now)
