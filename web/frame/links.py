"""Is there a page for this thing, and where?

Owns the way from one page to another by name. The promise: a page that does not exist is never linked to.
"""

from typing import Any

from flask import current_app, url_for


def page_url(endpoint: str, **values: Any) -> str | None:
    """The address of a page, or None when this application has no such page."""
    return url_for(endpoint, **values) if endpoint in current_app.view_functions else None


def customer_url(external_id: str | None) -> str | None:
    """The page of one customer, or None."""
    return page_url("customers.show", external_id=external_id) if external_id else None


def segment_url(key: str | None) -> str | None:
    """The page of one segment, or None."""
    return page_url("segments.show", key=key) if key else None


def use_url(kind: str, key: str) -> str | None:
    """The page of whatever uses a segment: a segment, a campaign or a journey; None when there is none."""
    return page_url({"segment": "segments.show", "campaign": "campaigns.show", "journey": "journeys.show"}[kind],
                    key=key)
