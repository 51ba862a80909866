"""The shell door: one clear sentence and the right exit code, whatever is asked."""

import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from sqlalchemy import select

from core.clock import current_now, run_on
from core.database import open_database
from core.errors import Invalid
from core.models import Installation
from core.settings import read_settings
from customers.models import Customer
from web.models import ApiKey
from winback.cli import main
from winback.commands.serving import own_address


class Shell:
    """Runs `winback` in this process against one home."""

    def __init__(self, home: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
        self.home, self._monkeypatch, self._capsys = home, monkeypatch, capsys
        monkeypatch.setenv("WINBACK_HOME", str(home))
        for name in ("WINBACK_DATABASE_URL", "WINBACK_SECRET_KEY", "WINBACK_SMTP_URL", "WINBACK_ENGINE_URL"):
            monkeypatch.delenv(name, raising=False)

    def run(self, *words: str) -> tuple[int, str, str]:
        """Exit code, stdout, stderr."""
        self._monkeypatch.setattr(sys, "argv", ["winback", *words])
        code = 0
        try:
            main()
        except SystemExit as end:
            code = int(end.code or 0)
        out = self._capsys.readouterr()
        return code, out.out, out.err


@pytest.fixture
def shell(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Shell:
    return Shell(tmp_path / "home", monkeypatch, capsys)


def test_a_command_on_an_empty_database_says_what_to_run(shell: Shell) -> None:
    code, out, err = shell.run("tick")
    assert (code, out) == (1, "")
    assert "winback db upgrade" in err and "Traceback" not in err


@pytest.mark.parametrize(
    ("name", "value"),
    [("WINBACK_DATABASE_URL", "mysql://x"), ("WINBACK_DATABASE_URL", "nonsense"), ("WINBACK_SMTP_URL", "http://x"),
     ("WINBACK_BASE_URL", "winback.example"), ("WINBACK_SECRET_KEY", "short"), ("WINBACK_ENGINE_URL", "abacus:"),
     ("WINBACK_SMTP_URL", "smtp://host:99999")],
)
def test_a_bad_setting_stops_the_start_with_a_sentence_that_names_it(
    shell: Shell, monkeypatch: pytest.MonkeyPatch, name: str, value: str
) -> None:
    monkeypatch.setenv(name, value)
    code, _out, err = shell.run("doctor")
    assert code == 1 and name in err


def test_wrong_use_ends_with_2(shell: Shell) -> None:
    assert shell.run("no-such-command")[0] == 2
    assert shell.run("key", "add", "--scope", "everything")[0] == 2
    assert shell.run("segment", "count", "--nonsense")[0] == 2


def test_set_up_prints_a_key_alone_on_stdout_and_is_harmless_when_repeated(shell: Shell) -> None:
    assert shell.run("db", "upgrade")[0] == 0
    assert shell.run("db", "upgrade")[0] == 0
    code, out, _err = shell.run("key", "add", "--scope", "redemptions", "--scope", "read", "--name", "shop")
    assert code == 0 and out.startswith("wb_") and out.count("\n") == 1
    database = open_database(f"sqlite:///{shell.home / 'winback.db'}")
    with database.reading() as session:
        assert session.execute(select(ApiKey.scopes)).scalar_one() == ["read", "redemptions"]
    database.dispose()
    code, out, _err = shell.run("user", "add", "mara@example.com", "--role", "admin")
    assert code == 0 and len(out.strip()) >= 12
    code, _out, err = shell.run("user", "add", "mara@example.com")
    assert code == 1 and "already has a login" in err
    code, out, _err = shell.run("doctor")
    assert code == 0 and "WRONG" not in out


def test_the_clock_of_a_live_installation_does_not_move_and_that_of_a_test_home_does(shell: Shell) -> None:
    shell.run("db", "upgrade")
    ahead = (datetime.now(UTC) + timedelta(days=3)).isoformat()
    code, _out, err = shell.run("tick", "--until", ahead)
    assert code == 1 and "live installation" in err
    assert shell.run("tick")[0] == 0
    other = shell.home.parent / "other"
    shell.home = other
    shell._monkeypatch.setenv("WINBACK_HOME", str(other))
    assert shell.run("db", "upgrade", "--test-home")[0] == 0
    assert shell.run("tick", "--until", ahead)[0] == 0
    database = open_database(f"sqlite:///{other / 'winback.db'}")
    with database.reading() as session:
        assert abs(current_now(session.connection()) - datetime.fromisoformat(ahead)) < timedelta(minutes=1)
    database.dispose()
    for far in ("9999-12-31T23:59-14:00", "9000-01-01"):  # a home's clock never comes back from there
        code, _out, err = shell.run("tick", "--until", far)
        assert (code, "is not an instant of our time" in err) == (1, True)
    code, _out, err = shell.run("tick", "--until", "tomorrow")
    assert code == 1 and "2026-03-02T09:00:00Z" in err


def test_a_clock_left_standing_runs_on_from_where_it_stood(shell: Shell) -> None:
    shell.run("db", "upgrade", "--test-home")
    database = open_database(f"sqlite:///{shell.home / 'winback.db'}")
    stood = datetime(2026, 1, 1, tzinfo=UTC)
    with database.writing() as session:
        session.execute(select(Installation)).scalar_one().clock_stands_at = stood
    with database.writing() as session:
        assert current_now(session.connection()) == stood
        run_on(session.connection())
        run_on(session.connection())
        assert stood <= current_now(session.connection()) < stood + timedelta(minutes=1)
    database.dispose()


def test_the_demo_refuses_a_database_that_holds_other_data(shell: Shell) -> None:
    shell.run("db", "upgrade")
    database = open_database(f"sqlite:///{shell.home / 'winback.db'}")
    with database.writing() as session:
        session.add(Customer(external_id="real", imported_at=datetime(2026, 1, 1, tzinfo=UTC)))
    database.dispose()
    code, _out, err = shell.run("demo", "--no-serve")
    assert code == 1 and "other data" in err
    code, _out, err = shell.run("demo", "--no-serve", "--customers", "300")
    assert code == 1 and "generated" in err


def test_settings_are_read_once_and_the_made_up_key_is_kept(tmp_path: Path) -> None:
    first = read_settings({"WINBACK_HOME": str(tmp_path)})
    assert read_settings({"WINBACK_HOME": str(tmp_path)}).secret_key == first.secret_key
    assert (tmp_path / "secret_key").stat().st_mode & 0o077 == 0
    (tmp_path / "secret_key").write_text("x", encoding="ascii")
    with pytest.raises(Invalid, match="damaged"):
        read_settings({"WINBACK_HOME": str(tmp_path)})


def test_the_inbox_is_listed_and_replayed_from_the_shell(shell: Shell) -> None:
    assert shell.run("db", "upgrade", "--test-home")[0] == 0
    assert shell.run("inbox", "list") == (0, "", "")
    code, _out, err = shell.run("inbox", "replay", "--failed")
    assert code == 0 and "0 to be worked through again." in err
    code, _out, err = shell.run("inbox", "replay", "7")
    assert code == 1 and "There is no such delivery." in err
    code, _out, err = shell.run("inbox", "replay")
    assert code == 1 and "--failed" in err


@pytest.mark.parametrize(("host", "told"), [
    ("127.0.0.1", "http://127.0.0.1:9000"), ("0.0.0.0", "http://127.0.0.1:9000"), ("::1", "http://[::1]:9000"),
])
def test_what_is_served_at_another_port_says_so_in_links_unless_the_address_is_set(host: str, told: str) -> None:
    assert own_address({}, host, 9000) == {"WINBACK_BASE_URL": told}
    assert own_address({"WINBACK_BASE_URL": "https://winback.example"}, host, 9000) == {}
