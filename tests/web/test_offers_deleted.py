"""An offer that was never used may go, from the page and for programs; one that was used stays and says why."""

from collections.abc import Callable
from datetime import datetime

import pytest
from flask.testing import FlaskClient
from sqlalchemy import func, select
from sqlalchemy.orm import Session

from campaigns.planning import save_campaign
from core.database import Database
from core.errors import Conflict
from coupons.codes.pools import add_public_codes, import_pool
from coupons.models import Code, Offer
from coupons.offers.deleting import delete_offer
from coupons.offers.offers import save_offer
from journeys.editing.editing import publish, save_draft
from journeys.models import Journey, Version
from journeys.uses import journeys_with_offer
from tests.conftest import only_postgresql
from tests.coupons.deleting import deleting_meanwhile
from tests.coupons.factories import make_codes, make_customers, make_offer
from tests.journeys.shop import GRAPH, furnish
from web.models import AuditEntry

Keys = Callable[..., dict[str, str]]


def test_an_offer_never_used_is_deleted_from_its_page_and_by_programs(
    marketer: FlaskClient, client: FlaskClient, api_key: Keys, database: Database, now: datetime
) -> None:
    for key in ("one", "two"):
        make_offer(database, now=now, key=key, limit_total=5)
    assert "Delete this offer" in marketer.get("/offers/one").text
    assert marketer.post("/offers/one/delete").headers["Location"] == "/offers"
    assert client.delete("/api/v1/offers/two", headers=api_key("read")).status_code == 403
    assert client.delete("/api/v1/offers/two", headers=api_key("write")).status_code == 204
    assert client.delete("/api/v1/offers/two", headers=api_key("write")).status_code == 404
    with database.reading() as session:
        assert session.scalar(select(func.count(Offer.id))) == 0
        assert session.scalars(select(AuditEntry.thing).where(AuditEntry.verb == "offer.deleted")
                               .order_by(AuditEntry.id)).all() == ["offer:one", "offer:two"]


def test_one_of_which_anything_is_out_stays_and_says_what(
    marketer: FlaskClient, client: FlaskClient, api_key: Keys, database: Database, now: datetime
) -> None:
    offers = {key: make_offer(database, now=now, key=key) for key in ("personal", "pool", "poster", "void")}
    make_codes(database, offers["personal"], make_customers(database, 2, now=now), now=now)
    import_pool(database, "pool", [(1, "POOL0001")], name="p", now=now, reject=lambda *_line: None)
    import_pool(database, "void", [(1, "-")], name="v", now=now, reject=lambda *_line: None)
    with database.writing() as session:
        add_public_codes(session, "poster", [("SUMMER", None)], name="p", uses=None, now=now)
    for key, words in (("personal", "2 codes"), ("pool", "1 code and 1 pool"), ("poster", "1 code and 1 pool"),
                       ("void", "1 pool")):
        page = marketer.get(f"/offers/{key}").text
        assert f"This offer cannot be deleted. It has {words}. Switch it off instead" in page
        assert "Delete this offer" not in page
        assert marketer.post(f"/offers/{key}/delete").status_code == 409
        refused = client.delete(f"/api/v1/offers/{key}", headers=api_key("write"))
        assert refused.status_code == 409 and f"It has {words}." in refused.json["detail"]  # type: ignore[index]
    with database.reading() as session:
        assert session.scalar(select(func.count(Offer.id))) == 4
        assert session.scalar(select(func.count(Code.id))) == 4


def test_one_that_a_journey_names_in_its_draft_or_in_any_version_stays(
    sqlite_database: Database, now: datetime
) -> None:
    with sqlite_database.writing() as session:
        for key in ("sent", "waited-for", "pinned", "free"):
            save_offer(session, key, name=key, kind="percent", percent=10, now=now)
        steps = {"a": {"kind": "send", "offer": "sent"}, "b": {"until": {"code_ends": "waited-for"}}}
        campaign = save_campaign(session, "spring", fields={"name": "Spring"}, now=now)
        journey = Journey(key="spring", name="Spring", campaign_id=campaign.id, draft={"steps": steps}, state="draft",
                          created_at=now, updated_at=now)
        session.add(journey)
        session.flush()
        session.add(Version(journey_id=journey.id, number=1, graph={}, pins={"offers": {"pinned": 3}},
                            published_at=now))
        session.flush()
        for key in ("sent", "waited-for", "pinned"):
            with pytest.raises(Conflict, match="named by the journey “Spring”"):
                delete_offer(session, key, above=journeys_with_offer)
        delete_offer(session, "free", above=journeys_with_offer)
        assert session.scalars(select(Offer.key).order_by(Offer.id)).all() == ["sent", "waited-for", "pinned"]


@only_postgresql
def test_who_deletes_while_a_journey_is_published_waits_and_finds_it_named(database: Database, now: datetime) -> None:
    furnish(database, range(1, 3), now=now)

    def release(session: Session) -> None:
        campaign = save_campaign(session, "spring", fields={}, now=now)
        save_draft(session, "winback", GRAPH, campaign_id=campaign.id, now=now)
        publish(session, "winback", author="Ada", now=now)

    told = deleting_meanwhile(database, "ten-percent", release, above=journeys_with_offer)
    assert isinstance(told, Conflict) and "named by the journey" in str(told)
