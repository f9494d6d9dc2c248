"""The house rules that concern who may import whom, read from the source files."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]

GROUND = {"errors", "contract", "files", "finding", "color", "provenance"}
ALLOWED = {
    "errors": set(),
    "provenance": set(),
    "color": {"errors"},
    "join": {"color"},
    "transfer": {"color"},
    "ycbcr": {"transfer", "color", "errors"},
    "chroma": {"ycbcr", "transfer", "color"},
    "kinds": {"color"},
    "contract": {"files", "errors"},
    "names": set(),
    "formats": set(),
    "patterns": {"errors"},
    "places": {"files", "errors"},
    "lists": {"places", "patterns", "errors"},
    "files": {"names", "errors"},
    "finding": {"lists", "places", "patterns", "names", "formats", "files", "errors"},
    "locks": {"errors"},
    "records": {"files"},
    "books": {"records", "locks", "files", "errors"},
    "journal": {"books", "records", "locks", "files"},
    "engine": {"color", "contract", "errors"},
    "parity": {"color", "contract", "engine", "errors"},
    "still": {"formats", "color", "errors"},
    "icc": {"color"},
    "metadata": set(),
    "modes": {"icc", "color"},
    "jpeg2000": {"color", "errors"},
    "png": {"color"},
    "tiff": {"still", "metadata", "modes", "color", "errors"},
    "decoders": {"jpeg2000", "still", "metadata", "modes", "color", "formats", "errors"},
    "images": {"decoders", "tiff", "still", "color", "files", "errors"},
    "encoders": {"png", "tiff", "jpeg2000", "still", "metadata", "icc", "join", "color", "errors"}
    | {"formats"},
    "encoding": {"encoders", "tiff", "still", "metadata", "icc", "join", "color", "errors"}
    | {"provenance", "formats"},
    "headers": {"decoders", "tiff", "still", "formats", "files"},
    "sizes": {"still", "formats"},
    "estimate": {"headers", "sizes", "records", "report", "settings", "still", "files", "errors"}
    | {"formats"},
    "avio": {"files", "errors"},
    "scans": {"still", "provenance", "files", "errors"},
    "floats": {"join", "transfer", "color"},
    "rates": {"errors"},
    "sequences": {"finding", "places", "files", "errors"},
    "filmsources": {"sequences", "places"},
    "frames": {"scans", "images", "encoding", "still", "icc", "floats", "chroma", "ycbcr"}
    | {"transfer", "formats"}
    | GROUND,
    "footage": {"avio", "filmbook", "ycbcr", "files", "errors"},
    "timecodes": {"avio"},
    "reelfacts": {"avio", "frames", "rates", "sequences", "timecodes", "formats", "still", "ycbcr"}
    | {"judging", "errors"},
    "reels": {"reelfacts", "avio", "filmbook", "frames", "records", "sequences", "still", "ycbcr"}
    | {"color", "files", "errors"},
    "judging": {"footage", "avio", "kinds", "ycbcr", "color"},
    "shots": {"color"},
    "video": {"shots", "footage", "avio", "ycbcr", "errors"},
    "filmframes": {"video", "shots", "avio", "chroma", "ycbcr", "color"},
    "filmbook": {"avio", "files", "locks", "records", "errors"},
    "filmjobs": {"avio", "finding", "filmsources", "sequences", "lists", "patterns", "places"}
    | {"files", "errors"},
    "verdicts": {"video", "filmbook", "avio", "records", "files"},
    "finishing": {"verdicts", "footage", "timecodes", "filmbook", "avio", "report", "files"},
    "filming": {
        "verdicts",
        "finishing",
        "footage",
        "filmframes",
        "video",
        "filmbook",
        "avio",
        "pipeline",
    }
    | {"budget", "costs"}
    | {"engine", "report", "color", "files", "errors", "__init__"},
    "stills": {"png", "color", "files", "errors"},
    "filmsample": {
        "verdicts",
        "filming",
        "filmframes",
        "judging",
        "stills",
        "video",
        "avio",
        "color",
    }
    | {"files", "errors"},
    "filmspace": {"verdicts", "filmsample", "filmbook", "estimate", "sizes", "files"},
    "framejobs": {
        "frames",
        "sequences",
        "rates",
        "video",
        "judging",
        "ycbcr",
        "kinds",
        "journal",
        "records",
    }
    | {"files", "errors"},
    "framing": {"__init__", "framejobs", "frames", "filming", "pipeline", "budget", "costs"}
    | {"ycbcr", "join"}
    | {"journal", "places", "records", "report", "color", "files", "errors"},
    "framesample": {"framing", "framejobs", "filming", "frames", "scans", "headers", "sizes"}
    | {"stills", "sequences", "estimate", "floats", "still", "ycbcr", "color", "formats", "files"}
    | {"errors"},
    "frameproof": {"framejobs", "framing", "frames", "pipeline", "journal", "records", "costs"}
    | {"formats", "color", "files", "errors"},
    "proof": {"filmframes", "video", "avio", "chroma", "color", "files", "errors"},
    "boundary": {"errors"},
    "report": GROUND,
    "log": {"report", "files", "formats", "errors"},
    "budget": {"errors"},
    "costs": {"headers", "still", "formats"},
    "pipeline": {"engine", "color", "contract", "errors"},
    "settings": {"kinds", "still", "files", "formats"},
    "picture": {"settings", "images", "encoding", "still", "icc", "kinds", "report"}
    | {"formats"}
    | GROUND,
    "batch": {
        "pipeline",
        "costs",
        "budget",
        "picture",
        "settings",
        "engine",
        "report",
        "journal",
        "records",
        "color",
        "files",
        "errors",
    },
    "api": {"engine", "join", "color", "contract"},
    "cli": {"__init__", "cli", "boundary", "batch", "engine", "estimate", "journal", "parity"}
    | {"report", "settings", "patterns", "lists", "log", "budget", "formats"}
    | {"filmjobs", "filming", "filmbook", "filmsample", "filmspace", "proof", "video", "avio"}
    | {"verdicts", "judging", "footage", "reels", "reelfacts", "ycbcr", "sequences"}
    | {"sizes", "records", "books", "rates", "framejobs", "framing", "framesample", "frameproof"}
    | GROUND,
    "__init__": {"api"},
    "interrupts": {"errors"},
    "__main__": {"interrupts", "cli"},
}
"""Room of colorbatch -> rooms that it may import (design: the house)."""

TRAINING_MAY_USE = GROUND - {"provenance"} | {"boundary", "images", "engine", "join"}
EXPORT_MAY_USE = TRAINING_MAY_USE | {"parity"}
HOMES = {
    "av": {"avio"},
    "onnxruntime": {"engine"},
    "click": {"boundary", "cli"},
    "filelock": {"locks"},
    "wcmatch": {"patterns"},
    "tifffile": {"tiff"},
    "imagecodecs": {"tiff", "decoders", "jpeg2000", "icc"},
    "pillow_heif": {"decoders"},
    "psutil": {"budget"},
    "threadpoolctl": {"color"},
    "OpenImageIO": {"scans"},
}
"""Foreign library -> the rooms that know it."""


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


def room_of(path: Path) -> str:
    """The room that a source file belongs to: its own name, or its folder's."""
    return path.parent.name if path.parent.parent != ROOT else path.stem


def rooms(package: str, names: set[str]) -> set[str]:
    """The rooms of `package` among imported names."""
    files = {room_of(path) for path in (ROOT / package).rglob("*.py")}
    found = {name.split(".")[1] for name in names if name.startswith(f"{package}.")}
    inside = found & files
    # `from colorbatch import __version__` and the like
    return inside | ({"__init__"} if found - files else set())


SOURCES = [
    path for name in ("colorbatch", "training", "export") for path in (ROOT / name).rglob("*.py")
]


@pytest.mark.parametrize(
    "path", sorted((ROOT / "colorbatch").rglob("*.py")), ids=lambda path: path.stem
)
def test_rooms_import_only_what_the_plan_allows(path: Path) -> None:
    """Each file of the tool imports only the rooms that the design lets it."""
    room = room_of(path)
    assert room in ALLOWED, f"{path.name} has no place in the plan of the house"
    assert rooms("colorbatch", imports(path)) - {room} <= ALLOWED[room]


@pytest.mark.parametrize(
    "path", SOURCES, ids=lambda path: "-".join(path.relative_to(ROOT).with_suffix("").parts)
)
def test_packages_do_not_reach_up(path: Path) -> None:
    """The tool knows neither torch nor training nor export; training does not know export."""
    tops = {name.split(".")[0] for name in imports(path)}
    package = path.relative_to(ROOT).parts[0]
    if package == "colorbatch":
        assert not tops & {"torch", "training", "export", "onnx", "matplotlib"}
    elif package == "training":
        assert "export" not in tops
        assert rooms("colorbatch", imports(path)) <= TRAINING_MAY_USE
    else:
        assert rooms("colorbatch", imports(path)) <= EXPORT_MAY_USE
        allowed = {"generators", "checkpoint", "config", "metrics", "spaces"}
        assert rooms("training", imports(path)) <= allowed


@pytest.mark.parametrize(("library", "homes"), HOMES.items())
def test_each_foreign_library_has_one_home(library: str, homes: set[str]) -> None:
    """onnxruntime, click and tifffile are known to one file each."""
    users = {
        room_of(path)
        for path in (ROOT / "colorbatch").rglob("*.py")
        if library in {name.split(".")[0] for name in imports(path)}
    }
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


OF_EACH_FORMAT = {"STARTS", "VERSION"}
"""How files of a format begin, and which version of its own format a room writes."""


def test_a_constant_has_one_home() -> None:
    """No two rooms of the tool give the same name to constants of their own: a number that is
    changed in one place would stay as it was in the other."""
    homes: dict[str, set[str]] = {}
    for path in sorted((ROOT / "colorbatch").rglob("*.py")):
        for node in ast.parse(path.read_text("utf-8")).body:
            targets = node.targets if isinstance(node, ast.Assign) else []
            targets = [node.target] if isinstance(node, ast.AnnAssign) else targets
            for target in targets:
                if isinstance(target, ast.Name) and target.id.isupper():
                    homes.setdefault(target.id, set()).add(room_of(path))
    assert {name for name, rooms in homes.items() if len(rooms) > 1} == OF_EACH_FORMAT


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
        if room_of(path) == "generators":
            continue
        nodes = ast.walk(ast.parse(path.read_text("utf-8")))
        assert not {node.id for node in nodes if isinstance(node, ast.Name)} & classes, path
