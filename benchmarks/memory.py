"""How much memory does this process hold at most while something runs?

Owns reading the high-water mark of Linux, which `getrusage` does not give: a process that is started by another begins
there with the mark of its parent.
"""

from pathlib import Path


def forget_peak() -> None:
    """Begin a new measurement: the mark falls to what is held now."""
    Path("/proc/self/clear_refs").write_text("5", encoding="ascii")


def peak_mb() -> int:
    """The most that was held since the process began, or since `forget_peak`."""
    status = Path("/proc/self/status").read_text(encoding="ascii")
    return next(int(line.split()[1]) for line in status.splitlines() if line.startswith("VmHWM:")) // 1024
