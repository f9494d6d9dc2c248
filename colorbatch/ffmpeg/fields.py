"""Which field of a picture comes first: the one place that says it, for what is read and written.

What the codec says of each picture comes first, what the container says of all of them second.
libav calls pictures whose lines lie as they are shown tb or bt, by the field shown first, as
QuickTime's 9 and 14 do, and those in Matroska (RFC 9559, 5.1.4.1.28.3); its comment on the names
says the opposite. tt and bb say the same of fields that are stored one after the other.
"""

from __future__ import annotations

from fractions import Fraction

from av.error import BlockingIOError as NothingThere
from av.filter import Graph
from av.filter.context import FilterContext
from av.video.frame import VideoFrame

OF_ORDER = {"tt": "tff", "tb": "tff", "bb": "bff", "bt": "bff"}
"""A container's word -> the field that is shown first, top or bottom; no other is interlaced."""
ORDER_OF = {"tff": "tb", "bff": "bt"}
"""The container's word for pictures whose lines lie as they are shown, as all that are written."""

OF_FIELD = ("tff", "bff")
ANY_CLOCK = Fraction(1, 1000)
"""Filters want one, also for pictures that have none."""


def order_for(told: str, fields: str) -> str:
    """The container's word for a result with this field first ("" for none). told: the source's."""
    if OF_ORDER.get(told, "") == fields:
        return told
    return ORDER_OF.get(fields, "progressive")


class FieldReader:
    """Tells of a decoded picture which field is shown first: "tff", "bff", or "" for none.

    PyAV 18 shows that a picture is interlaced, and not more. A filter knows: `select` gives a
    picture to one exit or the other.
    """

    def __init__(self) -> None:
        self._shape: tuple[int, int, str] | None = None
        self._exits: tuple[FilterContext, FilterContext] | None = None
        self._entry: FilterContext | None = None
        self._graph: Graph | None = None

    def __call__(self, picture: VideoFrame) -> str:
        """What the codec says."""
        if not picture.interlaced_frame:
            return ""
        shape = picture.width, picture.height, picture.format.name
        if shape != self._shape:
            self._shape = shape
            self._build(picture)
        assert self._entry is not None and self._exits is not None
        self._entry.push(picture)
        found = [fields for fields, at in zip(OF_FIELD, self._exits, strict=True) if _gives(at)]
        return found[0]

    def _build(self, picture: VideoFrame) -> None:
        graph = self._graph = Graph()
        self._entry = _entry(graph, picture)
        which = graph.add("select", "outputs=2:expr='1+eq(interlace_type,BOTTOMFIRST)'")
        self._entry.link_to(which)
        self._exits = graph.add("buffersink"), graph.add("buffersink")
        for number, at in enumerate(self._exits):
            which.link_to(at, number, 0)
        graph.configure()


def _gives(exit_: FilterContext) -> bool:
    try:
        exit_.pull()
    except NothingThere:
        return False
    return True


def _entry(graph: Graph, like: VideoFrame) -> FilterContext:
    """Where pictures of this shape and clock go in."""
    clock = like.time_base or ANY_CLOCK
    return graph.add_buffer(
        width=like.width, height=like.height, format=like.format, time_base=clock
    )


class FieldMarker:
    """Marks pictures that are to be encoded, all of one shape and clock; PyAV has no other way."""

    def __init__(self) -> None:
        self._graphs: dict[str, Graph] = {}

    def __call__(self, picture: VideoFrame, fields: str) -> VideoFrame:
        """The picture, marked with the field that is shown first."""
        if not fields:
            return picture
        if fields not in self._graphs:
            graph = self._graphs[fields] = Graph()
            marker = graph.add("setparams", f"field_mode={fields}")
            entry = _entry(graph, picture)
            graph.link_nodes(entry, marker, graph.add("buffersink")).configure()
        self._graphs[fields].vpush(picture)
        marked = self._graphs[fields].vpull()
        assert isinstance(marked, VideoFrame)
        return marked
