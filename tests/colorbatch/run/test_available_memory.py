"""Sizes as people write them, and how much memory there is, in containers too."""

from __future__ import annotations

import ctypes
import subprocess
import sys
from types import SimpleNamespace

import psutil
import pytest

from colorbatch.errors import UsageError
from colorbatch.run import available_memory

MACHINE = 16 * 2**30


@pytest.mark.parametrize(
    ("text", "size"),
    [
        ("4G", 4_294_967_296),
        ("4g", 4_294_967_296),
        ("1.5 GiB", 1_610_612_736),
        ("800M", 838_860_800),
        ("512MB", 536_870_912),
        ("1T", 1_099_511_627_776),
        ("1048576K", 1_073_741_824),
    ],
)
def test_sizes_are_read(text, size):
    """A unit is 1024 of the one below it, whatever its spelling."""
    assert available_memory.parse(text) == size


@pytest.mark.parametrize(
    "text",
    ["lots", "", "0", "0G", "4", "-4G", "4GX", "G", "1e3G", "nanG", "511M", "\u0664G", "9999999T"],
)
def test_what_is_no_size_is_refused(text):
    """Words, bare numbers, and sizes that nothing can be done with."""
    with pytest.raises(UsageError, match="--memory"):
        available_memory.parse(text)


@pytest.fixture
def machine(tmp_path, monkeypatch):
    """A machine of 16 GiB, and a function that writes control groups to what it reads of them."""
    monkeypatch.setattr(psutil, "virtual_memory", lambda: SimpleNamespace(total=MACHINE))
    (tmp_path / "proc/self").mkdir(parents=True)

    def of(membership: str, limits: dict[str, str]) -> int:
        (tmp_path / "proc/self/cgroup").write_text(membership)
        for name, text in limits.items():
            path = tmp_path / "groups" / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)
        return available_memory.of_machine(tmp_path / "proc", tmp_path / "groups")

    return of


def test_without_control_groups_it_is_the_machine_s(machine, tmp_path):
    """As on Windows and macOS, where there are no such files."""
    assert available_memory.of_machine(tmp_path / "nothing", tmp_path / "nothing") == MACHINE


@pytest.mark.parametrize(
    ("membership", "limits", "size"),
    [
        ("0::/\n", {"memory.max": "4294967296\n"}, 2**32),
        ("0::/\n", {"memory.max": "max\n"}, MACHINE),
        ("0::/a/b\n", {"a/b/memory.max": "max\n", "a/memory.max": "1073741824\n"}, 2**30),
        ("0::/a/b\n", {"a/b/memory.max": "1073741824\n", "a/memory.max": "4294967296\n"}, 2**30),
        ("0::/a\n", {"a/memory.max": "99999999999999\n"}, MACHINE),
        ("0::/gone\n", {}, MACHINE),
        (
            "3:cpu:/x\n4:memory:/x\n0::/\n",
            {"memory/x/memory.limit_in_bytes": "2147483648\n"},
            2**31,
        ),
        ("4:memory:/\n", {"memory/memory.limit_in_bytes": "9223372036854771712\n"}, MACHINE),
        ("no such lines\n\n", {"memory.max": "4294967296\n"}, MACHINE),
    ],
)
def test_a_container_s_limit_counts(machine, membership, limits, size):
    """The least of the groups that the process is in, of either version of control groups."""
    assert machine(membership, limits) == size


def test_half_of_it_is_the_default(monkeypatch):
    """Of what this machine really has, and never less than it takes to begin."""
    assert available_memory.default() == max(
        available_memory.LEAST, available_memory.of_machine() // 2
    )
    assert 0 < available_memory.of_machine() <= psutil.virtual_memory().total
    monkeypatch.setattr(psutil, "virtual_memory", lambda: SimpleNamespace(total=2**29))
    assert available_memory.default() == available_memory.LEAST


@pytest.mark.skipif(sys.platform != "linux", reason="glibc's")
def test_what_was_freed_is_given_back():
    """Blocks that lie below one that is in use, which the allocator keeps by itself."""
    if not hasattr(ctypes.CDLL(None), "malloc_trim"):
        pytest.skip("another C library")
    code = (
        "import ctypes, psutil\n"
        "from colorbatch.run.available_memory import give_back\n"
        "libc = ctypes.CDLL(None)\n"
        "libc.malloc.restype, libc.free.argtypes = ctypes.c_void_p, [ctypes.c_void_p]\n"
        "blocks = [libc.malloc(100_000) for _ in range(1000)]\n"
        "for block in blocks[:-1]:\n"
        "    ctypes.memset(ctypes.c_void_p(block), 1, 100_000)\n"
        "    libc.free(block)\n"
        "before = psutil.Process().memory_info().rss\n"
        "give_back()\n"
        "print(before - psutil.Process().memory_info().rss)\n"
    )
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, check=True)
    assert int(result.stdout) > 50_000_000


def test_room_is_what_is_left_beside_what_is_taken(monkeypatch):
    """Of the default where no size is asked for; never less than nothing."""
    monkeypatch.setattr(available_memory, "of_machine", lambda: 8 * 2**30)
    assert available_memory.room(None, 2**30) == 3 * 2**30
    assert available_memory.room(2**30, 2**20) == 2**30 - 2**20
    assert available_memory.room(2**20, 2**30) == 0
