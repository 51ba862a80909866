"""What speaks for this person being in this audience, in a few words?

Owns the evidence line beside a person: how much they ordered in all, then what the rule asks for: the last thing
bought of each kind, an order by its place, what was kept of the money, the rhythm, the last contact, message or coupon;
what the shop told comes from evidence_told.py. It is read from the row store, for the people on one page, and says
nothing twice.
"""

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import BigInteger, bindparam, func, not_, select, type_coerce
from sqlalchemy.orm import Session

from core.types import from_us, to_us
from segments.compiling.facts import CUSTOMERS
from segments.compiling.placing import nth_orders
from segments.compiling.rhythm import DAY_US
from segments.compiling.sources import LINES, ORDERS, rows_of
from segments.dialects.instants import Fixed
from segments.dialects.portable import InLongList, NumberList, in_words
from segments.language.conditions import Followed, Measured, Rule, Where
from segments.saving.saved import resolved
from segments.telling.evidence_told import told_of
from segments.telling.kept import kept_money
from segments.telling.phrases import PHRASES, Phrases

MOST = 4
"""So many things of one sort are told; a rule of hundreds of conditions is not recited."""


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
    whole = resolved(session.connection(), rule)
    asked = [node for node in whole.walk() if isinstance(node, Measured)]
    told = [_last_bought(session, ids, categories, as_of, phrases) for categories in _categories(whole)[:MOST]]
    places = list(dict.fromkeys(node.nth for node in asked if node.nth))[:MOST]
    told += [_placed(session, ids, nth, as_of, phrases) for nth in places]
    told.append(_kept(session, ids, {node.measure for node in asked if node.source == "orders"}, as_of, phrases))
    if any(node.source == "orders" and node.measure in ("days_between", "overdue") for node in asked):
        told.append(_rhythm(session, ids, as_of, phrases))
    others = [(node.source, node.measure, node.where) for node in asked
              if f"evidence.{node.source}.{node.measure}" in phrases.words]
    told += [_last_time(session, ids, *other, as_of, phrases) for other in list(dict.fromkeys(others))[:MOST]]
    for found in told:
        for customer_id, text in found.items():
            lines[customer_id] += [text] if text not in lines[customer_id] else []
    for customer_id, text in told_of(session, whole, ids, as_of=as_of, phrases=phrases, most=MOST):
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
    asked: list[Where] = []
    for node in rule.walk():
        asked += [node.where] if isinstance(node, Measured) and node.source == "orders" else []
        asked += [node.bought, node.then] if isinstance(node, Followed) else []
    named = (where.get("category") for where in asked)
    return list(dict.fromkeys(categories for categories in named if categories))


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
        when = _day(at_us, as_of, phrases)
        found[customer_id] = (phrases("evidence.last.product", category, when, product) if product
                              else phrases("evidence.last", category, when))
    return found


def _placed(session: Session, ids: list[int], nth: int, as_of: datetime, phrases: Phrases) -> dict[int, str]:
    """The order in that place, with what it held."""
    chosen = nth_orders(nth, Fixed(as_of), [select(CUSTOMERS.c.id).where(_among(CUSTOMERS.c.id, ids))])
    rows = session.execute(
        select(LINES.c.customer_id, type_coerce(LINES.c.ordered_at, BigInteger()), LINES.c.category)
        .where(LINES.c.order_id.in_(chosen)).order_by(LINES.c.customer_id, LINES.c.id))
    held: dict[tuple[int, int], list[str]] = {}
    for customer_id, at_us, category in rows:
        held.setdefault((customer_id, at_us), []).extend([category] if category else [])
    said = {}
    for (customer_id, at_us), categories in held.items():
        order = f"{phrases.place(nth)} {_day(at_us, as_of, phrases)}"
        what = phrases.listed(list(dict.fromkeys(categories)), "and") if categories else ""
        said[customer_id] = f"{order}: {what}" if what else order
    return said


def _kept(session: Session, ids: list[int], asked: set[str], as_of: datetime, phrases: Phrases) -> dict[int, str]:
    """What was left of the money over the whole history, as far as the rule asks for it."""
    if not asked & {"net_revenue", "margin", "returned_share"}:
        return {}
    said: dict[int, list[str]] = {}
    for each in kept_money(session, ids, as_of=as_of):
        parts = said.setdefault(each.customer_id, [])
        if "net_revenue" in asked:
            parts.append(phrases("evidence.net", phrases.money(each.net_cents, each.currency, rounded=True)))
        if "margin" in asked and each.margin_cents is not None:
            parts.append(phrases("evidence.margin", phrases.money(each.margin_cents, each.currency, rounded=True)))
        if "returned_share" in asked and each.returned_share is not None:
            parts.append(phrases("evidence.returned", phrases.number(round(100 * each.returned_share))))
    return {customer_id: "; ".join(parts) for customer_id, parts in said.items() if parts}


def _rhythm(session: Session, ids: list[int], as_of: datetime, phrases: Phrases) -> dict[int, str]:
    """How often somebody with several orders orders, and how long ago that was last."""
    first, last = (type_coerce(edge(ORDERS.c.ordered_at), BigInteger()) for edge in (func.min, func.max))
    rows = session.execute(
        select(ORDERS.c.customer_id, func.count(), first, last)
        .where(_among(ORDERS.c.customer_id, ids), not_(ORDERS.c.cancelled), ORDERS.c.ordered_at < to_us(as_of))
        .group_by(ORDERS.c.customer_id).having(last > first))
    return {customer_id: phrases("evidence.rhythm", phrases.number(round((last_us - first_us) / (orders - 1) / DAY_US)),
                                 phrases.number((to_us(as_of) - last_us) // DAY_US))
            for customer_id, orders, first_us, last_us in rows}


def _last_time(
    session: Session, ids: list[int], source: str, measure: str, where: Where, as_of: datetime, phrases: Phrases
) -> dict[int, str]:
    """The last contact, message or coupon of the kind the rule asks for."""
    rows = rows_of(source, [measure], where, None, Fixed(as_of))
    found = session.execute(
        select(rows.person, type_coerce(func.max(rows.at), BigInteger())).select_from(rows.origin)
        .where(*rows.holds, _among(rows.person, ids)).group_by(rows.person))
    kinds = where.get("kind")
    said = {}
    for customer_id, at_us in found:
        when = _day(at_us, as_of, phrases)
        said[customer_id] = (phrases("evidence.last", phrases.listed(list(kinds), "or"), when) if kinds
                             else phrases(f"evidence.{source}.{measure}", when))
    return said


def _day(at_us: int, as_of: datetime, phrases: Phrases) -> str:
    day = from_us(at_us)
    return phrases.day(day, year=day.year != as_of.year)


def _among(column: object, ids: list[int]) -> InLongList:
    return InLongList(column, bindparam(None, ids, type_=NumberList(), unique=True))
