"""The wheel: what it holds, and that it colors in a clean environment without PyTorch."""

from __future__ import annotations

import os
import subprocess
import sys
import venv
import zipfile
from pathlib import Path

import numpy as np
import pytest
import skimage.data
from PIL import Image

ROOT = Path(__file__).parents[1]


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The project's wheel, built from the files that git tracks (ignored ones silently miss)."""
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
    command = [sys.executable, "-m", "build", "--wheel", "--no-isolation", "-o", folder, source]
    subprocess.run(command, check=True, capture_output=True)
    [made] = folder.glob("*.whl")
    return made


def test_wheel_ships_the_tool_with_its_model_and_nothing_else(wheel: Path) -> None:
    """Only `colorbatch/` and the metadata, with the default model and its parity record."""
    names = zipfile.ZipFile(wheel).namelist()
    assert {name.split("/")[0].split("-")[0] for name in names} == {"colorbatch"}
    assert "colorbatch/models/unet32.onnx" in names
    assert "colorbatch/models/unet32.parity.json" in names
    sources = {f"colorbatch/{path.name}" for path in (ROOT / "colorbatch").glob("*.py")}
    assert sources <= set(names)


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
    assert "as PyTorch" in run("-m", "colorbatch", "verify").stdout
