"""Codecs of which more is known than libav tells about their reading only; whoever asks for one of
their encoders gets it as libav makes it (`generic`)."""

from __future__ import annotations

from colorbatch.ffmpeg.codecs.record import ANYWHERE, Codec

TELLING_FIELDS = tuple(
    Codec(
        name=name,
        title=title,
        fields_told=True,
        levels_told=ANYWHERE,
        matrix="",
        alpha_decoder="",
        intact=None,
        keys_alone=False,
        encoder=None,
    )
    for name, title in {
        "mpeg1video": "MPEG-1",
        "vc1": "VC-1",
        "wmv3": "WMV 9",
        "cavs": "AVS",
        "cfhd": "CineForm",
    }.items()
)
"""Those whose pictures say how their fields are."""

ALPHA_BESIDE = tuple(
    Codec(
        name=name,
        title=name.upper(),
        fields_told=False,
        levels_told=ANYWHERE,
        matrix="",
        alpha_decoder=decoder,
        intact=None,
        keys_alone=False,
        encoder=None,
    )
    for name, decoder in (("vp8", "libvpx"), ("vp9", "libvpx-vp9"))
)
"""Those whose transparency is a film of its own."""

MJPEG = Codec(
    name="mjpeg",
    title="Motion JPEG",
    fields_told=False,
    levels_told=ANYWHERE,
    matrix="bt601",  # JFIF 1.02
    alpha_decoder="",
    intact=None,
    keys_alone=False,
    encoder=None,
)
