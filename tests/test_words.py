"""What the project says stays true on anybody's machine: no places that exist only where it was written.

Checked are phrases that can be defined cleanly: registry hosts, paths of one machine and notes of unfinished work.
"""

import re
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
ROOMS = ("core", "customers", "coupons", "delivery", "segments", "campaigns", "journeys", "reporting", "web", "winback",
         "migrations", "benchmarks")
BINARY = frozenset({".ttf", ".png", ".woff2", ".ico", ".parquet", ".gz"})
# Other people's text, and the lists of phrases themselves.
LEFT_OUT = ("web/static/vendor/", "delivery/fonts/arimo/", "web/icons/LICENSE", "tests/test_words.py")
ANYWHERE = {
    # Written in halves: this file must not hold what it looks for.
    "a registry host": r"\bpy" r"pi\.org|python" r"hosted\.org|registry\.npm" r"js|\bunp" r"kg\.com|jsdel" r"ivr\.net",
    "a path of one machine": r"(?<![\w./>])/(?:work|root|home/\w+)/",
    "a note of unfinished work": r"\b(?:TODO|FIXME|XXX|HACK)\b|raise NotImplementedError",
}
IN_PRODUCT = {"a temporary path": r"""["'(\s]/tmp\b"""}


def tracked() -> list[str]:
    """The files of the project: what git knows, or in an archive without git everything in our folders."""
    asked = subprocess.run(["git", "ls-files", "--cached", "--others", "--exclude-standard"], cwd=ROOT,
                           capture_output=True, text=True, check=False)
    if asked.returncode == 0 and asked.stdout:
        names = asked.stdout.splitlines()
    else:
        names = [path.relative_to(ROOT).as_posix() for folder in (*ROOMS, "tests", "docs", "examples")
                 for path in (ROOT / folder).rglob("*") if "__pycache__" not in path.parts]
        names += [path.name for path in ROOT.iterdir()]
    return [name for name in names
            if not name.startswith(LEFT_OUT) and Path(name).suffix not in BINARY and (ROOT / name).is_file()]


def found(text: str, phrases: dict[str, str]) -> list[str]:
    """Line and kind of every phrase in a text."""
    return [f"{text.count(chr(10), 0, match.start()) + 1}: {kind}: {match.group().strip()}"
            for kind, pattern in phrases.items() for match in re.finditer(pattern, text)]


def test_no_file_names_a_registry_a_machine_or_its_own_making() -> None:
    wrong = []
    names = tracked()
    assert len(names) > 300
    for name in names:
        phrases = ANYWHERE | (IN_PRODUCT if name.split("/")[0] in ROOMS else {})
        wrong += [f"{name}:{where}" for where in found((ROOT / name).read_text(encoding="utf-8"), phrases)]
    assert wrong == []


@pytest.mark.parametrize("text", [
    "https://py" + "pi.org/simple", "https://registry.npm" + "js.org/x", "open('/ro" + "ot/x')", "# TO" + "DO later",
    "FIX" + "ME", "raise NotImplemented" + "Error",
])
def test_such_a_phrase_would_be_found(text: str) -> None:
    assert found(text, ANYWHERE)


@pytest.mark.parametrize("text", [
    "with database.writing() as session:", "visible to this session", "signs links and sessions", "/api/v1/homework/",
    "a method to do",
])
def test_ordinary_words_are_left_alone(text: str) -> None:
    assert found(text, ANYWHERE) == []


def test_a_temporary_path_is_no_place_for_the_product() -> None:
    assert found('Path("/tmp/x")', IN_PRODUCT) and not found("https://x.example/tmp", IN_PRODUCT)
