"""What do the tables say about one campaign, added up?

Owns all SQL of the campaign report: one grouped statement per question, whatever the number of people, on SQLite and on
PostgreSQL. The promise: everything is counted over the same people (`audience.people`) within the same window, and a
person counts once per number.
"""

from dataclasses import dataclass
from typing import Any

from sqlalchemy import (
    BigInteger,
    ColumnElement,
    Double,
    Join,
    Select,
    Subquery,
    and_,
    case,
    cast,
    distinct,
    func,
    join,
    literal,
    or_,
    select,
    type_coerce,
)
from sqlalchemy.orm import Session

from core.arrays import in_texts
from coupons.models import Redemption
from customers.models import Order, OrderLine
from delivery.models import Message
from reporting.audience import Frame, buyers, people
from reporting.groups import Group, Heads, Sums

HOUR_US = 3_600_000_000
SPOKEN = ("sent", "uncertain", "handed_over")
"""States in which the outside has, or may have, the message: costs and doubles count over these."""

def heads(session: Session, frame: Frame, *, by_channel: bool, currency: str) -> dict[tuple[bool, str], Heads]:
    """People, people written to, redeemers and people who ordered, by hold-out and arm (or channel)."""
    who = people(frame)
    group = func.coalesce(who.c.channel, "") if by_channel else who.c.arm
    keys = (who.c.held_out, group.label("grp"))
    found: dict[tuple[bool, str], dict[str, Any]] = {}

    def add(statement: Select[Any], *names: str) -> None:
        for row in session.execute(statement):
            values = found.setdefault((bool(row[0]), row[1]), {})
            values.update({name: int(value or 0) for name, value in zip(names, row[2:], strict=True)})

    def counted(*columns: ColumnElement[Any]) -> Select[Any]:
        return select(*keys, *columns).group_by(*keys)

    add(counted(func.count()), "people")
    add(counted(func.count(distinct(who.c.customer_id)))
        .join_from(who, Message, Message.customer_id == who.c.customer_id)
        .where(Message.campaign == frame.key, Message.state == "sent"), "sent")
    in_currency = Redemption.currency == currency
    add(counted(func.count(distinct(who.c.customer_id)), func.count(),
                func.sum(case((in_currency, Redemption.order_total_cents), else_=0)),
                func.sum(case((in_currency, Redemption.discount_cents - Redemption.rolled_back_cents), else_=0)))
        .join_from(who, Redemption, Redemption.customer_id == who.c.customer_id)
        .where(*_redeemed(frame), *_within(frame, who, Redemption.redeemed_at)),
        "redeemers", "redemptions", "redeemed_cents", "discount_cents")
    add(counted(func.count(distinct(who.c.customer_id)))
        .select_from(_with_orders(frame, who))
        .where(*_ordered(frame, who), *_in_goal(frame)), "ordered")
    return {key: Heads(**values) for key, values in found.items()}


def currencies(session: Session, frame: Frame) -> dict[str, int]:
    """Orders within the window by currency, then redemptions; most first."""
    who = people(frame)
    orders = session.execute(
        select(Order.currency, func.count()).select_from(_with_orders(frame, who))
        .where(*_ordered(frame, who)).group_by(Order.currency)).all()
    rows = orders or session.execute(
        select(Redemption.currency, func.count()).where(*_redeemed(frame)).group_by(Redemption.currency)).all()
    return {row[0]: row[1] for row in sorted(rows, key=lambda row: (-row[1], row[0]))}


def money(session: Session, frame: Frame, *, currency: str) -> dict[Group, Sums]:
    """What the people of each group ordered, kept and earned us, by hold-out and arm."""
    each = amounts(frame, currency)
    kept, earned = each.c.kept, each.c.earned
    rows = session.execute(
        select(each.c.held_out, each.c.arm, func.count(),
               *(func.sum(each.c[name]) for name in ("orders", "revenue", "net", "contribution", "cost")),
               func.sum(kept), func.sum(kept * kept), func.sum(earned), func.sum(earned * earned),
               *(func.sum(each.c[name]) for name in ("lines_cents", "known_cents", "lines", "returned", "delivered")))
        .group_by(each.c.held_out, each.c.arm))
    return {(bool(row[0]), row[1]): _sums(list(row[2:])) for row in rows}


def amounts(frame: Frame, currency: str) -> Subquery:
    """One row per person: held_out, arm, channel, what they ordered (null: nothing), and `kept` and `earned` after what
    messages cost; where organisations were drawn also `unit`, and `redeemed` and `ordered` as 0 or 1."""
    who = people(frame)
    orders = _orders(frame, who, currency)
    sums = ("revenue", "net", "contribution", "lines_cents", "known_cents", "lines", "returned", "delivered")
    bought = select(
        orders.c.customer_id, func.count().label("orders"), *(func.sum(orders.c[name]).label(name) for name in sums),
    ).group_by(orders.c.customer_id).subquery("bought")
    posted = (
        select(Message.customer_id, func.sum(Message.cost_cents).label("cost"))
        .where(Message.campaign == frame.key, Message.state.in_(SPOKEN)).group_by(Message.customer_id)
        .subquery("posted")
    )
    cost = func.coalesce(posted.c.cost, 0)
    found = (
        select(who, bought.c.orders, *(bought.c[name] for name in sums), cost.label("cost"),
               (func.coalesce(bought.c.net, 0.0) - _real(cost)).label("kept"),
               (func.coalesce(bought.c.contribution, 0.0) - _real(cost)).label("earned"))
        .select_from(who)
        .outerjoin(bought, bought.c.customer_id == who.c.customer_id)
        .outerjoin(posted, posted.c.customer_id == who.c.customer_id)
    )
    if not frame.clustered:
        return found.subquery("amounts")
    redeemed = (
        select(who.c.customer_id).distinct().join_from(who, Redemption, Redemption.customer_id == who.c.customer_id)
        .where(*_redeemed(frame), *_within(frame, who, Redemption.redeemed_at)).subquery("redeemed"))
    ordered = (select(who.c.customer_id).distinct().select_from(_with_orders(frame, who))
               .where(*_ordered(frame, who), *_in_goal(frame)).subquery("ordered"))
    for name, did in (("redeemed", redeemed), ("ordered", ordered)):
        found = (found.add_columns(case((did.c.customer_id.is_not(None), 1), else_=0).label(name))
                 .outerjoin(did, did.c.customer_id == who.c.customer_id))
    return found.subquery("amounts")


def _sums(row: list[Any]) -> Sums:
    whole = Sums()
    values = {name: value or 0 for name, value in zip(Sums.__dataclass_fields__, row, strict=False)}
    return Sums(**{name: type(getattr(whole, name))(value) for name, value in values.items()})


def _orders(frame: Frame, who: Subquery, currency: str) -> Subquery:
    """One row per order: revenue, net and contribution.

    A line's total stands before its discount; where no line of an order knows its discount, that of the redemption
    counts. What came back is a share of the line's quantity.
    """
    line, quantity = OrderLine, _real(OrderLine.quantity_milli)
    came_back = _real(func.coalesce(line.returned_quantity_milli, 0))
    kept = case((and_(line.quantity_milli > 0, came_back >= quantity), 0.0),
                (line.quantity_milli > 0, 1.0 - came_back / quantity), else_=1.0)
    after = _real(line.total_cents - func.coalesce(line.discount_cents, 0))
    known = and_(line.tax_rate.is_not(None), line.unit_cost_cents.is_not(None))
    untaxed = 1.0 + func.coalesce(line.tax_rate, 0.0)
    spent = _real(func.coalesce(line.unit_cost_cents, 0)) * quantity / 1000.0
    ledger = (
        select(Redemption.shop, Redemption.order_ref,
               func.sum(Redemption.discount_cents - Redemption.rolled_back_cents).label("discount"))
        .where(*_redeemed(frame), Redemption.currency == currency)
        .group_by(Redemption.shop, Redemption.order_ref).subquery("ledger")
    )
    sums = {
        "lines_cents": func.coalesce(func.sum(line.total_cents), 0),
        "known_cents": func.coalesce(func.sum(case((known, line.total_cents), else_=0)), 0),
        "lines": func.count(line.id),
        "returned": func.count(case((line.returned_quantity_milli > 0, 1))),
        "delivered": func.count(line.delivered_at),
        "discounts": func.count(line.discount_cents),
        "after": func.sum(after * kept),
        "gross_kept": func.sum(_real(line.total_cents) * kept),
        "earned": func.sum(case((known, (after / untaxed - spent) * kept), else_=0.0)),
        "untaxed_kept": func.sum(case((known, _real(line.total_cents) * kept / untaxed), else_=0.0)),
    }
    lines = (
        select(Order.id, who.c.customer_id, Order.shop, Order.external_id, Order.total_cents,
               *(column.label(name) for name, column in sums.items()))
        .select_from(_with_orders(frame, who))
        .outerjoin(line, line.order_id == Order.id)
        .where(*_ordered(frame, who), Order.currency == currency)
        .group_by(Order.id, who.c.customer_id, Order.shop, Order.external_id, Order.total_cents)
        .subquery("lines")
    )
    late = case((and_(lines.c.discounts == 0, lines.c.lines_cents > 0),
                 _real(func.coalesce(ledger.c.discount, 0)) / _real(lines.c.lines_cents)), else_=0.0)
    return (
        select(lines.c.customer_id, lines.c.total_cents.label("revenue"),
               func.coalesce(lines.c.after - late * lines.c.gross_kept, _real(lines.c.total_cents)).label("net"),
               func.coalesce(lines.c.earned - late * lines.c.untaxed_kept, 0.0).label("contribution"),
               *(lines.c[name] for name in ("lines_cents", "known_cents", "lines", "returned", "delivered")))
        .outerjoin(ledger, and_(ledger.c.shop == lines.c.shop, ledger.c.order_ref == lines.c.external_id))
        .subquery("orders_within")
    )


def waits(session: Session, frame: Frame) -> dict[str, tuple[dict[int, int], dict[int, int]]]:
    """Per arm: people by whole hours from expected arrival to their first redemption, and people who have not redeemed
    by the hours they have been watched. In history the campaign's start stands for the arrival."""
    who = people(frame)
    if frame.history:
        arrived = select(who.c.customer_id, who.c.arm, who.c.since_us.label("at")).subquery("arrived")
        if frame.starts_us is None:
            return {}
    else:
        first = func.min(type_coerce(func.coalesce(Message.expected_at, Message.sent_at), BigInteger))
        arrived = (
            select(who.c.customer_id, who.c.arm, first.label("at"))
            .join_from(who, Message, Message.customer_id == who.c.customer_id)
            .where(Message.campaign == frame.key, Message.state == "sent", who.c.held_out.is_(False))
            .group_by(who.c.customer_id, who.c.arm).subquery("arrived")
        )
    used = (
        select(who.c.customer_id, func.min(type_coerce(Redemption.redeemed_at, BigInteger)).label("at"))
        .join_from(who, Redemption, Redemption.customer_id == who.c.customer_id)
        .where(*_redeemed(frame), *_within(frame, who, Redemption.redeemed_at))
        .group_by(who.c.customer_id).subquery("used")
    )
    redeemed = used.c.at.is_not(None)
    # Who redeemed before the expected day had it early: no wait. Who is not reached yet was not watched at all.
    span = func.coalesce(used.c.at, literal(frame.until_us, BigInteger)) - arrived.c.at
    hours = case((span > 0, span - span % HOUR_US), else_=0)
    rows = session.execute(
        select(arrived.c.arm, redeemed, hours, func.count())
        .join_from(arrived, used, used.c.customer_id == arrived.c.customer_id, isouter=True)
        .where(or_(redeemed, span > 0)).group_by(arrived.c.arm, redeemed, hours))
    found: dict[str, tuple[dict[int, int], dict[int, int]]] = {}
    for arm, is_redeemed, waited_us, count in rows:
        tally = found.setdefault(arm, ({}, {}))[0 if is_redeemed else 1]
        hour = int(waited_us) // HOUR_US
        tally[hour] = tally.get(hour, 0) + count
    return found


@dataclass(frozen=True)
class Traces:
    """What should not be there, counted. `late`: redemptions at or after the campaign's end."""

    redemptions: int
    without_person: int
    before_entry: int
    late: int
    held_out_spoken: int
    held_out_holders: int
    held_out_redeemers: int
    held_out_other_post: int
    sent: int
    sent_twice: int
    double_rows: int
    newest_delivery_us: int | None


def traces(session: Session, frame: Frame, *, now_us: int) -> Traces:
    """Redemptions and messages that contradict the plan."""
    who = people(frame)
    used = session.execute(
        select(func.count(),
               func.count().filter(who.c.customer_id.is_(None)),
               func.count().filter(type_coerce(Redemption.redeemed_at, BigInteger) < who.c.since_us),
               func.count().filter(type_coerce(Redemption.redeemed_at, BigInteger) >= (frame.ends_us or 2**62)),
               func.count(distinct(case((who.c.held_out.is_(True), who.c.customer_id)))))
        .join_from(Redemption, who, who.c.customer_id == Redemption.customer_id, isouter=True)
        .where(*_redeemed(frame), Redemption.redeemed_at <= now_us)).one()
    kept = select(who.c.customer_id).where(who.c.held_out.is_(True)).subquery("kept")
    others = session.execute(
        select(func.count(distinct(Redemption.redeemer_id)))
        .join_from(kept, Redemption, Redemption.redeemer_id == kept.c.customer_id)
        .where(*_redeemed(frame), Redemption.redeemed_at <= now_us)).scalar_one()
    spoken, other_post = session.execute(
        select(func.count(distinct(case((Message.campaign == frame.key, Message.customer_id)))),
               func.count(distinct(case((Message.campaign != frame.key, Message.customer_id)))))
        .join_from(who, Message, Message.customer_id == who.c.customer_id)
        .where(who.c.held_out.is_(True), Message.state.in_(SPOKEN),
               or_(Message.campaign == frame.key,
                   and_(type_coerce(Message.sent_at, BigInteger) >= who.c.since_us,
                        type_coerce(Message.sent_at, BigInteger) < frame.until_us)))).one()
    sent = session.execute(
        select(func.count()).where(Message.campaign == frame.key, Message.state == "sent")).scalar_one()
    twice, rows = _twice(session, frame)
    return Traces(*used[:4], held_out_spoken=spoken, held_out_holders=used[4], held_out_redeemers=others,
                  held_out_other_post=other_post, sent=sent, sent_twice=twice, double_rows=rows,
                  newest_delivery_us=_newest_delivery(session, frame))


def _twice(session: Session, frame: Frame) -> tuple[int, int]:
    """People who got one step's message twice at one visit, and ledger rows that share an occasion and a person.

    A bounced message never arrived: the one that follows on another channel is the first.
    """
    spoken = and_(Message.campaign == frame.key, Message.state.in_(SPOKEN), Message.bounced_at.is_(None))
    more = (
        select(Message.customer_id, Message.step).where(spoken, Message.step.is_not(None))
        .group_by(Message.customer_id, Message.step).having(func.count() > 1).subquery("more")
    )
    rows = session.execute(
        select(Message.customer_id, Message.occasion)
        .join_from(Message, more, and_(more.c.customer_id == Message.customer_id, more.c.step == Message.step))
        .where(spoken)).all()
    seen: set[tuple[int, str]] = set()
    double: set[int] = set()
    for customer_id, occasion in rows:
        visit = (customer_id, occasion.rpartition(".")[0])
        if visit in seen:
            double.add(customer_id)
        seen.add(visit)
    same = (
        select(Message.customer_id).where(Message.campaign == frame.key)
        .group_by(Message.occasion, Message.customer_id).having(func.count() > 1).subquery("same")
    )
    return len(double), session.execute(select(func.count()).select_from(same)).scalar_one()


def _newest_delivery(session: Session, frame: Frame) -> int | None:
    who = people(frame)
    found = session.execute(
        select(func.max(type_coerce(OrderLine.delivered_at, BigInteger)))
        .select_from(_with_orders(frame, who))
        .join(OrderLine, OrderLine.order_id == Order.id).where(*_ordered(frame, who))).scalar_one()
    return None if found is None else int(found)


def _real(column: Any) -> ColumnElement[float]:
    return cast(column, Double)


def _within(frame: Frame, who: Subquery, instant: Any) -> tuple[ColumnElement[bool], ...]:
    at = type_coerce(instant, BigInteger)
    return at >= who.c.since_us, at < frame.until_us


def _redeemed(frame: Frame) -> tuple[ColumnElement[bool], ...]:
    return Redemption.campaign == frame.key, Redemption.state == "redeemed"


def _ordered(frame: Frame, who: Subquery) -> tuple[ColumnElement[bool], ...]:
    return Order.cancelled.is_(False), *_within(frame, who, Order.ordered_at)


def _with_orders(frame: Frame, who: Subquery) -> Join:
    """Everybody beside the orders that are theirs."""
    if not frame.household:
        return join(who, Order, Order.customer_id == who.c.customer_id)
    buying = buyers(frame, who)
    return join(who, buying, buying.c.customer_id == who.c.customer_id).join(
        Order, Order.customer_id == buying.c.buyer_id)


def _in_goal(frame: Frame) -> tuple[ColumnElement[bool], ...]:
    if not frame.goal_categories:
        return ()
    lines = select(OrderLine.id).where(OrderLine.order_id == Order.id,
                                       in_texts(OrderLine.category, frame.goal_categories))
    return (lines.exists(),)
