"""What of a run's settings had a part in a result: one digest, for pictures, films and frames.

Which settings matter to which results is said where they are declared (`job.matters_to`). Plain
values: no files are read.
"""

from __future__ import annotations

import dataclasses
import hashlib
import json
from collections.abc import Collection, Mapping
from types import MappingProxyType

from colorbatch.job import FilmSettings, ImageSettings, Scope

NOTHING: Mapping[str, object] = MappingProxyType({})


def settings_digest(
    settings: ImageSettings | FilmSettings,
    result: Collection[str],
    *,
    meant: Mapping[str, object] = NOTHING,
    beside: Mapping[str, object] = NOTHING,
    in_order: bool = False,
) -> str:
    """A digest of those settings that had a part in a result.

    result: what it is, in the words of `job.matters_to`. meant: names of settings -> what they came
    to for it, where that is not what was asked for. beside: what else decides it. in_order: whether
    names count in the order of their declaration, as they do for films, or sorted.

    A setting that says nothing of itself matters to every result. One that stands at its default
    changes nothing, and is left out, so that what was made before there was this setting is as good
    as it was; those of the first version are in, at any value.
    """
    values = dataclasses.asdict(settings) | dict(meant)
    told: dict[str, object] = {}
    for field in dataclasses.fields(settings):
        scope: Scope = field.metadata.get("scope", Scope())
        if scope.is_in(result) and (
            scope.always or field.name in meant or values[field.name] != _default(field)
        ):
            told[field.name] = values[field.name]
    text = json.dumps(told | dict(beside), sort_keys=not in_order, default=str)
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def _default(field: dataclasses.Field[object]) -> object:
    """A setting's default as `asdict` tells it; of one that has none, what no value is equal to."""
    value = field.default
    if field.default_factory is not dataclasses.MISSING:
        value = field.default_factory()
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return dataclasses.asdict(value)
    return value
