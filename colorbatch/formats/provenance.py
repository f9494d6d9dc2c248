"""The mark that says a machine made a picture's color: in XMP, for people and for ourselves.

IPTC Photo Metadata Standard 2023.2, "Digital Source Type": content that was captured and then
altered by a trained model is `compositeWithTrainedAlgorithmicMedia`.
"""

from __future__ import annotations

import html

SOURCE_TYPE = "http://cv.iptc.org/newscodes/digitalsourcetype/compositeWithTrainedAlgorithmicMedia"
NAMESPACE = "tag:colorbatch,2026:xmp/1.0/"

_EMPTY = (
    '<?xpacket begin="\ufeff" id="W5M0MpCehiHzreSzNTczkc9d"?>\n'
    '<x:xmpmeta xmlns:x="adobe:ns:meta/">\n'
    '<rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#">\n'
    "</rdf:RDF>\n</x:xmpmeta>\n"
    '<?xpacket end="w"?>'
)
_END = "</rdf:RDF>"


def with_mark(xmp: bytes, made_by: str) -> bytes:
    """An XMP packet with our mark added; whatever it held stays. `made_by` names tool and model.

    A packet that is not RDF in UTF-8 is replaced.
    """
    try:
        text = xmp.decode("utf-8").strip("\0")
    except UnicodeDecodeError:
        text = ""
    if _END not in text:
        text = _EMPTY
    description = (
        '<rdf:Description xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#" rdf:about=""\n'
        ' xmlns:Iptc4xmpExt="http://iptc.org/std/Iptc4xmpExt/2008-02-29/"\n'
        f' Iptc4xmpExt:DigitalSourceType="{html.escape(SOURCE_TYPE)}"\n'
        f' xmlns:colorbatch="{NAMESPACE}" colorbatch:ColorMadeBy="{html.escape(made_by)}"/>\n'
    )
    before, end, after = text.rpartition(_END)
    return (before + description + end + after).encode()


def is_extensible(xmp: bytes) -> bool:
    """Whether `with_mark` keeps what this packet holds."""
    return not xmp or _END.encode() in xmp


def is_marked(xmp: bytes) -> bool:
    """Whether this XMP packet carries our mark."""
    return NAMESPACE.encode() in xmp
