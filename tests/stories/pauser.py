"""Runs a `winback` command and lets it stand still at the N-th SQL statement of its main thread, until told to go on.

`python -m tests.stories.pauser N FOLDER winback-arguments...`: `FOLDER/here` says that it stands, `FOLDER/go` lets it
go on. The product has no such switch: this launcher listens to SQLAlchemy from outside.
"""

import sys
import threading
import time
from pathlib import Path
from typing import Any

from sqlalchemy import event
from sqlalchemy.engine import Engine

from winback.cli import main


def _arm(statement: int, folder: Path) -> None:
    seen = 0

    def one_more(*_: Any) -> None:
        nonlocal seen
        if threading.current_thread() is not threading.main_thread():
            return
        seen += 1
        if seen == statement:
            (folder / "here").touch()
            while not (folder / "go").exists():
                time.sleep(0.01)

    event.listen(Engine, "before_cursor_execute", one_more)


if __name__ == "__main__":
    _arm(int(sys.argv[1]), Path(sys.argv[2]))
    sys.argv = ["winback", *sys.argv[3:]]
    main()
