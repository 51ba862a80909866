"""The check of vendored files notices whatever differs from the list."""

from typing import Any

import pytest

from tests.assets import differences, rewritten

NOTICE = "| `x/` | box | 1.2.0 | MIT (`x/LICENSE`) | `box.js` |"
FILES = {"x/LICENSE": "a" * 64, "x/box.js": "b" * 64}


def _box(**changes: Any) -> dict[str, Any]:
    return {"package": "box", "version": "1.2.0", "licence": "MIT", "licence_file": "x/LICENSE", "folder": "x",
            "files": FILES} | changes


def test_files_as_listed_are_in_order() -> None:
    assert differences([_box()], FILES, notices=NOTICE) == []


@pytest.mark.parametrize(("package", "files", "words"), [
    (_box(), FILES | {"x/more.js": "c" * 64}, "x/more.js: is not listed"),
    (_box(), {"x/LICENSE": "a" * 64}, "x/box.js: is listed but not there"),
    (_box(), FILES | {"x/box.js": "d" * 64}, "x/box.js: is not the listed file (checksum dddddddddddd"),
    (_box(version="1.3.0"), FILES, "no README names it with version 1.3.0"),
    (_box(licence=""), FILES, "the list gives no licence"),
    (_box(files={"x/box.js": "b" * 64}), {"x/box.js": "b" * 64}, "the text of its licence is not among its files"),
])
def test_a_difference_is_named(package: dict[str, Any], files: dict[str, str], words: str) -> None:
    assert any(words in sentence for sentence in differences([package], files, notices=NOTICE))


def test_new_files_are_taken_over_under_their_folder_only() -> None:
    [box] = rewritten([_box()], FILES | {"x/new.js": "c" * 64, "xy/other.js": "d" * 64})
    assert sorted(box["files"]) == ["x/LICENSE", "x/box.js", "x/new.js"]
