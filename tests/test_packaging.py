"""The wheel and the source archive: what they hold; the wheel colors in a clean environment."""

from __future__ import annotations

import os
import subprocess
import sys
import tarfile
import venv
import zipfile
from pathlib import Path

import numpy as np
import pytest
import skimage.data
from PIL import Image

from colorbatch.color import compiling
from colorbatch.model.contract import DEFAULT_MODEL, embedded_models

pytestmark = pytest.mark.slow

ROOT = Path(__file__).parents[1]


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the project's wheel and its source archive, built from the files that git
    tracks (ignored ones silently miss)."""
    folder = tmp_path_factory.mktemp("wheel")
    source = folder / "source"
    tracked = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT,
        capture_output=True,
        check=True,
    ).stdout.decode()
    for name in filter(None, tracked.split("\0")):
        if (ROOT / name).is_file():
            (source / name).parent.mkdir(parents=True, exist_ok=True)
            (source / name).write_bytes((ROOT / name).read_bytes())
    command = [sys.executable, "-m", "build", "--sdist", "--wheel", "--no-isolation"]
    subprocess.run([*command, "-o", folder, source], check=True, capture_output=True)
    return folder


@pytest.fixture(scope="module")
def wheel(built: Path) -> Path:
    [made] = built.glob("*.whl")
    return made


def test_wheel_ships_the_tool_with_its_models_and_nothing_else(wheel: Path) -> None:
    """Only `colorbatch/` and the metadata, with both models and their parity records, and none of
    the weights that training starts from."""
    names = set(zipfile.ZipFile(wheel).namelist())
    assert {name.split("/")[0].split("-")[0] for name in names} == {"colorbatch"}
    models = {name for name in names if name.startswith("colorbatch/model/embedded/")}
    stems = {path.stem for path in embedded_models()}
    assert {DEFAULT_MODEL, "unet32"} <= stems
    assert models == {
        f"colorbatch/model/embedded/{stem}.{end}"
        for stem in stems
        for end in ("onnx", "parity.json")
    }
    assert not {name for name in names if name.endswith((".safetensors", ".pt", ".pth"))}
    sources = {f"colorbatch/{path.name}" for path in (ROOT / "colorbatch").glob("*.py")}
    assert sources <= names
    assert {f"colorbatch/color/ir/{name}.ll" for name in compiling.NAMES} <= names  # the join


def test_wheel_stays_small(wheel: Path) -> None:
    """Below 45 MB: both models are all that weighs in it."""
    assert wheel.stat().st_size < 45e6


def test_licences_go_with_wheel_and_source(wheel: Path, built: Path) -> None:
    """That of the code and what there is to say of the models, as they stand here."""
    [source] = built.glob("*.tar.gz")
    with zipfile.ZipFile(wheel) as one, tarfile.open(source) as other:
        for name in ("LICENSE", "LICENSE-MODEL.md"):
            written = (ROOT / name).read_bytes()
            [place] = [path for path in one.namelist() if path.endswith(f"/licenses/{name}")]
            assert one.read(place) == written
            packed = other.extractfile(f"{source.name.removesuffix('.tar.gz')}/{name}")
            assert packed is not None and packed.read() == written


def test_wheel_colors_in_a_clean_environment_without_torch(wheel: Path, tmp_path: Path) -> None:
    """Installed with the `cpu` extra alone, the tool colors a real photograph and proves parity."""
    home = tmp_path / "environment"
    venv.create(home, with_pip=True)
    python = home / ("Scripts/python.exe" if os.name == "nt" else "bin/python")
    install = [
        python,
        "-m",
        "pip",
        "install",
        "--quiet",
        "--disable-pip-version-check",
        "-c",
        ROOT / "constraints.txt",
        f"{wheel}[cpu]",
    ]
    subprocess.run(install, check=True)
    clean = {key: value for key, value in os.environ.items() if key != "PYTHONPATH"}

    def run(*arguments: str | Path) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [python, *arguments],
            cwd=tmp_path,
            env=clean,
            capture_output=True,
            text=True,
            check=True,
        )

    assert "torch" not in run("-m", "pip", "list").stdout
    grey = Image.fromarray(skimage.data.astronaut()).convert("L")
    (tmp_path / "grey").mkdir()
    grey.save(tmp_path / "grey" / "astronaut.png")
    run("-m", "colorbatch", "images", "grey", "-o", "color")
    with Image.open(tmp_path / "color" / "astronaut.png") as result:
        assert np.array_equal(np.asarray(result.convert("L")), np.asarray(grey))
        spread = np.ptp(np.asarray(result).astype(int), axis=2)
    assert spread.mean() > 2  # a grey picture has 0: color was really added
    verified = run("-m", "colorbatch", "verify", "--device", "cpu").stdout.splitlines()
    assert len(verified) == len(embedded_models())
    assert all("as PyTorch" in line for line in verified)
