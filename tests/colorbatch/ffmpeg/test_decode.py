"""Frames of films: exact ticks, native codes, damage that is told, resuming."""

from __future__ import annotations

import gc
import itertools
import weakref
from collections.abc import Callable
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest

from colorbatch.errors import SourceError
from colorbatch.ffmpeg import Planes, frames, pixel_format, probe, widened
from colorbatch.ffmpeg.pixel_formats import frame_of, planes_of

VARIABLE = (0, 1001, 1500, 4004, 4005, 9009, 12000, 12100)


def samples(planes: Planes) -> tuple[bytes, ...]:
    """All planes' bytes in libav's plane order of planar formats (G, B, R for RGB)."""
    if planes.rgb is not None:
        red, green, blue = planes.rgb
        return tuple(plane.tobytes() for plane in (green, blue, red))
    assert planes.luma is not None
    return tuple(plane.tobytes() for plane in (planes.luma, *(planes.chroma or ())))


@pytest.mark.parametrize(
    ("name", "codec", "pix_fmt"),
    [
        ("a.mkv", "ffv1", "yuv420p"),
        ("a.mkv", "ffv1", "yuv422p10le"),
        ("a.mkv", "ffv1", "yuv444p16le"),
        ("a.mkv", "ffv1", "yuv411p"),
        ("a.mkv", "ffv1", "gray"),
        ("a.mkv", "ffv1", "gray10le"),
        ("a.mkv", "ffv1", "gray16le"),
        ("a.mkv", "ffv1", "gbrp12le"),
        ("a.mp4", "libx264", "yuv420p"),
        ("a.mp4", "libx264", "yuv422p10le"),
        ("a.mkv", "libx265", "yuv420p10le"),
        ("a.mov", "prores_ks", "yuv422p10le"),
        ("a.mov", "prores_ks", "yuv444p10le"),
        ("a.avi", "mjpeg", "yuvj422p"),
        ("a.mov", "v210", "yuv422p10le"),
    ],
)
def test_frames_are_those_that_libav_decodes(
    make_clip: Callable[..., Path],
    decoded: Callable[[Path], list[Any]],
    name: str,
    codec: str,
    pix_fmt: str,
) -> None:
    """Every sample of every plane, and every time, in presentation order."""
    options = {"x265-params": "log-level=none"} if codec == "libx265" else {}
    # AVI has no clock of its own: a frame is a tick
    ticks = {"time_base": Fraction(1001, 24000), "times": range(12)} if name == "a.avi" else {}
    path = make_clip(name, codec, pix_fmt, options=options, **ticks)
    film = probe(path)
    with frames(film) as read:
        got = list(read)
    expected = decoded(path)
    assert len(expected) == 12
    assert [frame.pts * film.video.time_base for frame in got] == [one.time for one in expected]
    assert [samples(frame.planes) for frame in got] == [one.planes for one in expected]
    assert read.ending is not None
    assert (read.ending.frames, read.ending.corrupt, read.ending.cut_off) == (12, 0, "")


@pytest.mark.parametrize("times", [VARIABLE, tuple(t + 90001 for t in VARIABLE)])
def test_ticks_of_variable_rate_and_late_start(
    make_clip: Callable[..., Path], times: tuple[int, ...]
) -> None:
    """The ticks that were written are the ticks that are read, with B frames between."""
    path = make_clip("v.mp4", "libx264", options={"bf": "3", "b_strategy": "0"}, times=times)
    film = probe(path)
    with frames(film) as read:
        got = list(read)
    assert film.video.time_base == Fraction(1, 24000)
    assert film.video.variable is True
    assert tuple(frame.pts for frame in got) == times


@pytest.mark.parametrize(
    "name",
    [
        *("rgb24", "bgr24", "bgr0", "0rgb", "rgba", "argb", "rgb48le", "rgb48be", "gbrp"),
        *("gbrap10le", "yuyv422", "uyvy422", "nv12", "nv21", "nv16", "p010le", "p210be"),
        *("gray16be", "ya8", "yuva444p12le", "yuv440p", "yuv410p", "gray9le", "yuv422p16be"),
    ],
)
def test_planes_go_into_a_frame_and_come_out(name: str) -> None:
    """Of every layout, with odd sizes that need padding; libav's own conversion is the witness."""
    facts = pixel_format(name)
    rng = np.random.default_rng(3)
    size = (6, 8) if facts.subsampling != (1, 1) else (5, 7)
    kind = np.uint8 if facts.depth <= 8 else np.uint16

    def plane(down: int = 1, across: int = 1) -> Any:
        shape = (-(-size[0] // down), -(-size[1] // across))
        return rng.integers(0, 2**facts.depth, shape).astype(kind)

    alpha = plane() if facts.alpha else None
    if facts.kind == "rgb":
        planes = Planes(rgb=(plane(), plane(), plane()), alpha=alpha)
    else:
        chroma = (plane(*facts.subsampling), plane(*facts.subsampling))
        planes = Planes(plane(), chroma if facts.kind == "yuv" else None, alpha=alpha)
    frame = frame_of(planes, name)
    back = planes_of(frame)
    assert samples(back) == samples(planes)
    if alpha is not None:
        np.testing.assert_array_equal(back.alpha, alpha)
    # swscale between layouts of one depth and kind only moves samples; it knows all but these
    plain = {"rgb": "gbrp", "gray": "gray", "yuv": ""}[facts.kind]
    if facts.kind == "yuv" and name in ("yuyv422", "uyvy422", "nv12", "nv21"):
        plain = "yuv420p" if name.startswith("nv") else "yuv422p"
    if plain and facts.depth == 8:
        np.testing.assert_array_equal(
            np.concatenate([p.ravel() for p in _arrays(planes_of(frame.reformat(format=plain)))]),
            np.concatenate([p.ravel() for p in _arrays(planes)]),
        )


def _arrays(planes: Planes) -> list[Any]:
    return [*(planes.rgb or (planes.luma, *(planes.chroma or ())))]


def test_a_code_beyond_the_depth_is_refused() -> None:
    """11 bits in a 10-bit plane would reach the encoder as something else."""
    chroma = np.zeros((4, 2), np.uint16)
    with pytest.raises(ValueError, match="1024 is beyond 10 bits"):
        frame_of(Planes(np.full((4, 4), 1024, np.uint16), (chroma, chroma)), "yuv422p10le")


@pytest.mark.parametrize("name", ["bayer_rggb8", "gbrpf32le", "xyz12le", "grayf16le", "nothing"])
def test_formats_without_codes_are_refused(name: str) -> None:
    """Float, Bayer and XYZ have no Y' or RGB codes to keep."""
    with pytest.raises(SourceError, match=name):
        pixel_format(name)


def test_widening_is_a_shift() -> None:
    """8 to 10 bits is times 4, and narrowing is refused."""
    codes = np.array([[0, 1, 255]], np.uint8)
    np.testing.assert_array_equal(widened(codes, 8, 10), np.array([[0, 4, 1020]], np.uint16))
    with pytest.raises(ValueError, match="10 bits"):
        widened(codes.astype(np.uint16), 10, 8)


@pytest.mark.parametrize(
    ("name", "codec", "options"),
    [
        ("r.mp4", "libx264", {"g": "5", "bf": "2", "b_strategy": "0"}),
        ("r.mkv", "libx264", {"g": "5", "bf": "2", "b_strategy": "0"}),
        ("r.mkv", "libx265", {"x265-params": "log-level=none:keyint=6:bframes=3"}),
        ("r.mkv", "ffv1", {"g": "1"}),
        ("r.mov", "prores_ks", {}),
        ("r.ts", "mpeg2video", {"g": "5", "bf": "2"}),
    ],
)
def test_resuming_gives_the_frames_of_a_reading_from_the_start(
    make_clip: Callable[..., Path], name: str, codec: str, options: dict[str, str]
) -> None:
    """From any frame on: the same ticks and the same samples."""
    pix_fmt = "yuv422p10le" if codec == "prores_ks" else "yuv420p"
    base = 1 / Fraction(24000, 1001) if codec == "mpeg2video" else Fraction(1, 24000)
    times = range(30) if codec == "mpeg2video" else range(0, 30030, 1001)
    path = make_clip(name, codec, pix_fmt, options=options, times=times, time_base=base)
    film = probe(path)
    with frames(film) as read:
        whole = [(frame.pts, frame.planes.digest()) for frame in read]
    assert len(whole) == 30
    for start in (0, 1, 7, 13, 22, 29):
        with frames(film, whole[start][0]) as read:
            assert [(f.pts, f.planes.digest()) for f in read] == whole[start:]


def test_avi_with_b_frames_has_no_times_but_an_order(make_clip: Callable[..., Path]) -> None:
    """AVI tells decoding times only: every frame comes, one tick apart, also when resumed."""
    options = {"bf": "2", "g": "6"}
    ticks = {"time_base": Fraction(1, 24), "rate": Fraction(24), "times": range(24)}
    film = probe(make_clip("b.avi", "mpeg4", options=options, **ticks))
    with frames(film) as read:
        whole = [(frame.pts, frame.planes.digest()) for frame in read]
    assert len(whole) == 24
    assert {b[0] - a[0] for a, b in itertools.pairwise(whole)} == {1}
    for start in (5, 17):
        with frames(film, whole[start][0]) as read:
            assert [(f.pts, f.planes.digest()) for f in read] == whole[start:]


def flipped(path: Path, share: tuple[float, float], count: int) -> Path:
    """A copy with single bits inverted between two shares of its length."""
    data = bytearray(path.read_bytes())
    low, high = (int(len(data) * part) for part in share)
    for at in np.random.default_rng(5).integers(low, high, count):
        data[at] ^= 0x10
    copy = path.with_stem(path.stem + "-flipped")
    copy.write_bytes(data)
    return copy


@pytest.mark.parametrize(
    ("name", "codec", "pix_fmt", "options"),
    [
        ("d.mkv", "ffv1", "yuv420p", {"level": "3", "slicecrc": "1", "slices": "4", "g": "1"}),
        # later pictures build on the damaged one
        ("d.mkv", "ffv1", "yuv420p", {"level": "3", "slicecrc": "1", "slices": "4", "g": "9"}),
        ("d.mov", "prores_ks", "yuv422p10le", {}),
        ("d.mp4", "libx264", "yuv420p", {"g": "4"}),
    ],
)
def test_flipped_bits_are_flagged_and_end_nothing(
    make_clip: Callable[..., Path], name: str, codec: str, pix_fmt: str, options: dict[str, str]
) -> None:
    """Every frame comes, some are flagged, and of FFV1 exactly those that differ."""
    path = make_clip(name, codec, pix_fmt, size=(96, 128), options=options)
    film = probe(path)
    with frames(film) as read:
        sound = [(frame.pts, frame.planes.digest()) for frame in read]
    with frames(probe(flipped(path, (0.3, 0.7), 3))) as read:
        got = list(read)
    assert [frame.pts for frame in got] == [pts for pts, _ in sound]
    assert read.ending is not None and read.ending.corrupt > 0
    if codec == "ffv1":
        changed = [f.planes.digest() != was for f, (_, was) in zip(got, sound, strict=True)]
        assert [frame.corrupt for frame in got] == changed


def test_a_packet_that_cannot_be_decoded_is_a_repeated_picture(
    make_clip: Callable[..., Path],
) -> None:
    """A JPEG frame of zeros gives no picture: the one before stands in, at its own time."""
    ticks = {"time_base": Fraction(1, 24), "rate": Fraction(24), "times": range(8)}
    path = make_clip("z.avi", "mjpeg", "yuvj420p", **ticks)
    data = bytearray(path.read_bytes())
    starts = [at for at in range(len(data)) if data[at : at + 3] == b"\xff\xd8\xff"]
    assert len(starts) == 8
    data[starts[4] : starts[5] - 8] = bytes(starts[5] - 8 - starts[4])
    path.write_bytes(data)
    with frames(probe(path)) as read:
        got = list(read)
    assert [frame.pts for frame in got] == list(range(8))
    assert [frame.repeated for frame in got] == [at == 4 for at in range(8)]
    assert got[4].corrupt and got[4].planes.digest() == got[3].planes.digest()
    assert read.ending is not None and read.ending.corrupt == 1


@pytest.mark.parametrize("name", ["c.mkv", "c.avi", "c.mov"])
def test_a_film_that_is_cut_off_ends_with_its_reason(
    make_clip: Callable[..., Path], name: str
) -> None:
    """What is there is given, unharmed; the ending says that there should be more."""
    ticks = {"time_base": Fraction(1, 24), "rate": Fraction(24), "times": range(48)}
    # MOV with its index at the front; at the end it would be gone, and nothing could be read
    front = {"movflags": "faststart"} if name == "c.mov" else {}
    path = make_clip(name, "mjpeg", "yuvj420p", container_options=front, **ticks)
    with frames(probe(path)) as read:
        whole = [frame.planes.digest() for frame in read]
    assert read.ending is not None and not read.ending.cut_off
    path.write_bytes(path.read_bytes()[: path.stat().st_size * 6 // 10])
    with frames(probe(path)) as read:
        got = list(read)
    assert 10 < len(got) < 40
    assert [f.planes.digest() for f in got if not f.corrupt] == whole[
        : sum(not f.corrupt for f in got)
    ]
    assert read.ending is not None and read.ending.cut_off


def test_a_film_that_changes_its_size_is_refused_there(tmp_path: Path) -> None:
    """Two sizes in one MPEG-TS: the frames before are given, then one line with the tick."""
    path = tmp_path / "two.ts"
    with path.open("wb") as whole:
        for number, size in enumerate((64, 96)):
            part = tmp_path / f"{number}.ts"
            with av.open(str(part), "w") as container:
                stream = container.add_stream("mpeg2video", rate=25)
                stream.height, stream.width = size, size
                stream.pix_fmt = "yuv420p"
                for pts in range(5):
                    frame = av.VideoFrame(size, size, "yuv420p")
                    for plane in frame.planes:
                        plane.update(bytes([90 + pts]) * plane.buffer_size)
                    frame.pts, frame.time_base = pts + 5 * number, Fraction(1, 25)
                    container.mux(stream.encode(frame))
                container.mux(stream.encode(None))
            whole.write(part.read_bytes())
    shapes = []
    with pytest.raises(SourceError, match="changes to 96 x 96"), frames(probe(path)) as read:
        for frame in read:
            assert frame.planes.luma is not None
            shapes.append(frame.planes.luma.shape)
    # libav's decoder drops the picture that it still held back for reordering
    assert shapes == [(64, 64)] * 4


def test_memory_holds_a_few_frames_however_long_the_film(make_clip: Callable[..., Path]) -> None:
    """The arrays of frames that the caller let go are gone: at most two are alive at a time."""
    film = probe(make_clip("m.mkv", times=range(0, 100100, 1001)))
    alive: list[weakref.ref[Any]] = []
    most = 0
    with frames(film) as read:
        for frame in read:
            assert frame.planes.luma is not None
            alive.append(weakref.ref(frame.planes.luma))
            gc.collect(0)
            most = max(most, sum(ref() is not None for ref in alive))
    assert len(alive) == 100
    assert most <= 2
