"""How is the life of one code told?

Owns the lines of a code's timeline: its issue, the messages that showed it, tries, reservations, redemptions with what
was taken back, its orders as the shop told of them since, renewals, stops and releases. Each line says who or what did
it, and leads there.
"""

from collections.abc import Iterator, Sequence
from datetime import datetime

from flask import url_for

from coupons.codes.story import CodeStory
from coupons.models import CodeRenewal, Redemption, Refusal, Reservation
from customers.models import Order, OrderLine
from delivery.person import Spoken
from web.campaigns.messages import STATE_WORDS
from web.coupons.stops import Stop
from web.frame.links import customer_url, page_url
from web.people.story import Line, Teller, message_line
from web.wording.formatting import count, moment, money
from web.wording.states import FLAG_WORDS, refused_words

KINDS = {"generated": "a generated pool", "imported": "a file", "public": "public codes"}
_TOLD_BY = {"order": "the order told of it", "agent": "by an agent at the desk"}


def code_lines(story: CodeStory, messages: Sequence[Spoken], stops: Sequence[Stop], teller: Teller) -> list[Line]:
    """Everything that happened to a code, newest first; what happened at one instant stands in the order of life."""
    lines = [*_issue(story, teller), *(_shown(each, teller) for each in messages),
             *(_reservation(each) for each in story.reservations), *_settled(story.reservations),
             *(_refusal(each, story.offer.currency, teller) for each in story.refusals)]
    for row in story.redemptions:
        lines += _redemption(row)
    for order, goods in story.orders:
        lines += _order(order, goods)
    lines += [_renewal(each, teller) for each in story.renewals]
    lines += _withdrawal(story, stops, teller)
    return sorted(lines, key=lambda line: line.at)[::-1]


def _issue(story: CodeStory, teller: Teller) -> Iterator[Line]:
    code, batch = story.code, story.batch
    if batch is not None:
        region = f", for {code.region}" if code.region else ""
        yield Line(batch.created_at, "code", "tag", "Opened for everybody" if batch.kind == "public" else
                   "Put into stock", f"Batch “{batch.name}”, {KINDS.get(batch.kind, batch.kind)}{region}.",
                   href=page_url("pools.show", batch=batch.id))
    if code.state != "stock" and (batch is None or batch.kind != "public") and code.origin != f"batch:{code.batch_id}":
        holder = story.body["customer"]
        campaign = teller.campaign(code.campaign)
        whose = f"Given to customer {holder}" if holder else "Issued"
        yield Line(code.issued_at, "code", "ticket", whose,
                   f"In {campaign}." if campaign else f"For {code.origin}.", href=customer_url(holder))


def _shown(spoken: Spoken, teller: Teller) -> Line:
    line = message_line(teller, spoken, None)
    waits = spoken.message.state not in ("sent", "suppressed", "withheld", "expired", "cancelled", "failed")
    if line.kind or not waits:
        return line
    return Line(line.at, "code", line.icon, line.what, f"{STATE_WORDS.get(spoken.message.state, '')}. {line.why}"
                if not line.why.startswith(STATE_WORDS.get(spoken.message.state, "-")) else line.why)


def _at(order_ref: str | None, shop: str) -> str:
    where = f" at {shop}" if shop else ""
    return f"order {order_ref}{where}" if order_ref else f"an order without a number{where}"


def _reservation(row: Reservation) -> Line:
    return Line(row.reserved_at, "code", "clock", f"Reserved for {_at(row.order_ref, row.shop)}",
                "Held for the basket until the order or its time is over.",
                money(row.discount_cents, currency=row.currency, exact=True), quiet=True)


def _settled(rows: Sequence[Reservation]) -> Iterator[Line]:
    words = {"released": "Reservation given up", "lapsed": "Reservation ran out", "spent": "Reservation redeemed"}
    for row in rows:
        if row.settled_at is not None:
            yield Line(row.settled_at, "code", "clock", words[row.state], f"{_sentence(_at(row.order_ref, row.shop))}",
                       kind="n")


def _refusal(row: Refusal, currency: str, teller: Teller) -> Line:
    worth = (money(row.order_total_cents, currency=row.currency or currency, exact=True)
             if row.order_total_cents is not None else "")
    return Line(row.at, "code", "x", f"Refused: {refused_words(row.reason)}", _sentence(_at(row.order_ref, row.shop)),
                worth, kind="n", quiet=True)


def _redemption(row: Redemption) -> Iterator[Line]:
    goods = (f"{money(row.order_total_cents, currency=row.currency, exact=True)} of goods"
             if row.order_total_cents is not None else "Order value unknown")
    told = [goods, *filter(None, (_TOLD_BY.get(row.told_by),)),
            *(FLAG_WORDS.get(flag, flag) for flag in row.flags.split()), *(["imported history"] if row.history else [])]
    yield Line(row.redeemed_at, "code", "ticket", f"Redeemed for {_at(row.order_ref, row.shop)}",
               _sentence(", ".join(told)), f"discount {money(row.discount_cents, currency=row.currency, exact=True)}",
               "a", quiet=True)
    if row.rolled_back_at is not None:
        whole = row.state == "rolled_back"
        yield Line(row.rolled_back_at, "code", "receipt-refund", f"Taken back, {_at(row.order_ref, row.shop)}",
                   "The whole discount; the use counts as never made." if whole else "A part of the discount.",
                   money(row.rolled_back_cents, currency=row.currency, exact=True), quiet=True)


def _order(order: Order, goods: Sequence[OrderLine]) -> Iterator[Line]:
    """What the shop told of the order since: delivered, sent back, called off."""
    name = _at(order.external_id, order.shop)
    worth = money(order.total_cents, currency=order.currency, exact=True)
    status = f", status “{order.status}”" if order.status else ""
    pieces = f"{count(len(goods))} {'line' if len(goods) == 1 else 'lines'}"
    yield Line(order.ordered_at, "code", "shopping-bag", f"{'Cancelled: o' if order.cancelled else 'O'}{name[1:]}",
               f"In our facts with {pieces}{status}.", worth, kind="n" if order.cancelled else "", quiet=True,
               href=None)
    delivered = [line.delivered_at for line in goods if line.delivered_at is not None]
    if delivered and not order.cancelled:
        part = "" if len(delivered) == len(goods) else f"{len(delivered)} of {pieces}."
        yield Line(max(delivered), "code", "truck-delivery", f"Delivered, {name}", part)
    back = [line for line in goods if (line.returned_quantity_milli or 0) > 0]
    at = [line.returned_at for line in back if line.returned_at is not None]
    if at:
        yield Line(max(at), "code", "arrow-back-up", f"Sent back, {name}",
                   "Everything." if len(back) == len(goods) else f"{len(back)} of {pieces}.")


def _renewal(row: CodeRenewal, teller: Teller) -> Line:
    end = moment(row.valid_until, now=teller.now, zone=teller.zone)
    return Line(row.at, "code", "refresh", f"Renewed by {row.agent}", f"{_sentence(row.reason)} Now until {end}.")


def _withdrawal(story: CodeStory, stops: Sequence[Stop], teller: Teller) -> Iterator[Line]:
    """The stops that took this code and were undone, and what withdrew it now."""
    code, leaks = story.code, url_for("leaks.index")
    for stop in stops:
        took = code.revoked_at == stop.at
        # A stop that was released took the code if the code was there and had uses left; one that holds left its mark.
        if stop.released_at is None and not took:
            continue
        if stop.released_at is not None and (stop.at < code.issued_at or _used_up(story, stop.at)):
            continue
        by = f" by {stop.by}" if stop.by else ""
        why = stop.reason.removeprefix("stopped: ")
        whole = "" if stop.target.kind == "code" else f" With all codes of the {stop.target.kind} “{stop.name}”."
        yield Line(stop.at, "code", "player-stop", f"Stopped{by}", f"{_sentence(why)}{whole}", kind="n", href=leaks)
        if stop.released_at is not None:
            yield Line(stop.released_at, "code", "player-play", "Let go again", "The stop was undone.", href=leaks)
    if code.revoked_at is not None and all(stop.at != code.revoked_at for stop in stops):
        yield Line(code.revoked_at, "code", "x", "Withdrawn", _sentence(code.revoked_reason or ""), kind="n")


def _used_up(story: CodeStory, at: datetime) -> bool:
    standing = [row for row in story.redemptions if row.redeemed_at <= at and not row.uncounted and not (
        row.state == "rolled_back" and row.rolled_back_at is not None and row.rolled_back_at <= at)]
    return len(standing) >= story.code.use_limit


def _sentence(text: str) -> str:
    return f"{text[:1].upper()}{text[1:].rstrip('.')}." if text else ""
