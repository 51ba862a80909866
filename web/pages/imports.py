"""Imports: upload a file, say which column is which, look at what would happen, import, fetch the rejected lines."""

from dataclasses import dataclass
from typing import Any

from flask import Blueprint, current_app, render_template, request, send_file, url_for
from flask.typing import ResponseReturnValue
from werkzeug.exceptions import RequestEntityTooLarge

from core.errors import Invalid, NotFound
from customers.importing import ImportResult
from web.frame.toasts import toast
from web.requests.transactions import database, request_now, writing
from web.requests.uploads import Upload, Uploads
from web.requests.wired import settings
from web.security.access import needs_role
from web.security.audit import record

blueprint = Blueprint("imports", __name__)

KIND_WORDS = {
    "customers": "people with names, addresses and attributes", "consents": "who said yes or no, with proof",
    "products": "articles with prices and stock", "stores": "places people can walk into",
    "orders": "one row per line of an order", "contacts": "calls, letters, complaints, visits",
    "events": "what people did: a cart abandoned, a page visited; further columns become properties",
    "relations": "partners, suppliers, press and employees, with their organisations",
    "scores": "numbers that you computed about people",
    "campaigns": "campaigns of the past, one row per person", "redemptions": "codes used in the past",
}
MUST = ("admin", "marketer")


@dataclass(frozen=True)
class Match:
    """One of our columns, whether it must be there, and the file's column chosen for it (empty: none)."""

    ours: str
    required: bool
    theirs: str


def _most_mb() -> int:
    return int(current_app.config["MAX_CONTENT_LENGTH"]) // (1024 * 1024)


def _uploads() -> Uploads:
    return Uploads(settings().home)


@blueprint.errorhandler(413)
def too_large(_error: RequestEntityTooLarge) -> ResponseReturnValue:
    """Say how large a file may be, and the way for larger ones."""
    return _start({"file": f"The file is larger than {_most_mb()} MB. Divide it, or ask the operator to run: "
                           f"winback import KIND FILE"}), 413


@blueprint.get("/imports")
def index() -> ResponseReturnValue:
    """Choose a file."""
    return _start()


def _start(wrong: dict[str, str] | None = None) -> str:
    return render_template("pages/imports/index.html", kinds=KIND_WORDS, wrong=wrong or {},
                           most=_most_mb())


@blueprint.post("/imports")
@needs_role(*MUST)
def upload() -> ResponseReturnValue:
    """Take a file and ask which column is which."""
    sent = request.files.get("file")
    try:
        if sent is None or not sent.filename:
            raise Invalid("Choose a file.", place="file")
        kept = _uploads().keep(sent.stream, kind=request.form.get("kind", ""), called=_shown(sent.filename))
        try:
            columns = _uploads().columns(kept)
        except Invalid as error:
            _uploads().drop(kept.token)
            raise Invalid(error.message, place="file") from error
    except Invalid as error:
        return _start({error.place or "file": error.message}), 400
    return _matching(kept, columns, _guessed(kept, columns))


def _shown(name: str) -> str:
    return "".join(letter for letter in name if letter >= " " and not 0xD800 <= ord(letter) < 0xE000)[:200]


def _guessed(kept: Upload, columns: list[str]) -> list[Match]:
    """Columns of the same name, capitals and blanks aside, are the same."""
    plain = {_plain(name): name for name in reversed(columns)}
    return [Match(field.name, field.required, plain.get(field.name, "")) for field in kept.kind_of().fields]


def _plain(name: str) -> str:
    return "_".join(name.strip().casefold().replace("-", " ").split())


def _chosen(kept: Upload, columns: list[str]) -> list[Match]:
    given = {field.name: request.form.get(f"column.{field.name}", "") for field in kept.kind_of().fields}
    unknown = [theirs for theirs in given.values() if theirs and theirs not in columns]
    if unknown:
        raise Invalid(f"The file has no column “{unknown[0][:60]}”.", place="mapping")
    return [Match(field.name, field.required, given[field.name]) for field in kept.kind_of().fields]


def _mapping(matches: list[Match]) -> dict[str, str]:
    mapping: dict[str, str] = {}
    for match in matches:
        if match.theirs in mapping:
            raise Invalid(f"The column “{match.theirs}” is chosen for {mapping[match.theirs]} and {match.ours}.")
        if match.theirs:
            mapping[match.theirs] = match.ours
    return mapping


def _matching(
    kept: Upload, columns: list[str], matches: list[Match], *, result: ImportResult | None = None, wrong: str = ""
) -> str:
    used = {match.theirs for match in matches}
    return render_template("pages/imports/columns.html", upload=kept, columns=columns, matches=matches, result=result,
                           wrong=wrong, spare=[name for name in columns if name and name not in used],
                           extras_become=kept.kind_of().extras_become if kept.kind_of().takes_extras else "")


@blueprint.post("/imports/<token>/check")
@needs_role(*MUST)
def check(token: str) -> ResponseReturnValue:
    """Count and show what would be rejected; nothing is stored."""
    return _run(token, dry_run=True)


@blueprint.post("/imports/<token>/import")
@needs_role(*MUST)
def store(token: str) -> ResponseReturnValue:
    """Import the file."""
    return _run(token, dry_run=False)


def _run(token: str, *, dry_run: bool) -> ResponseReturnValue:
    now, uploads = request_now(), _uploads()
    kept = uploads.find(token)
    columns = uploads.columns(kept)
    matches = _guessed(kept, columns)
    try:
        matches = _chosen(kept, columns)
        result = uploads.run(kept, database(), mapping=_mapping(matches), dry_run=dry_run, now=now,
                             secret_key=settings().secret_key)
    except Invalid as error:
        return _matching(kept, columns, matches, wrong=_in_web_words(error.message)), 400
    if dry_run:
        return _matching(kept, columns, matches, result=result)
    with writing() as session:
        record(session, "file.imported", f"import:{kept.kind}", now=now, imported=result.imported,
               rejected=result.rejected)
    toast(f"{result.imported:,} of {result.read:,} lines are imported.")
    return render_template("pages/imports/done.html", upload=kept, result=result,
                           rejected=url_for("imports.rejected", token=token) if result.rejected_path else None)


def _in_web_words(text: str) -> str:
    return text.replace(" If a column has another name, use --map theirs=ours.", " Choose it below.").replace(
        "Rename one of them or use --map.", "Choose only one of them.")


@blueprint.get("/imports/<token>/rejected.csv")
@needs_role(*MUST)
def rejected(token: str) -> Any:
    """The rejected lines with their reasons, as a file."""
    path = _uploads().rejected_path(token)
    if not path.is_file():
        raise NotFound("There are no rejected lines any more. They are kept for a day.")
    answer = send_file(path, mimetype="text/csv", as_attachment=True, download_name="rejected.csv", max_age=0)
    answer.headers["Cache-Control"] = "no-store"
    return answer
