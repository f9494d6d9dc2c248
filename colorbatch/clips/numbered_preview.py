"""A few frames of a sequence, made before the rest: stills to look at, and what all of it takes.

Flows in: what is left of a sequence, a maker. Flows out: pictures before and after, space by the
headers of the sources, and the time of one frame. Of results nothing is kept but the stills.
"""

from __future__ import annotations

import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from colorbatch import scans
from colorbatch.clips import numbered_frame, preview_files, render_numbered
from colorbatch.clips.numbered_frame import NumberedFrame
from colorbatch.clips.numbered_plan import FrameJob
from colorbatch.clips.render_film import Maker
from colorbatch.color import Codes, to_codes, ycbcr
from colorbatch.color.floating import rgb_view, space_of
from colorbatch.errors import SourceError, UsageError
from colorbatch.formats import headers, registry, sizes
from colorbatch.formats.sizes import Amount
from colorbatch.formats.still import upright
from colorbatch.fs import atomic
from colorbatch.inputs.numbered_files import spread
from colorbatch.stills import estimate

HEADERS = 50
"""So many frames of a sequence are asked for the size that their results will have."""


@dataclass(frozen=True, eq=False)
class FramePair:
    """One frame before and after: sRGB codes (H, W, 3), uint8, upright. seconds: that it took to
    make it, with no other beside it."""

    number: int
    before: Codes
    after: Codes
    seconds: float


def space(one: FrameJob, workers: int = 0) -> estimate.Estimate:
    """Bytes of the frames that are to do, and the room that there is for them."""
    every = spread(range(len(one.todo)), HEADERS)
    amounts = [_amount(one.todo[index].source) for index in every]
    mean = sum(amounts, Amount(0, 0, 0)) * (1 / max(1, len(amounts)))
    height, width = one.plan.traits.size
    guess = estimate.Guess(mean, height * width)
    return estimate.of(one.todo, [guess] * len(one.todo), workers)


def _amount(path: Path) -> Amount:
    """What the result of a frame takes; nothing for one that cannot be read."""
    if not scans.is_scan(path):
        pictures = headers.pictures_of(path)
        if not pictures:
            return Amount(0, 0, 0)
        format_ = registry.of_result(path.suffix, pictures[0].format)
        return sizes.of_result(pictures, format_)
    try:
        size, exact = scans.result_bytes(path)
    except SourceError:
        return Amount(0, 0, 0)
    return Amount(size, size, size) if exact else Amount(size / 1.5, size, size * 1.5)


def pairs(one: FrameJob, maker: Maker, count: int) -> Iterator[FramePair]:
    """`count` frames, spread over the sequence; those that cannot be read are passed over."""
    plan, style = one.plan, render_numbered.style_of(maker)
    warm = False
    with tempfile.TemporaryDirectory() as folder:
        for number in spread(plan.numbers, count):
            path = plan.sequence.path(number)
            try:
                if not warm:  # the first run of a model takes longer
                    _made(path, Path(folder), one, maker, style)
                warm, started = True, time.perf_counter()
                frame, target = _made(path, Path(folder), one, maker, style)
            except (SourceError, UsageError):
                continue
            took = time.perf_counter() - started
            after = numbered_frame.read(target, plan.traits.shown.asked)
            yield FramePair(number, srgb(frame), srgb(after), took)


def _made(
    path: Path, folder: Path, one: FrameJob, maker: Maker, style: numbered_frame.FrameStyle
) -> tuple[NumberedFrame, Path]:
    """A frame, and where its result is."""
    plan = one.plan
    frame = numbered_frame.read(path, maker.settings.transfer)
    if unlike := frame.unlike(plan.traits):
        raise SourceError(f"{path}: {unlike}")
    view = numbered_frame.view(frame, maker.engine.size, plan.region)
    [ab] = maker.engine.predict(view[None])
    ab = render_numbered.placed(ab, frame.traits.upright, plan.region)
    target = folder / path.name
    numbered_frame.write(frame, ab, target, style)
    return frame, target


def write_pairs(one: FrameJob, maker: Maker, count: int) -> tuple[list[Path], float]:
    """`pairs` as PNG files FRAME-before.png and -after.png in the folder of the results, FRAME with
    its suffix, and the seconds that one frame alone takes. Raises TargetError, and SourceError
    where no frame can be read."""
    atomic.make_folder(one.plan.folder)
    written, took = [], []
    for pair in pairs(one, maker, count):
        name = one.plan.sequence.name(pair.number)
        written += preview_files.write_pair(one.plan.folder, name, pair.before, pair.after)
        took.append(pair.seconds)
    if not took:
        raise SourceError(f"{one.job.source}: none of {count} frames can be read")
    return written, float(np.median(took))


def srgb(frame: NumberedFrame) -> Codes:
    """A frame as it is seen: sRGB codes (H, W, 3), uint8, upright. The profiles of stills are left
    out of account."""
    planes = numbered_frame.code_planes(frame)
    if planes is not None:
        green, blue, red = planes if len(planes) == 3 else planes * 3
        seen = ycbcr.rgb_view(green, blue, red, numbered_frame.encoding_of(frame), frame.size)
    elif frame.scan is not None:
        light = space_of(frame.shown.transfer, frame.scan.header.chromaticities)
        samples = frame.scan.samples
        if samples.shape[2] == 1:
            samples = samples.repeat(3, axis=2)
        seen = rgb_view(samples, light, frame.size)
    else:
        assert frame.still is not None
        rgb = np.clip(np.nan_to_num(frame.still.own_rgb() / frame.still.white), 0, 1)
        seen = to_codes(rgb.astype(np.float32))
    return upright(seen, frame.orientation)
