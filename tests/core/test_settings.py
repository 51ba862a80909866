"""A bad value stops the start with a sentence that names the variable; good ones are read once."""

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from core.errors import SettingsError
from core.settings import Settings, read_settings


def _read(folder: Path, **given: str) -> Settings:
    return read_settings({"WINBACK_HOME": str(folder), "WINBACK_SECRET_KEY": "0123456789abcdef", **given})


@pytest.mark.parametrize(("name", "value"), [
    ("WINBACK_ZONE", "Europe/Nowhere"), ("WINBACK_ZONE", "../etc/passwd"), ("WINBACK_ZONE", "/etc/localtime"),
    ("WINBACK_QUESTION_SECONDS", "soon"), ("WINBACK_QUESTION_SECONDS", "0"), ("WINBACK_QUESTION_SECONDS", "nan"),
    ("WINBACK_ENGINE_URL", "oracle:"), ("WINBACK_SMTP_URL", "mail.example"), ("WINBACK_SECRET_KEY", "short"),
    ("WINBACK_BASE_URL", "winback.example"), ("WINBACK_DATABASE_URL", "mysql://localhost/winback"),
])
def test_a_bad_value_is_refused_by_the_name_of_its_variable(tmp_path: Path, name: str, value: str) -> None:
    with pytest.raises(SettingsError, match=f"^{name}: "):
        _read(tmp_path, **{name: value})


def test_what_is_not_said_has_a_default(tmp_path: Path) -> None:
    settings = _read(tmp_path)
    assert (settings.zone, settings.question_seconds, settings.engine_url) == ("UTC", 20, "duckdb:")
    assert _read(tmp_path, WINBACK_ZONE="Europe/Berlin").zone == "Europe/Berlin"


def test_processes_that_start_at_once_in_a_new_home_agree_on_its_secret(tmp_path: Path) -> None:
    environ = {"WINBACK_HOME": str(tmp_path / "home")}
    with ThreadPoolExecutor(8) as pool:
        keys = {settings.secret_key for settings in pool.map(read_settings, [environ] * 24)}
    assert len(keys) == 1 and len(keys.pop()) >= 32
    files = list((tmp_path / "home").iterdir())
    assert [file.name for file in files] == ["secret_key"] and files[0].stat().st_mode & 0o077 == 0
