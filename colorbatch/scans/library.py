"""OpenImageIO, loaded when the first scan is met: it is an extra that most people do not need."""

from __future__ import annotations

from typing import Any

from colorbatch.errors import UsageError


def openimageio() -> Any:
    """The module. Raises UsageError with the line that installs it."""
    try:
        import OpenImageIO
    except ImportError as error:
        raise UsageError(
            f"DPX and EXR need OpenImageIO: {error}", 'pip install "colorbatch[film]"'
        ) from error
    return OpenImageIO
