"""The join in machine code: from the cache, or made beside the work; numpy's serves until then.

Both give the same bytes, so no result depends on which of them was at work. The machine code is
made of `kernels` by LLVM in a process of its own (`compiling`); here it is only loaded. The kernels
hold no lock of Python's.
"""

from __future__ import annotations

import contextlib
import ctypes
import hashlib
import importlib.metadata
import importlib.resources
import importlib.util
import json
import struct
import subprocess
import sys
import threading
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from colorbatch.color import kernels
from colorbatch.fs import cache

LOADING = 1_000_000
"""Pixels that are made before a kernel is looked for in the cache: numpy's join makes as many in
the time that this takes, and who waits for it is one thread."""
COMPILING = 8_000_000
"""The same for compiling one that is not there. numpy's join makes three times as many in the
processor time of that, which is spent beside the work; but it is spent once for all runs."""
ALWAYS = "enlarge32"
"""The kernel that all others are used with: it comes with the first of them."""
PATIENCE = 0.2
"""Seconds by which a program's end may wait for who compiles."""

Array = npt.NDArray[Any]
Kernel = Callable[..., None]
"""Arrays in, contiguous, of the types that `kernels.ARGUMENTS` says."""

_CHILD = """
import json, sys
sys.path[:] = json.loads(sys.argv[1])
from colorbatch.color import compiling
compiling.answer(sys.argv[2:])
"""
_LENGTH = struct.Struct("<Q")
SYMBOL = "kernel"
"""The name of the function in each kernel's code."""
_SOURCES = ("compiling.py", "ir/{}.ll")


class Kernels:
    """The kernels of this process, and how much work there was for each."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._there: dict[str, Kernel] = {}
        self._work: dict[str, int] = {}

    def find(self, name: str, pixels: int) -> Kernel | None:
        """A kernel, one of `compiling.NAMES`; None where it is not there (yet): then these pixels
        are for numpy's join."""
        kernel = self._there.get(name)
        if kernel is not None or name == ALWAYS:
            return kernel
        with self._lock:
            before = self._work.get(name, 0)
            work = self._work[name] = before + pixels
        if before < LOADING <= work:
            self._load(name)
        if before < COMPILING <= work and name not in self._there:
            thread = threading.Thread(target=self._compile, args=(name,), name=f"join {name}")
            with contextlib.suppress(RuntimeError):  # at the program's end, or with too many
                thread.start()
        return self._there.get(name)

    def use(self, name: str, kernel: Kernel | None) -> None:
        """Have a kernel at work from now on, or None of this name."""
        with self._lock:
            if kernel is None:
                self._there.pop(name, None)
            else:
                self._there[name] = kernel

    def _load(self, name: str) -> None:
        for each in (name, ALWAYS):
            if each not in self._there and (kernel := from_cache(each)) is not None:
                self.use(each, kernel)

    def _compile(self, name: str) -> None:
        for each, kernel in made([one for one in (name, ALWAYS) if one not in self._there]).items():
            self.use(each, kernel)


KERNELS = Kernels()


def from_cache(name: str) -> Kernel | None:
    """A kernel that was compiled before, for this processor, by this version."""
    if not cache.names(f"join-{name}-"):  # llvmlite takes memory as soon as it is imported
        return None
    entry = _entry(name)
    answer = cache.read(entry) if entry else None
    return None if answer is None else _loaded(answer)


def made(names: Sequence[str]) -> dict[str, Kernel]:
    """Kernels that are compiled now, and kept; without those that cannot be."""
    entries = {name: entry for name in names if (entry := _entry(name)) is not None}
    found = {}
    for name, answer in zip(entries, _compiled(tuple(entries)), strict=False):
        cache.keep(entries[name], answer)
        if (kernel := _loaded(answer)) is not None:
            found[name] = kernel
    return found


def told() -> str:
    """Whether the join is compiled here, for `doctor`; nothing is loaded for it."""
    if not _is_installed():
        return "join: numpy's, as llvmlite is not installed"
    by = f"join: compiled by llvmlite {importlib.metadata.version('llvmlite')}"
    place = cache.folder()
    if place is None:
        return f"{by} in runs of {COMPILING // 10**6} megapixels or more ({cache.VARIABLE}=none)"
    kept = len(cache.names("join-"))
    return f"{by}; {kept or 'no'} kernels in {place}"


def _is_installed() -> bool:
    if getattr(sys, "frozen", False) or not sys.executable:
        return False  # there is no Python to compile with
    return importlib.util.find_spec("llvmlite") is not None


def _entry(name: str) -> str | None:
    """The name in the cache of a kernel for this processor, by this version of everything that has
    a part in it; None where none can be made."""
    if not _is_installed():
        return None
    try:
        import llvmlite.binding as llvm

        parts = [
            sys.platform,
            llvm.get_process_triple(),
            llvm.get_host_cpu_name(),
            llvm.get_host_cpu_features().flatten(),
            importlib.metadata.version("llvmlite"),
        ]
        sources = importlib.resources.files("colorbatch.color")
        parts += [sources.joinpath(each.format(name)).read_text("utf-8") for each in _SOURCES]
    except Exception:  # a wheel that is broken, sources that are not there
        return None
    digest = hashlib.sha256("\0".join(parts).encode()).hexdigest()
    return f"join-{name}-{digest[:32]}"


def _compiled(names: Sequence[str]) -> list[bytes]:
    """The answers of a process that compiles; none where the program ends first."""
    if not names:
        return []
    command = [sys.executable, "-I", "-B", "-c", _CHILD, json.dumps(sys.path), *names]
    try:
        child = subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
        )
    except OSError:
        return []
    with child:
        while True:
            try:
                answer, _ = child.communicate(timeout=PATIENCE)
                break
            except subprocess.TimeoutExpired:
                if not threading.main_thread().is_alive():
                    child.kill()
                    return []
    return _taken_apart(answer) if child.returncode == 0 else []


def _taken_apart(answer: bytes) -> list[bytes]:
    found = []
    while len(answer) >= _LENGTH.size:
        (length,) = _LENGTH.unpack_from(answer)
        found.append(answer[_LENGTH.size : _LENGTH.size + length])
        answer = answer[_LENGTH.size + length :]
    return found


def told_of(code: bytes) -> bytes:
    """Code as a process that compiles tells of it, with its length before it."""
    made = packed(code)
    return _LENGTH.pack(len(made)) + made


def packed(code: bytes) -> bytes:
    """Code as the cache has it: with a digest, as LLVM ends the whole process over what is none."""
    return hashlib.sha256(code).digest() + code


def _loaded(answer: bytes) -> Kernel | None:
    try:
        return load(answer)
    except Exception:  # numpy's join serves
        return None


_ENGINES: list[Any] = []
"""What holds the code of kernels, as long as the process lives."""


def load(answer: bytes) -> Kernel:
    """A kernel of what `packed` made. Raises ValueError for anything else, and what llvmlite
    raises."""
    digest, code = answer[:32], answer[32:]
    if hashlib.sha256(code).digest() != digest:
        raise ValueError("not what was compiled")
    import llvmlite.binding as llvm

    llvm.initialize_native_target()
    llvm.initialize_native_asmprinter()
    machine = llvm.Target.from_default_triple().create_target_machine(jit=True)
    engine = llvm.create_mcjit_compiler(llvm.parse_assembly(""), machine)
    engine.add_object_file(llvm.object_file.ObjectFileRef.from_data(code))
    engine.finalize_object()
    address = engine.get_function_address(SYMBOL)
    if not address:
        raise ValueError("no such function")
    _ENGINES.append(engine)

    def call(*arrays: Array) -> None:
        # numba's own calling convention: where a result and an exception would go comes first
        pointers = [array.ctypes.data for array in arrays]
        nothing = (ctypes.c_void_p * 2)()
        where = ctypes.addressof(nothing)
        function = ctypes.CFUNCTYPE(ctypes.c_int, *[ctypes.c_void_p] * (2 + len(pointers)))
        if function(address)(where, where + ctypes.sizeof(ctypes.c_void_p), *pointers):
            raise RuntimeError("a kernel raised what it cannot")

    return call


def scratch() -> npt.NDArray[np.float32]:
    """What a call of a kernel works in."""
    return np.empty(kernels.SCRATCH, np.float32)
