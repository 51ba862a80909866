"""What happened between this person and the shop, as lines of a timeline?

Owns merging the rooms' rows into one story, newest first, and its filters. Silence is a line like any other: what was
not sent stands there with its reason. The promise: walking back page by page shows every line once.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, time
from typing import Any

from sqlalchemy.orm import Session

from campaigns.person import past_campaigns_of
from core.codes import grouped
from coupons.codes.person import codes_of, redemptions_of, refusals_of
from coupons.codes.showing import read_by_people
from coupons.models import Code, Offer, Redemption, Refusal
from customers.events import events_before
from customers.models import Consent, Contact, Event, Order, OrderLine
from customers.story import consents_before, contacts_before, orders_before
from delivery.person import Spoken, messages_before
from journeys.telling.person import Passage, passages_of
from journeys.walk.posting import Crossing, crossed
from web.campaigns.messages import STATE_WORDS
from web.people.words import BASIS_WORDS, CHANNEL_ICONS, CHANNEL_WORDS, CONSENT_VERBS, CONTACT_ICONS, CONTACT_WORDS
from web.wording.formatting import day, money, span
from web.wording.states import refused_words

SHOWN = ("all", "orders", "messages", "contacts", "events", "why")
PAGE = 40
_ROOM = 20
"""Rows asked for beyond a page, so that several lines at one instant are not divided."""
SILENT = ("suppressed", "withheld", "expired", "cancelled", "failed")


@dataclass(frozen=True)
class Line:
    """One line: when, which filter finds it, sign, what, why; `kind` is "a" for what counts, "n" for silence."""

    at: datetime
    group: str
    icon: str
    what: str
    why: str = ""
    amount: str = ""
    kind: str = ""
    quiet: bool = False
    href: str | None = None


@dataclass(frozen=True)
class Story:
    """One page of the story and the instant to go on before (None: the end)."""

    lines: list[Line]
    before: datetime | None


@dataclass(frozen=True)
class Teller:
    """What the words of the lines depend on: the zone, today's page, names of campaigns and the currencies in which
    they reckon."""

    zone: str
    now: datetime
    campaigns: dict[str, str]
    code_url: Callable[[str], str | None]
    path_url: Callable[[int], str]
    currencies: Mapping[str, str] = field(default_factory=dict)

    def day(self, instant: datetime) -> str:
        """A date as pages write it."""
        return day(instant, today=self.now.date(), zone=self.zone)

    def currency(self, key: str | None) -> str:
        """The currency in which a campaign reckons its costs."""
        return self.currencies.get(key or "", "EUR")

    def campaign(self, key: str | None) -> str:
        """A campaign's name in quotes, or nothing."""
        return f"“{self.campaigns.get(key, key)}”" if key else ""


def tell(
    session: Session, customer_id: int, teller: Teller, *, show: str = "all", before: datetime | None = None
) -> Story:
    """The story of one person, from `before` backwards (None: from now)."""
    limit = PAGE + _ROOM
    lines: list[Line] = []
    if show in ("all", "orders"):
        lines += [_order(teller, *row) for row in orders_before(session, customer_id, before=before, limit=limit)]
        lines += [_redeemed(teller, *row) for row in redemptions_of(session, customer_id, before=before, limit=limit)]
    if show in ("all", "orders", "why"):
        lines += [_refused(teller, row) for row in refusals_of(session, customer_id, before=before, limit=limit)]
    if show in ("all", "contacts"):
        lines += [_contact(row) for row in contacts_before(session, customer_id, before=before, limit=limit)]
        lines += [_consent(row) for row in consents_before(session, customer_id, before=before, limit=limit)]
    if show in ("all", "events"):
        lines += [_event(row) for row in events_before(session, customer_id, before=before, limit=limit)]
    if show in ("all", "messages", "why"):
        lines += _spoken(session, customer_id, teller, show, before, limit)
        lines += _passages(session, customer_id, teller, show, before, limit)
    return _page(lines, before)


def _page(lines: Iterable[Line], before: datetime | None) -> Story:
    ordered = sorted((line for line in lines if before is None or line.at < before),
                     key=lambda line: line.at, reverse=True)
    if len(ordered) <= PAGE:
        return Story(ordered, None)
    last = ordered[PAGE - 1].at
    shown = [line for line in ordered if line.at >= last]
    return Story(shown, last if len(shown) < len(ordered) else None)


def _order(teller: Teller, order: Order, lines: Sequence[OrderLine]) -> Line:
    names = [line.product or line.category or line.sku or "an article" for line in lines]
    what = f"Ordered {_listed(names)}" if names else "Ordered"
    parts = [f"Order {order.external_id}" + (f", by {order.ordered_via}" if order.ordered_via else "")]
    categories = list(dict.fromkeys(line.category for line in lines if line.category))[:3]
    if categories:
        parts[0] += ", " + ", ".join(categories)
    if order.coupon_code:
        parts.append(f"Code {grouped(order.coupon_code)}")
    delivered = [line.delivered_at for line in lines if line.delivered_at is not None]
    if delivered and not order.cancelled:
        parts.append(f"Delivered on {teller.day(max(delivered))}")
    parts += _sent_back(teller, lines)
    if order.cancelled:
        what = f"Cancelled: {what[0].lower()}{what[1:]}"
    return Line(order.ordered_at, "orders", "shopping-bag", what, ". ".join(parts) + ".",
                money(order.total_cents, currency=order.currency, exact=True), "" if order.cancelled else "a",
                quiet=order.cancelled)


def _listed(names: Sequence[str], most: int = 3) -> str:
    distinct = list(dict.fromkeys(names))
    head = [_cut(name) for name in distinct[:most]]
    if len(distinct) > most:
        return f"{', '.join(head)} and {len(distinct) - most} more"
    return head[0] if len(head) == 1 else f"{', '.join(head[:-1])} and {head[-1]}"


def _cut(text: str, longest: int = 60) -> str:
    return text if len(text) <= longest else f"{text[:longest - 1]}…"


def _sent_back(teller: Teller, lines: Sequence[OrderLine]) -> list[str]:
    back = [line for line in lines if line.returned_at is not None or (line.returned_quantity_milli or 0) > 0]
    if not back:
        return []
    when = [line.returned_at for line in back if line.returned_at is not None]
    what = "Everything" if len(back) == len(lines) else f"{len(back)} of {len(lines)} lines"
    return [f"{what} sent back" + (f" on {teller.day(max(when))}" if when else "")]


def _redeemed(teller: Teller, redemption: Redemption, held: Code | None, offer: str | None) -> Line:
    parts = [f"Code {grouped(redemption.code_text)}"]
    if held is not None and held.valid_until is not None:
        whole = max(round((held.valid_until - held.valid_from).total_seconds() / 86400), 1)
        nth = max(int((redemption.redeemed_at - held.valid_from).total_seconds() // 86400) + 1, 1)
        parts[0] += f", day {nth} of {whole}"
    if redemption.order_ref:
        parts[0] += f", order {redemption.order_ref}"
    if redemption.campaign:
        parts.append(f"From {teller.campaign(redemption.campaign)}")
    taken_back = redemption.state == "rolled_back"
    if taken_back:
        parts.append("Taken back later")
    return Line(redemption.redeemed_at, "orders", "ticket", f"Redeemed {offer or 'a code'}", ". ".join(parts) + ".",
                f"discount {money(redemption.discount_cents, currency=redemption.currency, exact=True)}",
                "" if taken_back else "a", quiet=True, href=teller.code_url(redemption.code_text))


def _refused(teller: Teller, refusal: Refusal) -> Line:
    why = refused_words(refusal.reason)
    order = f" for order {refusal.order_ref}" if refusal.order_ref else ""
    return Line(refusal.at, "orders", "ticket", f"Code refused at the till: {why}",
                f"Code {grouped(refusal.code_text)}{order}.", kind="n")


def _contact(contact: Contact) -> Line:
    word = CONTACT_WORDS.get(contact.kind, contact.kind.replace("_", " ").capitalize())
    mine = contact.direction == "in"
    what = f"{word}{': ' + _cut(contact.subject, 120) if contact.subject else ''}"
    if not mine:
        what = f"We got in touch. {what}"
    parts = [_cut(contact.text, 300)] if contact.text else []
    channel = CHANNEL_WORDS.get(contact.channel or "")
    if channel and channel != word:
        parts.append(f"By {channel.lower()}.")
    if contact.status:
        parts.append(f"{contact.status.capitalize()}.")
    called = mine and contact.kind in ("call", "phone")
    icon = "phone-incoming" if called else CONTACT_ICONS.get(contact.kind, "message")
    return Line(contact.at, "contacts", icon, what, " ".join(parts))


def _event(event: Event) -> Line:
    """What they did, with at most four of its properties."""
    told = [f"{_cut(name, 30)}: {_cut(str(value).lower() if isinstance(value, bool) else str(value), 60)}"
            for name, value in list(event.properties.items())[:4]]
    if len(event.properties) > len(told):
        told.append(f"and {len(event.properties) - len(told)} more")
    where = f" ({_cut(event.source)})" if event.source else ""
    what = event.name.replace("_", " ")
    return Line(event.at, "events", "pointer", f"{what[:1].upper()}{what[1:]}{where}", ", ".join(told))


def _consent(consent: Consent) -> Line:
    channel = CHANNEL_WORDS.get(consent.channel, consent.channel).lower()
    verb = CONSENT_VERBS.get(consent.state, consent.state.capitalize())
    parts = [part for part in (BASIS_WORDS.get(consent.basis or "", consent.basis), consent.source, consent.proof)
             if part]
    why = ", ".join(_cut(part, 160) for part in parts)
    return Line(consent.at, "contacts", "shield-check" if consent.state == "granted" else "message-off",
                f"{verb} to {channel}", f"{why[0].upper()}{why[1:]}." if why else "No proof noted.")


def _spoken(
    session: Session, customer_id: int, teller: Teller, show: str, before: datetime | None, limit: int
) -> list[Line]:
    spoken = messages_before(session, customer_id, before=before, limit=limit)
    codes = codes_of(session, customer_id, before=before, limit=limit)
    by_text = {held.code: (held, offer) for held, offer in codes}
    lines = [message_line(teller, each, by_text.get(each.message.code or "")) for each in spoken]
    if show == "why":
        return [line for line in lines if line.kind == "n"]
    carried = {each.message.code for each in spoken}
    lines += [_code(teller, held, offer) for held, offer in codes if held.code not in carried]
    return lines


def message_line(teller: Teller, spoken: Spoken, held: tuple[Code, Offer] | None) -> Line:
    """One message, or the silence in its place; `held` is the code that it carries, if it is told."""
    message = spoken.message
    channel = CHANNEL_WORDS.get(message.channel or "", "Message")
    title = f"{channel} “{spoken.content}”" if spoken.content else channel
    campaign = teller.campaign(message.campaign)
    where = f" In {campaign}." if campaign else ""
    if message.state in SILENT:
        return _silence(message, title, campaign, where, spoken.at)
    icon = CHANNEL_ICONS.get(message.channel or "", "message")
    parts = [f"{STATE_WORDS.get(message.state, message.state)}" if message.state != "sent" else ""]
    if message.state == "sent" and message.sent_at and message.expected_at and message.channel == "letter":
        parts[0] = f"Posted, expected to arrive on {teller.day(message.expected_at)}"
    if held is not None:
        parts.append(_validity(teller, *held))
    parts += [f"{word} on {teller.day(at)}" for word, at in (
        ("Opened", message.opened_at), ("Clicked", message.clicked_at), ("Bounced", message.bounced_at)) if at]
    why = ". ".join(part for part in parts if part)
    return Line(spoken.at, "messages", icon, title, f"{why + '.' if why else ''}{where}".strip(),
                f"cost {money(message.cost_cents, currency=teller.currency(message.campaign), exact=True)}"
                if message.cost_cents else "", quiet=True)


def _silence(message: Any, title: str, campaign: str, where: str, at: datetime) -> Line:
    reason = message.reason or ""
    if message.state == "withheld":
        return Line(at, "messages", "eye-off", f"Left alone for comparison in {campaign}" if campaign
                    else "Left alone for comparison", "Drawn for the hold-out: nothing is sent.", kind="n")
    if message.state == "failed":
        return Line(at, "messages", "message-off", f"{title} did not arrive",
                    f"{reason[:1].upper()}{reason[1:]}.{where}", kind="n")
    sign = "mail-off" if message.channel == "email" else "message-off"
    return Line(at, "messages", sign, f"No {title[0].lower()}{title[1:]}",
                f"{reason[:1].upper()}{reason[1:]}.{where}" if reason else where.strip(), kind="n")


def _validity(teller: Teller, held: Code, offer: Offer) -> str:
    until = teller.day(held.valid_until) if held.valid_until else "further notice"
    code = read_by_people(held.code, held.written)
    return f"{offer.name}, code {code} valid {span(teller.day(held.valid_from), until)}"


def _code(teller: Teller, held: Code, offer: Offer) -> Line:
    return Line(held.issued_at, "messages", "ticket", f"Got a code for {offer.name}",
                f"{_validity(teller, held, offer)}.", href=teller.code_url(held.code))


def _passages(
    session: Session, customer_id: int, teller: Teller, show: str, before: datetime | None, limit: int
) -> list[Line]:
    lines: list[Line] = []
    for each in passages_of(session, customer_id, before=before, limit=limit):
        lines += _passage(teller, each, show)
    if show != "why":
        lines += [_crossed(teller, each) for each in crossed(session, customer_id=customer_id)]
        lines += _history(session, customer_id, teller)
    return lines


def _crossed(teller: Teller, each: Crossing) -> Line:
    """A letter that was on its way when its person did what it asks for."""
    did = "redeemed" if each.why == "redeemed" else "ordered"
    what = f"Crossed in the post: a letter of {teller.campaign(each.campaign)}"
    why = f"Posted {teller.day(each.posted_at)}, expected {teller.day(each.expected_at)}; in between the person {did}."
    return Line(each.left_at, "messages", "mailbox", what, why, kind="n")


def _passage(teller: Teller, each: Passage, show: str) -> list[Line]:
    mine, name = each.enrolment, f"“{each.journey.name}”"
    href = teller.path_url(mine.id)
    if mine.state == "excluded":
        why = each.why
        return [Line(mine.entered_at, "messages", "message-off", f"Left out of {name}",
                     f"{why[:1].upper()}{why[1:]}.", kind="n", href=href)]
    if show == "why":
        return []
    drawn = "Left alone for comparison (hold-out)." if mine.held_out else f"Drawn for {mine.arm}." if mine.arm else ""
    lines = [Line(mine.entered_at, "messages", "door-enter", f"Entered {name}", drawn,
                  kind="n" if mine.held_out else "", href=href)]
    if mine.left_at is not None:
        why = f"Because {each.why}." if mine.state == "exited" else f"{each.why[:1].upper()}{each.why[1:]}."
        lines.append(Line(mine.left_at, "messages", "door-exit", f"Left {name}", why, href=href))
    return lines


def _history(session: Session, customer_id: int, teller: Teller) -> list[Line]:
    lines = []
    for past, campaign in past_campaigns_of(session, customer_id):
        if campaign.starts_on is None:
            continue
        at = datetime.combine(campaign.starts_on, time(12), UTC)
        channel = CHANNEL_WORDS.get(past.channel or "")
        parts = [part for part in (past.arm, f"by {channel.lower()}" if channel else "") if part]
        lines.append(Line(at, "messages", CHANNEL_ICONS.get(past.channel or "", "speakerphone"),
                          f"Addressed by “{campaign.name}”", f"{', '.join(['A campaign of the past', *parts])}."))
    return lines

