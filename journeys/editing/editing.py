"""How does a journey come into being, change, and stop?

Owns saving drafts, publishing, pausing, resuming and ending. The promises: two tabs cannot overwrite each other; a
published version never changes, with its contents, offers and segments pinned, and people inside keep theirs; a pause
freezes everybody and everything still in the house, and resuming says what happens to what became overdue.
"""

import json
from collections.abc import Mapping
from datetime import datetime
from typing import Any

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from campaigns.approving import insist_on_approval
from campaigns.models import Campaign
from campaigns.planning import KEY, campaign_by_key
from campaigns.planning import end as end_campaign
from campaigns.planning import pause as pause_campaign
from campaigns.planning import start as start_campaign
from campaigns.problems import Problem, insist
from core.errors import Conflict, Invalid, NotFound
from core.storable import place_not_storable
from coupons.models import Offer
from delivery.contents import newest_revision
from delivery.holding import hold, let_go, take_calls_back
from delivery.hook_outbox import drop_calls, move_calls
from delivery.receivers import receiver_ids
from journeys.editing.approval_parts import parts_of
from journeys.editing.checking_draft import check_draft, hold_segments, rest_problems
from journeys.entry import following
from journeys.entry.holding_out import global_percent
from journeys.entry.ranking import places_of_best, ranking_of, ranking_problems
from journeys.exits.leaving import leave
from journeys.graphs.graph import Branch, Call, Give, Graph, Send, WaitFor, Webhook
from journeys.graphs.reading import EXIT_FLAGS, parse_graph, read_graph
from journeys.models import Enrolment, Journey, Version
from journeys.states import move, move_journey
from journeys.walk.due import NEVER
from journeys.walk.errands import go_on, going_on, parking
from journeys.walk.speaking import SKIPPED
from segments.models import Segment
from segments.saving.saved import resolved

LARGEST_DRAFT_BYTES = 500_000
OVERDUE = ("send", "skip", "shift")
"""What resuming does with what became overdue: do it now, leave out the messages, or move everything by the length of
the pause."""


def journey_by_key(session: Session, key: str) -> Journey:
    """The journey of this key; raises NotFound."""
    found = session.execute(select(Journey).where(Journey.key == key)).scalar_one_or_none()
    if found is None:
        raise NotFound(f"There is no journey called {key}.")
    return found


def list_journeys(session: Session) -> list[Journey]:
    """Journeys, newest first."""
    return list(session.scalars(select(Journey).order_by(Journey.created_at.desc(), Journey.id.desc())))


def newest_version(session: Session, journey: Journey) -> Version | None:
    """The version new people enter; None: never published."""
    return session.scalars(
        select(Version).where(Version.journey_id == journey.id).order_by(Version.number.desc()).limit(1)
    ).one_or_none()


def save_draft(
    session: Session, key: str, graph: Mapping[str, Any], *, campaign_id: int, expected_version: int | None = None,
    now: datetime,
) -> Journey:
    """Keep a draft, right or wrong; publishing checks it. The journey takes its name from the graph, else its key.

    Raises Invalid when it is not an object or far too large, Conflict when `expected_version` is not the stored one,
    the campaign has another journey, or the journey has ended.
    """
    if not KEY.fullmatch(key):
        raise Invalid(f"{key!r} cannot be a key. Use lower-case letters, digits, - and _.", place="key")
    draft = _plain(graph)
    name = draft.get("name")
    title = name.strip()[:200] if isinstance(name, str) and name.strip() else key
    if session.get(Campaign, campaign_id) is None:
        raise NotFound(f"There is no campaign {campaign_id}.")
    other = session.scalar(select(Journey.key).where(Journey.campaign_id == campaign_id, Journey.key != key))
    if other is not None:
        raise Conflict(f"This campaign already has the journey {other}. Plan a campaign for each journey.")
    journey = session.execute(select(Journey).where(Journey.key == key).with_for_update()).scalar_one_or_none()
    if journey is None:
        if expected_version not in (None, 0):
            raise Conflict(f"The journey {key} does not exist any more.")
        journey = Journey(key=key, name=title, campaign_id=campaign_id, draft=draft, draft_version=1, state="draft",
                          created_at=now, updated_at=now)
        session.add(journey)
    else:
        _may_change(journey, campaign_id, expected_version)
        if journey.draft != draft or journey.name != title:
            journey.draft, journey.name, journey.updated_at = draft, title, now
            journey.draft_version += 1
    session.flush()
    return journey


def publish(
    session: Session, key: str, *, author: str | None = None, expected_version: int | None = None,
    expected_number: int | None = None, now: datetime,
) -> Version:
    """Freeze the draft as the next version and let it run; people inside keep theirs.

    `expected_version` is the draft's version the author has seen, `expected_number` the number the new version shall
    get: publishing the same thing twice is then refused. Raises Invalid with every problem at once, Conflict when the
    journey has ended, its window is over, or somebody else changed or published it.
    """
    journey = session.execute(select(Journey).where(Journey.key == key).with_for_update()).scalar_one_or_none()
    if journey is None:
        raise NotFound(f"There is no journey called {key}.")
    if journey.state not in ("draft", "running", "paused"):
        raise Conflict(f"The journey {journey.name} has ended. Make a new one.")
    if expected_version is not None and expected_version != journey.draft_version:
        raise Conflict(f"The journey {journey.name} was changed in another tab. Look at it again before publishing.")
    number = session.scalar(select(func.max(Version.number)).where(Version.journey_id == journey.id)) or 0
    if expected_number is not None and expected_number != number + 1:
        raise Conflict(f"Version {number} of {journey.name} is published already. Nothing was done.")
    campaign = session.get_one(Campaign, journey.campaign_id)
    named = read_graph(journey.draft).graph
    if named is not None:
        # Before the check: what it finds there must still be there when the version stands.
        hold_segments(session, named)
    insist(check_draft(session, journey.draft))
    graph = parse_graph(journey.draft)
    ranking = ranking_of(session, campaign) if places_of_best(graph) else None
    insist([*_frame_problems(campaign, graph, now), *ranking_problems(graph, ranking),
            *rest_problems(session, journey, graph)])
    _adopt_frame(session, campaign, graph)
    before = newest_version(session, journey)
    version = Version(journey_id=journey.id, number=number + 1, graph=_frozen(session, journey.draft),
                      pins=_pins(session, graph) | ({} if ranking is None else {"ranking": ranking}), author=author,
                      published_at=now)
    session.add(version)
    session.flush()
    # After everything is pinned: what changes from here on is not in this version.
    insist_on_approval(session, campaign, parts_of(session, campaign))
    following.begin(session, version, graph, before=before)
    if graph.segment:
        campaign.segment_id = session.scalars(select(Segment.id).where(Segment.key == graph.segment)).one()
        campaign.segment_version = version.pins["segments"][graph.segment]
    if campaign.state == "draft":
        start_campaign(session, campaign.key, now=now)
    if journey.state == "draft":
        move_journey(session, journey, "running", now=now)
    session.flush()
    return version


def running_as_drafted(session: Session, key: str) -> Version | None:
    """The newest version of a journey that runs or rests, if it is its draft with all that this names; else None.

    Nobody publishes until this transaction ends.
    """
    journey = session.execute(select(Journey).where(Journey.key == key).with_for_update()).scalar_one_or_none()
    if journey is None:
        raise NotFound(f"There is no journey called {key}.")
    newest = newest_version(session, journey)
    if newest is None or journey.state not in ("running", "paused") or check_draft(session, journey.draft):
        return None
    pins = {name: value for name, value in newest.pins.items() if name != "ranking"}
    same = newest.graph == _frozen(session, journey.draft) and pins == _pins(session, parse_graph(journey.draft))
    return newest if same else None


def publish_problems(session: Session, key: str, graph: object, *, now: datetime) -> list[Problem]:
    """Every problem that publishing this graph as the journey's next version would find; of a journey that is not
    there yet those of the graph."""
    found = check_draft(session, graph)
    journey = session.scalars(select(Journey).where(Journey.key == key)).one_or_none()
    if found or journey is None:
        return found
    campaign, read = session.get_one(Campaign, journey.campaign_id), parse_graph(graph)
    ranking = ranking_of(session, campaign) if places_of_best(read) else None
    return [*_frame_problems(campaign, read, now), *ranking_problems(read, ranking),
            *rest_problems(session, journey, read)]


def pause(session: Session, key: str, *, now: datetime) -> Journey:
    """Freeze a journey: nobody moves, and what has not left the house is held. Nothing goes out from now on; of a large
    journey's messages only a part is held here, the worker does the rest. Raises Conflict.
    """
    journey = journey_by_key(session, key)
    if journey.resuming is not None:
        raise Conflict(f"The journey {journey.name} is still going on after its last pause. Try again in a minute.")
    # Waits for the chunk being walked; what that chunk puts in the outbox is then held, too.
    move_journey(session, journey, "paused", now=now)
    campaign = pause_campaign(session, session.get_one(Campaign, journey.campaign_id).key, now=now)
    connection = session.connection()
    hold(connection, campaign.key, until=NEVER, now=now)
    move_calls(connection, campaign.key, due_at=NEVER)
    journey.resuming = parking(now=now)
    go_on(session, journey)
    return journey


def resume(session: Session, key: str, *, overdue: str, now: datetime) -> Journey:
    """Let a paused journey run again.

    `overdue` says what happens to steps that became due meanwhile: "send" does them now, "skip" does them without their
    messages, "shift" moves every due date by the length of the pause. Messages held since before the pause are due
    now, with "skip" they are cancelled. Of a large journey only a part is done here, the worker does the rest part by
    part before anybody walks. Raises Invalid, Conflict.
    """
    if overdue not in OVERDUE:
        raise Invalid(f"Say what happens to what became overdue: {', '.join(OVERDUE[:-1])} or {OVERDUE[-1]}.",
                      place="overdue")
    journey = journey_by_key(session, key)
    if journey.state == "draft":
        raise Conflict(f"The journey {journey.name} was never published. Publish it, and it runs.")
    session.refresh(journey, with_for_update=True)
    if journey.state == "paused" and journey.resuming is not None:
        raise Conflict(f"What {journey.name} wants to say is still being held. Try again in a minute.")
    paused_at = journey.paused_at
    move_journey(session, journey, "running", now=now)
    campaign = start_campaign(session, session.get_one(Campaign, journey.campaign_id).key, now=now)
    if overdue == "skip":
        drop_calls(session.connection(), campaign.key, held_from=NEVER, reason=SKIPPED, now=now)
        take_calls_back(session.connection(), campaign.key, held_from=NEVER, reason=SKIPPED, now=now)
    let_go(session.connection(), campaign.key, held_from=NEVER, since=paused_at or now, ends_at=campaign.ends_at,
           now=now)
    move_calls(session.connection(), campaign.key, due_at=now, after=NEVER)
    journey.resuming = going_on(overdue=overdue, since=paused_at or now, now=now)
    go_on(session, journey)  # a large journey's worker does the rest
    return journey


def end(session: Session, key: str, *, now: datetime) -> Journey:
    """End a journey: nothing more goes out (walk/due.py, `resting`), and the worker sweeps people out in chunks."""
    journey = journey_by_key(session, key)
    campaign = session.get_one(Campaign, journey.campaign_id)
    if journey.state == "draft":
        raise Conflict(f"The journey {journey.name} was never published.")
    move_journey(session, journey, "ending", now=now)
    if campaign.state in ("running", "paused"):
        end_campaign(session, campaign.key, now=now)
    move_calls(session.connection(), campaign.key, due_at=NEVER)
    return journey


def end_with_campaign(session: Session, campaign_key: str, *, now: datetime) -> Campaign:
    """End a campaign for good, with its journey when that runs or is paused. Raises NotFound, Conflict."""
    campaign = campaign_by_key(session, campaign_key)
    living = session.scalars(select(Journey).where(
        Journey.campaign_id == campaign.id, Journey.state.in_(("running", "paused")))).first()
    if living is None:
        return end_campaign(session, campaign_key, now=now)
    end(session, living.key, now=now)
    return campaign


def let_in_again(session: Session, key: str, *, only: int | None = None, now: datetime) -> int:
    """Let those who were set aside after an error (or `only` one enrolment of them) walk again from where they stood;
    returns how many."""
    ids = _set_aside(session, key, only)
    return len(move(session.connection(), ids, "active", from_="failed", now=now, due_at=now, error=None))


def release(session: Session, key: str, *, only: int | None = None, now: datetime) -> int:
    """Let those who were set aside after an error (or `only` one enrolment of them) leave for good; returns how many.
    What has not left the house for them is taken back."""
    return leave(session.connection(), dict.fromkeys(_set_aside(session, key, only), "released"), to="over", now=now)


def _set_aside(session: Session, key: str, only: int | None) -> list[int]:
    journey = journey_by_key(session, key)
    found = select(Enrolment.id).where(Enrolment.journey_id == journey.id, Enrolment.state == "failed")
    return list(session.scalars(found if only is None else found.where(Enrolment.id == only)))


def _plain(graph: object) -> dict[str, Any]:
    try:
        text = json.dumps(graph, allow_nan=False)
        strange = place_not_storable(graph)
    except (TypeError, ValueError, RecursionError) as error:
        raise Invalid("This is not JSON. Write an object with entry, start and steps.", place="journey") from error
    if not isinstance(graph, Mapping):
        raise Invalid("This is not a journey. Write an object with entry, start and steps.", place="journey")
    if len(text) > LARGEST_DRAFT_BYTES:
        raise Invalid("This journey is too large.", place="journey")
    if strange is not None:
        raise Invalid("This holds characters that are no text. Type it again.", place=strange or "journey")
    plain: dict[str, Any] = json.loads(text)
    return plain


def _may_change(journey: Journey, campaign_id: int, expected_version: int | None) -> None:
    if journey.state in ("ending", "ended"):
        raise Conflict(f"The journey {journey.name} has ended. Make a new one.")
    if journey.campaign_id != campaign_id:
        raise Conflict(f"The journey {journey.name} belongs to another campaign.")
    if expected_version is not None and expected_version != journey.draft_version:
        raise Conflict(f"The journey {journey.name} was changed in another tab. Load it again.")


def _frame_problems(campaign: Campaign, graph: Graph, now: datetime) -> list[Problem]:
    """The journey's window and hold-out are the campaign's; they cannot change once somebody is inside."""
    problems = []
    if campaign.state in ("ended", "history"):
        problems.append(Problem("campaign", f"The campaign {campaign.name} is over.", "Plan a new one."))
    starts_at, ends_at = graph.starts_at or campaign.starts_at, graph.ends_at or campaign.ends_at
    if ends_at is not None and ends_at <= now:
        problems.append(Problem("window.until", "The window is over already.", "Choose a later end."))
    elif ends_at is not None and starts_at is not None and ends_at <= starts_at:
        problems.append(Problem("window.until", "The window ends before it begins.", "Choose an end after the start."))
    if campaign.state == "draft":
        return problems
    if graph.starts_at is not None and graph.starts_at != campaign.starts_at:
        problems.append(Problem("window.from", "People are inside already; the start can no longer be changed.",
                                "Leave it as it was, or out."))
    if graph.holdout_percent is not None and graph.holdout_percent != campaign.holdout_percent:
        problems.append(Problem("holdout_percent", "People are inside already; the share left alone is fixed.",
                                f"Use {campaign.holdout_percent:g}, or leave it out."))
    return problems


def _adopt_frame(session: Session, campaign: Campaign, graph: Graph) -> None:
    """What the graph says of window and hold-out becomes the campaign's, so that reports and runner read one truth."""
    campaign.starts_at = graph.starts_at or campaign.starts_at
    campaign.ends_at = graph.ends_at or campaign.ends_at
    if graph.holdout_percent is not None:
        campaign.holdout_percent = graph.holdout_percent
    session.flush()


def _frozen(session: Session, draft: dict[str, Any]) -> dict[str, Any]:
    """The draft with nested segments put in their place, so that a segment saved later changes nothing."""
    frozen: dict[str, Any] = json.loads(json.dumps(draft))
    graph = parse_graph(frozen)
    connection = session.connection()
    for key, step in graph.steps.items():
        written = frozen["steps"][key]
        if isinstance(step, WaitFor) and step.rule is not None:
            written["if"] = resolved(connection, step.rule).to_json()
        elif isinstance(step, Branch):
            for place, (_name, rule) in zip(written.get("cases", [written]), step.cases, strict=True):
                place["if"] = resolved(connection, rule).to_json()
    if "exit_when" in frozen and frozen["exit_when"] is not None:
        flags = [item for item in frozen["exit_when"] if len(item) == 1 and set(item) <= set(EXIT_FLAGS)]
        frozen["exit_when"] = [*flags, *(resolved(connection, rule).to_json() for rule in graph.exit_when.rules)]
    return frozen


def _held_offer(session: Session, key: str) -> int:
    """The offer's id, held: whoever would delete it waits, and then finds it named here."""
    offer_id = session.scalar(
        select(Offer.id).where(Offer.key == key).with_for_update(read=True, key_share=True))
    if offer_id is None:
        raise Conflict(f"Somebody deleted the offer {key} at this moment. Choose another.")
    return offer_id


def _pins(session: Session, graph: Graph) -> dict[str, Any]:
    sends = [step for step in graph.steps.values() if isinstance(step, Send | Call)]
    offers = sorted({step.offer for step in graph.steps.values()
                     if isinstance(step, Send | Give | Call) and step.offer})
    told = {step.receiver for step in graph.steps.values() if isinstance(step, Webhook)}
    return {
        "receivers": receiver_ids(session, told),
        "global_percent": global_percent(session),
        "contents": {key: newest_revision(session, key).id for key in sorted({step.content for step in sends})},
        "offers": {key: _held_offer(session, key) for key in offers},
        "segments": {} if not graph.segment else {graph.segment: session.scalars(
            select(Segment.version).where(Segment.key == graph.segment)).one()},
    }
