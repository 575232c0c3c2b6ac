"""What sending can come to."""

from bounty.errors import BountyError


class DeliveryFailed(BountyError):
    """The other side did not take a message.

    final   whether it never will
    """

    def __init__(self, why: str, *, final: bool = False) -> None:
        super().__init__(why)
        self.final = final


class NoRecipient(DeliveryFailed):
    """There is nobody to take it, so nothing has failed."""
