"""What the package offers to Python, and all that the command line calls.

`coloring` has arrays and runs, `inspection` what is here and whether it answers as it should,
`choices` the words that options choose from, without any library.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

__all__ = [
    "ClipRequest",
    "Colorizer",
    "FilmSettings",
    "ImageSettings",
    "PictureRequest",
    "Region",
    "color_clips",
    "color_pictures",
    "outcomes_in",
    "parse_rate",
]

if TYPE_CHECKING:
    from colorbatch.api.coloring import (
        ClipRequest,
        Colorizer,
        FilmSettings,
        ImageSettings,
        PictureRequest,
        Region,
        color_clips,
        color_pictures,
        outcomes_in,
        parse_rate,
    )


def __getattr__(name: str) -> Any:
    # imported on first use, as `colorbatch` does: `choices` is needed for `--help`
    if name in __all__:
        from colorbatch.api import coloring

        return getattr(coloring, name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
