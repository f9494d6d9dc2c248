"""Where kernels come from: the cache, a process that compiles, or nowhere."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from pathlib import Path

import numpy as np
import pytest

from colorbatch.color import compiled, luma_join
from colorbatch.fs import cache

pytestmark = pytest.mark.slow  # compiles

SMALL = "enlarge32"


def mixed(kernel):
    """Rows that the smallest kernel makes of others, to see that it works."""
    plane = np.arange(12, dtype=np.float32).reshape(3, 4)
    rows, weights = np.array([[0, 1, 2, 2]]), np.float32([[1, 10, 100, 1000]])
    out = np.empty((1, 4), np.float32)
    kernel(plane, rows, weights, np.array([1, 4]), out)
    return out.tolist()


MIXED = [[8840, 9951, 11062, 12173]]


def made(name):
    return compiled.made([name])[name]


@pytest.fixture
def place(tmp_path, monkeypatch):
    """A cache of its own."""
    pytest.importorskip("llvmlite")
    monkeypatch.setenv(cache.VARIABLE, str(tmp_path / "cache"))
    return tmp_path / "cache"


def test_a_kernel_is_compiled_once_and_then_loaded(place):
    """Its name in the cache is that of this processor, version and source; damaged, it is made
    again."""
    assert compiled.from_cache(SMALL) is None
    assert mixed(made(SMALL)) == MIXED
    [file] = place.iterdir()
    assert mixed(compiled.from_cache(SMALL)) == MIXED
    file.write_bytes(file.read_bytes()[:-100])
    assert compiled.from_cache(SMALL) is None
    assert mixed(made(SMALL)) == MIXED
    assert mixed(compiled.from_cache(SMALL)) == MIXED


def test_another_processor_or_version_has_another_name(place, monkeypatch):
    """So that a folder can be shared by machines, and outlive an update."""
    import llvmlite.binding as llvm

    first = compiled._entry(SMALL)
    assert first == compiled._entry(SMALL) != compiled._entry("still8")
    with monkeypatch.context() as patch:
        patch.setattr(llvm, "get_host_cpu_name", lambda: "another")
        assert compiled._entry(SMALL) != first
    with monkeypatch.context() as patch:
        patch.setattr(compiled.importlib.metadata, "version", lambda name: "99")
        assert compiled._entry(SMALL) != first
    monkeypatch.setattr(compiled, "_SOURCES", ("lab.py",))
    assert compiled._entry(SMALL) != first


def test_without_a_cache_it_is_compiled_all_the_same(tmp_path, monkeypatch):
    """`none`, and a place that cannot be written: no file, no failure."""
    pytest.importorskip("llvmlite")
    (tmp_path / "file").write_bytes(b"")
    for word in ("none", str(tmp_path / "file")):
        monkeypatch.setenv(cache.VARIABLE, word)
        assert mixed(made(SMALL)) == MIXED
        assert compiled.from_cache(SMALL) is None
    assert [path.name for path in tmp_path.iterdir()] == ["file"]


def test_it_is_found_beside_the_work(place, monkeypatch):
    """numpy's join serves until as much is made as compiling is worth, and until it is done."""
    monkeypatch.setattr(compiled, "LOADING", 100)
    monkeypatch.setattr(compiled, "COMPILING", 200)
    kernels = compiled.Kernels()

    def compiles():
        return [thread for thread in threading.enumerate() if thread.name.startswith("join ")]

    assert kernels.find("film8", 199) is None  # nothing is in the cache
    assert not compiles() and not place.exists()
    assert kernels.find("film8", 1) is None  # now it is compiled
    [thread] = compiles()
    thread.join()
    assert kernels.find("film8", 1) is not None
    assert mixed(kernels.find(SMALL, 0)) == MIXED  # comes with it
    assert len(list(place.iterdir())) == 2
    other = compiled.Kernels()
    assert other.find("film8", 99) is None
    assert other.find("film8", 1) is not None  # from the cache, at once
    assert mixed(other.find(SMALL, 0)) == MIXED


def test_without_llvmlite_numpys_join_serves(place, monkeypatch):
    """As on an Intel Mac: nothing is started, nothing fails, and it is said."""
    monkeypatch.setitem(sys.modules, "llvmlite", None)
    monkeypatch.setattr(compiled.importlib.util, "find_spec", lambda name: None)
    monkeypatch.setattr(compiled, "LOADING", 1)
    monkeypatch.setattr(compiled, "COMPILING", 2)
    for _ in range(3):
        made = luma_join.colorize(
            np.full((9, 9), 100, np.uint8), np.full((1, 1, 2), 20, np.float32)
        )
    assert np.ptp(made, axis=2).all()
    assert compiled.made([SMALL]) == {}
    assert "llvmlite is not installed" in compiled.told()


def test_a_kernel_that_fails_to_compile_is_not_used(place, monkeypatch):
    """The process's end is what counts, not what it says."""
    monkeypatch.setattr(compiled, "_CHILD", "import sys; sys.stdout.write('x'); sys.exit(1)")
    assert compiled.made([SMALL]) == {}
    for said in ("x", "x" * 100):
        monkeypatch.setattr(compiled, "_CHILD", f"import sys; sys.stdout.write({said!r})")
        assert compiled.made([SMALL]) == {}


def test_compiling_leaves_no_file_but_in_its_folder(clean_env, tmp_path):
    """No byte code, nothing else, in a fresh HOME; `doctor`'s line says where."""
    pytest.importorskip("llvmlite")
    code = (
        "from colorbatch.color import compiled as c\n"
        f"assert list(c.made([{SMALL!r}])) == [{SMALL!r}]\n"
        "import sys; assert 'numba' not in sys.modules\n"
        "print(c.told())"
    )
    env = clean_env | {"PYTHONDONTWRITEBYTECODE": "1"}
    ended = subprocess.run(
        [sys.executable, "-c", code], env=env, capture_output=True, text=True, cwd=tmp_path
    )
    assert ended.returncode == 0, ended.stderr
    home = Path(clean_env["HOME"])
    files = [path for path in home.rglob("*") if path.is_file()]
    assert len(files) == 1 and files[0].parent.name == (
        "colorbatch" if os.name != "nt" else "Cache"
    )
    assert str(files[0].parent) in ended.stdout
    assert sorted(path.name for path in tmp_path.iterdir()) == [home.name]


def test_the_code_is_vectorised_and_nothing_is_fused(kernel_folder, tmp_path, need):
    """On a processor with AVX2 the arithmetic is in registers of eight numbers, without FMA."""
    pytest.importorskip("llvmlite")
    need("objdump")
    import llvmlite.binding as llvm

    if not llvm.get_host_cpu_features().get("avx2"):
        pytest.skip("no AVX2")
    [file] = kernel_folder.glob("join-still8-*")
    code = tmp_path / "code.o"
    code.write_bytes(file.read_bytes()[64:])
    told = subprocess.run(
        ["objdump", "-d", code], capture_output=True, text=True, check=True
    ).stdout
    for instruction in ("vsqrtps", "vdivps", "vmulps", "vaddps", "vmaxps", "vminps"):
        assert any(
            instruction in line and ("ymm" in line or "zmm" in line) for line in told.splitlines()
        ), instruction
    assert "fmadd" not in told and "fmsub" not in told and "fnmadd" not in told
