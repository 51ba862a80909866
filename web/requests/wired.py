"""What does this web process need to know to fill a call's script as a worker would?

Owns the delivery settings of a request, from the settings and the shop's sender profile.
"""

from flask import current_app
from sqlalchemy.orm import Session

from core.settings import Settings
from delivery.profile import settings_with_profile
from delivery.settings import DeliverySettings


def settings() -> Settings:
    """The settings of this application."""
    found = current_app.extensions["winback.settings"]
    assert isinstance(found, Settings)
    return found


def sending(session: Session) -> DeliverySettings:
    """Who writes, and with which links."""
    own = settings()
    return settings_with_profile(session, secret_key=own.secret_key, base_url=own.base_url)
