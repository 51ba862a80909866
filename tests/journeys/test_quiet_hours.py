"""A message held back over the night of a clock change goes out in the morning, and the answer to "why" says so."""

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from sqlalchemy import select, update

from campaigns.models import Campaign
from core.database import Database
from customers.models import Customer
from delivery.contact_rules import save_contact_rules
from delivery.models import Message
from tests.delivery.ledger import sink
from tests.journeys.shop import ONE_MAIL, day, furnish, go
from web.people.why_not import why_not

EVENING = datetime(2026, 3, 28, 21, 30, tzinfo=UTC)  # 22:30 in Berlin; the clock jumps at 1:00 UTC
QUIET: dict[str, Any] = {**ONE_MAIL, "quiet_hours": {"from": "21:00", "until": "08:00"}, "exit_when": []}


def test_a_night_that_is_an_hour_shorter(database: Database, tmp_path: Path) -> None:
    furnish(database, (1, 2, 3), now=EVENING)
    with database.writing() as session:
        session.execute(update(Customer).where(Customer.id == 1).values(timezone="Europe/Berlin"))
        session.execute(update(Customer).where(Customer.id == 2).values(timezone="America/New_York"))
        session.execute(update(Customer).where(Customer.id == 3).values(timezone="Europe/Berlin"))
        save_contact_rules(session, {"zone": "Europe/Berlin", "channels": {"email": {"rest_days": [6]}}},
                           author=None, now=EVENING)
    go(database, QUIET, now=EVENING)
    channels, _ = sink(tmp_path)

    def sent() -> set[int]:
        day(database, tmp_path, channels, now=now)
        with database.reading() as session:
            return set(session.scalars(select(Message.customer_id).where(Message.state == "sent")))

    now = EVENING
    assert sent() == {2}  # Saturday 17:30 in New York
    with database.reading() as session:
        message = session.scalars(select(Message).where(Message.customer_id == 1)).one()
        # Quiet until 08:00, Sunday rests, and the night after it is quiet again.
        assert message.due_at == datetime(2026, 3, 30, 6, 0, tzinfo=UTC)
        answer = why_not(session, session.get_one(Customer, 1), session.scalars(select(Campaign)).one(), now=EVENING,
                         zone="Europe/Berlin")
    assert "waits until" in answer.sentence and "quiet hours for e-mail, 21:00 to 08:00" in answer.sentence
    now = datetime(2026, 3, 30, 5, 59, tzinfo=UTC)
    assert sent() == {2}
    now = datetime(2026, 3, 30, 6, 0, tzinfo=UTC)
    assert sent() == {1, 2, 3}
