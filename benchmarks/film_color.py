"""What the color path of films costs and keeps, beside the usual way through full-size RGB and Lab.

`python benchmarks/film_color.py FOLDER [--count N] [--rounds N]` makes frames of N photographs
spread over the tree of FOLDER, gives both ways the photographs' own chroma (so that no network's
taste is measured), and prints

- milliseconds per frame of 960x540 and 1920x1080, the two ways in turn, as processor time of one
  core (median of the rounds), for what the network sees and for the planes that are written;
- the mean deltaE2000 from the photographs, the share of their chroma that is kept, and by how many
  codes the luma of what is shown (decoded, clipped to [0, 1]) differs from the source's.

The usual way is the loop that most tools run: Y'CbCr to RGB, float Lab by OpenCV, ab resized to the
frame, Lab to RGB, 8-bit Y'CbCr again.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

from colorbatch import color
from colorbatch.color import chroma, ycbcr
from colorbatch.color.ycbcr import Encoding
from colorbatch.formats.reader import load_rgb
from training.folders import find_photographs

Array = npt.NDArray[Any]
FORMATS = {
    "4:2:0, 8 bits": Encoding(8, (2, 2)),
    "4:2:0, 10 bits": Encoding(10, (2, 2)),
    "4:2:2, 10 bits": Encoding(10, (1, 2)),
    "4:4:4, 8 bits": Encoding(8, (1, 1)),
    "RGB, 8 bits": Encoding(8, None, "rgb", "full"),
}
SEEN = (256, 256)


def the_usual_way(y: Array, predict: Callable[[Array], Array]) -> Array:
    """Frame (H, W) of full-range 8-bit luma to I420, through RGB and Lab of the frame's size."""
    height, width = y.shape
    half = height // 2
    source = np.vstack([y, np.full((half, width), 128, np.uint8)])
    rgb = cv2.cvtColor(source, cv2.COLOR_YUV2RGB_I420)
    lab = cv2.cvtColor(rgb.astype(np.float32) / 255, cv2.COLOR_RGB2LAB)
    ab = predict(cv2.resize(lab[..., 0], SEEN[::-1]))
    full = cv2.resize(ab, (width, height), interpolation=cv2.INTER_CUBIC)
    lab[..., 1:] = full
    back = np.clip(cv2.cvtColor(lab, cv2.COLOR_LAB2RGB) * 255, 0, 255).astype(np.uint8)
    return np.asarray(cv2.cvtColor(back, cv2.COLOR_RGB2YUV_I420))


def our_way(y: Array, predict: Callable[[Array], Array], one: Encoding) -> tuple[Array, ...]:
    """The same frame to the planes that are added to its luma."""
    ab = predict(ycbcr.network_lightness(y, one, SEEN))
    if one.matrix == "rgb":
        return chroma.rgb_planes(y, ab, one)
    return chroma.chroma_planes(y, ab, one)


def luma_plane(rgb: Array, one: Encoding) -> Array:
    """Y' codes (H, W) of a photograph (H, W, 3), as a scanner of grey film would give them."""
    kr, kg, kb = one.weights
    luma = (rgb / 255) @ np.array([kr, kg, kb])
    return np.asarray(np.rint(luma * (one.white - one.black) + one.black), one.dtype)


def decoded(y: Array, cb: Array, cr: Array, one: Encoding) -> Array:
    """sRGB (H, W, 3) in [0, 1], float64, chroma upsampled linearly, as players do."""
    kr, kg, kb = one.weights
    luma = (y.astype(np.float64) - one.black) / (one.white - one.black)
    full = [
        cv2.resize(plane.astype(np.float64), y.shape[::-1], interpolation=cv2.INTER_LINEAR)
        for plane in (cb, cr)
    ]
    blue, red = ((np.asarray(plane) - one.neutral) / one.chroma_span for plane in full)
    red, blue = luma + 2 * (1 - kr) * red, luma + 2 * (1 - kb) * blue
    return np.clip(np.dstack([red, (luma - kr * red - kb * blue) / kg, blue]), 0, 1)


def milliseconds(work: Callable[[], object]) -> float:
    """Processor time of one run."""
    started = time.thread_time()
    work()
    return 1000 * (time.thread_time() - started)


def print_speed(photographs: list[Array], rounds: int) -> None:
    """The table of times."""
    print("| frame | format | usual way | ours | ratio |\n|---|---|---|---|---|")
    for width, height in ((960, 540), (1920, 1080)):
        frames = [color.resize_area(rgb, (height, width)) for rgb in photographs[:4]]
        truth = [color.rgb_to_lab(color.resize_area(rgb, SEEN))[..., 1:].copy() for rgb in frames]
        for name, one in FORMATS.items():
            times: list[list[float]] = [[], []]
            for turn in range(rounds + 1):
                rgb, ab = frames[turn % len(frames)], truth[turn % len(frames)]
                grey, y = color.grey_of(rgb), luma_plane(rgb, one)
                found = (
                    milliseconds(lambda: the_usual_way(grey, lambda _: ab)),  # noqa: B023
                    milliseconds(lambda: our_way(y, lambda _: ab, one)),  # noqa: B023
                )
                if turn:  # the first one builds tables
                    for kept, value in zip(times, found, strict=True):
                        kept.append(value)
            usual, ours = (float(np.median(kept)) for kept in times)
            size = f"{width}x{height}"
            print(f"| {size} | {name} | {usual:.1f} | {ours:.1f} | {usual / ours:.1f} |")


def print_accuracy(photographs: list[Array]) -> None:
    """The table of differences: chroma true at every pixel, so only the join is measured."""
    sums: dict[str, list[tuple[float, float, float]]] = {}
    for rgb in photographs:
        rgb = rgb[: rgb.shape[0] // 2 * 2, : rgb.shape[1] // 2 * 2]
        lab = color.rgb_to_lab(rgb)
        for name, base in FORMATS.items():
            one = replace(base, siting="center")
            y = luma_plane(rgb, one)
            if one.matrix == "rgb":
                green, blue, red = chroma.rgb_planes(y, lab[..., 1:], one)
                back = np.dstack([red, green, blue]) / 255
            else:
                back = decoded(y, *chroma.chroma_planes(y, lab[..., 1:], one), one)
            luma = (back @ np.array(one.weights)) * (one.white - one.black) + one.black
            sums.setdefault(name, []).append(differences(lab, back, luma - y))
        grey = color.grey_of(rgb)
        yuv = the_usual_way_with(grey, lab[..., 1:])
        cb, cr = yuv[rgb.shape[0] :].reshape(2, rgb.shape[0] // 2, rgb.shape[1] // 2)
        one = Encoding(8, (2, 2), "bt601")  # OpenCV's I420
        plane = yuv[: rgb.shape[0]]
        wanted = luma_plane(np.repeat(grey[..., None], 3, axis=2), one)
        change = plane.astype(np.float64) - wanted
        found = differences(lab, decoded(plane, cb, cr, one), change)
        sums.setdefault("usual way, 4:2:0", []).append(found)
    print("\n| format | mean deltaE2000 | chroma kept | mean luma error |\n|---|---|---|---|")
    for name, rows in sums.items():
        delta, kept, luma = np.mean(rows, axis=0)
        print(f"| {name} | {delta:.2f} | {kept:.1%} | {luma:.3f} |")


def the_usual_way_with(grey: Array, ab: Array) -> Array:
    """`the_usual_way` with chroma of the frame's own size."""
    lab = cv2.cvtColor(cv2.merge([grey] * 3).astype(np.float32) / 255, cv2.COLOR_RGB2LAB)
    lab[..., 1:] = ab
    back = np.clip(cv2.cvtColor(lab, cv2.COLOR_LAB2RGB) * 255, 0, 255).astype(np.uint8)
    return np.asarray(cv2.cvtColor(back, cv2.COLOR_RGB2YUV_I420))


def differences(lab: Array, back: Array, luma: Array) -> tuple[float, float, float]:
    """Mean deltaE2000, share of mean chroma, mean difference of luma in codes."""
    found = color.encoded_to_lab(back.astype(np.float32))
    kept = color.mean_chroma(found) / max(1e-6, color.mean_chroma(color_of(lab)))
    return float(color.delta_e_2000(lab, found).mean()), kept, float(np.abs(luma).mean())


def color_of(lab: Array) -> color.Float:
    """Lab as float32."""
    return np.asarray(lab, np.float32)


def main() -> None:
    """Read the photographs and print both tables."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0] if __doc__ else "")
    parser.add_argument("folder", type=Path)
    parser.add_argument("--count", type=int, default=24)
    parser.add_argument("--rounds", type=int, default=21)
    arguments = parser.parse_args()
    cv2.setNumThreads(1)  # as in a batch, where every core has its own frame
    paths = find_photographs(arguments.folder)
    chosen = paths[:: max(1, len(paths) // arguments.count)][: arguments.count]
    photographs = [np.asarray(load_rgb(path), np.uint8) for path in chosen]
    print_speed(photographs, arguments.rounds)
    print_accuracy(photographs)


if __name__ == "__main__":
    main()
