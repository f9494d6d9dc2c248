"""Compiles the kernels, in a process of its own, which `compiled` starts and reads the answer of.

numba is imported here and nowhere else: what runs needs nothing but the machine code. Before that
is handed over it is loaded as it will be, and has to give the bytes of numpy's join.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from typing import Any

import numpy as np
import numpy.typing as npt

from colorbatch.color import (
    XYZ_TO_SRGB,
    Space,
    arithmetic,
    bicubic,
    chroma,
    compiled,
    kernels,
    luma_join,
)
from colorbatch.color.transfer import value_table
from colorbatch.color.ycbcr import Encoding, lightness_table

OPTIONS = {"error_model": "numpy", "fastmath": False}
"""Division by 0 is IEEE's; and no operation is fused or reordered, as bytes are to be equal."""


def machine_code(kernel: str) -> tuple[str, bytes]:
    """The name of a kernel's function and the object file that has it, for this processor.

    kernel: a name of `kernels.ARGUMENTS` and the bits of its codes, such as "still16". Raises what
    numba raises.
    """
    import llvmlite.binding as llvm
    import numba
    from numba import types
    from numba.extending import overload, register_jitable

    def least(first: Any, second: Any) -> Any:
        def smaller(first: Any, second: Any) -> Any:
            return first if first < second else second

        return smaller

    def most(first: Any, second: Any) -> Any:
        def greater(first: Any, second: Any) -> Any:
            return first if first > second else second

        return greater

    overload(arithmetic.least, jit_options=OPTIONS)(least)
    overload(arithmetic.most, jit_options=OPTIONS)(most)
    for function in kernels.HELPERS:
        register_jitable(**OPTIONS)(function)
    name, codes = kernels.taken_apart(kernel)
    kinds = {"c": types.uint8 if codes == 8 else types.uint16, "f": types.float32, "i": types.int64}
    signature = types.void(*(types.CPointer(kinds[letter]) for letter in kernels.ARGUMENTS[name]))
    options = {"nogil": True, "no_cpython_wrapper": True, "no_cfunc_wrapper": True, **OPTIONS}
    compiled = numba.njit(signature, **options)(getattr(kernels, name))
    (result,) = compiled.overloads.values()
    module = llvm.parse_assembly(compiled.inspect_llvm(compiled.signatures[0]))
    machine = llvm.Target.from_default_triple().create_target_machine(
        cpu=llvm.get_host_cpu_name(),
        features=llvm.get_host_cpu_features().flatten(),
        opt=3,
        codemodel="jitdefault",
        jit=True,
    )
    return str(result.fndesc.llvm_func_name), bytes(machine.emit_object(module))


def answer(kernel: str) -> None:
    """Write a kernel to standard output, as `compiled.load` takes it; end with 1 where it differs
    from numpy's join."""
    made = compiled.packed(*machine_code(kernel))
    expected = list(results_of(kernel))
    compiled.KERNELS.use(kernel, compiled.load(made))
    for one, other in zip(expected, results_of(kernel), strict=True):
        if one.tobytes() != other.tobytes():
            sys.exit(1)
    sys.stdout.buffer.write(made)
    sys.stdout.buffer.flush()


def results_of(kernel: str) -> Iterator[npt.NDArray[Any]]:
    """What the join makes of small pictures, by whatever is at work: one of each thing that a
    kernel can be asked for."""
    name, bits = kernels.taken_apart(kernel)
    chance = np.random.default_rng(0)
    ab = chance.uniform(-90, 90, (5, 7, 2)).astype(np.float32)
    ab[2:] = 0
    codes: type[np.unsignedinteger[Any]] = np.uint8 if bits == 8 else np.uint16
    deep = 8 if bits == 8 else 12
    if name == "enlarge":
        for size in ((40, 9), (3, 1100)):
            made = np.empty((2, *size), np.float32)
            planes = chance.uniform(-90, 90, (2, 6, size[1])).astype(np.float32)
            bicubic.mix(planes, bicubic.aligned_taps(6, size[0]), made)
            yield made
    elif name == "still":
        highest = np.iinfo(codes).max
        grey = chance.integers(0, highest, (9, 1100), codes, endpoint=True)
        exact = grey + chance.uniform(-0.5, 0.5, grey.shape).astype(np.float32)
        table = lightness_table(Encoding(16, None, "rgb", "full", transfer="pq"))
        curves = np.stack([value_table("pq"), value_table("linear"), value_table("cineon")])
        space = Space(table, curves, XYZ_TO_SRGB, black=0.09)
        for output in ("rgb", "ycc"):
            yield luma_join.colorize(grey, ab, output=output)
        yield luma_join.colorize(grey, ab, exact_luma=exact)
        yield luma_join.colorize_rows(grey, ab, 3, 20, space=space)
        yield luma_join.colorize_rows(grey, ab, 0, 9, exact_luma=exact, dtype=np.float32)
        yield from chroma.rgb_planes(grey >> (bits - deep), ab, Encoding(deep, None, "rgb"))
    else:
        y = chance.integers(0, 1 << deep, (20, 2300)).astype(codes)
        for step in ((2, 2), (1, 2), (1, 1), (1, 4), (2, 1)):
            for transfer in ("display", "cineon"):
                yield from chroma.chroma_planes(y, ab, Encoding(deep, step, transfer=transfer))
