"""Who responded by orders and revenue before, and does a selection become a rule that finds the same people?"""

import json
from datetime import datetime, timedelta

import pytest
from sqlalchemy import select

from core.database import Database
from core.errors import Invalid, NotFound
from core.statistics.proportions import Count, rate
from customers.models import Customer
from reporting.histories import past_campaigns
from reporting.responders import Grid, grid
from reporting.selecting import rule_for, selection
from segments.engines.members import member_ids
from segments.language.rules import parse_rule
from tests.reporting.campaigns import Shelf, new_customer, new_order, past_campaign, past_redemption

EDGES = (25_000, 150_000)


def shop(database: Database, now: datetime) -> None:
    """45 people with 2 orders of 800 each (18 redeem), 50 with 5 orders of 20 each (5 redeem), 3 without any (1)."""
    start = now - timedelta(days=60)
    with database.writing() as session:
        groups = [[new_customer(session, now=now) for _ in range(size)] for size in (45, 50, 3)]
        for people, orders, cents in zip(groups, (2, 5, 0), (80_000, 2_000, 0), strict=True):
            for number in people:
                for place in range(orders):
                    new_order(session, number, at=start - timedelta(days=10 + place), cents=cents)
        past_campaign(session, "9", starts=start, days=30, people=[number for group in groups for number in group])
        for people, redeemers in zip(groups, (18, 5, 1), strict=True):
            for number in people[:redeemers]:
                past_redemption(session, "9", number, at=start + timedelta(days=4))
                # What a redeemer then buys must not lift them into a better cell.
                new_order(session, number, at=start + timedelta(days=4), cents=500_000)


def drawn(database: Database, now: datetime) -> Grid:
    with database.reading() as session:
        return grid(session, now=now, revenue_edges=EDGES)


def test_cells_hold_people_and_redeemers_by_what_they_had_done_before(database: Database, now: datetime) -> None:
    shop(database, now)
    found = drawn(database, now)
    assert [band.label for band in found.orders] == ["0", "1", "2", "3", "4 to 6", "7 or more"]
    assert [band.label for band in found.revenue] == ["under €250", "€250 to €1,500", "€1,500 or more"]
    cells = {(cell.row, cell.column): (cell.people, cell.redeemers, cell.enough) for cell in found.cells if cell.people}
    assert cells == {(0, 0): (3, 1, False), (2, 2): (45, 18, True), (4, 0): (50, 5, True)}
    assert (found.people, found.redeemers, found.looked_at) == (98, 24, 2)
    shown = json.loads(json.dumps(found.to_dict(), allow_nan=False))
    assert [cell["rate"] for cell in shown["cells"] if cell["people"]] == [None, 0.4, 0.1]


def test_a_selection_is_pooled_and_held_against_everybody_else(database: Database, now: datetime) -> None:
    shop(database, now)
    found = selection(drawn(database, now), [(1, 2), (2, 2), (3, 2)])
    assert (found.people, found.redeemers, found.others) == (45, 18, 53)
    assert (found.rate, found.other_rate) == (rate(Count(18, 45)), rate(Count(6, 53)))
    assert found.words == "1 to 3 orders and €1,500 or more"
    assert "after looking at 2 cells" in found.warning


def test_the_rule_of_a_selection_finds_the_people_of_its_cells(database: Database, now: datetime) -> None:
    shop(database, now)
    found = drawn(database, now)
    start = now - timedelta(days=60)
    for cells in ([(2, 2)], [(2, 2), (4, 0)], [(0, 0), (4, 0)], [(row, 2) for row in range(6)]):
        rule = parse_rule(rule_for(found, cells))
        with database.reading() as session:
            assert len(member_ids(session, rule, as_of=start)) == selection(found, cells).people


def test_a_rectangle_becomes_an_ordinary_rule_and_other_shapes_any_of_several(
    sqlite_database: Database, now: datetime
) -> None:
    shop(sqlite_database, now)
    found = drawn(sqlite_database, now)
    best = [(row, 2) for row in range(4)]
    assert rule_for(found, best) == {
        "all": [{"orders": "count", "at_most": 3}, {"orders": "revenue", "at_least": 150_000}]}
    assert selection(found, best).words == "At most 3 orders and €1,500 or more"
    assert rule_for(found, [(4, 1), (1, 0)]) == {"any": [
        {"all": [{"orders": "count", "at_least": 1}, {"orders": "count", "at_most": 1},
                 {"orders": "revenue", "less_than": 25_000}]},
        {"all": [{"orders": "count", "at_least": 4}, {"orders": "count", "at_most": 6},
                 {"orders": "revenue", "at_least": 25_000}, {"orders": "revenue", "less_than": 150_000}]}]}
    assert rule_for(found, [(row, column) for row in range(6) for column in range(3)]) == {"all": []}


def test_without_a_row_for_nobody_the_lowest_rows_still_read_as_at_most(
    sqlite_database: Database, now: datetime
) -> None:
    with sqlite_database.writing() as session:
        people = [new_customer(session, now=now) for _ in range(2)]
        for number in people:
            new_order(session, number, at=now - timedelta(days=50), cents=200_000)
        past_campaign(session, "9", starts=now - timedelta(days=40), days=10, people=people)
    found = drawn(sqlite_database, now)
    assert found.orders[0].low == 1
    assert rule_for(found, [(0, 2), (1, 2), (2, 2)]) == {
        "all": [{"orders": "count", "at_most": 3}, {"orders": "revenue", "at_least": 150_000}]}
    # Without a lower end of revenue, people who never ordered (whom no cell showed) stay out by the count.
    assert {"orders": "count", "at_least": 1} in rule_for(found, [(0, 0)])["all"]


def test_mixed_currencies_name_the_currency_of_the_revenue(database: Database, now: datetime) -> None:
    with database.writing() as session:
        number = new_customer(session, now=now)
        for currency, cents in (("EUR", 200_000), ("EUR", 200_000), ("SEK", 900_000)):
            new_order(session, number, at=now - timedelta(days=50), cents=cents, currency=currency)
        past_campaign(session, "9", starts=now - timedelta(days=40), days=10, people=[number])
    found = drawn(database, now)
    assert (found.currency, found.cell((2, 2)).people) == ("EUR", 1)
    rule = rule_for(found, [(2, 2)])
    assert {"orders": "revenue", "where": {"currency": ["EUR"]}, "at_least": 150_000} in rule["all"]
    with database.reading() as session:
        assert member_ids(session, parse_rule(rule), as_of=now) == [number]


def test_our_own_campaigns_count_once_they_are_over_without_those_left_alone(
    database: Database, now: datetime
) -> None:
    with database.writing() as session:
        shelf = Shelf(session, at=now, split=False)
        people = shelf.people(3)
        shelf.people(2, held_out=True)
        shelf.redeem(people[0])
        shelf.redeem(people[1], day=31)
    with database.reading() as session:
        assert past_campaigns(session, now=now + timedelta(days=29)) == []
        line = past_campaigns(session, now=now + timedelta(days=30))[0]
    assert (line.key, line.people, line.redeemers, line.redemptions) == ("spring", 3, 1, 1)


def test_the_overview_shows_each_past_campaign_with_its_rate(database: Database, now: datetime) -> None:
    shop(database, now)
    with database.reading() as session:
        [line] = past_campaigns(session, now=now)
    assert (line.people, line.redeemers, line.redemptions, line.rate) == (98, 24, 24, rate(Count(24, 98)))


def test_edges_come_from_the_data_when_none_are_given(sqlite_database: Database, now: datetime) -> None:
    shop(sqlite_database, now)
    with sqlite_database.reading() as session:
        found = grid(session, now=now)
    assert [band.low for band in found.revenue] == [0, 10_000, 150_000]
    assert sum(cell.people for cell in found.cells) == 98


def test_rows_follow_a_shop_whose_people_order_often(sqlite_database: Database, now: datetime) -> None:
    start = now - timedelta(days=40)
    with sqlite_database.writing() as session:
        people = [new_customer(session, now=now) for _ in range(60)]
        for place, number in enumerate(people):
            for turn in range(5 + place):
                new_order(session, number, at=start - timedelta(days=10, hours=turn), cents=1_000)
        past_campaign(session, "9", starts=start, days=30, people=people)
    with sqlite_database.reading() as session:
        found = grid(session, now=now)
        again = grid(session, now=now, order_edges=[band.low for band in found.orders])
    assert [band.low for band in found.orders] == [1, 15, 30, 40, 50]
    assert again.orders == found.orders


def test_an_empty_history_gives_an_empty_grid(database: Database, now: datetime) -> None:
    with database.reading() as session:
        found = grid(session, now=now)
        assert session.execute(select(Customer.id)).first() is None
    assert (found.people, found.looked_at) == (0, 0)
    json.dumps(found.to_dict(), allow_nan=False)


def test_what_cannot_be_chosen_is_refused_with_its_place(sqlite_database: Database, now: datetime) -> None:
    shop(sqlite_database, now)
    found = drawn(sqlite_database, now)
    with pytest.raises(Invalid, match="at least one cell"):
        rule_for(found, [])
    with pytest.raises(Invalid, match="no cell in row 9"):
        selection(found, [(9, 0)])
    with sqlite_database.reading() as session:
        with pytest.raises(NotFound, match="no campaign called 77"):
            grid(session, now=now, campaigns=["9", "77"])
        with pytest.raises(Invalid, match="have to rise"):
            grid(session, now=now, revenue_edges=[500, 500])
