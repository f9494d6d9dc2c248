"""What is known of a codec and of the encoder that writes it, beside what libav tells: two records.

Every field has to be given: a row that leaves one out cannot be imported.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Literal

from av.codec import Codec as AvCodec
from av.codec.codec import Capabilities

from colorbatch.ffmpeg.film_facts import MUXERS, VideoInfo
from colorbatch.ffmpeg.pixel_formats import PixelFormat

Options = tuple[tuple[str, str], ...]
"""An encoder's own options, in order; of a name that comes twice the later one wins."""
ANYWHERE = frozenset(MUXERS)
"""All containers."""
TRIAL_SIZE = (128, 256)
"""What most take, (H, W): no odd size, and not too small for any."""
FIELDS = "+ildct+ilme"
"""libav's flags for coding fields as fields, in the transform and in the prediction."""


@dataclass(frozen=True, kw_only=True)
class Encoder:
    """How a codec is written.

    name: libav's encoder. native: the kinds of pixels ("gray", "yuv", "rgb") with which a source of
    this codec becomes one of it again unless another is asked for. containers: where it usually is,
    of "mkv", "mov" and "mp4"; the first one unless the source has another of them.

    lossless: whether its usual options keep every sample, in each of its formats. intra: whether
    they code each picture by itself, so that single ones tell the size of all. least: the smallest
    picture, (H, W). even_sizes: whether it takes no picture whose last column or row of chroma
    would be half a sample. converts_rgb: whether it turns packed RGB into Y'CbCr by its own rule.
    unread: pixel formats, by libav's names without byte order, that are taken only where they are
    asked for, because players in use or libav's decoder do not read them as they were, or not every
    build of the encoder takes them. field_flags:
    libav's flags with which it codes a film of fields as fields, "" where it keeps the mark only.

    options: those that a result gets unless they are given, by the source's pictures. formats_at:
    which of its formats go with a `profile` (its name, the formats). sized: options that follow
    from the size (H, W), the pixel format's name and all other options.

    kept: what of the pictures' side data the options (name to value) tell the encoder, by the names
    of `side_data`. mp4_tag: the sample entry's name in MOV and MP4, "" for the muxer's choice.
    trial, trial_size: options with which it makes pictures of no film, for a muxer to judge, and
    their size (H, W). environment: variables that it obeys beside its options.
    """

    name: str
    native: frozenset[str]
    containers: tuple[str, ...]
    lossless: bool
    intra: bool
    least: tuple[int, int]
    even_sizes: bool
    converts_rgb: bool
    unread: frozenset[str]
    field_flags: str
    options: Callable[[VideoInfo], Options]
    formats_at: Callable[[str, tuple[PixelFormat, ...]], tuple[PixelFormat, ...]]
    sized: Callable[[tuple[int, int], str, Mapping[str, str]], Options]
    kept: Callable[[Mapping[str, str]], frozenset[str]]
    mp4_tag: str
    trial: Options
    trial_size: tuple[int, int]
    environment: Options

    @property
    def hardware(self) -> bool:
        """Whether it needs a card or a chip: libav's word for it."""
        needs = Capabilities.hardware | Capabilities.hybrid
        return bool(AvCodec(self.name, "w").capabilities & needs)


@dataclass(frozen=True, kw_only=True)
class Codec:
    """A codec by libav's name, whoever writes it.

    title: what people call it. fields_told: whether each picture says how its fields are. Others
    may say that one is interlaced, but where they do not, that means nothing. levels_told: the
    containers in which Y'CbCr of full range is told from other, by the codec or by the container
    where players believe that. matrix: the one that its decoders know, whatever the container's
    tags say, "" where they believe these.

    alpha_decoder: of a codec whose transparency is a second film beside its packets (BlockAdditions
    with the AlphaMode of RFC 9559, 5.1.4.1.28.4) the decoder that reads it, as libav's own passes
    it over; "" for all others. intact: whether a packet's own check sums are all right, None where
    there are none. keys_alone: whether its key frames, which may be all there are, can be decoded
    by themselves though others build upon them; of codecs without others libav tells it. encoder:
    what is known of its writing, None where libav alone tells.
    """

    name: str
    title: str
    fields_told: bool
    levels_told: frozenset[str]
    matrix: Literal["", "bt601", "bt709"]
    alpha_decoder: str
    intact: Callable[[bytes], bool] | None
    keys_alone: bool
    encoder: Encoder | None


def no_options(video: VideoInfo) -> Options:
    """None of its own."""
    return ()


def all_formats(profile: str, formats: tuple[PixelFormat, ...]) -> tuple[PixelFormat, ...]:
    """Any, whatever the profile."""
    return formats


def any_size(size: tuple[int, int], pix_fmt: str, asked: Mapping[str, str]) -> Options:
    """The same options for all sizes."""
    return ()


def keeps_none(options: Mapping[str, str]) -> frozenset[str]:
    """No side data."""
    return frozenset()


def as_fields(video: VideoInfo) -> Options:
    """`FIELDS` for a film of fields; nothing for other films, and where a field of 4:2:0 would have
    no even number of lines, which x264 refuses."""
    return (("flags", FIELDS),) if video.interlaced and video.size[0] % 4 == 0 else ()
