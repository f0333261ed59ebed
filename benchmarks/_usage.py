"""What a process uses of the machine. Imports nothing, so that asking costs nothing."""

from __future__ import annotations

from pathlib import Path


def memory_of(pid: int | str = "self") -> tuple[float, float]:
    """Give the memory of a process now and at its peak, in MB (10^6 bytes).

    ``getrusage`` would count the parent's memory at the time of the fork.
    """
    values = {}
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        name, _, rest = line.partition(":")
        if name in {"VmRSS", "VmHWM"}:
            values[name] = int(rest.split()[0]) * 1024 / 1e6
    return values["VmRSS"], values["VmHWM"]
