"""Drafts, versions, pause and end: two tabs, a frozen version, and nothing more sent by a paused journey."""

import copy
from datetime import datetime, timedelta
from pathlib import Path

import pytest
from sqlalchemy import select

from campaigns.models import Campaign
from campaigns.planning import campaign_by_key, save_campaign
from campaigns.problems import InvalidPlan
from core.database import Database
from core.errors import Conflict, Invalid, NotFound
from customers.models import Customer
from delivery.models import Message
from journeys.editing.editing import end, journey_by_key, newest_version, pause, publish, resume, save_draft
from journeys.models import Enrolment, Journey, Version
from journeys.walk.due import next_due_at
from segments.language.rules import parse_rule
from segments.saving.saved import save_segment
from tests.delivery.ledger import add_content, add_people, sink
from tests.journeys.shop import (
    GRAPH,
    ONE_MAIL,
    codes,
    day,
    deliver,
    enrolments,
    everything,
    furnish,
    go,
    ledger,
    walk,
    with_steps,
)

Now = datetime


def test_a_second_tab_cannot_overwrite_a_draft(database: Database, now: Now) -> None:
    furnish(database, [], now=now)
    with database.writing() as session:
        campaign = campaign_by_key(session, "spring")
        save_draft(session, "winback", GRAPH, campaign_id=campaign.id, expected_version=0, now=now)
        first = save_draft(session, "winback", ONE_MAIL, campaign_id=campaign.id, expected_version=1, now=now)
        assert first.draft_version == 2
        with pytest.raises(Conflict, match="another tab"):
            save_draft(session, "winback", GRAPH, campaign_id=campaign.id, expected_version=1, now=now)
        with pytest.raises(Conflict, match="already has the journey winback"):
            save_draft(session, "other", GRAPH, campaign_id=campaign.id, now=now)


def test_a_draft_may_be_wrong_and_publishing_tells_everything_at_once(database: Database, now: Now) -> None:
    furnish(database, [], now=now)
    with database.writing() as session:
        campaign = campaign_by_key(session, "spring")
        graph = with_steps(mail={"kind": "send", "content": "gone", "offer": "gone", "next": "nowhere"})
        save_draft(session, "winback", graph, campaign_id=campaign.id, now=now)
        with pytest.raises(InvalidPlan) as raised:
            publish(session, "winback", now=now)
        assert {problem.place for problem in raised.value.problems} >= {
            "steps.mail.content", "steps.mail.offer", "steps.mail.next"}
        assert newest_version(session, journey_by_key(session, "winback")) is None
        with pytest.raises(Invalid, match="not JSON"):
            save_draft(session, "winback", {"x": float("nan")}, campaign_id=campaign.id, now=now)
        with pytest.raises(NotFound, match="no journey called"):
            publish(session, "gone", now=now)


def test_a_published_version_stays_as_it_was_and_people_inside_keep_theirs(
    database: Database, tmp_path: Path, now: Now
) -> None:
    furnish(database, range(1, 6), now=now)
    first = go(database, ONE_MAIL, now=now)
    walk(database, tmp_path, now=now)
    later = now + timedelta(days=1)
    changed = copy.deepcopy(ONE_MAIL)
    changed["steps"]["pause"]["days"] = 9
    with database.writing() as session:
        add_people(session, [6], now=now)
        save_segment(session, "lapsed", name="Lapsed", rule=parse_rule({"not": {"customer": "language", "is": "fr"}}),
                     now=later)
        add_content(session, now=later, key="offer-a")
    second = go(database, changed, now=later)
    walk(database, tmp_path, now=later)
    assert (first.number, second.number) == (1, 2)
    with database.reading() as session:
        kept = session.get_one(Version, first.id)
        assert kept.graph == ONE_MAIL and kept.pins["segments"] == {"lapsed": 1}
        assert session.get_one(Version, second.id).pins["segments"] == {"lapsed": 2}
    versions = {number: person.version_id for number, person in enrolments(database).items()}
    assert versions == {**dict.fromkeys(range(1, 6), first.id), 6: second.id}, "nobody enters twice"


def test_nested_segments_are_frozen_into_the_version(database: Database, now: Now) -> None:
    furnish(database, [1], now=now)
    with database.writing() as session:
        save_segment(session, "french", name="F", rule=parse_rule({"customer": "language", "is": "fr"}), now=now)
    graph = with_steps(ask={"kind": "branch", "if": {"segment": "french"}, "next": {"yes": "end", "no": "end"}},
                       end={"kind": "leave"})
    version = go(database, graph, now=now)
    assert version.graph["steps"]["ask"]["if"] == {"customer": "language", "is": "fr"}
    graph["steps"]["ask"]["if"] = {"segment": "gone"}
    with pytest.raises(InvalidPlan, match=r"steps\.ask\.if"):
        go(database, graph, now=now)


def test_a_draft_does_not_run_by_being_let_go_on(database: Database, now: Now) -> None:
    furnish(database, [1], now=now)
    with database.writing() as session:
        save_draft(session, "winback", ONE_MAIL, campaign_id=campaign_by_key(session, "spring").id, now=now)
    with database.writing() as session, pytest.raises(Conflict, match="never published"):
        resume(session, "winback", overdue="send", now=now)
    with database.reading() as session:
        assert (journey_by_key(session, "winback").state, session.scalars(select(Campaign.state)).all()) == (
            "draft", ["draft"])


@pytest.mark.parametrize(("graph", "place"), [
    ({"name": "half a \ud800 letter"}, "name"), ({"steps": {"mail": {"name": "a\x00b"}}}, "steps.mail.name"),
    ({"exit_when": [{}, {"x": ["\x00"]}]}, r"exit_when\[1\]\.x\[0\]"), ({"steps": {"\ud800": {}}}, "steps"),
    ({"\x00": 1}, "journey"),
])
def test_a_draft_with_what_is_no_text_is_refused_with_its_place(
    graph: dict[str, object], place: str, database: Database, now: Now
) -> None:
    furnish(database, [1], now=now)
    with database.writing() as session, pytest.raises(Invalid, match=rf"^{place}: This holds"):
        save_draft(session, "winback", graph, campaign_id=campaign_by_key(session, "spring").id, now=now)


def test_a_paused_journey_sends_nothing_more(database: Database, tmp_path: Path, now: Now) -> None:
    furnish(database, range(1, 6), now=now)
    go(database, GRAPH, now=now)
    channels, _ = sink(tmp_path)
    walk(database, tmp_path, now=now)
    with database.writing() as session:
        pause(session, "winback", now=now)
        assert campaign_by_key(session, "spring").state == "paused"
    for days in (0, 8):
        day(database, tmp_path, channels, now=now + timedelta(days=days))
    assert {row.state for row in ledger(database)} == {"queued"} and len(ledger(database)) == 5
    with database.writing() as session:
        with pytest.raises(Invalid, match="send, skip or shift"):
            resume(session, "winback", overdue="", now=now)
        with pytest.raises(Conflict, match="is paused and cannot become paused"):
            pause(session, "winback", now=now)
        resume(session, "winback", overdue="send", now=now + timedelta(days=8))
    day(database, tmp_path, channels, now=now + timedelta(days=8))
    assert {row.state for row in ledger(database)} == {"sent"}


@pytest.mark.parametrize(("overdue", "due_in_days"), [("send", None), ("shift", 7)])
def test_resuming_does_what_is_overdue_now_or_moves_everything_by_the_pause(
    database: Database, tmp_path: Path, now: Now, overdue: str, due_in_days: int | None
) -> None:
    furnish(database, [1], now=now)
    go(database, ONE_MAIL, now=now)
    channels, _ = sink(tmp_path)
    day(database, tmp_path, channels, now=now)
    with database.writing() as session:
        pause(session, "winback", now=now + timedelta(days=1))
    resumed = now + timedelta(days=5)
    with database.writing() as session:
        resume(session, "winback", overdue=overdue, now=resumed)
    assert enrolments(database)[1].due_at == now + timedelta(days=7 if overdue == "shift" else 3)
    walk(database, tmp_path, now=resumed)
    assert enrolments(database)[1].state == ("finished" if due_in_days is None else "active")


def test_ending_takes_everybody_out_cancels_what_waits_and_withdraws_the_codes(
    database: Database, tmp_path: Path, now: Now
) -> None:
    furnish(database, range(1, 6), now=now)
    go(database, GRAPH, now=now)
    walk(database, tmp_path, now=now)
    with database.writing() as session:
        end(session, "winback", now=now)
    channels, _ = sink(tmp_path)
    assert deliver(database, channels, now=now) == 0, "nothing goes out between the end and the sweep"
    walk(database, tmp_path, now=now)
    assert {(person.state, person.left_reason) for person in enrolments(database).values()} == {("over", "ended")}
    assert {row.state for row in ledger(database)} == {"cancelled"}
    assert {code.state for code in codes(database)} == {"revoked"}
    with database.writing() as session:
        assert session.scalars(select(Journey.state)).one() == "ended"
        campaign = session.scalars(select(Campaign)).one()
        assert (campaign.state, campaign.ends_at) == ("ended", now)
        with pytest.raises(Conflict, match="has ended"):
            publish(session, "winback", now=now)


def test_at_the_end_of_the_window_everybody_leaves_and_the_campaign_is_over(
    database: Database, tmp_path: Path, now: Now
) -> None:
    furnish(database, range(1, 6), now=now, ends_in_days=5)
    go(database, GRAPH, now=now)
    walk(database, tmp_path, now=now)
    walk(database, tmp_path, now=now + timedelta(days=5))
    assert {person.left_reason for person in enrolments(database).values()} == {"window_over"}
    assert {row.state for row in ledger(database)} == {"cancelled"}
    with database.reading() as session:
        assert session.scalars(select(Campaign.state)).one() == "ended"


def test_the_window_of_the_journey_becomes_the_campaigns_and_people_enter_when_it_opens(
    database: Database, tmp_path: Path, now: Now
) -> None:
    furnish(database, range(1, 6), now=now)
    opens, closes = now + timedelta(days=2), now + timedelta(days=20)
    go(database, GRAPH | {"window": {"from": opens.isoformat(), "until": closes.isoformat()}, "holdout_percent": 20},
       now=now)
    walk(database, tmp_path, now=now)
    assert enrolments(database) == {}
    with database.reading() as session:
        campaign = campaign_by_key(session, "spring")
        assert (campaign.starts_at, campaign.ends_at, campaign.holdout_percent) == (opens, closes, 20)
        assert next_due_at(session.connection(), after=now) == opens
    walk(database, tmp_path, now=opens)
    assert len(enrolments(database)) == 5
    with database.reading() as session:
        assert next_due_at(session.connection(), after=opens) == closes
    with pytest.raises(InvalidPlan, match="share left alone is fixed"):
        go(database, GRAPH | {"holdout_percent": 30}, now=opens)


def test_a_member_whose_data_were_erased_is_excluded_with_the_reason(
    database: Database, tmp_path: Path, now: Now
) -> None:
    furnish(database, [1, 2], now=now)
    go(database, ONE_MAIL, now=now)
    from journeys.entry import admitting
    from journeys.graphs.plans import load_plans

    with database.writing() as session:
        session.get_one(Customer, 2).forgotten_at = now
        session.flush()
        [plan] = load_plans(session.connection(), states=("running",)).values()
        assert admitting.enrol(session, plan, [1, 2], now=now) == 1
    people = enrolments(database)
    assert (people[2].state, people[2].left_reason, people[2].step) == ("excluded", "erased", None)
    walk(database, tmp_path, now=now)
    assert [row.customer_id for row in ledger(database)] == [1]


def test_a_drawing_cut_short_goes_on_with_the_members_of_its_first_instant(
    database: Database, tmp_path: Path, now: Now
) -> None:
    furnish(database, range(1, 6), now=now)
    go(database, ONE_MAIL, now=now)
    with database.writing() as session:
        session.scalars(select(Version)).one().drawing_as_of = now
    walk(database, tmp_path, now=now + timedelta(days=1))
    with database.reading() as session:
        version = session.scalars(select(Version)).one()
        assert (version.drawing_as_of, version.entered_at) == (now, now + timedelta(days=1))
        assert len(session.scalars(select(Enrolment.id)).all()) == 5


def test_an_empty_segment_is_drawn_once_and_nobody_enters(database: Database, tmp_path: Path, now: Now) -> None:
    furnish(database, [], now=now)
    version = go(database, ONE_MAIL, now=now)
    assert walk(database, tmp_path, now=now) == 0
    with database.reading() as session:
        assert session.get_one(Version, version.id).entered_at == now
        assert session.scalars(select(Message.id)).all() == []


def test_the_next_due_instant_is_the_earliest_of_people_messages_and_windows(
    database: Database, tmp_path: Path, now: Now
) -> None:
    furnish(database, [1], now=now)
    with database.reading() as session:
        assert next_due_at(session.connection(), after=now) is None
    go(database, ONE_MAIL, now=now)
    channels, _ = sink(tmp_path)
    day(database, tmp_path, channels, now=now)
    with database.reading() as session:
        connection = session.connection()
        assert next_due_at(connection, after=now) == now + timedelta(days=3)
        assert next_due_at(connection, after=now + timedelta(days=3)) == now + timedelta(days=30)
    before = everything(database)
    with database.writing() as session:
        save_campaign(session, "spring", fields={}, now=now)
    assert everything(database) == before
