"""Whoever came to the end of a journey without a word hears that, in a sentence."""

from datetime import datetime
from pathlib import Path

from sqlalchemy import select

from campaigns.planning import campaign_by_key
from core.database import Database
from customers.models import Customer
from tests.journeys.shop import furnish, go, walk, with_steps
from web.people.why_not import why_not


def test_a_way_on_which_nothing_is_sent_is_said_to_be_one(
    sqlite_database: Database, tmp_path: Path, now: datetime
) -> None:
    furnish(sqlite_database, (1,), now=now)
    go(sqlite_database, with_steps(
        ask={"kind": "branch", "if": {"customer": "country", "is": "AT"}, "next": {"yes": "mail", "no": "end"}},
        mail={"kind": "send", "content": "offer-a", "next": "end"}, end={"kind": "leave"}), now=now)
    walk(sqlite_database, tmp_path, now=now)
    with sqlite_database.reading() as session:
        customer = session.scalars(select(Customer)).one()
        said = why_not(session, customer, campaign_by_key(session, "spring"), now=now, zone="Europe/Berlin")
    assert said.sentence == "They came to the end of “Spring” on 2 Mar by a way on which nothing is sent."
