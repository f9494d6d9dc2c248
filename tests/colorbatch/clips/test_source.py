"""What every source of a clip keeps to, whatever it is: the same tests over film files and over
numbered frames. What only one of them has is in test_decode.py and test_numbered_source.py."""

from __future__ import annotations

import hashlib
import itertools
import sys
from collections.abc import Callable
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest
import tifffile

from colorbatch.clips.film_source import FilmFile
from colorbatch.clips.numbered_facts import Wish
from colorbatch.clips.numbered_source import open_reel
from colorbatch.clips.source import Footage
from colorbatch.errors import SourceError, StoppedError
from colorbatch.ffmpeg import Frame, Reading, probe
from colorbatch.inputs.numbered_files import of_folder

COUNT = 12
BETWEEN = {"g": "4", "bf": "2", "b_strategy": "0"}
MIDDLE = 5


@dataclass(frozen=True)
class Case:
    """A source, the files that it is made of, and the SHA-256 of the luma of each of its frames,
    told without it. damage: makes the frame in the middle unreadable."""

    source: Footage
    files: list[Path]
    digests: list[str]
    damage: Callable[[], None]


def film(make_clip: Any, decoded: Any, name: str, **how: Any) -> Case:
    """A film file of COUNT frames; the digests are those of what libav decodes."""
    path = make_clip(name, **how)
    digests = [hashlib.sha256(one.planes[0]).hexdigest() for one in decoded(path)]
    return Case(FilmFile(probe(path)), [path], digests, lambda: spoil_packet(path))


def spoil_packet(path: Path) -> None:
    """Other bytes in the midst of the packet of the frame in the middle."""
    with av.open(str(path)) as container:
        packets = [bytes(packet) for packet in container.demux(video=0) if packet.size]
    data = bytearray(path.read_bytes())
    at = data.index(packets[MIDDLE]) + len(packets[MIDDLE]) // 2
    data[at : at + 40] = bytes(byte ^ 0xFF for byte in data[at : at + 40])
    path.write_bytes(data)


def reel(folder: Path, write: Callable[[Path, np.ndarray[Any, Any]], object], suffix: str) -> Case:
    """Numbered frames; the digests are those of the codes that were written."""
    folder.mkdir()
    rng, files, digests = np.random.default_rng(7), [], []
    for index in range(COUNT):
        codes = rng.integers(0, 1 << 10, (6, 9)).astype(np.uint16)
        files.append(folder / f"r_{101 + index:04d}{suffix}")
        write(files[-1], codes)
        digests.append(hashlib.sha256(codes.astype("<u2").tobytes()).hexdigest())
    [sequence] = of_folder(folder).sequences
    source = open_reel(sequence, Wish(fps=Fraction(24)))
    middle = files[MIDDLE]
    return Case(source, files, digests, lambda: cut(middle))


def cut(path: Path) -> None:
    """Only the begin of a file is left."""
    path.write_bytes(path.read_bytes()[:40])


@pytest.fixture(params=["ffv1", "h264", "late", "dpx", "tiff"])
def case(
    request: pytest.FixtureRequest, make_clip: Any, decoded: Any, dpx_file: Any, tmp_path: Path
) -> Case:
    """Each kind of source. h264: with pictures that are coded in another order than they are shown;
    late: of a variable rate, with a first tick that is not 0."""
    kind = request.param
    if kind == "dpx":
        return reel(tmp_path / "r", lambda to, it: dpx_file(it[..., None]).write(to), ".dpx")
    if kind == "tiff":
        return reel(tmp_path / "r", tifffile.imwrite, ".tif")
    if kind == "h264":
        return film(make_clip, decoded, "s.mp4", codec="libx264", options=BETWEEN)
    steps = (0, 1001, 1500, 4004, 4005, 9009, 12000, 12100, 13000, 14000, 15000, 20000)
    if kind == "ffv1":
        return film(make_clip, decoded, "s.mkv", options={"g": "1", "slicecrc": "1"})
    steps = (0, 1001, 1500, 4004, 4005, 9009, 12000, 12100, 13000, 14000, 15000, 20000)
    times = [90001 + step for step in steps]
    # with pictures in another order than they are shown, MP4 tells each the length of another
    straight = {"g": "4", "bf": "0"}
    return film(make_clip, decoded, "s.mp4", codec="libx264", options=straight, times=times)


def told(frames: list[Frame]) -> list[tuple[int, int, str, bool]]:
    """Tick, length, digest, and whether it is damaged."""
    return [(one.pts, one.duration, one.planes.digest(), one.corrupt) for one in frames]


def read(source: Footage, start: int | None = None) -> list[Frame]:
    with source.frames(start) as reading:
        return list(reading)


def never() -> bool:
    return False


def test_frames_are_all_there_in_order(case: Case) -> None:
    """Each picture once, at a tick behind that of the one before, and none ends behind the begin of
    the next."""
    found = read(case.source)
    assert [one.planes.digest() for one in found] == case.digests
    assert not any(one.corrupt or one.repeated or one.note for one in found)
    for one, after in itertools.pairwise(found):
        assert 0 < one.duration <= after.pts - one.pts


def test_facts_are_those_of_the_frames(case: Case) -> None:
    """Size, first tick, number and length, where they are told before the first is read."""
    found, video = read(case.source), case.source.film.video
    for one in found:
        assert one.planes.luma is not None and one.planes.luma.shape == video.size
    assert found[0].pts == video.start
    assert video.frames in (None, 0, COUNT)
    lasts = (found[-1].pts + found[-1].duration - found[0].pts) * video.time_base
    assert video.duration is not None
    assert abs(video.duration - lasts) <= Fraction(1, 500)  # Matroska tells it in ms
    assert case.source.codes.levels in ("limited", "full")


def test_reading_twice_gives_the_same(case: Case) -> None:
    """One after the other, and side by side."""
    first = told(read(case.source))
    assert told(read(case.source)) == first
    with case.source.frames() as one, case.source.frames() as other:
        pairs = list(zip(one, other, strict=True))
    assert told([pair[0] for pair in pairs]) == told([pair[1] for pair in pairs]) == first


def test_from_a_tick_on_frames_are_those_of_the_whole(case: Case) -> None:
    """However a frame is reached, its tick, length and digest are the same."""
    whole = read(case.source)
    for at, frame in enumerate(whole):
        assert told(read(case.source, frame.pts)) == told(whole[at:])
    assert told(read(case.source, whole[0].pts - 5)) == told(whole)


def test_behind_the_end_there_is_nothing(case: Case) -> None:
    """From the tick on at which the last frame ends."""
    last = read(case.source)[-1]
    for start in (last.pts + last.duration, last.pts + 100 * last.duration):
        with case.source.frames(start) as reading:
            assert list(reading) == []
        assert reading.ending is not None and reading.ending.frames == 0


def test_near_a_tick_is_a_frame_of_it(case: Case) -> None:
    """A look at one place gives a picture of the film."""
    whole = read(case.source)
    for frame in whole:
        with case.source.frames(frame.pts, near=True) as reading:
            assert next(reading).planes.digest() in case.digests


@pytest.mark.parametrize("dense", [False, True])
def test_a_glance_is_a_frame(case: Case, dense: bool) -> None:
    """At the same ticks, from any of them on; a picture that is asked for, in any order and twice,
    is that of the frame, and one that nobody asks for costs nothing where pictures stand alone."""
    whole = read(case.source)
    for at in (0, 1, MIDDLE, COUNT - 1):
        with case.source.glances(whole[at].pts, dense=dense) as glances:
            found = list(glances)
            assert glances.sparse == (not dense and case.source.film.path.suffix != ".mp4")
            assert [one.pts for one in found] == [one.pts for one in whole[at:]]
            for one, frame in [*zip(found, whole[at:], strict=True)][::-2] * 2:
                picture = one.picture()
                assert picture is not None and picture.digest() == frame.planes.digest()
        assert list(glances) == []


def test_a_glance_at_damage_shows_nothing(case: Case) -> None:
    """And those around it are as they were."""
    if case.source.film.path.suffix == ".mp4":
        pytest.skip("has no check sums, and pictures build upon each other")
    whole = read(case.source)
    case.damage()
    with case.source.glances() as glances:
        found = [one.picture() for one in glances]
    for number, (picture, frame) in enumerate(zip(found, whole, strict=True)):
        assert (picture is None) == (number == MIDDLE)
        assert picture is None or picture.digest() == frame.planes.digest()


def test_the_ending_is_known_at_the_end(case: Case) -> None:
    """Not before; what was read is counted, and the source is whole."""
    with case.source.frames() as reading:
        for _ in range(COUNT):
            next(reading)
        assert reading.ending is None
        assert next(reading, None) is None
    ending = reading.ending
    assert ending is not None
    assert (ending.frames, ending.corrupt, ending.lost, ending.cut_off) == (COUNT, 0, 0, "")


def handles() -> set[Path]:
    """What this process holds open of files."""
    found = list(Path("/proc/self/fd").iterdir())
    return {path.readlink() for path in found if path.exists()}


def test_a_reading_that_is_closed_has_ended(case: Case) -> None:
    """Early, twice, before the first frame: no more frames come, nothing is told of an end that
    was not reached."""

    def taken(reading: Reading, count: int) -> None:
        for _ in range(count):
            next(reading)

    for count in (0, 1, 3):
        with case.source.frames() as reading:
            taken(reading, count)
        reading.close()
        assert list(reading) == []
        assert reading.ending is None


@pytest.mark.skipif(sys.platform != "linux", reason="asks /proc")
def test_closing_gives_files_back(case: Case) -> None:
    """None of the source's files is held open."""
    with case.source.frames() as reading:
        next(reading)
        next(reading)
        if len(case.files) == 1:
            assert set(case.files) <= handles()
    assert not set(case.files) & handles()


def test_damage_keeps_its_place(case: Case) -> None:
    """A frame that cannot be read is told, at its tick, from wherever reading begins; those around
    it are as they were."""
    if case.source.film.path.suffix == ".mp4":
        pytest.skip("has no check sums, and pictures build upon each other")
    whole = read(case.source)
    case.damage()
    for at in (0, MIDDLE - 1, MIDDLE, MIDDLE + 1):
        with case.source.frames(whole[at].pts) as reading:
            found = list(reading)
        assert [one.pts for one in found] == [one.pts for one in whole[at:]]
        assert [one.corrupt for one in found] == [n == MIDDLE for n in range(at, COUNT)]
        for one, before in zip(found, whole[at:], strict=True):
            assert one.corrupt or one.planes.digest() == before.planes.digest()
        assert reading.ending is not None
        assert reading.ending.corrupt == (at <= MIDDLE)


def test_it_is_known_again(case: Case) -> None:
    """Bytes, a time in ns, a digest; another after a change. No sound comes from elsewhere."""
    before = case.source.identity()
    assert before == case.source.identity()
    assert before[0] == sum(path.stat().st_size for path in case.files)
    assert before[1] == max(path.stat().st_mtime_ns for path in case.files)
    with case.files[0].open("ab") as file:
        file.write(b"more")
    assert case.source.identity()[::2] != before[::2]
    assert case.source.sound_identity() == ""


def test_the_hash_is_that_of_all_bytes(case: Case) -> None:
    """In order, as of one file; who is told hears of each byte once, and can end it."""
    data = b"".join(path.read_bytes() for path in case.files)
    heard: list[int] = []
    assert case.source.sha256(never, heard.append) == hashlib.sha256(data).hexdigest()
    assert case.source.sha256(never) == hashlib.sha256(data).hexdigest()
    assert sum(heard) == len(data)
    with pytest.raises(StoppedError):
        case.source.sha256(lambda: True)


def test_what_has_gone_is_named(case: Case) -> None:
    """One line with the file; it is no longer there."""
    assert case.source.exists()
    gone = case.files[0]
    gone.unlink()
    assert not case.source.exists()
    for ask in (
        lambda: read(case.source),
        case.source.identity,
        lambda: case.source.sha256(never),
    ):
        with pytest.raises(SourceError) as caught:
            ask()
        assert gone.name in str(caught.value) and "\n" not in str(caught.value)


def test_a_folder_in_its_place_is_not_it(case: Case) -> None:
    """What bears the name of a file and is none."""
    case.files[0].unlink()
    case.files[0].mkdir()
    assert not case.source.exists()


def test_frames_have_names_or_none(case: Case) -> None:
    """Those of files, where a frame is a file."""
    names = [case.source.name(frame.pts) for frame in read(case.source)]
    files = [path.name for path in case.files]
    assert names == (files if len(files) > 1 else [""] * COUNT)


def test_it_is_no_result_of_ours(case: Case) -> None:
    """Nothing is made up: neither a mark, nor losses of a source that is whole."""
    assert not case.source.marked
    assert case.source.losses == ()
