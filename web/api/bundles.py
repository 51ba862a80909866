"""A whole campaign as a file: its plan, journey, segments, offers and contents. Below the resource `campaigns`."""

from typing import Any

from flask import Response, jsonify
from marshmallow import INCLUDE, Schema, fields, validate

from journeys.editing.bundling import FORMAT, bring, bundle_problems, bundle_schema, export, read_bundle, written
from web.api.campaigns import blueprint
from web.api.journeys import CheckAnswer
from web.campaigns.approvals import asking_person
from web.requests.transactions import reading, request_now, writing
from web.security.audit import record


class BundleSchema(Schema):
    """A campaign's file, as JSON or, with `Content-Type: application/yaml`, as YAML; its JSON Schema is at
    /api/v1/campaign-files/schema."""

    takes_yaml = True

    class Meta:
        """Parts are judged by the room that owns them."""

        unknown = INCLUDE

    format = fields.String(required=True, metadata={"const": FORMAT})


class BroughtAnswer(Schema):
    """The keys under which it stands, as drafts; publishing the journey starts it."""

    campaign = fields.String(required=True)
    journey = fields.String(required=True)
    draft_version = fields.Integer(required=True)


class FormatSchema(Schema):
    """How the file is written."""

    format = fields.String(load_default="json", validate=validate.OneOf(("json", "yaml")))


@blueprint.route("/campaigns/<key>/file", methods=["GET"])
@blueprint.arguments(FormatSchema, location="query")
@blueprint.response(200, BundleSchema)
def campaign_file(asked: dict[str, Any], key: str) -> Response:
    """Write a campaign with all that it names, as JSON or with `?format=yaml` as YAML."""
    with reading() as session:
        bundle = export(session, key.replace("\x00", ""))
    if asked["format"] == "yaml":
        return Response(written(bundle, as_yaml=True), mimetype="application/yaml")
    return jsonify(bundle.to_json())


@blueprint.route("/campaign-files/check", methods=["POST"])
@blueprint.arguments(BundleSchema)
@blueprint.response(200, CheckAnswer)
def check_file(body: dict[str, Any]) -> Response:
    """List every problem that publishing a campaign's file would find. Changes nothing."""
    now, bundle = request_now(), read_bundle(body)
    with writing() as session:
        problems = bundle_problems(session, bundle, now=now)
    return jsonify({"valid": not problems, "problems": [
        {"place": each.place, "message": each.message, "fix": each.fix} for each in problems]})


@blueprint.route("/campaign-files", methods=["POST"])
@blueprint.arguments(BundleSchema)
@blueprint.response(200, BroughtAnswer)
def bring_file(body: dict[str, Any]) -> Response:
    """Make or change everything a campaign's file names; nothing runs by this."""
    now = request_now()
    bundle = read_bundle(body)
    with writing() as session:
        made = bring(session, bundle, author=asking_person().name, now=now)
        record(session, "campaign.imported", f"campaign:{bundle.key}", now=now, journey=made.key)
        return jsonify({"campaign": bundle.key, "journey": made.key, "draft_version": made.draft_version})


@blueprint.route("/campaign-files/schema", methods=["GET"])
@blueprint.response(200)
def file_schema() -> Response:
    """Show the JSON Schema of a campaign's file."""
    return jsonify(bundle_schema())
