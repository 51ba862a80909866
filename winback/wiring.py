"""Which outside does this installation speak through?

Owns making delivery's channels and settings from the installation's settings: SMTP when an address is set, else a sink
with a file of its own in the home; letters as PDFs in the home. Calls need no channel: they lie on the call desk.
"""

from collections.abc import Mapping

from sqlalchemy.orm import Session

from core.settings import Settings
from delivery.channels import Channel
from delivery.channels.memory import MemoryChannel
from delivery.channels.print_run import LetterChannel
from delivery.channels.smtp import SmtpChannel, smtp_server
from delivery.profile import settings_with_profile
from delivery.settings import DeliverySettings


def delivery_settings(settings: Settings, session: Session) -> DeliverySettings:
    """What sending needs to know of this installation and of the shop's sender profile."""
    return settings_with_profile(session, secret_key=settings.secret_key, base_url=settings.base_url)


def open_channels(settings: Settings) -> Mapping[str, Channel]:
    """The channels of this installation; each opens its connection only when it has something to send."""
    mail: Channel
    if settings.smtp_url is not None:
        mail = SmtpChannel(smtp_server(settings.smtp_url))
    else:
        mail = MemoryChannel(settings.home / "outside.db")
    return {"email": mail, "letter": LetterChannel(settings.home)}
