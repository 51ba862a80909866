"""A wrong text went out: who has it, who does not have it yet, and how is it put right?

Owns the repair of a campaign by the revision of a content that was wrong. One act stops the journey, takes back what
has not left the house, puts those people before the step again, names exactly who has the wrong text on a list, and
plans a correction for them as a draft. The promises: nobody is told twice because of it, whoever has it is on the list,
and nothing more goes out before a person lets the journey go on.
"""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import BigInteger, Row, and_, func, select, type_coerce, update
from sqlalchemy.orm import Session

from campaigns.models import Campaign
from campaigns.planning import campaign_by_key, save_campaign
from core.arrays import in_ids
from core.bulk import chunks
from core.errors import Conflict, NotFound
from core.types import to_us
from delivery.contents import save_content
from delivery.models import CallTask, Content, ContentRevision, Message
from delivery.outbox import take_back
from journeys.editing import editing
from journeys.models import Enrolment, Journey
from journeys.visits import record_visits, ways_of
from segments.models import Segment
from segments.saving.lists import change_members, make_list

AT_ONCE = 5_000
WRONG = "taken back: its text was wrong"
OUT = ("sent", "uncertain", "failed")
"""A failed one may have been read before it bounced; who never got it is not hurt by a correction."""


@dataclass(frozen=True)
class Spoken:
    """One text of a campaign: `out` people have it or may have it, for `waiting` it has not left the house."""

    content: str
    name: str
    revision: int
    revision_id: int
    out: int
    waiting: int
    newest: bool


@dataclass(frozen=True)
class Repaired:
    """What a repair did: `listed` people are on the list `people`, `put_back` of the `withdrawn` stand before the step
    again, `correction` is the campaign drafted for the list (None: nobody has the wrong text)."""

    stopped: bool
    withdrawn: int
    put_back: int
    listed: int
    people: str | None
    correction: str | None


def spoken(session: Session, campaign_key: str) -> list[Spoken]:
    """Every text that this campaign has said or is about to say, by content and revision, newest first."""
    campaign = campaign_by_key(session, campaign_key)
    waiting = _in_the_house()
    rows = session.execute(
        select(Content.key, Content.name, ContentRevision.number, ContentRevision.id, Content.revision,
               func.count(Message.customer_id.distinct()).filter(_is_out()),
               func.count(Message.customer_id.distinct()).filter(waiting))
        .join(ContentRevision, ContentRevision.id == Message.revision_id)
        .join(Content, Content.id == ContentRevision.content_id)
        .outerjoin(CallTask, CallTask.message_id == Message.id)
        .where(Message.campaign == campaign.key)
        .group_by(Content.key, Content.name, ContentRevision.number, ContentRevision.id, Content.revision)
        .order_by(Content.key, ContentRevision.number.desc()))
    return [Spoken(key, name, number, revision_id, out, still, number == newest)
            for key, name, number, revision_id, newest, out, still in rows if out or still]


def people_with(
    session: Session, campaign_key: str, *, content: str, revision: int, waiting: bool, after: int = 0, limit: int = 100
) -> list[int]:
    """The customers behind one number of `spoken`, by id beyond `after`: who has the text, or (`waiting`) for whom it
    has not left the house."""
    campaign = campaign_by_key(session, campaign_key)
    return list(session.scalars(
        select(Message.customer_id).distinct()
        .join(ContentRevision, ContentRevision.id == Message.revision_id)
        .join(Content, Content.id == ContentRevision.content_id)
        .outerjoin(CallTask, CallTask.message_id == Message.id)
        .where(Message.campaign == campaign.key, Content.key == content, ContentRevision.number == revision,
               _in_the_house() if waiting else _is_out(), Message.customer_id > after)
        .order_by(Message.customer_id).limit(limit)))


def repair(
    session: Session, campaign_key: str, *, content: str, revision: int, author: str | None = None, now: datetime
) -> Repaired:
    """Stop the campaign and put right that `revision` of `content` was wrong; see the module. Repeating it is harmless.

    Raises NotFound when the campaign never said it, Conflict for a campaign of the past.
    """
    campaign = campaign_by_key(session, campaign_key)
    journey = session.scalars(select(Journey).where(Journey.campaign_id == campaign.id)).one_or_none()
    if journey is None:
        raise Conflict(f"{campaign.name} has no journey here; nothing of it can be taken back.")
    revision_id = session.scalar(
        select(ContentRevision.id).join(Content, Content.id == ContentRevision.content_id)
        .where(Content.key == content, ContentRevision.number == revision))
    said = and_(Message.campaign == campaign.key, Message.revision_id == revision_id)
    if revision_id is None or session.scalar(select(Message.id).where(said).limit(1)) is None:
        raise NotFound(f"{campaign.name} never said revision {revision} of {content}.")
    stopped = journey.state == "running"
    if stopped:
        # Waits for the chunk being walked, so that nothing slips in behind us.
        editing.pause(session, journey.key, now=now)
    waiting = session.execute(
        select(Message.id, Message.enrolment_ref, Message.step, Message.customer_id)
        .outerjoin(CallTask, CallTask.message_id == Message.id).where(said, _in_the_house())
        .order_by(Message.id)).all()
    gone, back = set[int](), set[int]()
    for part in chunks(waiting, AT_ONCE):
        taken = set(take_back(session.connection(), [row.id for row in part], reason=WRONG, now=now))
        gone |= taken
        back |= _put_back(session, [row for row in part if row.id in taken], now=now)
    # Who was not told and cannot be told by the journey any more is told by the correction.
    missed = {row.customer_id for row in waiting if row.id in gone and row.enrolment_ref not in back}
    have = set(session.scalars(
        select(Message.customer_id).outerjoin(CallTask, CallTask.message_id == Message.id).where(said, _is_out())))
    if not have | missed:
        return Repaired(stopped, len(gone), len(back), 0, None, None)
    people = _listed(session, campaign, content, revision, sorted(have | missed), author=author, now=now)
    correction = _correction(session, campaign, content, people, author=author, now=now)
    return Repaired(stopped, len(gone), len(back), len(have | missed), people, correction)


def _in_the_house() -> Any:
    """Messages that can still be taken back, whole calls that no agent holds included."""
    return (Message.state.in_(("queued", "claimed"))
            | ((Message.state == "handed_over") & (Message.channel == "phone") & (CallTask.state == "open")))


def _is_out() -> Any:
    return Message.state.in_(OUT) | ((Message.state == "handed_over") & ~(
        (Message.channel == "phone") & (func.coalesce(CallTask.state, "") == "open")))


def _put_back(session: Session, taken: list[Row[Any]], *, now: datetime) -> set[int]:
    """Let those whose message was taken back stand before its step again; returns their enrolments. Who has left, or
    stands there already, stays."""
    steps = {row.enrolment_ref: row.step for row in taken if row.enrolment_ref is not None}
    rows = session.execute(
        select(Enrolment.id, Enrolment.visit, Enrolment.step, type_coerce(Enrolment.step_entered_at, BigInteger),
               Enrolment.version_id, Enrolment.held_out)
        .where(in_ids(Enrolment.id, sorted(steps)), Enrolment.state == "active").order_by(Enrolment.id)
        .with_for_update()).all()
    if not rows:
        return set()
    count = len(rows)
    record_visits(session.connection(), {
        "enrolment_id": [row[0] for row in rows], "number": [row[1] for row in rows], "step": [row[2] for row in rows],
        "entered_at": [row[3] for row in rows], "left_at": [to_us(now)] * count, "outcome": ["put_back"] * count,
        "detail": [WRONG] * count},
        ways_of([row[4] for row in rows], [str(row[2]) for row in rows], ["put_back"] * count,
                [row[5] for row in rows]))
    for step in sorted(set(steps.values())):
        session.execute(
            update(Enrolment).where(in_ids(Enrolment.id, [row[0] for row in rows if steps[row[0]] == step]))
            .values(step=step, visit=Enrolment.visit + 1, step_entered_at=now, due_at=now, until_at=None)
            .execution_options(synchronize_session=False))
    return {row[0] for row in rows}


def _listed(
    session: Session, campaign: Campaign, content: str, revision: int, people: list[int], *, author: str | None,
    now: datetime,
) -> str:
    """The list of those who have it; the same repair again adds to the same list."""
    key = f"got-{content[:40]}-{revision}-{campaign.key[:40]}"
    if session.scalar(select(Segment.id).where(Segment.key == key)) is None:
        make_list(session, key, name=f"Got {content}, revision {revision}, in {campaign.name}"[:200],
                  description="Made by a repair: everybody who has, or may have, the wrong text.", author=author,
                  now=now)
    for part in chunks(people, AT_ONCE):
        change_members(session, key, part, on=True, now=now)
    return key


def _correction(
    session: Session, campaign: Campaign, content: str, people: str, *, author: str | None, now: datetime
) -> str:
    """A campaign in draft to exactly these people, with a copy of the text to be worded as a correction."""
    key = f"{campaign.key[:60]}-correction"
    number = 1
    while (other := session.scalars(select(Campaign).where(Campaign.key == key)).one_or_none()) is not None:
        if other.segment_id == session.scalar(select(Segment.id).where(Segment.key == people)):
            return key
        number += 1
        key = f"{campaign.key[:60]}-correction-{number}"
    text = _copied(session, content, key, author=author, now=now)
    made = save_campaign(session, key, fields={
        "name": f"Correction of {campaign.name}"[:200], "segment": people, "holdout_percent": 0,
        "timezone": campaign.timezone, "currency": campaign.currency, "goal_categories": list(campaign.goal_categories),
        "objective": f"Put right what {campaign.name} said wrongly.", "owner": author or campaign.owner}, now=now)
    editing.save_draft(session, key, {
        "name": made.name, "entry": {"segment": people}, "holdout_percent": 0, "exit_when": [], "start": "correct",
        "steps": {"correct": {"kind": "send", "content": text, "next": "end"}, "end": {"kind": "leave"}},
    }, campaign_id=made.id, now=now)
    return key


def _copied(session: Session, content: str, key: str, *, author: str | None, now: datetime) -> str:
    """A content of its own with the newest words; without the code's offer the check asks what it shall show."""
    row, newest = session.execute(
        select(Content, ContentRevision).join(ContentRevision, and_(
            ContentRevision.content_id == Content.id, ContentRevision.number == Content.revision))
        .where(Content.key == content)).one()
    name = f"{key[:92]}-text"
    save_content(session, name, name=f"{row.name}, correction"[:200], subject=newest.subject or "",
                 mjml=newest.mjml or "", letter=newest.letter or "", call_script=newest.call_script or "",
                 language=str(newest.compiled.get("language", "en")), message_class=row.message_class, author=author,
                 now=now)
    return name
