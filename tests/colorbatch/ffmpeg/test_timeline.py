"""Sources whose clock jumps or whose packets are damaged: pictures and sound stay in step, and no
finished work is thrown away."""

from __future__ import annotations

import itertools
import json
import subprocess
from collections.abc import Callable
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest

from colorbatch import ffmpeg
from colorbatch.clips import film_clip, film_journal, film_plan
from colorbatch.clips.clip import Maker
from colorbatch.clips.resume import FilmJob
from colorbatch.errors import StoppedError
from colorbatch.ffmpeg.timeline import Followers, Steady, Stretch
from colorbatch.job import FilmSettings, Job
from colorbatch.model.contract import sha256
from colorbatch.model.engine import Engine

Run = Callable[..., "subprocess.CompletedProcess[str]"]
RATE = 48000


def sound(codec: str, seconds: Fraction, begin: Fraction) -> Callable[[Any], list[Any]]:
    """Adds a sound of that length to a clip."""

    def more(container: Any) -> list[Any]:
        stream = container.add_stream(codec, rate=RATE)
        form, each = ("s16", 1152) if codec == "mp2" else ("fltp", 1024)
        packets = []
        for number in range(int(seconds * RATE) // each):
            wave = np.sin(np.arange(each) * 0.05 + number)[None].repeat(2, 0)
            if form == "s16":
                wave = (wave * 9000).T.reshape(1, -1)
            kind = np.int16 if form == "s16" else np.float32
            frame = av.AudioFrame.from_ndarray(
                np.ascontiguousarray(wave.astype(kind)), form, "stereo"
            )
            frame.rate, frame.time_base = RATE, Fraction(1, RATE)
            frame.pts = round(begin * RATE) + number * each
            packets += stream.encode(frame)
        return [*packets, *stream.encode(None)]

    return more


def packets_of(path: Path, kind: str) -> list[tuple[Fraction, Fraction]]:
    """When the packets of the pictures (video) or the sound (audio) are decoded and shown, in
    seconds, read without our code."""
    with av.open(str(path)) as container:
        stream = getattr(container.streams, kind)[0]
        return [
            tuple(
                (time if time is not None else packet.pts) * packet.time_base
                for time in (packet.dts, packet.pts)
            )
            for packet in container.demux(stream)
            if packet.size
        ]


@pytest.fixture
def part(make_clip: Callable[..., Path]) -> Callable[..., Path]:
    """A function that makes two seconds of a recording, 24 pictures a second, with sound."""

    def make(name: str, codec: str, audio: str, begin: int = 0, more: float = 0) -> Path:
        length = Fraction(2) + Fraction(more)
        return make_clip(
            name,
            codec,
            rate=24,
            time_base=Fraction(1, 24),
            times=range(24 * begin, 24 * begin + 48),
            more=sound(audio, length, Fraction(begin)),
            size=(48, 64),
        )

    return make


@pytest.fixture
def color(tiny_model: Path, tmp_path: Path) -> Callable[..., Any]:
    """A function that colors a film: source, target's name and codec to the outcome."""
    engine = Engine(str(tiny_model), "cpu")

    def make(source: Path, name: str, codec: str = "libx264", **more: Any) -> Any:
        settings = FilmSettings(codec=codec)
        target = tmp_path / name
        plan = film_plan.plan_film(ffmpeg.probe(source), settings, ffmpeg.container_of(name))
        maker = Maker(engine, sha256(tiny_model), settings, **more)
        return film_clip.color_film(FilmJob(Job(source, target, named=True), plan, "grey"), maker)

    return make


@pytest.mark.parametrize(
    ("begins", "name", "codec", "audio"),
    [
        ((0, 0), "r.mp4", "libx264", "aac"),
        ((0, 0), "r.mkv", "libx264", "aac"),
        ((0, 0, 0), "r.mp4", "mpeg2video", "mp2"),
        ((500, 0), "r.mp4", "libx264", "aac"),  # libav takes this for a clock that ran over
        ((0, 500), "r.mp4", "libx264", "aac"),
    ],
)
def test_joined_recordings_stay_in_step(
    color: Callable[..., Any],
    part: Callable[..., Path],
    tmp_path: Path,
    begins: tuple[int, ...],
    name: str,
    codec: str,
    audio: str,
) -> None:
    """Files of their own clock put behind each other: every picture and every piece of sound is
    there, at even distances, and both have the same distance from each other in every part."""
    suffix = "vob" if codec == "mpeg2video" else "ts"
    parts = [part(f"{i}.{suffix}", codec, audio, begin) for i, begin in enumerate(begins)]
    source = tmp_path / f"disc.{suffix}"
    source.write_bytes(b"".join(each.read_bytes() for each in parts))
    notes = color(source, name).notes
    assert f"{len(parts) - 1} jumps of the source's clock are closed" in notes
    pictures = sorted(shown for _, shown in packets_of(tmp_path / name, "video"))
    heard = packets_of(tmp_path / name, "audio")
    assert len(pictures) == 48 * len(parts)
    slack = Fraction(1, 500)  # Matroska's milliseconds
    steps = [after - before for before, after in itertools.pairwise(pictures)]
    assert all(abs(step - Fraction(1, 24)) <= slack for step in steps)
    each = len(packets_of(parts[0], "audio"))
    assert len(heard) == each * len(parts)
    assert all(before < after for (before, _), (after, _) in itertools.pairwise(heard))
    # the last packet of each part, because those at a border may be moved
    apart = [heard[each * (n + 1) - 1][1] - pictures[48 * n] for n in range(len(parts))]
    assert all(abs(one - apart[0]) <= slack for one in apart)
    assert abs(apart[0] - (heard[each - 1][1] - pictures[0])) == 0


def test_sound_that_is_longer_than_its_pictures(
    run_cli: Run, tiny_model: Path, part: Callable[..., Path], tmp_path: Path
) -> None:
    """At the border it overlaps the next: no packet is lost, and those behind are in step again."""
    parts = [part(f"{i}.ts", "libx264", "aac", more=0.25) for i in range(2)]
    source = tmp_path / "disc.ts"
    source.write_bytes(b"".join(each.read_bytes() for each in parts))
    run = run_cli("video", source, "-o", "r.mp4", "-m", tiny_model, "--json")
    assert run.returncode == 0, run.stderr
    notes = json.loads(run.stdout.splitlines()[0])["notes"]
    assert any("packets of audio (aac) without a usable time moved" in note for note in notes)
    pictures = sorted(shown for _, shown in packets_of(tmp_path / "r.mp4", "video"))
    heard = packets_of(tmp_path / "r.mp4", "audio")
    each = len(packets_of(parts[0], "audio"))
    assert len(heard) == 2 * each
    apart = [heard[each * (n + 1) - 1][1] - pictures[48 * n] for n in range(2)]
    assert abs(apart[1] - apart[0]) <= Fraction(2, RATE)


@pytest.mark.parametrize("name", ["r.mp4", "r.mkv"])
def test_damaged_sound_is_left_out_and_counted(
    color: Callable[..., Any], part: Callable[..., Path], name: str
) -> None:
    """A piece of a recording is zeros: the film is made, and what could not be copied is told."""
    source = part("s.ts", "libx264", "aac")
    with av.open(str(source)) as container:
        starts = [packet.pos for packet in container.demux(audio=0) if packet.pos]
    data = bytearray(source.read_bytes())
    data[starts[1] + 188 : starts[1] + 376] = bytes(188)  # behind the first piece of a group
    source.write_bytes(data)
    with av.open(str(source)) as container:
        packets = [bytes(each) for each in container.demux(audio=0) if each.size]
    broken = sum(each[:2] != b"\xff\xf1" for each in packets)
    assert broken == 1
    outcome = color(source, name)
    assert "1 unusable packet of audio (aac) left out" in outcome.notes
    heard = packets_of(outcome.target, "audio")
    assert len(heard) == len(packets) - 1


def test_a_recording_that_ends_before_its_sound(
    run_cli: Run, tiny_model: Path, part: Callable[..., Path], tmp_path: Path
) -> None:
    """The stream is announced and has no packet: without it the film is made."""
    source = part("s.ts", "libx264", "aac")
    data = source.read_bytes()
    with av.open(str(source)) as container:
        sizes = [packet.pos for packet in container.demux(audio=0) if packet.pos]
    source.write_bytes(data[: min(sizes) // 188 * 188])
    run = run_cli("video", source, "-o", "out", "-m", tiny_model)
    assert run.returncode == 2
    assert "cannot hold its audio (aac): it is not told how it is coded" in run.stderr
    run = run_cli("video", source, "-o", "out", "-m", tiny_model, "--drop-unsupported")
    assert run.returncode == 0, run.stderr


def test_a_joined_recording_is_gone_on_with(
    make_clip: Callable[..., Path],
    color: Callable[..., Any],
    decoded: Callable[[Path], list[Any]],
    tmp_path: Path,
) -> None:
    """Both parts are the same, so that a seek to a time may find the picture in the wrong one."""
    once = make_clip(
        "once.ts", "mpeg2video", rate=24, time_base=Fraction(1, 24), times=range(24 * 8)
    )
    source = tmp_path / "twice.ts"
    source.write_bytes(once.read_bytes() * 2)
    assert color(source, "whole.mkv", "ffv1").frames == 2 * 24 * 8
    folder = tmp_path / ".colorbatch" / "films" / "stopped.mkv"
    with pytest.raises(StoppedError):
        color(source, "stopped.mkv", "ffv1", stop=lambda: bool(film_journal.read(folder).parts))
    assert not (tmp_path / "stopped.mkv").exists()
    assert color(source, "stopped.mkv", "ffv1").frames == 2 * 24 * 8
    assert decoded(tmp_path / "stopped.mkv") == decoded(tmp_path / "whole.mkv")


def packet(pts: int, duration: int = 3750) -> Any:
    made = av.Packet(b"\0")
    made.pts = made.dts = pts
    made.duration, made.time_base = duration, Fraction(1, 90000)
    return made


def test_one_time_that_is_damaged(part: Callable[..., Path]) -> None:
    """It moves itself only: what comes behind has its own times."""
    film = ffmpeg.probe(part("s.ts", "libx264", "aac"))
    steady = Steady(film)
    times = [0, 3750, 8_000_000_000, 11250, 15000]
    found = []
    for each in map(packet, times):
        steady.move(each)
        found.append(each.pts)
    assert found == [0, 3750, 7500, 11250, 15000]
    assert steady.shifts[-1] == 0


def test_sound_beside_a_jump_belongs_to_either_side() -> None:
    """Sound of before, behind the jump in the file, stays with what it belongs to; sound of
    behind, before the jump, goes over; and what never jumps goes with the pictures in the end."""
    parts = (Stretch(Fraction(0), Fraction(0)), Stretch(Fraction(10), Fraction(10)))

    def shifts(times: list[tuple[float, int]]) -> list[Fraction]:
        followers = Followers(parts)
        return [
            followers.shift(packet(0, 9000), Fraction(time), now, gapless=True)
            for time, now in times
        ]

    assert shifts([(9.8, 0), (9.9, 1), (0.0, 1), (0.1, 1)]) == [0, 0, 10, 10]
    assert shifts([(9.8, 0), (9.9, 0), (0.0, 0), (0.1, 1)]) == [0, 0, 10, 10]
    on = [(9 + n / 10, 1) for n in range(1, 41)]
    assert shifts([(9.0, 0), *on])[-1] == 10
    followers = Followers(parts)
    assert followers.shift(packet(0), Fraction(3), 1, gapless=False) == 10
