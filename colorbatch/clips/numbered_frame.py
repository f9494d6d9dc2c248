"""Frames of image sequences: read, shown to a network, colored, written with the same header.

`read` gives a `NumberedFrame`, whatever its format: DPX and EXR come from `scans`, TIFF, PNG and
JPEG from `formats.reader`. What a frame's codes mean (logarithmic, linear, for a display) decides
what is *seen*; a result stays in the codes of its source, so that a logarithmic scan gives a
logarithmic result.

Luma is kept, and that is meant by it:

- codes (DPX, TIFF, PNG): Y' of BT.601 of the encoded values, as for stills. R, G and B of a result
  have a Y' within 0.294 code of the source's: rounded, it is the source's grey, code by code;
- JPEG: the Y' plane goes to the encoder (as for stills);
- floating-point EXR: luminance, by the primaries of the file (BT.709 if it names none); what is
  above white or below black stays neutral. G takes up the rounding of R and B.
"""

from __future__ import annotations

import contextlib
import functools
import re
import shutil
from collections.abc import Callable, Iterable, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import IO, Any, Literal

import numpy as np
import numpy.typing as npt

from colorbatch import color, scans
from colorbatch.color import Codes, Float, Space, chroma, floating, icc, ycbcr
from colorbatch.color.luma_join import enlarge_rows
from colorbatch.color.transfer import CINEON_BLACK, Transfer, value_table
from colorbatch.errors import SourceError, UsageError
from colorbatch.formats import reader, writer
from colorbatch.formats.provenance import is_marked
from colorbatch.formats.registry import FORMATS
from colorbatch.formats.still import LIMIT_OPTION, Still, stored, upright
from colorbatch.fs.atomic import make_folder, reachable, replacing
from colorbatch.job import MAX_PIXELS, AskedTransfer

ASKED: dict[AskedTransfer, Transfer] = {
    "log": "cineon", "linear": "linear", "bt709": "display", "srgb": "display"
}  # fmt: skip
"""`--transfer` -> what codes mean. What was made for a display is seen alike, whatever its curve's
name (see `transfer`): bt709 and srgb differ in the report alone."""
BY_HEADER: dict[str, AskedTransfer] = {
    "printing density": "log", "logarithmic": "log", "linear": "linear",
    "unspecified video": "bt709", "SMPTE 274M": "bt709", "ITU-R 709-4": "bt709",
    "ITU-R 601-5 B/G": "bt709", "ITU-R 601-5 M": "bt709", "NTSC": "bt709", "PAL": "bt709",
}  # fmt: skip
"""The word of a header -> what it means."""
FIRST_HONEST_LAVC = 62
"""libavcodec's version from which its DPX encoder is seen to write the transfer that pictures have;
59 writes linear into every file."""
JUDGED = 768
"""Pixels of the long side of what `classify` is given."""
GLIMPSED = 4
"""As of films (`film_plan.SHOT_SAMPLES`): averaging 16 takes grain to a quarter."""


@dataclass(frozen=True)
class Shown:
    """How a frame's codes are turned to what is seen. asked: never "auto"; why: for the report,
    such as "log, by its header (printing density)"."""

    asked: Literal["log", "linear", "bt709", "srgb"]
    why: str

    @property
    def transfer(self) -> Transfer:
        return ASKED[self.asked]


@dataclass(frozen=True)
class Traits:
    """What all frames of a film have in common: (H, W) as stored, bits of a sample, EXIF's
    orientation, and how codes are shown."""

    size: tuple[int, int]
    bits: int
    orientation: int
    shown: Shown

    @property
    def upright(self) -> tuple[int, int]:
        """(H, W) as it is seen."""
        return self.size if self.orientation < 5 else self.size[::-1]


@dataclass(frozen=True, eq=False)
class NumberedFrame:
    """A decoded frame; either a scan or a still, with how it is shown."""

    path: Path
    shown: Shown
    scan: scans.Scan | None = None
    still: Still | None = None

    @property
    def size(self) -> tuple[int, int]:
        """(H, W) as stored."""
        return self.scan.header.size if self.scan else self._still.size

    @property
    def orientation(self) -> int:
        """EXIF's 1 to 8: how the stored pixels are turned to stand upright."""
        return self.scan.header.orientation if self.scan else self._still.orientation

    @property
    def marked(self) -> bool:
        """Whether it is a result of ours, which is never a source."""
        return self.scan.header.marked if self.scan else is_marked(self._still.xmp)

    @property
    def is_single(self) -> bool:
        """Whether it has one channel, beside alpha."""
        if self.scan:
            return self.scan.header.channels == 1
        return self._still.rgb is None

    @property
    def bits(self) -> int:
        """Bits of a sample; of floating point 16, 32 or 64."""
        return self.scan.header.bits if self.scan else 8 * self._still.dtype.itemsize

    @property
    def traits(self) -> Traits:
        """What the frames that follow it have to have as well."""
        return Traits(self.size, self.bits, self.orientation, self.shown)

    def unlike(self, first: Traits) -> str:
        """Why it cannot follow the first frame of a film, "" if it can: another size, depth or
        orientation, or codes that mean something else."""
        pairs = {
            "size (rows, columns)": (first.size, self.size),
            "bits": (first.bits, self.bits),
            "orientation": (first.orientation, self.orientation),
            "transfer": (first.shown.asked, self.shown.asked),
        }
        for what, (one, other) in pairs.items():
            if one != other:
                return f"its {what}: {other}, of the first frame {one}"
        return ""

    @property
    def _still(self) -> Still:
        assert self.still is not None
        return self.still


def shown_as(asked: AskedTransfer, header: scans.Header | None) -> Shown:
    """What `--transfer` comes to. header: of DPX and EXR; stills, which have none, are seen through
    their color profile.

    Raises UsageError under "auto" for a header that does not say it, or says what is no picture's.
    """
    if asked != "auto":
        return Shown(asked, f"{asked}, as asked")
    if header is None:
        return Shown("srgb", "srgb, or the color profile of a frame that has one")
    word = header.transfer
    libav = re.match(r"Lavc(\d+)", header.creator)
    if word == "linear" and libav and int(libav[1]) < FIRST_HONEST_LAVC:
        return Shown("bt709", f"bt709: {libav[0]} wrote linear into every header")
    found = BY_HEADER.get(word)
    if found is None or found == "auto":
        said = f"its header says {word}" if word else "its header does not say what its codes mean"
        raise UsageError(said, "say it: --transfer log, linear, bt709 or srgb")
    return Shown(found, f"{found}, by its header ({word})" if header.kind == "DPX" else found)


def read(path: Path, asked: AskedTransfer = "auto", max_pixels: int = MAX_PIXELS) -> NumberedFrame:
    """Read a frame. Raises SourceError with the reason, and UsageError as `shown_as` does, the
    path before it."""
    header = scans.header(path) if scans.is_scan(path) else None
    try:
        shown = shown_as(asked, header)
    except UsageError as error:
        raise UsageError(f"{path}: {error.args[0]}", error.advice) from error
    try:
        if header is None:
            return NumberedFrame(path, shown, still=_only_page(path, max_pixels))
        return NumberedFrame(path, shown, scan=scans.read(path, max_pixels))
    except SourceError as error:
        if not str(error).endswith(LIMIT_OPTION):
            raise
        raise SourceError(str(error).removesuffix(LIMIT_OPTION)) from error


def _only_page(path: Path, max_pixels: int) -> Still:
    """The picture of a file that has one. Raises SourceError, also for one with several."""
    with contextlib.closing(reader.pages(path, max_pixels)) as found:
        still = next(found)
        if next(found, None) is not None:
            raise SourceError(f"{path}: has several pages; a frame is one picture")
    return still


def first_of(paths: Iterable[Path], asked: AskedTransfer = "auto") -> NumberedFrame:
    """The first frame that can be read: what a sequence is, is told by it. Raises SourceError where
    there is none, and UsageError as `read`."""
    failed: SourceError | None = None
    for path in paths:
        try:
            return read(path, asked)
        except SourceError as error:
            failed = failed or error
    raise SourceError(f"no frame can be read: {failed}")


def code_planes(frame: NumberedFrame) -> tuple[Codes, ...] | None:
    """The codes of a frame for a film, planes (H, W) as stored in `encoding_of(frame).bits` bits:
    one of grey, or G, B and R in libav's order. None for floating-point samples."""
    if frame.scan:
        return None if frame.scan.header.is_float else _planes(frame.scan.samples)
    still = frame._still
    if still.is_float:
        return None
    return (still.luma,) if still.rgb is None else _planes(still.rgb)


def _planes(samples: Codes) -> tuple[Codes, ...]:
    """(H, W, 1 or 3) as planes: one where all are equal."""
    order = (1, 2, 0) if samples.shape[2] == 3 else (0,)
    planes = [np.ascontiguousarray(samples[..., index]) for index in order]
    if len(planes) == 3 and all(np.array_equal(planes[0], other) for other in planes[1:]):
        return (planes[0],)
    return tuple(planes)


def encoding_of(frame: NumberedFrame) -> ycbcr.Encoding:
    """What the codes of `code_planes` mean. Raises ValueError for floating-point samples."""
    header = frame.scan.header if frame.scan else None
    if header is None:
        return _encoding(8 * frame._still.dtype.itemsize, "full", frame.shown)
    if header.is_float:
        raise ValueError("floating-point samples are no codes")
    return _encoding(header.bits, header.levels, frame.shown)


def _encoding(bits: int, levels: ycbcr.Levels, shown: Shown) -> ycbcr.Encoding:
    levels = "full" if shown.transfer != "display" else levels
    return ycbcr.Encoding(
        bits, subsampling=None, matrix="rgb", levels=levels, transfer=shown.transfer
    )


# --- what is seen ------------------------------------------------------------------------------


def view(frame: NumberedFrame, size: tuple[int, int], region: ycbcr.Region | None = None) -> Float:
    """L* (h, w) in [0, 100] at the network's `size`, upright: what a model sees of a frame, or of a
    region of it, which is given in the upright picture."""

    def seen(luma: npt.NDArray[Any]) -> npt.NDArray[Any]:
        luma = upright(luma, frame.orientation)
        return np.ascontiguousarray(region.of(luma)) if region else luma

    if frame.still:
        return color.network_view(seen(frame.still.luma), size, _space(frame))
    assert frame.scan is not None
    if frame.scan.header.is_float:
        light = floating.space_of(frame.shown.transfer, frame.scan.header.chromaticities)
        luma = floating.luma(frame.scan.samples, light).astype(np.float32)
        return floating.network_lightness(seen(luma), light, size)
    return ycbcr.network_lightness(seen(_luma(frame.scan.samples)), encoding_of(frame), size)


def glimpse(frame: NumberedFrame, side: int, region: ycbcr.Region | None = None) -> Codes:
    """A small picture of a frame as it is seen, or of a region of it: sRGB codes (h, w, 3), uint8,
    upright, `side` pixels long at most. Of larger pictures `GLIMPSED` samples per pixel and axis
    are read. The profiles of stills are left out of account."""
    samples = frame.scan.samples if frame.scan else frame._still.rgb
    if samples is None:
        grey = frame._still.float_grey
        samples = (frame._still.luma if grey is None else grey)[..., None]
    part = upright(samples, frame.orientation)
    part = region.of(part) if region else part
    step = max(1, max(part.shape[:2]) // (GLIMPSED * side))
    grid = np.ascontiguousarray(part[::step, ::step])
    height, width = grid.shape[:2]
    scale = min(1.0, side / max(height, width))
    size = max(1, round(height * scale)), max(1, round(width * scale))
    three = grid if grid.shape[2] == 3 else grid.repeat(3, axis=2)
    if frame.scan and frame.scan.header.is_float:
        light = floating.space_of(frame.shown.transfer, frame.scan.header.chromaticities)
        return floating.rgb_view(three, light, size)
    if frame.still and frame.still.is_float:
        shown = np.clip(np.nan_to_num(three.astype(np.float32) / frame.still.white), 0, 1)
        return color.to_codes(np.asarray(color.resize_area(shown, size)))
    red, green, blue = (three[..., index] for index in range(3))
    return ycbcr.rgb_view(green, blue, red, encoding_of(frame), size)


def rgb_codes(frame: NumberedFrame) -> Codes | None:
    """sRGB codes (h, w, 3), uint8 or uint16, at most 768 pixels wide where it is a scan, for
    `classify.kind_of`; None for what holds nothing but grey."""
    if frame.still:
        return frame.still.rgb_codes()
    assert frame.scan is not None
    if frame.scan.grey:
        return None
    header = frame.scan.header
    scale = min(1.0, JUDGED / max(header.size))
    size = (max(1, round(header.size[0] * scale)), max(1, round(header.size[1] * scale)))
    if header.is_float:
        light = floating.space_of(frame.shown.transfer, header.chromaticities)
        return floating.rgb_view(frame.scan.samples, light, size)
    green, blue, red = (frame.scan.samples[..., index] for index in (1, 2, 0))
    return ycbcr.rgb_view(green, blue, red, encoding_of(frame), size)


def _luma(samples: Codes) -> npt.NDArray[Any]:
    if samples.shape[2] == 1:
        return np.ascontiguousarray(samples[..., 0])
    red, green, blue = (np.ascontiguousarray(samples[..., index]) for index in range(3))
    return chroma.luma_of_rgb(green, blue, red, ycbcr.Encoding(16, None, "rgb", "full"))


def _space(frame: NumberedFrame) -> Space | None:
    """The space that a still's codes are in: its profile's, or that of `--transfer`."""
    if frame.shown.transfer != "display":
        return transfer_space(frame.shown.transfer)
    profile = icc.for_result(frame._still.icc)
    return icc.space_of(profile) if profile else None


@functools.cache
def transfer_space(transfer: Transfer) -> Space:
    """sRGB's primaries under another transfer function, for the codes of stills."""
    table = ycbcr.lightness_table(ycbcr.Encoding(16, None, "rgb", "full", transfer=transfer))
    black = CINEON_BLACK / 1023 if transfer == "cineon" else 0.0
    return Space(table, np.stack([value_table(transfer)] * 3), color.XYZ_TO_SRGB, black)


# --- results -----------------------------------------------------------------------------------


def placed(ab: Float, size: tuple[int, int], region: ycbcr.Region | None) -> Float:
    """Chroma (h, w, 2) of a region as chroma of the whole upright picture of `size`: (H, W, 2),
    nothing outside of it. Without a region it comes back as it is."""
    if region is None:
        return ab
    whole = np.zeros((*size, 2), np.float32)
    small = min(ab.shape[0], region.height), min(ab.shape[1], region.width)
    ab = color.resize_area(ab, small).reshape(*small, 2)
    part = enlarge_rows(ab, (region.height, region.width), 0, region.height)
    whole[region.y : region.y + region.height, region.x : region.x + region.width] = part
    return whole


@dataclass(frozen=True)
class FrameStyle:
    """How results are written. mark: tool and model."""

    mark: str
    saturation: float = 1.0


Writing = Callable[[Path, Sequence[str]], AbstractContextManager[IO[bytes]]]
"""From a target, and notes, which are whole when it is, to the file that becomes it."""


def unrecorded(target: Path, notes: Sequence[str]) -> AbstractContextManager[IO[bytes]]:
    """A file of which no journal tells."""
    return replacing(target)


def write(
    frame: NumberedFrame,
    ab: Float | None,
    target: Path,
    style: FrameStyle,
    writing: Writing = unrecorded,
) -> tuple[str, ...]:
    """Color a frame and write it, in the source's format, depth and codes, to `target`, atomically.

    ab: chroma (h, w, 2) in Lab units, upright; without it the source is copied byte by byte.
    Returns what could not be kept, in words. Raises TargetError, and UsageError for a target of
    another format.
    """
    if _format(target) != _format(frame.path):
        raise UsageError(f"{target}: frames keep their format, {frame.path.suffix.lower()}")
    make_folder(target.parent)
    notes: list[str] = []
    with writing(target, notes) as file:
        if ab is None:
            with reachable(frame.path).open("rb") as source:
                shutil.copyfileobj(source, file)
            return ()
        ab = stored(np.asarray(ab, np.float32), frame.orientation)
        if frame.scan is None:
            mode = writer.StillStyle(style.mark, style.saturation)
            still = frame._still.for_coloring()
            if frame.shown.transfer != "display":
                mode = replace(mode, space=_space(frame))
            notes += writer.write(file, [(still, ab)], still.format, mode)
            return tuple(notes)
        rgb = colored(frame.scan, ab * np.float32(style.saturation), frame.shown)
        notes += scans.write(file, frame.scan, rgb, style.mark)
    return tuple(notes)


def colored(scan: scans.Scan, ab: Float, shown: Shown) -> npt.NDArray[Any]:
    """R, G, B (H, W, 3) of the scan's type, in its codes, with its luma and chroma (h, w, 2) in Lab
    units, in stored orientation."""
    header = scan.header
    if header.is_float:
        light = floating.space_of(shown.transfer, header.chromaticities)
        return floating.colorize(scan.samples, ab, light)
    meaning = _encoding(header.bits, header.levels, shown)
    green, blue, red = chroma.rgb_planes(_luma(scan.samples), ab, meaning)
    return np.dstack([red, green, blue])


def luma_difference(source: NumberedFrame, result: NumberedFrame) -> float:
    """The largest difference in luma between a frame and its result, in codes of the source; of
    floating-point samples relative to the result's largest channel. It is at most 0.5 for codes
    (but for JPEG), 2 ** -11 for half, 2 ** -24 for float. Raises ValueError for other sizes."""
    if source.size != result.size:
        raise ValueError(f"{source.size} and {result.size} are not the same picture")
    if source.scan and source.scan.header.is_float and result.scan:
        light = floating.space_of(source.shown.transfer, source.scan.header.chromaticities)
        return floating.luma_difference(source.scan.samples, result.scan.samples, light)
    first, second = (_exact_luma(frame) for frame in (source, result))
    return float(np.abs(first - second).max())


def _exact_luma(frame: NumberedFrame) -> npt.NDArray[np.float64]:
    if frame.still:
        exact = color.luma(frame.still.own_rgb())
        white = frame.still.white if frame.still.is_float else 1.0
        return exact / white * (65535 if frame.still.is_float else 1)
    assert frame.scan is not None
    samples = frame.scan.samples
    return samples[..., 0].astype(np.float64) if samples.shape[2] == 1 else color.luma(samples)


def _format(path: Path) -> str:
    suffix = path.suffix.lower()
    return FORMATS.get(suffix, suffix)
