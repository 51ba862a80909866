"""Announces and, as root on Debian, installs what the tests need beside Python: PostgreSQL, Chromium and fonts.

Without root nothing is installed: PostgreSQL comes from a wheel and the browser tests that are left out are named.
In a new checkout it also has everything compiled once, by two processes; else each test worker would do it for itself.
"""

import os
import shutil
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parent.parent
PACKAGES = {
    "postgresql": lambda: bool(list(Path("/usr/lib/postgresql").glob("*/bin/initdb"))),
    "chromium-headless-shell": lambda: bool(shutil.which("chromium-headless-shell") or shutil.which("chromium")),
    "fonts-liberation": lambda: Path("/usr/share/fonts/truetype/liberation").is_dir(),
}


def compile_once() -> None:
    """Import every test in two processes, so that the workers find it compiled."""
    if any(Path(__file__).parent.glob("__pycache__/conftest*pytest*.pyc")):
        return
    rooms = sorted(str(path) for path in Path(__file__).parent.iterdir() if (path / "__init__.py").exists())
    collect = [sys.executable, "-m", "pytest", "--collect-only", "--ignore-glob=*/spark/*"]
    halves = [subprocess.Popen([*collect, *rooms[start::2]], cwd=ROOT, stdout=subprocess.DEVNULL) for start in (0, 1)]
    for half in halves:
        half.wait()  # what does not compile is for the tests to say


def main() -> int:
    """Prepare the machine; returns the exit status."""
    status = install()
    if status == 0:
        compile_once()
    return status


def install() -> int:
    """Install what is missing, or say what it means that it is; returns the exit status."""
    missing = [name for name, there in PACKAGES.items() if not there()]
    if not missing:
        return 0
    if os.geteuid() == 0 and shutil.which("apt-get"):
        print(f"Installing Debian packages for the tests: {', '.join(missing)}", file=sys.stderr)
        environment = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
        subprocess.run(["apt-get", "update", "-qq"], check=True, env=environment, stdout=subprocess.DEVNULL)
        subprocess.run(["apt-get", "install", "-y", "-qq", "--no-install-recommends", *missing], check=True,
                       env=environment, stdout=subprocess.DEVNULL)
        return 0
    if "postgresql" in missing:
        print("No PostgreSQL on this machine: the tests use the one from the wheel.", file=sys.stderr)
    if "chromium-headless-shell" in missing:
        print("No Chromium on this machine: tests marked `browser` are left out. As root they run:"
              " apt-get install chromium-headless-shell", file=sys.stderr)
    if os.environ.get("CI") == "true" and missing:
        print(f"CI leaves nothing out, but these are missing: {', '.join(missing)}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
