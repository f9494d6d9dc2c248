"""Frames of film scans, DPX and EXR, in and out: the only room that knows OpenImageIO (`[film]`).

`header` tells what a frame is without decoding it, `read` decodes it, `write` makes one with the
source's header around new pixels. Samples stay in the file's own codes. No color decisions here.
"""

from colorbatch.scans.frame_files import header, is_scan, read, result_bytes, write
from colorbatch.scans.record import Header, Scan, timecode_of

__all__ = ["Header", "Scan", "header", "is_scan", "read", "result_bytes", "timecode_of", "write"]
