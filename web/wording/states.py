"""Which words do several pages share for states and windows?

Owns the marketer's words for the life of campaigns and journeys. Pure.
"""

from collections.abc import Mapping
from datetime import datetime

from campaigns.models import Campaign
from web.campaigns.form import last_day_of
from web.wording.formatting import day, local_date

STATE_PILLS: Mapping[str, tuple[str, str]] = {
    "draft": ("planned", ""), "running": ("running", "a"), "paused": ("paused", "w"), "ending": ("ending", ""),
    "ended": ("over", ""), "history": ("past", ""),
}
"""State of a campaign or journey -> its word and how its pill looks."""

REFUSAL_WORDS: Mapping[str, str] = {
    "already_redeemed": "code used already", "limit_reached": "limit reached", "budget_exhausted": "budget used up",
    "order_cancelled": "order was cancelled", "unknown_code": "unknown code", "not_yet_valid": "not valid yet",
    "expired": "code expired", "wrong_customer": "not this person's code", "minimum_not_met": "order too small",
    "not_applicable": "nothing in the order fits", "revoked": "code withdrawn",
}
"""Reason of a refusal -> in words."""

FLAG_WORDS: Mapping[str, str] = {
    "over_limit": "beyond a limit", "expired": "after its end", "not_yet_valid": "before its start",
    "revoked": "withdrawn code", "unknown_code": "none of our codes", "wrong_customer": "not by its holder",
    "discount_differs": "other discount", "refund_capped": "refund above discount",
}
"""What is odd about a redemption -> in two or three words; coupons.till.flags has the sentence."""


def refused_words(reason: str) -> str:
    """A refusal's reason in a few words."""
    return REFUSAL_WORDS.get(reason, reason.replace("_", " "))


def window_words(campaign: Campaign, *, now: datetime) -> str:
    """From when to when a campaign runs, in its own time zone: "1 Sep to 30 Oct"."""
    zone = campaign.timezone
    today = local_date(now, zone)
    if campaign.state == "history":
        first = day(campaign.starts_on, today=today) if campaign.starts_on else ""
        last = day(campaign.ends_on, today=today) if campaign.ends_on else ""
    else:
        first = day(campaign.starts_at, today=today, zone=zone) if campaign.starts_at else ""
        last = day(last_day_of(campaign.ends_at, zone), today=today) if campaign.ends_at else ""
    if first and last:
        return f"{first} to {last}"
    return f"from {first}" if first else f"until {last}" if last else "no window yet"
