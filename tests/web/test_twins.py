"""Two requests that make the same thing at the same moment: one makes it, the other is told."""

import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime

from flask.testing import FlaskClient
from sqlalchemy import text

from campaigns.planning import save_campaign
from core.database import Database
from tests.conftest import only_postgresql

WAITING = text("SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND datname = current_database()")


@only_postgresql  # on SQLite writers take turns, and the second finds the first's
def test_a_second_click_while_the_first_is_not_done_is_a_conflict_and_no_error_of_ours(
    client: FlaskClient, api_key: Callable[..., dict[str, str]], database: Database, now: datetime
) -> None:
    headers = api_key("read", "write")
    with ThreadPoolExecutor(1) as beside:
        with database.writing() as session:
            save_campaign(session, "twice", fields={"name": "Twice"}, now=now)
            session.flush()
            second = beside.submit(client.post, "/api/v1/campaigns", json={"key": "twice", "name": "Twice"},
                                   headers=headers)
            until = time.monotonic() + 20
            while time.monotonic() < until:
                with database.reading() as looking:
                    if looking.scalar(WAITING):
                        break
                time.sleep(0.02)
        answer = second.result(30)
    assert answer.json is not None and (answer.status_code, answer.json["reason"]) == (409, "conflict")
    assert "second click" in answer.json["detail"]
    assert len(client.get("/api/v1/campaigns", headers=headers).json["items"]) == 1  # type: ignore[index]
