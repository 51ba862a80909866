"""Runs a `winback` command and kills its own process (-9) at the N-th SQL statement; N = 0 only counts.

`python -m tests.stories.killer N COUNT_FILE winback-arguments...`. The product has no such switch: this launcher
listens to SQLAlchemy from outside.
"""

import os
import signal
import sys
from pathlib import Path
from typing import Any

from sqlalchemy import event
from sqlalchemy.engine import Engine

from winback.cli import main


def _arm(deadly: int, count_file: Path) -> None:
    seen = 0

    def one_more(*_: Any) -> None:
        nonlocal seen
        seen += 1
        if seen == deadly:
            os.kill(os.getpid(), signal.SIGKILL)
        if not deadly:
            count_file.write_text(str(seen), encoding="ascii")

    event.listen(Engine, "before_cursor_execute", one_more)
    event.listen(Engine, "commit", one_more)


if __name__ == "__main__":
    _arm(int(sys.argv[1]), Path(sys.argv[2]))
    sys.argv = ["winback", *sys.argv[3:]]
    main()
