"""colorbatch: gives black-and-white photographs and films their color back, in bulk."""

from __future__ import annotations

from colorbatch.version import __version__

TYPE_CHECKING = False  # typing itself takes longer to load than all that Ctrl-C waits for

__all__ = ["Colorizer", "__version__", "color_clips", "color_pictures", "outcomes_in"]

if TYPE_CHECKING:
    from typing import Any

    from colorbatch.api import Colorizer, color_clips, color_pictures, outcomes_in


def __getattr__(name: str) -> Any:
    # imported on first use: `colorbatch --help` needs neither numpy nor OpenCV
    if name in __all__:
        from colorbatch import api

        return getattr(api, name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
