"""The house rules that concern who may import whom, read from the source files."""

from __future__ import annotations

import ast
import os
import subprocess
import sys
from pathlib import Path

import pytest

from colorbatch.formats import registry

ROOT = Path(__file__).parents[2]
LIGHT = os.environ | {"PYTHONIOENCODING": "utf-8", "PYTHONUTF8": "1"}
"""It draws its name in box characters, which not every terminal has."""

HOMES = {
    "av": {"ffmpeg"},
    "onnxruntime": {"model.runtime"},
    "click": {"boundary", "cli"},
    "cloup": {"cli"},
    "filelock": {"fs.locks"},
    "wcmatch": {"inputs.patterns"},
    "tifffile": {"formats"},
    "imagecodecs": {"formats", "color.icc"},
    "pillow_heif": {"formats.heif"},
    "psutil": {"run.available_memory"},
    "threadpoolctl": {"color.lab"},
    "numba": {"color.lowering"},
    "llvmlite": {"color.compiled", "color.compiling", "color.lowering"},
    "platformdirs": {"fs.cache"},
    "OpenImageIO": {"scans"},
}
"""Foreign library -> the packages, or files of them, that know it."""


def imports(path: Path) -> set[str]:
    """Every module that a source file imports, as dotted names, at any depth of its code."""
    found = set()
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: relative import"
            module = node.module or ""
            found |= {f"{module}.{alias.name}" for alias in node.names} | {module}
    return found


SOURCES = [
    path for name in ("colorbatch", "training", "export") for path in (ROOT / name).rglob("*.py")
]


def test_packages_import_what_the_contracts_allow() -> None:
    """The contracts of pyproject.toml hold, without exceptions: who may import whom."""
    assert "ignore_imports" not in (ROOT / "pyproject.toml").read_text("utf-8")
    linter = Path(sys.executable).with_name("lint-imports")
    ended = subprocess.run(
        [linter, "--no-cache"], cwd=ROOT, capture_output=True, encoding="utf-8", env=LIGHT
    )
    assert ended.returncode == 0, ended.stdout


@pytest.mark.parametrize(("library", "homes"), HOMES.items())
def test_each_foreign_library_has_its_home(library: str, homes: set[str]) -> None:
    """onnxruntime, click and tifffile are known to one package or file each."""
    users = set()
    for path in (ROOT / "colorbatch").rglob("*.py"):
        if library in {name.split(".")[0] for name in imports(path)}:
            name = ".".join(path.relative_to(ROOT / "colorbatch").with_suffix("").parts)
            users.add(next((home for home in homes if f"{name}.".startswith(f"{home}.")), name))
    assert users == homes


def test_every_source_file_says_what_it_does() -> None:
    """Every module of the product, but for `__main__`, begins with a docstring."""
    silent = [
        path.name
        for path in SOURCES
        if path.stem != "__main__"
        and path.read_text("utf-8").strip()
        and not ast.get_docstring(ast.parse(path.read_text("utf-8")))
    ]
    assert not silent


def test_networks_are_known_by_their_rows() -> None:
    """Outside its own package no file of training or export names a generator's class."""
    classes = {
        node.name
        for path in (ROOT / "training" / "generators").glob("*.py")
        for node in ast.parse(path.read_text("utf-8")).body
        if isinstance(node, ast.ClassDef)
    } - {"Generator"}
    assert len(classes) > 3
    for path in SOURCES:
        if path.parent.name == "generators":
            continue
        nodes = ast.walk(ast.parse(path.read_text("utf-8")))
        assert not {node.id for node in nodes if isinstance(node, ast.Name)} & classes, path


def test_formats_are_known_by_their_rows() -> None:
    """What reads, writes and foretells stills of any format names none of them."""
    names = {name for row in registry.TABLE for name in (row.name, row.shown)}
    generic = ["found", "headers", "memory_need", "metadata", "own_color", "page", "pillow_files",
               "pillow_modes", "reader", "record", "sizes", "still", "writer"]  # fmt: skip
    for file in generic:
        path = ROOT / "colorbatch" / "formats" / f"{file}.py"
        nodes = ast.walk(ast.parse(path.read_text("utf-8")))
        assert not {node.value for node in nodes if isinstance(node, ast.Constant)} & names, file
