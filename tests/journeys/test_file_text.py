"""Files in YAML: the same values as in JSON, nothing more, and errors with their line."""

import json
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest
import yaml
from click.testing import CliRunner
from hypothesis import given, settings
from hypothesis import strategies as st
from sqlalchemy import select

from campaigns.models import Campaign
from core.database import Database
from core.errors import Invalid
from core.settings import read_settings
from journeys.editing.bundling import bring, export, read_bundle, written
from journeys.editing.file_text import Written, is_yaml, read_text, written_yaml
from journeys.editing.playbook import plays, use_play
from tests.delivery.ledger import KEY
from winback.commands.journeys import journey as commands
from winback.context import Context

AWKWARD = st.sampled_from([
    "on", "yes", "No", "true", "null", "~", "", "09:00", "21:30", "2026-03-01", "08001", "1e5", "0x1F", "1_000", "=",
    "<<", "- a", "a: b", "#x", "line\nline\n", " x ", "{{ greeting }},\n\ncode {{ code }}\t\n", "\u00e4\u2028", "|",
    "&a", "*a", "!x", ".inf", "-"])
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-10**20, 10**20) | st.floats(allow_nan=False, allow_infinity=False)
    | AWKWARD | st.text(st.characters(codec="utf-8", exclude_categories=("Cc", "Cs", "Cn", "Co")), max_size=20),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(AWKWARD, inner, max_size=3), max_leaves=12)


@settings(max_examples=150)
@given(VALUES)
def test_what_is_written_in_yaml_comes_back_the_same(value: Any) -> None:
    assert read_text(written_yaml(value), as_yaml=True).value == value


def test_yaml_holds_what_json_holds_and_texts_stay_texts() -> None:
    text = "on: entering\nnext: {yes: a, no: b}\nat: 09:00\nday: 2026-03-01\n1: 08001\nshare: 33.4\nnone:\nyes: yes\n"
    assert read_text(text, as_yaml=True).value == {
        "on": "entering", "next": {"yes": "a", "no": "b"}, "at": "09:00", "day": "2026-03-01", "1": "08001",
        "share": 33.4, "none": None, "yes": "yes"}
    assert is_yaml("a.YAML") and is_yaml("b.yml") and not is_yaml("yaml.json")


@pytest.mark.parametrize(("text", "told"), [
    ("a: 1\nb: [1, 2\n", "line 3"), ("a: &x [1]\nb: *x\n", "line 2, column 4: aliases"),
    ("a: 1\na: 2\n", "line 2, column 1"),
    ("a: !!python/object:os.system x\n", "line 1, column 4: tags"), ("a: !!binary aGk=\n", "tags"),
    ("? [a]\n: 1\n", "not a key"),
    ("a: 1\n--- \nb: 2\n", "line 2"), ("[" * 5_000, "nested too deeply"), ("a: \x07", "characters"),
    ("a:\n\t- b", "line 2"), ("a: 1\nb: " + "9" * 9_000, "line 2, column 4: this number has thousands"),
    ("a: 1\nb: -1e400", "line 2, column 4: -1e400 is too large"),
])
def test_what_is_not_only_values_is_refused_with_its_line(text: str, told: str) -> None:
    with pytest.raises(Invalid, match=told.replace("(", "\\(")):
        read_text(text, as_yaml=True)


def test_json_says_no_name_twice_either() -> None:
    with pytest.raises(Invalid, match="“b” stands twice"):
        read_text('{"a": [{"b": 1, "b": 2}]}', as_yaml=False)


@pytest.mark.parametrize(("text", "told"), [
    ('{"a": 1e400}', "1e400 is too large"), ('{"a": ' + "9" * 9_000 + "}", "thousands of digits"),
    ('{"a": NaN}', "NaN"),
])
def test_a_number_that_no_store_holds_is_refused_in_json_too(text: str, told: str) -> None:
    with pytest.raises(Invalid, match=told):
        read_text(text, as_yaml=False)


def test_a_place_is_found_in_either_form() -> None:
    value = {"steps": {"mail": {"cases": [{"if": 1}, {"if": 2}]}}, "start": "mail"}
    text = "start: mail\nsteps:\n  mail:\n    cases:\n      - if: 1\n      - if: 2\n"
    read = read_text(text, as_yaml=True)
    assert read.value == value
    places = ("start", "steps.mail", "steps.mail.cases[1].if", "steps.mail.next", "nope")
    assert [read.line_of(place) for place in places] == [1, 3, 6, 3, 1]
    assert Written(value, json.dumps(value, indent=1)).line_of("steps.mail.cases[1].if") == 9


def test_a_campaign_travels_as_yaml_and_one_changed_word_is_one_changed_line(
    sqlite_database: Database, now: datetime
) -> None:
    with sqlite_database.writing() as session:
        for number, play in enumerate(plays()):
            use_play(session, play, f"spring-{number}", name="Spring", now=now)
            before = written(export(session, f"spring-{number}"), as_yaml=True)
            as_file = read_text(before, as_yaml=True).value
            assert as_file == export(session, f"spring-{number}").to_json() == json.loads(json.dumps(as_file))
            assert yaml.safe_load(before) == as_file  # readers of older YAML read the same
        changed = json.loads(json.dumps(as_file))
        next(iter(changed["contents"].values()))["subject"] = "A new subject"
        bring(session, read_bundle(changed), now=now)
        after = written(export(session, as_file["key"]), as_yaml=True)
    old, new = before.splitlines(), after.splitlines()
    assert len(old) == len(new) and sum(a != b for a, b in zip(old, new, strict=True)) == 1


def test_the_shell_reads_both_writes_either_and_names_the_line(
    sqlite_database: Database, tmp_path: Path, now: datetime
) -> None:
    context = Context(read_settings({"WINBACK_HOME": str(tmp_path / "home"), "WINBACK_SECRET_KEY": KEY,
                                     "WINBACK_DATABASE_URL": f"sqlite:///{sqlite_database.path}"}))
    with sqlite_database.writing() as session:
        use_play(session, plays()[0], "spring", name="Spring", now=now)

    def run(*words: str) -> Any:
        return CliRunner().invoke(commands, words, obj=context)

    file = tmp_path / "spring.yaml"
    assert run("export", "spring", "--to", str(file)).exit_code == 0
    assert run("export", "spring", "--format", "yaml").stdout == file.read_text()
    assert run("check", str(file)).stdout == "spring.yaml can be published.\n"
    lines = file.read_text().splitlines()
    at = next(number for number, line in enumerate(lines) if line.strip().startswith("content: "))
    lines[at] = lines[at].partition(":")[0] + ": nothing"
    file.write_text("\n".join(lines))
    told = run("check", str(file))
    assert told.exit_code == 1 and "no content called nothing" in told.stdout
    assert f"line {at + 1}, steps." in told.stdout
    refused = run("publish", str(file))
    assert isinstance(refused.exception, Invalid) and f"line {at + 1}, steps." in str(refused.exception.place)
    graph = tmp_path / "graph.yml"
    graph.write_text("name: A\nentry: {segment: nobody}\nstart: end\nsteps:\n  end: {kind: leave}\n")
    assert "line 2, entry.segment: There is no segment" in run("check", str(graph)).stdout
    alone = "start: end\nsteps:\n  end: {kind: leave}\n"
    graph.write_text("name: A\nentry: {api: true}\nwindow: {from: 2026-05-02, until: 2026-04-01}\n" + alone)
    told = run("check", str(graph))
    assert told.exit_code == 1 and "line 3, window.until: " in told.stdout
    assert "line 3, window.until" in str(run("publish", str(graph)).exception)
    graph.write_text("name: A\nentry: {api: true}\n" + alone)
    assert run("check", str(graph)).stdout == "graph.yml can be published.\n"
    assert "There is no campaign called summer" in str(run("check", str(graph), "--campaign", "summer").exception)
    with sqlite_database.reading() as session:
        assert session.scalars(select(Campaign.key)).all() == ["spring"], "a check keeps nothing"
    graph.write_text("name: [\n")
    assert "graph.yml, line 2" in str(run("check", str(graph)).exception)
