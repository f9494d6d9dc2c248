"""The demonstration: real photographs made grey, colored by the tool, shown side by side.

`python tests/demo.py FOLDER [MODEL]` takes the photographs in scikit-image's wheel, writes them as
grey files of several kinds below FOLDER/grey, runs `colorbatch images` over them into FOLDER/color
(with `-m MODEL`, such as `unet32`, if it is given), and puts grey, colored and true next to each
other in FOLDER/before-after.png. Needs no network.
"""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt
import skimage.data
import tifffile
from PIL import Image, ImageDraw

Picture = npt.NDArray[np.uint8]

CELL_HEIGHT = 220
PHOTOGRAPHS = {
    "people/astronaut.jpg": skimage.data.astronaut,
    "animals/chelsea.png": skimage.data.chelsea,
    "things/coffee.tif": skimage.data.coffee,
    "things/rocket.jpg": skimage.data.rocket,
    "things/motorcycle.webp": lambda: skimage.data.stereo_motorcycle()[0],
    "deep/chelsea-16-bit.tif": skimage.data.chelsea,
}


def main(folder: Path, model: str = "") -> int:
    """Make the demonstration below `folder`; returns the tool's exit code."""
    grey_folder, color_folder = folder / "grey", folder / "color"
    true = {name: np.asarray(load()[..., :3]) for name, load in PHOTOGRAPHS.items()}
    for name, rgb in true.items():
        write_grey(grey_folder / name, rgb)
    words = ["images", str(grey_folder), "-o", str(color_folder), "-y"]
    words += ["-m", model] if model else []
    print("$ colorbatch", *words, flush=True)
    code = subprocess.run([sys.executable, "-m", "colorbatch", *words], check=False).returncode
    if code:
        return code
    sheet = folder / "before-after.png"
    rows = [
        (name, read(grey_folder / name), read(color_folder / name), rgb)
        for name, rgb in true.items()
    ]
    contact_sheet(rows, ("grey", "colored", "true")).save(sheet)
    print(f"Look at {sheet.resolve()}: grey, colored, true.")
    return 0


def write_grey(path: Path, rgb: Picture) -> None:
    """Write the luma of a photograph (H, W, 3) in the format that its name says."""
    path.parent.mkdir(parents=True, exist_ok=True)
    image = Image.fromarray(rgb).convert("L")
    if "16-bit" in path.name:
        luma = rgb @ np.array([0.299, 0.587, 0.114]) * 257
        tifffile.imwrite(path, np.rint(luma).astype(np.uint16), photometric="minisblack")
    elif path.suffix == ".webp":
        image.save(path, lossless=True)
    else:
        image.save(path)


def read(path: Path) -> Picture:
    """A written file as 8-bit RGB (H, W, 3)."""
    data = np.frombuffer(path.read_bytes(), np.uint8)
    pixels = cv2.imdecode(data, cv2.IMREAD_COLOR_RGB)
    assert pixels is not None, f"{path} cannot be read"
    return np.asarray(pixels, np.uint8)


def contact_sheet(
    rows: list[tuple[str, Picture, Picture, Picture]], titles: tuple[str, ...], columns: int = 2
) -> Image.Image:
    """Rows of (name, pictures...) of equal height, `columns` rows next to each other."""
    groups = []
    for name, *pictures in rows:
        cells = []
        for title, picture in zip(titles, pictures, strict=True):
            width = round(picture.shape[1] * CELL_HEIGHT / picture.shape[0])
            cell = Image.new("RGB", (width + 4, CELL_HEIGHT + 18), "white")
            cell.paste(Image.fromarray(picture).resize((width, CELL_HEIGHT)), (2, 16))
            ImageDraw.Draw(cell).text((4, 2), f"{name}: {title}", fill="black")
            cells.append(np.asarray(cell))
        groups.append(np.concatenate(cells, axis=1))
    widest = max(group.shape[1] for group in groups)
    padded = [
        np.pad(g, ((0, 0), (0, widest - g.shape[1]), (0, 0)), constant_values=255) for g in groups
    ]
    while len(padded) % columns:
        padded.append(np.full_like(padded[0], 255))
    lines = [
        np.concatenate(padded[i : i + columns], axis=1) for i in range(0, len(padded), columns)
    ]
    return Image.fromarray(np.concatenate(lines))


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1] if len(sys.argv) > 1 else "demo-output"), *sys.argv[2:3]))
