"""Counters that went astray are found by the nightly duty, told on the home page and named by `winback doctor`."""

from collections.abc import Callable
from datetime import datetime, timedelta

import pytest
from click.testing import CliRunner, Result
from flask.testing import FlaskClient
from sqlalchemy import update

from core.database import Database
from core.errors import Invalid
from core.settings import Settings
from coupons.checks import nightly
from coupons.models import Code, Offer
from coupons.till.redeeming import roll_back
from tests.coupons.factories import ask, make_codes, make_customers, make_offer, use
from winback.commands.system import doctor
from winback.context import Context
from winback.worker import enlisted

SignIn = Callable[..., FlaskClient]


def _doctor(settings: Settings) -> Result:
    context = Context(settings)
    result = CliRunner().invoke(doctor, ["coupons"], obj=context)
    context.raw_database.dispose()
    return result


def _used_code(database: Database, now: datetime) -> str:
    make_customers(database, 1, now=now)
    [code] = make_codes(database, make_offer(database, now=now, limit_total=5), [1], now=now)
    assert use(database, ask(code.code), now=now).status == 201
    return code.code


def _places(database: Database) -> int:
    with database.reading() as session:
        return nightly.places_broken(session)


def test_drift_is_found_at_night_told_on_the_home_page_and_named_by_the_doctor(
    database: Database, settings: Settings, sign_in: SignIn, now: datetime
) -> None:
    code = _used_code(database, now)
    context = Context(settings)
    with enlisted(context) as worker:
        worker.round(now)
        page = sign_in()
        assert "disagree with the ledger" not in page.get("/").text
        assert _doctor(settings).stdout == "ok    coupons: counters and ledger agree, no limit is exceeded\n"
        with database.writing() as session:
            session.execute(update(Code).values(used=0, state="issued"))
            session.execute(update(Offer).values(used=7))
        worker.round(now + timedelta(hours=1))
        assert _places(database) == 0  # it looks once a night
        worker.round(now + timedelta(days=1))
    context.raw_database.dispose()
    assert _places(database) == 2
    assert "2 coupon counters disagree with the ledger" in page.get("/").text
    said = _doctor(settings)
    assert isinstance(said.exception, Invalid)
    assert f"WRONG coupons: Code {code} counts 0 of 1 uses and 0 reserved, as issued; the ledger has 1" in said.stdout
    assert "WRONG coupons: Offer ten-percent counts 7 uses" in said.stdout


@pytest.mark.parametrize(("at", "checks"), [("2026-03-03T02:59:59+00:00", 0), ("2026-03-03T03:00:00+00:00", 1)])
def test_it_looks_once_a_day_after_three_and_what_was_mended_is_told_no_more(
    database: Database, now: datetime, at: str, checks: int
) -> None:
    _used_code(database, now)
    assert [nightly.tick(database, now=now) for _ in range(2)] == [1, 0]
    with database.writing() as session:
        session.execute(update(Offer).values(used=7))
    assert nightly.tick(database, now=datetime.fromisoformat(at)) == checks
    assert _places(database) == checks
    with database.writing() as session:
        session.execute(update(Offer).values(used=1))
    assert nightly.tick(database, now=now + timedelta(days=5)) == 1
    assert _places(database) == 0


def test_answers_to_programs_are_forgotten_after_a_month_and_nothing_is_done_twice_for_that(
    database: Database, now: datetime
) -> None:
    make_customers(database, 1, now=now)
    offer = make_offer(database, now=now, limit_per_code=5)
    [code] = make_codes(database, offer, [1], now=now)
    first = use(database, ask(code.code), now=now, key="k1", client="key:1")
    taken = roll_back_for(database, first.body["id"], now=now)
    later = now + timedelta(days=30)
    use(database, ask(code.code, "o2"), now=later, key="k2", client="key:1")
    assert nightly.forget_answers(database, now=later) == 0
    assert nightly.forget_answers(database, now=later + timedelta(microseconds=1)) == 1
    assert roll_back_for(database, first.body["id"], now=later) == taken, "the roll-back is still the same one"
    again = use(database, ask(code.code, "o2"), now=later, key="k3", client="key:1")
    assert (again.status, again.body["order_id"]) == (200, "o2")


def roll_back_for(database: Database, public_id: str, *, now: datetime) -> dict[str, object]:
    return database.small(lambda connection: roll_back(connection, public_id, amount_cents=100, now=now))
