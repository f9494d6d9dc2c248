"""Compiled kernels, made once for all processes that test."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from filelock import FileLock

from colorbatch.color import compiled, compiling
from colorbatch.fs import cache


@pytest.fixture(scope="session")
def kernel_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The cache that has all kernels. Processes of pytest-xdist share it and wait for who
    compiles."""
    pytest.importorskip("llvmlite")
    base = tmp_path_factory.getbasetemp()
    folder = (base.parent if "PYTEST_XDIST_WORKER" in os.environ else base) / "kernels"
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv(cache.VARIABLE, str(folder))
        with FileLock(folder.with_suffix(".lock")):
            there = {name for name in compiling.NAMES if compiled.from_cache(name)}
            missing = [name for name in compiling.NAMES if name not in there]
            assert set(compiled.made(missing)) == set(missing)
        assert len(cache.names("join-")) == len(compiling.NAMES)
    return folder


@pytest.fixture(scope="session")
def kernels(kernel_folder: Path) -> dict[str, compiled.Kernel]:
    """All kernels, loaded."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv(cache.VARIABLE, str(kernel_folder))
        found = {name: compiled.from_cache(name) for name in compiling.NAMES}
    return {name: kernel for name, kernel in found.items() if kernel is not None}


@pytest.fixture
def both(kernels: dict[str, compiled.Kernel]) -> Iterator[Callable[[bool], None]]:
    """A test that compares the two joins: a function to have all kernels at work, or none."""

    def have(compiled_code: bool) -> None:
        for name, kernel in kernels.items():
            compiled.KERNELS.use(name, kernel if compiled_code else None)

    yield have
    have(False)
