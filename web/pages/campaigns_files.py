"""A whole campaign as a file: written here, and brought in again."""

from flask import Response, redirect, request, url_for
from flask.typing import ResponseReturnValue

from core.errors import Invalid
from journeys.editing.bundling import bring, export, read_bundle, written
from journeys.editing.file_text import is_yaml, read_text
from web.frame.toasts import toast
from web.pages.campaigns import blueprint
from web.requests.transactions import reading, request_now, writing
from web.security.access import needs_role, person
from web.security.audit import record

LARGEST_BYTES = 4 * 1024 * 1024


@blueprint.get("/campaigns/<key>/file")
@needs_role("admin", "marketer")
def as_file(key: str) -> ResponseReturnValue:
    """The campaign with its journey, segments, offers and contents, as JSON, or with `?format=yaml` as YAML."""
    as_yaml = request.args.get("format") == "yaml"
    with reading() as session:
        bundle = export(session, key)
    name = f"{bundle.key}.{'yaml' if as_yaml else 'json'}"
    return Response(written(bundle, as_yaml=as_yaml), mimetype=f"application/{'yaml' if as_yaml else 'json'}",
                    headers={"Content-Disposition": f'attachment; filename="{name}"'})


@blueprint.post("/campaigns/_file")
def bring_file() -> ResponseReturnValue:
    """Bring a campaign's file in, as drafts; nothing runs by this."""
    now, who, sent = request_now(), person(), request.files.get("file")
    raw = sent.read(LARGEST_BYTES + 1) if sent is not None else b""
    try:
        if not raw or len(raw) > LARGEST_BYTES:
            raise Invalid("Choose a campaign's file of at most 4 MB.", place="file")
        read = read_text(raw.decode("utf-8"), as_yaml=is_yaml(sent.filename or "" if sent is not None else ""))
    except UnicodeDecodeError:
        raise Invalid("This file is not text. Choose one that was written by “As a file”.", place="file") from None
    except Invalid as error:
        raise Invalid(f"This file cannot be read. {error.message[:1].upper()}{error.message[1:]}",
                      place="file") from None
    bundle = read_bundle(read.value)
    with writing() as session:
        made = bring(session, bundle, author=who.name if who else None, now=now)
        record(session, "campaign.imported", f"campaign:{bundle.key}", now=now, journey=made.key)
    toast("The campaign stands as in the file. Nothing runs by this.")
    return redirect(url_for("campaigns.show", key=bundle.key))
