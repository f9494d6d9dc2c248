"""What the first picture or the container alone would tell wrongly: times, rates, captions and
transparency, by what pictures all over the film show."""

from __future__ import annotations

import subprocess
from collections.abc import Callable
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest

from colorbatch.ffmpeg import frames, plan, probe

pytestmark = pytest.mark.slow

IN_ORDER = {"rate": Fraction(24), "time_base": Fraction(1, 24), "size": (48, 64)}


@pytest.mark.parametrize(
    ("name", "codec", "options"),
    [
        ("bf3.avi", "libx264", {"bf": "3", "b_strategy": "0"}),
        ("bf1.avi", "libx264", {"bf": "1", "b_strategy": "0"}),
        ("none.avi", "libx264", {"bf": "0"}),
        ("pyramid.avi", "libx264", {"bf": "3", "b_strategy": "0", "g": "9"}),
        ("bf2.asf", "libx264", {"bf": "2", "b_strategy": "0"}),
        ("bf2.mxf", "libx264", {"bf": "2", "b_strategy": "0"}),
        ("m2v.avi", "mpeg2video", {"bf": "2"}),
        ("mp4v.avi", "mpeg4", {"bf": "2"}),
        ("bf2.ts", "libx264", {"bf": "2", "b_strategy": "0"}),
        ("bf2.h264", "libx264", {"bf": "2", "b_strategy": "0"}),
    ],
)
def test_pictures_are_evenly_apart_whatever_the_container_keeps(
    make_clip: Callable[..., Path], name: str, codec: str, options: dict[str, str]
) -> None:
    """24 pictures a second were written. AVI and ASF keep one time for each packet, in the order in
    which pictures are coded, and libav makes up the others; raw H.264 has none."""
    path = make_clip(name, codec, times=range(24), options=options, **IN_ORDER)
    film = probe(path)
    with frames(film) as reading:
        got = list(reading)
    base = film.video.time_base
    times = [float(frame.pts * base) for frame in got]
    assert len(times) == 24
    assert np.diff(times) == pytest.approx(1 / 24, abs=0.0011)
    assert reading.ending is not None
    assert reading.ending.retimed == 0 or film.container == "h264"
    assert got[0].pts == film.video.start or not film.video.in_coded_order
    # each picture is its own time's: noise over a ramp, so that no two are alike
    with av.open(str(path)) as container:
        own = [bytes(frame.planes[0])[:64] for frame in container.decode(video=0)]
    assert [frame.planes.luma[0].tobytes() for frame in got] == own  # type: ignore[index]


def test_a_lost_picture_does_not_move_those_behind_it(make_clip: Callable[..., Path]) -> None:
    """In an AVI whose times are those of decoding: a packet that cannot be decoded leaves a gap, or
    a repeated picture, and no other time changes."""
    path = make_clip(
        "bf2.avi", "libx264", times=range(24), options={"bf": "2", "b_strategy": "0"}, **IN_ORDER
    )
    with av.open(str(path)) as container:
        packets = [packet for packet in container.demux(video=0) if packet.size]
        broken = bytes(packets[9])
    data = path.read_bytes()
    assert data.count(broken) == 1
    path.write_bytes(data.replace(broken, b"\xff" * len(broken)))
    film = probe(path)
    with frames(film) as reading:
        got = list(reading)
    assert 22 <= len(got) <= 24
    assert {frame.pts for frame in got} <= set(range(24))
    assert got[-1].pts == 23


@pytest.mark.parametrize("group", ["12", "40"])
def test_reading_goes_on_in_an_avi_where_it_stopped(
    make_clip: Callable[..., Path], group: str
) -> None:
    """From any picture on, the same pictures at the same times as from the begin. With the shorter
    groups x264 makes no B-frames of this noise, and might have made some further on."""
    options = {"bf": "2", "b_strategy": "0", "g": group}
    film = probe(make_clip("s.avi", "libx264", times=range(48), options=options, **IN_ORDER))
    assert film.video.in_coded_order
    with frames(film) as reading:
        whole = [(frame.pts, frame.planes.digest()) for frame in reading]
    for start in (14, 25, 31):
        with frames(film, start) as reading:
            assert [(frame.pts, frame.planes.digest()) for frame in reading] == whole[start:]


@pytest.mark.parametrize("rate", [Fraction(15), Fraction(24), Fraction(24000, 1001), Fraction(50)])
@pytest.mark.parametrize("name", ["raw.h264", "a.ts", "a.mkv", "a.mp4", "a.flv"])
def test_the_rate_is_that_of_the_pictures(
    make_clip: Callable[..., Path], name: str, rate: Fraction
) -> None:
    """As it was written; libav's average of raw H.264 is 25 whatever is in it."""
    path = make_clip(
        name, "libx264", rate=rate, time_base=1 / rate, times=range(2 * round(rate)), size=(48, 64)
    )
    encoding = plan(probe(path)).encoding
    assert encoding.rate is not None
    assert float(encoding.rate) == pytest.approx(float(rate), rel=0.001)


@pytest.mark.parametrize(("lines", "rate"), [(576, Fraction(25)), (480, Fraction(30000, 1001))])
def test_raw_dv_has_the_rate_of_its_system(
    make_clip: Callable[..., Path],
    need: Callable[[str], None],
    tmp_path: Path,
    lines: int,
    rate: Fraction,
) -> None:
    """25 or 30000/1001 pictures a second (IEC 61834-2), by ffprobe too; its time code can be told
    in QuickTime then."""
    need("ffprobe")
    form = "yuv420p" if lines == 576 else "yuv411p"
    path = make_clip(
        "a.dv", "dvvideo", form, size=(lines, 720), rate=rate, time_base=1 / rate, times=range(6)
    )
    command = ["ffprobe", "-v", "error", "-show_entries", "stream=r_frame_rate"]
    run = subprocess.run(
        [*command, "-of", "csv=p=0", str(path)], capture_output=True, check=True, text=True
    )
    video = probe(path).video
    assert Fraction(run.stdout.strip().strip(",")) == rate == video.average_rate
    assert (video.frames, plan(probe(path)).encoding.rate) == (6, rate)


def test_captions_that_begin_later_are_named(
    make_clip: Callable[..., Path], need: Callable[[str], None]
) -> None:
    """CEA-608 in MPEG-2's user data (ATSC A/53, part 4, 6.2.3) from the seventh picture on."""
    path = make_clip("a.m2v", "mpeg2video", times=range(24), options={"bf": "0"}, **IN_ORDER)
    # user data goes between a picture's header and its first slice
    caption = b"\x00\x00\x01\xb2GA94\x03\x41\xff\xfc\x94\x20\xff"
    pieces = path.read_bytes().split(b"\x00\x00\x01\x01")
    data = pieces[0]
    for number, piece in enumerate(pieces[1:]):
        data += (caption if number >= 6 else b"") + b"\x00\x00\x01\x01" + piece
    path.write_bytes(data)
    film = probe(path)
    assert "closed captions in the pictures" in film.video.beside
    with frames(film) as reading:
        carrying = ["closed captions in the pictures" in frame.beside for frame in reading]
    assert carrying == [False] * 6 + [True] * 18


def test_transparency_of_vp9_arrives(
    make_clip: Callable[..., Path], need: Callable[[str], None], tmp_path: Path
) -> None:
    """It is a second film beside each packet (WebM's AlphaMode); ffmpeg writes it."""
    need("ffmpeg")
    path = tmp_path / "alpha.webm"
    source = "testsrc=r=24:d=0.5:s=64x48,format=yuva420p,geq=lum='lum(X,Y)':a='X*4'"
    command = ["ffmpeg", "-v", "error", "-f", "lavfi", "-i", source, "-c:v", "libvpx-vp9"]
    subprocess.run([*command, "-deadline", "realtime", str(path)], check=True)
    film = probe(path)
    assert film.video.pixels.name == "yuva420p"
    assert plan(film, codec="ffv1").encoding.pix_fmt == "yuva420p"
    with frames(film) as reading:
        first = next(reading).planes.alpha
    assert first is not None
    ramp = np.arange(64) * 4.0
    assert np.abs(first.mean(0) - ramp).max() < 8  # coded with loss
    # where the result has none, that is told
    assert plan(film, codec="libx264").fit.alpha_lost
    assert plan(film, codec="libvpx-vp9").fit.alpha_lost
