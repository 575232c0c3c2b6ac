"""Errors of message delivery."""

from bounty.errors import BountyError


class DeliveryFailed(BountyError):
    """The receiving server did not accept a message.

    final    whether further attempts are useless
    status   HTTP status of its answer; None where there was none
    answer   how the body of its answer begins
    """

    def __init__(
        self, reason: str, *, final: bool = False, status: int | None = None, answer: str | None = None
    ) -> None:
        super().__init__(reason)
        self.final, self.status, self.answer = final, status, answer


class NoRecipient(DeliveryFailed):
    """No webhook is configured, so the message is not sent and does not count as failed."""
