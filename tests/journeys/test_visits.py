"""How many went which way is added up as it happens, and always says what the log of steps says."""

from datetime import datetime, timedelta
from pathlib import Path

from sqlalchemy import func, select

from core.database import Database
from journeys.editing.editing import journey_by_key
from journeys.editing.moving import take_over
from journeys.exits.leaving import leave
from journeys.models import Enrolment, Version, VisitSum
from journeys.visits import fold, record_visits
from tests.delivery.ledger import sink
from tests.journeys.shop import counted_by_hand, day, furnish, go, summed_up
from tests.journeys.test_versions import NEW, OLD


def test_sums_follow_people_who_walk_leave_and_are_moved(database: Database, tmp_path: Path, now: datetime) -> None:
    furnish(database, range(1, 21), now=now)
    channels, _ = sink(tmp_path)
    go(database, {**OLD, "holdout_percent": 20}, now=now)
    day(database, tmp_path, channels, now=now)
    with database.reading() as session:
        alone = session.scalar(select(func.count()).select_from(Enrolment).where(Enrolment.held_out.is_(True))) or 0
        [version] = session.scalars(select(Version))
        assert 0 < alone < 20 and summed_up(session) == counted_by_hand(session) == {
            (version.id, "mail", "queued"): 20 - alone}
    go(database, {**NEW, "holdout_percent": 20}, now=now + timedelta(days=1))
    with database.writing() as session:
        one = session.scalars(select(Enrolment.id).where(Enrolment.state == "active").order_by(Enrolment.id)).first()
        assert one is not None and leave(session.connection(), {one: "complained"}, to="exited", now=now) == 1
        assert summed_up(session) == counted_by_hand(session)
        journey = journey_by_key(session, "winback")
        assert take_over(session, "winback", number=1, step="pause", now=now + timedelta(days=2)) == 19 - alone
        assert journey.moving is None
        held = summed_up(session)
        assert held == counted_by_hand(session) and held[version.id, "mail", "queued"] == 1
    day(database, tmp_path, channels, now=now + timedelta(days=9))
    with database.reading() as session:
        assert summed_up(session) == counted_by_hand(session)


def test_many_rows_of_one_way_become_one_and_what_is_written_meanwhile_stays(
    database: Database, now: datetime
) -> None:
    furnish(database, (1,), now=now)
    go(database, OLD, now=now)
    none = {name: [] for name in ("enrolment_id", "number", "step", "entered_at", "left_at", "outcome", "detail")}
    with database.writing() as session:
        [version] = session.scalars(select(Version))
        for _ in range(30):
            record_visits(session.connection(), none, {(version.id, "mail", "queued"): 2, (version.id, "end", None): 1})
        assert fold(session.connection()) == 0, "few rows are left as they are"
    if not database.is_sqlite:
        with database.engine.connect() as other, other.begin():  # began earlier, commits later
            record_visits(other, none, {(version.id, "mail", "queued"): 5})
            with database.writing() as session:
                assert fold(session.connection(), least=10) == 58
    else:
        with database.writing() as session:
            assert fold(session.connection(), least=10) == 58
            record_visits(session.connection(), none, {(version.id, "mail", "queued"): 5})
    with database.reading() as session:
        assert summed_up(session) == {(version.id, "mail", "queued"): 65, (version.id, "end", ""): 30}
        assert session.scalar(select(func.count()).select_from(VisitSum)) == 3
