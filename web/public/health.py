"""Is this process up, can it answer, and how much waits? Open to everybody who reaches the port; no personal data.

`/healthz` says that the process answers, `/readyz` that the database does, `/metrics` gives the numbers an operator
watches: ledger rows by state, messages due, rows in the list of changes, redemptions and refusals, the
mirror's size and age.
"""

from flask import Blueprint, Response
from prometheus_client import CollectorRegistry, Gauge, generate_latest
from prometheus_client.exposition import CONTENT_TYPE_LATEST
from sqlalchemy.exc import SQLAlchemyError

from web.frame.vitals import mirror_vitals, vitals
from web.requests.questions import questions
from web.requests.transactions import reading, request_now

blueprint = Blueprint("health", __name__)


@blueprint.get("/healthz")
def healthz() -> Response:
    """The process answers."""
    return Response("ok\n", mimetype="text/plain")


@blueprint.get("/readyz")
def readyz() -> Response:
    """The database answers, with the tables this program needs."""
    try:
        with reading() as session:
            vitals(session, now=request_now())
    except SQLAlchemyError:
        return Response("the database does not answer\n", status=503, mimetype="text/plain")
    return Response("ready\n", mimetype="text/plain")


@blueprint.get("/metrics")
def metrics() -> Response:
    """Prometheus text format."""
    now = request_now()
    registry = CollectorRegistry()
    with reading() as session:
        for vital in [*vitals(session, now=now), *mirror_vitals(questions().mirror.manifest(), now=now)]:
            gauge = Gauge(f"winback_{vital.name}", vital.meaning, list(vital.labels), registry=registry)
            for values, number in vital.values.items():
                (gauge.labels(*values) if vital.labels else gauge).set(number)
    return Response(generate_latest(registry), content_type=CONTENT_TYPE_LATEST)
