"""Names and paths as Windows takes them: pure functions over text, the same on every system."""

from __future__ import annotations

import ntpath
from pathlib import PurePath, PureWindowsPath

FORBIDDEN = frozenset('<>:"|?*\\/')
RESERVED = frozenset(
    {"CON", "PRN", "AUX", "NUL", "CONIN$", "CONOUT$"}
    | {f"{device}{digit}" for device in ("COM", "LPT") for digit in "123456789\xb9\xb2\xb3"}
)
"""Devices, with any suffix: https://learn.microsoft.com/windows/win32/fileio/naming-a-file"""
LONGEST_PLAIN = 247
"""Characters that a path may have everywhere on Windows: folders end at 248, files at 260."""


def refused_by_windows(name: str) -> str:
    """Why Windows, or a disk of its kind (exFAT, NTFS, many shares), refuses a name of a file or
    folder; empty if it does not."""
    if bad := sorted(FORBIDDEN.intersection(name)):
        return f"it has {' '.join(bad)} in it"
    if any(ord(letter) < 32 for letter in name):
        return "it has a control character in it"
    if name.endswith((".", " ")):
        return f"it ends with a {'dot' if name.endswith('.') else 'space'}"
    stem = name.partition(".")[0].rstrip(" ").upper()
    return f"{stem} is a device" if stem in RESERVED else ""


def refused_part(path: PurePath) -> str:
    """The first name in a path that Windows refuses, and why; empty if there is none."""
    for part in path.parts[bool(path.anchor) :]:
        if part not in (".", "..") and (why := refused_by_windows(part)):
            return f"{part}: {why}"
    return ""


def extended(path: PureWindowsPath, longest_plain: int = LONGEST_PLAIN) -> PureWindowsPath:
    """An absolute path that Windows takes at any length, with the prefix `\\\\?\\` where it is
    longer than every program may use. Behind the prefix nothing is left for Windows to resolve.

    Source: https://learn.microsoft.com/windows/win32/fileio/maximum-file-path-limitation
    """
    text = ntpath.normpath(path)
    if len(text) <= longest_plain or text.startswith(("\\\\?\\", "\\\\.\\")):
        return path
    if text.startswith("\\\\"):
        return PureWindowsPath(f"\\\\?\\UNC\\{text[2:]}")
    return PureWindowsPath(f"\\\\?\\{text}")
