"""The numbers on a drawing: each opens a list of that many people, and the hold-out stands beside the steps."""

from datetime import datetime, timedelta
from pathlib import Path

from sqlalchemy import select

from core.database import Database
from coupons.codes.feed import offers_running_out, redeemed_by_campaign, redemptions_by_day
from coupons.models import Offer
from coupons.till.till import latest
from delivery.showing import MessageFilter, count_messages, list_messages, message_counts, sent_between
from journeys.editing.editing import journey_by_key
from journeys.models import Version
from journeys.telling.overview import due_steps, journey_lines
from journeys.telling.showing import people_here, people_who_went, traffic
from tests.web.story import play


def test_every_number_of_a_played_journey_opens_that_many(database: Database, tmp_path: Path, now: datetime) -> None:
    play(database, tmp_path, now=now, people=24)
    later = now + timedelta(days=10)
    with database.reading() as session:
        version = session.scalars(select(Version)).one()
        seen = traffic(session, version)
        assert seen.entered == 24 == seen.inside + sum(seen.left.values())
        assert seen.held_out == seen.followed == len(people_here(session, version, held_out=True)[0]) > 0
        for step, people in seen.here.items():
            assert len(people_here(session, version, step=step)[0]) == people
        for (step, outcome), people in seen.ways.items():
            went = people_who_went(session, version, step=step, outcome=outcome)
            assert len(went[0]) == people and went[1] is None
            pages, after = [], 0  # the same page by page, whether a page is found near or far
            for at_first in (1, 7) * people:
                page, following = people_who_went(
                    session, version, step=step, outcome=outcome, after=after, limit=2, at_first=at_first)
                pages += page
                if following is None:
                    break
                assert len(page) == 2
                after = following
            assert pages == went[0]
        for reason, people in seen.left.items():
            assert len(people_here(session, version, left=reason)[0]) == people
        first, following = people_here(session, version, limit=10)
        rest, end = people_here(session, version, limit=100, after=following or 0)
        assert len({each.enrolment_id for each in first + rest}) == 24 and end is None
        line = journey_lines(session, day_start=later - timedelta(hours=10), now=later)[0]
        assert (line.entered, line.inside, line.newest, line.in_today) == (24, seen.inside, 1, 0)
        assert due_steps(session, start=now, end=later + timedelta(days=60)) == due_steps(session, start=now, end=None)
        assert journey_by_key(session, "winback").id == line.journey.id


def test_counts_of_messages_and_their_lists_agree(database: Database, tmp_path: Path, now: datetime) -> None:
    play(database, tmp_path, now=now, people=24)
    with database.reading() as session:
        counts = message_counts(session, campaign="spring")
        assert counts
        for each in counts:
            chosen = MessageFilter(campaign="spring", state=each.state, channel=each.channel or "none", step=each.step,
                                   reason=each.reason)
            listed, following = list_messages(session, chosen, limit=500)
            assert len(listed) == each.messages == count_messages(session, chosen) and following is None
        sent = sum(each.messages for each in counts if each.state == "sent")
        assert sum(row[2] for row in sent_between(session, start=now, end=now + timedelta(days=30))) == sent
        assert sent_between(session, start=now + timedelta(days=30), end=now + timedelta(days=60)) == []


def test_the_till_tells_redemptions_and_refusals_newest_first(
    database: Database, tmp_path: Path, now: datetime
) -> None:
    play(database, tmp_path, now=now, people=24)
    with database.writing() as session:
        for offer in session.scalars(select(Offer)):
            offer.budget_cents, offer.spent_cents = 10_000, 9_000 if offer.key == "fifteen" else 8_999
    with database.reading() as session:
        events = latest(session, limit=50)
        assert events[0].refused == "already_redeemed" and events[0].amount_cents == 9_400
        assert [event.at for event in events] == sorted((event.at for event in events), reverse=True)
        accepted = [event for event in events if event.refused is None]
        by_day = redemptions_by_day(session, day_start=now + timedelta(days=2), days=4)
        assert by_day == [0, 0, 0, len(accepted)] and accepted
        issued, used = redeemed_by_campaign(session)["spring"]
        assert used == len(accepted) < issued
        assert [(offer.key, share) for offer, share in offers_running_out(session)] == [("fifteen", 0.9)]
