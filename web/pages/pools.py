"""The page of code pools: what lies ready, filling it by generator or file, public codes, and when to warn."""

import csv
import io
from collections.abc import Iterator
from typing import Any

from flask import Blueprint, Response, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue

from core.errors import Invalid, WinbackError
from coupons.offers import list_offers
from coupons.pools import (
    add_public_codes,
    codes_of_pool,
    configure_source,
    find_pool,
    generate_pool,
    import_pool,
    list_pools,
)
from web.audit import record
from web.formatting import count
from web.toasts import toast
from web.transactions import database, reading, request_now, writing

blueprint = Blueprint("pools", __name__)

MOST_AT_ONCE = 100_000
KIND_WORDS = {"generated": "generated", "imported": "from a file", "public": "public"}
SOURCE_WORDS = [("generated", "made when they are needed"), ("pool", "from the pool; when it is empty people wait"),
                ("pool_first", "from the pool; when it is empty they are made")]


@blueprint.get("/pools")
def index(problem: str | None = None) -> ResponseReturnValue:
    """List batches with their stock, and the forms that fill them."""
    with reading() as session:
        pools = list_pools(session, limit=500)
        offers = list_offers(session, limit=500)
    page = render_template(
        "pages/codes/pools.html", pools=pools[::-1], kinds=KIND_WORDS, sources=SOURCE_WORDS, problem=problem,
        offers=[(offer.key, offer.name) for offer in offers],
        stocked=[offer for offer in offers if offer.code_source != "generated"], typed=request.form)
    return page, 422 if problem else 200


def _doing(verb: str) -> Any:
    """Run one form of the page; what is refused is told above it."""
    try:
        return _FORMS[verb]()
    except WinbackError as error:
        return index(problem=error.message)


def _generate() -> ResponseReturnValue:
    wanted = request.form.get("count", "").strip()
    if not (wanted.isascii() and wanted.isdigit() and len(wanted) < 9 and 0 < int(wanted) <= MOST_AT_ONCE):
        raise Invalid(f"Say how many: a whole number up to {count(MOST_AT_ONCE)}. For more: winback codes generate.",
                      place="count")
    batch = generate_pool(database(), _offer(), int(wanted), name=_name(), now=request_now())
    return _filled(batch)


def _import() -> ResponseReturnValue:
    sent = request.files.get("file")
    if sent is None or not sent.filename:
        raise Invalid("Choose a file with one code per line.", place="file")
    rejected = 0

    def reject(_number: int, _text: str, _why: str) -> None:
        nonlocal rejected
        rejected += 1

    text = io.TextIOWrapper(sent.stream, encoding="utf-8-sig", errors="replace", newline="")
    batch = import_pool(database(), _offer(), _codes(text), name=_name() or sent.filename[:200], now=request_now(),
                        reject=reject)
    return _filled(batch)


def _public() -> ResponseReturnValue:
    now = request_now()
    uses = request.form.get("uses", "").strip()
    if uses and not (uses.isascii() and uses.isdigit() and len(uses) < 10):
        raise Invalid("Say how often as a whole number, or leave it empty.", place="uses")
    pairs = []
    for line in request.form.get("codes", "").replace("\x00", "").splitlines():
        code, _, region = line.partition("=")
        if code.strip():
            pairs.append((code.strip(), region.strip() or None))
    if not pairs:
        raise Invalid("Write at least one code.", place="codes")
    with writing() as session:
        written = add_public_codes(session, _offer(), pairs, name=_name(), uses=int(uses) if uses else None, now=now)
        record(session, "codes.opened", f"offer:{_offer()}", now=now, codes=len(written))
    toast(f"{count(len(written))} public {'code is' if len(written) == 1 else 'codes are'} open.")
    return redirect(url_for("pools.index"), 303)


def _source() -> ResponseReturnValue:
    now = request_now()
    low = request.form.get("low_stock", "").strip()
    if low and not (low.isascii() and low.isdigit() and len(low) < 9):
        raise Invalid("Say at how many codes to warn, as a whole number.", place="low_stock")
    with writing() as session:
        configure_source(session, _offer(), source=request.form.get("source", ""), low_stock=int(low) if low else None,
                         now=now)
        record(session, "offer.source", f"offer:{_offer()}", now=now, source=request.form.get("source", ""))
    toast("Saved.")
    return redirect(url_for("pools.index"), 303)


_FORMS = {"generate": _generate, "import": _import, "public": _public, "source": _source}


@blueprint.post("/pools/<any(generate, import, public, source):verb>")
def change(verb: str) -> ResponseReturnValue:
    """Fill a pool, open public codes, or say where codes come from."""
    found: ResponseReturnValue = _doing(verb)
    return found


@blueprint.get("/pools/<int:batch>.csv")
def download(batch: int) -> ResponseReturnValue:
    """Every code of a batch with its state, as CSV, a chunk at a time."""
    with reading() as session:
        find_pool(session, batch)

    store = database()

    def lines() -> Iterator[str]:
        yield "code,state,region,used\n"
        with store.reading() as session:
            for row in codes_of_pool(session, batch):
                out = io.StringIO()
                csv.writer(out, lineterminator="\n").writerow(["" if cell is None else _plain(cell) for cell in row])
                yield out.getvalue()

    return Response(lines(), mimetype="text/csv", headers={
        "Content-Disposition": f"attachment; filename=codes-{batch}.csv"})


def _plain(cell: str | int) -> str | int:
    """A cell that no spreadsheet takes for a formula."""
    return "'" + cell if isinstance(cell, str) and cell[:1] in "=+-@\t\r" else cell


def _filled(batch: int) -> ResponseReturnValue:
    now = request_now()
    with writing() as session:
        pool = find_pool(session, batch)
        record(session, "pool.filled", f"pool:{batch}", now=now, offer=pool.offer)
    rejected = f" {count(pool.rejected)} lines were not taken." if pool.rejected else ""
    toast(f"{count(pool.codes)} codes lie ready for “{pool.offer_name}”.{rejected}")
    return redirect(url_for("pools.index"), 303)


def _codes(lines: io.TextIOWrapper) -> Iterator[tuple[int, str]]:
    for number, line in enumerate(lines, start=1):
        cell = line.strip().split(",")[0].split(";")[0].strip().strip('"')
        if cell and not (number == 1 and cell.casefold() == "code"):
            yield number, cell.replace("\x00", "")


def _offer() -> str:
    return request.form.get("offer", "").replace("\x00", "")[:100]


def _name() -> str:
    return request.form.get("name", "").replace("\x00", "").strip()[:200]
