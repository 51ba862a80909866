"""May this campaign go out as it stands, and who said so?

Owns the four eyes: asking, approving, refusing, and whether an approval still holds. An approval is for exactly what
was asked about, named part by part with its version (campaign, journey, contents, offers, segments), which the caller
passes in. The promises: nobody approves what they asked for themselves; any change after it voids an approval, and
which part was changed is known; a decision is never rewritten.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import select
from sqlalchemy.orm import Session

from campaigns.house import house
from campaigns.models import Approval, Campaign
from core.errors import Conflict, Forbidden, Invalid

LONGEST_WORDS = 2_000
OFF = "off:"
"""Begins the part that names a standing exclusion switched off for the campaign."""


@dataclass(frozen=True)
class Person:
    """Who asks or answers: a name for people, a reference (user:7, key:3, shell) to tell them apart."""

    name: str
    ref: str


@dataclass(frozen=True)
class Standing:
    """Where a campaign stands with its approval.

    `state` is none, asked, refused, approved, or void: approved once, but `changed` parts are not what they were.
    """

    state: str
    newest: Approval | None
    changed: tuple[str, ...] = ()


def standing_of(session: Session, campaign: Campaign, parts: Mapping[str, str]) -> Standing:
    """Where the campaign stands, given its parts as they are now."""
    newest = session.scalars(select(Approval).where(Approval.campaign_id == campaign.id)
                             .order_by(Approval.id.desc()).limit(1)).one_or_none()
    if newest is None:
        return Standing("none", None)
    changed = _changed(newest.parts, parts)
    if newest.state == "approved":
        return Standing("void" if changed else "approved", newest, changed)
    return Standing(newest.state, newest, changed)


def history_of(session: Session, campaign: Campaign) -> list[Approval]:
    """Every asking and answer about the campaign, newest first."""
    return list(session.scalars(select(Approval).where(Approval.campaign_id == campaign.id)
                                .order_by(Approval.id.desc())))


def waiting_for_others(session: Session, *, but: str) -> list[tuple[Approval, Campaign]]:
    """Askings still open that somebody else than `but` made, oldest first, each with its campaign."""
    rows = session.execute(
        select(Approval, Campaign).join(Campaign, Campaign.id == Approval.campaign_id)
        .where(Approval.state == "asked", Approval.asked_ref != but, Campaign.state != "ended").order_by(Approval.id))
    return [(row[0], row[1]) for row in rows]


def ask(
    session: Session, campaign: Campaign, *, parts: Mapping[str, str], by: Person, note: str | None = None,
    now: datetime,
) -> Approval:
    """Ask for approval of the campaign as it stands; an asking still open is replaced. Raises Conflict, Invalid."""
    if campaign.state in ("ended", "history"):
        raise Conflict(f"{campaign.name} is over; there is nothing to approve.")
    session.execute(select(Campaign.id).where(Campaign.id == campaign.id).with_for_update())
    before = standing_of(session, campaign, parts)
    if before.state == "approved":
        raise Conflict(f"{campaign.name} is approved as it stands.")
    if before.state == "asked" and before.newest is not None:
        if not before.changed:
            raise Conflict(f"{before.newest.asked_by} has asked already, and nothing has changed since.")
        before.newest.state = "replaced"
    row = Approval(campaign_id=campaign.id, state="asked", parts=dict(parts), asked_by=by.name, asked_ref=by.ref,
                   asked_at=now, note=_words(note, "note"))
    session.add(row)
    session.flush()
    return row


def decide(
    session: Session, campaign: Campaign, *, approved: bool, parts: Mapping[str, str], by: Person, asking: int,
    comment: str | None = None, now: datetime,
) -> Approval:
    """Approve or refuse what was asked; `asking` is the row the person has read, `parts` what there is now.

    Raises Forbidden for the person who asked, Invalid for a refusal without a word why, Conflict when it was decided
    already or is not any more what was asked about.
    """
    row = session.scalars(select(Approval).where(Approval.id == asking, Approval.campaign_id == campaign.id)
                          .with_for_update()).one_or_none()
    if row is None or row.state != "asked":
        raise Conflict("This was decided already, or asked anew. Load the campaign again.")
    if row.asked_ref == by.ref:
        raise Forbidden("You asked for this approval yourself. Somebody else has to look at it.")
    changed = _changed(row.parts, parts)
    if approved and changed:
        raise Conflict(f"This is not what was asked about any more: {_things(changed)} changed since. "
                       "Let it be asked anew.")
    row.comment = _words(comment, "comment")
    if not approved and row.comment is None:
        raise Invalid("Say what has to change, so that it can be mended.", place="comment")
    row.state, row.decided_by, row.decided_ref, row.decided_at = (
        "approved" if approved else "refused", by.name, by.ref, now)
    session.flush()
    return row


def thing_words(part: str) -> str:
    """A part of an approval in words: "offer ten-percent", "exclusion open order switched off"."""
    if part.startswith(OFF):
        return f"exclusion {part.removeprefix(OFF).replace('_', ' ')} switched off"
    return part.replace(":", " ", 1)


def _things(parts: Iterable[str]) -> str:
    return ", ".join(thing_words(part) for part in parts)


def is_needed(session: Session, campaign: Campaign) -> bool:
    """Whether the campaign goes out only with an approval: the house says so, or it switches an exclusion off."""
    return house(session).approval_required or bool(campaign.standing_off)


def insist_on_approval(session: Session, campaign: Campaign, parts: Mapping[str, str]) -> None:
    """Raise Conflict when an approval is needed and there is none that holds."""
    if not is_needed(session, campaign):
        return
    found = standing_of(session, campaign, parts)
    if found.state == "approved":
        return
    why = {"none": "Nobody has been asked yet", "asked": "It is asked for and not decided yet",
           "refused": "It was refused", "void": f"The approval is void: {_things(found.changed)} changed since"}
    needs = ("needs an approval" if not campaign.standing_off
             else "switches standing exclusions off and needs an approval")
    raise Conflict(f"{campaign.name} {needs} before it goes out. {why[found.state]}.", place="approval")


def approved_off(session: Session, campaign: Campaign) -> frozenset[str]:
    """The standing exclusions that are really off for the campaign: wanted, and approved at last."""
    if not campaign.standing_off:
        return frozenset()
    parts = session.scalars(
        select(Approval.parts).where(Approval.campaign_id == campaign.id, Approval.state == "approved")
        .order_by(Approval.id.desc()).limit(1)).one_or_none() or {}
    return frozenset(key for key in campaign.standing_off if f"{OFF}{key}" in parts)


def _changed(before: Mapping[str, str], now: Mapping[str, str]) -> tuple[str, ...]:
    return tuple(sorted(part for part in {*before, *now} if before.get(part) != now.get(part)))


def _words(text: str | None, place: str) -> str | None:
    plain = (text or "").strip()
    if len(plain) > LONGEST_WORDS or "\0" in plain:
        raise Invalid(f"Use at most {LONGEST_WORDS} characters.", place=place)
    return plain or None
