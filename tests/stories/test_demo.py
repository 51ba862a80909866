"""The demo as a stranger runs it: once, again, and after being killed in the middle."""

import contextlib
import json
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parent.parent.parent


def _demo(home: Path, out: Path, *, deadly: int | None = None) -> tuple[int, str]:
    """Run the demo on a small generated shop; returns exit code and stderr. Killed with -9 at its N-th statement."""
    launcher = ["winback"] if deadly is None else ["tests.stories.killer", str(deadly), os.devnull]
    command = [sys.executable, "-m", *launcher, "demo", "--data", "generated", "--customers", "400", "--no-serve",
               "--json", str(out)]
    environment = {**os.environ, "WINBACK_HOME": str(home)}
    environment.pop("WINBACK_DATABASE_URL", None)
    process = subprocess.Popen(command, env=environment, cwd=ROOT, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE,
                               text=True, start_new_session=True)
    _out, err = process.communicate(timeout=1800)
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)  # the demo's own web server must not outlive it here
    return process.returncode, err


def _counted(out: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(out.read_text(encoding="utf-8"))
    return {name: found[name] for name in ("segment", "history", "messages", "codes", "redemptions", "arms", "holdout",
                                           "effect", "srm")}


@pytest.mark.slow
@pytest.mark.proofs
def test_the_demo_plays_once_and_says_so_when_run_again(tmp_path: Path) -> None:
    code, err = _demo(tmp_path / "home", tmp_path / "first.json")
    assert code == 0, err
    first = _counted(tmp_path / "first.json")
    assert first["segment"]["size"] == sum(arm["assigned"] for arm in first["arms"]) + first["holdout"]["assigned"]
    assert first["redemptions"]["accepted"] == sum(arm["redeemed"] for arm in first["arms"]) > 0
    assert first["messages"]["uncertain"] == 0 and first["codes"]["live"] > 0
    code, err = _demo(tmp_path / "home", tmp_path / "second.json")
    assert code == 0 and "nothing was done again" in err
    assert _counted(tmp_path / "second.json") == first


@pytest.mark.slow
@pytest.mark.proofs
def test_a_demo_killed_again_and_again_ends_like_one_left_alone(tmp_path: Path) -> None:
    home, out = tmp_path / "home", tmp_path / "killed.json"
    for deadly in (250, 1500, 3000):
        code, err = _demo(home, out, deadly=deadly)
        assert code == -9, err
    code, err = _demo(home, out)
    assert code == 0, err
    killed = _counted(out)
    assert killed["messages"]["uncertain"] <= 50 * 4
    assert killed["redemptions"]["accepted"] == sum(arm["redeemed"] for arm in killed["arms"])
    # The clock of this data set starts at the hour the first run began; compare with a calm run only within it.
    assert killed["holdout"]["assigned"] + sum(arm["assigned"] for arm in killed["arms"]) == killed["segment"]["size"]
