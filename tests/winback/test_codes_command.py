"""`winback codes`: pools are filled, listed, exported and pointed at from the shell."""

import csv
from pathlib import Path

import pytest
from click.testing import CliRunner, Result
from sqlalchemy import select

from core.database import Database
from core.errors import Conflict, Invalid, NotFound
from core.settings import Settings
from coupons.models import Code, Offer
from tests.conftest import NOW
from tests.coupons.factories import make_offer
from winback.commands.codes import codes
from winback.context import Context


@pytest.fixture
def home(settings: Settings, database: Database) -> Settings:
    """An installation with one offer."""
    make_offer(database, now=NOW)
    return settings


def _run(settings: Settings, *words: str) -> Result:
    context = Context(settings)
    result = CliRunner().invoke(codes, list(words), obj=context)
    context.raw_database.dispose()
    return result


def test_a_pool_is_generated_listed_and_exported(home: Settings, database: Database) -> None:
    assert _run(home, "generate", "ten-percent", "3", "--name", "spring").stdout == "1\n"
    assert _run(home, "pools").stdout == "1\tten-percent\tgenerated\t3\t3\t0\t0\tspring\n"
    lines = _run(home, "export", "1").stdout.splitlines()
    with database.reading() as session:
        stored = session.scalars(select(Code.code).order_by(Code.id)).all()
        assert session.scalars(select(Offer.code_source)).one() == "pool"
    assert lines == ["code,state,region,used", *(f"{code},stock,,0" for code in stored)]


def test_a_file_is_imported_and_what_was_rejected_stands_beside_it(
    home: Settings, database: Database, tmp_path: Path
) -> None:
    file = tmp_path / "codes.csv"
    file.write_text("﻿name,Code\none,SAVE-0001\ntwo,save 0001\n\nthree\nfour,SAVE0002\n", encoding="utf-8")
    said = _run(home, "import", "ten-percent", str(file))
    rejected = tmp_path / "codes.rejected.csv"
    assert said.stdout == f"codes: 2 taken, 2 rejected (see {rejected})\n"
    assert rejected.read_text(encoding="utf-8").splitlines() == [
        "line,text,reason", "3,save 0001,the same code stands earlier in the file",
        "5,,a code has 4 to 64 letters and digits"]
    again = _run(home, "import", "ten-percent", str(file), "--rejected", str(tmp_path / "other.csv"))
    assert isinstance(again.exception, Invalid) and "No line held a code" in str(again.exception)
    assert (tmp_path / "other.csv").read_text(encoding="utf-8").count("there is such a code already") == 2


def test_public_codes_carry_their_region_and_their_uses_and_are_told_as_written(
    home: Settings, database: Database
) -> None:
    assert _run(home, "public", "ten-percent", "ULM-2026=Ulm", "PLAKAT26", "--uses", "9").stdout == (
        "ULM-2026\nPLAKAT26\n")
    with database.reading() as session:
        assert session.execute(select(Code.region, Code.use_limit).order_by(Code.id)).all() == [("Ulm", 9), (None, 9)]
    _run(home, "public", "ten-percent", "BONN26=\u200b=1+1")
    assert _run(home, "export", "2").stdout.splitlines()[1] == "BONN26,issued,'\u200b=1+1,0"
    taken = _run(home, "public", "ten-percent", "ulm 2026")
    assert isinstance(taken.exception, Conflict)


def test_an_offer_is_pointed_at_its_pool_and_warns(home: Settings, database: Database) -> None:
    assert _run(home, "source", "ten-percent", "pool_first", "--low-stock", "5").exit_code == 0
    with database.reading() as session:
        assert session.execute(select(Offer.code_source, Offer.low_stock)).one() == ("pool_first", 5)
    assert _run(home, "source", "ten-percent", "thin-air").exit_code == 2


@pytest.mark.parametrize(("words", "error"), [
    (("generate", "nothing", "3"), NotFound), (("generate", "ten-percent", "0"), Invalid),
    (("export", "7"), NotFound), (("source", "nothing", "pool"), NotFound),
    (("public", "ten-percent", "x"), Invalid),
])
def test_what_there_is_not_is_refused_with_a_sentence(
    home: Settings, words: tuple[str, ...], error: type[Exception]
) -> None:
    assert isinstance(_run(home, *words).exception, error)


def test_a_file_that_is_no_csv_is_refused_with_its_line_and_what_came_before_stays(
    home: Settings, database: Database, tmp_path: Path
) -> None:
    file = tmp_path / "codes.csv"
    file.write_text(f"SAVE0001\n{'x' * 200_000}\n", encoding="utf-8")
    longest = csv.field_size_limit(131_072)  # of the whole process: whoever imports long texts has moved it
    try:
        refused = _run(home, "import", "ten-percent", str(file))
    finally:
        csv.field_size_limit(longest)
    assert isinstance(refused.exception, Invalid) and str(refused.exception).startswith("line 2: ")
    file.write_bytes(bytes(range(256)) * 20)
    assert isinstance(_run(home, "import", "ten-percent", str(file)).exception, Invalid)
