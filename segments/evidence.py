"""What speaks for this person being in this audience, in a few words?

Owns the evidence line beside a person: how much they ordered in all, and the last thing they bought of each kind the
rule asks for. It is read from the row store, for the people on one page.
"""

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import BigInteger, bindparam, func, not_, select, type_coerce
from sqlalchemy.orm import Session

from core.types import from_us, to_us
from segments.conditions import Measured, Rule
from segments.phrases import PHRASES, Phrases
from segments.portable import InLongList, NumberList, in_words
from segments.saved import resolved
from segments.sources import LINES, ORDERS


def why_in(
    session: Session, rule: Rule, customer_ids: Sequence[int], *, as_of: datetime, language: str = "en"
) -> dict[int, str]:
    """Per person a short line such as "3 orders worth €3,214; last furniture 12 Mar, sideboard"."""
    phrases = PHRASES[language]
    ids = [int(customer_id) for customer_id in customer_ids]
    lines = {customer_id: [phrases("evidence.none")] for customer_id in ids}
    for customer_id, amounts in _ordered(session, ids, as_of).items():
        orders = sum(count for _currency, count, _cents in amounts)
        sums = [phrases.money(cents, currency, rounded=True) for currency, _count, cents in amounts]
        worth = phrases.listed(sums, "and")
        lines[customer_id] = [phrases("evidence.one", worth) if orders == 1 else
                              phrases("evidence", phrases.number(orders), worth)]
    for categories in _categories(resolved(session.connection(), rule)):
        for customer_id, text in _last_bought(session, ids, categories, as_of, phrases).items():
            lines[customer_id].append(text)
    return {customer_id: "; ".join(parts) for customer_id, parts in lines.items()}


def _ordered(session: Session, ids: list[int], as_of: datetime) -> dict[int, list[tuple[str, int, int]]]:
    rows = session.execute(
        select(ORDERS.c.customer_id, ORDERS.c.currency, func.count(), func.sum(ORDERS.c.total_cents))
        .where(_among(ORDERS.c.customer_id, ids), not_(ORDERS.c.cancelled), ORDERS.c.ordered_at < to_us(as_of))
        .group_by(ORDERS.c.customer_id, ORDERS.c.currency).order_by(ORDERS.c.customer_id, ORDERS.c.currency)
    )
    found: dict[int, list[tuple[str, int, int]]] = {}
    for customer_id, currency, count, cents in rows:
        found.setdefault(customer_id, []).append((currency, count, int(cents)))
    return found


def _categories(rule: Rule) -> list[tuple[str, ...]]:
    """The lists of categories the rule asks for, each once, in the order of the rule."""
    asked = (node.where.get("category") for node in rule.walk() if isinstance(node, Measured))
    return list(dict.fromkeys(categories for categories in asked if categories))


def _last_bought(
    session: Session, ids: list[int], categories: tuple[str, ...], as_of: datetime, phrases: Phrases
) -> dict[int, str]:
    place = func.row_number().over(partition_by=LINES.c.customer_id,
                                   order_by=(LINES.c.ordered_at.desc(), LINES.c.total_cents.desc(), LINES.c.id))
    at = type_coerce(LINES.c.ordered_at, BigInteger()).label("at")
    ranked = (
        select(LINES.c.customer_id, LINES.c.category, LINES.c.product, at, place.label("place"))
        .where(_among(LINES.c.customer_id, ids), in_words(LINES.c.category, categories), not_(LINES.c.cancelled),
               LINES.c.ordered_at < to_us(as_of))
        .subquery()
    )
    found = {}
    for customer_id, category, product, at_us in session.execute(
        select(ranked.c.customer_id, ranked.c.category, ranked.c.product, ranked.c.at).where(ranked.c.place == 1)
    ):
        day = from_us(at_us)
        when = phrases.day(day, year=day.year != as_of.year)
        found[customer_id] = (phrases("evidence.last.product", category, when, product) if product
                              else phrases("evidence.last", category, when))
    return found


def _among(column: object, ids: list[int]) -> InLongList:
    return InLongList(column, bindparam(None, ids, type_=NumberList(), unique=True))
