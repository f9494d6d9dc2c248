"""Pictures as files in memory."""

from __future__ import annotations

import io
import mmap
import os

import numpy as np
import pytest
from PIL import Image

from colorbatch.formats import pillow_files


@pytest.fixture
def picture() -> Image.Image:
    codes = np.random.default_rng(3).integers(0, 256, (700, 900, 3), np.uint8)
    return Image.fromarray(codes)


@pytest.mark.parametrize("more", [{}, {"progressive": True}, {"quality": 100}])
def test_a_picture_in_memory_is_the_one_that_pillow_saves(picture, more):
    """Of more bytes than the encoder makes at once."""
    plain = io.BytesIO()
    picture.save(plain, "JPEG", **more)
    with pillow_files.encoded(picture, "JPEG", **more) as content:
        assert content[:] == plain.getvalue()


@pytest.mark.skipif(not hasattr(os, "memfd_create"), reason="needs files in memory")
def test_the_encoder_writes_to_a_file_of_the_system(picture, monkeypatch):
    """Only then does it let go of Python's lock; where there may be none, it goes without."""
    with pillow_files.encoded(picture, "JPEG") as content:
        assert isinstance(content, mmap.mmap)
        first = content[:]

    def forbidden(name: str) -> int:
        raise PermissionError(name)

    monkeypatch.setattr(os, "memfd_create", forbidden)
    with pillow_files.encoded(picture, "JPEG") as content:
        assert content == first


def test_what_cannot_be_encoded_raises(picture):
    """As `save` does."""
    with (
        pytest.raises(OSError, match="cannot write mode"),
        pillow_files.encoded(picture.convert("RGBA"), "JPEG"),
    ):
        pass
