"""What a run of pictures is asked for: plain values, as any caller gives them."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

from colorbatch.job import ImageSettings, Request

AskedExecutor = Literal["auto", "threads", "processes"]
"""Where pictures are read and written, beside the process that has the model."""


@dataclass(frozen=True, kw_only=True)
class PictureRequest(Request):
    """What is to be made of which pictures.

    settings: what decides the results. suffix: added to each result's name, None for `_colorized`
    beside the sources and nothing elsewhere. new_suffix: of results in another format, ".png"; None
    for each source's own. sample: do only so many, spread over the folders and always the same
    ones. executor: what `workers` are.
    """

    settings: ImageSettings = field(default_factory=ImageSettings)
    suffix: str | None = None
    new_suffix: str | None = None
    sample: int | None = None
    executor: AskedExecutor = "auto"
