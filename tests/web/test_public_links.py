"""What customers do through the links in their messages, without a login."""

from collections.abc import Sequence
from datetime import UTC, datetime

import pytest
from flask.testing import FlaskClient
from sqlalchemy import select

from core.database import Database
from core.settings import Settings
from customers.consents import current_consents
from customers.models import Consent, Customer
from delivery.links import Links
from tests.delivery.ledger import messages, prepared, states


@pytest.fixture
def links(settings: Settings) -> Links:
    return Links(base_url=settings.base_url, secret_key=settings.secret_key)


def _consents(database: Database, now: datetime) -> Sequence[str | None]:
    with database.reading() as session:
        return [current_consents(session.connection(), [1], channel=channel, now=now)[0]
                for channel in ("email", "letter", "phone")]


@pytest.fixture
def later() -> datetime:
    """After every `now` of the installation's real clock."""
    return datetime(2200, 1, 1, tzinfo=UTC)


def test_looking_at_the_unsubscribe_link_changes_nothing(
    client: FlaskClient, database: Database, links: Links, now: datetime, later: datetime
) -> None:
    prepared(database, [1], now=now)
    path = f"/u/{links.token('u', messages(database)[1].public_id)}"
    for _ in range(2):
        answer = client.get(path)
        assert answer.status_code == 200 and "Unsubscribe?" in answer.text
    assert client.head(path).status_code == 200
    assert states(database) == {1: "queued"} and _consents(database, later)[0] == "granted"


@pytest.mark.parametrize("body", [{"data": {"List-Unsubscribe": "One-Click"}},
                                  {"data": {"List-Unsubscribe": "One-Click"}, "content_type": "multipart/form-data"},
                                  {}])
def test_a_post_unsubscribes_at_once_without_login_token_or_redirect_and_may_be_repeated(
    client: FlaskClient, database: Database, links: Links, now: datetime, later: datetime, body: dict[str, object]
) -> None:
    client.application.config["WTF_CSRF_ENABLED"] = True
    prepared(database, [1], now=now)
    path = f"/u/{links.token('u', messages(database)[1].public_id)}"
    for _ in range(2):
        answer = client.post(path, **body)  # type: ignore[arg-type]
        assert answer.status_code == 200 and "You are unsubscribed" in answer.text
    assert states(database) == {1: "suppressed"} and _consents(database, later) == ["withdrawn", None, "granted"]


def test_a_forged_link_or_one_for_another_purpose_is_not_found(
    client: FlaskClient, database: Database, links: Links, now: datetime
) -> None:
    prepared(database, [1], now=now)
    public_id = messages(database)[1].public_id
    for path in (f"/u/{public_id}", f"/u/{links.token('p', public_id)}", f"/p/{links.token('u', public_id)}",
                 f"/u/{links.token('u', public_id)}x", f"/u/{links.token('u', 'f' * 32)}"):
        assert (client.get(path).status_code, client.post(path).status_code) == (404, 404)
    assert states(database) == {1: "queued"}


def test_preferences_turn_channels_off_and_on_and_keep_the_wish(
    client: FlaskClient, database: Database, links: Links, now: datetime, later: datetime
) -> None:
    prepared(database, [1], now=now)
    path = f"/p/{links.token('p', messages(database)[1].public_id)}"
    assert client.get(path).text.count("checked") == 4  # three channels and no preference
    answer = client.post(path, data={"channel": ["letter"], "preferred": "letter"})
    assert answer.status_code == 200 and "Saved." in answer.text
    assert _consents(database, later) == ["withdrawn", None, "withdrawn"] and states(database) == {1: "suppressed"}
    client.post(path, data={"channel": ["letter", "email", "phone"], "preferred": "email"})
    assert _consents(database, later) == ["granted", None, "withdrawn"]  # calls are not turned on by a link
    with database.reading() as session:
        assert session.get_one(Customer, 1).preferred_channel == "email"
        (proof,) = session.scalars(select(Consent.proof).where(Consent.source == "preferences link"))
        assert proof is not None and "(email)" in proof
    client.post(path, data={"preferred": "email"})
    assert _consents(database, later)[0:2] == ["withdrawn", "withdrawn"]
    with database.reading() as session:
        assert session.get_one(Customer, 1).preferred_channel is None


def test_a_link_from_a_letter_does_not_turn_e_mail_on(
    client: FlaskClient, database: Database, links: Links, now: datetime, later: datetime
) -> None:
    prepared(database, [1], now=now, channel="letter")
    path = f"/p/{links.token('p', messages(database)[1].public_id)}"
    client.post(path, data={"channel": ["letter"]})
    client.post(path, data={"channel": ["letter", "email"]})
    assert _consents(database, later)[0] == "withdrawn"
