"""Errors of message delivery."""

from bounty.errors import BountyError


class DeliveryFailed(BountyError):
    """The receiving server did not accept a message.

    final   whether further attempts are useless
    """

    def __init__(self, reason: str, *, final: bool = False) -> None:
        super().__init__(reason)
        self.final = final


class NoRecipient(DeliveryFailed):
    """No webhook is configured, so the message is not sent and does not count as failed."""
