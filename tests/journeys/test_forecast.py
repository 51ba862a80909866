"""What would happen: the real graph over the real people in a world of its own, and nothing outside of it."""

import sqlite3
import sys
from contextlib import closing
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from sqlalchemy import select

from campaigns.planning import save_campaign
from core.database import Database
from core.settings import read_settings
from core.types import Base
from coupons.models import Code, Offer
from delivery.channels.memory import MemoryChannel
from delivery.receivers import add_receiver
from journeys.editing.editing import publish, save_draft
from journeys.forecasting import scratch
from journeys.forecasting.asking import Wish, ask, claim, settle
from journeys.forecasting.playing import Outlook, Surroundings, frame, play
from journeys.models import Enrolment, Forecast
from journeys.responding import DRAWN_AT_ONCE, DRAWS, Curve, Response, flat
from segments.engines.questions import Questions
from tests.delivery.ledger import KEY, SETTINGS
from tests.journeys.shop import GRAPH, ONE_MAIL, add_event, add_order, day, furnish, go, ledger, with_steps
from winback.schema import METADATA, upgrade

NOBODY = Response(None, None)
EVERYBODY = Response(None, flat(1.0, days=None, words="as given"), delay_days=0.5)


def around(database: Database, folder: Path, **more: Any) -> Surroundings:
    settings = read_settings({"WINBACK_HOME": str(folder / "home"), "WINBACK_SECRET_KEY": KEY})

    def prepare(scratch: Database) -> None:
        """The schema of a world, copied where that is possible: running every revision takes longer than the play."""
        if database.path is None:
            upgrade(scratch)
        else:
            copy_schema(database.path, scratch)

    return Surroundings(database, Questions(database, settings, engine="rows"), settings, SETTINGS, prepare, **more)


def copy_schema(source: Path, scratch: Database) -> None:
    assert scratch.path is not None
    with closing(sqlite3.connect(source)) as known, closing(sqlite3.connect(scratch.path)) as made:
        for (written,) in known.execute("SELECT sql FROM sqlite_master WHERE sql IS NOT NULL AND name NOT LIKE"
                                        " 'sqlite%' ORDER BY type = 'trigger', type = 'index'"):
            made.execute(written)
        made.commit()


def foreseen(
    database: Database, folder: Path, response: Response = NOBODY, *, now: datetime, days: int = 30,
    ranking: dict[str, Any] | None = None, **more: Any,
) -> Outlook:
    with database.reading() as session:
        what = frame(session, "spring", now=now, days=days)
    return play(around(database, folder, **more), what, response, now=now, ranking=ranking)


def drafted(database: Database, graph: dict[str, Any], *, now: datetime) -> None:
    with database.writing() as session:
        campaign = save_campaign(session, "spring", fields={}, now=now)
        save_draft(session, "winback", graph, campaign_id=campaign.id, now=now)


def everything_in(database: Database) -> dict[str, list[str]]:
    with database.reading() as session:
        return {table.name: sorted(repr(tuple(row)) for row in session.execute(select(table)))
                for table in Base.metadata.sorted_tables}


def said(found: Outlook) -> dict[tuple[str, str], int]:
    return {(step.step, channel): sum(days.values()) for step in found.tally.steps
            for channel, days in step.channels.items()}


def test_an_audience_of_nobody_is_told_in_words(sqlite_database: Database, tmp_path: Path, now: datetime) -> None:
    furnish(sqlite_database, (), now=now)
    drafted(sqlite_database, GRAPH, now=now)
    found = foreseen(sqlite_database, tmp_path, now=now, days=3)
    assert (found.audience, found.refused) == (0, 0)
    assert [note for note in found.notes if note.startswith("The segment lapsed holds nobody today")]
    furnish(sqlite_database, (1,), now=now)
    assert not [note for note in foreseen(sqlite_database, tmp_path, now=now, days=3).notes if "nobody today" in note]


def test_steps_are_told_in_the_order_people_walk_not_in_that_of_the_store(
    sqlite_database: Database, tmp_path: Path, now: datetime
) -> None:
    furnish(sqlite_database, range(1, 5), now=now)
    drafted(sqlite_database, {**GRAPH, "steps": dict(sorted(GRAPH["steps"].items()))}, now=now)
    first, *_others, last = foreseen(sqlite_database, tmp_path, now=now, days=3).tally.steps
    assert (first.step, sum(first.people.values()), last.step) == (GRAPH["start"], 4, "end")


@pytest.mark.sqlite_first
def test_a_forecast_is_what_then_happens_and_leaves_the_real_store_as_it_was(
    database: Database, tmp_path: Path, now: datetime
) -> None:
    furnish(database, range(1, 41), now=now, channels=("email", "letter"))
    add_order(database, 3, at=now - timedelta(days=90))
    drafted(database, {**GRAPH, "holdout_percent": 20}, now=now)
    before = everything_in(database)
    found = foreseen(database, tmp_path, now=now, days=12)
    assert everything_in(database) == before
    assert [path.name for path in (tmp_path / "home").iterdir()] == []

    with database.writing() as session:
        publish(session, "winback", now=now)
    channels = {name: MemoryChannel(tmp_path / "outside.db", name=name, keeps_bodies=False)
                for name in ("email", "letter")}
    for days in range(13):
        for hours in range(0, 24, 8):
            day(database, tmp_path, channels, now=now + timedelta(days=days, hours=hours))
    happened: dict[tuple[str, str], int] = {}
    for message in ledger(database):
        if message.state == "sent":
            place = (message.step or "", message.channel or "")
            happened[place] = happened.get(place, 0) + 1
    assert said(found) == happened and len(happened) >= 3
    with database.reading() as session:
        people = list(session.scalars(select(Enrolment)))
    assert found.tally.entered == len(people) == 40
    assert found.tally.held_out == sum(each.held_out for each in people) > 0
    assert found.tally.arms == {arm: sum(each.arm == arm for each in people) for arm in ("A", "B")}


WATCH: list[tuple[str, Any]] | None = None


def _note(event: str, values: Any) -> None:
    if WATCH is not None and event in ("socket.connect", "socket.sendto", "socket.getaddrinfo", "subprocess.Popen",
                                       "os.system", "open"):
        WATCH.append((event, values))


def test_nothing_leaves_the_building(sqlite_database: Database, tmp_path: Path, now: datetime) -> None:
    """Mail, letter, call and webhook are played while the interpreter itself tells of every connection, every program
    that is started and every file that is opened to be written."""
    global WATCH
    furnish(sqlite_database, range(1, 31), now=now, channels=("email", "letter", "phone"))
    with sqlite_database.writing() as session:
        add_receiver(session, "crm", name="CRM", url="https://crm.example/hook", secret_key=KEY, now=now)
    drafted(sqlite_database, with_steps(
        mail={"kind": "send", "content": "offer-a", "channel": "email", "next": "post"},
        post={"kind": "send", "content": "offer-a", "channel": "letter", "next": "tell"},
        tell={"kind": "webhook", "receiver": "crm", "next": "ring"},
        ring={"kind": "call", "content": "offer-a", "days": 3,
              "next": {"reached": "end", "not_interested": "end", "not_reached": "end"}},
        end={"kind": "leave"}), now=now)
    sys.addaudithook(_note)  # for good, but it is silent unless WATCH is there
    WATCH = seen = []
    try:
        found = foreseen(sqlite_database, tmp_path, EVERYBODY, now=now, days=5)
    finally:
        WATCH = None
    assert set(said(found)) == {("mail", "email"), ("post", "letter"), ("ring", "phone")}
    written = [values[0] for event, values in seen if event == "open" and values[1] and set(values[1]) & set("wxa+")]
    assert [event for event, _values in seen if event != "open"] == []
    assert [path for path in written if not str(path).startswith(str(tmp_path))] == []


def test_who_redeems_in_the_forecast_gets_no_reminder(sqlite_database: Database, tmp_path: Path, now: datetime) -> None:
    furnish(sqlite_database, range(1, 31), now=now)
    drafted(sqlite_database, GRAPH, now=now)
    quiet = said(foreseen(sqlite_database, tmp_path, now=now, days=12))
    found = foreseen(sqlite_database, tmp_path, EVERYBODY, now=now, days=12)
    told = found.tally.told
    assert told == 30 and found.redemptions + found.refused == 30 and found.redemptions > 25
    assert found.discount_cents > 0 and found.orders == found.redemptions
    reminded = said(found).get(("remind", "email"), 0)
    assert reminded < quiet["remind", "email"] / 4
    again = foreseen(sqlite_database, tmp_path, EVERYBODY, now=now, days=12)
    assert (said(again), again.redemptions) == (said(found), found.redemptions)


def test_a_reminder_of_the_same_code_is_no_second_draw(
    sqlite_database: Database, tmp_path: Path, now: datetime
) -> None:
    furnish(sqlite_database, range(1, 21), now=now)
    drafted(sqlite_database, {**with_steps(
        mail={"kind": "send", "content": "offer-a", "offer": "ten-percent", "next": "pause"},
        pause={"kind": "wait", "days": 5, "next": "remind"},
        remind={"kind": "send", "content": "reminder", "offer": "ten-percent", "next": "end"}, end={"kind": "leave"}),
        "exit_when": []}, now=now)
    rate = Response(None, flat(0.5, days=None, words="as given"), delay_days=4)
    found = foreseen(sqlite_database, tmp_path, rate, now=now, days=30)
    assert said(found)["mail", "email"] == 20 and said(found)["remind", "email"] >= 10
    assert (0 < found.redemptions < 20, found.refused) == (True, 0)


def test_an_even_spread_stands_for_all_and_the_pool_shrinks_with_it(
    sqlite_database: Database, tmp_path: Path, now: datetime
) -> None:
    furnish(sqlite_database, range(1, 41), now=now)
    drafted(sqlite_database, ONE_MAIL, now=now)
    with sqlite_database.writing() as session:
        offer = session.scalars(select(Offer).where(Offer.key == "ten-percent")).one()
        offer.code_source = "pool"
        session.add_all(Code(code=f"POOL{number:08}", offer_id=offer.id, origin=f"pool:{number}", state="stock",
                             use_limit=1, issued_at=now, valid_from=now) for number in range(20))
    found = foreseen(sqlite_database, tmp_path, now=now, days=1, most=10)
    assert (found.audience, found.walked, found.tally.entered) == (40, 10, 40)
    assert found.tally.codes == {"ten-percent": 20}
    assert any("stands for all 40" in note for note in found.notes)


def test_past_events_are_moved_into_the_weeks_to_come(sqlite_database: Database, tmp_path: Path, now: datetime) -> None:
    furnish(sqlite_database, range(1, 9), now=now)
    graph = {**ONE_MAIL, "entry": {"event": "cart_abandoned", "key": "cart"}, "reentry": "always"}
    for number, back in ((1, 2), (2, 9), (2, 3), (3, 40)):
        add_event(sqlite_database, number, "cart_abandoned", at=now - timedelta(days=back), cart=f"c{back}")
    drafted(sqlite_database, graph, now=now)
    found = foreseen(sqlite_database, tmp_path, now=now, days=10)
    assert found.tally.entered == 3 and said(found) == {("mail", "email"): 3}
    by_day = next(step for step in found.tally.steps if step.step == "mail").people
    assert len(by_day) == 3 and min(by_day) > now.date() - timedelta(days=1)


def test_a_running_journey_is_foreseen_from_where_its_people_stand(
    sqlite_database: Database, tmp_path: Path, now: datetime
) -> None:
    furnish(sqlite_database, range(1, 21), now=now)
    go(sqlite_database, GRAPH, now=now)
    day(sqlite_database, tmp_path, {"email": MemoryChannel(tmp_path / "outside.db", name="email")}, now=now)
    later = now + timedelta(days=2)
    found = foreseen(sqlite_database, tmp_path, now=later)
    assert set(said(found)) == {("remind", "email")} and found.tally.entered == 20


def test_every_table_says_how_a_forecast_copies_it() -> None:
    named = [*scratch.WHOLE, *scratch.BY_PERSON, *scratch.NOT_NEEDED]
    assert sorted(set(METADATA.tables) - set(named)) == []
    assert len(named) == len(set(named))


def test_an_asking_is_one_until_it_is_answered_and_a_dead_worker_s_is_asked_again(
    database: Database, now: datetime
) -> None:
    furnish(database, (1,), now=now)
    with database.writing() as session:
        first = ask(session, "spring", Wish(), by="Ada", now=now)
        assert ask(session, "spring", Wish(), by="Ben", now=now).id == first.id
        assert ask(session, "spring", Wish(days=7), by="Ben", now=now).id != first.id
    taken = claim(database, worker=11)
    assert taken is not None and taken == (first.id, "spring", Wish())
    # Nobody holds the lease 11: it died.
    assert claim(database, worker=12) == taken
    assert not settle(database, first.id, worker=11, answer={"by": "a ghost"}, now=now)
    assert settle(database, first.id, worker=12, answer={"days": []}, now=now)
    assert claim(database, worker=12) == (first.id + 1, "spring", Wish(days=7))
    with database.reading() as session:
        assert session.get_one(Forecast, first.id).answer == {"days": []}
    assert replace(Wish(), days=7) == Wish(days=7)


@pytest.mark.parametrize("rate", [0.0, 0.04])
def test_rates_stretch_to_the_days_asked_for(rate: float) -> None:
    curve = flat(rate, days=30, words="as given", of=1_000)
    features = np.ones((1_000, 4))
    assert curve.rates(features, over_days=30)[0] == pytest.approx(rate, abs=1e-5)
    assert curve.rates(features, over_days=60)[0] == pytest.approx(1 - (1 - rate) ** 2, abs=1e-5)
    drawn = curve.expected(features, np.ones(1_000), over_days=30, seed=1)
    assert abs(float(drawn.mean()) - 1_000 * rate) < 4


def test_draws_in_parts_are_those_of_everybody_at_once() -> None:
    people = 2 * DRAWN_AT_ONCE + 7
    features = np.column_stack([np.ones(people), np.linspace(0, 3, people)])
    curve = Curve((-3.0, 0.4), ((0.04, 0.0), (0.0, 0.01)), days=30, words="")
    chance = np.random.default_rng(5)
    drawn = chance.multivariate_normal(np.array(curve.coefficients), np.array(curve.covariance), DRAWS, method="eigh")
    rates = 1 / (1 + np.exp(-(features @ drawn.T)))
    whole = chance.normal(rates.sum(axis=0), np.sqrt((rates * (1 - rates)).sum(axis=0)))
    assert np.allclose(curve.expected(features, np.ones(people), over_days=None, seed=5), whole, rtol=1e-9)


def test_what_people_do_does_not_hang_on_how_many_are_walked_at_once(
    sqlite_database: Database, tmp_path: Path, now: datetime
) -> None:
    furnish(sqlite_database, range(1, 201), now=now)
    drafted(sqlite_database, GRAPH, now=now)
    model = Response(flat(0.3, days=30, words="as given"), flat(0.7, days=None, words="as given"), delay_days=7.0,
                     baskets=tuple(range(5_000, 9_000, 7)))
    one, other = (replace(foreseen(sqlite_database, tmp_path, model, now=now, at_once=at_once), took_seconds=0.0,
                          features=None) for at_once in (7, 5_000))
    assert one == other and one.redemptions > 20 and one.orders > one.redemptions and one.discount_cents > 0
