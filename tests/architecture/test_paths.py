"""The house rule that concerns paths of any length, read from the source files."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
ASKING = {"open", "stat", "lstat", "read_bytes", "write_bytes", "mkdir", "iterdir", "unlink"}
"""Methods of a path that ask the system for it."""


def unreachable(source: str) -> list[str]:
    """Places where a user's path is given to the system as it is: not through `reachable`."""
    tree = ast.parse(source)
    ready = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Assign) and _is_reachable(node.value):
            ready |= {target.id for target in node.targets if isinstance(target, ast.Name)}
    found = []
    for node in ast.walk(tree):
        if not (isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute)):
            continue
        path = node.func.value
        if node.func.attr == "disk_usage":
            path = node.args[0]
        elif node.func.attr not in ASKING or ast.unparse(path) in ("Image", "os"):
            continue
        if not _is_reachable(path) and ast.unparse(path) not in ready:
            found.append(f"line {node.lineno}: {ast.unparse(node)}")
    return found


def _is_reachable(node: ast.expr) -> bool:
    return isinstance(node, ast.Call) and ast.unparse(node.func) == "reachable"


@pytest.mark.parametrize(
    "file",
    [
        "formats/headers",
        "formats/memory_need",
        "formats/reader",
        "run/estimate",
        "stills/forecast",
        "stills/one_still",
    ],
)
def test_users_paths_are_opened_at_any_length(file: str) -> None:
    """Windows takes more than 260 characters in one spelling only, which `reachable` gives."""
    assert unreachable((ROOT / "colorbatch" / f"{file}.py").read_text("utf-8")) == []


@pytest.mark.parametrize("line", ["path.stat()", "path.open('rb')", "shutil.disk_usage(folder)"])
def test_the_rule_sees_what_breaks_it(line: str) -> None:
    """And takes what keeps it."""
    assert unreachable(line)
    kept = line.replace("path", "reachable(path)").replace("folder", "reachable(folder)")
    assert not unreachable(kept)
