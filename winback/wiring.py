"""Which outside does this installation speak through?

Owns making delivery's channels and settings from the installation's settings: SMTP when an address is set, else a sink
with a file of its own in the home; letters as PDFs in the home. Calls need no channel: they lie on the call desk.
"""

from collections.abc import Mapping
from dataclasses import replace

from sqlalchemy.orm import Session

from campaigns.house import house
from core.settings import Settings
from delivery.channels import Channel
from delivery.channels.memory import MemoryChannel
from delivery.channels.print_run import LetterChannel
from delivery.channels.smtp import SmtpChannel, smtp_server
from delivery.profile import settings_with_profile
from delivery.settings import DeliverySettings


def delivery_settings(settings: Settings, session: Session) -> DeliverySettings:
    """What sending needs to know of this installation, of the shop's sender profile, and of its prices."""
    rules = house(session)
    return replace(settings_with_profile(session, secret_key=settings.secret_key, base_url=settings.base_url),
                   cost_cents={channel: price.unit_cents for channel, price in rules.prices.items()},
                   print_lead_days=rules.print_lead_days)


def open_channels(settings: Settings) -> Mapping[str, Channel]:
    """The channels of this installation; each opens its connection only when it has something to send."""
    mail: Channel
    if settings.smtp_url is not None:
        mail = SmtpChannel(smtp_server(settings.smtp_url))
    else:
        mail = MemoryChannel(settings.home / "outside.db")
    return {"email": mail, "letter": LetterChannel(settings.home)}
