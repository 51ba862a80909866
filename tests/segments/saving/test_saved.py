"""Saved segments: versions are never changed, two authors do not overwrite each other, circles are refused by name."""

from datetime import datetime, timedelta
from typing import Any

import pytest
from sqlalchemy.orm import Session

from core.database import Database
from core.errors import Conflict, Invalid, NotFound
from segments.engines.members import count, matching, member_ids
from segments.language.rules import parse_rule
from segments.saving.filing import archive_segment
from segments.saving.saved import list_segments, save_segment, segment_rule, versions_of
from tests.segments.population import AS_OF, load, people

GERMANS = {"customer": "country", "is": "DE"}
BUYERS = {"orders": "count", "at_least": 1}


def _save(session: Session, key: str, rule: dict[str, Any], now: datetime, **options: Any) -> int:
    return save_segment(session, key, name=key.title(), rule=parse_rule(rule), now=now, **options).version


def test_a_saved_version_is_never_changed(database: Database, now: datetime) -> None:
    with database.writing() as session:
        assert _save(session, "vip", GERMANS, now, author="ada") == 1
    with database.writing() as session:
        assert _save(session, "vip", BUYERS, now + timedelta(hours=1), expected_version=1) == 2
    with database.reading() as session:
        assert segment_rule(session, "vip").to_json() == BUYERS
        assert segment_rule(session, "vip", version=1).to_json() == GERMANS
        assert [(row.number, row.author) for row in versions_of(session, "vip")] == [(2, None), (1, "ada")]
        with pytest.raises(NotFound, match="no version 3"):
            segment_rule(session, "vip", version=3)


def test_saving_the_same_rule_again_adds_no_version(database: Database, now: datetime) -> None:
    with database.writing() as session:
        _save(session, "vip", GERMANS, now)
        assert _save(session, "vip", GERMANS, now) == 1


def test_who_has_not_seen_the_newest_version_is_refused(database: Database, now: datetime) -> None:
    with database.writing() as session:
        _save(session, "vip", GERMANS, now)
        _save(session, "vip", BUYERS, now)
    for seen in (0, 1, 3):
        with pytest.raises(Conflict, match="it is at 2"), database.writing() as session:
            _save(session, "vip", GERMANS, now, expected_version=seen)
    with database.reading() as session:
        assert segment_rule(session, "vip").to_json() == BUYERS


@pytest.mark.parametrize("key", ["", "VIP", "a b", "-a", "a-", "ä", "a/b", "x" * 101, "a\n"])
def test_a_key_is_small_letters_digits_and_hyphens(sqlite_database: Database, now: datetime, key: str) -> None:
    with pytest.raises(Invalid, match="cannot be a key"), sqlite_database.writing() as session:
        _save(session, key, GERMANS, now)


def test_segments_that_hold_each_other_are_refused_by_name(sqlite_database: Database, now: datetime) -> None:
    with sqlite_database.writing() as session:
        _save(session, "a", GERMANS, now)
        _save(session, "b", {"not": {"segment": "a"}}, now)
        _save(session, "c", {"all": [{"segment": "b"}]}, now)
    with pytest.raises(Invalid, match="a > c > b > a"), sqlite_database.writing() as session:
        _save(session, "a", {"any": [BUYERS, {"segment": "c"}]}, now)
    with pytest.raises(Invalid, match="self > self"), sqlite_database.writing() as session:
        _save(session, "self", {"segment": "self"}, now)
    with pytest.raises(NotFound, match='no segment "gone"'), sqlite_database.writing() as session:
        _save(session, "d", {"segment": "gone"}, now)


def test_segments_that_name_others_twice_level_upon_level_are_refused(
    sqlite_database: Database, now: datetime
) -> None:
    with sqlite_database.writing() as session:
        _save(session, "s0", GERMANS, now)
        for number in range(1, 8):
            _save(session, f"s{number}", {"any": [{"segment": f"s{number - 1}"}] * 2}, now)
    with pytest.raises(Invalid, match="500"), sqlite_database.writing() as session:
        _save(session, "s8", {"any": [{"segment": "s7"}] * 4}, now)


def test_a_nested_segment_means_its_rule(database: Database, now: datetime) -> None:
    load(database, people(60, seed=3))
    with database.writing() as session:
        _save(session, "germans", GERMANS, now)
        _save(session, "both", {"all": [{"segment": "germans"}, BUYERS]}, now)
    with database.reading() as session:
        plain = member_ids(session, parse_rule({"all": [GERMANS, BUYERS]}), as_of=AS_OF)
        nested = parse_rule({"segment": "both"})
        assert plain and member_ids(session, nested, as_of=AS_OF) == plain
        assert count(session, nested, as_of=AS_OF) == len(plain)
        assert matching(session.connection(), nested, plain[:3], as_of=AS_OF) == set(plain[:3])


def test_an_archived_segment_leaves_the_list_and_keeps_its_meaning(database: Database, now: datetime) -> None:
    with database.writing() as session:
        _save(session, "vip", GERMANS, now)
        archive_segment(session, "vip", now=now)
        archive_segment(session, "vip", now=now + timedelta(days=1))
    with database.reading() as session:
        assert list_segments(session) == []
        assert [segment.archived_at for segment in list_segments(session, archived=True)] == [now]
        assert segment_rule(session, "vip").to_json() == GERMANS
        with pytest.raises(NotFound, match="See the list"):
            segment_rule(session, "vipp")
