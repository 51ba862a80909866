"""Folders, tags, copies, the archive and deletion: what is used stays, and the refusal says who uses it."""

import pytest
from sqlalchemy import func, select

from core.database import Database
from core.errors import Conflict, Invalid
from core.settings import Settings
from segments.engines.questions import Questions
from segments.language.rules import parse_rule
from segments.membership.refreshing import refresh
from segments.models import Segment, SegmentMember, SegmentRefresh, SegmentVersion
from segments.saving.filing import (
    archive_segment,
    delete_segment,
    duplicate_segment,
    file_segment,
    rename_folder,
    rename_segment,
    set_refreshing,
    unarchive_segment,
)
from segments.saving.saved import save_segment, segment_by_key
from segments.saving.uses import Use, uses_by_segments
from tests.segments.population import AS_OF, load, people


@pytest.fixture
def saved(sqlite_database: Database) -> Database:
    """Two segments: `inner`, and `outer` whose rule names it."""
    with sqlite_database.writing() as session:
        save_segment(session, "inner", name="Inner", rule=parse_rule({"all": []}), description="d", now=AS_OF)
        save_segment(session, "outer", name="Outer", rule=parse_rule({"not": {"segment": "inner"}}), now=AS_OF)
    return sqlite_database


def test_folders_and_tags_are_kept_tidy(saved: Database) -> None:
    with saved.writing() as session:
        filed = file_segment(session, "inner", folder="  Win  back ", tags=["a", " b ", "a", ""], now=AS_OF)
        assert (filed.folder, filed.tags) == ("Win back", ["a", "b"])
        file_segment(session, "outer", folder="Win back", tags=[], now=AS_OF)
        assert rename_folder(session, "Win back", new="Lapsed") == 2
        assert segment_by_key(session, "outer").folder == "Lapsed"
        assert rename_folder(session, "Lapsed", new=None) == 2
        assert segment_by_key(session, "outer").folder is None
        for wrong in ({"folder": "x" * 101, "tags": []}, {"folder": None, "tags": [str(n) for n in range(21)]}):
            with pytest.raises(Invalid):
                file_segment(session, "inner", now=AS_OF, **wrong)  # type: ignore[arg-type]


def test_a_copy_takes_rule_description_folder_and_tags_along(saved: Database) -> None:
    with saved.writing() as session:
        file_segment(session, "inner", folder="F", tags=["t"], now=AS_OF)
        copy = duplicate_segment(session, "inner", new_key="copy", name="Copy", author="Ada", now=AS_OF)
        assert (copy.folder, copy.tags, copy.description, copy.version, copy.kind) == ("F", ["t"], "d", 1, "rule")
        with pytest.raises(Conflict):
            duplicate_segment(session, "inner", new_key="copy", name="Copy", now=AS_OF)


def test_what_a_rule_names_is_neither_archived_nor_deleted(saved: Database) -> None:
    with saved.writing() as session:
        assert uses_by_segments(session, "inner") == [Use("segment", "outer", "Outer", "in its rule")]
        with pytest.raises(Conflict, match="Not archived: “Inner” is used by the segment “Outer”"):
            archive_segment(session, "inner", now=AS_OF)
        with pytest.raises(Conflict, match="Not deleted: “Inner” is used by the segment “Outer”"):
            delete_segment(session, "inner")
        archive_segment(session, "outer", now=AS_OF)
        archive_segment(session, "inner", now=AS_OF)
        with pytest.raises(Conflict, match="archive it instead"):
            delete_segment(session, "inner")
        unarchive_segment(session, "inner", now=AS_OF)
        assert segment_by_key(session, "inner").archived_at is None


def test_uses_from_above_count_and_are_named(saved: Database) -> None:
    uses = [Use("campaign", f"c{n}", f"Spring {n}", "its audience", over=n > 0) for n in range(7)]
    with saved.writing() as session:
        with pytest.raises(Conflict, match="the campaign “Spring 0”"):
            archive_segment(session, "outer", above=lambda *_: uses, now=AS_OF)
        archive_segment(session, "outer", above=lambda *_: uses[1:], now=AS_OF)
        with pytest.raises(Conflict, match=r"and 2 more\. Their results stand on it"):
            delete_segment(session, "outer", above=lambda *_: [*uses[1:], uses[1]])


def test_deleting_leaves_nothing_behind(saved: Database, tmp_path: object, settings: Settings) -> None:
    load(saved, people(5, seed=1))
    refresh(saved, Questions(saved, settings, engine="rows"), "inner", now=AS_OF)
    with saved.writing() as session:
        assert session.scalar(select(func.count()).select_from(SegmentMember)) == 5
        delete_segment(session, "outer")
        delete_segment(session, "inner")
        for table in (Segment, SegmentVersion, SegmentRefresh, SegmentMember):
            assert session.scalar(select(func.count()).select_from(table)) == 0


@pytest.fixture
def database_url() -> str:
    """Only the settings' home is used here."""
    return "sqlite:///unused.db"


def test_names_change_and_keys_stay(saved: Database) -> None:
    with saved.writing() as session:
        assert rename_segment(session, "inner", name=" New ", description="", now=AS_OF).name == "New"
        assert segment_by_key(session, "inner").description is None
        with pytest.raises(Invalid):
            rename_segment(session, "inner", name=" ", now=AS_OF)
        assert set_refreshing(session, "inner", seconds=None).refresh_seconds is None
        with pytest.raises(Invalid):
            set_refreshing(session, "inner", seconds=5)
