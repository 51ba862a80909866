"""Which offers are there, and may this one be saved?

Owns creating and editing offers; `checking.py` judges the terms. The promise: an offer whose codes are out
keeps what those codes are worth and what was said of them (kind, amounts, goods, hours, combination, uses per code,
holder, returns); its name, limits, budgets, validity of codes still to come and whether it issues at all may change.
Counters are rebuilt from the ledger when limits change.
"""

import re
from collections.abc import Mapping
from datetime import datetime
from typing import Any, Unpack

from sqlalchemy import Integer, bindparam, exists, func, select, text
from sqlalchemy.exc import IntegrityError, OperationalError
from sqlalchemy.orm import Session

from core.errors import Conflict, Invalid, NotFound
from core.types import MICROSECOND
from coupons.locking import OFFER_LOCKS
from coupons.models import Code, Offer
from coupons.offers.checking import Given, checked_terms
from coupons.offers.counters import recount

_KEY = re.compile(r"[a-z0-9][a-z0-9_-]{0,99}")
FROZEN = (
    "kind", "percent_bp", "amount_cents", "price_cents", "free_skus", "free_items", "currency", "minimum_cents",
    "minimum_items", "cap_cents", "categories", "excluded_categories", "skus", "excluded_skus", "brands",
    "excluded_brands", "shops", "excludes_sale", "first_order_only", "offer_class", "combines", "combines_with",
    "limit_per_code", "customer_is", "weekdays", "from_minute", "until_minute", "zone", "holder", "return_rule",
)
"""What codes already out are worth and promise; it cannot change any more once there is one."""


_LOOKS = 500
_HOLD_ALONE = select(func.pg_try_advisory_xact_lock(
    bindparam("of_offers", type_=Integer()), bindparam("offer", type_=Integer())))
_REST = text("SELECT pg_sleep(0.01)")
_NOT_AVAILABLE = "55P03"


def save_offer(
    session: Session,
    key: str,
    *,
    expected_updated_at: datetime | None = None,
    must_be_new: bool = False,
    now: datetime,
    **given: Unpack[Given],
) -> Offer:
    """Create the offer, or replace its terms; `expected_updated_at` is what the editor saw, None overwrites.

    Terms left out take their defaults, but `holder`, which an offer keeps. Raises Invalid naming the field, Conflict
    when somebody saved meanwhile or codes with the old terms are out.
    """
    terms = checked_terms(given)
    if not _KEY.fullmatch(key):
        raise Invalid("Use small letters, digits and dashes, for example ten-percent.", place="key")
    offer = hold_offer(session, key)
    if offer is None:
        if expected_updated_at is not None:
            raise Conflict(f"There is no offer {key} any more.", place="key")
        terms["holder"] = terms["holder"] or "flag"
        offer = Offer(key=key, created_at=now, updated_at=now, used=0, spent_cents=0)
        session.add(offer)
    elif must_be_new:
        raise Conflict(f"There is an offer {key} already. Choose another key or edit that one.", place="key")
    else:
        terms["holder"] = terms["holder"] or offer.holder
        _check_unchanged(offer, expected_updated_at)
        _check_codes_out(session, offer, terms)
        # Two saves in one instant still differ, so that the second of two tabs is told.
        offer.updated_at = max(now, offer.updated_at + MICROSECOND)
    for field, value in terms.items():
        setattr(offer, field, value)
    try:
        session.flush()
    except IntegrityError as error:
        raise Conflict(f"Somebody made an offer {key} at this moment. Load it again.", place="key") from error
    recount(session.connection(), offer.id)
    session.refresh(offer, ["used", "spent_cents", "reserved", "reserved_cents"])
    _check_not_passed(offer)
    return offer


def offer_by_key(session: Session, key: str) -> Offer:
    """The offer with this key. Raises NotFound naming it."""
    offer = session.scalar(select(Offer).where(Offer.key == key))
    if offer is None:
        raise NotFound(f"There is no offer named {key}.")
    return offer


def list_offers(session: Session, *, after: str | None = None, limit: int = 100) -> list[Offer]:
    """Offers in the order of their keys, those after `after`."""
    statement = select(Offer).order_by(Offer.key).limit(limit)
    return list(session.scalars(statement.where(Offer.key > after) if after else statement))


def usual_currency(session: Session) -> str:
    """The currency that forms begin with: that of the newest offer, EUR before the first."""
    return session.scalar(select(Offer.currency).order_by(Offer.id.desc()).limit(1)) or "EUR"


def hold_offer(session: Session, key: str) -> Offer | None:
    """The offer, held against every use of it; raises Conflict when uses leave no gap for five seconds.

    On PostgreSQL it is asked for again and again: somebody who waited in line for it would keep out a use that counts
    on it already, which others that he waits for wait for in their turn.
    """
    wanted = select(Offer).where(Offer.key == key)
    if session.connection().dialect.name == "sqlite":
        return session.scalar(wanted)
    for _look in range(_LOOKS):
        try:
            with session.begin_nested() as attempt:
                offer = session.scalar(wanted.with_for_update(nowait=True))
                if offer is None or session.scalar(_HOLD_ALONE, {"of_offers": OFFER_LOCKS, "offer": offer.id}):
                    return offer
                attempt.rollback()
        except OperationalError as error:
            if getattr(error.orig, "sqlstate", None) != _NOT_AVAILABLE:
                raise
        session.execute(_REST)
    raise Conflict("This offer is being used without a pause, so its terms cannot change. Try again in a moment.")


def _check_unchanged(offer: Offer, expected_updated_at: datetime | None) -> None:
    if expected_updated_at is not None and offer.updated_at != expected_updated_at:
        raise Conflict("Somebody saved this offer meanwhile. Load it again, then repeat your change.",
                       place="updated_at")


def _check_not_passed(offer: Offer) -> None:
    uses, cents = offer.used + offer.reserved, offer.spent_cents + offer.reserved_cents
    if offer.limit_total is not None and uses > offer.limit_total:
        made = f"{offer.used} {'use was' if offer.used == 1 else 'uses were'} made already"
        raise Invalid(f"{made}. Set at least that; then no more are accepted." if not offer.reserved else
                      f"{made} and {offer.reserved} more are reserved. Set at least {uses}; then no more are accepted.",
                      place="limit_total")
    if offer.budget_cents is not None and cents > offer.budget_cents:
        given = f"{offer.spent_cents} cents were given already"
        raise Invalid(f"{given}. Set at least that; then no more are given." if not offer.reserved_cents else
                      f"{given} and {offer.reserved_cents} more are reserved. Set at least {cents}; then no more are "
                      "given.", place="budget_cents")


def _check_codes_out(session: Session, offer: Offer, terms: Mapping[str, Any]) -> None:
    changed = [field for field in FROZEN if getattr(offer, field) != terms[field]]
    if changed and session.scalar(select(exists().where(Code.offer_id == offer.id))):
        raise Conflict("Codes with the present terms are out, so they cannot change. Make a new offer instead.",
                       place=changed[0])
