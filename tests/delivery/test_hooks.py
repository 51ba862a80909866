"""Calls to other programs are signed, repeated under one id, told as uncertain, and never reach into our own house."""

import json
from collections.abc import Iterator
from datetime import datetime, timedelta
from ipaddress import ip_network

import pytest
from sqlalchemy import select, update

from core.database import Database
from core.errors import Conflict, Invalid
from delivery import hook_sending
from delivery.hook_models import HookCall, HookReceiver
from delivery.hook_outbox import CallColumns, cancel_calls, queue_calls
from delivery.outside import Refused, post
from delivery.receivers import add_receiver, checked_url, save_receiver
from tests.delivery.hook_server import Listener, listening
from tests.delivery.ledger import KEY, add_people
from web.shops.signatures import standard

HOME = (ip_network("127.0.0.0/8"),)


@pytest.fixture
def listener() -> Iterator[Listener]:
    """A program on the loopback."""
    with listening() as found:
        yield found


def tell(database: Database, url: str, people: int, *, now: datetime) -> str:
    """A receiver at this address and one call for each person; returns the secret."""
    with database.writing() as session:
        add_people(session, range(1, people + 1), now=now, consents=())
        found, secret = add_receiver(session, "erp", name="ERP", url=url, secret_key=KEY, now=now)
        put(session.connection(), found.id, people, now=now)
    return secret


def put(connection: object, receiver_id: int, people: int, *, now: datetime) -> int:
    """Queue the same calls (again)."""
    ids = list(range(1, people + 1))
    return queue_calls(connection, CallColumns(  # type: ignore[arg-type]
        receiver_id, "winback.test", "spring", [f"{each}.tell.1" for each in ids], ids, ids,
        [{"customer": f"c{each}"} for each in ids], now, now))


def send(database: Database, *, now: datetime, allowed: tuple[object, ...] = HOME, worker: int = 7) -> int:
    """One tick."""
    return hook_sending.tick(database, now=now, worker=worker, secret_key=KEY, allowed=allowed)  # type: ignore[arg-type]


def calls(database: Database) -> list[HookCall]:
    """All calls, oldest first."""
    with database.reading() as session:
        return list(session.scalars(select(HookCall).order_by(HookCall.id)))


def test_a_call_is_signed_as_standard_webhooks_say_and_made_once(
    database: Database, listener: Listener, now: datetime
) -> None:
    secret = tell(database, f"{listener.url}/hook?x=1", 3, now=now)
    assert send(database, now=now) == 3 and send(database, now=now) == 0
    assert {call.state for call in calls(database)} == {"delivered"} and len(listener.got) == 3
    for headers, body in listener.got:
        assert standard(body, message_id=headers["webhook-id"], timestamp=headers["webhook-timestamp"],
                        presented=headers["webhook-signature"], secrets=[secret], wall_seconds=int(now.timestamp()))
        assert not standard(body + b" ", message_id=headers["webhook-id"], timestamp=headers["webhook-timestamp"],
                            presented=headers["webhook-signature"], secrets=[secret],
                            wall_seconds=int(now.timestamp()))
    assert sorted(json.loads(body)["data"]["customer"] for _headers, body in listener.got) == ["c1", "c2", "c3"]
    with database.writing() as session:
        assert put(session.connection(), session.scalars(select(HookReceiver.id)).one(), 3, now=now) == 0


def test_a_refusal_for_now_is_repeated_under_the_same_id_and_one_for_good_is_not(
    database: Database, listener: Listener, now: datetime
) -> None:
    tell(database, listener.url, 1, now=now)
    listener.answers += [503, 0, 200]
    for minutes, state in ((0, "queued"), (0, "queued"), (1, "queued"), (5, "delivered")):
        send(database, now=now + timedelta(minutes=minutes))
        assert calls(database)[0].state == state
    assert len({headers["webhook-id"] for headers, _body in listener.got}) == 1 and len(listener.got) == 3
    with database.writing() as session:
        session.execute(update(HookCall).values(state="queued", settled_at=None, due_at=now))
    listener.answers += [410]
    send(database, now=now)
    assert (calls(database)[0].state, calls(database)[0].reason) == ("failed", "410 ok")


def test_tries_without_an_answer_end_as_uncertain_and_all_refusals_as_failed(
    sqlite_database: Database, listener: Listener, now: datetime
) -> None:
    tell(sqlite_database, listener.url, 2, now=now)
    listener.answers += [0, 0]
    moment = now
    for _ in range(hook_sending.MOST_TRIES + 1):
        send(sqlite_database, now=moment)
        moment += timedelta(days=1)
        listener.answers += [500, 500]
    assert {call.state for call in calls(sqlite_database)} == {"uncertain"}
    with sqlite_database.writing() as session:
        session.execute(update(HookCall).values(state="queued", unclear=False, attempt=hook_sending.MOST_TRIES - 1))
    listener.answers[:] = [500, 500]
    send(sqlite_database, now=moment + timedelta(days=1))
    assert {call.state for call in calls(sqlite_database)} == {"failed"}


def test_a_receiver_that_says_nothing_rests_for_all_its_calls(
    sqlite_database: Database, listener: Listener, now: datetime
) -> None:
    tell(sqlite_database, listener.url, 60, now=now)
    listener.answers += [0] * 60
    assert send(sqlite_database, now=now) == hook_sending.AT_ONCE and send(sqlite_database, now=now) == 0
    assert len(listener.got) == hook_sending.AT_ONCE


def test_redirects_are_not_followed(sqlite_database: Database, listener: Listener, now: datetime) -> None:
    tell(sqlite_database, listener.url, 1, now=now)
    listener.answers += [302]
    send(sqlite_database, now=now)
    assert calls(sqlite_database)[0].state == "failed" and len(listener.got) == 1


@pytest.mark.parametrize("url", [
    "http://127.0.0.1:{port}", "http://localhost:{port}", "http://[::1]:{port}", "http://[::ffff:127.0.0.1]:{port}",
    "http://0.0.0.0:{port}", "http://2130706433:{port}", "http://169.254.169.254/latest", "http://10.0.0.1",
    "http://[64:ff9b::7f00:1]:{port}", "http://[2002:7f00:1::]:{port}", "http://[fd00::1]", "http://224.0.0.1", "http://1.1.1.1",
])
def test_addresses_of_our_own_house_and_plain_http_are_refused(listener: Listener, url: str) -> None:
    # By what it is, not because nobody happens to listen there.
    with pytest.raises(Refused, match="by https only" if "1.1.1.1" in url else "not public"):
        post(url.format(port=listener.url.rpartition(":")[2]), b"{}", {}, patience_seconds=0.2)
    assert listener.got == []


def test_a_name_with_one_address_inside_the_house_is_refused_whole(
    listener: Listener, monkeypatch: pytest.MonkeyPatch
) -> None:
    port = int(listener.url.rpartition(":")[2])
    monkeypatch.setattr("socket.getaddrinfo", lambda *_args, **_more: [
        (2, 1, 6, "", ("93.184.216.34", port)), (2, 1, 6, "", ("127.0.0.1", port))])
    with pytest.raises(Refused, match="not public"):
        post(f"https://shop.example:{port}", b"{}", {}, patience_seconds=0.2)


def test_a_refused_address_is_told_at_the_call(sqlite_database: Database, listener: Listener, now: datetime) -> None:
    tell(sqlite_database, listener.url, 1, now=now)
    send(sqlite_database, now=now, allowed=())
    found = calls(sqlite_database)[0]
    assert found.state == "queued" and "WINBACK_PRIVATE_RECEIVERS" in (found.reason or "") and not found.unclear
    assert listener.got == []


def test_what_a_dead_worker_had_in_hand_is_repeated_and_known_as_unclear(
    database: Database, listener: Listener, now: datetime
) -> None:
    tell(database, listener.url, 2, now=now)
    with database.writing() as session:
        session.execute(update(HookCall).values(state="handed_over", worker=99, attempt=1))
    assert send(database, now=now) == 4  # two given back, two made
    assert [(call.state, call.unclear) for call in calls(database)] == [("delivered", True)] * 2


def test_what_waits_is_taken_back_and_a_receiver_can_be_switched_off(
    sqlite_database: Database, listener: Listener, now: datetime
) -> None:
    tell(sqlite_database, listener.url, 2, now=now)
    with sqlite_database.writing() as session:
        assert cancel_calls(session.connection(), [1], reason="redeemed the code", now=now) == 1
        save_receiver(session, "erp", active=False, now=now)
    send(sqlite_database, now=now)
    assert [call.state for call in calls(sqlite_database)] == ["cancelled", "failed"] and listener.got == []


def test_addresses_that_cannot_be_called_are_not_saved(sqlite_database: Database, now: datetime) -> None:
    for wrong in ("ftp://x.example", "https://", "https://a:b@x.example", "https://x.example/#a", "https://x y",
                  "javascript:alert(1)", "https://x.example:99999"):
        with pytest.raises(Invalid):
            checked_url(wrong)
    with sqlite_database.writing() as session:
        _found, secret = add_receiver(session, "erp", name="ERP", url="https://x.example", secret_key=KEY, now=now)
        assert secret not in session.scalars(select(HookReceiver.secret)).one()
        with pytest.raises(Conflict):
            add_receiver(session, "erp", name="ERP", url="https://x.example", secret_key=KEY, now=now)
