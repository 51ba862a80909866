"""A wrong text went out: it is stopped, taken back, listed and corrected, and nobody hears anything twice."""

from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select, update

from campaigns.planning import campaign_by_key
from core.database import Database
from core.errors import NotFound
from delivery.contents import save_content
from delivery.models import Content, ContentRevision, Message
from journeys.editing.checking_draft import check_draft
from journeys.editing.editing import journey_by_key, publish, resume
from journeys.editing.moving import take_over
from journeys.editing.repairing import people_with, repair, spoken
from journeys.models import Journey
from segments.models import ListedPerson, Segment
from tests.delivery.ledger import sink
from tests.journeys.shop import (
    counted_by_hand,
    day,
    deliver,
    enrolments,
    furnish,
    go,
    ledger,
    path_of,
    summed_up,
    walk,
    with_steps,
)

GRAPH: dict[str, Any] = {**with_steps(
    mail={"kind": "send", "content": "offer-a", "offer": "ten-percent", "next": "pause"},
    pause={"kind": "wait", "days": 10, "next": "end"}, end={"kind": "leave"}), "exit_when": []}


def mended(database: Database, *, now: datetime) -> None:
    """The next revision of the content."""
    with database.writing() as session:
        content = session.scalars(select(Content).where(Content.key == "offer-a")).one()
        old = session.scalars(select(ContentRevision).where(ContentRevision.content_id == content.id)).one()
        save_content(session, "offer-a", name=content.name, subject=f"Mended: {old.subject}", mjml=old.mjml or "",
                     letter=old.letter or "", call_script=old.call_script or "", now=now)


def people_on(database: Database, key: str) -> list[int]:
    with database.reading() as session:
        return sorted(session.scalars(select(ListedPerson.customer_id).join(
            Segment, Segment.id == ListedPerson.segment_id).where(Segment.key == key)))


def test_a_wrong_text_is_stopped_taken_back_listed_and_corrected(
    database: Database, tmp_path: Path, now: datetime
) -> None:
    furnish(database, range(1, 7), now=now)
    channels, _ = sink(tmp_path)
    go(database, GRAPH, now=now)
    walk(database, tmp_path, now=now)
    with database.writing() as session:
        session.execute(update(Message).where(Message.customer_id > 3).values(due_at=now + timedelta(hours=2)))
    deliver(database, channels, now=now)
    with database.reading() as session:
        line = spoken(session, "spring")[0]
        opened = [people_with(session, "spring", content="offer-a", revision=1, waiting=waiting, after=after)
                  for waiting, after in ((False, 0), (True, 0), (True, 4))]
    assert (line.content, line.revision, line.out, line.waiting) == ("offer-a", 1, 3, 3)
    assert opened == [[1, 2, 3], [4, 5, 6], [5, 6]]

    later = now + timedelta(hours=1)
    with database.writing() as session:
        done = repair(session, "spring", content="offer-a", revision=1, author="Ada", now=later)
    assert (done.stopped, done.withdrawn, done.put_back, done.listed) == (True, 3, 3, 3)
    assert people_on(database, done.people or "") == [1, 2, 3]
    with database.reading() as session:
        assert journey_by_key(session, "winback").state == "paused"
        correction = session.scalars(select(Journey).where(Journey.key == done.correction)).one()
        assert campaign_by_key(session, done.correction or "").state == "draft"
        assert correction.draft["entry"] == {"segment": done.people}
        assert [problem.place for problem in check_draft(session, correction.draft)] == []
    day(database, tmp_path, channels, now=now + timedelta(hours=3))
    assert sorted(each.customer_id for each in ledger(database) if each.state == "sent") == [1, 2, 3]

    with database.writing() as session:
        again = repair(session, "spring", content="offer-a", revision=1, now=later)
    assert (again.stopped, again.withdrawn, again.put_back, again.listed) == (False, 0, 0, 3)
    assert (again.people, again.correction) == (done.people, done.correction)

    tomorrow = now + timedelta(days=1)
    mended(database, now=tomorrow)
    with database.writing() as session:
        publish(session, "winback", now=tomorrow)
        assert take_over(session, "winback", number=1, step="mail", now=tomorrow) == 3
        resume(session, "winback", overdue="send", now=tomorrow)
    day(database, tmp_path, channels, now=tomorrow)
    sent = [(each.customer_id, each.revision_id) for each in ledger(database) if each.state == "sent"]
    assert len(sent) == 6 and len({who for who, _revision in sent}) == 6
    assert len({revision for who, revision in sent if who > 3} - {revision for who, revision in sent if who < 4}) == 1
    with database.reading() as session:
        assert summed_up(session) == counted_by_hand(session)
    assert ("pause", "put_back") in path_of(database, 5) and ("pause", "put_back") not in path_of(database, 2)
    assert {each.step for each in enrolments(database).values()} == {"pause"}


def test_only_what_a_campaign_said_can_be_repaired(sqlite_database: Database, now: datetime) -> None:
    furnish(sqlite_database, (1,), now=now)
    go(sqlite_database, GRAPH, now=now)
    with sqlite_database.writing() as session, pytest.raises(NotFound, match="never said"):
        repair(session, "spring", content="reminder", revision=1, now=now)


def test_who_left_meanwhile_and_was_never_told_is_told_by_the_correction(
    sqlite_database: Database, tmp_path: Path, now: datetime
) -> None:
    furnish(sqlite_database, (1, 2), now=now)
    go(sqlite_database, {**GRAPH, "steps": {"mail": {**GRAPH["steps"]["mail"], "next": "end"},
                                            "end": {"kind": "leave"}}}, now=now)
    walk(sqlite_database, tmp_path, now=now)
    with sqlite_database.writing() as session:
        done = repair(session, "spring", content="offer-a", revision=1, now=now)
    assert (done.withdrawn, done.put_back, done.listed) == (2, 0, 2)
    assert people_on(sqlite_database, done.people or "") == [1, 2]
