"""Numbered frames as footage: codes to the bit, every frame at the place of its number."""

from __future__ import annotations

import hashlib
import os
import struct
import threading
from fractions import Fraction

import cv2
import numpy as np
import OpenImageIO as oiio  # noqa: N813 - its own name for itself
import pytest
import tifffile
from PIL import Image

from colorbatch.clips import numbered_frame
from colorbatch.clips.film_plan import plan_film
from colorbatch.clips.numbered_facts import Wish
from colorbatch.clips.numbered_source import IN_COLOR, OURS_AMONG, UNLIKE, UNREADABLE, open_reel
from colorbatch.clips.timecodes import fits
from colorbatch.errors import SourceError, UsageError
from colorbatch.ffmpeg import Planes
from colorbatch.inputs.numbered_files import of_folder, of_pattern
from colorbatch.job import FilmSettings

RNG = np.random.default_rng(7)
AT_24 = Wish(fps=Fraction(24))
RATE_23 = (1724, struct.pack(">f", 23.976))
TIMECODE = (1920, bytes.fromhex("01020304"))


def codes(bits=10, channels=1, size=(6, 9)):
    return RNG.integers(0, 1 << bits, (*size, channels)).astype(np.uint16)


def reel_of(folder, wish=AT_24):
    [sequence] = of_folder(folder).sequences
    return open_reel(sequence, wish)


@pytest.fixture
def dpx_reel(dpx_file, tmp_path):
    """A function that writes DPX frames of these codes, numbered from 101."""

    def write(pictures, bits=10, **rest):
        (tmp_path / "reel").mkdir()
        rest.setdefault("fields", (RATE_23, TIMECODE))
        for index, picture in enumerate(pictures):
            path = tmp_path / "reel" / f"r_{101 + index:04d}.dpx"
            dpx_file(picture, bits, **{"transfer": 1, **rest}).write(path)
        return tmp_path / "reel"

    return write


def test_facts_are_the_first_headers(dpx_reel):
    """Exact rate, time base, time code, size and depth; the codes are logarithmic, at full range;
    the tags say no transfer that there is no code point for."""
    reel = reel_of(dpx_reel([codes() for _ in range(3)]), Wish())
    video = reel.film.video
    assert (video.average_rate, video.time_base) == (Fraction(24000, 1001), Fraction(1001, 24000))
    assert (video.timecode, video.size, video.frames) == ("01:02:03:04", (6, 9), 3)
    assert (video.pixels.kind, video.pixels.depth) == ("gray", 10)
    assert (reel.codes.transfer, reel.codes.levels, reel.codes.matrix) == (
        "cineon",
        "full",
        "bt601",
    )
    assert (video.color.transfer, video.color.range) == (2, 2)
    assert any("printing density" in note for note in reel.notes)
    plan = plan_film(reel, FilmSettings())
    assert (plan.encoding.codec, plan.encoding.pix_fmt, plan.container) == (
        "ffv1", "yuv422p10le", "mkv",
    )  # fmt: skip
    assert plan_film(reel, FilmSettings(), "mov").encoding.codec == "prores_ks"


@pytest.mark.parametrize("bits", [8, 10, 12, 16])
@pytest.mark.parametrize("same", [False, True])
def test_grey_codes_of_dpx_are_luma(dpx_reel, bits, same):
    """One channel, or three that are equal: the very codes, at every depth."""
    pictures = [codes(bits) for _ in range(2)]
    shown = [np.dstack([one] * 3) if same else one for one in pictures]
    reel = reel_of(dpx_reel(shown, bits))
    found = [frame.planes for frame in reel.frames()]
    for planes, picture in zip(found, pictures, strict=True):
        assert planes.rgb is None and planes.luma.dtype == (np.uint8 if bits == 8 else np.uint16)
        np.testing.assert_array_equal(planes.luma, picture[..., 0])


def test_colored_codes_of_dpx_are_r_g_and_b(dpx_reel):
    """In their own order; a film of them is RGB."""
    pictures = [codes(10, 3) for _ in range(2)]
    reel = reel_of(dpx_reel(pictures))
    assert (reel.film.video.pixels.kind, reel.codes.matrix) == ("rgb", "rgb")
    for frame, picture in zip(reel.frames(), pictures, strict=True):
        np.testing.assert_array_equal(np.dstack(frame.planes.rgb), picture)


def test_transparency_goes_along(dpx_reel):
    """The fourth channel of RGBA."""
    pictures = [codes(10, 4) for _ in range(2)]
    reel = reel_of(dpx_reel(pictures))
    assert reel.film.video.pixels.alpha
    assert plan_film(reel, FilmSettings()).fit.pixels.alpha
    for frame, picture in zip(reel.frames(), pictures, strict=True):
        np.testing.assert_array_equal(frame.planes.alpha, picture[..., 3])


@pytest.mark.parametrize("suffix", [".tif", ".png", ".jpg"])
@pytest.mark.parametrize("bits", [8, 16])
def test_grey_codes_of_stills_are_luma(tmp_path, suffix, bits):
    """As Pillow or tifffile read them."""
    if suffix == ".jpg" and bits == 16:
        pytest.skip("JPEG has 8 bits")
    for index in range(2):
        picture = codes(bits)[..., 0].astype(np.uint8 if bits == 8 else np.uint16)
        path = tmp_path / f"f_{index:05d}{suffix}"
        if suffix == ".tif":
            tifffile.imwrite(path, picture)
        else:
            path.write_bytes(cv2.imencode(suffix, picture)[1].tobytes())
    for index, frame in enumerate(reel_of(tmp_path).frames()):
        path = tmp_path / f"f_{index:05d}{suffix}"
        wanted = tifffile.imread(path) if suffix == ".tif" else np.asarray(Image.open(path))
        np.testing.assert_array_equal(frame.planes.luma, wanted)


def test_a_colored_frame_of_a_grey_film_gives_its_luma(dpx_reel):
    """None of the frames that are looked at is in color; the one that is counts as such. Its luma
    is that of BT.601, rounded."""
    pictures = [np.dstack([codes()] * 3) for _ in range(30)]
    pictures[3] = codes(10, 3)
    reel = reel_of(dpx_reel(pictures))
    found = list(reel.frames())
    assert [frame.note for frame in found] == [""] * 3 + [IN_COLOR] + [""] * 26
    assert not any(frame.corrupt for frame in found)
    wanted = np.rint(pictures[3] @ [0.299, 0.587, 0.114])
    np.testing.assert_array_equal(found[3].planes.luma, wanted)


def test_a_grey_frame_of_a_colored_film_is_r_g_and_b_alike(dpx_reel):
    """Black leader before pictures in color."""
    pictures = [np.zeros((6, 9, 3), np.uint16), *(codes(10, 3) for _ in range(3))]
    first = next(reel_of(dpx_reel(pictures)).frames())
    assert first.planes.luma is None
    np.testing.assert_array_equal(np.dstack(first.planes.rgb), pictures[0])


def test_damaged_frames_repeat_the_one_before(dpx_reel, dpx_file):
    """Cut off, or of another size: wherever reading begins, the same."""
    pictures = [codes() for _ in range(6)]
    folder = dpx_reel(pictures)
    (folder / "r_0103.dpx").write_bytes((folder / "r_0103.dpx").read_bytes()[:2100])
    dpx_file(codes(size=(6, 8)), transfer=1).write(folder / "r_0104.dpx")
    reel = reel_of(folder)
    expected = [0, 1, 1, 1, 4, 5]
    notes = ["", "", UNREADABLE, UNLIKE, "", ""]
    for start in range(6):
        with reel.frames(start) as reading:
            found = list(reading)
        assert [frame.pts for frame in found] == list(range(start, 6))
        assert [frame.note for frame in found] == notes[start:]
        assert [frame.corrupt for frame in found] == [bool(note) for note in notes[start:]]
        for frame, number in zip(found, expected[start:], strict=True):
            np.testing.assert_array_equal(frame.planes.luma, pictures[number][..., 0])
        assert reading.ending is not None and reading.ending.frames == 6 - start


def test_first_frames_that_cannot_be_read(dpx_reel):
    """The first good one tells what the film is, and is shown for those before it, at their places;
    its time code is not theirs. Without a good one there is no film."""
    pictures = [codes() for _ in range(4)]
    folder = dpx_reel(pictures)
    for number in (101, 102):
        (folder / f"r_0{number}.dpx").write_bytes(b"no picture")
    reel = reel_of(folder)
    assert (reel.film.video.frames, reel.film.video.timecode) == (4, "")
    assert any("time code is left out" in loss for loss in reel.losses)
    for start in range(3):
        found = list(reel.frames(start))
        assert [frame.pts for frame in found] == list(range(start, 4))
        assert [frame.corrupt for frame in found] == [True, True, False, False][start:]
        assert all("first good one is shown" in frame.note for frame in found if frame.corrupt)
        for frame, number in zip(found, [2, 2, 2, 3][start:], strict=True):
            np.testing.assert_array_equal(frame.planes.luma, pictures[number][..., 0])
    for path in folder.iterdir():
        path.write_bytes(b"no picture")
    with pytest.raises(SourceError, match="no frame can be read"):
        reel_of(folder)


def test_frames_are_read_ahead(dpx_reel):
    """Once the second is asked for, on threads that end with the reading; a single one starts
    none."""

    def readers():
        return [one for one in threading.enumerate() if one.name.startswith("colorbatch-frames")]

    pictures = [codes() for _ in range(20)]
    reel = reel_of(dpx_reel(pictures))
    with reel.frames(3) as reading:
        next(reading)
        assert not readers()
        found = next(reading)
        assert readers()
        np.testing.assert_array_equal(found.planes.luma, pictures[4][..., 0])
    assert not readers()


def test_a_frame_that_has_gone_ends_the_reading(dpx_reel):
    """A disk that was pulled out is no damage."""
    folder = dpx_reel([codes() for _ in range(3)])
    reel = reel_of(folder)
    (folder / "r_0103.dpx").unlink()
    assert not reel.exists()
    with pytest.raises(SourceError, match="has gone"):
        list(reel.frames())
    with pytest.raises(SourceError):
        reel.identity()


def test_gaps_keep_everything_in_its_place(dpx_reel):
    """A frame's tick is its number; the one before a gap lasts until the next."""
    folder = dpx_reel([codes() for _ in range(6)])
    (folder / "r_0103.dpx").unlink()
    (folder / "r_0104.dpx").unlink()
    with pytest.raises(UsageError, match="103-104 are missing"):
        reel_of(folder)
    reel = reel_of(folder, Wish(allow_gaps=True))
    found = [(frame.pts, frame.duration) for frame in reel.frames()]
    assert found == [(0, 1), (1, 3), (4, 1), (5, 1)]
    assert [frame.pts for frame in reel.frames(2)] == [2, 4, 5]
    [shown, *_] = reel.frames(2)
    np.testing.assert_array_equal(shown.planes.luma, next(reel.frames(1)).planes.luma)
    assert shown.duration == 2
    assert reel.film.video.duration == 6 * Fraction(1001, 24000)
    assert (reel.name(4), any("103-104" in loss for loss in reel.losses)) == ("r_0105.dpx", True)


@pytest.mark.parametrize("orientation", range(8))
def test_frames_are_turned_upright(dpx_reel, orientation):
    """As ST 268-1, table 2, says how lines and pixels run: (along columns, lines or columns from
    the right, from the bottom). No code changes."""
    picture = codes(8)
    fields = ((768, struct.pack(">H", orientation)), RATE_23)
    reel = reel_of(dpx_reel([picture] * 2, 8, fields=fields))
    columns, right, bottom = [
        (False, False, False), (False, True, False), (False, False, True), (False, True, True),
        (True, False, False), (True, True, False), (True, False, True), (True, True, True),
    ][orientation]  # fmt: skip
    shown = picture[..., 0].T if columns else picture[..., 0]
    shown = shown[:: -1 if bottom else 1, :: -1 if right else 1]
    luma = next(reel.frames()).planes.luma
    assert luma.shape == reel.film.video.size
    np.testing.assert_array_equal(luma, shown)


def test_identity_is_that_of_names_sizes_times_and_samples(dpx_reel):
    """Each change of one of them is seen; the hash is that of the frames' bytes in order."""
    folder = dpx_reel([codes() for _ in range(5)])
    paths = sorted(folder.iterdir())
    reel = reel_of(folder)
    before = reel.identity()
    assert before == reel.identity()
    whole = hashlib.sha256(b"".join(path.read_bytes() for path in paths)).hexdigest()
    assert reel.sha256(lambda: False) == whole
    stamp = paths[1].stat().st_mtime_ns
    os.utime(paths[1], ns=(stamp, stamp - 5_000_000))
    assert reel.identity() != before
    os.utime(paths[1], ns=(stamp, stamp))
    assert reel.identity() == before
    middle, stamp = paths[2], paths[2].stat().st_mtime_ns
    data = bytearray(middle.read_bytes())
    data[-1] ^= 4
    middle.write_bytes(data)
    os.utime(middle, ns=(stamp, stamp))
    assert reel.identity() != before


def test_no_rate_is_guessed(tmp_path):
    """Neither header nor option: refused."""
    for index in range(2):
        tifffile.imwrite(tmp_path / f"f{index:03d}.tif", codes()[..., 0])
    with pytest.raises(UsageError, match="do not say their rate"):
        reel_of(tmp_path, Wish())


def test_floating_point_frames_are_refused(tmp_path):
    """In one line that says what to do."""
    for index in range(2):
        spec = oiio.ImageSpec(8, 4, 3, "half")
        output = oiio.ImageOutput.create("exr")
        assert output.open(str(tmp_path / f"f{index:03d}.exr"), spec)
        output.write_image(np.zeros((4, 8, 3), np.float32))
        output.close()
    with pytest.raises(UsageError, match="floating point") as caught:
        reel_of(tmp_path)
    assert "-o FOLDER" in caught.value.advice


def test_our_own_frames_are_no_source(dpx_reel, tmp_path):
    """They are marked, and the reel says so."""
    folder = dpx_reel([codes() for _ in range(2)])
    assert not reel_of(folder).marked
    (tmp_path / "made").mkdir()
    for path in sorted(folder.iterdir()):
        ab = np.full((4, 4, 2), 20, np.float32)
        numbered_frame.write(
            numbered_frame.read(path),
            ab,
            tmp_path / "made" / path.name,
            numbered_frame.FrameStyle("m"),
        )
    assert open_reel(of_pattern(str(tmp_path / "made" / "r_%04d.dpx")), AT_24).marked


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("place", [0, 2])
def test_one_of_our_own_frames_among_others(dpx_reel, tmp_path, place, channels):
    """It gives its luma, which is its source's, wherever it stands, and decides nothing: neither
    that the film is ours, nor that it is in color."""
    given = [codes(channels=channels) for _ in range(4)]
    folder = dpx_reel(given)
    whole = reel_of(folder).film.video.pixels.kind
    path = sorted(folder.iterdir())[place]
    before = numbered_frame.read(path)
    ab = np.full((4, 4, 2), 20, np.float32)
    numbered_frame.write(before, ab, tmp_path / path.name, numbered_frame.FrameStyle("m"))
    (tmp_path / path.name).replace(path)
    reel = reel_of(folder)
    assert not reel.marked and reel.film.video.pixels.kind == whole
    with reel.frames() as reading:
        found = list(reading)
    assert [frame.note for frame in found] == [OURS_AMONG if at == place else "" for at in range(4)]
    planes = found[place].planes
    wanted = np.rint(given[place] @ ([1] if channels == 1 else [0.299, 0.587, 0.114]))
    for plane in (planes.luma,) if whole == "gray" else planes.rgb:
        # of a colored source its luma is no whole code: rounded twice
        assert np.abs(plane.astype(int) - wanted).max() <= (channels == 3)


@pytest.mark.parametrize(
    ("text", "rate", "right"),
    [
        ("", Fraction(16), True),
        ("01:00:00:23", Fraction(24), True),
        ("01:00:00:23", Fraction(16), False),
        ("01:00:00;02", Fraction(30000, 1001), True),
        ("01:00:00;02", Fraction(24), False),
        ("nonsense", Fraction(24), False),
    ],
)
def test_a_time_code_fits_its_rate(text, rate, right):
    """Frame numbers below the rate; numbers are dropped at 30000/1001 and its multiples alone."""
    assert fits(text, rate) is right


def test_what_is_written_is_what_is_read(dpx_reel):
    """The digest by which a run is gone on with is that of the codes."""
    picture = codes()
    frame = next(reel_of(dpx_reel([picture] * 2)).frames())
    assert frame.planes.digest() == Planes(luma=picture[..., 0]).digest()
