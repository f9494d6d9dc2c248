"""Pages whose byte counts are wrong, and pages that are marked as copies; judged by libvips."""

from __future__ import annotations

import zlib
from pathlib import Path

import numpy as np
import pytest
import tifffile

from colorbatch.errors import SourceError
from colorbatch.formats import reader


@pytest.fixture
def grey(grey_photograph):
    """A photograph (60, 90), uint8."""
    return np.ascontiguousarray(grey_photograph("coffee")[100:160, 100:190])


def tags_of(grey, counts, rows, **more):
    """Tags of a grey page of 8 bits in strips of so many rows."""
    height, width = grey.shape
    tags = {
        256: (3, [width]), 257: (3, [height]), 258: (3, [8]), 259: (3, [1]), 262: (3, [1]),
        277: (3, [1]), 278: (3, [rows]), 279: (4, counts),
    }  # fmt: skip
    return tags | {int(name[1:]): value for name, value in more.items()}


COUNTS = {
    "last strip counted whole": ([2250, 2250, 2250], 25),
    "more than the file has": ([5400 + 100_000], 60),
    "too small": ([5000], 60),
    "all too small": ([9, 9, 9], 25),
    "zero": ([0, 0, 0], 25),
}


@pytest.mark.parametrize("case", COUNTS)
def test_plain_strips_have_the_bytes_of_their_rows(tiff_of_tags, seen_by_vips, grey, case):
    """All rows are in the file, whatever the counts say."""
    counts, rows = COUNTS[case]
    strips = [grey[top : top + rows].tobytes() for top in range(0, 60, rows)]
    path = tiff_of_tags("a.tif", tags_of(grey, counts, rows), strips)
    assert np.array_equal(reader.read(path).luma, grey)
    if len(counts) == 1:  # where there are several, libtiff mends fewer of them
        assert np.array_equal(seen_by_vips(path).reshape(grey.shape), grey)


def test_rows_that_are_missing_are_refused(tmp_path: Path, grey):
    """Of a file that was cut off, plain, packed, and in JPEG, which would be filled up."""
    for name, options in {
        "plain": {},
        "deflate": {"compression": "zlib"},
        "lzw": {"compression": "lzw"},
        "jpeg": {"compression": "jpeg"},
    }.items():
        path = tmp_path / f"{name}.tif"
        tifffile.imwrite(path, grey, rowsperstrip=60, metadata=None, **options)
        assert reader.read(path).size == grey.shape
        path.write_bytes(path.read_bytes()[:-40])
        with pytest.raises(SourceError, match="truncated"):
            reader.read(path)


def test_a_packed_strip_that_is_counted_beyond_the_file(tiff_of_tags, grey):
    """Its end is found by decoding it; the file ends with its directory, not with the strip."""
    packed = zlib.compress(grey.tobytes())
    tags = tags_of(grey, [len(packed) + 100_000], 60) | {259: (3, [8])}
    assert np.array_equal(reader.read(tiff_of_tags("a.tif", tags, [packed])).luma, grey)


@pytest.mark.parametrize("mark", [{"t254": (4, [1])}, {"t255": (3, [2])}], ids=["new", "old"])
def test_the_only_page_is_the_picture(tiff_of_tags, grey, mark):
    """Though it is marked as a reduced copy of another."""
    path = tiff_of_tags("a.tif", tags_of(grey, [5400], 60, **mark), [grey.tobytes()])
    assert np.array_equal(reader.read(path).luma, grey)


def test_the_full_picture_below_a_thumbnail_is_found(tiff_of_tags, grey):
    """As Adobe's DNG has it: the chain of pages has the thumbnail and all that the file says of
    the picture, its SubIFD the picture."""
    small = np.ascontiguousarray(grey[::4, ::4])
    said = {"t254": (4, [1]), "t274": (3, [6]), "t700": (3, [0x3C3C, 0x3E3E])}
    thumbnail = tags_of(small, [small.nbytes], small.shape[0], **said)
    below = (tags_of(grey, [5400], 60, t254=(4, [0])), [grey.tobytes()])
    path = tiff_of_tags("a.tif", thumbnail, [small.tobytes()], below)
    found = list(reader.pages(path))
    assert len(found) == 1
    assert np.array_equal(found[0].luma, grey)
    assert found[0].orientation == 6 and found[0].xmp == b"<<>>"
