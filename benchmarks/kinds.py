"""How well grey, toned and color are told apart, on sets built from photographs in color.

`python benchmarks/kinds.py FOLDER [--count N] [--seed S] [--errors DIR]` takes N photographs spread
over the tree of FOLDER, makes of each one picture per set by code (tone, noise, chart, ink, table,
fading; then JPEG at a drawn quality), and prints how many of each set are told to be grey, toned
and color, the share that is told right, and the milliseconds per picture. `--errors` keeps the
pictures that were told wrong, to look at.

What is right: of grey and toned sources either answer but color (by default both are colored, and
a faint tone has no border to grey); of sources in color, color.
"""

from __future__ import annotations

import argparse
import time
from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt

from colorbatch.color import classify
from colorbatch.formats.reader import load_rgb
from training.folders import find_photographs

Picture = npt.NDArray[np.float64]
"""(H, W, 3), encoded sRGB in [0, 1]."""
Rng = np.random.Generator

LUMA = np.array([0.299, 0.587, 0.114])
# the 24 patches of the ColorChecker in sRGB codes, as X-Rite published them before 2014
CHART = np.array([
    (115, 82, 68), (194, 150, 130), (98, 122, 157), (87, 108, 67), (133, 128, 177), (103, 189, 170),
    (214, 126, 44), (80, 91, 166), (193, 90, 99), (94, 60, 108), (157, 188, 64), (224, 163, 46),
    (56, 61, 150), (70, 148, 73), (175, 54, 60), (231, 199, 31), (187, 86, 149), (8, 133, 161),
    (243, 243, 242), (200, 200, 200), (160, 160, 160), (122, 122, 121), (85, 85, 85), (52, 52, 52),
]) / 255  # fmt: skip


# --- tones -------------------------------------------------------------------------------------


def grey_of(rgb: Picture) -> Picture:
    """The black-and-white picture of a photograph, as RGB."""
    return np.repeat((rgb @ LUMA)[..., None], 3, axis=2)


def smooth_field(shape: tuple[int, int], rng: Rng, cells: int = 3) -> npt.NDArray[np.float64]:
    """A random field (H, W) in [0, 1] that changes slowly over the picture."""
    small = rng.random((cells, cells)).astype(np.float32)
    field = cv2.resize(small, (shape[1], shape[0]), interpolation=cv2.INTER_CUBIC)
    return np.clip(np.asarray(field, np.float64), 0, 1)


def curve(grey: Picture, stops: Sequence[tuple[float, float, float]]) -> Picture:
    """Grey turned to the color between `stops`, spread evenly from black to white."""
    at = np.linspace(0, 1, len(stops))
    value = grey[..., 0]
    return np.dstack([np.interp(value, at, [stop[c] for stop in stops]) for c in range(3)])


def cast(grey: Picture, rng: Rng) -> Picture:
    """A scanner's or camera's white balance, and its noise in each channel."""
    gains = 1 + rng.uniform(-0.06, 0.06, 3)
    return grey * gains + rng.normal(0, rng.uniform(0.005, 0.03), grey.shape)


def yellowed(grey: Picture, rng: Rng) -> Picture:
    """Paper that turned yellow, more in some places than in others; blacks fade to brown."""
    strength = rng.uniform(0.3, 1) * (0.35 + 0.65 * smooth_field(grey.shape[:2], rng))[..., None]
    paper = 1 - strength * np.array([0.06, 0.14, 0.42]) * rng.uniform(0.7, 1.1)
    base = np.array([0.16, 0.12, 0.07]) * rng.random()
    return np.asarray(base + (paper - base) * (0.95 * grey))


def sepia(grey: Picture, rng: Rng) -> Picture:
    """Brown toning: shadows, middle and lights have each their own, related color."""
    warm = rng.uniform(0.3, 1)
    shadow = np.array([0.18, 0.11, 0.06]) * rng.uniform(0.3, 1)
    middle = 0.5 + warm * np.array([0.12, 0.0, -0.16]) + rng.normal(0, 0.01, 3)
    light = 0.97 - warm * np.array([0.0, 0.04, 0.15])
    return curve(grey, [tuple(shadow), tuple(middle), tuple(light)])


def split(grey: Picture, rng: Rng) -> Picture:
    """Split toning: cool or purple shadows below warm lights (selenium, gold)."""
    cool = rng.uniform(0.4, 1)
    shadow = np.array([0.09, 0.07, 0.12]) + cool * np.array([0.0, 0.0, 0.06])
    middle = np.array([0.5, 0.48, 0.49]) + cool * np.array([0.02, -0.02, 0.02])
    light = 0.97 - rng.uniform(0.3, 1) * np.array([0.0, 0.03, 0.14])
    return curve(grey, [tuple(shadow), tuple(middle), tuple(light)])


def cyanotype(grey: Picture, rng: Rng) -> Picture:
    """Prussian blue on paper."""
    strength = rng.uniform(0.5, 1)
    shadow = np.array([0.02, 0.10, 0.28]) * (0.6 + 0.6 * strength)
    middle = 0.5 + strength * np.array([-0.22, 0.0, 0.14])
    light = np.array([0.95, 0.96, 0.96 - 0.1 * rng.random()])
    return curve(grey, [tuple(shadow), tuple(middle), tuple(light)])


def amber(grey: Picture, rng: Rng) -> Picture:
    """A lantern slide toned in strong amber: brown shadows, orange lights."""
    strength = rng.uniform(0.6, 1)
    shadow = np.array([0.05, 0.02, 0.0]) * rng.uniform(0.5, 1.5)
    middle = 0.5 + strength * np.array([0.14, -0.12, -0.44])
    light = np.array([1.0, 0.97, 0.9]) - strength * np.array([0.0, 0.18, 0.6])
    return curve(grey, [tuple(shadow), tuple(middle), tuple(light)])


def strong_cyanotype(grey: Picture, rng: Rng) -> Picture:
    """Prussian blue up to the lights."""
    strength = rng.uniform(0.7, 1)
    shadow = np.array([0.0, 0.05, 0.30]) * (0.8 + 0.6 * strength)
    middle = 0.5 + strength * np.array([-0.46, -0.16, 0.22])
    light = np.array([0.95, 0.96, 0.97]) - strength * np.array([0.25, 0.08, 0.0])
    return curve(grey, [tuple(shadow), tuple(middle), tuple(light)])


def red_toned(grey: Picture, rng: Rng) -> Picture:
    """Red chalk: copper or uranium toning, carbon prints."""
    strength = rng.uniform(0.5, 1)
    middle = 0.5 + strength * np.array([0.2, -0.15, -0.22])
    light = np.array([1.0, 0.95, 0.9]) - strength * np.array([0.0, 0.1, 0.1])
    return curve(grey, [(0.12, 0.02, 0.02), tuple(middle), tuple(light)])


TONES: tuple[Callable[[Picture, Rng], Picture], ...] = (cast, yellowed, sepia, split, cyanotype)


def print_of(rgb: Picture, rng: Rng) -> Picture:
    """A black-and-white print: half of them neutral, half toned."""
    tone = cast if rng.random() < 0.5 else TONES[rng.integers(1, 5)]
    return np.clip(tone(grey_of(rgb), rng), 0, 1)


# --- what lies on and around prints ------------------------------------------------------------


def with_chart(rgb: Picture, rng: Rng) -> Picture:
    """A print on the copy stand, with a color chart beside it and sometimes a yellow ruler."""
    picture = print_of(rgb, rng)
    height, width = picture.shape[:2]
    band = int(height * rng.uniform(0.12, 0.24))
    lid = np.full((height + band, width, 3), rng.choice([0.04, 0.5, 0.95]))
    lid += rng.normal(0, 0.01, lid.shape)
    lid[:height] = picture
    patch = min(band * 4 // 10, width * 9 // 120)
    top = height + (band - 2 * patch) // 2
    for index, color in enumerate(CHART):
        row, column = index // 12, index % 12
        y, x = top + row * patch, width // 30 + column * (patch + 1)
        lid[y : y + patch, x : x + patch] = color
    if rng.random() < 0.3:
        lid[:, : max(4, width // 30)] = (0.85, 0.72, 0.15)
    return lid if rng.random() < 0.5 else lid[::-1]


def inked(picture: Picture, mask: npt.NDArray[np.uint8], color: Sequence[float]) -> Picture:
    """A picture with ink of a color where the mask (H, W) says how much, 0 to 255."""
    much = mask[..., None] / 255.0
    return picture * (1 - much) + np.array(color) * much


def with_stamp(rgb: Picture, rng: Rng) -> Picture:
    """A print with an archive's round stamp in red, blue or violet."""
    picture = print_of(rgb, rng)
    height, width = picture.shape[:2]
    color = [(0.75, 0.1, 0.15), (0.15, 0.2, 0.7), (0.45, 0.15, 0.6)][rng.integers(3)]
    radius = int(height * rng.uniform(0.07, 0.14))
    center = (int(rng.uniform(0.15, 0.85) * width), int(rng.uniform(0.15, 0.85) * height))
    thick = max(1, radius // 9)
    mask = np.zeros((height, width), np.uint8)
    cv2.circle(mask, center, radius, 255, thick, cv2.LINE_AA)
    cv2.circle(mask, center, radius * 7 // 10, 255, thick, cv2.LINE_AA)
    left = (center[0] - radius // 2, center[1] + radius // 6)
    cv2.putText(mask, "1931", left, cv2.FONT_HERSHEY_SIMPLEX, radius / 50, 255, thick)
    return inked(picture, (mask * rng.uniform(0.6, 0.95)).astype(np.uint8), color)


def with_ink(rgb: Picture, rng: Rng) -> Picture:
    """A print with blue handwriting or a red dateline, on the picture or on a white margin."""
    picture = print_of(rgb, rng)
    height, width = picture.shape[:2]
    if rng.random() < 0.6:
        margin = np.broadcast_to(picture.reshape(-1, 3).max(axis=0), (height // 6, width, 3))
        picture = np.vstack([picture, margin])
    text, color, left = "Aunt Mary, Brighton 1926", (0.1, 0.15, 0.6), width // 20
    if rng.random() < 0.3:
        text, color, left = "12 8 '84", (1.0, 0.45, 0.1), width * 6 // 10
    size = width / 420 * rng.uniform(0.8, 1)
    mask = np.zeros(picture.shape[:2], np.uint8)
    for line in range(int(rng.integers(1, 4))):
        bottom = int(picture.shape[0] - (0.035 + 0.06 * line) * height)
        font, thick = cv2.FONT_HERSHEY_SCRIPT_SIMPLEX, 1 + int(rng.integers(2))
        cv2.putText(mask, text, (left, bottom), font, size, 255, thick, cv2.LINE_AA)
    return inked(picture, mask, color)


def wood(shape: tuple[int, int], rng: Rng) -> Picture:
    """A wooden table (H, W, 3): grain along one axis, from pale pine to red mahogany."""
    colors = [(0.80, 0.62, 0.40), (0.55, 0.33, 0.17), (0.40, 0.20, 0.13), (0.66, 0.47, 0.30)]
    along = (20.0, 1.2) if rng.random() < 0.5 else (1.2, 20.0)
    grain = cv2.GaussianBlur(rng.normal(0, 1, shape), (0, 0), sigmaX=along[0], sigmaY=along[1])
    grain = grain / max(1e-6, grain.std()) * rng.uniform(0.03, 0.10)
    return np.asarray(np.array(colors[rng.integers(4)]) * (1 + grain[..., None]))


def laid_on(picture: Picture, ground: Picture, rng: Rng, tilt: float) -> Picture:
    """A print with or without white border, photographed on a ground (H, W, 3) under a lamp."""
    if rng.random() < 0.6:
        edge = picture.shape[0] // 25
        white = tuple(float(v) for v in picture.reshape(-1, 3).max(axis=0))
        picture = np.asarray(
            cv2.copyMakeBorder(picture, edge, edge, edge, edge, cv2.BORDER_CONSTANT, value=white)
        )
    height, width = ground.shape[:2]
    have = picture.shape[:2]
    scale = rng.uniform(0.6, 0.9) * min(height / have[0], width / have[1])
    half = np.array([have[1], have[0]]) * scale / 2
    corners = np.array([(-1, -1), (1, -1), (1, 1), (-1, 1)]) * half
    angle = np.radians(rng.uniform(-tilt, tilt))
    turn = np.array([(np.cos(angle), np.sin(angle)), (-np.sin(angle), np.cos(angle))])
    center = np.array([width, height]) / 2 * rng.uniform(0.94, 1.06, 2)
    corners = corners @ turn + center + rng.uniform(-1, 1, (4, 2)) * height * tilt / 500
    square = np.array([(0, 0), (have[1], 0), (have[1], have[0]), (0, have[0])], np.float32)
    warp = cv2.getPerspectiveTransform(square, corners.astype(np.float32))
    there = cv2.warpPerspective(picture, warp, (width, height))
    mask = cv2.warpPerspective(np.ones(have), warp, (width, height))[..., None]
    lamp = 1 - 0.25 * smooth_field((height, width), rng, 2)[..., None]
    return np.asarray(
        (there * mask + ground * (1 - mask)) * lamp * (1 + rng.uniform(-0.05, 0.05, 3))
    )


def on_table(rgb: Picture, rng: Rng) -> Picture:
    """A telephone's shot of a print on a wooden table."""
    return laid_on(print_of(rgb, rng), wood(rgb.shape[:2], rng), rng, tilt=8)


def on_mount(rgb: Picture, rng: Rng) -> Picture:
    """A print on its colored cardboard."""
    colors = [(0.35, 0.42, 0.30), (0.62, 0.50, 0.36), (0.45, 0.22, 0.20), (0.25, 0.30, 0.42)]
    ground = np.broadcast_to(colors[rng.integers(4)], rgb.shape)
    return laid_on(print_of(rgb, rng), ground + rng.normal(0, 0.015, rgb.shape), rng, tilt=1)


# --- color -------------------------------------------------------------------------------------


def muted(rgb: Picture, rng: Rng) -> Picture:
    """A third to a half of the color: haze, old lenses, taste."""
    grey = grey_of(rgb)
    return grey + rng.uniform(0.3, 0.5) * (rgb - grey)


def faded(rgb: Picture, rng: Rng) -> Picture:
    """A slide or color print whose dyes went, one more than the others."""
    density = -np.log10(np.clip(rgb, 0.01, 1)) * rng.uniform(0.55, 0.8)
    dyes = np.array([1.0, 1.0, 1.0])
    dyes[rng.choice(3, p=[0.6, 0.15, 0.25])] = rng.uniform(0.25, 0.5)  # mostly cyan
    return np.asarray(10 ** -(density * dyes + rng.uniform(0.0, 0.08, 3)))


def browned(rgb: Picture, rng: Rng) -> Picture:
    """A color print of which a quarter of the color is left, under brown."""
    grey = grey_of(rgb)
    left = 0.08 + 0.9 * (grey + 0.25 * (rgb - grey))
    strength = rng.uniform(0.6, 1)
    return left * (1 - strength * np.array([0, 0.16, 0.38])) + strength * np.array([0.06, 0.03, 0])


def reddened(rgb: Picture, rng: Rng) -> Picture:
    """The same under magenta."""
    grey = grey_of(rgb)
    left = 0.08 + 0.9 * (grey + 0.25 * (rgb - grey))
    strength = rng.uniform(0.6, 1)
    return left * (1 - strength * np.array([0, 0.25, 0.12])) + strength * np.array([0.06, 0, 0.03])


def album_page(rgb: Picture, rng: Rng, in_color: int) -> Picture:
    """A page of an album with four photographs, so many of them in color, the others grey or sepia.
    They are a photograph and its mirror images."""
    height, width = rgb.shape[:2]
    high, wide = int(height * rng.uniform(1.05, 1.3)), int(width * rng.uniform(1.05, 1.3))
    ground = [(0.08, 0.08, 0.08), (0.85, 0.82, 0.75), (0.95, 0.95, 0.95), (0.35, 0.3, 0.25)]
    page = ground[rng.integers(4)] + rng.normal(0, 0.01, (2 * high, 2 * wide, 3))
    tone = (lambda grey: grey) if rng.random() < 0.5 else (lambda grey: sepia(grey, rng))
    for index, place in enumerate(rng.permutation(4)):
        view = rgb[:: 1 - 2 * (index // 2), :: 1 - 2 * (index % 2)]
        top = place // 2 * high + (high - height) // 2
        left = place % 2 * wide + (wide - width) // 2
        page[top : top + height, left : left + width] = (
            view if index < in_color else tone(grey_of(view))
        )
    return np.asarray(page)


def night(rgb: Picture, rng: Rng) -> Picture:
    """The same place four to six stops darker, with the noise of that."""
    linear = np.clip(rgb, 0, 1) ** 2.2 * 2 ** -rng.uniform(3, 5)
    return linear ** (1 / 2.2) + rng.normal(0, 0.012, rgb.shape)


def hand_tinted(rgb: Picture, rng: Rng) -> Picture:
    """A grey or toned print on which somebody painted, in soft color, the most colored parts."""
    lab = cv2.cvtColor(rgb.astype(np.float32), cv2.COLOR_RGB2LAB)
    ab = cv2.GaussianBlur(lab[..., 1:], (0, 0), 5)
    chroma = np.hypot(ab[..., 0], ab[..., 1])
    share = rng.uniform(0.15, 0.5)
    painted = np.clip((chroma - np.quantile(chroma, 1 - share)) / 4, 0, 1)[..., None]
    soft = ab * painted * min(1.0, rng.uniform(20, 35) / max(1.0, float(chroma.max())))
    base = cv2.cvtColor(print_of(rgb, rng).astype(np.float32), cv2.COLOR_RGB2LAB)
    base[..., 1:] += soft
    return np.asarray(cv2.cvtColor(base, cv2.COLOR_LAB2RGB), np.float64)


def of_one_hue(paths: Sequence[Path], share: float = 0.05) -> list[Path]:
    """The photographs whose color varies least about its mean: snow, fog, sunsets, sand."""

    def spread(path: Path) -> float:
        small = cv2.resize(load_rgb(path), (64, 64), interpolation=cv2.INTER_AREA)
        lab = cv2.cvtColor(small.astype(np.float32) / 255, cv2.COLOR_RGB2LAB)
        return float(lab[..., 1:].reshape(-1, 2).std(axis=0).sum())

    ranked = sorted(paths, key=spread)
    return ranked[: max(1, round(len(ranked) * share))]


# --- the sets ----------------------------------------------------------------------------------

SETS: dict[str, tuple[str, Callable[[Picture, Rng], Picture]]] = {
    "grey": ("grey", lambda rgb, rng: grey_of(rgb)),
    "grey with a cast and noise": ("grey", lambda rgb, rng: cast(grey_of(rgb), rng)),
    "yellowed unevenly": ("toned", lambda rgb, rng: yellowed(grey_of(rgb), rng)),
    "sepia": ("toned", lambda rgb, rng: sepia(grey_of(rgb), rng)),
    "split-toned": ("toned", lambda rgb, rng: split(grey_of(rgb), rng)),
    "cyanotype": ("toned", lambda rgb, rng: cyanotype(grey_of(rgb), rng)),
    "amber lantern slide": ("toned", lambda rgb, rng: amber(grey_of(rgb), rng)),
    "strong cyanotype": ("toned", lambda rgb, rng: strong_cyanotype(grey_of(rgb), rng)),
    "red-toned": ("toned", lambda rgb, rng: red_toned(grey_of(rgb), rng)),
    "album page without color": ("toned", lambda rgb, rng: album_page(rgb, rng, 0)),
    "print with a chart": ("print", with_chart),
    "print with a stamp": ("print", with_stamp),
    "print with blue ink or a date": ("print", with_ink),
    "print on a colored mount": ("print", on_mount),
    "telephone's shot on a table": ("print", on_table),
    "color": ("color", lambda rgb, rng: rgb),
    "muted color": ("color", muted),
    "faded color": ("color", faded),
    "color, a dark night": ("color", night),
    "color of nearly one hue": ("color", lambda rgb, rng: rgb),
    "hand-tinted": ("color", hand_tinted),
    "color faded to brown": ("color", browned),
    "color faded to magenta": ("color", reddened),
    "album page, one of four in color": ("color", lambda rgb, rng: album_page(rgb, rng, 1)),
    "album page, two of four in color": ("color", lambda rgb, rng: album_page(rgb, rng, 2)),
    "album page, three of four in color": ("color", lambda rgb, rng: album_page(rgb, rng, 3)),
}
"""Name of a set -> what it is, and how a photograph becomes a member."""


def member(name: str, rgb: npt.NDArray[np.uint8], rng: Rng) -> npt.NDArray[np.uint8]:
    """A photograph (H, W, 3) as a member of a set, after JPEG at a drawn quality; RGB codes."""
    made = np.clip(SETS[name][1](rgb / 255.0, rng), 0, 1)
    codes = np.rint(made * 255).astype(np.uint8)
    quality = [cv2.IMWRITE_JPEG_QUALITY, int(rng.integers(50, 96))]
    _, data = cv2.imencode(".jpg", cv2.cvtColor(codes, cv2.COLOR_RGB2BGR), quality)
    return np.asarray(cv2.imdecode(data, cv2.IMREAD_COLOR_RGB), np.uint8)


def is_right(name: str, kind: str) -> bool:
    """Whether a member of a set may be told to be of this kind."""
    return (SETS[name][0] == "color") == (kind == "color")


def main() -> None:
    """Build the sets, ask, and print the table."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0] if __doc__ else "")
    parser.add_argument("folder", type=Path)
    parser.add_argument("--count", type=int, default=200)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--errors", type=Path, help="a folder for the pictures told wrong")
    arguments = parser.parse_args()
    cv2.setNumThreads(1)  # as in a batch, where every core has its own picture
    paths = find_photographs(arguments.folder)
    step = max(1, len(paths) // arguments.count)
    chosen = paths[::step][: arguments.count]
    one_hue = of_one_hue(paths[:: max(1, step // 4)])
    print("| set | pictures | grey | toned | color | right |\n|---|---|---|---|---|---|")
    seconds, asked = 0.0, 0
    for number, name in enumerate(SETS):
        told: Counter[str] = Counter()
        for index, path in enumerate(one_hue if "one hue" in name else chosen):
            rng = np.random.default_rng([arguments.seed, number, index])
            picture = member(name, np.asarray(load_rgb(path), np.uint8), rng)
            started = time.perf_counter()
            kind = classify.kind_of(picture)
            seconds += time.perf_counter() - started
            told[kind] += 1
            if arguments.errors and not is_right(name, kind):
                arguments.errors.mkdir(parents=True, exist_ok=True)
                target = arguments.errors / f"{name.replace(' ', '-')}-{path.stem}-{kind}.png"
                cv2.imwrite(str(target), cv2.cvtColor(picture, cv2.COLOR_RGB2BGR))
        asked += told.total()
        right = sum(count for kind, count in told.items() if is_right(name, kind)) / told.total()
        counts = " | ".join(str(told[kind]) for kind in ("grey", "toned", "color"))
        print(f"| {name} | {told.total()} | {counts} | {right:.1%} |", flush=True)
    print(f"\n{1000 * seconds / asked:.1f} ms per picture on one core")


if __name__ == "__main__":
    main()
