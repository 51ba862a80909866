"""What would happen if this journey ran from now on?

Owns the forecast itself: the audience that would enter, the scratch world, and a clock that moves there from due
instant to due instant while the same duties run that run in earnest. The promises: nothing leaves the building and
nothing of the real store changes; beyond MOST_WALKED people an even spread of them stands for all, and the result says
so; the same facts and the same model give the same forecast.
"""

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from sqlalchemy import BigInteger, select, type_coerce, update
from sqlalchemy.orm import Session

from campaigns.approving import approved_off
from campaigns.models import Approval, Campaign
from campaigns.planning import campaign_by_key, read_instant, save_campaign
from campaigns.problems import insist
from core.database import Database
from core.errors import Conflict, NotFound
from core.settings import Settings
from core.statistics.clusters import ClusterSums
from core.texts import md5_hex
from core.types import MICROSECOND, to_us
from customers.models import Event
from delivery import supposing
from delivery.models import Message
from delivery.settings import DeliverySettings
from journeys.editing.approval_parts import parts_of
from journeys.editing.checking_draft import check_draft
from journeys.editing.editing import newest_version, publish, save_draft
from journeys.entry.allotting import best_first_steps
from journeys.entry.units import ORGANISATION
from journeys.exits.happened import fits
from journeys.exits.objecting import objections
from journeys.forecasting.budgets import budget_notes, share_prices, with_shared_budgets
from journeys.forecasting.likeness import ordered_before
from journeys.forecasting.living import Living, Shopping
from journeys.forecasting.scratch import World, world
from journeys.forecasting.tallying import Tally, tally
from journeys.graphs.graph import Call, Give, Graph, Send, in_walking_order
from journeys.graphs.reading import parse_graph
from journeys.models import Enrolment, Forecast, Journey
from journeys.responding import Response
from journeys.states import INSIDE
from journeys.walk import due, duties
from journeys.walk.due import NEVER
from journeys.walk.running import Services, uncollected
from segments.engines.questions import Questions
from segments.language.conditions import All, InSegment, Rule
from segments.membership.refreshing import refresh

MOST_WALKED = 100_000
"""Up to so many people everybody is walked; beyond, an even spread of as many."""
LONGEST_DAYS = 90
USUAL_DAYS = 30
AT_ONCE = 1_000_000
MOST_ROUNDS = 200
PEOPLE_AT_ONCE = 5_000
"""People of one transaction in the imagined world: nobody else writes there and waits."""
_HOUR = timedelta(hours=1)


@dataclass(frozen=True)
class Outlook:
    """What came of it: the counts, the window played, how many real people stand behind each walked one, the people who
    did something there, and sentences about what was and was not looked at.

    `told` are the places in `features` of those whom a code reached, `inside` of everybody who entered: over them the
    model's draws are summed. `alike`: where organisations are drawn, how alike their walked people have ordered.
    """

    tally: Tally
    begins_at: datetime
    until: datetime
    audience: int
    walked: int
    orders: int
    redemptions: int
    refused: int
    discount_cents: int
    features: Any
    told: Sequence[int]
    inside: Sequence[int]
    took_seconds: float
    notes: tuple[str, ...]
    alike: ClusterSums | None = None


@dataclass(frozen=True)
class Surroundings:
    """What a forecast needs from the installation. `prepare` brings the schema into an empty database."""

    database: Database
    questions: Questions
    settings: Settings
    delivery: DeliverySettings
    prepare: Callable[[Database], None]
    most: int = MOST_WALKED
    at_once: int = PEOPLE_AT_ONCE


@dataclass(frozen=True)
class Drafted:
    """A journey from a file, with the fields of the campaign it would belong to if there is none of that key yet.

    A file may bring more: `bring` saves it all in the imagined world, `rule` is that of the segment who enters.
    """

    campaign: str
    journey: str
    graph: Mapping[str, Any]
    fields: Mapping[str, Any]
    bring: Callable[[Session], object] | None = None
    rule: Rule | None = None


@dataclass(frozen=True)
class Frame:
    """The campaign and its journey as they stand, or as a file has them, and from when to when they are played.

    `published`: the newest version runs on; else the draft is published, in the imagined world. `drawn`: its segment's
    members have entered already. `journey_id` is None for a journey that is not there yet.
    """

    campaign: Campaign
    journey: str
    journey_id: int | None
    graph: Graph
    published: bool
    drawn: bool
    drafted: Drafted | None
    begins_at: datetime
    until: datetime
    zone: ZoneInfo
    shopping: Shopping


def frame(
    session: Session, campaign_key: str, *, now: datetime, days: int = USUAL_DAYS, drafted: Drafted | None = None
) -> Frame:
    """What is to be played. Raises NotFound without a journey, Conflict when it is paused or over, InvalidPlan."""
    if drafted is None:
        campaign = campaign_by_key(session, campaign_key)
    else:
        found = session.scalars(select(Campaign).where(Campaign.key == campaign_key)).one_or_none()
        campaign = found or _planned(drafted)
    journey = None if campaign.id is None else session.scalars(
        select(Journey).where(Journey.campaign_id == campaign.id)).one_or_none()
    if journey is None and drafted is None:
        raise NotFound(f"{campaign.name} has no journey yet. Draw one, then ask what would happen.")
    if journey is not None and journey.state in ("paused", "ending", "ended"):
        raise Conflict(f"The journey {journey.name} is {'over' if journey.state != 'paused' else 'paused'}; "
                       "nothing would happen.")
    version = None if journey is None or drafted is not None else newest_version(session, journey)
    written = drafted.graph if drafted is not None else version.graph if version is not None else (
        {} if journey is None else journey.draft)
    if version is None and (drafted is None or drafted.bring is None):
        insist(check_draft(session, written))
    graph = parse_graph(written)
    begins = max(now, graph.starts_at or campaign.starts_at or now)
    until = begins + timedelta(days=min(max(days, 1), LONGEST_DAYS))
    ends = graph.ends_at or campaign.ends_at
    shopping = Shopping(campaign.goal_categories[0] if campaign.goal_categories else None, campaign.currency,
                        to_us(until if ends is None else min(until, ends)))
    name = drafted.journey if drafted is not None else "" if journey is None else journey.key
    last = until if ends is None else min(until, max(ends, begins))
    return Frame(campaign, name if journey is None else journey.key, None if journey is None else journey.id, graph,
                 version is not None, version is not None and version.entered_at is not None, drafted, begins, last,
                 ZoneInfo(campaign.timezone), shopping)


def _planned(drafted: Drafted) -> Campaign:
    """The campaign that publishing the file would make; kept nowhere."""
    fields = drafted.fields
    return Campaign(key=drafted.campaign, name=str(fields.get("name", drafted.campaign)), state="draft",
                    kind="journey", timezone=str(fields.get("timezone") or "Europe/Berlin"),
                    goal_categories=list(fields.get("goal_categories") or []),
                    currency=str(fields.get("currency") or "EUR"), budget_cents=fields.get("budget_cents"),
                    starts_at=read_instant(fields["starts_at"]) if fields.get("starts_at") else None,
                    ends_at=read_instant(fields["ends_at"]) if fields.get("ends_at") else None,
                    holdout_percent=10, not_to=[], standing_off=[])


def play(
    around: Surroundings, frame: Frame, response: Response, *, now: datetime, ranking: Mapping[str, Any] | None = None
) -> Outlook:
    """Play a journey for its days from its start, or from now on if it runs; `ranking` chooses who is best.

    Raises what `Questions.ids` raises, InvalidPlan when the journey could not be published as things are.
    """
    started = time.perf_counter()
    everybody, notes = _audience(around, frame, now=now)
    step = -(-len(everybody) // around.most) or 1
    people = everybody[::step]
    scale = len(everybody) / len(people) if people else 1.0
    if step > 1:
        notes.append(f"An even spread of {len(people):,} people stands for all {len(everybody):,}.")
    offers = sorted({step.offer for step in frame.graph.steps.values() if isinstance(step, Send | Give | Call)
                     and step.offer is not None})
    events = _events(around, frame, people, now=now)
    with world(around.database, people, home=around.settings.home, scale=scale, offers=offers,
               prepare=around.prepare) as scratch:
        living, journey_id = _run(around, scratch, frame, response, people, events, now=now,
                                  ranking=ranking)
        with scratch.database.reading() as session:
            counted = tally(session.connection(), journey_id, since=now, zone=frame.zone, scale=scale,
                            keys=in_walking_order(frame.graph))
            told, inside = _sides(session, journey_id, living)
            alike = ordered_before(
                session.connection(), journey_id, begins_us=to_us(frame.begins_at),
                length_us=(frame.until - frame.begins_at) // MICROSECOND,
                categories=frame.campaign.goal_categories) if frame.graph.unit == ORGANISATION else None
            notes += budget_notes(session, frame.graph, journey_id, scale=scale, currency=frame.campaign.currency)
    if not people and frame.graph.draws:
        named = f"The segment {frame.graph.segment}" if frame.graph.segment else "The audience"
        notes.append(f"{named} holds nobody today, so nothing would happen. Look at its conditions, and whether the "
                     "latest orders have come in.")
    if living.refused:
        notes.append(f"{round(living.refused * scale):,} codes were wanted and refused at the till: too late, below "
                     "the minimum or over a limit.")
    return Outlook(counted, frame.begins_at, frame.until, len(everybody), len(people), round(living.orders * scale),
                   round(living.redemptions * scale), round(living.refused * scale),
                   round(living.discount_cents * scale), living.features, told, inside,
                   time.perf_counter() - started, (*notes, *response.notes), alike)


def _audience(around: Surroundings, frame: Frame, *, now: datetime) -> tuple[list[int], list[str]]:
    """Everybody whom the journey could concern, rising; and what has to be said about that."""
    graph, notes = frame.graph, list[str]()
    with around.database.reading() as session:
        inside = set(session.scalars(select(Enrolment.customer_id).where(
            Enrolment.journey_id == frame.journey_id, Enrolment.state.in_(INSIDE))))
    found = set[int]()
    if graph.draws and frame.drawn:
        pass  # they are inside, or have left
    elif graph.draws:
        rule = frame.drafted.rule if frame.drafted is not None else None
        found = set(around.questions.ids(rule or InSegment(graph.segment), as_of=now, fresh=False).value)
    elif graph.entry.schedule is not None or graph.on is not None:
        found = set(around.questions.ids(All(()), as_of=now, fresh=False).value)
        notes.append("Who will be in the segment is worked out day by day from today's customers; new customers are "
                     "not foreseen.")
    elif graph.entry.event is not None:
        length = (frame.until - frame.begins_at).days
        notes.append(f"People come as the event {graph.entry.event} came in the last {length} days.")
        with around.database.reading() as session:
            found = set(session.scalars(select(Event.customer_id).where(
                Event.name == graph.entry.event, Event.at >= now - (frame.until - frame.begins_at), Event.at < now)))
    else:
        notes.append("Programs and colleagues let people into this journey one by one. Nobody can foresee whom; "
                     "only those inside are walked.")
    return sorted(found | inside), notes


def _events(around: Surroundings, frame: Frame, people: Sequence[int], *, now: datetime) -> list[dict[str, Any]]:
    """The past weeks' events that let people in, moved into the weeks to come."""
    entry = frame.graph.entry
    if entry.event is None:
        return []
    length, chosen = frame.until - frame.begins_at, set(people)
    with around.database.reading() as session:
        rows = session.execute(
            select(Event.id, Event.customer_id, Event.name, type_coerce(Event.at, BigInteger).label("at_us"),
                   Event.properties)
            .where(Event.name == entry.event, Event.at >= now - length, Event.at < now)).all()
    shift_us = to_us(frame.begins_at + length) - to_us(now)
    return [{"id": row.id, "customer_id": row.customer_id, "name": row.name, "at_us": row.at_us + shift_us,
             "properties": row.properties} for row in rows
            if row.customer_id in chosen and fits(row.properties, entry.where)]


def _run(
    around: Surroundings, scratch: World, frame: Frame, response: Response, people: Sequence[int],
    events: list[dict[str, Any]], *, now: datetime, ranking: Mapping[str, Any] | None,
) -> tuple[Living, int]:
    """Move the clock of the scratch world to the end."""
    with scratch.database.writing() as session:
        journey_id = _stage(session, frame, now=now, ranking=ranking, scale=scratch.scale)
    with uncollected():
        living = Living(scratch.database, response, frame.shopping, list(people), to_us(frame.begins_at),
                        int(md5_hex(frame.campaign.key)[:8], 16))
    living.replay(events)
    questions = Questions(scratch.database, replace(around.settings, home=scratch.folder), engine="rows", seconds=600)
    services = Services(around.settings.secret_key, chunk=around.at_once)
    looked_on = None
    while now <= frame.until:
        with uncollected():
            living.catch_up(now, around.delivery, frame.zone)
            if frame.graph.on is not None and looked_on != now.date():
                looked_on = now.date()
                refresh(scratch.database, questions, frame.graph.segment, now=now, cause="time")
            _let_happen(scratch.database, questions, services, around, now=now)
            living.notice()
            with scratch.database.reading() as session:
                upcoming = due.next_due_at(session.connection(), after=now)
        now = _next(now, upcoming, living.next_at_us())
    questions.close()
    return living, journey_id


def _let_happen(
    database: Database, questions: Questions, services: Services, around: Surroundings, *, now: datetime
) -> None:
    """Do every duty at this instant until nothing is left to do."""
    for _round in range(MOST_ROUNDS):
        done = duties.tick(database, now=now, limit=AT_ONCE, services=services, questions=questions)
        while sent := supposing.tick(database, now=now, limit=around.at_once, settings=around.delivery,
                                     objecting=objections):
            done += sent
        if not done:
            break


def _next(now: datetime, *upcoming: datetime | int | None) -> datetime:
    """The next full hour at which anything is due; at the latest in a day, because people do things meanwhile."""
    found = now + timedelta(days=1)
    for each in upcoming:
        if isinstance(each, datetime):
            found = min(found, each)
        elif each is not None:
            found = min(found, now + timedelta(microseconds=max(each - to_us(now), 1)))
    whole = found.replace(minute=0, second=0, microsecond=0)
    return max(whole if whole == found else whole + _HOUR, now.replace(minute=0, second=0, microsecond=0) + _HOUR)


def _stage(
    session: Session, frame: Frame, *, now: datetime, ranking: Mapping[str, Any] | None, scale: float
) -> int:
    """Begin the imagined course: every other campaign stands still, and what needs an approval is approved. Returns
    the journey's id in this world."""
    session.execute(update(Journey).where(Journey.id.is_distinct_from(frame.journey_id), Journey.state == "running")
                    .values(state="paused", paused_at=now))
    session.execute(update(Message).where(Message.state.in_(("queued", "claimed")),
                                          Message.campaign.is_distinct_from(frame.campaign.key)).values(due_at=NEVER))
    shares = scale > 1 and not frame.drawn and bool(best_first_steps(frame.graph))
    if shares:
        share_prices(session, scale)
    if frame.published:
        assert frame.journey_id is not None
        version = newest_version(session, session.get_one(Journey, frame.journey_id))
        if shares and version is not None:
            version.graph = with_shared_budgets(version.graph, frame.graph, scale)
            session.flush()
        return frame.journey_id
    campaign = session.scalars(select(Campaign).where(Campaign.key == frame.campaign.key)).one_or_none()
    if frame.drafted is not None and frame.drafted.bring is not None:
        frame.drafted.bring(session)
        campaign = session.scalars(select(Campaign).where(Campaign.key == frame.campaign.key)).one()
    elif frame.drafted is not None:
        if campaign is None:
            campaign = save_campaign(session, frame.campaign.key, fields=frame.drafted.fields, now=now)
        save_draft(session, frame.journey, frame.drafted.graph, campaign_id=campaign.id, now=now)
    assert campaign is not None
    campaign.standing_off = sorted(approved_off(session, campaign))
    session.flush()
    session.add(Approval(campaign_id=campaign.id, state="approved", parts=parts_of(session, campaign),
                         asked_by="forecast", asked_ref="forecast", asked_at=now))
    if ranking is not None:
        session.add(Forecast(campaign_id=campaign.id, state="done", asked={}, asked_at=now,
                             answer={"ranking": dict(ranking)}))
    journey = session.scalars(select(Journey).where(Journey.key == frame.journey)).one()
    if frame.graph.entry.top is not None and scale > 1:
        entry = {**journey.draft["entry"], "top": {"by": "expected_contribution",
                                                   "count": max(round(frame.graph.entry.top / scale), 1)}}
        journey.draft = {**journey.draft, "entry": entry}
    if shares:
        journey.draft = with_shared_budgets(journey.draft, frame.graph, scale)
    session.flush()
    return publish(session, frame.journey, now=now).journey_id


def _sides(session: Session, journey_id: int, living: Living) -> tuple[list[int], list[int]]:
    """Places of the people whom a code reached, and of everybody who entered."""
    mine = select(Enrolment.id).where(Enrolment.journey_id == journey_id)
    told = set(session.scalars(select(Message.customer_id).where(
        Message.enrolment_ref.in_(mine), Message.state == "sent", Message.code.is_not(None))))
    inside = set(session.scalars(select(Enrolment.customer_id).where(
        Enrolment.journey_id == journey_id, Enrolment.state != "excluded")))
    return ([living.places[each] for each in sorted(told) if each in living.places],
            [living.places[each] for each in sorted(inside) if each in living.places])
