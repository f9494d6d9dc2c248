"""The join as loops over pixels, for `lowering` to turn into LLVM's language.

Nothing here is run by Python. Arguments are pointers to contiguous memory, and an index is a sum of
offsets. The arithmetic is that of `arithmetic`, operation by operation, so the result has the bytes
of `join` and its callers, whose comments say why; this file only says in what order the memory is
walked: row by row, in blocks that stay in the processor's first cache, look-ups in loops of their
own, so that the others are vectorised.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from colorbatch.color import arithmetic
from colorbatch.color.arithmetic import (
    OF_A,
    OF_B,
    code,
    cubed,
    fitted,
    light,
    luma,
    mixed,
    position,
    srgb,
    taken_up,
    within,
)

Pointer = Any

BLOCK = 1024
"""Pixels of a row that are worked on together."""
F, A, B, LOW, HIGH, SUM = (index * BLOCK for index in range(6))
"""Where a block's planes begin in `scratch`. The first three become R, G and B."""
SCRATCH = 6 * BLOCK
"""float32 numbers of `scratch`."""

# where `numbers`, float32, has what
MATRIX, WEIGHTS, FLOOR, WHITE, SPAN, MAXIMUM = 0, 9, 12, 13, 14, 15
GREEN_INVERSE, BLUE_TO_CB, RED_TO_CR, NEUTRAL = 16, 17, 18, 19
NUMBERS = 20

RGB, YCC, DISTANCES = range(3)
"""What `still` writes: a plane each of R, G and B; of Cb and Cr; to `distances`, what R and B are
above the luma."""


def enlarge(planes: Pointer, rows: Pointer, weights: Pointer, sizes: Pointer, out: Pointer) -> None:
    """Rows of `bicubic.mix`: (n, width) of one plane. sizes: n, width."""
    for row in range(sizes[0]):
        tap = 4 * row
        _row_of(planes, 0, rows, weights, tap, sizes[1], 0, sizes[1], out, row * sizes[1])


def still(
    grey: Pointer,
    exact: Pointer,
    wide: Pointer,
    rows: Pointer,
    weights: Pointer,
    f_of: Pointer,
    curves: Pointer,
    numbers: Pointer,
    sizes: Pointer,
    scratch: Pointer,
    out: Pointer,
    distances: Pointer,
) -> None:
    """Rows of `luma_join.colorize_rows` and `chroma.rgb_planes`.

    grey: codes (h, W). exact: luma (h, W) float32. wide: chroma (2, n, W) float32. rows, weights:
    (h, 4), as `bicubic.Taps`. f_of: f of each code. curves: (1 or 3, 65536). sizes: h, W, n, the
    number of curves (0 for sRGB), whether exact luma is given, and what is written.
    """
    height, width, have, number = sizes[0], sizes[1], sizes[2], sizes[3]
    given, output = sizes[4], sizes[5]
    maximum, neutral = numbers[MAXIMUM], numbers[NEUTRAL]
    to_cb, to_cr, inverse = numbers[BLUE_TO_CB], numbers[RED_TO_CR], numbers[GREEN_INVERSE]
    shares = (numbers[WEIGHTS], numbers[WEIGHTS + 2])
    plane = height * width
    for row in range(height):
        for x in range(0, width, BLOCK):
            n = min(BLOCK, width - x)
            at = row * width + x
            for c in range(2):
                _row_of(
                    wide,
                    c * have * width,
                    rows,
                    weights,
                    4 * row,
                    width,
                    x,
                    n,
                    scratch,
                    A + c * BLOCK,
                )
            if given:
                for i in range(n):
                    scratch[LOW + i] = within(exact[at + i], maximum)
            else:
                for i in range(n):
                    scratch[LOW + i] = np.float32(grey[at + i])
            for i in range(n):
                scratch[F + i] = f_of[grey[at + i]]
            _values(scratch, n, curves, number, numbers)
            _distances(scratch, n, LOW, numbers)
            if output == YCC:
                for i in range(n):
                    out[at + i] = code(scratch[B + i] * to_cb + neutral, maximum)
                for i in range(n):
                    out[plane + at + i] = code(scratch[F + i] * to_cr + neutral, maximum)
            elif output == RGB:
                for i in range(n):
                    y = scratch[LOW + i]
                    red = code(y + scratch[F + i], maximum)
                    blue = code(y + scratch[B + i], maximum)
                    scratch[A + i] = code(taken_up(y, red, blue, shares, inverse), maximum)
                    scratch[F + i] = red
                    scratch[B + i] = blue
                for c in range(3):
                    for i in range(n):
                        out[c * plane + at + i] = scratch[c * BLOCK + i]
            else:
                for i in range(n):
                    distances[at + i] = scratch[F + i]
                for i in range(n):
                    distances[plane + at + i] = scratch[B + i]


def film(
    y: Pointer,
    wide: Pointer,
    rows: Pointer,
    weights: Pointer,
    f_of: Pointer,
    curves: Pointer,
    numbers: Pointer,
    sizes: Pointer,
    scratch: Pointer,
    cb: Pointer,
    cr: Pointer,
) -> None:
    """Rows of `chroma.chroma_planes`: (h, W) of Cb and Cr.

    y: luma codes (h * down, W * across); f_of, curves, wide, rows, weights as of `still`. sizes: h,
    W, n, the number of curves, down, across, and the binary logarithm of their product.
    """
    height, width, have, number = sizes[0], sizes[1], sizes[2], sizes[3]
    down, across, shift = sizes[4], sizes[5], sizes[6]
    maximum, neutral = numbers[MAXIMUM], numbers[NEUTRAL]
    to_cb, to_cr = numbers[BLUE_TO_CB], numbers[RED_TO_CR]
    half = (1 << shift) >> 1
    for row in range(height):
        for x in range(0, width, BLOCK):
            n = min(BLOCK, width - x)
            at = row * width + x
            for c in range(2):
                _row_of(
                    wide,
                    c * have * width,
                    rows,
                    weights,
                    4 * row,
                    width,
                    x,
                    n,
                    scratch,
                    A + c * BLOCK,
                )
            first = row * down * width * across + x * across
            if down == 2 and across == 2:
                _shared_by(y, first, width * 2, 2, 2, n, scratch)
            elif down == 1 and across == 2:
                _shared_by(y, first, width * 2, 1, 2, n, scratch)
            else:
                _shared_by(y, first, width * across, down, across, n, scratch)
            for i in range(n):
                scratch[F + i] = f_of[(np.int64(scratch[SUM + i]) + half) >> shift]
            for i in range(n):  # no color where none is asked for, to the last digit
                grey = (scratch[A + i] == 0) & (scratch[B + i] == 0)
                scratch[SUM + i] = np.float32(0) if grey else np.float32(1)
            _values(scratch, n, curves, number, numbers)
            _distances(scratch, n, HIGH, numbers)
            for i in range(n):
                cb[at + i] = code(scratch[B + i] * scratch[SUM + i] * to_cb + neutral, maximum)
            for i in range(n):
                cr[at + i] = code(scratch[F + i] * scratch[SUM + i] * to_cr + neutral, maximum)


def _row_of(
    planes: Pointer,
    base: int,
    rows: Pointer,
    weights: Pointer,
    tap: int,
    width: int,
    x: int,
    n: int,
    out: Pointer,
    to: int,
) -> None:
    """n samples from column x of a row made by its four taps."""
    one, two = base + rows[tap] * width + x, base + rows[tap + 1] * width + x
    three, four = base + rows[tap + 2] * width + x, base + rows[tap + 3] * width + x
    four_weights = (weights[tap], weights[tap + 1], weights[tap + 2], weights[tap + 3])
    for i in range(n):
        out[to + i] = mixed(
            planes[one + i], planes[two + i], planes[three + i], planes[four + i], four_weights
        )


def _shared_by(
    y: Pointer, first: int, stride: int, down: int, across: int, n: int, scratch: Pointer
) -> None:
    """Sum, least and greatest of the luma samples that share a chroma sample, n of them."""
    for i in range(n):
        total, low, high = np.int32(0), np.int32(65535), np.int32(0)
        for dy in range(down):
            for dx in range(across):
                sample = np.int32(y[first + dy * stride + i * across + dx])
                total += sample
                low = min(low, sample)
                high = max(high, sample)
        scratch[SUM + i] = np.float32(total)  # at most 16 samples of 16 bits: exact
        scratch[LOW + i] = np.float32(low)
        scratch[HIGH + i] = np.float32(high)


def _values(scratch: Pointer, n: int, curves: Pointer, number: int, numbers: Pointer) -> None:
    """f, a and b of a block become the values of R, G and B."""
    red = (numbers[MATRIX], numbers[MATRIX + 1], numbers[MATRIX + 2])
    green = (numbers[MATRIX + 3], numbers[MATRIX + 4], numbers[MATRIX + 5])
    blue = (numbers[MATRIX + 6], numbers[MATRIX + 7], numbers[MATRIX + 8])
    if number == 0:
        for i in range(n):
            f = scratch[F + i]
            x, y = cubed(f + scratch[A + i] * OF_A), cubed(f)
            z = cubed(f + scratch[B + i] * OF_B)
            scratch[F + i] = light(x, y, z, red)
            scratch[A + i] = light(x, y, z, green)
            scratch[B + i] = light(x, y, z, blue)
        for c in range(0, 3 * BLOCK, BLOCK):  # by itself: short chains overlap, long ones wait
            for i in range(c, c + n):
                scratch[i] = srgb(scratch[i])
        return
    for i in range(n):
        f = scratch[F + i]
        x, y = cubed(f + scratch[A + i] * OF_A), cubed(f)
        z = cubed(f + scratch[B + i] * OF_B)
        scratch[F + i] = position(light(x, y, z, red))
        scratch[A + i] = position(light(x, y, z, green))
        scratch[B + i] = position(light(x, y, z, blue))
    for c in range(3):
        curve = c * 65536 if number == 3 else 0
        for i in range(c * BLOCK, c * BLOCK + n):
            scratch[i] = curves[curve + np.int64(scratch[i])]


def _distances(scratch: Pointer, n: int, high: int, numbers: Pointer) -> None:
    """Values of R, G and B become what R and B are above the luma, in codes, in the gamut."""
    weights = (numbers[WEIGHTS], numbers[WEIGHTS + 1], numbers[WEIGHTS + 2])
    floor, white, span = numbers[FLOOR], numbers[WHITE], numbers[SPAN]
    for i in range(n):
        red, green, blue = scratch[F + i], scratch[A + i], scratch[B + i]
        own = luma(red, green, blue, weights)
        room = (scratch[LOW + i] - floor, white - scratch[high + i])
        factor = fitted(red, green, blue, own, room, span)
        scratch[F + i] = (red - own) * factor
        scratch[B + i] = (blue - own) * factor


HELPERS = (
    *(arithmetic.code, arithmetic.cubed, arithmetic.fitted, arithmetic.light, arithmetic.luma),
    *(arithmetic.mixed, arithmetic.position, arithmetic.srgb, arithmetic.taken_up),
    *(arithmetic.within, _row_of, _shared_by, _values, _distances),
)
"""What the kernels call, the one before the other."""
ARGUMENTS = {"enlarge": "fifif", "still": "cffiffffifcf", "film": "cfiffffifcc"}
"""Of each kernel, what its pointers point to: codes, float32 or int64."""


def taken_apart(kernel: str) -> tuple[str, int]:
    """The function and the bits of the codes of "still16"."""
    name = kernel.rstrip("0123456789")
    return name, int(kernel.removeprefix(name))
