"""Stills."""
from __future__ import annotations

from pathlib import Path

import numpy as np
from PIL import Image, ImageOps, UnidentifiedImageError

from colorbatch.color import Codes
from colorbatch.errors import SourceError


def load_rgb(path: Path) -> Codes:
    """A photograph as upright sRGB codes (H, W, 3), uint8. Raises SourceError."""
    try:
        with Image.open(path) as image:
            upright = ImageOps.exif_transpose(image)
            return np.asarray(upright.convert("RGB"))
    except (OSError, ValueError, SyntaxError, UnidentifiedImageError) as error:
        raise SourceError(f"{path}: cannot read: {error}") from error
