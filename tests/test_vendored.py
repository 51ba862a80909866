"""The lock of the front-end packages names what is vendored, with their integrity and no registry's address."""

import json
from pathlib import Path

ROOT = Path(__file__).parent.parent


def test_the_lock_names_every_vendored_package_in_its_version_and_no_registry() -> None:
    text = (ROOT / "package-lock.json").read_text(encoding="utf-8")
    locked = json.loads(text)["packages"]
    for vendored in json.loads((ROOT / "docs" / "vendored.json").read_text(encoding="utf-8"))["packages"]:
        found = locked[f"node_modules/{vendored['package']}"]
        assert found["version"] == vendored["version"] and found["integrity"].startswith("sha512-")
    assert '"resolved"' not in text
