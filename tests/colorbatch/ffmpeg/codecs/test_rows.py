"""What every row of the table of codecs keeps to; a row that lacks something cannot be made."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from dataclasses import dataclass, replace
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest

from colorbatch.errors import UsageError
from colorbatch.ffmpeg import (
    Color,
    Film,
    PixelFormat,
    Planes,
    SegmentWriter,
    codec_of,
    encoder_named,
    formats_of,
    frames,
    join,
    pixel_format,
    plan,
    probe,
    refused,
    result_format,
    tick,
)
from colorbatch.ffmpeg.codecs import CODECS, Codec, Encoder, codec_named
from colorbatch.ffmpeg.codecs.ffv1 import FFV1
from colorbatch.ffmpeg.film_facts import MUXERS

WRITTEN = {codec.encoder.name: codec for codec in CODECS if codec.encoder is not None}
CHOSEN = [
    (name, each.name)
    for name in WRITTEN
    for each in formats_of(name)
    if each.kind != "gray" and result_format(each, name).pixels == each
]
"""Every encoder with each pixel format that a result of it can have."""
MATRIX = {"bt709": 1, "bt601": 6, "": 9}
COUNT = 3


@dataclass(frozen=True)
class Times:
    """When the pictures are that a codec is given."""

    time_base: Fraction = Fraction(1, 24000)
    pts: tuple[int, ...] = (24000, 25001, 26002)
    step: int = 1001


EVEN = Times(time_base=Fraction(1, 25), pts=(0, 1, 2), step=1)
LISTED_RATES = {"mpeg2video", "dvvideo"}
"""Encoders that know a few rates, and no other clock."""


@pytest.mark.parametrize("record", [Codec, Encoder])
def test_a_row_that_lacks_a_part_cannot_be_imported(record: type[Codec | Encoder]) -> None:
    """No part has a default: a wrong one would be believed in silence."""
    row = FFV1 if record is Codec else FFV1.encoder
    assert row is not None
    whole = {each.name: getattr(row, each.name) for each in dataclasses.fields(record)}
    assert record(**whole) == row
    for name in whole:
        with pytest.raises(TypeError, match=name):
            record(**{key: value for key, value in whole.items() if key != name})


def test_each_codec_and_each_encoder_has_one_row() -> None:
    """And an encoder writes the codec whose row it is in."""
    names = [codec.name for codec in CODECS]
    assert len(set(names)) == len(names)
    assert len(WRITTEN) == sum(codec.encoder is not None for codec in CODECS)
    for name, codec in WRITTEN.items():
        assert codec_of(name) is codec
        assert encoder_named(name) is codec.encoder


def test_what_has_no_row_is_what_libav_tells() -> None:
    """Of encoders and codecs: nothing is chosen by itself, nothing is promised."""
    v210, vaapi = encoder_named("v210"), encoder_named("h264_nvenc")
    assert v210.lossless and v210.intra and not v210.hardware
    assert not vaapi.lossless and not vaapi.intra and vaapi.hardware
    assert not v210.native and v210.containers == ("mkv",)
    assert codec_of("h264_nvenc") is codec_named("h264") is WRITTEN["libx264"]
    assert not codec_named("theora").fields_told
    for ask in (encoder_named, codec_of):
        with pytest.raises(UsageError, match=r"no video encoder hevc here"):
            ask("hevc")


def picture(facts: PixelFormat, size: tuple[int, int], number: int) -> Planes:
    """Planes that cannot be taken for each other: slow waves along other directions, with codes of
    all depths, shifted by the number, in the range that all codecs keep."""
    down, across = facts.subsampling
    top = 2**facts.depth

    def plane(y: float, x: float, shape: tuple[int, int]) -> np.ndarray[tuple[int, ...], np.dtype]:
        ys, xs = np.ogrid[: shape[0], : shape[1]]
        wave = np.sin(ys / shape[0] * y + xs / shape[1] * x + number)
        return (top * (0.5 + 0.2 * wave)).astype(np.uint8 if facts.depth <= 8 else np.uint16)

    alpha = plane(0, 1, size) if facts.alpha else None
    if facts.kind == "rgb":
        return Planes(rgb=(plane(3, 0, size), plane(0, 3, size), plane(2, 2, size)), alpha=alpha)
    small = -(-size[0] // down), -(-size[1] // across)
    return Planes(plane(3, 0, size), (plane(0, 3, small), plane(2, 2, small)), alpha=alpha)


def all_of(planes: Planes) -> list[np.ndarray[tuple[int, ...], np.dtype]]:
    """Every plane, in a fixed order."""
    parts = [planes.luma, *(planes.chroma or ()), *(planes.rgb or ()), planes.alpha]
    return [part for part in parts if part is not None]


@pytest.mark.slow
@pytest.mark.parametrize(("name", "pix_fmt"), CHOSEN, ids=map("-".join, CHOSEN))
def test_a_small_film_comes_back_as_promised(
    make_clip: Callable[..., Path], tmp_path: Path, name: str, pix_fmt: str
) -> None:
    """In every container that takes the codec, and its usual ones do: depth, size, times, color
    tags; every sample where the row says lossless, else the same picture."""
    codec, facts = WRITTEN[name], pixel_format(pix_fmt)
    row, times = codec.encoder, EVEN if name in LISTED_RATES else Times()
    assert row is not None
    size = row.trial_size
    film = _film(make_clip, size, times, facts, codec.matrix)
    encoding = plan(film, codec=name, pix_fmt=pix_fmt).encoding
    given = [picture(facts, size, number) for number in range(COUNT)]
    with SegmentWriter(tmp_path / f"segment.{encoding.segment_container}", encoding) as writer:
        for planes, pts in zip(given, times.pts, strict=True):
            writer.write(planes, pts, times.step)
        segment = writer.close()
    takers = [kind for kind in MUXERS if not refused(film, kind, name)]
    assert takers and set(row.containers) <= set(takers)
    for kind in takers:
        target = tmp_path / f"result.{kind}"
        join([segment], film, target, encoding)
        result = probe(target)
        with frames(result) as reading:
            back = list(reading)
        video = result.video
        assert (video.codec, video.size) == (codec.name, size)
        assert (video.pixels.kind, video.pixels.subsampling) == (facts.kind, facts.subsampling)
        assert video.pixels.alpha == facts.alpha
        # libav reads some with more bits than it writes
        assert video.pixels.depth == facts.depth or not row.lossless
        assert video.pixels.depth >= facts.depth
        if facts.kind == "yuv":
            assert replace(video.color, range=1) == film.video.color, kind
            assert video.color.range in (0, 1)  # QuickTime has no place for it
        assert (video.color.primaries, video.color.transfer) == (9, 16), kind
        exact = [pts * times.time_base for pts in times.pts]
        found = [frame.pts * video.time_base for frame in back]
        step = tick(kind, times.time_base)
        assert all(abs(a - b) <= step / 2 for a, b in zip(found, exact, strict=True))
        for planes, frame in zip(given, back, strict=True):
            _compare(planes, frame.planes, facts.depth, video.pixels.depth, row.lossless)


@pytest.mark.slow
@pytest.mark.parametrize("name", WRITTEN)
def test_full_range_is_told_where_the_row_says_so(
    make_clip: Callable[..., Path], tmp_path: Path, name: str
) -> None:
    """Of Y'CbCr, in every container that takes the codec."""
    codec = WRITTEN[name]
    row, times = codec.encoder, EVEN if name in LISTED_RATES else Times()
    assert row is not None
    facts = next(each for each in formats_of(name) if each.kind == "yuv")
    film = _film(make_clip, row.trial_size, times, facts, codec.matrix)
    color = replace(film.video.color, range=2)
    film = replace(film, video=replace(film.video, color=color))
    encoding = plan(film, codec=name, pix_fmt=facts.name).encoding
    with SegmentWriter(tmp_path / f"segment.{encoding.segment_container}", encoding) as writer:
        for number, pts in enumerate(times.pts):
            writer.write(picture(facts, row.trial_size, number), pts, times.step)
        segment = writer.close()
    for kind in MUXERS:
        if not refused(film, kind, name):
            join([segment], film, tmp_path / f"result.{kind}", encoding)
            told = probe(tmp_path / f"result.{kind}").video.color.range == 2
            assert told or kind not in codec.levels_told, kind


def _film(
    make_clip: Callable[..., Path],
    size: tuple[int, int],
    times: Times,
    facts: PixelFormat,
    matrix: str,
) -> Film:
    """The record of a film with these pixels; a result takes its facts and its other streams."""
    path = make_clip(
        "source.mkv" if times.pts[0] == 0 else "source.mp4",
        size=size,
        time_base=times.time_base,
        times=times.pts,
        rate=1 / (times.step * times.time_base),
    )
    film = probe(path)
    color = Color(1, 9, 16, MATRIX[matrix]) if facts.kind == "yuv" else Color(2, 9, 16, 0)
    facts_of = replace(film.video, pixels=facts, color=color, time_base=times.time_base)
    return replace(film, video=facts_of)


def _compare(given: Planes, back: Planes, depth: int, found: int, lossless: bool) -> None:
    for one, other in zip(all_of(given), all_of(back), strict=True):
        if lossless:
            np.testing.assert_array_equal(other, one)
            continue
        far = other.astype(float) / 2**found - one.astype(float) / 2**depth
        # three of 255 codes: waves of other planes are 25 away
        assert np.abs(far).mean() < 3 / 255
