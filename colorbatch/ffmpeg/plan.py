"""What a film becomes: its codec, the container, the pixel format and the encoder's settings.

Facts in, a `Plan` out; nothing is encoded. Whoever asks for a codec that loses depth is told so in
the plan (`Fit.bits_lost`) and decides.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from fractions import Fraction

from colorbatch.errors import UsageError
from colorbatch.ffmpeg.codecs import (
    SHALLOW,
    Encoder,
    Options,
    codec_named,
    deep,
    encoder_named,
    formats_of,
    held_by,
)
from colorbatch.ffmpeg.fields import OF_ORDER, order_for
from colorbatch.ffmpeg.film_facts import MUXERS, Color, Film, VideoInfo
from colorbatch.ffmpeg.pixel_formats import PixelFormat
from colorbatch.ffmpeg.side_data import STEREO, TIMECODES

THREADS = 4
"""Encoder threads unless told otherwise. A number of the plan, not of the machine: x264 and x265
choose differently with another one, and a film that is gone on with has to stay the same."""

INSTEAD_OF_CRF = frozenset({"qp", "b"})
"""Options that say how good pictures are in another way, and that libav passes over beside crf."""
FLAGS, LISTS = ("flags", "flags2"), ("-params", "x264opts")
"""Options that are lists, and the ends of names of those whose parts are set apart by colons."""


@dataclass(frozen=True)
class EncoderSettings:
    """Everything that decides a segment's bytes besides its pictures. codec: libav's encoder;
    size: (H, W); time_base: seconds per tick of the pts that come in; rate: frames per second, None
    if variable; options: the encoder's own, in order."""

    codec: str
    pix_fmt: str
    size: tuple[int, int]
    time_base: Fraction
    rate: Fraction | None
    options: Options = ()
    threads: int = THREADS
    color: Color = field(default_factory=Color)
    sample_aspect: Fraction | None = None
    field_order: str = "unknown"
    chroma_location: str = ""

    @property
    def alike(self) -> str:
        """The field that is shown first in all pictures, whatever each one says, of an encoder that
        codes all as fields; "" for other encoders."""
        coded = "+ildct" in dict(self.options).get("flags", "")
        return OF_ORDER.get(self.field_order, "") if coded else ""

    @property
    def segment_container(self) -> str:
        """The container in which segments of this codec keep every tick: "mp4", or "mov" for what
        MP4 cannot hold, such as ProRes and DNxHR; "" for what neither can."""
        return next((each for each in ("mp4", "mov") if self.codec in held_by(each)), "")


@dataclass(frozen=True)
class Fit:
    """How a source's samples go into a pixel format. bits_lost: of the depth, 0 for none (more bits
    are an exact shift); chroma_lost: coarser subsampling than the source's."""

    pixels: PixelFormat
    bits_lost: int
    chroma_lost: bool
    alpha_lost: bool


@dataclass(frozen=True)
class Plan:
    """What a film becomes: container "mkv", "mov" or "mp4"."""

    encoding: EncoderSettings
    container: str
    fit: Fit


def not_kept(
    film: Film, encoding: EncoderSettings, container: str, more: Iterable[str] = ()
) -> tuple[str, ...]:
    """What the pictures carry beside their samples and the result will not, in words. more: what
    was found in them beside what the film's record has."""
    carried = tuple(dict.fromkeys((*film.video.beside, *more)))
    if not carried:
        return ()
    kept = set(encoder_named(encoding.codec).kept(dict(encoding.options)))
    # Matroska has a place for it, which libav fills by this tag
    if container == "mkv" and "stereo_mode" in film.streams[film.video.index].metadata:
        kept.add(STEREO)
    if film.video.timecode:
        kept.add(TIMECODES)
    return tuple(name for name in carried if name not in kept)


def result_format(source: PixelFormat, encoder: str, only: Iterable[str] = ()) -> Fit:
    """The encoder's pixel format for the colored film of a source, and what it costs.

    RGB stays RGB where the encoder has it at that depth; Y'CbCr keeps its subsampling; gray, and
    RGB that cannot stay, become 4:2:0 at 8 bits and 4:2:2 above. The least loss wins, then the
    least that is added. only: names to choose from; if empty, all that are read everywhere. Raises
    UsageError where the encoder has none.
    """
    kinds = ("rgb", "yuv") if source.kind == "rgb" else ("yuv",)
    sampling = source.subsampling
    if source.kind != "yuv":
        sampling = (2, 2) if source.depth <= 8 else (1, 2)
    only = tuple(only)

    def cost(given: PixelFormat) -> tuple[int, ...]:
        down, across = (a / b for a, b in zip(given.subsampling, sampling, strict=True))
        if source.kind == given.kind == "rgb":
            down = across = 1
        return (
            max(0, source.depth - given.depth),
            kinds.index(given.kind),
            int(down > 1) + int(across > 1),
            int(source.alpha and not given.alpha),
            int(given.alpha and not source.alpha),
            max(0, given.depth - source.depth),
            int(down < 1) + int(across < 1),
        )

    fitting = [
        each
        for each in formats_of(encoder)
        if each.kind in kinds and (each.name in only if only else _is_read(encoder, each))
    ]
    if not fitting:
        raise UsageError(f"{encoder} takes no pictures in color here")
    best = min(fitting, key=cost)
    lost = cost(best)
    return Fit(best, lost[0], bool(lost[2]), bool(lost[3]))


def _is_read(encoder: str, pixels: PixelFormat) -> bool:
    return pixels.name.removesuffix("le").removesuffix("be") not in encoder_named(encoder).unread


def native_encoder(video: VideoInfo, *, allow_loss: bool = False) -> Encoder | None:
    """The encoder that writes the source's own codec, without loss of depth unless `allow_loss`."""
    encoder = codec_named(video.codec).encoder
    if encoder is None or video.pixels.kind not in encoder.native:
        return None
    if not _at_least(video.size, encoder.least):
        return None
    if not allow_loss and result_format(video.pixels, encoder.name).bits_lost:
        return None  # ProRes 4444 is decoded with 12 bits, and written with 10
    return encoder


def _usable(encoder: Encoder, profile: str, size: tuple[int, int]) -> tuple[PixelFormat, ...]:
    """The pixel formats that go with a profile and a size, (H, W)."""
    formats = encoder.formats_at(profile, formats_of(encoder.name))
    return tuple(each for each in formats if not encoder.even_sizes or _divides(each, size))


def _divides(pixels: PixelFormat, size: tuple[int, int]) -> bool:
    down, across = pixels.subsampling
    return size[0] % down == 0 and size[1] % across == 0


def _at_least(size: tuple[int, int], least: tuple[int, int]) -> bool:
    return size[0] >= least[0] and size[1] >= least[1]


def plan(
    film: Film,
    *,
    codec: str = "",
    container: str = "",
    pix_fmt: str = "",
    options: Options = (),
    threads: int = THREADS,
    allow_loss: bool = False,
) -> Plan:
    """The result's codec, container and pixel format: the asked ones, or the source's own where
    they can be written, else FFV1 in Matroska above 8 bits and for RGB, H.264 in MP4 at 8. Into
    QuickTime, which does not hold FFV1, it is ProRes above 8 bits. A container that is asked for
    comes first: what it does not hold is no codec for it.

    allow_loss: take the source's own codec also where it is written with less depth. In MOV, which
    FFV1 does not fit into, it is taken as well, and what it costs is in the fit.

    options come after the codec's usual ones and win; lists are joined. Raises UsageError for an
    unknown encoder, container or a pixel format that the encoder does not take. Whether the
    container takes the codec and the other streams is told by `containers.refused`.
    """
    video = film.video
    if container not in ("", *MUXERS):
        *names, last = MUXERS
        raise UsageError(f"films are written as {', '.join(names)} or {last}, not {container}")
    encoder = _encoder(video, codec, container, allow_loss)
    asked = [each for each in formats_of(encoder.name) if each.name == pix_fmt]
    if pix_fmt and not asked:
        raise UsageError(f"{encoder.name} takes no {pix_fmt}")
    if encoder.even_sizes and not all(_divides(each, video.size) for each in asked):
        raise UsageError(
            f"{film.path}: {encoder.name} with {pix_fmt} takes no odd size, and it is "
            f"{video.size[1]}x{video.size[0]}",
            "--pix-fmt yuv444p and --codec ffv1 take it",
        )
    merged = _merged(encoder.options(video), options)
    if INSTEAD_OF_CRF & dict(options).keys() and "crf" not in dict(options):
        merged.pop("crf", None)
    usable = asked or [
        each
        for each in _usable(encoder, merged.get("profile", ""), video.size)
        if _is_read(encoder.name, each)
    ]
    fit = result_format(video.pixels, encoder.name, [each.name for each in usable])
    merged |= encoder.sized(video.size, fit.pixels.name, merged)
    return Plan(
        EncoderSettings(
            codec=encoder.name,
            pix_fmt=fit.pixels.name,
            size=video.size,
            time_base=video.time_base,
            rate=None if video.variable else video.average_rate,
            options=tuple(merged.items()),
            threads=threads,
            color=video.color,
            sample_aspect=video.sample_aspect,
            field_order=order_for(video.field_order, video.fields),
            chroma_location=_siting(video, fit),
        ),
        container or _container_for(encoder, film),
        fit,
    )


def _encoder(video: VideoInfo, asked: str, container: str, allow_loss: bool) -> Encoder:
    """The one that is asked for, else that of the source's codec where the container holds it, else
    the usual one. Raises UsageError."""
    if asked:
        return encoder_named(asked)
    native = native_encoder(video, allow_loss=allow_loss or container == "mov")
    if native is not None and (not container or native.name in held_by(container)):
        return native
    shallow = video.pixels.depth <= 8 and video.pixels.kind != "rgb"
    usual = (SHALLOW if shallow else deep(container)).encoder
    assert usual is not None
    return usual


def _merged(usual: Options, given: Options) -> dict[str, str]:
    """All options; of one that is a list, what is given comes behind the usual, and wins there."""
    merged = dict(usual)
    for key, value in given:
        before = merged.get(key)
        if before and key in FLAGS:
            value = before + (value if value.startswith(("+", "-")) else f"+{value}")
        elif before and key.endswith(LISTS):
            value = f"{before}:{value}"
        merged[key] = value
    return merged


def _siting(video: VideoInfo, fit: Fit) -> str:
    """The chroma location of the result: the source's, or for gray and RGB that become 4:2:0 or
    4:2:2 the usual "left"; "" where chroma is not subsampled."""
    if fit.pixels.subsampling == (1, 1):
        return ""
    return video.chroma_location if video.pixels.kind == "yuv" else "left"


def _container_for(encoder: Encoder, film: Film) -> str:
    """The source's container where it usually holds the codec, else the codec's own."""
    usual = encoder.containers
    return film.family if film.family in usual else usual[0]
