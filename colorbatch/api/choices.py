"""Words that options choose from. Nothing heavy is loaded for them: `--help` shows them."""

from __future__ import annotations

from collections.abc import Mapping

from colorbatch.formats.registry import SUFFIXES, WRITTEN

FORMAT_SUFFIXES: Mapping[str, str] = {
    SUFFIXES[format_][0][1:]: SUFFIXES[format_][0] for format_ in WRITTEN
}
"""What `--format` is given, such as "png" -> the suffix of results, such as ".png"."""
