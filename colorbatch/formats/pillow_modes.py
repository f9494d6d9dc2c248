"""Pictures that Pillow has opened, in any of its modes, to samples of grey or RGB."""

from __future__ import annotations

import numpy as np
from PIL import Image

from colorbatch.color import BAND_PIXELS, Codes, icc, strips


def array_of(image: Image.Image) -> Codes:
    """A picture's samples (H, W[, C]), band by band: Pillow would make two more copies of all."""
    width, height = image.size
    samples: Codes | None = None
    for start, stop in strips(height, width, BAND_PIXELS):
        part = np.asarray(image.crop((0, start, width, stop)))
        if samples is None:
            samples = np.empty((height, *part.shape[1:]), part.dtype)
        samples[start:stop] = part
    assert samples is not None  # pictures have rows
    return samples


def samples_of(image: Image.Image, profile: bytes) -> tuple[Codes, bytes, tuple[str, ...]]:
    """Samples (H, W) or (H, W, 2 to 4), uint8 or uint16, the last of 2 or 4 being alpha; the
    profile that fits them; and what became of the picture, in words."""
    notes: tuple[str, ...] = ()
    if image.mode.startswith("I;16"):
        return array_of(image).astype(np.uint16, copy=False), profile, notes
    if image.mode == "CMYK":
        rgb = icc.to_rgb(image, profile) if icc.kind_of(profile) == "CMYK" else None
        how = "" if rgb is None else " through its profile"
        if rgb is None:
            rgb = image.convert("RGB")
        return array_of(rgb), b"", (f"CMYK was converted to RGB{how}",)
    if image.mode in ("P", "PA"):
        notes = ("palette picture became 8-bit RGB",)
    elif image.mode == "1":
        notes = ("1-bit picture became 8-bit RGB",)
    has_alpha = image.mode in ("LA", "PA", "RGBA", "La", "RGBa") or "transparency" in image.info
    grey = image.mode in ("1", "L", "LA", "La")
    mode = ("L" if grey else "RGB") + ("A" if has_alpha else "")
    converted = image if image.mode == mode else image.convert(mode)
    return array_of(converted), profile, notes
