"""Which field is shown first: as the source's pictures say it, one by one, in every container."""

from __future__ import annotations

import subprocess
from collections.abc import Callable
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import pytest
from av.filter import Graph

from colorbatch import ffmpeg
from colorbatch.clips import film_clip, film_plan
from colorbatch.clips.clip import Maker
from colorbatch.clips.resume import FilmJob
from colorbatch.ffmpeg.fields import FieldMarker, FieldReader
from colorbatch.job import FilmSettings, Job
from colorbatch.model.contract import sha256
from colorbatch.model.engine import Engine

pytestmark = pytest.mark.slow


def told(path: Path) -> list[tuple[str, str]]:
    """(interlaced, top field first) of each picture, by ffprobe, whose FFmpeg is another."""
    command = ["ffprobe", "-v", "error", "-select_streams", "v", "-show_entries"]
    command += ["frame=interlaced_frame,top_field_first", "-of", "csv=p=0", str(path)]
    run = subprocess.run(command, capture_output=True, check=True, text=True)
    rows = [line.strip(",").split(",") for line in run.stdout.split() if line.strip(",")]
    return [(row[0], row[1]) for row in rows]


@pytest.fixture
def color(tiny_model: Path, tmp_path: Path) -> Callable[..., Any]:
    """A function that colors a film: source, target's name and codec to the outcome."""
    engine = Engine(str(tiny_model), "cpu")

    def make(source: Path, name: str, codec: str = "") -> Any:
        settings, target = FilmSettings(codec=codec), tmp_path / name
        plan = film_plan.plan_film(ffmpeg.probe(source), settings, ffmpeg.container_of(name))
        maker = Maker(engine, sha256(tiny_model), settings)
        return film_clip.color_film(FilmJob(Job(source, target, named=True), plan, "grey"), maker)

    return make


@pytest.mark.parametrize("fields", ["tff", "bff"])
def test_the_field_of_a_picture_is_read_and_marked(fields: str) -> None:
    """libav's `setfield` marks what is read, and its `showinfo` tells what was marked."""
    picture = av.VideoFrame(64, 48, "yuv422p10le")
    reader, marker = FieldReader(), FieldMarker()
    assert reader(picture) == ""
    graph = Graph()
    entry = graph.add_buffer(width=64, height=48, format=picture.format, time_base=Fraction(1, 24))
    graph.link_nodes(entry, graph.add("setfield", fields), graph.add("buffersink")).configure()
    for _ in range(3):
        graph.vpush(picture)
        assert reader(graph.vpull()) == fields  # type: ignore[arg-type]
        assert reader(marker(picture, fields)) == fields
        assert not marker(picture, "").interlaced_frame


CASES = {
    # what ffmpeg's own command writes: tb and bt for pictures whose lines lie as they are shown
    "tb.mov": ("prores_ks", "yuv422p10le", 4, {"flags": "+ildct"}),
    "bt.mov": ("prores_ks", "yuv422p10le", 5, {"flags": "+ildct"}),
    "tt.mov": ("prores_ks", "yuv422p10le", 2, {"flags": "+ildct"}),
    "bb.mov": ("prores_ks", "yuv422p10le", 3, {"flags": "+ildct"}),
    "tb-v210.mov": ("v210", "yuv422p10le", 4, {}),
    "tb.mkv": ("ffv1", "yuv420p", 4, {}),
    "bt.mkv": ("ffv1", "yuv420p", 5, {}),
    "tb-264.mkv": ("libx264", "yuv420p", 4, {"flags": "+ildct+ilme"}),
    # these containers say nothing of fields
    "dv.avi": ("dvvideo", "yuv420p", 0, {}),
    "tff.avi": ("mpeg4", "yuv420p", 0, {"flags": "+ildct+ilme"}),
    "tff.ts": ("mpeg2video", "yuv420p", 0, {"flags": "+ildct+ilme"}),
}


@pytest.mark.parametrize(
    "target", [("r.mkv", "ffv1"), ("r.mkv", "libx264"), ("r.mov", "prores_ks")]
)
@pytest.mark.parametrize("name", CASES)
def test_results_have_the_field_order_of_their_source(
    make_clip: Callable[..., Path],
    color: Callable[..., Any],
    need: Callable[[str], None],
    tmp_path: Path,
    name: str,
    target: tuple[str, str],
) -> None:
    """Pictures and container say the same, and what the source's pictures say."""
    need("ffprobe")
    need("mediainfo")
    codec, pix_fmt, order, options = CASES[name]
    top = not name.startswith(("b", "dv"))

    def setup(stream: Any) -> None:
        stream.codec_context.field_order = order

    dv = codec == "dvvideo"
    source = make_clip(
        name,
        codec,
        pix_fmt,
        size=(576, 720) if dv else (64, 66),
        rate=Fraction(25),
        time_base=Fraction(1, 25),
        times=range(4),
        options=options,
        setup=setup,
        field_mode="tff" if top else "bff",
    )
    assert set(told(source)) == {("1", "1" if top else "0")}
    color(source, *target)
    result = tmp_path / target[0]
    assert told(result) == [("1", "1" if top else "0")] * 4
    command = ["mediainfo", "--Inform=Video;%ScanOrder%/%ScanOrder_Original%", str(result)]
    run = subprocess.run(command, capture_output=True, check=True, text=True)
    assert run.stdout.strip() in ("TFF/" if top else "BFF/", "/")
    assert ffmpeg.probe(result).video.fields == ("tff" if top else "bff")


@pytest.fixture
def hybrid(make_clip: Callable[..., Path], tmp_path: Path) -> Callable[[int], Path]:
    """A function that makes a film of 16 pictures, from one of which on they are interlaced."""

    def make(first: int) -> Path:
        paths = []
        for begin, end, mode in ((0, first, ""), (first, 16, "tff")):
            flags = {"flags": "+ildct+ilme", "x264-params": "tff=1"} if mode else {}
            paths.append(
                make_clip(
                    f"{mode or 'progressive'}.ts",
                    "libx264",
                    size=(64, 64),
                    rate=Fraction(25),
                    time_base=Fraction(1, 25),
                    times=range(begin, end),
                    options=flags | {"bf": "0"},
                    field_mode=mode,
                )
            )
        whole = tmp_path / "hybrid.ts"
        whole.write_bytes(b"".join(path.read_bytes() for path in paths))
        return whole

    return make


def test_each_picture_of_a_mixed_film_keeps_its_own(
    hybrid: Callable[[int], Path],
    color: Callable[..., Any],
    need: Callable[[str], None],
    tmp_path: Path,
) -> None:
    """A leader of one kind and a film of another: FFV1 has both, x264 codes all alike and that is
    told."""
    need("ffprobe")
    source = hybrid(6)
    before = told(source)
    assert [row[0] for row in before] == ["0"] * 6 + ["1"] * 10
    outcome = color(source, "r.mkv", "ffv1")
    assert told(tmp_path / "r.mkv") == before
    assert ffmpeg.probe(tmp_path / "r.mkv").video.field_order == "tb"
    assert not any("field order" in note for note in outcome.notes)
    outcome = color(source, "r.mp4", "libx264")
    assert set(told(tmp_path / "r.mp4")) == {("1", "1")}
    assert any("6 of 16 pictures have another field order" in note for note in outcome.notes)
