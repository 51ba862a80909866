"""Four eyes: nobody approves their own asking, any change voids it, and publishing waits where the house says so."""

from datetime import datetime
from pathlib import Path

import pytest

from campaigns.approving import Person, approved_off, ask, decide, standing_of, thing_words
from campaigns.house import save_house
from campaigns.models import Campaign
from campaigns.planning import campaign_by_key, save_campaign
from core.database import Database
from core.errors import Conflict, Forbidden, Invalid
from coupons.offers.offers import save_offer
from customers.models import Customer
from delivery.contents import save_content
from journeys.editing.approval_parts import parts_of
from journeys.editing.editing import publish, save_draft
from segments.language.rules import parse_rule
from segments.saving.saved import save_segment
from tests.delivery.ledger import MJML
from tests.journeys.shop import ONE_MAIL, enrolments, furnish, go, walk

MARA, JONAS = Person("Mara", "user:1"), Person("Jonas", "user:2")


@pytest.fixture
def planned(database: Database, now: datetime) -> Database:
    """A campaign with a draft, in a house that wants four eyes."""
    furnish(database, [1, 2], now=now)
    with database.writing() as session:
        save_house(session, approval_required=True, now=now)
        campaign = save_campaign(session, "spring", fields={"segment": "lapsed"}, now=now)
        save_draft(session, "winback", {**ONE_MAIL, "exclude": ["standing"]}, campaign_id=campaign.id, now=now)
    return database


def approve(database: Database, *, now: datetime) -> None:
    with database.writing() as session:
        campaign = campaign_by_key(session, "spring")
        asked = ask(session, campaign, parts=parts_of(session, campaign), by=MARA, now=now)
        decide(session, campaign, approved=True, parts=parts_of(session, campaign), by=JONAS, asking=asked.id, now=now)


def state_of(database: Database) -> tuple[str, tuple[str, ...]]:
    with database.reading() as session:
        campaign = campaign_by_key(session, "spring")
        found = standing_of(session, campaign, parts_of(session, campaign))
        return found.state, found.changed


def test_nothing_is_published_without_an_approval_where_the_house_wants_one(planned: Database, now: datetime) -> None:
    with pytest.raises(Conflict, match="Nobody has been asked yet"), planned.writing() as session:
        publish(session, "winback", now=now)
    approve(planned, now=now)
    with planned.writing() as session:
        assert publish(session, "winback", now=now).number == 1
    assert state_of(planned) == ("approved", ()), "publishing changes nothing that was approved"


def test_the_person_who_asked_cannot_answer_and_a_refusal_says_why(planned: Database, now: datetime) -> None:
    with planned.writing() as session:
        campaign = campaign_by_key(session, "spring")
        parts = parts_of(session, campaign)
        asked = ask(session, campaign, parts=parts, by=MARA, note="Only the subject is new.", now=now)
        with pytest.raises(Conflict, match="asked already"):
            ask(session, campaign, parts=parts, by=JONAS, now=now)
        with pytest.raises(Forbidden):
            decide(session, campaign, approved=True, parts=parts, by=MARA, asking=asked.id, now=now)
        with pytest.raises(Invalid):
            decide(session, campaign, approved=False, parts=parts, by=JONAS, asking=asked.id, comment=" ", now=now)
        decide(session, campaign, approved=False, parts=parts, by=JONAS, asking=asked.id, comment="Too long.", now=now)
        with pytest.raises(Conflict):
            decide(session, campaign, approved=True, parts=parts, by=JONAS, asking=asked.id, now=now)
    with pytest.raises(Conflict, match="It was refused"), planned.writing() as session:
        publish(session, "winback", now=now)


@pytest.mark.parametrize("part", ["campaign:spring", "journey:winback", "content:offer-a", "offer:ten-percent",
                                  "segment:lapsed"])
def test_any_change_after_it_voids_an_approval_and_names_what_changed(
    planned: Database, now: datetime, part: str
) -> None:
    approve(planned, now=now)
    with planned.writing() as session:
        campaign = campaign_by_key(session, "spring")
        if part == "campaign:spring":
            save_campaign(session, "spring", fields={"objective": "More."}, now=now)
        elif part == "journey:winback":
            save_draft(session, "winback", {**ONE_MAIL, "name": "Other"}, campaign_id=campaign.id, now=now)
        elif part == "content:offer-a":
            save_content(session, "offer-a", name="Offer A", subject="Another gift", mjml=MJML, now=now)
        elif part == "offer:ten-percent":
            save_offer(session, "ten-percent", name="Ten", kind="percent", percent=12, valid_days=14, now=now)
        else:
            save_segment(session, "lapsed", name="Lapsed", now=now,
                         rule=parse_rule({"customer": "country", "is": "DE"}))
    assert state_of(planned) == ("void", (part,))
    with pytest.raises(Conflict, match=f"void: {thing_words(part)} changed since"), planned.writing() as session:
        publish(session, "winback", now=now)


def test_what_changed_between_asking_and_answering_is_not_approved(planned: Database, now: datetime) -> None:
    with planned.writing() as session:
        campaign = campaign_by_key(session, "spring")
        asked = ask(session, campaign, parts=parts_of(session, campaign), by=MARA, now=now)
        save_campaign(session, "spring", fields={"objective": "More."}, now=now)
        with pytest.raises(Conflict, match="campaign spring changed since"):
            decide(session, campaign, approved=True, parts=parts_of(session, campaign), by=JONAS, asking=asked.id,
                   now=now)
        anew = ask(session, campaign, parts=parts_of(session, campaign), by=JONAS, now=now)
        assert (asked.state, anew.state) == ("replaced", "asked")


def test_a_house_that_wants_none_publishes_as_before(database: Database, now: datetime) -> None:
    furnish(database, [1], now=now)
    assert go(database, ONE_MAIL, now=now).number == 1


def test_switching_an_exclusion_off_needs_an_approval_even_there_and_holds_only_then(
    planned: Database, tmp_path: Path, now: datetime
) -> None:
    with planned.writing() as session:
        save_house(session, approval_required=False, now=now)
        session.get_one(Customer, 1).dunning_level = 2
        save_campaign(session, "spring", fields={"standing_off": ["dunning"]}, now=now)
    with pytest.raises(Conflict, match="switches standing exclusions off"), planned.writing() as session:
        publish(session, "winback", now=now)
    assert off(planned) == frozenset()
    approve(planned, now=now)
    assert off(planned) == {"dunning"}
    with planned.writing() as session:
        publish(session, "winback", now=now)
    walk(planned, tmp_path, now=now)
    assert enrolments(planned)[1].state == "active"


def off(database: Database) -> frozenset[str]:
    with database.reading() as session:
        return approved_off(session, session.get_one(Campaign, 1))


def test_parts_of_an_approval_are_told_in_words() -> None:
    assert thing_words("offer:ten-percent") == "offer ten-percent"
    assert thing_words("off:open_order") == "exclusion open order switched off"
