"""The page of code pools: what lies ready, filling it by generator or file, public codes, and when to warn."""

import csv
import io
from collections.abc import Iterator, Sequence
from typing import Any

from flask import Blueprint, Response, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue

from core.errors import Invalid, WinbackError
from core.texts import harmless_cell
from coupons.codes.pools import (
    UNLIMITED,
    add_public_codes,
    batch_of,
    codes_of_pool,
    configure_source,
    discard_empty,
    find_pool,
    generate_pool,
    import_pool,
    list_pools,
    pool_page,
)
from coupons.offers.offers import list_offers, offer_by_key
from coupons.states import shown_state
from web.coupons.code_links import link_of
from web.frame.paging import cursor
from web.frame.toasts import toast
from web.requests.transactions import database, reading, request_now, writing
from web.security.audit import record
from web.wording.formatting import count

blueprint = Blueprint("pools", __name__)

MOST_AT_ONCE = 100_000
PAGE = 50
MOST_REJECTED = 50
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


@blueprint.get("/pools/<int:batch>")
def show(batch: int) -> ResponseReturnValue:
    """One batch: what is left of it, its codes, and for public ones their pictures and posters."""
    return _page(batch)


def _page(batch: int, *, rejected: Sequence[tuple[int, str, str]] = ()) -> str:
    now = request_now()
    after = cursor(request.args.get("after"))
    with reading() as session:
        pool = find_pool(session, batch)
        codes, following = pool_page(session, batch, after=after, limit=PAGE)
        only = offer_by_key(session, pool.offer).shops
        links = [link_of(session, code.written or code.code, only=only)
                 for code in codes] if pool.kind == "public" else []
    states = [shown_state(code.state, code.valid_until, now=now) for code in codes]
    return render_template(
        "pages/codes/pool.html", pool=pool, rows=list(zip(codes, states, strict=True)), kind=KIND_WORDS[pool.kind],
        links=links, unlimited=UNLIMITED, rejected=rejected,
        following=url_for("pools.show", batch=batch, after=following) if following else None,
        first=url_for("pools.show", batch=batch) if after else None)


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
    rejected: list[tuple[int, str, str]] = []

    def reject(number: int, line: str, why: str) -> None:
        if len(rejected) < MOST_REJECTED:
            rejected.append((number, _shown(line), why))

    text = io.TextIOWrapper(sent.stream, encoding="utf-8-sig", errors="replace", newline="")
    batch = import_pool(database(), _offer(), _codes(text), name=_name() or sent.filename[:200], now=request_now(),
                        reject=reject)
    with reading() as session:
        pool = find_pool(session, batch)
    if not pool.codes:
        with writing() as session:
            discard_empty(session, batch)
        first = f" Line {rejected[0][0]}, “{rejected[0][1]}”: {rejected[0][2]}." if rejected else ""
        raise Invalid(f"No code was taken from {sent.filename[:100]}.{first}", place="file")
    return _filled(batch, rejected)


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
        batch = batch_of(session, written[0])
    toast(f"{count(len(written))} public {'code is' if len(written) == 1 else 'codes are'} open.")
    return redirect(url_for("pools.show", batch=batch), 303)


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
                csv.writer(out, lineterminator="\n").writerow(
                    ["" if cell is None else harmless_cell(str(cell)) for cell in row])
                yield out.getvalue()

    return Response(lines(), mimetype="text/csv", headers={
        "Content-Disposition": f"attachment; filename=codes-{batch}.csv"})


def _shown(line: str) -> str:
    """A line of a file as a page may show it."""
    plain = "".join(letter if letter.isprintable() else "�" for letter in line)
    return plain if len(plain) <= 40 else plain[:39] + "…"


def _filled(batch: int, rejected: Sequence[tuple[int, str, str]] = ()) -> ResponseReturnValue:
    """Lead to the batch; lines that were not taken are told there, once."""
    now = request_now()
    with writing() as session:
        pool = find_pool(session, batch)
        record(session, "pool.filled", f"pool:{batch}", now=now, offer=pool.offer)
    lines = f" {count(pool.rejected)} {'line was' if pool.rejected == 1 else 'lines were'} not taken."
    ready = f"{count(pool.codes)} {'code lies' if pool.codes == 1 else 'codes lie'} ready for “{pool.offer_name}”."
    toast(ready + (lines if pool.rejected else ""))
    if rejected:
        return _page(batch, rejected=rejected)
    return redirect(url_for("pools.show", batch=batch), 303)


def _codes(lines: io.TextIOWrapper) -> Iterator[tuple[int, str]]:
    for number, line in enumerate(lines, start=1):
        cell = line.strip().split(",")[0].split(";")[0].strip().strip('"')
        if cell and not (number == 1 and cell.casefold() == "code"):
            yield number, cell.replace("\x00", "")


def _offer() -> str:
    return request.form.get("offer", "").replace("\x00", "")[:100]


def _name() -> str:
    return request.form.get("name", "").replace("\x00", "").strip()[:200]
