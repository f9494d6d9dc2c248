"""How much memory there is, and sizes as people write them. Numbers and text; no pixels."""

from __future__ import annotations

import contextlib
import ctypes
import re
import sys
from pathlib import Path

import psutil

from colorbatch.errors import UsageError

UNITS = "KMGT"
"""Each is 1024 of the one before it."""
LEAST = 512 * 2**20
"""The program and its model need most of it (`memory_need.BASE_BYTES`)."""
NO_LIMIT = 2**60
"""Control groups of the first version write such numbers where there is no limit."""


def parse(text: str) -> int:
    """Bytes of "4G", "800M", "1.5 GiB" (a unit is 1024 of the one below it). Raises UsageError."""
    found = re.fullmatch(r"\s*(\d+(?:\.\d+)?)\s*([KMGT])(?:i?B)?\s*", text, re.ASCII | re.I)
    if found is None:
        raise UsageError(f"--memory {text}: a size is wanted, such as 4G or 800M")
    size = float(found[1]) * 1024 ** (1 + UNITS.index(found[2].upper()))
    if not LEAST <= size < NO_LIMIT:
        raise UsageError(
            f"--memory {text}: at least {LEAST // 2**20}M is wanted",
            "the program and its model need most of that",
        )
    return int(size)


def text(size: int) -> str:
    """Bytes as people write them: "1.5G"."""
    return f"{size / 2**30:.1f}G"


def of_machine(processes: Path = Path("/proc"), groups: Path = Path("/sys/fs/cgroup")) -> int:
    """Bytes of memory that this process may use: the machine's, or its container's where that is
    less (Linux control groups, of both versions)."""
    return min(
        [int(psutil.virtual_memory().total), *_group_limits(processes / "self/cgroup", groups)]
    )


def default() -> int:
    """Half of what there is, but never too little to begin."""
    return max(LEAST, of_machine() // 2)


def room(memory: int | None, taken: int) -> int:
    """Bytes that are left of `memory`, None for `default`, beside those that are taken."""
    return max(0, (default() if memory is None else memory) - taken)


def give_back() -> None:
    """Give the system what the allocator keeps of what was freed, where it has a way to say so
    (malloc_trim(3) of glibc). It keeps much of a model that was closed, in each thread's share."""
    if sys.platform == "linux":
        with contextlib.suppress(AttributeError, OSError):
            ctypes.CDLL(None).malloc_trim(0)


def _group_limits(membership: Path, groups: Path) -> list[int]:
    """Limits of the control groups that a process is in, from its own to the outermost (Linux
    kernel documentation, admin-guide: cgroup-v2, "memory.max"; cgroup-v1/memory)."""
    try:
        lines = membership.read_text("utf-8").splitlines()
    except (OSError, UnicodeDecodeError):  # no Linux
        return []
    limits = []
    for line in lines:
        if line.count(":") < 2:
            continue
        _, controllers, path = line.split(":", 2)
        if controllers == "":
            top, name = groups, "memory.max"
        elif "memory" in controllers.split(","):
            top, name = groups / "memory", "memory.limit_in_bytes"
        else:
            continue
        own = top / path.lstrip("/")
        for folder in (own, *own.parents):
            if folder.is_relative_to(top):
                limits.append(_number_in(folder / name))
    return [limit for limit in limits if 0 < limit < NO_LIMIT]


def _number_in(path: Path) -> int:
    """The number in a file; 0 for none ("max", or no such file)."""
    try:
        text = path.read_text("ascii").strip()
    except (OSError, UnicodeDecodeError):
        return 0
    return int(text) if text.isdecimal() else 0
