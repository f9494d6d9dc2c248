"""Words of options, from the table of formats and without what it takes to read them."""

from __future__ import annotations

import subprocess
import sys

from colorbatch.api.choices import FORMAT_SUFFIXES


def test_formats_are_those_that_are_written() -> None:
    """By their usual suffix; HEIC is read only."""
    assert FORMAT_SUFFIXES["jpg"] == ".jpg" and FORMAT_SUFFIXES["tif"] == ".tif"
    assert "heic" not in FORMAT_SUFFIXES


def test_they_load_no_library() -> None:
    """Neither do the packages on the way to them."""
    code = (
        "import sys, colorbatch.api.choices, colorbatch\n"
        "heavy = {'numpy', 'cv2', 'onnxruntime', 'av', 'PIL'} & set(sys.modules)\n"
        "sys.exit(' '.join(heavy) or None)"
    )
    ended = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert ended.returncode == 0, ended.stderr
