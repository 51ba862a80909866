"""Which offers are there, and may this one be saved?

Owns creating and editing offers with every check of their terms. The promise: an offer whose codes are out keeps what
those codes are worth (kind, amounts, categories, uses per code, holder); its name, limits, budget, validity of codes
still to come and whether it issues at all may change. Counters are rebuilt from the ledger when limits change.
"""

import re
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from decimal import Decimal, InvalidOperation

from sqlalchemy import exists, select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from core.codes import ALPHABET
from core.errors import Conflict, Invalid, NotFound
from core.types import MICROSECOND
from coupons.counters import recount
from coupons.discount import MAX_CENTS
from coupons.models import Code, Offer

KINDS = ("percent", "fixed")
HOLDERS = ("off", "enforce")
_KEY = re.compile(r"[a-z0-9][a-z0-9_-]{0,99}")
_CURRENCY = re.compile(r"[A-Z]{3}")
_LARGEST_COUNT = 2**31 - 1
_LONGEST_DAYS = 3650


@dataclass(frozen=True)
class _Worth:
    """What codes already out are worth; frozen with the first code."""

    kind: str
    percent_bp: int | None
    amount_cents: int | None
    currency: str
    minimum_cents: int | None
    cap_cents: int | None
    categories: list[str]
    excluded_categories: list[str]
    limit_per_code: int
    holder: str


@dataclass(frozen=True)
class _Limits:
    limit_per_customer: int | None
    limit_total: int | None
    budget_cents: int | None


def save_offer(
    session: Session,
    key: str,
    *,
    name: str,
    kind: str,
    percent: Decimal | float | int | str | None = None,
    amount_cents: int | None = None,
    currency: str = "EUR",
    minimum_cents: int | None = None,
    cap_cents: int | None = None,
    categories: Sequence[str] = (),
    excluded_categories: Sequence[str] = (),
    limit_per_code: int = 1,
    limit_per_customer: int | None = None,
    limit_total: int | None = None,
    budget_cents: int | None = None,
    valid_days: int | None = None,
    valid_from: datetime | None = None,
    valid_until: datetime | None = None,
    holder: str = "off",
    prefix: str = "",
    active: bool = True,
    expected_updated_at: datetime | None = None,
    must_be_new: bool = False,
    now: datetime,
) -> Offer:
    """Create the offer, or replace its terms; `expected_updated_at` is what the editor saw, None overwrites.

    Raises Invalid naming the field, Conflict when somebody saved meanwhile or codes with the old terms are out.
    """
    worth = _checked_worth(kind, percent, amount_cents, currency, minimum_cents, cap_cents, categories,
                           excluded_categories, limit_per_code, holder)
    limits = _checked_limits(limit_per_customer, limit_total, budget_cents)
    _check_validity(valid_days, valid_from, valid_until)
    if not _KEY.fullmatch(key):
        raise Invalid("Use small letters, digits and dashes, for example ten-percent.", place="key")
    if not name.strip() or len(name) > 200:
        raise Invalid("Give the offer a name of at most 200 characters.", place="name")
    offer = session.scalar(select(Offer).where(Offer.key == key).with_for_update())
    if offer is None:
        if expected_updated_at is not None:
            raise Conflict(f"There is no offer {key} any more.", place="key")
        offer = Offer(key=key, created_at=now, updated_at=now, used=0, spent_cents=0)
        session.add(offer)
    elif must_be_new:
        raise Conflict(f"There is an offer {key} already. Choose another key or edit that one.", place="key")
    else:
        _check_unchanged(offer, expected_updated_at)
        _check_codes_out(session, offer, worth)
        # Two saves in one instant still differ, so that the second of two tabs is told.
        offer.updated_at = max(now, offer.updated_at + MICROSECOND)
    for field, value in {**asdict(worth), **asdict(limits)}.items():
        setattr(offer, field, value)
    offer.name, offer.prefix, offer.active = name.strip(), _checked_prefix(prefix), active
    offer.valid_days, offer.valid_from, offer.valid_until = valid_days, valid_from, valid_until
    try:
        session.flush()
    except IntegrityError as error:
        raise Conflict(f"Somebody made an offer {key} at this moment. Load it again.", place="key") from error
    recount(session.connection(), offer.id)
    session.refresh(offer, ["used", "spent_cents"])
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


def _checked_worth(kind: str, percent: Decimal | float | int | str | None, amount_cents: int | None, currency: str,
                   minimum_cents: int | None, cap_cents: int | None, categories: Sequence[str],
                   excluded: Sequence[str], limit_per_code: int, holder: str) -> _Worth:
    if kind not in KINDS:
        raise Invalid("Use percent or fixed.", place="kind")
    if kind == "percent" and amount_cents is not None:
        raise Invalid("A percent offer has no fixed amount; leave it out.", place="amount_cents")
    if kind == "fixed" and percent is not None:
        raise Invalid("A fixed offer has no percentage; leave it out.", place="percent")
    if kind == "fixed" and amount_cents is None:
        raise Invalid("Say how many cents the offer takes off.", place="amount_cents")
    if not _CURRENCY.fullmatch(currency):
        raise Invalid("Use three capital letters, for example EUR.", place="currency")
    if holder not in HOLDERS:
        raise Invalid("Use off or enforce.", place="holder")
    for field, value in (("amount_cents", amount_cents), ("minimum_cents", minimum_cents), ("cap_cents", cap_cents)):
        _check_whole(value, field, largest=MAX_CENTS)
    _check_whole(limit_per_code, "limit_per_code", largest=_LARGEST_COUNT)
    both = {name.casefold() for name in categories} & {name.casefold() for name in excluded}
    if both:
        raise Invalid(f"{min(both)} is both included and excluded; decide for one.", place="excluded_categories")
    return _Worth(kind, _percent_bp(percent) if kind == "percent" else None, amount_cents, currency, minimum_cents,
                  cap_cents, _names(categories, "categories"), _names(excluded, "excluded_categories"),
                  limit_per_code, holder)


def _checked_limits(per_customer: int | None, total: int | None, budget_cents: int | None) -> _Limits:
    _check_whole(per_customer, "limit_per_customer", largest=_LARGEST_COUNT)
    _check_whole(total, "limit_total", largest=MAX_CENTS)
    _check_whole(budget_cents, "budget_cents", largest=MAX_CENTS)
    return _Limits(per_customer, total, budget_cents)


def _check_validity(days: int | None, start: datetime | None, end: datetime | None) -> None:
    _check_whole(days, "valid_days", largest=_LONGEST_DAYS)
    for field, value in (("valid_from", start), ("valid_until", end)):
        if value is not None and value.tzinfo is None:
            raise Invalid("Give the instant with its time zone.", place=field)
        if value is not None and not 2000 <= value.year <= 2200:
            raise Invalid("Use a year from 2000 to 2200.", place=field)
    if start is not None and end is not None and end <= start:
        raise Invalid("The end must lie after the beginning.", place="valid_until")


def _check_whole(value: int | None, place: str, *, largest: int) -> None:
    if value is None:
        return
    if isinstance(value, bool) or not isinstance(value, int) or not 1 <= value <= largest:
        raise Invalid(f"Use a whole number from 1 to {largest}.", place=place)


def _percent_bp(percent: Decimal | float | int | str | None) -> int:
    try:
        hundredths = Decimal(str(percent)) * 100
    except InvalidOperation:
        hundredths = Decimal(-1)
    if not hundredths.is_finite() or not 0 < hundredths <= 10_000 or hundredths != int(hundredths):
        raise Invalid("Use a percentage above 0 and up to 100, with at most two decimals.", place="percent")
    return int(hundredths)


def _names(values: Sequence[str], place: str) -> list[str]:
    names = list(dict.fromkeys(value.strip() for value in values))
    if any(not name or len(name) > 200 for name in names):
        raise Invalid("Category names have 1 to 200 characters.", place=place)
    return names


def _checked_prefix(prefix: str) -> str:
    plain = prefix.strip().upper()
    if len(plain) > 12 or any(symbol not in ALPHABET for symbol in plain):
        raise Invalid("Use up to 12 letters and digits without I, L, O and U, which are misread.", place="prefix")
    return plain


def _check_unchanged(offer: Offer, expected_updated_at: datetime | None) -> None:
    if expected_updated_at is not None and offer.updated_at != expected_updated_at:
        raise Conflict("Somebody saved this offer meanwhile. Load it again, then repeat your change.",
                       place="updated_at")


def _check_not_passed(offer: Offer) -> None:
    if offer.limit_total is not None and offer.used > offer.limit_total:
        raise Invalid(f"{offer.used} uses were made already. Set at least that; then no more are accepted.",
                      place="limit_total")
    if offer.budget_cents is not None and offer.spent_cents > offer.budget_cents:
        raise Invalid(f"{offer.spent_cents} cents were given already. Set at least that; then no more are given.",
                      place="budget_cents")


def _check_codes_out(session: Session, offer: Offer, worth: _Worth) -> None:
    changed = [field for field, value in asdict(worth).items() if getattr(offer, field) != value]
    if changed and session.scalar(select(exists().where(Code.offer_id == offer.id))):
        raise Conflict("Codes with the present terms are out, so they cannot change. Make a new offer instead.",
                       place=changed[0])
