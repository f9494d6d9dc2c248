"""What can be written here: encoders, the pixel format that a result gets, the codec for a film.

Facts in, a `Plan` out; nothing is encoded. Whoever asks for a codec that loses depth is told so in
the plan (`Fit.bits_lost`) and decides.
"""

from __future__ import annotations

import functools
import io
import os
from collections.abc import Iterable
from dataclasses import dataclass, field
from fractions import Fraction

import av
from av.codec import Codec

from colorbatch.errors import SourceError, UsageError
from colorbatch.ffmpeg.ffv1 import slices
from colorbatch.ffmpeg.fields import OF_ORDER, order_for
from colorbatch.ffmpeg.film_facts import MUXERS, Color, Film, VideoInfo
from colorbatch.ffmpeg.opening import WITH_ALPHA
from colorbatch.ffmpeg.pixel_formats import LOOKED_UP, PixelFormat, pixel_format
from colorbatch.ffmpeg.side_data import LIGHT, MASTERING, STEREO, TIMECODES

Options = tuple[tuple[str, str], ...]

THREADS = 4
"""Encoder threads unless told otherwise. A number of the plan, not of the machine: x264 and x265
choose differently with another one, and a film that is gone on with has to stay the same."""

CRF = "16"
INSTEAD_OF_CRF = frozenset({"qp", "b"})
"""Options that say how good pictures are in another way, and that libav passes over beside crf."""
QUIET = {"libx265": ("x265-params", "log-level=error")}
CONVERTING = ("_nvenc", "_qsv", "_amf")
"""Ends of encoders' names: of hardware that turns packed RGB into Y'CbCr by its own rule."""
FLAGS, LISTS = ("flags", "flags2"), ("-params", "x264opts")
"""Options that are lists, and the ends of names of those whose parts are set apart by colons."""
INTERLACED_FLAGS = {"libx264", "prores_ks", "mpeg2video", "mpeg4", "dvvideo"}
"""Encoders that code fields as fields when told; the others keep the mark only."""

NATIVE = {
    "prores": "prores_ks",
    "dnxhd": "dnxhd",
    "ffv1": "ffv1",
    "h264": "libx264",
    "hevc": "libx265",
}
"""Codec of a source -> the encoder that writes it."""

PRORES = {
    "Proxy": "proxy",
    "LT": "lt",
    "Standard": "standard",
    "HQ": "hq",
    "4444": "4444",
    "XQ": "4444xq",
}
DNXHR = {
    "DNXHR LB": "dnxhr_lb",
    "DNXHR SQ": "dnxhr_sq",
    "DNXHR HQ": "dnxhr_hq",
    "DNXHR HQX": "dnxhr_hqx",
    "DNXHR 444": "dnxhr_444",
}
DNXHR_FORMATS = {"dnxhr_hqx": ("yuv422p10le",), "dnxhr_444": ("yuv444p10le", "gbrp10le")}
"""Pixel formats that libav's DNxHR takes at a profile; yuv422p at all others."""

EVEN_SIZES = {"libx264", "libx265"}
"""Encoders that take no picture whose last column or row of chroma would be half a sample."""

DNXHR_LEAST = (120, 256)
"""The smallest picture, (H, W), that libav's DNxHR encoder takes."""


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
        return next((each for each in ("mp4", "mov") if self.codec in _held_by(each)), "")


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
    params = dict(encoding.options).get("x265-params", "")
    kept = {MASTERING} if "master-display=" in params else set()
    kept |= {LIGHT} if "max-cll=" in params else set()
    # Matroska has a place for it, which libav fills by this tag
    if container == "mkv" and "stereo_mode" in film.streams[film.video.index].metadata:
        kept.add(STEREO)
    if film.video.timecode:
        kept.add(TIMECODES)
    return tuple(name for name in carried if name not in kept)


@functools.cache
def _held_by(container: str) -> set[str]:
    """The encoders whose packets libav's muxer takes."""
    file = io.BytesIO()
    try:
        return av.open(file, "w", format=container).supported_codecs
    finally:
        file.close()


def quieten(encoder: str) -> None:
    """SVT-AV1 writes pages to stderr, past libav's log; only its environment variable stops it."""
    if encoder == "libsvtav1":
        os.environ.setdefault("SVT_LOG", "1")


@functools.cache
def encoders() -> tuple[str, ...]:
    """Every video encoder of this PyAV by name, sorted."""
    found = []
    for name in sorted(av.codecs_available):
        try:
            codec = Codec(name, "w")
        except ValueError:  # a decoder only
            continue
        # the set has names of codecs too, which lead to some encoder of another name
        if codec.type == "video" and codec.name == name:
            found.append(name)
    return tuple(found)


NEW_FORMATS = {"ffv1": frozenset({"yuva422p12", "yuva444p12", "gray14", "gbrap14"})}
"""Pixel formats that only FFmpeg 7.1 and later read in FFV1: a film has to play in what is in use,
and 16 bits hold the same samples (`ffmpeg -h encoder=ffv1` of 5.1.9 and 8.1)."""


def is_new(encoder: str, pixels: PixelFormat) -> bool:
    """Whether players in use do not read an encoder's pictures of a format."""
    return pixels.name.removesuffix("le").removesuffix("be") in NEW_FORMATS.get(encoder, ())


@functools.cache
def formats_of(encoder: str) -> tuple[PixelFormat, ...]:
    """The integer pixel formats that an encoder takes, in its own order of preference; empty where
    it does not tell. Raises UsageError for an encoder that is not here."""
    if encoder not in encoders():
        same = [name for name in encoders() if Codec(name, "w").canonical_name == encoder]
        advice = f"encoders of {encoder} are {', '.join(same)}" if same else ""
        raise UsageError(f"there is no video encoder {encoder} here", advice)
    found = []
    for given in Codec(encoder, "w").video_formats or ():
        # yuvj formats are the same samples; the range stands in the color tags. What libvpx makes
        # of transparency goes beside the packets, where MP4, in which segments are, has no room
        if given.name in LOOKED_UP or given.name.startswith("yuvj"):
            continue
        try:
            facts = pixel_format(given.name)
        except SourceError:
            continue
        if facts.alpha and encoder in WITH_ALPHA.values():
            continue
        if not (encoder.endswith(CONVERTING) and facts.kind == "rgb" and facts.name[:3] != "gbr"):
            found.append(facts)
    return tuple(found)


def result_format(source: PixelFormat, encoder: str, only: Iterable[str] = ()) -> Fit:
    """The encoder's pixel format for the colored film of a source, and what it costs.

    RGB stays RGB where the encoder has it at that depth; Y'CbCr keeps its subsampling; gray, and
    RGB that cannot stay, become 4:2:0 at 8 bits and 4:2:2 above. The least loss wins, then the
    least that is added. only: names to choose from, all if empty. Raises UsageError where the
    encoder has none.
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
        if each.kind in kinds and (each.name in only if only else not is_new(encoder, each))
    ]
    if not fitting:
        raise UsageError(f"{encoder} takes no pictures in color here")
    best = min(fitting, key=cost)
    lost = cost(best)
    return Fit(best, lost[0], bool(lost[2]), bool(lost[3]))


def native_codec(video: VideoInfo, *, allow_loss: bool = False) -> str:
    """The encoder that writes the source's own codec, without loss of depth unless `allow_loss`, or
    ""."""
    encoder = NATIVE.get(video.codec, "")
    if encoder == "dnxhd" and not _at_least(video.size, DNXHR_LEAST):
        return ""
    if encoder in ("libx264", "libx265") and video.pixels.kind == "rgb":
        return ""
    if encoder and not allow_loss and result_format(video.pixels, encoder).bits_lost:
        return ""  # ProRes 4444 is decoded with 12 bits, and written with 10
    return encoder


def _profile(encoder: str, video: VideoInfo) -> Options:
    """The source's own profile, else the one that holds its samples."""
    pixels = video.pixels
    full = pixels.kind != "gray" and pixels.subsampling == (1, 1)
    if encoder == "prores_ks":
        # only 4444 has transparency
        usual = "4444" if pixels.alpha or (full and pixels.kind == "yuv") else "hq"
        own = PRORES.get(video.profile) if video.codec == "prores" else None
        return (("profile", own or usual), ("vendor", "apl0"))
    if encoder == "dnxhd":
        # DNxHD proper knows a few sizes and bit rates only; DNxHR is the same codec for all
        usual = "dnxhr_444" if full else "dnxhr_hqx" if pixels.depth > 8 else "dnxhr_hq"
        return (("profile", DNXHR.get(video.profile, usual)),)
    return ()


def _formats_for(encoder: str, size: tuple[int, int]) -> tuple[str, ...]:
    """The pixel formats in which an encoder takes pictures of this size (H, W); () for all."""
    if encoder not in EVEN_SIZES or not (size[0] % 2 or size[1] % 2):
        return ()
    return tuple(each.name for each in formats_of(encoder) if _divides(each, size))


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
    native = native_codec(video, allow_loss=allow_loss or container == "mov")
    if container in MUXERS and native not in _held_by(MUXERS[container]):
        native = ""
    encoder = codec or native or _usual_codec(video, container)
    formats = formats_of(encoder)
    if pix_fmt and pix_fmt not in {each.name for each in formats}:
        raise UsageError(f"{encoder} takes no {pix_fmt}")
    merged = _merged((*_profile(encoder, video), *_usual(encoder, video)), options)
    if INSTEAD_OF_CRF & dict(options).keys() and "crf" not in dict(options):
        merged.pop("crf", None)
    profile = merged.get("profile", "")
    whole = _formats_for(encoder, video.size)
    if pix_fmt and whole and pix_fmt not in whole:
        raise UsageError(
            f"{film.path}: {encoder} with {pix_fmt} takes no odd size, and it is "
            f"{video.size[1]}x{video.size[0]}",
            "--pix-fmt yuv444p and --codec ffv1 take it",
        )
    only = (pix_fmt,) if pix_fmt else _formats_at(encoder, profile) or whole
    fit = result_format(video.pixels, encoder, only)
    if encoder == "ffv1" and "slices" not in merged:
        merged |= slices(video.size, fit.pixels.name, tuple(merged.items()))
    if container not in ("", "mkv", "mov", "mp4"):
        raise UsageError(f"films are written as mkv, mov or mp4, not {container}")
    return Plan(
        EncoderSettings(
            codec=encoder,
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


def _usual_codec(video: VideoInfo, container: str) -> str:
    """The encoder where nothing names one."""
    if video.pixels.depth <= 8 and video.pixels.kind != "rgb":
        return "libx264"
    return "prores_ks" if container == "mov" else "ffv1"


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


def _formats_at(encoder: str, profile: str) -> tuple[str, ...]:
    """The pixel formats that a profile allows; () for all."""
    if encoder == "dnxhd":
        return DNXHR_FORMATS.get(profile, ("yuv422p",))
    if encoder == "prores_ks":
        chroma = "444" if profile.startswith("4444") else "422"
        return tuple(each.name for each in formats_of(encoder) if chroma in each.name)
    return ()


def _siting(video: VideoInfo, fit: Fit) -> str:
    """The chroma location of the result: the source's, or for gray and RGB that become 4:2:0 or
    4:2:2 the usual "left"; "" where chroma is not subsampled."""
    if fit.pixels.subsampling == (1, 1):
        return ""
    return video.chroma_location if video.pixels.kind == "yuv" else "left"


def _container_for(encoder: str, film: Film) -> str:
    """The source's container where it usually holds the codec, else the codec's own."""
    usual = {
        "ffv1": ("mkv",),
        "prores_ks": ("mov", "mkv"),
        "dnxhd": ("mov",),
        "libx264": ("mp4", "mov", "mkv"),
        "libx265": ("mp4", "mov", "mkv"),
    }.get(encoder, ("mkv",))
    return film.family if film.family in usual else usual[0]


def _usual(encoder: str, video: VideoInfo) -> Options:
    """The options that an encoder gets unless they are given."""
    found: list[tuple[str, str]] = []
    if encoder == "ffv1":
        # version 3, every picture for itself, a check sum in every slice
        found += [("level", "3"), ("g", "1"), ("slicecrc", "1")]
    elif encoder in ("libx264", "libx265"):
        found += [("crf", CRF), ("preset", "medium")]
    if encoder in QUIET:
        key, value = QUIET[encoder]
        told = (("master-display", video.mastering), ("max-cll", video.light))
        found.append((key, ":".join([value, *(f"{name}={text}" for name, text in told if text)])))
    # a field of 4:2:0 needs an even number of lines; x264 refuses others
    fields = video.interlaced and encoder in INTERLACED_FLAGS
    if fields and (encoder == "prores_ks" or video.size[0] % 4 == 0):
        found.append(("flags", "+ildct" if encoder == "prores_ks" else "+ildct+ilme"))
        if encoder == "libx264" and video.fields == "bff":
            # libx264 takes the order of the first frame too late, and would write top first
            found.append(("x264-params", "bff=1"))
    return tuple(found)
