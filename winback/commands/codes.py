"""Which codes lie ready, and where do more come from?

`winback codes pools|generate|import|export|public|source`: stock of each batch, filling a pool from the generator or a
file of any size, and public codes with the region where they hang.
"""

import csv
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import IO

import click

from core.errors import Invalid
from core.texts import harmless_cell
from coupons.codes.pools import (
    SOURCES,
    add_public_codes,
    codes_of_pool,
    configure_source,
    find_pool,
    generate_pool,
    import_pool,
    list_pools,
)
from winback.context import Context


@click.group()
def codes() -> None:
    """Pools of codes and public codes."""


@codes.command("pools")
@click.pass_obj
def pools(context: Context) -> None:
    """List batches: number, offer, kind, codes, in stock, redeemed, rejected, name."""
    after = 0
    while True:
        with context.database.reading() as session:
            found = list_pools(session, after=after)
        for pool in found:
            click.echo("\t".join(str(part) for part in (
                pool.id, pool.offer, pool.kind, pool.codes, pool.stock, pool.redeemed, pool.rejected, pool.name)))
        if not found:
            return
        after = found[-1].id


@codes.command("generate")
@click.argument("offer")
@click.argument("count", type=int)
@click.option("--name", default="", help="As shown on pages.")
@click.pass_obj
def generate(context: Context, offer: str, count: int, name: str) -> None:
    """Make COUNT codes for the pool of OFFER and print the number of the batch."""
    batch = generate_pool(context.database, offer, count, name=name, now=context.now())
    click.echo(batch)


@codes.command("import")
@click.argument("offer")
@click.argument("file", type=click.Path(path_type=Path, exists=True, dir_okay=False))
@click.option("--name", default="", help="As shown on pages.")
@click.option("--rejected", "rejected_path", type=click.Path(path_type=Path, dir_okay=False), default=None,
              help="Where rejected lines go. Default: FILE's name with .rejected.csv, beside it.")
@click.pass_obj
def import_file(context: Context, offer: str, file: Path, name: str, rejected_path: Path | None) -> None:
    """Take the codes in the first column of a CSV FILE, or in the one named code, into the pool of OFFER."""
    path = rejected_path or file.with_suffix(".rejected.csv")
    rejects = _Rejects(path)
    try:
        with file.open(encoding="utf-8-sig", errors="replace", newline="") as lines:
            batch = import_pool(context.database, offer, code_lines(lines), name=name or file.name, now=context.now(),
                                reject=rejects.add)
    finally:
        rejects.close()
    with context.database.reading() as session:
        pool = find_pool(session, batch)
    seen = f" (see {path})" if pool.rejected else ""
    click.echo(f"codes: {pool.codes:,} taken, {pool.rejected:,} rejected{seen}")
    if not pool.codes:
        raise Invalid("No line held a code that could be taken.")


@codes.command("export")
@click.argument("batch", type=int)
@click.pass_obj
def export(context: Context, batch: int) -> None:
    """Write the codes of a BATCH as CSV: code, state, region, used."""
    with context.database.reading() as session:
        find_pool(session, batch)
        writer = csv.writer(sys.stdout, lineterminator="\n")
        writer.writerow(("code", "state", "region", "used"))
        writer.writerows((harmless_cell(code), state, harmless_cell(region or ""), used) for code, state, region, used
                         in codes_of_pool(session, batch))


@codes.command("public")
@click.argument("offer")
@click.argument("code", nargs=-1, required=True)
@click.option("--uses", type=int, default=None, help="How often each may be used; default: as often as wanted.")
@click.option("--name", default="", help="As shown on pages.")
@click.pass_obj
def public(context: Context, offer: str, code: tuple[str, ...], uses: int | None, name: str) -> None:
    """Open codes for everybody: CODE, or CODE=REGION where it hangs or is printed."""
    pairs = [(text.partition("=")[0], text.partition("=")[2] or None) for text in code]
    now = context.now()
    with context.database.writing() as session:
        add_public_codes(session, offer, pairs, name=name, uses=uses, now=now)
    for text, _region in pairs:
        click.echo(" ".join(text.split()))  # as posters show it; stored, O is 0 and L is 1


@codes.command("source")
@click.argument("offer")
@click.argument("source", type=click.Choice(SOURCES))
@click.option("--low-stock", type=int, default=None, help="Warn when no more codes than this are left.")
@click.pass_obj
def source(context: Context, offer: str, source: str, low_stock: int | None) -> None:
    """Say where the codes of OFFER come from: made when needed, its pool, or the pool first."""
    now = context.now()
    with context.database.writing() as session:
        configure_source(session, offer, source=source, low_stock=low_stock, now=now)
    click.echo(f"{offer}: {source}", err=True)


def code_lines(lines: IO[str]) -> Iterator[tuple[int, str]]:
    """The codes of a CSV file with the numbers of their lines; a first line that names a column `code` is a head."""
    column = 0
    rows = csv.reader(lines)
    try:
        for number, row in enumerate(rows, start=1):
            names = [cell.strip().casefold() for cell in row]
            if number == 1 and "code" in names:
                column = names.index("code")
            elif row:
                yield number, row[column] if column < len(row) else ""
    except csv.Error as error:
        raise Invalid(f"The file is no CSV that can be read: {error}.", place=f"line {rows.line_num}") from error


class _Rejects:
    """The file of rejected lines, made with the first of them."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._file: IO[str] | None = None

    def add(self, number: int, text: str, why: str) -> None:
        if self._file is None:
            self._file = self._path.open("w", encoding="utf-8", newline="")
            csv.writer(self._file).writerow(("line", "text", "reason"))
        csv.writer(self._file).writerow((number, text, why))

    def close(self) -> None:
        if self._file is not None:
            self._file.close()
