"""Segments and joining: exact ticks, equal pictures, and everything else of the source arrives."""

from __future__ import annotations

import itertools
import json
import shutil
import subprocess
from collections.abc import Callable, Iterable
from dataclasses import replace
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest

from colorbatch.errors import SourceError, TargetError, UsageError
from colorbatch.ffmpeg import (
    Color,
    EncoderSettings,
    Film,
    Planes,
    Segment,
    SegmentWriter,
    container_of,
    frames,
    join,
    plan,
    probe,
    refused,
    tick,
)

pytestmark = pytest.mark.slow

TIMES = (0, 1001, 2002, 3003, 4004, 5005, 6006, 7007, 8008, 9009, 10010)
UNEVEN = (24000, 25001, 25500, 28004, 28005, 33009, 36000, 36100, 40000, 40500, 41001)


def colored(frame: Any, encoding: EncoderSettings) -> Planes:
    """The source's Y' with flat colors, as a result would be: no model is needed here."""
    height, width = encoding.size
    facts = av.VideoFormat(encoding.pix_fmt, width, height)
    if frame.planes.rgb is not None:
        return Planes(rgb=frame.planes.rgb)
    kind = frame.planes.luma.dtype
    shape = (facts.components[1].height, facts.components[1].width)
    depth = facts.components[0].bits
    chroma = (np.full(shape, 110 << depth - 8, kind), np.full(shape, 150 << depth - 8, kind))
    return Planes(luma=frame.planes.luma, chroma=chroma)


def encode(
    film: Film, encoding: EncoderSettings, folder: Path, borders: Iterable[int]
) -> list[Segment]:
    """The film in segments that begin at the frames of these numbers."""
    segments: list[Segment] = []
    starts = set(borders)
    writer: SegmentWriter | None = None
    with frames(film) as read:
        for number, frame in enumerate(read):
            if number in starts:
                if writer is not None:
                    segments.append(writer.close())
                name = f"{number:05d}.{encoding.segment_container}"
                writer = SegmentWriter(folder / name, encoding)
            assert writer is not None
            writer.write(colored(frame, encoding), frame.pts, frame.duration)
    assert writer is not None
    return [*segments, writer.close()]


def made(film: Film, encoding: EncoderSettings, target: Path, **options: Any) -> Path:
    """The film joined of three segments."""
    folder = target.parent / f"segments-{target.name}"
    folder.mkdir()
    joined = join(encode(film, encoding, folder, (0, 4, 8)), film, target, encoding, **options)
    assert (joined.path, joined.frames) == (target, len(TIMES))
    return target


CODECS = {
    "ffv1-8": ("ffv1", "yuv420p"),
    "ffv1-10": ("ffv1", "yuv422p10le"),
    "ffv1-16": ("ffv1", "yuv444p16le"),
    "ffv1-rgb": ("ffv1", "gbrp10le"),
    "x264": ("libx264", "yuv420p"),
    "x264-10": ("libx264", "yuv422p10le"),
    "x265": ("libx265", "yuv420p10le"),
    "prores": ("prores_ks", "yuv422p10le"),
    "dnxhr": ("dnxhd", "yuv422p10le"),
}
NOT_HELD = {("ffv1", "mov"), ("prores_ks", "mp4"), ("dnxhd", "mp4"), ("dnxhd", "mkv")}
"""Encoder and container that libav's muxers refuse (Apple's and Avid's codecs outside MOV, FFV1 in
it), as of FFmpeg 8.1."""


@pytest.mark.parametrize("times", [TIMES, UNEVEN], ids=["even", "uneven-late"])
@pytest.mark.parametrize("container", ["mkv", "mov", "mp4"])
@pytest.mark.parametrize("name", CODECS)
def test_conformance(
    make_clip: Callable[..., Path],
    decoded: Callable[[Path], list[Any]],
    tmp_path: Path,
    name: str,
    container: str,
    times: tuple[int, ...],
) -> None:
    """Every codec in every container: refused before work, or exact in ticks and pictures.

    The pictures of a joined film are those of its segments, one by one; lossless ones have the
    source's own Y'.
    """
    codec, pix_fmt = CODECS[name]
    size = (128, 256) if codec == "dnxhd" else (66, 50)
    film = probe(make_clip("source.mp4", "ffv1", pix_fmt, times=times, size=size))
    encoding = plan(film, codec=codec).encoding
    assert encoding.pix_fmt == pix_fmt
    found = refused(film, container, codec)
    if (codec, container) in NOT_HELD:
        assert [refusal.index for refusal in found] == [None]
        return
    assert found == ()
    folder = tmp_path / "segments"
    folder.mkdir()
    segments = encode(film, encoding, folder, (0, 4, 8))
    target = tmp_path / f"result.{container}"
    join(segments, film, target, encoding)
    result = decoded(target)
    pieces = [picture for segment in segments for picture in decoded(segment.path)]
    assert [one.planes for one in result] == [one.planes for one in pieces]
    exact = [Fraction(pts, 24000) for pts in times]
    assert [one.time for one in pieces] == exact
    step = tick(container, film.video.time_base)
    # the nearest tick; half a millisecond may go either way
    assert all(abs(one.time - t) <= step / 2 for one, t in zip(result, exact, strict=True))
    assert step == Fraction(1, 1000) or [one.time for one in result] == exact
    if codec == "ffv1":
        count = 3 if name == "ffv1-rgb" else 1
        source = decoded(film.path)
        assert [one.planes[:count] for one in result] == [one.planes[:count] for one in source]


def test_priming_does_not_move_the_pictures(
    with_everything: Callable[[Any], list[Any]],
    make_clip: Callable[..., Path],
    decoded: Callable[[Path], list[Any]],
    tmp_path: Path,
) -> None:
    """AAC begins 1024 samples early, which the source's edit list cuts off: MP4 has the same list,
    Matroska has none. libav's muxer by itself would shift everything by these."""
    film = probe(make_clip("s.mp4", "libx264", more=with_everything, times=TIMES))
    assert film.others[1].start is not None and film.others[1].codec == "aac"
    for name, begin in (("r.mkv", 0), ("r.mp4", -1024)):
        target = made(film, plan(film, codec="ffv1").encoding, tmp_path / name)
        assert decoded(target)[0].time == 0
        with av.open(str(target)) as container:
            first = next(container.demux(container.streams[2]))
            assert first.pts == begin, name


def test_apple_knows_the_name_of_our_h265(make_clip: Callable[..., Path], tmp_path: Path) -> None:
    """hvc1, not libav's usual hev1."""
    film = probe(make_clip("s.mp4", "ffv1", times=TIMES))
    fast = (("preset", "ultrafast"),)
    target = made(film, plan(film, codec="libx265", options=fast).encoding, tmp_path / "r.mp4")
    assert probe(target).streams[0].tag == "hvc1"


def test_reordered_packets_have_the_encoders_depth(
    make_clip: Callable[..., Path], tmp_path: Path
) -> None:
    """B frames: decoding times never after presentation times, always rising, over all borders."""
    film = probe(make_clip("s.mp4", "libx264"))
    film_plan = plan(film, options=(("bf", "3"), ("b_strategy", "0")))
    folder = tmp_path / "segments"
    folder.mkdir()
    segments = encode(film, film_plan.encoding, folder, (0, 5, 9))
    assert max(segment.reorder for segment in segments) == 2
    target = tmp_path / "r.mp4"
    join(segments, film, target, film_plan.encoding)
    with av.open(str(target)) as container:
        times = [(p.pts, p.dts) for p in container.demux(video=0) if p.size]
    assert all(dts <= pts for pts, dts in times)  # type: ignore[operator]
    assert all(a[1] < b[1] for a, b in itertools.pairwise(times))  # type: ignore[operator]
    assert [dts for _, dts in times[2:]] == sorted(pts for pts, _ in times)[:-2]


def whole(stream: Any) -> None:
    """Every tag of the pictures set to something that is no default."""
    context = stream.codec_context
    context.color_range, context.colorspace = 1, 6
    context.color_primaries, context.color_trc = 6, 7
    context.sample_aspect_ratio = Fraction(10, 11)
    context.field_order = 3
    stream.set_display_rotation(180)
    stream.metadata.update({"language": "fre", "title": "Bobine 1"})


@pytest.mark.parametrize(
    ("codec", "name"),
    [("ffv1", "r.mkv"), ("libx264", "r.mkv"), ("libx264", "r.mp4"), ("prores_ks", "r.mov")],
)
def test_tags_of_the_pictures_arrive(
    make_clip: Callable[..., Path], tmp_path: Path, codec: str, name: str
) -> None:
    """Colors, shape of the samples, rotation, fields, chroma siting, language; FFV1's siting and
    shape in Matroska are what libav's muxer cannot be told through PyAV."""
    pix_fmt = "yuv422p10le" if codec == "prores_ks" else "yuv420p"
    options = {"chroma_sample_location": "topleft", "flags": "+ildct"}
    if codec != "prores_ks":
        options["x264-params"] = "bff=1"
    source_codec = "prores_ks" if codec == "prores_ks" else "libx264"
    film = probe(
        make_clip(
            "s.mov" if codec == "prores_ks" else "s.mp4",
            source_codec,
            pix_fmt,
            size=(64, 66),
            options=options,
            setup=whole,
            field_mode="bff",
            times=TIMES,
        )
    )
    given = film.video
    assert (given.sample_aspect, given.rotation, given.field_order) == (Fraction(10, 11), 180, "bb")
    result = probe(made(film, plan(film, codec=codec).encoding, tmp_path / name)).video
    for fact in ("size", "pixels", "sample_aspect", "rotation", "field_order", "interlaced"):
        assert getattr(result, fact) == getattr(given, fact), fact
    assert result.color == given.color == Color(1, 6, 7, 6)
    assert result.chroma_location == given.chroma_location
    assert given.chroma_location == ("" if codec == "prores_ks" else "topleft")
    assert result.average_rate == given.average_rate
    if name != "r.mkv":
        assert result.matrix == given.matrix


@pytest.mark.skipif(not shutil.which("ffmpeg"), reason="ffmpeg is not installed")
def test_ffmpeg_agrees(make_clip: Callable[..., Path], tmp_path: Path) -> None:
    """The archive's own tools: Y' of source and result have the same framemd5, no error is told,
    and ffprobe reads the shape and the siting that were put into the header."""

    def setup(stream: Any) -> None:
        stream.codec_context.sample_aspect_ratio = Fraction(64, 45)

    options = {"chroma_sample_location": "topleft"}
    film = probe(make_clip("s.mp4", "libx264", options=options, setup=setup, times=TIMES))
    target = made(film, plan(film, codec="ffv1").encoding, tmp_path / "r.mkv")

    def md5s(path: Path) -> list[str]:
        command = ["ffmpeg", "-v", "error", "-xerror", "-i", str(path), "-an"]
        command += ["-vf", "extractplanes=y", "-fps_mode", "passthrough", "-f", "framemd5", "-"]
        run = subprocess.run(command, capture_output=True, check=True, text=True)
        assert not run.stderr
        rows = [line for line in run.stdout.splitlines() if not line.startswith("#")]
        return [line.split(",")[-1].strip() for line in rows]

    assert md5s(target) == md5s(film.path) and len(md5s(target)) == len(TIMES)
    command = ["ffprobe", "-v", "error", "-show_streams", "-of", "json", str(target)]
    run = subprocess.run(command, capture_output=True, check=True, text=True)
    assert not run.stderr
    [stream] = json.loads(run.stdout)["streams"]
    assert (stream["sample_aspect_ratio"], stream["chroma_location"]) == ("64:45", "topleft")
    assert "title" not in stream["tags"]


def test_everything_else_of_a_matroska_film_arrives(
    with_everything: Callable[[Any], list[Any]],
    make_clip: Callable[..., Path],
    packet_hashes: Callable[..., Any],
    tmp_path: Path,
) -> None:
    """Sounds, subtitles, attachment, cover: packet by packet, with languages and dispositions."""
    film = probe(make_clip("s.mkv", more=with_everything, times=TIMES))
    kinds = [stream.kind for stream in film.others]
    assert kinds == ["audio", "audio", "subtitle", "attachment", "video"]
    assert refused(film, "mkv", "ffv1") == ()
    target = made(film, plan(film).encoding, tmp_path / "r.mkv", tags={"colorized": "yes"})
    result = probe(target)
    assert [stream.kind for stream in result.streams] == [s.kind for s in film.streams]
    for was, now in zip(film.others, result.others, strict=True):
        for fact in ("kind", "codec", "language", "disposition", "profile"):
            assert getattr(now, fact) == getattr(was, fact), (was, fact)
        if was.kind in ("audio", "subtitle"):
            hashes = packet_hashes(target, now.index)
            assert hashes == packet_hashes(film.path, was.index) and hashes
    with av.open(str(target)) as new, av.open(str(film.path)) as old:
        for a, b in zip(new.streams.attachments, old.streams.attachments, strict=True):
            assert (a.name, a.mimetype, a.data) == (b.name, b.mimetype, b.data)
        covers = [next(c.demux(c.streams[5])) for c in (new, old)]
        assert bytes(covers[0]) == bytes(covers[1]) != b""
        assert new.chapters() == old.chapters() and len(new.chapters()) == 2
    wanted = {"title": "Die Überfahrt", "COMMENT": "Kopie 2", "REEL": "7", "COLORIZED": "yes"}
    assert wanted.items() <= result.metadata.items()


def test_time_code_sound_and_tags_of_a_quicktime_film(
    with_everything: Callable[[Any], list[Any]],
    make_clip: Callable[..., Path],
    packet_hashes: Callable[..., Any],
    tmp_path: Path,
) -> None:
    """ProRes with drop-frame time code: the track is written anew, and can be shifted."""

    def setup(stream: Any) -> None:
        stream.metadata["timecode"] = "01:00:00;02"

    film = probe(
        make_clip(
            "s.mov",
            "prores_ks",
            "yuv422p10le",
            setup=setup,
            more=with_everything,
            times=TIMES,
            time_base=Fraction(1, 30000),
            rate=Fraction(30000, 1001),
            container_options={"movflags": "use_metadata_tags"},
        )
    )
    assert film.video.timecode == "01:00:00;02"
    encoding = plan(film).encoding
    target = made(film, encoding, tmp_path / "r.mov")
    result = probe(target)
    assert result.video.timecode == "01:00:00;02"
    assert result.video.profile == film.video.profile == "HQ"
    assert [(s.kind, s.codec, s.generated) for s in result.streams] == [
        (s.kind, s.codec, s.generated) for s in film.streams
    ]
    for was, now in zip(film.others, result.others, strict=True):
        assert (now.language, now.disposition) == (was.language, was.disposition)
        assert packet_hashes(target, now.index) == packet_hashes(film.path, was.index)
    assert result.metadata["REEL"] == "7" and result.metadata["title"] == "Die Überfahrt"
    assert [c.metadata for c in result.chapters] == [{"title": "One"}, {"title": "Two"}]
    shifted = made(film, encoding, tmp_path / "shifted.mov", timecode="01:00:10;00")
    assert probe(shifted).video.timecode == "01:00:10;00"


def test_what_a_container_cannot_hold_is_named_and_can_be_dropped(
    with_everything: Callable[[Any], list[Any]], make_clip: Callable[..., Path], tmp_path: Path
) -> None:
    """MP4 holds neither SubRip nor fonts; without them the rest is written."""
    film = probe(make_clip("s.mkv", more=with_everything, times=TIMES))
    *found, cover = refused(film, "mp4", "libx264")
    # the tag REEL has no place in MP4's own list of tags, and the list that has one no picture
    assert (cover.index, "REEL" in cover.reason) == (5, True)
    assert [(refusal.index, refusal.what) for refusal in found] == [
        (3, "subtitle (subrip)"),
        (4, "attachment (font.ttf)"),
    ]
    assert all(refusal.reason for refusal in found)
    encoding = plan(film, codec="libx264").encoding
    drop = frozenset(refusal.index for refusal in (*found, cover) if refusal.index is not None)
    result = probe(made(film, encoding, tmp_path / "r.mp4", drop=drop))
    assert [s.codec for s in result.others] == ["pcm_s16le", "aac"]
    assert result.metadata["REEL"] == "7"
    plain = replace(film, metadata={})
    assert refused(plain, "mp4", "libx264") == tuple(found)
    drop -= {cover.index}
    result = probe(made(plain, encoding, tmp_path / "plain.mp4", drop=drop))
    assert [s.codec for s in result.others] == ["pcm_s16le", "aac", "mjpeg"]
    assert result.others[-1].disposition == ("attached_pic",)
    # not asked, the muxer refuses it in the midst of the work, and no file is left
    with pytest.raises(TargetError, match="cannot write as mp4"):
        made(film, encoding, tmp_path / "x.mp4")
    assert not (tmp_path / "x.mp4").exists()
    assert not [path for path in tmp_path.iterdir() if path.name.startswith(".")]


def test_klv_data_is_refused_by_mov(make_clip: Callable[..., Path], tmp_path: Path) -> None:
    """libav's MOV muxer takes a KLV stream and loses what it is; that counts as refused."""

    def more(container: Any) -> list[Any]:
        stream = container.add_data_stream("klv")
        packets = [av.Packet(b"\x06\x0e\x2b\x34" + bytes(16)) for _ in range(5)]
        for number, packet in enumerate(packets):
            packet.stream, packet.pts, packet.dts = stream, number * 3600, number * 3600
            packet.time_base = Fraction(1, 90000)
        return packets

    film = probe(make_clip("s.ts", "libx264", more=more, times=TIMES))
    assert [stream.codec for stream in film.others] == ["klv"]
    for container in ("mkv", "mov", "mp4"):
        [refusal] = refused(film, container, "libx264")
        assert refusal.what == "data (klv)"


def test_segments_are_whole_or_absent(make_clip: Callable[..., Path], tmp_path: Path) -> None:
    """An exception, an empty segment, a refused option: no file, no temporary."""
    film = probe(make_clip("s.mp4", "ffv1", times=TIMES))
    encoding = plan(film, codec="libx264").encoding
    folder = tmp_path / "segments"
    folder.mkdir()
    with frames(film) as read:
        frame = next(read)
    with pytest.raises(KeyboardInterrupt), SegmentWriter(folder / "a.mp4", encoding) as writer:
        writer.write(colored(frame, encoding), 0, 1001)
        raise KeyboardInterrupt
    with pytest.raises(ValueError, match="needs a frame"):
        SegmentWriter(folder / "b.mp4", encoding).close()
    with pytest.raises(UsageError, match="libx264"):
        SegmentWriter(folder / "c.mp4", replace(encoding, options=(("preset", "nonsense"),)))
    with (
        pytest.raises(ValueError, match="does not come after"),
        SegmentWriter(folder / "d.mp4", encoding) as writer,
    ):
        writer.write(colored(frame, encoding), 5)
        writer.write(colored(frame, encoding), 5)
    assert list(folder.iterdir()) == []


def test_the_same_frames_make_the_same_segment(
    make_clip: Callable[..., Path], tmp_path: Path
) -> None:
    """Byte by byte: a film that is gone on with equals one that was never interrupted."""
    film = probe(make_clip("s.mp4", "ffv1", times=TIMES))
    for codec in ("ffv1", "libx264", "libx265"):
        fast = () if codec == "ffv1" else (("preset", "ultrafast"),)
        encoding = plan(film, codec=codec, options=fast).encoding
        for folder in ("one", "two"):
            (tmp_path / codec / folder).mkdir(parents=True)
            encode(film, encoding, tmp_path / codec / folder, (0, 6))
        for path in (tmp_path / codec / "one").iterdir():
            assert path.read_bytes() == (tmp_path / codec / "two" / path.name).read_bytes()


def test_segments_that_do_not_belong_together(
    make_clip: Callable[..., Path], tmp_path: Path
) -> None:
    """Other settings, another order, a changed or missing piece: refused, and no film appears."""
    film = probe(make_clip("s.mp4", "ffv1", times=TIMES))
    encoding = plan(film, codec="libx264").encoding
    other = plan(film, codec="libx264", options=(("profile", "baseline"),)).encoding
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
    first, second = encode(film, encoding, tmp_path / "a", (0, 6))
    [_, unlike] = encode(film, other, tmp_path / "b", (0, 6))
    target = tmp_path / "r.mp4"
    cases: list[tuple[list[Segment], str]] = [
        ([], "nothing to join"),
        ([first, unlike], "otherwise"),
        ([second, first], "begins before"),
        ([first, replace(second, frames=4)], "not as it was left"),
    ]
    for segments, words in cases:
        with pytest.raises(TargetError, match=words):
            join(segments, film, target, encoding)
    second.path.unlink()
    with pytest.raises(SourceError, match="is not a file"):
        join([first, second], film, target, encoding)
    assert not target.exists()


def test_names_that_ask_for_a_container() -> None:
    """By suffix, in any case; what cannot be written asks for none."""
    names = ["a.MKV", "b.mov", "c.m4v", "d.mp4", "e.avi", "f"]
    assert [container_of(name) for name in names] == ["mkv", "mov", "mp4", "mp4", "", ""]


@pytest.mark.parametrize(
    "options",
    [
        (("x264-params", "keyint=50"),),
        (("flags", "-loop"),),
        (("flags", "cgop"),),
        (("x264-params", "keyint=50"), ("x264-params", "me-range=8")),
    ],
)
def test_own_options_leave_the_fields_as_they_are(
    make_clip: Callable[..., Path], tmp_path: Path, options: tuple[tuple[str, str], ...]
) -> None:
    """Those of x264 and the flags go beside the ones that say which field comes first."""
    film = probe(
        make_clip(
            "s.mp4",
            "libx264",
            size=(64, 66),
            options={"x264-params": "bff=1", "flags": "+ildct+ilme"},
            field_mode="bff",
            times=TIMES,
        )
    )
    assert film.video.field_order == "bb"
    encoding = plan(film, codec="libx264", options=options).encoding
    target = made(film, encoding, tmp_path / "r.mp4")
    assert probe(target).video.field_order == "bb"
    # x264 writes its settings into the stream
    told = target.read_bytes()
    assert b"interlaced=bff" in told
    assert (b"keyint=50" in told) == (options[0][0] == "x264-params")
    assert (b"me_range=8 " in told) == (len(options) == 2)
    flags = dict(encoding.options)["flags"]
    assert flags == {"-loop": "+ildct+ilme-loop", "cgop": "+ildct+ilme+cgop"}.get(
        options[0][1], "+ildct+ilme"
    )
