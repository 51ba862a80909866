"""Proposals: what they count equals what plain Python counts and what their own rules find, on every engine."""

from collections import defaultdict
from collections.abc import Iterator
from datetime import datetime, timedelta
from itertools import permutations
from random import Random
from typing import Any, NamedTuple

import pytest

from core.database import Database
from core.errors import Invalid
from core.settings import Settings
from core.statistics.proportions import Count, rate
from customers.models import Address, Customer, Order, OrderLine
from customers.scores.rfm import compute_rfm
from segments.engines.questions import Questions
from segments.language.rules import parse_rule
from segments.proposals.associations import Associations, associations
from segments.proposals.lateness import EDGES, Lateness, lateness
from segments.proposals.reached import reach_by_group
from segments.proposals.rfm_grid import PLACES, RfmGrid, _placed, cells_rule, rectangles, rfm_grid, standing

PEOPLE = 150
SECRET = "test-secret-key-0123456789"


class Buy(NamedTuple):
    who: int
    days: int
    cents: int
    things: tuple[str, ...]
    cancelled: bool


def _bought() -> list[Buy]:
    """Lamps go with bulbs; person 1 is forgotten; some orders are cancelled, some are bought at one instant."""
    draw = Random(7)
    found = []
    for who in range(1, PEOPLE + 1):
        if who % 25 == 0:
            continue
        lamps = draw.random() < 0.5
        for _order in range(draw.choice((1, 1, 2, 3, 4, 6))):
            usual, rare = ("bulb", "rug") if lamps else ("rug", "bulb")
            things = {draw.choice((usual, usual, usual, rare)), *(["lamp"] if lamps else [])}
            things |= {"sofa"} if draw.random() < 0.2 else set()
            found.append(Buy(who, 30 * draw.randrange(1, 24) if who % 9 else 60, draw.randrange(10, 900) * 100,
                             tuple(sorted(things)), draw.random() < 0.1))
    return found


BOUGHT = _bought()
COUNTED = [buy for buy in BOUGHT if not buy.cancelled and buy.who != 1]


def fill(database: Database, now: datetime) -> None:
    with database.writing() as session:
        session.add_all(Customer(id=who, external_id=f"c{who}", imported_at=now, attributes={}, search="",
                                 forgotten_at=now if who == 1 else None) for who in range(1, PEOPLE + 1))
        session.flush()
        session.add_all(Address(customer_id=who, channel="letter", value="Lindenweg 1", lookup=f"l{who}", city="Ulm",
                                postal_code="89073", country="DE") for who in range(1, PEOPLE + 1) if who % 3)
        for number, buy in enumerate(BOUGHT, 1):
            at = now - timedelta(days=buy.days)
            shared: dict[str, Any] = {"customer_id": buy.who, "ordered_at": at, "currency": "EUR",
                                      "cancelled": buy.cancelled, "total_cents": buy.cents}
            session.add(Order(id=number, external_id=f"o{number}", **shared))
            session.flush()
            session.add_all(OrderLine(order_id=number, category=thing, brand=thing.upper(), quantity_milli=1000,
                                      unit_price_cents=1, **shared) for thing in buy.things)
        compute_rfm(session, now=now)


class Found(NamedTuple):
    grid: RfmGrid
    pairs: Associations
    brands: Associations
    late: Lateness
    stood: dict[int, tuple[int, int]]


@pytest.fixture
def asker(database: Database, settings: Settings, now: datetime) -> Iterator[Questions]:
    fill(database, now)
    asked = Questions(database, settings, engine="mirror")
    asked.refresh(now=now)
    yield asked
    asked.close()


def _all(questions: Questions, now: datetime) -> Found:
    grid = rfm_grid(questions, now=now, secret_key=SECRET)
    assert grid is not None
    return Found(grid, associations(questions, now=now), associations(questions, now=now, word="brand"),
                 lateness(questions, now=now, secret_key=SECRET),
                 standing(questions, range(1, PEOPLE), at=now - timedelta(days=200), now=now))


def test_every_engine_counts_what_plain_python_and_the_rules_count(
    asker: Questions, settings: Settings, now: datetime
) -> None:
    rows = Questions(asker.database, settings, engine="rows")
    found, on_rows = _all(asker, now), _all(rows, now)
    assert on_rows.stood == found.stood
    for one, other in zip(found[:4], on_rows[:4], strict=True):
        assert _same(one) == _same(other)
    _check_grid(rows, found.grid, now)
    _check_pairs(rows, found.pairs, now)
    assert [(p.x, p.y) for p in found.brands.pairs] == [(p.x.upper(), p.y.upper()) for p in found.pairs.pairs]
    _check_lateness(rows, found.late, now)
    _check_standing(found.stood)
    _check_spread(rows, now)


def _same(found: Any) -> dict[str, Any]:
    fields = {name: value for name, value in vars(found).items() if name != "facts_at"}
    if isinstance(found, Lateness):  # averages of doubles are added up in any order
        fields["bands"] = [(b.people, b.cents, b.reach, b.usual_days and round(b.usual_days, 6)) for b in found.bands]
    return fields


def _by_person(until_days: int = 0) -> dict[int, list[Buy]]:
    mine = defaultdict(list)
    for buy in COUNTED:
        if buy.days > until_days:
            mine[buy.who].append(buy)
    return mine


def _fifth(value: int, values: list[int]) -> int:
    return sum(other < value for other in values) * 5 // len(values) + 1


def naive_places(until_days: int = 0) -> dict[int, tuple[int, int]]:
    mine = _by_person(until_days)
    last = {who: -min(buy.days for buy in buys) for who, buys in mine.items()}
    often = {who: len(buys) for who, buys in mine.items()}
    return {who: (_fifth(last[who], list(last.values())), _fifth(often[who], list(often.values()))) for who in mine}


def _check_grid(rows: Questions, grid: RfmGrid, now: datetime) -> None:
    mine, places = _by_person(), naive_places()
    assert grid.people == len(mine) > 100
    assert (grid.currency, grid.mixed, grid.told, grid.computed_at) == ("EUR", False, False, now)
    for place in PLACES:
        people = [who for who, own in places.items() if own == place]
        assert grid.cells[place].people == len(people)
        assert grid.cells[place].cents == sum(buy.cents for who in people for buy in mine[who])
        if people:
            assert grid.reach[place].asked == len(people)
            assert grid.reach[place].reached == sum(who % 3 > 0 for who in people)
    for recency, span in grid.recency_days.items():
        days = [min(buy.days for buy in mine[who]) for who, own in places.items() if own[0] == recency]
        assert (span.low, span.high) == (min(days), max(days))
    for frequency, span in grid.frequency_orders.items():
        orders = [len(mine[who]) for who, own in places.items() if own[1] == frequency]
        assert (span.low, span.high) == (min(orders), max(orders))
    for chosen in ([(5, 5)], [(1, 1), (2, 1), (5, 4), (5, 5)], list(PLACES)):
        count = rows.count(parse_rule(cells_rule(chosen)), as_of=now).value
        assert count == sum(grid.cells[place].people for place in chosen)


def _check_pairs(rows: Questions, found: Associations, now: datetime) -> None:
    owned = {who: {thing for buy in buys for thing in buy.things} for who, buys in _by_person().items()}
    sizes = {thing: sum(thing in own for own in owned.values()) for thing in ("lamp", "bulb", "rug", "sofa")}
    enough = [thing for thing, people in sizes.items() if people >= 40]
    assert (found.looked_at, found.things, found.unpaired) == (
        len(enough) * (len(enough) - 1), len(enough), len(sizes) - len(enough))
    expected = set()
    for x, y in permutations(enough, 2):
        both = sum({x, y} <= own for own in owned.values())
        wide = rate(Count(both, sizes[x]), confidence=1 - 0.05 / found.looked_at)
        if wide.low > sizes[y] / len(owned):
            expected.add((x, y, both, sizes[x], sizes[y], len(owned)))
    assert {(p.x, p.y, p.both, p.bought, p.others, p.buyers) for p in found.pairs} == expected
    assert ("lamp", "bulb") in {(p.x, p.y) for p in found.pairs}
    lows = [p.lift.low for p in found.pairs]
    assert lows == sorted(lows, reverse=True) and min(lows) > 1
    for pair in found.pairs:
        assert pair.lift.estimate == pytest.approx(pair.both * pair.buyers / pair.bought / pair.others)
        assert rows.count(parse_rule(pair.rule("category")), as_of=now).value == pair.missing


def _check_lateness(rows: Questions, found: Lateness, now: datetime) -> None:
    lates, spent = {}, {}
    for who, buys in _by_person().items():
        first, last = max(buy.days for buy in buys), min(buy.days for buy in buys)
        if len(buys) >= 3 and first > last:
            lates[who], spent[who] = last * (len(buys) - 1) / (first - last), sum(buy.cents for buy in buys)
    assert (found.people, found.without) == (len(lates), len(_by_person()) - len(lates))
    for low, high, band in zip((0.0, *EDGES), (*EDGES, float("inf")), found.bands, strict=True):
        people = [who for who, late in lates.items() if low <= late < high]
        assert (band.people, band.cents) == (len(people), sum(spent[who] for who in people))
        assert (band.reach.asked, band.reach.reached) == (len(people), sum(who % 3 > 0 for who in people))
        assert rows.count(parse_rule(band.rule), as_of=now).value == len(people)


def _check_standing(stood: dict[int, tuple[int, int]]) -> None:
    naive = naive_places(200)
    assert stood == {who: place for who, place in naive.items() if who < PEOPLE}
    assert stood != {who: place for who, place in naive_places().items() if who in stood}


def _check_spread(rows: Questions, now: datetime) -> None:
    """Of more people than may be asked an even part is asked."""
    part = reach_by_group(rows, _placed(), people=120, now=now, secret_key=SECRET, values={}, most=60)
    assert 40 < sum(reach.asked for reach in part.values()) < 80


def test_cells_become_few_rectangles_and_cells_outside_are_refused() -> None:
    assert rectangles([(1, 4), (1, 5), (2, 4), (2, 5)]) == [(1, 2, 4, 5)]
    assert rectangles([(1, 1), (1, 3), (2, 3)]) == [(1, 1, 1, 1), (1, 2, 3, 3)]
    assert cells_rule([(5, 5)]) == {"all": [{"score": "recency", "equals": 5}, {"score": "frequency", "equals": 5}]}
    assert cells_rule([(2, 1), (3, 1)]) == {"all": [{"score": "recency", "between": [2, 3]},
                                                    {"score": "frequency", "equals": 1}]}
    for wrong in ([], [(0, 1)], [(6, 1)]):
        with pytest.raises(Invalid):
            cells_rule(wrong)


def test_without_scores_there_is_no_grid(sqlite_database: Database, settings: Settings, now: datetime) -> None:
    assert rfm_grid(Questions(sqlite_database, settings), now=now, secret_key=SECRET) is None
