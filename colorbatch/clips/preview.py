"""A few frames of a clip, made before the rest: stills to look at, before and after.

Flows in: a film, or frames and their results (`numbered_preview`). Flows out: PNG files that are
known again as ours; a file of such a name that is no earlier still of ours is never replaced. Of
results nothing else is kept.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np

from colorbatch.clips import film_frames, numbered_frame, sampling, steering
from colorbatch.clips.film_plan import FilmPlan
from colorbatch.clips.numbered_frame import NumberedFrame
from colorbatch.clips.render import Model
from colorbatch.clips.resume import FilmJob
from colorbatch.clips.shot_kinds import kind_of_shot
from colorbatch.clips.shot_looks import Look, Take, looks_of, take_at
from colorbatch.clips.still_chain import StillChain
from colorbatch.color import Codes, to_codes, ycbcr
from colorbatch.color.floating import rgb_view, space_of
from colorbatch.errors import SourceError, TargetError
from colorbatch.ffmpeg import Frame, Planes
from colorbatch.formats import png
from colorbatch.formats.still import upright
from colorbatch.fs import atomic
from colorbatch.job import FilmSettings, Job
from colorbatch.model.engine import Engine

STILL_TEXT = b"Software\0colorbatch preview"
"""A text of PNG (ISO/IEC 15948:2004, section 11.3.4.3), in which our stills say what they are."""
HEADER = len(png.SIGNATURE) + 25
"""Bytes up to the end of IHDR, which is always the first chunk."""
ENDINGS = ("-before.png", "-after.png")


@dataclass(frozen=True, eq=False)
class Pair:
    """One frame before and after: sRGB codes (H, W, 3), uint8, upright. name: of its stills;
    seconds: that it took to make it, with no other beside it, once the model is warm."""

    name: str
    before: Codes
    after: Codes
    seconds: float


@dataclass(frozen=True)
class Preview:
    """What was written of a clip. seconds: that one frame takes; shot_list: the list of its shots,
    None without one."""

    stills: list[Path]
    seconds: float
    shot_list: Path | None = None


def write_pairs(job: Job, pairs: Iterable[Pair], count: int) -> tuple[list[Path], float]:
    """Write pairs, `count` at most, as NAME-before.png and NAME-after.png where results of a clip
    go, and return them with the seconds that one frame takes. Names have the suffix of the result
    or the frame, so that no two clips have the same stills. Raises SourceError where there are no
    frames that can be read, TargetError."""
    folder = job.target.parent
    atomic.make_folder(folder)
    written, took = [], []
    for pair in pairs:
        written += write_pair(folder, pair.name, pair.before, pair.after)
        took.append(pair.seconds)
    if not took:
        raise SourceError(f"{job.source}: none of {count} frames can be read")
    return written, float(np.median(took))


def of_film(
    one: FilmJob,
    model: Callable[[Take], Model],
    settings: FilmSettings,
    frames: Iterable[Frame],
) -> Iterator[tuple[Frame, Pair, Look]]:
    """Of a film the name is the result's with the time in seconds from the film's begin. model:
    what colors a shot. Frames are made as is said of their shot, but not steadied; where shots are
    not known, as if each were one."""
    plan, size = one.plan, one.plan.film.video.size
    pictures = steering.FilmPictures(plan)
    steered: tuple[Take, StillChain | None] | None = None
    for frame in frames:
        take = take_at(one.takes, frame.pts) if one.takes else _alone(frame, one, settings)
        if steered is None or steered[0] != take:
            steered = take, steering.of_take(take, pictures, model)
        started = time.perf_counter()
        after = _of_take(frame, take, plan, model, settings, steered[1])
        took = time.perf_counter() - started
        at = (frame.pts - plan.film.video.start) * plan.film.video.time_base
        pair = Pair(
            f"{one.job.target.name}-{float(at):09.3f}",
            sampling.srgb(frame.planes, plan.codes, size),
            sampling.srgb(after, plan.made, size),
            took,
        )
        yield frame, pair, take.look


def _alone(frame: Frame, one: FilmJob, settings: FilmSettings) -> Take:
    """A frame as a shot of its own, of a film of that kind."""
    kind = kind_of_shot([film_frames.kind_of(frame.planes, one.plan)])
    all_in_color = one.job.named and one.kind == "color"
    [look] = looks_of([kind], settings, named=all_in_color)
    return Take(frame.pts, look, kind)


def _of_take(
    frame: Frame,
    take: Take,
    plan: FilmPlan,
    model: Callable[[Take], Model],
    settings: FilmSettings,
    steer: StillChain | None,
) -> Planes:
    """A frame of a film, made as is said of its shot."""
    ab = None
    if take.look.action == "color":
        own = model(take)
        view = film_frames.lightness(frame.planes, plan, own.size)
        [ab] = own.predict(view[None])
        ab = ab if steer is None else steer(frame.pts, view, ab)
    saturation = settings.saturation
    return film_frames.made_by(take.look, frame, frame.planes, ab, plan, saturation)


def colored(frame: Frame, plan: FilmPlan, model: Engine, settings: FilmSettings) -> Planes:
    """A frame of a film, colored as most are."""
    return _of_take(frame, Take(frame.pts), plan, lambda take: model, settings, None)


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


def write_pair(folder: Path, name: str, before: Codes, after: Codes) -> list[Path]:
    """Write NAME-before.png and NAME-after.png: sRGB codes (H, W, 3), uint8. Raises TargetError,
    also for files of these names that are not ours."""
    paths = [folder / f"{name}{ending}" for ending in ENDINGS]
    for path in paths:
        if not _is_free(path):
            raise TargetError(f"{path}: is there already, and is no still of ours", "move it away")
    for path, picture in zip(paths, (before, after), strict=True):
        _, encoded = cv2.imencode(".png", np.ascontiguousarray(picture[..., ::-1]))
        data = encoded.tobytes()
        atomic.write_bytes(path, data[:HEADER] + png.chunk(b"tEXt", STILL_TEXT) + data[HEADER:])
    return paths


def _is_free(path: Path) -> bool:
    """Whether a still may be written: there is nothing, or a still of an earlier run."""
    place = atomic.reachable(path)
    if not os.path.lexists(place):
        return True
    try:
        with place.open("rb") as file:
            return STILL_TEXT in file.read(200)
    except OSError:
        return False
