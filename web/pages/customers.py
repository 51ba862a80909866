"""Customers: the search, one person's whole story, why they did not get something, export and forgetting."""

from datetime import datetime
from typing import Any

from flask import Blueprint, Response, current_app, jsonify, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from sqlalchemy.orm import Session

from campaigns.models import Campaign
from campaigns.planning import campaign_by_key, list_campaigns
from core.errors import Invalid, NotFound
from core.settings import Settings
from core.types import from_us, to_us
from customers.events import events_before
from customers.models import Customer
from customers.people import (
    customer_facts,
    customers_with_city,
    display_name,
    find_customer,
    search_customers,
)
from customers.preferring import WISHES, set_wish
from customers.story import household_of, line_sums
from delivery.statements import take_statement
from journeys.editing.editing import journey_by_key
from journeys.editing.entering import LONGEST_KEY, enter, open_by_hand
from journeys.telling.person import passage, passages_of, visits_of
from segments.telling.kept import kept_money
from web.frame.links import page_url
from web.frame.paging import cursor
from web.frame.presentation import zone
from web.frame.toasts import toast
from web.people import view
from web.people.personal_data import STAYS, everything_held, forget
from web.people.story import SHOWN, Teller, tell
from web.people.why_not import why_not
from web.people.words import CHANNEL_ICONS, CHANNEL_WORDS, initials, pronouns
from web.registry import Found
from web.requests.transactions import reading, request_now, writing
from web.security.access import needs_role
from web.security.audit import record
from web.wording import formatting

blueprint = Blueprint("customers", __name__)

PAGE = 50
LONGEST_SEARCH = 100


def find(session: Session, words: str) -> list[Found]:
    """People for the jump box."""
    found = search_customers(session, _storable(words), limit=5).items
    return [Found(display_name(each), f"customer {each.external_id}",
                  url_for("customers.show", external_id=each.external_id), "user") for each in found]


def _settings() -> Settings:
    settings = current_app.extensions["winback.settings"]
    assert isinstance(settings, Settings)
    return settings


def _storable(text: str) -> str:
    return "".join(letter for letter in text.strip()[:LONGEST_SEARCH]
                   if letter >= " " and not 0xD800 <= ord(letter) < 0xE000)


@blueprint.get("/customers")
def index() -> ResponseReturnValue:
    """Find people by number, name, e-mail, phone or city."""
    words = _storable(request.args.get("q", ""))
    after = cursor(request.args.get("after"))
    with reading() as session:
        page = search_customers(session, words, limit=PAGE, after=after)
        placed = customers_with_city(session, [each.id for each in page.items])
    rows = [(each, display_name(each), placed[each.id][1]) for each in page.items]
    following = url_for("customers.index", q=words or None, after=page.next) if page.next else None
    return render_template("pages/customers/index.html", rows=rows, words=words, next_href=following,
                           first_href=url_for("customers.index", q=words or None) if after else None,
                           imports=page_url("imports.index"))


@blueprint.get("/customers/<path:external_id>")
def show(external_id: str) -> ResponseReturnValue:
    """One person's story."""
    return _page(external_id)


def _page(external_id: str, *, wrong: dict[str, str] | None = None) -> str:
    now = request_now()
    shown = request.args.get("show", "all")
    shown = shown if shown in SHOWN else "all"
    before, secret_key = cursor(request.args.get("before")), _settings().secret_key
    with reading() as session:
        facts = customer_facts(session, external_id, limit=1)
        customer = facts.customer
        campaigns = list_campaigns(session)
        teller = Teller(zone(), now, {each.key: each.name for each in campaigns},
                        lambda code: page_url("codes.show", code=code),
                        lambda number: url_for("customers.path", number=number, external_id=external_id),
                        {each.key: each.currency for each in campaigns})
        story = tell(session, customer.id, teller, show=shown, before=from_us(before) if before else None)
        values = {
            "customer": customer, "name": display_name(customer), "words": pronouns(customer),
            "household": household_of(session, customer), "city": view.city(facts),
            "figures": view.figures(facts, line_sums(session, customer.id),
                                    kept_money(session, [customer.id], as_of=now), now=now),
            "channel": view.channel(session, customer, now=now, secret_key=secret_key),
            "consents": view.consents(session, facts, now=now, secret_key=secret_key),
            "codes": view.codes(session, customer.id, now=now),
            "relations": view.relations(session, customer.id, now=now), "scores": view.scores(session, customer.id),
            "journeys": [(each, view.passage_words(each)) for each in passages_of(session, customer.id, limit=12)],
            "campaigns": campaigns, "doors": [("", "choose one"), *(
                (each.key, each.name) for each in open_by_hand(session))],
            "answer": _answer(session, customer, campaigns, request.args.get("why", ""), now=now),
        }
        has_events = bool(events_before(session, customer.id, limit=1))
    names = ("All", "Orders", "Messages", "Contacts", "Events", "Why not")
    options = [(value, words, url_for("customers.show", external_id=external_id, show=_unless_all(value)))
               for value, words in zip(SHOWN, names, strict=True) if value != "events" or has_events or shown == value]
    older = url_for("customers.show", external_id=external_id, show=_unless_all(shown),
                    before=to_us(story.before)) if story.before else None
    return render_template("pages/customers/show.html", **values, months=_by_month(story.lines, now), options=options,
                           shown=shown, older=older, is_later=bool(before), stays=STAYS, wrong=wrong or {},
                           short_day=view.short_day,
                           initials=initials(values["name"]), wishes=[("", "no wish"), *(
                               (channel, CHANNEL_WORDS[channel]) for channel in WISHES)],
                           channel_words=CHANNEL_WORDS, channel_icons=CHANNEL_ICONS, form=request.form)


def _unless_all(shown: str) -> str | None:
    return None if shown == "all" else shown


def _by_month(lines: list[Any], now: datetime) -> list[tuple[str, list[Any]]]:
    months: dict[str, list[Any]] = {}
    for line in lines:
        months.setdefault(formatting.month(formatting.local_date(line.at, zone())), []).append(line)
    return list(months.items())


def _answer(session: Session, customer: Customer, campaigns: list[Campaign], key: str, *, now: datetime) -> Any:
    chosen = next((each for each in campaigns if each.key == key), None)
    if chosen is None:
        return None
    return chosen, why_not(session, customer, chosen, now=now, zone=zone())


@blueprint.get("/customers/_path/<int:number>/<path:external_id>")
def path(number: int, external_id: str) -> ResponseReturnValue:
    """The way of one person through one journey, step by step."""
    now = request_now()
    if number > 2**62:
        raise NotFound("This person was never in that journey.")
    with reading() as session:
        customer = find_customer(session, external_id)
        found = passage(session, customer.id, number)
        visits = visits_of(session, number)
        answer = why_not(session, customer, campaign_by_key(session, found.campaign.key), now=now, zone=zone())
    return render_template("pages/customers/path.html", customer=customer, name=display_name(customer), passage=found,
                           visits=visits, answer=answer, words=pronouns(customer), now=now,
                           journey_url=page_url("journeys.show", key=found.journey.key),
                           campaign_url=page_url("campaigns.show", key=found.campaign.key))


@blueprint.post("/customers/_wish/<path:external_id>")
def wish(external_id: str) -> ResponseReturnValue:
    """Note the channel that a person asked for."""
    now = request_now()
    channel = request.form.get("channel", "") or None
    with writing() as session:
        customer = set_wish(session, external_id, channel=channel)
        record(session, "customer.wish", _thing(customer), now=now, channel=channel)
    toast(f"The wish is noted: {CHANNEL_WORDS[channel].lower() if channel else 'none'}.")
    return redirect(url_for("customers.show", external_id=external_id))


@blueprint.post("/customers/_consent/<path:external_id>")
def consent(external_id: str) -> ResponseReturnValue:
    """Record a yes with its proof, or a no, which takes effect at once."""
    now = request_now()
    form = request.form
    channel, state = form.get("channel", ""), form.get("state", "")
    proof, source = _storable_text(form.get("proof", ""), 2000), _storable_text(form.get("source", ""), 200)
    try:
        with writing() as session:
            customer = find_customer(session, external_id)
            take_statement(session, customer.id, channel=channel, state=state,
                           basis="consent" if state == "granted" else None, source=source or "told a colleague",
                           proof=proof or None, now=now, secret_key=_settings().secret_key)
            record(session, f"consent.{state}", _thing(customer), now=now, channel=channel)
    except Invalid as error:
        return _page(external_id, wrong={error.place or "consent": error.message}), 400
    word = CHANNEL_WORDS.get(channel, channel).lower()
    toast(f"Recorded: yes to {word}." if state == "granted" else f"Recorded: no to {word}. It counts from now on.")
    return redirect(url_for("customers.show", external_id=external_id))


def _storable_text(text: str, longest: int) -> str:
    return "".join(letter for letter in text.strip()[:longest]
                   if letter != "\0" and not 0xD800 <= ord(letter) < 0xE000)


@blueprint.post("/customers/_let-in/<path:external_id>")
@needs_role("admin", "marketer")
def let_in(external_id: str) -> ResponseReturnValue:
    """Let a person into a journey by hand."""
    now = request_now()
    with writing() as session:
        journey = journey_by_key(session, request.form.get("journey", "")[:100].replace("\x00", ""))
        about = _storable_text(request.form.get("about", ""), LONGEST_KEY)
        entered = enter(session, journey.key, external_id, by="manual", key=about or None, now=now)
        if entered.new:
            record(session, "journey.let_in", f"journey:{journey.key}", now=now, customer=external_id)
        name = journey.name
    toast(f"Let into “{name}”. The worker takes it from here." if entered.new else
          f"Nothing was done: the person is in “{name}”, or may not come again.")
    return redirect(url_for("customers.show", external_id=external_id))


@blueprint.post("/customers/_export/<path:external_id>")
def export(external_id: str) -> ResponseReturnValue:
    """Everything held about one person, as a file; who took it stands in the audit trail."""
    now = request_now()
    with writing() as session:
        customer = find_customer(session, external_id)
        record(session, "customer.exported", _thing(customer), now=now)
        held = everything_held(session, external_id)
    response: Response = jsonify(held)
    response.headers["Content-Disposition"] = f'attachment; filename="customer-{customer.id}.json"'
    response.headers["Cache-Control"] = "no-store"
    return response


@blueprint.post("/customers/_forget/<path:external_id>")
@needs_role("admin", "marketer")
def forget_person(external_id: str) -> ResponseReturnValue:
    """Erase one person for good. A second click finds nobody and does nothing more."""
    now = request_now()
    with writing() as session:
        customer_id = find_customer(session, external_id).id
        forget(session, external_id, settings=_settings(), now=now)
        record(session, "customer.forgotten", f"customer:{customer_id}", now=now)
    toast("The person is forgotten. Orders and sums stay, without a name.")
    return redirect(url_for("customers.index"))


def _thing(customer: Customer) -> str:
    """Our own number, so that the audit trail holds nothing that must be forgotten."""
    return f"customer:{customer.id}"
