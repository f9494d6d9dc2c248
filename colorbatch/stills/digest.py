"""What decides the look and the form of results, and which of it had a part in one of them.

Plain values: no pixels, no files are read.
"""

from __future__ import annotations

import dataclasses
import hashlib
import json
from collections.abc import Mapping

from colorbatch.formats.registry import FORMATS, WITH_QUALITY
from colorbatch.job import ImageSettings, Job

NO_PART: Mapping[str, frozenset[str]] = {
    "colored": frozenset({"max_pixels"}),
    "kept": frozenset({"max_pixels", "saturation"}),
    "copied": frozenset({"max_pixels", "saturation", "quality", "upright"}),
    "skipped": frozenset({"max_pixels", "saturation", "quality", "upright", "times"}),
}
"""How a source ended -> settings that did nothing to it. "kept" ones keep their own color but are
written in another format, "copied" ones are their source byte for byte."""


def settings_digest(settings: ImageSettings, job: Job, kinds: str, outcome: str) -> str:
    """A digest of those settings that had a part in a result.

    kinds: of its pages, with spaces between. What to do with a kind of picture (`on_color`)
    concerns that kind alone, and not pictures named one by one; not every format has a quality.
    """
    unasked = NO_PART[outcome] | {
        f"on_{kind}" for kind in ("toned", "color") if kind not in kinds.split()
    }
    if FORMATS.get(job.target.suffix.lower(), WITH_QUALITY[0]) not in WITH_QUALITY:
        unasked |= {"quality"}
    values = {
        name: "named" if job.named and name.startswith("on_") else value
        for name, value in dataclasses.asdict(settings).items()
        if name not in unasked
    }
    return hashlib.sha256(json.dumps(values, sort_keys=True).encode()).hexdigest()[:16]
