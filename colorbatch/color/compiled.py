"""The join in machine code: from the cache, or made beside the work; numpy's serves until then.

Both give the same bytes, so no result depends on which of them was at work. The machine code comes
from `kernels` by numba, in a process of its own (`compiling`): here it is only loaded, by llvmlite,
which takes a third of a second and 50 MB where compiling takes seconds and 200 MB. Short runs have
neither. The kernels hold no lock of Python's.
"""

from __future__ import annotations

import ctypes
import hashlib
import importlib.metadata
import importlib.resources
import importlib.util
import json
import subprocess
import sys
import threading
from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt

from colorbatch.color import kernels
from colorbatch.fs import cache

LOADING = 8_000_000
"""Pixels that numpy's join makes before a kernel is looked for in the cache: in the time that this
costs, it makes as many."""
COMPILING = 96_000_000
"""The same for compiling one that is not there."""
PATIENCE = 0.2
"""Seconds by which a program's end may wait for who compiles."""

Array = npt.NDArray[Any]
Kernel = Callable[..., None]
"""Arrays in, contiguous, of the types that `kernels.ARGUMENTS` says."""

_CHILD = """
import json, sys
sys.path[:] = json.loads(sys.argv[1])
from colorbatch.color import compiling
compiling.answer(sys.argv[2])
"""
_SOURCES = ("arithmetic.py", "kernels.py", "compiling.py")


class Kernels:
    """The kernels of this process, and how much work there was without each."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._there: dict[str, Kernel] = {}
        self._work: dict[str, int] = {}
        self._next: dict[str, int] = {}

    def find(self, name: str, pixels: int) -> Kernel | None:
        """A kernel, by its name as of `compiling.machine_code`; None where it is not there (yet):
        then numpy's join is to make these pixels."""
        kernel = self._there.get(name)
        if kernel is not None:
            return kernel
        with self._lock:
            work = self._work[name] = self._work.get(name, 0) + pixels
            if work < self._next.setdefault(name, LOADING):
                return None
            compiling = self._next[name] > LOADING
            self._next[name] = sys.maxsize if compiling else COMPILING
        thread = threading.Thread(target=self._bring, args=(name, compiling), name=f"join {name}")
        try:
            thread.start()
        except RuntimeError:  # the program is at its end, or has too many
            return None
        return None

    def use(self, name: str, kernel: Kernel | None) -> None:
        """Have a kernel at work from now on, or None of this name."""
        with self._lock:
            if kernel is None:
                self._there.pop(name, None)
            else:
                self._there[name] = kernel

    def _bring(self, name: str, compiling: bool) -> None:
        kernel = from_cache(name)
        if kernel is None and compiling:
            kernel = made(name)
        if kernel is not None:
            self.use(name, kernel)


KERNELS = Kernels()


def from_cache(name: str) -> Kernel | None:
    """A kernel that was compiled before, for this processor, by this version."""
    entry = _entry(name)
    answer = cache.read(entry) if entry else None
    return None if answer is None else _loaded(answer)


def made(name: str) -> Kernel | None:
    """A kernel that is compiled now, and kept; None where that is not possible."""
    entry = _entry(name)
    answer = _compiled(name) if entry else None
    if entry is None or answer is None:
        return None
    cache.keep(entry, answer)
    return _loaded(answer)


def told() -> str:
    """Whether the join is compiled here, for `doctor`; nothing is loaded for it."""
    if not _is_installed():
        return "join: numpy's, as numba is not installed"
    version = importlib.metadata.version("numba")
    large = f"from {LOADING // 10**6} megapixels a run on"
    place = cache.folder()
    if place is None:
        return f"join: compiled by numba {version} in long runs ({cache.VARIABLE}=none)"
    kept = len(cache.names("join-"))
    return f"join: compiled by numba {version} {large}; {kept or 'no'} kernels in {place}"


def _is_installed() -> bool:
    if getattr(sys, "frozen", False) or not sys.executable:
        return False  # there is no Python to compile with
    return all(importlib.util.find_spec(name) is not None for name in ("numba", "llvmlite"))


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
            *(importlib.metadata.version(wheel) for wheel in ("numba", "llvmlite")),
        ]
        sources = importlib.resources.files("colorbatch.color")
        parts += [sources.joinpath(each).read_text("utf-8") for each in _SOURCES]
    except Exception:  # a wheel that is broken, sources that are not there
        return None
    digest = hashlib.sha256("\0".join(parts).encode()).hexdigest()
    return f"join-{name}-{digest[:32]}"


def _compiled(name: str) -> bytes | None:
    """The answer of a process that compiles; None for none, and where the program ends first."""
    command = [sys.executable, "-I", "-B", "-c", _CHILD, json.dumps(sys.path), name]
    try:
        child = subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
        )
    except OSError:
        return None
    with child:
        while True:
            try:
                answer, _ = child.communicate(timeout=PATIENCE)
                break
            except subprocess.TimeoutExpired:
                if not threading.main_thread().is_alive():
                    child.kill()
                    return None
    return answer if child.returncode == 0 and answer else None


def packed(symbol: str, code: bytes) -> bytes:
    """What a process that compiles answers, and the cache has: with a digest, as LLVM ends the
    whole process over code that is none."""
    answer = symbol.encode() + b"\n" + code
    return hashlib.sha256(answer).digest() + answer


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
    if hashlib.sha256(answer[32:]).digest() != answer[:32]:
        raise ValueError("not what was compiled")
    import llvmlite.binding as llvm

    symbol, code = answer[32:].split(b"\n", 1)
    llvm.initialize_native_target()
    llvm.initialize_native_asmprinter()
    machine = llvm.Target.from_default_triple().create_target_machine(jit=True)
    engine = llvm.create_mcjit_compiler(llvm.parse_assembly(""), machine)
    engine.add_object_file(llvm.object_file.ObjectFileRef.from_data(code))
    engine.finalize_object()
    address = engine.get_function_address(symbol.decode())
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


def samples(dtype: npt.DTypeLike) -> Array:
    """What a call of `kernels.still` puts a block's samples together in."""
    return np.empty(3 * kernels.BLOCK, dtype)
