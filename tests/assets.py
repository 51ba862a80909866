"""Are the files of others that we ship the ones their notice says?

`python -m tests.assets` compares every file under the vendored folders with `docs/vendored.json`, which names for each
its package, version, licence and checksum. Differences are listed and exit 1. `--write` takes the files as they are
into the list, under the packages it names already: to be done by whoever has just copied them from that package.
"""

import hashlib
import json
import sys
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parent.parent
MANIFEST = ROOT / "docs" / "vendored.json"
FOLDERS = ("web/static/vendor", "web/icons", "delivery/fonts")
NEEDED = ("package", "version", "licence", "licence_file", "folder", "files")
OURS = frozenset({"web/static/vendor/README.md", "delivery/fonts/README.md"})


def vendored_files(root: Path) -> dict[str, str]:
    """Path below `root` -> sha256 of every file that is not ours."""
    found = {}
    for folder in FOLDERS:
        for path in sorted((root / folder).rglob("*")):
            name = path.relative_to(root).as_posix()
            if path.is_file() and name not in OURS:
                found[name] = hashlib.sha256(path.read_bytes()).hexdigest()
    return found


def differences(packages: list[dict[str, Any]], files: dict[str, str], *, notices: str) -> list[str]:
    """Sentences on everything that differs between the list and the files; `notices` is the text of our READMEs."""
    wrong: list[str] = []
    listed: dict[str, str] = {}
    for package in packages:
        name = package.get("package") or "a package without a name"
        wrong += [f"{name}: the list gives no {key}" for key in NEEDED if not package.get(key)]
        if package.get("licence_file") not in package.get("files", {}):
            wrong.append(f"{name}: the text of its licence is not among its files")
        version, licence = package.get("version"), package.get("licence")
        if f"| {name} | {version} | {licence} " not in notices:
            wrong.append(f"{name}: no README names it with version {version} and licence {licence}")
        for path, checksum in package.get("files", {}).items():
            if path in listed:
                wrong.append(f"{path}: is listed twice")
            listed[path] = checksum
    wrong += [f"{path}: is not listed" for path in sorted(files.keys() - listed.keys())]
    wrong += [f"{path}: is listed but not there" for path in sorted(listed.keys() - files.keys())]
    wrong += [f"{path}: is not the listed file (checksum {files[path][:12]}, listed {listed[path][:12]})"
              for path in sorted(files.keys() & listed.keys()) if files[path] != listed[path]]
    return wrong


def rewritten(packages: list[dict[str, Any]], files: dict[str, str]) -> list[dict[str, Any]]:
    """The list with the files as they are, each under the package whose folder holds it."""
    return [
        {**package, "files": {path: sha for path, sha in files.items() if path.startswith(package["folder"] + "/")}}
        for package in packages
    ]


def main(arguments: list[str]) -> int:
    """Compare, or with `--write` take over; returns the exit status."""
    packages: list[dict[str, Any]] = json.loads(MANIFEST.read_text(encoding="utf-8"))["packages"]
    files = vendored_files(ROOT)
    if arguments == ["--write"]:
        packages = rewritten(packages, files)
        MANIFEST.write_text(json.dumps({"packages": packages}, indent=1) + "\n", encoding="utf-8")
    notices = "\n".join((ROOT / name).read_text(encoding="utf-8") for name in sorted(OURS))
    wrong = differences(packages, files, notices=notices)
    for sentence in wrong:
        print(sentence, file=sys.stderr)
    print(f"{len(files)} vendored files, {len(wrong)} differences from {MANIFEST.relative_to(ROOT)}.")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
