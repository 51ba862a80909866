"""How do the doors meet the network?

Owns starting the web server: granian where it is to be had, waitress else. Both serve the same WSGI application, made
in each worker process from the environment.
"""

import gc
import importlib
import importlib.util
import sys
import threading
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from winback.context import open_context

if TYPE_CHECKING:
    from flask import Flask

THREADS = 16
"""Requests at work at once in one process: as many as its pool keeps connections to PostgreSQL. More would open and
close a connection for each request; the rest waits in the queue in front of the threads."""


@lru_cache(maxsize=1)
def make_application() -> "Flask":
    """The WSGI application of this process."""
    from web.app import create_app

    context = open_context()
    threading.Thread(target=_warm, name="warm-up", daemon=True).start()
    return create_app(context.settings, context.database)


def _warm() -> None:
    """Import statsmodels beside the first requests: it takes seconds, and nobody should wait for them at a report."""
    importlib.import_module("statsmodels.stats.proportion")
    importlib.import_module("statsmodels.stats.multitest")
    settle()


SWITCH_SECONDS = 0.001
"""A thread that comes back from the database waits so long for the interpreter beside busy ones. At Python's own 5 ms
the one that writes, and with it everybody who waits for the commit, stood still for that after each statement."""


def settle() -> None:
    """What starting has made stays: let the garbage collector not walk all of it while requests wait."""
    sys.setswitchinterval(SWITCH_SECONDS)
    gc.collect()
    gc.freeze()


def application(environ: dict[str, Any], start_response: Any) -> Any:
    """WSGI entry; the application is made at the first request, so after any fork."""
    return make_application()(environ, start_response)


def serve_web(host: str, port: int, *, workers: int) -> None:
    """Serve until ended."""
    if importlib.util.find_spec("granian") is not None:
        from granian.constants import Interfaces
        from granian.server import Server

        Server(
            "winback.serving:application", address=host, port=port, interface=Interfaces.WSGI, workers=workers,
            blocking_threads=THREADS, backlog=1024, log_access=False, respawn_failed_workers=True,
        ).serve()
        return
    import waitress

    waitress.serve(application, host=host, port=port, threads=THREADS)
