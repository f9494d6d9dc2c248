"""One look for several films: a file with what decides their color, which runs save and apply.

Flows in: a request and the file that it names. Flows out: the request as the file has it, and the
file as the request has it: what was asked for by name is saved, what was not is taken from the
file. The file is JSON, `{"colorbatch_look": 1, "model": ..., "model_sha256": ..., "settings":
{...}, "films": {FILM: {"shots": LIST, "models": {MODEL: SHA-256}, "references": FOLDER}}}`; paths
in it are seen from it, and `models` are those that the list named when it was saved.
"""

from __future__ import annotations

import json
import math
import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, get_args

from colorbatch.clips.request import ClipRequest, ShotFiles
from colorbatch.clips.shot_sheet import Sheet
from colorbatch.errors import UsageError
from colorbatch.fs import atomic
from colorbatch.job import OnColor, OnToned
from colorbatch.model.contract import embedded_models, find_model, sha256

NAME, VERSION = "colorbatch_look", 1
MOST_BYTES = 16 << 20
"""Of a look; a larger file is none."""


def _number(most: float) -> Callable[[object], bool]:
    def fits(value: object) -> bool:
        if isinstance(value, bool) or not isinstance(value, int | float):
            return False
        return math.isfinite(value) and 0 <= value <= most

    return fits


SETTINGS: Mapping[str, Callable[[object], bool]] = {
    "saturation": _number(4),
    "stability": _number(1),
    "on_color": lambda value: value in get_args(OnColor),
    "on_toned": lambda value: value in get_args(OnToned),
}
"""The settings of films (`job.FilmSettings`) that are part of a look, and what they may be."""
MODEL = "model"
"""Beside them: what a request may have asked for by name."""


@dataclass(frozen=True)
class LookFile:
    """A look. model: a name of an embedded one, or a path; films: by their absolute paths."""

    path: Path
    model: str
    model_sha256: str
    settings: Mapping[str, Any]
    films: Mapping[Path, ShotFiles] = field(default_factory=dict)


def read(path: Path) -> LookFile | None:
    """The look in a file, None where there is no such file. Raises UsageError for one that is none,
    with what is wrong in it."""
    try:
        place = atomic.reachable(path)
        if place.stat().st_size > MOST_BYTES:
            raise UsageError(f"{path}: is too large for a look")
        data = place.read_bytes()
    except FileNotFoundError:
        return None
    except OSError as error:
        raise UsageError(f"{path}: cannot be read: {error.strerror or error}") from error
    try:
        values = json.loads(data)
    except (ValueError, RecursionError) as error:
        raise UsageError(f"{path}: is no look: {error}") from error
    if not isinstance(values, dict) or NAME not in values:
        raise UsageError(f"{path}: is no look: it does not begin with {NAME!r}")
    if values[NAME] != VERSION:
        raise UsageError(f"{path}: is a look of version {values[NAME]!r}, and {VERSION} is known")
    return _of_values(path, values)


def _of_values(path: Path, values: Mapping[str, Any]) -> LookFile:
    known = (NAME, MODEL, "model_sha256", "settings", "films")
    if more := [name for name in values if name not in known]:
        raise UsageError(f"{path}: {more[0]!r} is nothing that a look has")
    settings, films = values.get("settings", {}), values.get("films", {})
    words = (values.get(MODEL, ""), values.get("model_sha256", ""))
    if not all(isinstance(word, str) for word in words):
        raise UsageError(f"{path}: model and model_sha256 are words")
    for name, value in _pairs(path, "settings", settings):
        if name not in SETTINGS:
            raise UsageError(f"{path}: {name!r} is no setting of a look")
        if not SETTINGS[name](value):
            raise UsageError(f"{path}: {name} cannot be {json.dumps(value)}")
    found = {}
    for film, value in _pairs(path, "films", films):
        files = dict(_pairs(path, film, value))
        models = _pairs(path, f"{film}: models", files.pop("models", {}))
        if not all(isinstance(digest, str) for _, digest in models):
            raise UsageError(f"{path}: {film}: models have a SHA-256 each")
        for name, one in files.items():
            if name not in ("shots", "references") or not isinstance(one, str) or not one:
                raise UsageError(f"{path}: {film}: shots and references are paths")
        found[_seen_from(path, film)] = ShotFiles(
            **{name: _seen_from(path, one) for name, one in files.items()},
            models={_model_seen_from(path, name): digest for name, digest in models},
        )
    return LookFile(path, *words, dict(settings), found)


def _pairs(path: Path, name: str, value: object) -> list[tuple[str, Any]]:
    if not isinstance(value, dict):
        raise UsageError(f"{path}: {name} is not in braces")
    return list(value.items())


def _seen_from(path: Path, other: str) -> Path:
    """The absolute path of what a look names."""
    return absolute(path.parent / other)


def _model_seen_from(path: Path, name: str) -> str:
    return name if _is_embedded(name) else str(_seen_from(path, name))


def absolute(path: Path) -> Path:
    """By which films are told apart; links are not followed."""
    return Path(os.path.abspath(path))  # noqa: PTH100 - resolve follows links


def applied(request: ClipRequest, look: LookFile) -> ClipRequest:
    """A request with all that was not asked for by name as the look has it. Raises UsageError where
    its model is another one by now, ModelError."""
    kept = {name: value for name, value in look.settings.items() if name not in request.named}
    model = request.model
    if look.model and MODEL not in request.named:
        model = look.model if _is_embedded(look.model) else str(_seen_from(look.path, look.model))
        if look.model_sha256 and sha256(find_model(model)) != look.model_sha256:
            raise UsageError(
                f"{look.path}: its model {look.model} is not the one that it was made with",
                "name a model with -m to save it in the look",
            )
    return replace(
        request,
        model=model,
        settings=replace(request.settings, **kept),
        films={**look.films, **request.films},
    )


def _is_embedded(model: str) -> bool:
    return any(path.stem == model for path in embedded_models())


def models_of(sheet: Sheet | None) -> dict[str, str]:
    """The models that a list names, as `ShotFiles.models`."""
    models = [] if sheet is None else [row.model for row in sheet.rows if row.model is not None]
    embedded = embedded_models()
    return {
        one.path.stem if one.path in embedded else str(absolute(one.path)): one.sha256
        for one in models
    }


def refuse_other_models(look: Path | None, files: ShotFiles, sheet: Sheet | None) -> None:
    """Raises UsageError where a list names a model that is another one by now than when the list
    was saved in a look."""
    for name, digest in models_of(sheet).items():
        if files.models.get(name, digest) != digest:
            raise UsageError(
                f"{look}: the model {name} of {files.shots} is not the one that it was made with",
                "name the list with --shots to save it in the look",
            )


def save(
    request: ClipRequest, look: LookFile | None, source: Path | None, sheet: Sheet | None = None
) -> None:
    """Write the look that a request, with an earlier look applied, has. source: the film that its
    list of shots and its stills are of, where it has any; sheet: these. Nothing is written that is
    there already. Raises TargetError."""
    assert request.look is not None
    path = request.look
    model = find_model(request.model)
    name = model.stem if model in embedded_models() else _named(model, path)
    settings = {each: getattr(request.settings, each) for each in SETTINGS}
    films = dict(look.films) if look else {}
    models = models_of(sheet) if request.shots is not None else {}
    given = ShotFiles(request.shots, request.references, models)
    if source is not None and given != ShotFiles():
        films[absolute(source)] = given.over(films.get(absolute(source), ShotFiles()))
    values = {NAME: VERSION, MODEL: name, "model_sha256": sha256(model), "settings": settings}
    values["films"] = {_named(film, path): _told(files, path) for film, files in films.items()}
    data = (json.dumps(values, indent=2, ensure_ascii=False) + "\n").encode()
    place = atomic.reachable(path)
    if not (place.is_file() and place.read_bytes() == data):
        atomic.make_folder(path.parent)
        atomic.write_bytes(path, data)


def _told(files: ShotFiles, look: Path) -> dict[str, Any]:
    """What a look has of a film."""
    paths = (("shots", files.shots), ("references", files.references))
    told: dict[str, Any] = {what: _named(one, look) for what, one in paths if one is not None}
    if files.models:
        told["models"] = {
            name if _is_embedded(name) else _named(Path(name), look): digest
            for name, digest in files.models.items()
        }
    return told


def _named(path: Path, look: Path) -> str:
    """A path as seen from a look; absolute where there is no way from there."""
    try:
        return Path(os.path.relpath(absolute(path), absolute(look).parent)).as_posix()
    except ValueError:  # another drive of Windows
        return absolute(path).as_posix()
