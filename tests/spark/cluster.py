"""A real Spark cluster for the tests: a master and workers on loopback, each a process that can be killed."""

import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pyspark

HOME = Path(pyspark.__file__).parent


@dataclass
class Cluster:
    """Where the master listens, and the workers' processes."""

    master: str
    workers: list[subprocess.Popen[bytes]]

    def kill(self, number: int) -> None:
        """End a worker and the executor it started, as if its machine had lost power."""
        os.killpg(self.workers[number].pid, signal.SIGKILL)
        self.workers[number].wait(120)


@contextmanager
def running_cluster(folder: Path, *, workers: int = 2) -> Iterator[Cluster]:
    """A master and so many workers of one core each; all end with the block."""
    started: list[subprocess.Popen[bytes]] = []

    def start(name: str, kind: str, *arguments: str) -> subprocess.Popen[bytes]:
        environ = {**os.environ, "SPARK_HOME": str(HOME), "SPARK_LOCAL_IP": "127.0.0.1", "SPARK_DAEMON_MEMORY": "256m",
                   "SPARK_WORKER_DIR": str(folder / name), "PYSPARK_PYTHON": sys.executable}
        with (folder / f"{name}.log").open("wb") as log:
            # A session of its own: the worker's executors die with it when the whole group is killed.
            process = subprocess.Popen(
                [str(HOME / "bin" / "spark-class"), f"org.apache.spark.deploy.{kind}", "--host", "127.0.0.1",
                 *arguments], env=environ, stdout=log, stderr=log, start_new_session=True)
        started.append(process)
        return process

    try:
        start("master", "master.Master", "--port", "0", "--webui-port", "0")
        master = _said(folder / "master.log", r"Starting Spark master at (spark://\S+)")
        _said(folder / "master.log", "I have been elected leader")
        for number in range(workers):
            start(f"worker{number}", "worker.Worker", "--cores", "1", "--memory", "600m", "--webui-port",
                  "0", master)
        for number in range(workers):
            _said(folder / f"worker{number}.log", "Successfully registered with master")
        yield Cluster(master, started[1:])
    finally:
        for process in started:
            if process.poll() is None:
                os.killpg(process.pid, signal.SIGKILL)
                process.wait(120)


def _said(log: Path, words: str, seconds: float = 300) -> str:
    """Wait until a log says it; the last group, or all of what was looked for."""
    deadline = time.monotonic() + seconds
    while (found := re.search(words, log.read_text(errors="replace"))) is None:
        if time.monotonic() > deadline:
            raise RuntimeError(f"{log.name} did not say: {words}\n{log.read_text(errors='replace')[-2000:]}")
        time.sleep(0.1)
    return str(found[found.lastindex or 0])
