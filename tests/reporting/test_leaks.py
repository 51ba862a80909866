"""Who is left alone and redeems all the same is seen by the campaign it spoils."""

from datetime import datetime, timedelta

from core.database import Database
from reporting.leaks import held_out_redeemers
from tests.reporting.campaigns import Shelf


def test_people_left_alone_who_redeem_are_counted_once_and_for_thirty_days(database: Database, now: datetime) -> None:
    with database.writing() as session:
        shelf = Shelf(session, at=now)
        held, treated = shelf.people(2, held_out=True), shelf.people(2, "A")
        shelf.redeem(treated[0], redeemer=held[0])
        shelf.redeem(treated[1], redeemer=held[0], day=2)
        shelf.redeem(treated[1], redeemer=held[1], day=2, state="rolled_back")
        shelf.redeem(treated[0], redeemer=treated[0])
    with database.reading() as session:
        found = held_out_redeemers(session, now=now + timedelta(days=3))
        assert [(each.campaign, each.people, each.last_at) for each in found] == [
            ("spring", 1, now + timedelta(days=2))]
        assert held_out_redeemers(session, now=now + timedelta(days=40)) == []
