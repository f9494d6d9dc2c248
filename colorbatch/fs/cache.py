"""The one folder beside the results that is written to: what would be costly to make again.

Bytes by name, whole or not there. It is `COLORBATCH_CACHE`, else the system's place for caches;
`COLORBATCH_CACHE=none` is no file at all. Nothing fails for it: what cannot be read is not there,
and what cannot be written is made again next time.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import secrets
from pathlib import Path

import platformdirs

from colorbatch.fs.atomic import TEMPORARY_PREFIX

VARIABLE = "COLORBATCH_CACHE"
_DIGEST = hashlib.sha256().digest_size


def folder() -> Path | None:
    """Where it is, whether there is such a folder or not; None for no cache."""
    asked = os.environ.get(VARIABLE, "").strip()
    if asked.lower() == "none":
        return None
    return Path(asked) if asked else Path(platformdirs.user_cache_dir("colorbatch", False))


def subfolder(name: str) -> Path | None:
    """A folder of that name in it, made where there is none, for what libraries keep by themselves;
    None for no cache, and for one of another user's, as what is kept may be code."""
    place = folder()
    if place is None:
        return None
    made = place / name
    try:
        place.mkdir(mode=0o700, parents=True, exist_ok=True)
        made.mkdir(mode=0o700, exist_ok=True)
        if hasattr(os, "getuid") and made.stat().st_uid not in (0, os.getuid()):
            return None
    except OSError:
        return None
    return made if os.access(made, os.W_OK) else None


def read(name: str) -> bytes | None:
    """What was kept under a name; None for nothing, for what is damaged, and for a file of another
    user's, as what is kept may be code."""
    place = folder()
    if place is None:
        return None
    try:
        with (place / name).open("rb") as file:
            if hasattr(os, "getuid") and os.fstat(file.fileno()).st_uid not in (0, os.getuid()):
                return None
            data = file.read()
    except OSError:
        return None
    digest, data = data[:_DIGEST], data[_DIGEST:]
    return data if hashlib.sha256(data).digest() == digest else None


def keep(name: str, data: bytes) -> bool:
    """Keep bytes under a name; whether they are kept. Several processes may do so at once."""
    place = folder()
    if place is None:
        return False
    made = place / f"{TEMPORARY_PREFIX}{secrets.token_hex(8)}"
    try:
        place.mkdir(mode=0o700, parents=True, exist_ok=True)
        try:
            made.write_bytes(hashlib.sha256(data).digest() + data)
            made.replace(place / name)
        except OSError:
            with contextlib.suppress(OSError):
                made.unlink()
            return False
    except OSError:
        return False
    return True


def names(prefix: str) -> list[str]:
    """Of what is kept, those that begin so, sorted."""
    place = folder()
    try:
        return sorted(path.name for path in place.glob(f"{prefix}*")) if place else []
    except OSError:
        return []
