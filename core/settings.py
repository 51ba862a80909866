"""Which installation is this? Reads the environment once, into one frozen object.

Owns the names, defaults and checks of all `WINBACK_*` variables. A bad value stops the start with a sentence that
names the variable and the way out; nothing below the doors reads the environment again.
"""

import contextlib
import os
import secrets
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from ipaddress import IPv4Network, IPv6Network, ip_network
from pathlib import Path
from urllib.parse import urlsplit
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from sqlalchemy.engine import make_url
from sqlalchemy.exc import ArgumentError

from core.errors import SettingsError

Network = IPv4Network | IPv6Network


@dataclass(frozen=True)
class Settings:
    """One installation's settings. `home` holds every file; `secret_key` signs links and sessions."""

    database_url: str
    home: Path
    secret_key: str
    base_url: str
    smtp_url: str | None
    engine_url: str
    question_seconds: float = 20
    """How long a question about an audience may take while somebody waits for it."""
    zone: str = "UTC"
    """The time zone in which pages show instants."""
    visits_days: int = 730
    """How long the steps of people who have left a journey are kept; 0: for ever. Their numbers always are."""
    private_receivers: tuple[Network, ...] = ()
    """Networks of our own that journeys' calls to other programs may reach; public addresses always may."""

    @property
    def is_sqlite(self) -> bool:
        return self.database_url.startswith("sqlite")


def read_settings(environ: Mapping[str, str]) -> Settings:
    """Check every variable and return the frozen settings.

    Creates the home directory and, if `WINBACK_SECRET_KEY` is unset, a random key kept there (mode 0600).
    Raises SettingsError with the variable's name when a value cannot be used.
    """
    home = Path(environ.get("WINBACK_HOME") or "var").expanduser().resolve()
    try:
        home.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise SettingsError(f"WINBACK_HOME: {home} cannot be used as a folder ({error.strerror}).") from error
    return Settings(
        database_url=_database_url(environ.get("WINBACK_DATABASE_URL") or f"sqlite:///{home / 'winback.db'}"),
        home=home,
        secret_key=_secret_key(environ.get("WINBACK_SECRET_KEY"), home),
        base_url=_web_url("WINBACK_BASE_URL", environ.get("WINBACK_BASE_URL") or "http://127.0.0.1:8000"),
        smtp_url=_smtp_url(environ.get("WINBACK_SMTP_URL")),
        engine_url=_engine_url(environ.get("WINBACK_ENGINE_URL") or "duckdb:"),
        question_seconds=_seconds("WINBACK_QUESTION_SECONDS", environ.get("WINBACK_QUESTION_SECONDS") or "20"),
        zone=_zone(environ.get("WINBACK_ZONE") or "UTC"),
        visits_days=_days("WINBACK_VISITS_DAYS", environ.get("WINBACK_VISITS_DAYS") or "730"),
        private_receivers=_networks(environ.get("WINBACK_PRIVATE_RECEIVERS") or ""),
    )


def _database_url(text: str) -> str:
    try:
        url = make_url(text)
    except ArgumentError as error:
        raise SettingsError(
            "WINBACK_DATABASE_URL: not a database address. Use sqlite:///path or postgresql://user@host/name."
        ) from error
    backend = url.get_backend_name()
    if backend == "sqlite":
        if not url.database or url.database == ":memory:":
            raise SettingsError("WINBACK_DATABASE_URL: SQLite needs a file, for example sqlite:///var/winback.db.")
        folder = Path(url.database).resolve().parent
        if not folder.is_dir():
            raise SettingsError(f"WINBACK_DATABASE_URL: the folder {folder} does not exist.")
        return f"sqlite:///{Path(url.database).resolve()}"
    if backend in ("postgresql", "postgres"):
        return url.set(drivername="postgresql+psycopg").render_as_string(hide_password=False)
    raise SettingsError(f"WINBACK_DATABASE_URL: {backend} is not supported. Use sqlite or postgresql.")


def _secret_key(given: str | None, home: Path) -> str:
    if given is not None:
        if len(given) < 16:
            raise SettingsError("WINBACK_SECRET_KEY: use at least 16 characters.")
        return given
    path = home / "secret_key"
    if not path.exists():
        _publish_once(path, secrets.token_urlsafe(32))
    text = path.read_text(encoding="ascii").strip()
    if len(text) < 16:
        raise SettingsError(f"WINBACK_SECRET_KEY: {path} is damaged. Remove it or set the variable.")
    return text


def _publish_once(path: Path, text: str) -> None:
    """Write a private file that appears whole or not at all; of several processes at it, the first one's stays."""
    descriptor, draft = tempfile.mkstemp(prefix=path.name, dir=path.parent)  # readable by its owner alone
    try:
        with os.fdopen(descriptor, "w", encoding="ascii") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        with contextlib.suppress(FileExistsError):
            os.link(draft, path)
    finally:
        Path(draft).unlink()


def _web_url(name: str, text: str) -> str:
    parts = urlsplit(text)
    if parts.scheme not in ("http", "https") or not parts.netloc or parts.query or parts.fragment:
        raise SettingsError(f"{name}: {text!r} is not a web address such as https://winback.example.")
    return text.rstrip("/")


def _smtp_url(text: str | None) -> str | None:
    if not text:
        return None
    parts = urlsplit(text)
    try:
        port_fits = parts.port is None or 0 < parts.port < 65536
    except ValueError:
        port_fits = False
    if parts.scheme not in ("smtp", "smtps") or not parts.hostname or not port_fits:
        raise SettingsError("WINBACK_SMTP_URL: use smtp://user:password@host:port or smtps://host.")
    return text


def _engine_url(text: str) -> str:
    if text in ("duckdb:", "rows:") or text.startswith(("spark://", "spark:local")):
        return text
    raise SettingsError("WINBACK_ENGINE_URL: use duckdb: (the mirror), rows: (the database itself), spark://host:7077 "
                        "(a cluster) or spark:local.")


def _zone(text: str) -> str:
    try:
        return ZoneInfo(text).key
    except (ZoneInfoNotFoundError, ValueError, OSError) as error:
        raise SettingsError(f"WINBACK_ZONE: {text!r} is not a time zone. Use one such as Europe/Berlin.") from error


def _days(name: str, text: str) -> int:
    if not (text.isascii() and text.isdigit() and len(text) <= 5 and (text == "0" or int(text) >= 90)):
        raise SettingsError(f"{name}: {text!r} is not a number of days. Use 90 or more, or 0 for ever.")
    return int(text)


def _networks(text: str) -> tuple[Network, ...]:
    try:
        return tuple(ip_network(part.strip()) for part in text.split(",") if part.strip())
    except ValueError as error:
        raise SettingsError(f"WINBACK_PRIVATE_RECEIVERS: {text!r} is not a list of networks. Use some such as "
                            "10.20.0.0/16, 127.0.0.1.") from error


def _seconds(name: str, text: str) -> float:
    try:
        seconds = float(text)
    except ValueError:
        seconds = 0
    if not 0.1 <= seconds <= 86_400:  # not a number fails this, too
        raise SettingsError(f"{name}: {text!r} is not a number of seconds between 0.1 and 86400.")
    return seconds
