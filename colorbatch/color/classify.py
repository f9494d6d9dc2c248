"""Grey, toned or in color: arrays in, `Kind` out. No files, no models.

What is asked is not "is there color in the file" but "was this photograph taken in color": paper
yellows, prints are toned, archives lay color charts beside them and stamp them, people photograph
them on tables. So the decision is made in four steps, on a view of 192 pixels:

1. One tone. A picture of one tone has, at each lightness, one ab; and that tone may be stronger in
   one place than in another (paper fades unevenly), but only along its own hue. Both are fitted
   to the pixels, robustly: ab = curve(L*) + L* * field(x, y) * hue, the curve piecewise linear over
   L*, the field a polynomial. What is left of ab after that is the picture's *own* color.
2. What does not count. Own color in thin strokes (ink, scratches) is lost to a morphological
   opening; own color in regions that do not reach the picture's middle (a chart, a ruler, a
   mount's label) is left out of the account.
3. The picture's area. Where the whole is not of one tone, but its margin is one colored ground
   that encloses rectangles (a print on a table or a mount, an album's page), they are judged
   instead, each by itself: one in color is enough.
4. Color has own color over a part of its area, or a little of it everywhere (`STRAY, RESTLESS`),
   or hues that vary from thing to thing (`VARIED`), or a place in it as large as a photograph
   (`PHOTOGRAPH`). Otherwise the tone's own mean chroma says grey or toned.

A picture that is not in color may still hold a region that is: `Evidence.region`.

The limits were chosen on one set of photographs and are reported on another by
`benchmarks/kinds.py` (docs/photographs.md).
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Any, Literal

import cv2
import numpy as np
import numpy.typing as npt

from colorbatch.color import Codes, Float, resize_area, rgb_to_lab

Kind = Literal["grey", "toned", "color"]
Mask = npt.NDArray[np.bool_]

VIEW = 192
"""Long side of the view that is judged, in pixels."""
OVERSAMPLING = 4
"""Samples per pixel and axis of the view that are read of larger pictures: averaging 16 takes noise
to a quarter, and a picture of 100 megapixels costs no more than one of half a megapixel."""
KNOTS = 17
"""Knots of the tone's curve over L* in [0, 100]."""
STRONGEST_CAST = 4.0
"""Mean C*ab of the tone up to which a picture is grey: scanners' and cameras' casts stay below."""
OWN, OWN_OF_TONE = 2.5, 0.06
"""Own color begins at this distance in ab, plus this share of the tone's chroma: the stronger the
tone, the more of it JPEG's subsampling spills over edges."""
ALONG = 0.7
"""How much own color along the tone's hue counts beside own color across it: more or less of the
same tone is mostly paper and toning that no polynomial follows."""
STRAY, RESTLESS = 0.10, 0.70
"""In color is what lies outside of this ellipse: the share of the area with own color, and the
upper quartile of own color in units of where it begins. A stamp makes the first large and leaves
the second; a photograph in muted color has a little own color everywhere."""
STRONGEST_TONE, STRONG_RESTLESS = 50.0, 0.45
"""From this mean C*ab on one tone is a colored thing (a sunset, a retina) sooner than a toned
photograph: it has to be quieter than others to be one, as amber lantern slides and strong
cyanotypes are."""
VARIED, VARIED_BETWEEN, VARIED_RESTLESS = ((12.0, 1.1), (20.0, 0.62)), (7.0, 40.0), 0.3
"""In color is where hue moves across the tone's: what a tenth of the pixels exceeds in ab, of what
lies between two Gaussian blurs, larger than noise and JPEG's blocks and smaller than a stain.
Color prints that faded to brown have little else left; but a strong tone (mean C*ab, and the limit
for it) they have, while paper that yellowed in spots is paler, and this restless they are."""
PHOTOGRAPH, PHOTOGRAPH_OWN, LEAST_PHOTOGRAPH = 31, 1.5, 0.02
"""A place with own color of this strength in which a disc of so many pixels of the view fits, over
this share of it, is a photograph in color beside others; charts are lower than that."""
LEAST_PRINT = 0.04
"""Share of the view from which on a rectangle beside the largest one is a print as well."""
REGION_OWN = 2.0
"""A region keeps its own color if its own color is this strong anywhere."""
MOST_OPPOSED = 4.0
"""Mean C*ab from which two opposite hues are no split toning, though lightness divides them."""
MARGIN = 0.22
"""Share of a side; own color that does not reach beyond this margin is not the picture's."""
MARGIN_TRUST = np.float32(0.25)
"""Weight of that margin when the tone is fitted: a large grey card is none of the print's tones."""
FULL_LIGHTNESS, MOST_LIGHTENED = 95.0, 2.0
"""Dark pictures are judged as if exposed until their lights have this L*, by at most this factor:
L*+16, a* and b* all grow with the cube root of the exposure (CIE 15:2004, section 8.2.1)."""
MOST_LEFT_OUT = 0.3
"""Share of the area that may be left out as chart, ruler or label."""


@dataclass(frozen=True)
class Evidence:
    """What a decision rests on."""

    tone: float
    """Mean C*ab of the one tone that explains most of the picture."""
    stray: float
    """Share of the counted area that has own color, without thin strokes."""
    restless: float
    """Upper quartile of the own color, 1 is where it begins to count."""
    opposed: float = 0.0
    """Mean C*ab that the tone has on the weaker of its two sides of neutral."""
    left_out: float = 0.0
    """Share of the area that was left out as chart, ruler or label."""
    print_area: float = 1.0
    """Share of the view that was judged: less than 1 for a print on a ground."""
    varied: float = 0.0
    """What a tenth of the pixels exceeds of the hue's moves from thing to thing, in ab."""
    photograph: float = 0.0
    """Share of the view in places as large as a photograph."""
    mixed: bool = False
    """Whether photographs in color and others lie side by side."""
    region: Mask | None = field(default=None, compare=False, repr=False)
    """Where (h, w) a picture that is not in color has own color; None for nowhere. Its pixels lie
    over the picture's at any size."""

    @property
    def is_color(self) -> bool:
        """Whether one tone does not explain the picture."""
        return self._is_all_color or self.photograph > LEAST_PHOTOGRAPH

    @property
    def _is_all_color(self) -> bool:
        restless = RESTLESS if self.tone <= STRONGEST_TONE else STRONG_RESTLESS
        return (
            (self.stray / STRAY) ** 2 + (self.restless / restless) ** 2 > 1
            or (self.varied > self._most_varied and self.restless > VARIED_RESTLESS)
            or self.opposed > MOST_OPPOSED
            or self.left_out > MOST_LEFT_OUT
        )

    @property
    def _most_varied(self) -> float:
        (pale, most), (strong, least) = VARIED
        return float(np.interp(self.tone, [pale, strong], [most, least]))

    @property
    def kind(self) -> Kind:
        """The decision."""
        if self.is_color:
            return "color"
        return "grey" if self.tone < STRONGEST_CAST else "toned"


def kind_of(rgb: Codes) -> Kind:
    """Whether a picture (H, W, 3), uint8 or uint16 in RGB order, is grey, toned or in color."""
    return evidence_of(rgb).kind


def evidence_of(rgb: Codes) -> Evidence:
    """What is found in a picture (H, W, 3), uint8 or uint16 in RGB order, of any size."""
    lab = cv2.GaussianBlur(rgb_to_lab(_view_of(rgb)), (0, 0), 1.2)
    lights = max(1.0, float(np.quantile(lab[..., 0], 0.99)))
    lab = lab * np.float32(min(MOST_LIGHTENED, FULL_LIGHTNESS / lights))
    whole = np.ones(lab.shape[:2], np.bool_)
    found = _judged(lab, whole)
    if not found.is_color:
        return found
    prints = [_judged(lab, area) for area in _prints_on_a_ground(lab)]
    in_color = [one.is_color for one in prints]
    if prints and not any(in_color):
        return prints[0]
    mixed = any(in_color) and not all(in_color)
    return replace(found, mixed=mixed or not found._is_all_color, region=None)


def _view_of(rgb: Codes) -> Codes:
    """A picture at VIEW pixels along its longer side, of every n-th row and column averaged."""
    step = max(1, max(rgb.shape[:2]) // (VIEW * OVERSAMPLING))
    height, width = rgb.shape[:2]
    if step > 1:
        rgb = np.ascontiguousarray(rgb[min(step // 2, height - 1) :: step,
                                       min(step // 2, width - 1) :: step])  # fmt: skip
    shrink = max(1.0, max(rgb.shape[:2]) / VIEW)
    height, width = rgb.shape[:2]
    return resize_area(rgb, (max(1, round(height / shrink)), max(1, round(width / shrink))))


# --- one tone ----------------------------------------------------------------------------------


def _tone_of(lab: Float, trust: Float) -> Float:
    """The tone (H, W, 2) in ab that a picture of one tone would have, fitted by `trust` (H, W).

    Iteratively reweighted least squares with Geman and McClure's weights (Zhang 1997, "Parameter
    estimation techniques", table 1) on every third row and column.
    """
    thin = (slice(None, None, 3), slice(None, None, 3))
    lightness, base = lab[thin][..., 0].ravel(), trust[thin].ravel()
    ab = np.ascontiguousarray(lab[thin][..., 1:]).reshape(-1, 2)
    if base.sum() < 1:
        base = np.ones_like(base)
    hats = _hats(lightness)
    field = _field_terms(lab.shape[:2])
    places = field[thin].reshape(-1, field.shape[2]) * (lightness[:, None] / 100)
    bend = np.diff(np.eye(KNOTS, dtype=np.float32), 2, axis=0)
    bend = bend.T @ bend
    weights: Float = base
    varying: Float = np.zeros_like(lightness)
    for _ in range(4):
        total = float(weights.sum())
        hue = _main_axis(ab * np.sqrt(weights)[:, None])
        scaled = hats * weights[:, None]
        normal = scaled.T @ hats + bend * (2e-3 * total) + np.eye(KNOTS) * (1e-6 * total)
        curve = np.linalg.solve(normal, scaled.T @ (ab - varying[:, None] * hue))
        rest = ab - hats @ curve.astype(np.float32)
        scaled = places * weights[:, None]
        normal = scaled.T @ places + np.eye(places.shape[1]) * (2e-3 * total)
        amounts = np.linalg.solve(normal, scaled.T @ (rest @ hue)).astype(np.float32)
        varying = np.asarray(places @ amounts, np.float32)
        distance = np.hypot(*(rest - varying[:, None] * hue).T)
        scale = max(1.0, 1.5 * float(np.median(distance[base > 0])))
        weights = np.asarray(base / (1 + (distance / scale) ** 2) ** 2, np.float32)
    steps = np.linspace(0, 100, KNOTS)
    amount = (field @ amounts) * (lab[..., 0] / 100)
    return np.dstack([
        np.interp(lab[..., 0], steps, curve[:, axis]) + amount * hue[axis] for axis in (0, 1)
    ]).astype(np.float32)  # fmt: skip


def _main_axis(ab: Float) -> Float:
    """The unit vector (2,) along which colors (N, 2) in ab lie most, seen from neutral."""
    return np.asarray(np.linalg.eigh(ab.T @ ab)[1][:, 1], np.float32)


def _hats(lightness: Float) -> Float:
    """Weights (N, KNOTS) of piecewise linear interpolation over L* (N,)."""
    position = np.clip(lightness * ((KNOTS - 1) / 100), 0, KNOTS - 1.001)
    hats = 1 - np.abs(position[:, None] - np.arange(KNOTS, dtype=np.float32))
    return np.asarray(np.maximum(0, hats), np.float32)


def _field_terms(size: tuple[int, int]) -> Float:
    """Polynomials up to the third degree over a picture of `size`, without the constant."""
    y = np.linspace(-1, 1, size[0], dtype=np.float32)[:, None]
    x = np.linspace(-1, 1, size[1], dtype=np.float32)[None]
    terms = [x**i * y**j for i in range(4) for j in range(4 - i) if i + j]
    return np.stack([np.broadcast_to(term, size) for term in terms], axis=-1)


# --- what counts -------------------------------------------------------------------------------


def _judged(lab: Float, area: Mask) -> Evidence:
    """What is found inside an area (H, W) of a blurred Lab picture."""
    trust = np.where(_middle(area.shape), np.float32(1), MARGIN_TRUST)
    tone = _tone_of(lab, np.asarray(trust * area, np.float32))
    chroma = _length(tone)
    own = _own_color(lab, tone) / (OWN + OWN_OF_TONE * chroma)
    thick = _opened((own > 1) & area, 5)
    left_out = _in_the_margin(thick) & area
    counted = area & ~left_out
    if not counted.any():
        return Evidence(0.0, 1.0, 0.0)
    along = (tone * _main_axis(tone[counted])).sum(axis=2)[counted]
    calm = np.asarray(np.where(thick | ~area, np.float32(0), _across(lab, tone)), np.float32)
    near, far = (cv2.GaussianBlur(calm, (0, 0), width) for width in VARIED_BETWEEN)
    quiet = counted & (own <= 1)  # the tone is what it is where the picture shows nothing else
    return Evidence(
        tone=float(chroma[quiet].mean()) if quiet.any() else 0.0,
        stray=float(thick[counted].mean()),
        restless=float(np.quantile(own[counted], 0.75)),
        opposed=float(min(np.maximum(along, 0).mean(), np.maximum(-along, 0).mean())),
        left_out=float(left_out.sum() / area.sum()),
        print_area=float(area.mean()),
        varied=float(np.quantile(np.abs(near - far)[counted], 0.9)),
        photograph=_photographs_in(_opened((own > PHOTOGRAPH_OWN) & area, 5)),
        region=_region_of(thick, _foreign_color(lab, tone) * area / (OWN + OWN_OF_TONE * chroma)),
    )


def _own_color(lab: Float, tone: Float) -> Float:
    """Distance (H, W) in ab of a Lab picture from its tone (H, W, 2), less along the tone's hue."""
    rest = lab[..., 1:] - tone
    along = (rest * tone).sum(axis=2) / np.maximum(1, _length(tone))
    square = (rest**2).sum(axis=2) - np.float32(1 - ALONG**2) * along**2
    return np.asarray(np.sqrt(np.maximum(0, square)), np.float32)


def _across(lab: Float, tone: Float) -> Float:
    """How far (H, W) a Lab picture's ab lie from their tone (H, W, 2), across the tone's hue."""
    rest = lab[..., 1:] - tone
    turned = rest[..., 0] * tone[..., 1] - rest[..., 1] * tone[..., 0]
    return np.asarray(turned / np.maximum(1e-3, _length(tone)), np.float32)


def _photographs_in(strong: Mask) -> float:
    """Share of a view in which a disc of PHOTOGRAPH pixels lies on strong own color, small gaps
    filled; a border's strip is as narrow as it looks."""
    closing = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (3, 3))
    filled = cv2.morphologyEx(strong.astype(np.uint8), cv2.MORPH_CLOSE, closing)
    padded = np.pad(filled, PHOTOGRAPH).astype(np.bool_)
    return float(_opened(padded, PHOTOGRAPH).sum() / strong.size)


def _foreign_color(lab: Float, tone: Float) -> Float:
    """Distance (H, W) in ab of a Lab picture from its tone (H, W, 2); more or less of a clear tone
    is none of it: a cyanotype's blue is no region in color."""
    across, chroma = _across(lab, tone), _length(tone)
    along = ((lab[..., 1:] - tone) * tone).sum(axis=2) / np.maximum(1e-3, chroma)
    along *= np.clip((3 * STRONGEST_CAST - chroma) / (2 * STRONGEST_CAST), 0, 1)
    return np.asarray(np.hypot(across, along), np.float32)


def _region_of(thick: Mask, own: Float) -> Mask | None:
    """The regions of own color, 1 is where it begins, that are thick somewhere and strong there,
    with a border of what blurring spread; None for none."""
    count, labels = cv2.connectedComponents((own > 1).astype(np.uint8))
    kept = np.zeros(count, np.bool_)
    kept[labels[thick & (own > REGION_OWN)]] = True
    kept[0] = False  # the background
    if not kept.any():
        return None
    around = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (5, 5))
    return np.asarray(cv2.dilate(kept[labels].astype(np.uint8), around), np.bool_)


def _length(ab: Float) -> Float:
    """The length of vectors (H, W, 2)."""
    return np.asarray(cv2.magnitude(*cv2.split(ab)), np.float32)


def _opened(mask: Mask, width: int) -> Mask:
    """A mask without what is thinner than `width` pixels."""
    kernel = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (width, width))
    return np.asarray(cv2.morphologyEx(mask.astype(np.uint8), cv2.MORPH_OPEN, kernel), np.bool_)


def _middle(size: tuple[int, ...]) -> Mask:
    """A picture of `size` without its outer MARGIN on each side."""
    middle = np.zeros(size, np.bool_)
    rows, columns = (round(MARGIN * side) for side in size)
    middle[rows : size[0] - rows, columns : size[1] - columns] = True
    return middle


def _in_the_margin(mask: Mask) -> Mask:
    """The regions of a mask that do not reach the picture's middle."""
    count, labels = cv2.connectedComponents(mask.astype(np.uint8))
    outside = np.ones(count, np.bool_)
    outside[labels[_middle(mask.shape)]] = False
    outside[0] = False  # the background
    return np.asarray(outside[labels], np.bool_)


# --- a print on a ground -----------------------------------------------------------------------


def _prints_on_a_ground(lab: Float) -> list[Mask]:
    """The areas of the rectangles that lie on a ground of one color, a little shrunk, the largest
    first; none where that is not large enough to be what was photographed.

    The ground is what has the tone of the picture's margin and touches it.
    """
    height, width = lab.shape[:2]
    rim = max(3, min(height, width) // 25)
    if min(height, width) < 8 * rim:
        return []
    margin = np.ones((height, width), np.bool_)
    margin[rim:-rim, rim:-rim] = False
    tone = _tone_of(lab, margin.astype(np.float32))
    low, high = np.quantile(lab[margin][:, 0], [0.01, 0.99])
    near = _length(lab[..., 1:] - tone) < 1.6 * (OWN + OWN_OF_TONE * _length(tone))
    ground = near & (lab[..., 0] > low - 4) & (lab[..., 0] < high + 4)
    if ground[margin].mean() < 0.7:
        return []
    _, labels = cv2.connectedComponents(_opened(ground, 3).astype(np.uint8), connectivity=4)
    touching = np.unique(labels[margin])
    enclosed = ~np.isin(labels, touching[touching > 0])
    shape = _opened(enclosed, 7).astype(np.uint8)
    outlines, _ = cv2.findContours(shape, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)
    largest_first = sorted(outlines, key=cv2.contourArea, reverse=True)
    shares = [cv2.contourArea(outline) / (height * width) for outline in largest_first]
    if not shares or not 0.12 < shares[0] < 0.95 or not _is_rectangle(largest_first[0]):
        return []
    prints = [_filled(largest_first[0], (height, width))]
    for outline, share in zip(largest_first[1:], shares[1:], strict=True):
        if share > LEAST_PRINT and _is_rectangle(outline):
            prints.append(_filled(outline, (height, width)))
    return [area for area in prints if area.any()]


def _is_rectangle(outline: npt.NDArray[Any]) -> bool:
    (_, sides, _) = cv2.minAreaRect(outline)
    return bool(cv2.contourArea(outline) >= 0.88 * sides[0] * sides[1])


def _filled(outline: npt.NDArray[Any], size: tuple[int, int]) -> Mask:
    """What an outline encloses in a picture of `size`, without its border."""
    inside: npt.NDArray[Any] = np.zeros(size, np.uint8)
    cv2.drawContours(inside, [outline], -1, 1, cv2.FILLED)
    return np.asarray(cv2.erode(inside, np.ones((7, 7), np.uint8), borderValue=0), np.bool_)
