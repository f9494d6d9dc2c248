"""What a picture's result is, for the digest of the settings that had a part in it."""

from __future__ import annotations

from colorbatch.formats.registry import FORMATS, WITH_QUALITY
from colorbatch.job import ImageSettings, Job
from colorbatch.journal.settings_digest import settings_digest


def still_digest(settings: ImageSettings, job: Job, kinds: str, outcome: str) -> str:
    """A digest of those settings that had a part in a result.

    kinds: of its pages, with spaces between; outcome: how its source ended, in the words of
    `job.matters_to`. What to do with a kind of picture (`on_color`) concerns that kind alone, and
    not pictures named one by one; not every format has a quality.
    """
    result = {outcome, *kinds.split()}
    if FORMATS.get(job.target.suffix.lower(), WITH_QUALITY[0]) in WITH_QUALITY:
        result.add("quality")
    meant = {"on_color": "named", "on_toned": "named"} if job.named else {}
    return settings_digest(settings, result, meant=meant)
