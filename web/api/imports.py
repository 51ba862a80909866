"""How does a program hand over a whole file? The resource `imports`: the file in, the counts and first faults out."""

from typing import Any

from flask import Response, jsonify, request
from marshmallow import Schema, fields, validate

from core.errors import Invalid
from web.requests.bodies import Resource
from web.requests.transactions import database, request_now, writing
from web.requests.uploads import ALL_KINDS, Uploads
from web.requests.wired import settings
from web.security.audit import record

blueprint = Resource("api-imports", __name__, url_prefix="/api/v1", description="Files of facts, CSV or Parquet.")


class ImportQuery(Schema):
    """What the file holds; `map` is theirs=ours and may be repeated."""

    kind = fields.String(required=True, validate=validate.OneOf(list(ALL_KINDS), error="Use one of {choices}."))
    dry_run = fields.Boolean(load_default=False)
    map = fields.List(fields.String(), load_default=list)


class ImportAnswer(Schema):
    """Counts of lines (read, imported, rejected) and of things (created, updated), and the first rejected lines."""

    kind = fields.String(required=True)
    read = fields.Integer(required=True)
    imported = fields.Integer(required=True)
    rejected = fields.Integer(required=True)
    created = fields.Integer(required=True)
    updated = fields.Integer(required=True)
    dry_run = fields.Boolean(required=True)
    notes = fields.List(fields.String())
    rejects = fields.List(fields.Dict())


@blueprint.route("/imports", methods=["POST"])
@blueprint.arguments(ImportQuery, location="query")
@blueprint.response(200, ImportAnswer)
def create(asked: dict[str, Any]) -> Response:
    """Import the file in the body (or in the form field `file`)."""
    now = request_now()
    sent = request.files.get("file")
    uploads = Uploads(settings().home)
    kept = uploads.keep(sent.stream if sent else request.stream, kind=asked["kind"], called="the file")
    try:
        result = uploads.run(kept, database(), mapping=_mapping(asked["map"]), dry_run=asked["dry_run"], now=now,
                             secret_key=settings().secret_key)
    except Invalid as error:
        name = uploads.path(kept.token).name
        raise Invalid(error.message.replace(name, "The file"), place=error.place) from error
    finally:
        uploads.drop(kept.token)
        uploads.rejected_path(kept.token).unlink(missing_ok=True)
    if not result.dry_run:
        with writing() as session:
            record(session, "file.imported", f"import:{kept.kind}", now=now, imported=result.imported,
                   rejected=result.rejected)
    return jsonify({
        "kind": result.kind, "read": result.read, "imported": result.imported, "rejected": result.rejected,
        "created": result.created, "updated": result.updated, "dry_run": result.dry_run, "notes": list(result.notes),
        "rejects": [{"line": line, "reason": reason} for line, reason in result.first_rejects],
    })


def _mapping(pairs: list[str]) -> dict[str, str]:
    mapping: dict[str, str] = {}
    for pair in pairs:
        theirs, equals, ours = pair.rpartition("=")
        if not equals or not theirs.strip() or not ours.strip() or theirs.strip() in mapping:
            raise Invalid("Write theirs=ours, each column once.", place="map")
        mapping[theirs.strip()] = ours.strip()
    return mapping
