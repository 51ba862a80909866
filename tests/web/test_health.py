"""Operators ask without a login and learn nothing about anybody."""

from flask.testing import FlaskClient


def test_health_needs_no_login_and_names_the_ledgers_states(client: FlaskClient) -> None:
    assert client.get("/healthz").data == b"ok\n"
    assert client.get("/readyz").status_code == 200
    metrics = client.get("/metrics")
    assert metrics.status_code == 200
    assert b"winback_messages_due 0.0" in metrics.data
