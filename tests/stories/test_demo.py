"""The demo as a stranger runs it: once, again, and after being killed in the middle."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parent.parent.parent


def _demo(home: Path, out: Path, *, kill_after: float | None = None) -> tuple[int, str]:
    """Run the demo on a small generated shop; returns exit code and stderr. Killed with -9 after so many seconds."""
    command = [sys.executable, "-m", "winback", "demo", "--data", "generated", "--customers", "700", "--no-serve",
               "--json", str(out)]
    environment = {**os.environ, "WINBACK_HOME": str(home)}
    environment.pop("WINBACK_DATABASE_URL", None)
    process = subprocess.Popen(command, env=environment, cwd=ROOT, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE,
                               text=True, start_new_session=True)
    if kill_after is not None:
        deadline = time.monotonic() + kill_after
        while process.poll() is None and time.monotonic() < deadline:
            time.sleep(0.1)
        if process.poll() is None:
            # The whole group: the demo's own web server must not outlive it here.
            os.killpg(process.pid, signal.SIGKILL)
    _out, err = process.communicate(timeout=1800)
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
    code = -1
    for seconds in (9, 14, 19, 24, 400):
        code, err = _demo(home, out, kill_after=seconds)
        if code == 0:
            break
    assert code == 0, err
    killed = _counted(out)
    assert killed["messages"]["uncertain"] <= 50 * 4
    assert killed["redemptions"]["accepted"] == sum(arm["redeemed"] for arm in killed["arms"])
    # The clock of this data set starts at the hour the first run began; compare with a calm run only within it.
    assert killed["holdout"]["assigned"] + sum(arm["assigned"] for arm in killed["arms"]) == killed["segment"]["size"]
