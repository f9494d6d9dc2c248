"""What picture files are called, told to those who search for them and know no format."""

from __future__ import annotations

from colorbatch.formats.registry import FORMATS, NOT_READ, READ_ONLY, SUFFIXES, WRITTEN, in_words
from colorbatch.inputs.picture_files import PictureNames

PICTURES = PictureNames(
    usual={suffix: SUFFIXES[format_][0] for suffix, format_ in FORMATS.items()},
    results={
        suffix: SUFFIXES[READ_ONLY[format_]][0]
        for suffix, format_ in FORMATS.items()
        if format_ in READ_ONLY
    },
    not_read=NOT_READ,
    written_in_words=in_words(WRITTEN, "or"),
)
