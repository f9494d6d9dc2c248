"""Which codec, container and pixel format a film gets, and what it costs."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Callable
from dataclasses import replace
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from colorbatch.errors import UsageError
from colorbatch.ffmpeg import (
    Film,
    Planes,
    SegmentWriter,
    check,
    encoders,
    formats_of,
    frames,
    pixel_format,
    plan,
    probe,
    refused,
    result_format,
)
from colorbatch.ffmpeg.codecs.ffv1 import slices


@pytest.fixture
def film(make_clip: Callable[..., Path]) -> Callable[..., Film]:
    """A real film's record, with some facts of its pictures changed: no clip for each codec."""
    whole = probe(make_clip("s.mp4", "ffv1"))

    def make(family: str = "mkv", pix_fmt: str = "yuv420p", **facts: object) -> Film:
        video = replace(whole.video, pixels=pixel_format(pix_fmt), **facts)  # type: ignore[arg-type]
        return replace(whole, family=family, video=video)

    return make


def test_encoders_that_a_film_may_ask_for_are_here() -> None:
    """The PyAV that is pinned has them all; a decoder's name is none."""
    names = set(encoders())
    assert {"ffv1", "libx264", "libx265", "prores_ks", "dnxhd", "libsvtav1", "mjpeg"} <= names
    assert "libdav1d" not in names and "h264_cuvid" not in names
    assert "aac" not in names


@pytest.mark.parametrize(
    ("source", "encoder", "expected"),
    [
        # gray becomes 4:2:0 at 8 bits, 4:2:2 above
        ("gray", "ffv1", "yuv420p"),
        ("gray", "libx264", "yuv420p"),
        ("gray10le", "ffv1", "yuv422p10le"),
        ("gray16le", "ffv1", "yuv422p16le"),
        ("gray12le", "libx265", "yuv422p12le"),
        # the source's own subsampling and depth
        ("yuv420p", "libx264", "yuv420p"),
        ("yuvj422p", "libx264", "yuv422p"),
        ("yuv444p12le", "libx265", "yuv444p12le"),
        ("yuv411p", "ffv1", "yuv411p"),
        ("yuyv422", "ffv1", "yuv422p"),
        # the finer neighbor
        ("yuv411p", "libx264", "yuv422p"),
        # RGB stays RGB
        ("rgb24", "ffv1", "bgr0"),
        ("gbrp10le", "ffv1", "gbrp10le"),
        ("rgb48le", "ffv1", "gbrp16le"),
        ("gbrp12le", "libx265", "gbrp12le"),
        ("gbrp10le", "libx265", "gbrp10le"),
        ("rgb24", "libx264rgb", "bgr0"),
        # and becomes Y'CbCr as gray does where the encoder has no RGB of that depth
        ("rgb24", "libx264", "yuv420p"),
        ("gbrp10le", "libx264", "yuv422p10le"),
        ("gbrap10le", "prores_ks", "yuva444p10le"),
        ("rgb24", "mjpeg", "yuv420p"),
        # packed RGB is turned to Y'CbCr by the card's own rule; planes of G, B and R are not
        ("rgb24", "h264_qsv", "nv12"),
        ("rgb24", "h264_nvenc", "gbrp"),
        # FFV1 with these is new, and players in use do not read it
        ("yuva444p12le", "ffv1", "yuva444p16le"),
        ("yuva422p12le", "ffv1", "yuva422p16le"),
        ("gray14le", "ffv1", "yuv422p14le"),
    ],
)
def test_a_format_without_loss(source: str, encoder: str, expected: str) -> None:
    """The result's format holds every sample of the source."""
    fit = result_format(pixel_format(source), encoder)
    assert fit.pixels.name == expected
    assert (fit.bits_lost, fit.chroma_lost, fit.alpha_lost) == (0, False, False)


@pytest.mark.parametrize(
    ("source", "encoder", "expected", "lost"),
    [
        ("yuv420p", "prores_ks", "yuv422p10le", 0),
        ("gray", "prores_ks", "yuv422p10le", 0),
        ("gray16le", "prores_ks", "yuv422p10le", 6),
        ("yuv422p10le", "mpeg2video", "yuv422p", 2),
        ("gray12le", "libx264", "yuv422p10le", 2),
        ("yuv420p9le", "libx264", "yuv420p10le", 0),
        ("gbrp12le", "prores_ks", "yuv422p10le", 2),
        ("gbrp10le", "libx264rgb", "bgr0", 2),
    ],
)
def test_lost_depth_is_told(source: str, encoder: str, expected: str, lost: int) -> None:
    """In bits, so that the caller can refuse."""
    fit = result_format(pixel_format(source), encoder)
    assert (fit.pixels.name, fit.bits_lost) == (expected, lost)


def test_chroma_and_alpha_that_are_lost_are_told() -> None:
    """4:4:4 with alpha into H.264, and into MPEG-2, which has no 4:4:4."""
    fit = result_format(pixel_format("yuva444p"), "libx264")
    assert (fit.pixels.name, fit.chroma_lost, fit.alpha_lost) == ("yuv444p", False, True)
    fit = result_format(pixel_format("yuva420p10le"), "libx265")  # PyAV's has no layers for it
    assert (fit.pixels.name, fit.bits_lost, fit.alpha_lost) == ("yuv420p10le", 0, True)
    fit = result_format(pixel_format("yuv444p"), "mpeg2video")
    assert (fit.pixels.name, fit.chroma_lost) == ("yuv422p", True)


@pytest.mark.parametrize(
    ("codec", "profile", "family", "pix_fmt", "expected"),
    [
        ("prores", "LT", "mov", "yuv422p10le", ("prores_ks", "lt", "mov")),
        ("prores", "4444", "mov", "yuv444p10le", ("prores_ks", "4444", "mov")),
        ("prores", "HQ", "mkv", "yuv422p10le", ("prores_ks", "hq", "mkv")),
        # ProRes 4444 is decoded with 12 bits and written with 10; MOV takes no FFV1
        ("prores", "4444", "", "yuva444p12le", ("ffv1", "", "mkv")),
        ("dnxhd", "DNXHR HQX", "", "yuv422p10le", ("dnxhd", "dnxhr_hqx", "mov")),
        ("dnxhd", "DNXHD", "mov", "yuv422p", ("dnxhd", "dnxhr_hq", "mov")),
        ("ffv1", "", "mkv", "gray16le", ("ffv1", "", "mkv")),
        ("ffv1", "", "", "gray", ("ffv1", "", "mkv")),
        ("h264", "High", "mov", "yuv420p", ("libx264", "", "mov")),
        ("h264", "High 10", "mkv", "yuv420p10le", ("libx264", "", "mkv")),
        ("hevc", "Main 12", "mp4", "yuv420p12le", ("libx265", "", "mp4")),
        # not written here, or not without loss: FFV1 above 8 bits and for RGB, H.264 at 8
        ("h264", "CAVLC 4:4:4", "mp4", "yuv420p14le", ("ffv1", "", "mkv")),
        ("mjpeg", "", "", "yuvj422p", ("libx264", "", "mp4")),
        ("mpeg2video", "Main", "mkv", "yuv420p", ("libx264", "", "mkv")),
        ("vp9", "Profile 2", "mkv", "yuv420p10le", ("ffv1", "", "mkv")),
        ("png", "", "mov", "rgb24", ("ffv1", "", "mkv")),
    ],
)
def test_default_codec(
    film: Callable[..., Film],
    codec: str,
    profile: str,
    family: str,
    pix_fmt: str,
    expected: tuple[str, str, str],
) -> None:
    """The source's codec, profile and container where they can be written."""
    given = film(family, pix_fmt, codec=codec, profile=profile, size=(128, 256))
    found = plan(given)
    options = dict(found.encoding.options)
    assert (found.encoding.codec, options.get("profile", ""), found.container) == expected
    assert found.fit.bits_lost == 0


@pytest.mark.parametrize("container", ["mkv", "mov", "mp4"])
@pytest.mark.parametrize("pix_fmt", ["yuv420p", "yuv422p10le"])
@pytest.mark.parametrize("codec", ["ffv1", "prores", "dnxhd", "h264", "hevc", "v210", "mjpeg"])
def test_the_container_that_is_asked_for_holds_the_default_codec(
    film: Callable[..., Film], codec: str, pix_fmt: str, container: str
) -> None:
    """Whatever the source is; by libav's own muxer, and without loss of depth."""
    given = film(codec=codec, pix_fmt=pix_fmt, size=(128, 256))
    found = plan(given, container=container)
    assert refused(given, container, found.encoding.codec) == ()
    assert (found.container, found.fit.bits_lost) == (container, 0)


@pytest.mark.skipif(not shutil.which("ffmpeg"), reason="ffmpeg is not installed")
def test_ffv1_is_written_in_formats_that_an_ffmpeg_in_use_reads() -> None:
    """Of all integer formats that this libav's FFV1 has; the other FFmpeg is the distribution's."""
    command = ["ffmpeg", "-hide_banner", "-h", "encoder=ffv1"]
    run = subprocess.run(command, capture_output=True, check=True, text=True)
    [line] = [line for line in run.stdout.splitlines() if "Supported pixel formats" in line]
    theirs = set(line.partition(":")[2].split())
    for source in formats_of("ffv1"):
        assert result_format(source, "ffv1").pixels.name in theirs, source


def test_usual_options(film: Callable[..., Film]) -> None:
    """FFV1 as archives want it; CRF 16; the user's own options win and keep their order."""
    ffv1 = dict(plan(film(), codec="ffv1").encoding.options)
    wanted = {"level": "3", "g": "1", "slicecrc": "1", "slices": "4"}
    assert ffv1 == wanted
    assert dict(plan(film(size=(1080, 1920))).encoding.options)["slices"] == "16"
    x264 = plan(film(), codec="libx264", options=(("crf", "20"), ("tune", "film"))).encoding
    assert dict(x264.options) == {"crf": "20", "preset": "medium", "tune": "film"}
    lossless = plan(film(), codec="libx264", options=(("qp", "0"),)).encoding
    assert dict(lossless.options) == {"preset": "medium", "qp": "0"}  # crf would win over it
    fields = plan(film(field_order="bb", fields="bff", size=(576, 720)), codec="libx264").encoding
    assert dict(fields.options)["flags"] == "+ildct+ilme"


def test_facts_of_the_pictures_go_into_the_encoding(film: Callable[..., Film]) -> None:
    """Tags, rate and shape; a variable rate is none; gray becomes color with the usual siting."""
    given = film(
        sample_aspect=Fraction(64, 45), field_order="tt", fields="tff", chroma_location="topleft"
    )
    encoding = plan(given).encoding
    assert (encoding.sample_aspect, encoding.field_order) == (Fraction(64, 45), "tt")
    assert (encoding.chroma_location, encoding.rate) == ("topleft", Fraction(24000, 1001))
    assert plan(film(variable=True)).encoding.rate is None
    assert plan(film(pix_fmt="gray", chroma_location="")).encoding.chroma_location == "left"
    assert plan(film(pix_fmt="gbrp"), codec="libx264").encoding.chroma_location == "left"
    assert plan(film(pix_fmt="yuv444p", chroma_location="left")).encoding.chroma_location == ""
    assert plan(given, codec="prores_ks").encoding.segment_container == "mov"
    assert plan(given).encoding.segment_container == "mp4"


def test_what_cannot_be_is_refused_before_work(film: Callable[..., Film]) -> None:
    """Encoder, pixel format, container, a codec without color."""
    with pytest.raises(UsageError, match="no video encoder libx999"):
        plan(film(), codec="libx999")
    with pytest.raises(UsageError, match="prores_ks takes no yuv420p"):
        plan(film(), codec="prores_ks", pix_fmt="yuv420p")
    with pytest.raises(UsageError, match=r"encoders of h264 are .*libx264"):
        plan(film(), codec="h264")
    with pytest.raises(UsageError, match="not avi"):
        plan(film(), container="avi")
    with pytest.raises(UsageError, match="a64multi takes no pictures in color"):
        plan(film(pix_fmt="rgb24"), codec="a64multi")
    assert all(each.kind in ("gray", "yuv", "rgb") for each in formats_of("ffv1"))


@pytest.mark.parametrize(
    ("size", "pix_fmt"),
    [
        ((576, 719), "gray10le"),
        ((575, 719), "gray10le"),
        ((1079, 1919), "gray"),
        ((47, 33), "yuv420p"),
        ((15, 15), "gray"),
        ((2, 2), "gray10le"),
        ((3, 3), "gray"),
        ((1, 1), "gray16le"),
    ],
)
def test_ffv1_at_sizes_that_few_grids_of_slices_fit_into(
    make_clip: Callable[..., Path],
    decoded: Callable[[Path], list[Any]],
    tmp_path: Path,
    size: tuple[int, int],
    pix_fmt: str,
) -> None:
    """Odd and tiny pictures are written by default, and with one slice and every number taken."""
    film = probe(make_clip("s.mkv", "ffv1", pix_fmt, size=size, times=(0, 1001)))
    encoding = plan(film, codec="ffv1").encoding
    check(encoding)
    with frames(film) as read, SegmentWriter(tmp_path / "s.mp4", encoding) as writer:
        for frame in read:
            luma = frame.planes.luma
            depth = encoding.pix_fmt
            down, across = pixel_format(depth).subsampling
            shape = (-(-size[0] // down), -(-size[1] // across))
            assert luma is not None
            chroma = np.full(shape, 1 << pixel_format(depth).depth - 1, luma.dtype)
            writer.write(Planes(luma, (chroma, chroma)), frame.pts, frame.duration)
    source, result = decoded(film.path), decoded(tmp_path / "s.mp4")
    assert [one.planes[0] for one in result] == [one.planes[0] for one in source]


def test_slices_at_usual_sizes_are_a_function_of_the_size() -> None:
    """Those by which films were made so far."""
    asked = (("level", "3"), ("g", "1"), ("slicecrc", "1"))
    sizes = {(64, 96): "4", (576, 720): "16", (1080, 1920): "16", (2160, 3840): "24"}
    for size, count in sizes.items():
        assert slices(size, "yuv422p10le", asked) == (("slices", count),)


def test_a_refusal_names_the_film_and_the_reason(make_clip: Callable[..., Path]) -> None:
    """What the encoder itself says."""
    film = probe(make_clip("s.mkv", "ffv1", "gray10le", size=(575, 719), times=(0, 1001)))
    encoding = plan(film, codec="ffv1", options=(("slices", "7"),)).encoding
    with pytest.raises(UsageError, match=r"s\.mkv: ffv1 with .* number 7 of slices"):
        check(encoding, film.path)


def test_own_parameters_of_x265_keep_the_mastering_display(film: Callable[..., Film]) -> None:
    """They come behind the usual ones, which win nothing but stay."""
    facts = {"mastering": "G(1,2)B(3,4)R(5,6)WP(7,8)L(9,1)", "light": "1000,400"}
    own = (("x265-params", "bframes=2"), ("x265-params", "ref=1"))
    options = dict(plan(film(**facts), codec="libx265", options=own).encoding.options)
    assert options["x265-params"] == (
        "log-level=error:master-display=G(1,2)B(3,4)R(5,6)WP(7,8)L(9,1):max-cll=1000,400"
        ":bframes=2:ref=1"
    )
