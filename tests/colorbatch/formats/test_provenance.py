"""The mark: well-formed XMP that other programs can read, added and never in the way."""

from __future__ import annotations

from xml.etree import ElementTree

import pytest

from colorbatch.formats.provenance import is_marked, with_mark

RDF = "{http://www.w3.org/1999/02/22-rdf-syntax-ns#}"
IPTC = "{http://iptc.org/std/Iptc4xmpExt/2008-02-29/}"
OWN = (
    b'<x:xmpmeta xmlns:x="adobe:ns:meta/">'
    b'<rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#">'
    b'<rdf:Description rdf:about="" xmlns:dc="http://purl.org/dc/elements/1.1/" dc:source="7"/>'
    b"</rdf:RDF></x:xmpmeta>"
)


def descriptions(xmp):
    return list(ElementTree.fromstring(xmp.decode()).iter(f"{RDF}Description"))


def test_a_new_packet_names_the_digital_source_type():
    """The IPTC term for pictures changed by a trained model, as other programs look for it."""
    [one] = descriptions(with_mark(b"", 'colorbatch; model "a" & <b>'))
    assert one.get(f"{IPTC}DigitalSourceType") == (
        "http://cv.iptc.org/newscodes/digitalsourcetype/compositeWithTrainedAlgorithmicMedia"
    )
    assert 'colorbatch; model "a" & <b>' in one.attrib.values()


@pytest.mark.parametrize("padding", [b"", b"\0", b"\n" + b" " * 2000 + b"\n"])
def test_what_a_packet_held_stays(padding):
    """The source's own descriptions are kept beside ours, in well-formed XML."""
    first, second = descriptions(with_mark(OWN + padding, "m").strip())
    assert first.get("{http://purl.org/dc/elements/1.1/}source") == "7"
    assert second.get(f"{IPTC}DigitalSourceType")


@pytest.mark.parametrize("broken", [b"\xff\xfe<\0", b"no XML", OWN.decode().encode("utf-16")])
def test_a_packet_that_cannot_be_read_is_replaced(broken):
    """Then the mark alone stands there."""
    assert len(descriptions(with_mark(broken, "m"))) == 1


def test_marked_is_what_was_marked():
    """Ours are known again, others are not."""
    assert is_marked(with_mark(b"", "m")) and is_marked(with_mark(OWN, "m"))
    assert not is_marked(b"") and not is_marked(OWN)
    assert not is_marked(b"made with colorbatch, says the caption")
