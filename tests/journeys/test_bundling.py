"""A campaign as a file: out, in again elsewhere, and out the same."""

import json
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, get_args

import jsonschema_rs
import pytest
from click.testing import CliRunner
from sqlalchemy import select

from campaigns.models import Campaign
from campaigns.problems import InvalidPlan
from core.database import Database
from core.errors import Invalid
from core.settings import read_settings
from delivery.models import Content
from journeys.editing.bundling import FORMAT, bring, bundle_problems, bundle_schema, export, read_bundle, written
from journeys.editing.checking_draft import check_draft
from journeys.editing.editing import publish
from journeys.editing.playbook import plays, use_play
from journeys.graphs.graph import Step
from journeys.graphs.schema import graph_schema
from journeys.models import Journey
from tests.delivery.ledger import KEY
from winback.commands.journeys import journey as commands
from winback.context import Context


@pytest.mark.parametrize("play", plays(), ids=lambda play: play.key)
def test_what_is_exported_comes_back_the_same(play: Any, sqlite_database: Database, now: datetime) -> None:
    with sqlite_database.writing() as session:
        use_play(session, play, "spring", name="Spring", now=now)
        text = written(export(session, "spring"))
        jsonschema_rs.validate(bundle_schema(), json.loads(text))
        as_file = {**json.loads(text), "key": "autumn"}
        made = bring(session, read_bundle(as_file), now=now)
        assert check_draft(session, made.draft) == []
        assert export(session, "autumn").to_json() == as_file
        versions = made.draft_version, list(session.scalars(select(Content.revision)))
        again = bring(session, read_bundle(as_file), now=now)
        assert (again.draft_version, list(session.scalars(select(Content.revision)))) == versions


def test_one_changed_word_is_one_changed_line(sqlite_database: Database, now: datetime) -> None:
    with sqlite_database.writing() as session:
        use_play(session, plays()[0], "spring", name="Spring", now=now)
        before = written(export(session, "spring"))
        changed = json.loads(before)
        first = next(iter(changed["contents"]))
        changed["contents"][first]["subject"] = "A new subject"
        bring(session, read_bundle(changed), now=now)
        after = written(export(session, "spring"))
    old, new = before.splitlines(), after.splitlines()
    assert len(old) == len(new) and sum(a != b for a, b in zip(old, new, strict=True)) == 1


def test_a_file_says_where_it_is_wrong(sqlite_database: Database, now: datetime) -> None:
    with sqlite_database.writing() as session:
        use_play(session, plays()[0], "spring", name="Spring", now=now)
        good = export(session, "spring").to_json()
    for change, place in (({"format": "other"}, "format"), ({"extra": 1}, "extra"), ({"key": ""}, "key"),
                          ({"journey": []}, "journey"), ({"offers": [1]}, "offers")):
        with pytest.raises(Invalid) as error:
            read_bundle({**good, **change})
        assert error.value.place == place
    with sqlite_database.writing() as session, pytest.raises(Invalid) as error:
        bring(session, read_bundle({**good, "contents": {"x": {"name": "X", "colour": "red"}}}), now=now)
    assert error.value.place == "contents.x.colour"


def test_a_check_finds_what_publishing_would_refuse_of_the_campaigns_window(
    sqlite_database: Database, now: datetime
) -> None:
    with sqlite_database.writing() as session:
        use_play(session, plays()[0], "spring", name="Spring", now=now)
        good = {**export(session, "spring").to_json(), "key": "autumn"}
    over = {**good, "campaign": {**good["campaign"], "ends_at": (now - timedelta(days=1)).isoformat()}}
    with sqlite_database.writing() as session:
        assert bundle_problems(session, read_bundle(good), now=now) == []
        assert [problem.place for problem in bundle_problems(session, read_bundle(over), now=now)] == ["window.until"]
        bring(session, read_bundle(over), now=now)
        with pytest.raises(InvalidPlan, match="window is over"):
            publish(session, "autumn", now=now)


def test_every_step_kind_there_is_stands_in_the_schema() -> None:
    text = json.dumps(graph_schema()) + json.dumps(bundle_schema())
    for step in get_args(Step):
        kind = "".join(f"_{letter.lower()}" if letter.isupper() else letter for letter in step.__name__).strip("_")
        assert text.count(json.dumps({"const": kind})) >= 2, kind


def test_the_shell_checks_foresees_and_publishes_a_file_and_only_publishing_stays(
    sqlite_database: Database, tmp_path: Path, now: datetime
) -> None:
    with sqlite_database.writing() as session:
        use_play(session, plays()[0], "spring", name="Spring", now=now)
        bundle = {**export(session, "spring").to_json(), "key": "autumn"}
    bundle["campaign"]["name"] = "Autumn"
    file = tmp_path / "autumn.json"
    file.write_text(json.dumps(bundle), encoding="utf-8")
    settings = read_settings({"WINBACK_HOME": str(tmp_path / "home"), "WINBACK_SECRET_KEY": KEY,
                              "WINBACK_DATABASE_URL": str(sqlite_database.engine.url)})
    context = Context(settings)

    def run(*words: str) -> str:
        result = CliRunner().invoke(commands, [*words, str(file)], obj=context, catch_exceptions=False)
        assert result.exit_code == 0, result.output
        return result.output

    def campaigns() -> set[str]:
        with sqlite_database.reading() as session:
            return set(session.scalars(select(Campaign.key)))

    assert "can be published" in run("check")
    answer = json.loads(run("forecast", "--json", "--days", "5", "--redemption-rate", "0.05"))
    assert answer["audience"]["people"] == 0 and answer["response"]["redemptions"]["estimate"] == 0
    assert "no orders to learn from" in " ".join(answer["missing"])
    assert campaigns() == {"spring"}
    assert "runs in version 1" in run("publish")
    assert campaigns() == {"spring", "autumn"}
    with sqlite_database.reading() as session:
        assert session.scalars(select(Journey).where(Journey.key == "autumn")).one().state == "running"
    assert "Nothing differs: autumn stays in version 1" in run("publish")
    content = sorted(bundle["contents"])[0]
    bundle["contents"][content]["subject"] = "Another subject"
    file.write_text(json.dumps(bundle), encoding="utf-8")
    assert "runs in version 2" in run("publish"), "the graph is the same, what it names is not"
    bundle["journey"]["name"] = "Autumn, once more"
    file.write_text(json.dumps(bundle), encoding="utf-8")
    assert "runs in version 3" in run("publish")


_NOW_WRONG: list[tuple[dict[str, Any], str]] = [
    ({"campaign": {"name": 5}}, "campaign.name"), ({"campaign": {"timezone": "Mars/Phobos"}}, "campaign.timezone"),
    ({"campaign": {"name": "half a \ud800 letter"}}, "campaign.name"),
    ({"campaign": {"starts_at": "0001-01-01"}}, "campaign.starts_at"),
    ({"campaign": {"ends_at": "9999-12-31T23:59Z"}}, "campaign.ends_at"),
    ({"journey": {"steps": {"a": {"name": "a\x00b"}}}}, "journey.steps.a.name"),
    ({"contents": {"x": {"name": "X", "\ud800": "y"}}}, "contents.x"),
    ({"contents": {"x": {"name": 5}}}, "contents.x.name"),
    ({"contents": {"x": {"name": "X", "mjml": 7}}}, "contents.x.mjml"),
    ({"contents": {"x": {"name": "X", "subject": "S", "mjml": "<mjml>{{ broken"}}}, "contents.x"),
    ({"contents": {"x": {"name": "X", "subject": "S", "message_class": "spam"}}}, "contents.x.message_class"),
    ({"segments": {"x": {"name": 5, "rule": {"all": []}}}}, "segments.x.name"),
    ({"segments": {"x": {"name": "X", "description": 5, "rule": {"all": []}}}}, "segments.x.description"),
    ({"segments": {"x": {"name": "X", "rule": {"customer": "country", "is": 5}}}}, "segments.x.rule.customer.is"),
    ({"segments": {"Not a key": {"name": "X", "rule": {"all": []}}}}, "segments.Not a key"),
    ({"offers": {"x": {"name": "X", "kind": "percent", "percent": 10, "valid_from": "soon"}}}, "offers.x.valid_from"),
    ({"offers": {"x": {"name": "X", "kind": "percent", "percent": 10, "valid_until": 5}}}, "offers.x.valid_until"),
    ({"offers": {"x": {"name": "X", "kind": "percent", "percent": "ten"}}}, "offers.x.percent"),
]


@pytest.mark.parametrize(("change", "place"), _NOW_WRONG, ids=[place for _change, place in _NOW_WRONG])
def test_each_wrong_value_of_a_file_is_told_with_its_place_and_changes_nothing(
    change: dict[str, Any], place: str, sqlite_database: Database, now: datetime
) -> None:
    file = {"format": FORMAT, "key": "spring", "campaign": {"name": "Spring"}, "journey": {}, **change}
    with pytest.raises(Invalid) as error, sqlite_database.writing() as session:
        bring(session, read_bundle(file), now=now)
    assert error.value.place == place
    with sqlite_database.reading() as session:
        assert session.scalars(select(Campaign)).all() == []
