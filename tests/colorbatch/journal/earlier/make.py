"""Makes the folder beside it: what a version of colorbatch leaves of stills, films and frames that
it finished, and of some in the midst of which it ended. Needs `onnx` (`[train]`).

    python make.py FOLDER      with the version that is to be kept on the path
"""

from __future__ import annotations

import json
import os
import shutil
import sys
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
from PIL import Image

import colorbatch
from colorbatch.color.ycbcr import Region
from colorbatch.job import FilmSettings, ImageSettings
from colorbatch.run.watch import Unwatched

WHEN = 1_577_880_000
"""Seconds since 1970 at which all sources were changed."""
ASKED = ImageSettings(0.8, 80, on_color="skip", on_toned="keep", upright=True, times=False)
FILM = FilmSettings(
    saturation=0.9, region=Region(24, 16, 4, 2), start=Fraction(1), options=(("slices", "4"),)
)
FRAMES = FilmSettings(saturation=0.7, region=Region(12, 10, 2, 2), transfer="srgb")


def model(path: Path) -> None:
    """A convolution and tanh, 32 x 32: strong colors in a few hundred bytes."""
    from onnx import helper, numpy_helper, save

    weights = np.full((2, 1, 3, 3), 0.25 / 9, np.float32)
    constants = {"w": weights, "b": np.array((0.1, 0.15), np.float32)}
    nodes = [
        helper.make_node("Conv", ["x", "w", "b"], ["mixed"], pads=[1, 1, 1, 1]),
        helper.make_node("Tanh", ["mixed"], ["y"]),
    ]
    graph = helper.make_graph(
        nodes,
        "tiny",
        [helper.make_tensor_value_info("x", 1, ["n", 1, 32, 32])],
        [helper.make_tensor_value_info("y", 1, ["n", 2, 32, 32])],
        [numpy_helper.from_array(value, name) for name, value in constants.items()],
    )
    made = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 20)])
    made.ir_version = 10
    contract = {
        "version": 1,
        "dtype": "float32",
        "input": {"name": "x", "kind": "lab_l", "range": [-1, 1]},
        "output": {"name": "y", "kind": "lab_ab", "scale": 110.0},
        "size": {"fixed": [32, 32]},
    }
    card = {"name": "tiny", "weights_sha256": "0" * 64}
    helper.set_model_props(
        made,
        {"colorbatch.contract": json.dumps(contract), "colorbatch.card": json.dumps(card)},
    )
    save(made, path)


def pictures(folder: Path) -> None:
    """Grey, toned and in color; one of them in a folder below."""
    ramp = np.add.outer(np.arange(20) * 6, np.arange(24) * 5).astype(np.uint8)
    (folder / "box 1").mkdir(parents=True)
    Image.fromarray(ramp).save(folder / "grey.png")
    Image.fromarray(ramp[::-1]).save(folder / "box 1" / "deep.tif")
    Image.fromarray(ramp[:, ::-1]).save(folder / "last.jpg")
    Image.fromarray(ramp.T.copy()).save(folder / "named.png")
    sepia = np.dstack([ramp, ramp * 0.8, ramp * 0.5]).astype(np.uint8)
    Image.fromarray(sepia).save(folder / "toned.png")
    hues = np.dstack([ramp, 255 - ramp, np.full_like(ramp, 90)])
    Image.fromarray(hues).save(folder / "color.png")


def film(path: Path, frames: int) -> None:
    """Two pictures a second that drift."""
    with av.open(str(path), "w") as container:
        stream = container.add_stream("ffv1", rate=2)
        stream.height, stream.width, stream.pix_fmt = 24, 32, "yuv420p"
        for number in range(frames):
            ramp = np.add.outer(np.arange(24) * 3, np.arange(32) * 4) + number % 8
            frame = av.VideoFrame.from_ndarray(
                np.vstack([ramp, np.full((12, 32), 128)]).astype(np.uint8), format="yuv420p"
            )
            frame.pts = number
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))


def reel(folder: Path) -> None:
    folder.mkdir(parents=True)
    for number in range(6):
        ramp = np.add.outer(np.arange(16) * 9, np.arange(20) * 5) + number
        Image.fromarray(ramp.astype(np.uint8)).save(folder / f"f_{number:03}.png")


class UntilASegment(Unwatched):
    """Ends the run once a segment of a film is recorded."""

    def __init__(self, journal: Path) -> None:
        super().__init__()
        self.journal = journal

    def stop(self) -> bool:
        return self.journal.exists() and b'"segment"' in self.journal.read_bytes()


def ended_in_the_midst(home: Path, announced: str, never: str) -> None:
    """What a kill leaves: the last result has its name and no `finished` line, one was never begun,
    the last line is torn."""
    path = home / ".colorbatch" / "journal.jsonl"
    lines = [json.loads(line) for line in path.read_text("utf-8").splitlines()]
    kept = [
        line
        for line in lines
        if line.get("target") != never
        and not (line["state"] == "finished" and line["target"] == announced)
    ]
    (home / never).unlink()
    data = b"".join(json.dumps(line).encode() + b"\n" for line in kept)
    path.write_bytes(data + b'{"state": "named", "source_si')


def main(folder: Path) -> None:
    os.chdir(folder)
    model(Path("tiny.onnx"))
    asked = {"model": "tiny.onnx", "workers": 1}
    pictures(Path("scans"))
    films = Path("films")
    films.mkdir()
    film(films / "whole.mkv", 6)
    film(films / "half.mkv", 40)
    film(films / "plain.mkv", 3)
    reel(Path("reel"))
    for path in Path().rglob("*"):
        os.utime(path, (WHEN, WHEN))
    list(colorbatch.color_pictures("scans", "stills", **asked))
    more = {"settings": ASKED, "new_suffix": ".jpg", **asked}
    list(colorbatch.color_pictures("scans", "stills-asked", **more))
    ended_in_the_midst(Path("stills"), "named.png", "last.jpg")
    ended_in_the_midst(Path("stills-asked"), "named.jpg", "last.jpg")
    list(colorbatch.color_clips([films / "whole.mkv"], "films-asked", settings=FILM, **asked))
    list(colorbatch.color_clips([films / "plain.mkv"], "films-plain", **asked))
    watch = UntilASegment(Path("films-asked/.colorbatch/films/half.mkv/journal.jsonl"))
    watched = {**asked, "watch": watch, "batch_size": 1}
    list(colorbatch.color_clips([films / "half.mkv"], "films-asked", settings=FILM, **watched))
    for name, settings in (("frames", FilmSettings()), ("frames-asked", FRAMES)):
        list(colorbatch.color_clips(["reel"], name, settings=settings, **asked))
        ended_in_the_midst(Path(name), "f_002.png", "f_005.png")
    for path in list(Path().rglob("*")):
        if path.suffix in (".lock", ".holder"):
            path.unlink()


if __name__ == "__main__":
    place = Path(sys.argv[1])
    shutil.rmtree(place, ignore_errors=True)
    place.mkdir()
    main(place)
