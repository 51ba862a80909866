"""What do programs and pages see of codes, redemptions and offers?

Owns their JSON forms and the lists behind them, walked by key. `expired` is derived here at reading, in what is shown
and in what a filter selects alike.
"""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import Connection, Row, Select, bindparam, func, select
from sqlalchemy.orm import Session

from core.arrays import in_texts
from core.codes import LONGEST, canonical, grouped
from core.errors import Invalid, NotFound
from coupons.models import Code, Offer, Redemption
from coupons.offers.conditions import offer_terms
from coupons.offers.counters import ledger_used
from coupons.offers.wording import clock_text, offer_words
from coupons.states import SHOWN_STATES, shown_as, shown_state
from customers.models import Customer, Product

AnyRow = Row[*tuple[Any, ...]]

_CODES = (
    select(
        Code.id, Code.code, Code.state, Code.use_limit, Code.used, Code.reserved,
        Code.written, Code.region, Code.campaign, Code.origin, Code.issued_at,
        Code.valid_from, Code.valid_until, Code.redeemed_at, Code.revoked_at, Code.revoked_reason,
        Offer.key.label("offer"), Offer.currency, Customer.external_id.label("customer"),
    )
    .join(Offer, Offer.id == Code.offer_id)
    .outerjoin(Customer, Customer.id == Code.customer_id)
)
_REDEMPTIONS = select(
    Redemption.id, Redemption.public_id, Redemption.code_text, Redemption.shop, Redemption.order_ref,
    Redemption.order_total_cents, Redemption.discount_cents, Redemption.rolled_back_cents, Redemption.currency,
    Redemption.state, Redemption.history, Redemption.campaign, Redemption.redeemed_at,
    Customer.external_id.label("customer"),
).outerjoin(Customer, Customer.id == func.coalesce(Redemption.customer_id, Redemption.redeemer_id))
_REDEMPTION_BY_ID = _REDEMPTIONS.where(Redemption.id == bindparam("redemption"))
_REDEMPTION_BY_NAME = _REDEMPTIONS.where(Redemption.public_id == bindparam("public_id"))


def instant_text(instant: datetime | None) -> str | None:
    """An instant as ISO 8601 in UTC with Z."""
    return None if instant is None else instant.astimezone(UTC).isoformat().replace("+00:00", "Z")


def read_by_people(code: str | None, written: str | None) -> str | None:
    """A stored code as it stands on paper: a public one as it was opened, others in groups; None for none of ours."""
    return None if code is None else written or grouped(code)


def redemption_body(row: Mapping[str, Any], customer: str | None) -> dict[str, Any]:
    """A redemption as the shop sees it."""
    return {
        "id": row["public_id"], "code": row["code_text"], "order_id": row["order_ref"], "shop": row["shop"],
        "discount_cents": row["discount_cents"], "rolled_back_cents": row["rolled_back_cents"],
        "currency": row["currency"], "customer": customer, "campaign": row["campaign"],
        "redeemed_at": instant_text(row["redeemed_at"]), "state": row["state"],
    }


def stored_redemption(
    connection: Connection, *, redemption_id: int | None = None, public_id: str | None = None
) -> dict[str, Any] | None:
    """The redemption with this number or public id, as the shop sees it; None when there is none."""
    statement, key = ((_REDEMPTION_BY_ID, {"redemption": redemption_id}) if public_id is None
                      else (_REDEMPTION_BY_NAME, {"public_id": public_id}))
    row = connection.execute(statement, key).one_or_none()
    return None if row is None else redemption_body(row._asdict(), row.customer)


def list_redemptions(
    session: Session, *, campaign: str | None = None, customer: str | None = None, code: str | None = None,
    state: str | None = None, after: int = 0, limit: int = 100,
) -> tuple[list[dict[str, Any]], int | None]:
    """Redemptions in the order in which they were recorded, and where the next page begins (None: no more)."""
    statement = _REDEMPTIONS.where(Redemption.id > after)
    if campaign is not None:
        statement = statement.where(Redemption.campaign == campaign)
    if customer is not None:
        statement = statement.where(Customer.external_id == customer)
    if code is not None:
        statement = statement.where(Redemption.code_text == canonical(code)[:LONGEST])
    if state is not None:
        statement = statement.where(Redemption.state == state)
    rows, following = _page(session, statement.order_by(Redemption.id), limit)
    return [redemption_body(row._asdict(), row.customer) for row in rows], following


def code_body(row: AnyRow, *, now: datetime) -> dict[str, Any]:
    """A code as programs see it."""
    return {
        "code": row.code, "display": read_by_people(row.code, row.written),
        "state": shown_state(row.state, row.valid_until, now=now), "offer": row.offer, "campaign": row.campaign,
        "customer": row.customer, "origin": row.origin, "currency": row.currency,
        "valid_from": instant_text(row.valid_from), "valid_until": instant_text(row.valid_until),
        "issued_at": instant_text(row.issued_at), "redeemed_at": instant_text(row.redeemed_at),
        "revoked_at": instant_text(row.revoked_at), "revoked_reason": row.revoked_reason,
        "use_limit": row.use_limit, "used": row.used, "reserved": row.reserved, "region": row.region,
    }


def find_code(session: Session, text: str, *, now: datetime) -> dict[str, Any]:
    """The code as somebody typed it. Raises NotFound."""
    wanted = canonical(text)
    row = session.execute(_CODES.where(Code.code == wanted)).one_or_none() if 0 < len(wanted) <= LONGEST else None
    if row is None:
        raise NotFound("There is no such code. Check it for typing mistakes.")
    return code_body(row, now=now)


def list_codes(
    session: Session, *, state: str | None = None, campaign: str | None = None, offer: str | None = None,
    customer: str | None = None, after: int = 0, limit: int = 100, now: datetime,
) -> tuple[list[dict[str, Any]], int | None]:
    """Codes in the order in which they were issued, and where the next page begins (None: no more)."""
    statement = _CODES.where(Code.id > after)
    if state is not None:
        if state not in SHOWN_STATES:
            raise Invalid(f"Use one of {', '.join(SHOWN_STATES)}.", place="state")
        statement = statement.where(shown_as(state, now=now))
    if campaign is not None:
        statement = statement.where(Code.campaign == campaign)
    if offer is not None:
        statement = statement.where(Offer.key == offer)
    if customer is not None:
        statement = statement.where(Customer.external_id == customer)
    rows, following = _page(session, statement.order_by(Code.id), limit)
    return [code_body(row, now=now) for row in rows], following


def _page(session: Session, statement: Select[*tuple[Any, ...]], limit: int) -> tuple[Sequence[AnyRow], int | None]:
    rows = session.execute(statement.limit(limit + 1)).all()
    return rows[:limit], rows[limit - 1].id if len(rows) > limit else None


def names_for(session: Session, offer: Offer) -> dict[str, str]:
    """The names of the products that an offer tells of by their numbers, as far as the facts book has them."""
    skus = sorted({*offer.free_skus, *offer.skus, *offer.excluded_skus})
    if not skus:
        return {}
    rows = session.execute(select(Product.sku, Product.name).where(in_texts(Product.sku, skus),
                                                                   Product.name.is_not(None)))
    return {sku: name for sku, name in rows if name}


_OFFER_FIELDS = (
    "key", "name", "kind", "amount_cents", "price_cents", "free_skus", "free_items", "currency", "minimum_cents",
    "minimum_items", "cap_cents", "categories", "excluded_categories", "skus", "excluded_skus", "brands",
    "excluded_brands", "shops", "excludes_sale", "first_order_only", "offer_class", "combines", "combines_with",
    "limit_per_code", "limit_per_customer", "customer_period", "customer_is", "limit_total", "limit_per_day",
    "limit_per_week", "limit_per_month", "budget_cents", "budget_per_day_cents", "budget_per_week_cents",
    "budget_per_month_cents", "valid_days", "weekdays", "zone", "holder", "return_rule", "prefix", "pattern",
    "active",
)


def offer_body(session: Session, offer: Offer) -> dict[str, Any]:
    """An offer as programs see it, with its use by codes issued and redemptions still standing."""
    issued = session.scalar(select(func.count()).where(Code.offer_id == offer.id)) or 0
    redeemed = session.scalar(select(ledger_used).where(Redemption.offer_id == offer.id)) or 0
    names = names_for(session, offer)
    return {
        **{field: getattr(offer, field) for field in _OFFER_FIELDS},
        "percent": None if offer.percent_bp is None else offer.percent_bp / 100,
        "valid_from": instant_text(offer.valid_from), "valid_until": instant_text(offer.valid_until),
        "hours": hours_body(offer.from_minute, offer.until_minute),
        "words": {language: offer_words(offer, language, names=names) for language in ("en", "de")},
        "terms": {language: offer_terms(offer, language, names=names) for language in ("en", "de")},
        "codes_issued": issued, "redemptions": redeemed,
        "created_at": instant_text(offer.created_at), "updated_at": instant_text(offer.updated_at),
    }


def hours_body(from_minute: int | None, until_minute: int | None) -> dict[str, str] | None:
    """The hours of the day in which an offer holds, as `{"from": "09:00", "until": "18:00"}`; None: the whole day."""
    if from_minute is None or until_minute is None:
        return None
    return {"from": clock_text(from_minute), "until": clock_text(until_minute)}
