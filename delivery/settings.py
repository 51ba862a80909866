"""Who is writing, and how patient are we?

Owns the settings of this room as one frozen value that the doors make: the shop as mails and letters name it, the
address of our own links, and the patience with refusals that may pass.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta

from delivery.policy import CHANNEL_COST_CENTS


@dataclass(frozen=True)
class Shop:
    """The shop as its customers know it. `address_lines` are street and city, for the head of a letter."""

    name: str = "The shop"
    url: str = ""
    address_lines: tuple[str, ...] = ()
    country: str = "DE"


@dataclass(frozen=True)
class DeliverySettings:
    """What sending needs beside the database. `sender_address` is the From and the return path of e-mails.

    `cost_cents` is what one message costs per channel, for the ledger; `print_lead_days` are the working days from
    handing a letter to the print shop until it is posted.
    """

    secret_key: str = field(repr=False)
    base_url: str
    shop: Shop = Shop()
    sender_name: str = "The shop"
    sender_address: str = "shop@shop.example"
    reply_to: str = ""
    unsubscribe_mailto: str = ""
    attempts_limit: int = 6
    cost_cents: Mapping[str, int] = field(default_factory=lambda: dict(CHANNEL_COST_CENTS))
    print_lead_days: int = 0
    first_pause: timedelta = timedelta(minutes=5)

    def pause_after(self, attempt: int) -> timedelta:
        """How long to wait after this many attempts: 5 minutes, then four times as long each time, a day at most."""
        factor: int = 4 ** min(max(attempt - 1, 0), 9)
        return min(self.first_pause * factor, timedelta(days=1))
