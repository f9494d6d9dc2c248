"""Makes machine code of the kernels, for the processor that it runs on, in a process of its own,
which `compiled` starts and reads the answer of: LLVM ends the process over what it cannot do, and
keeps its memory.

Before code is handed over it is loaded as it will be, and has to give the bytes of numpy's join.
"""

from __future__ import annotations

import importlib.resources
import sys
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from colorbatch.color import (
    XYZ_TO_SRGB,
    Space,
    bicubic,
    chroma,
    compiled,
    kernels,
    luma_join,
)
from colorbatch.color.transfer import value_table
from colorbatch.color.ycbcr import Encoding, lightness_table

NAMES = ("enlarge32", "still8", "still16", "film8", "film16")
"""The kernels that there are in `ir/`: a name of `kernels.ARGUMENTS` and the bits of its codes."""


def machine_code(kernel: str) -> bytes:
    """The object file of a kernel, for this processor. Raises what llvmlite raises, and OSError."""
    import llvmlite.binding as llvm

    llvm.initialize_native_target()
    llvm.initialize_native_asmprinter()
    source = importlib.resources.files("colorbatch.color").joinpath("ir", f"{kernel}.ll")
    module = llvm.parse_assembly(source.read_text("utf-8"))
    machine = llvm.Target.from_default_triple().create_target_machine(
        cpu=llvm.get_host_cpu_name(),
        features=llvm.get_host_cpu_features().flatten(),
        opt=3,
        codemodel="jitdefault",
        jit=True,
    )
    module.triple, module.data_layout = machine.triple, str(machine.target_data)
    tuning = llvm.create_pipeline_tuning_options(speed_level=3)
    tuning.loop_vectorization = tuning.loop_unrolling = tuning.loop_interleaving = True
    passes = llvm.create_pass_builder(machine, tuning)
    passes.getModulePassManager().run(module, passes)
    return bytes(machine.emit_object(module))


def answer(names: Sequence[str]) -> None:
    """Write kernels to standard output, each with its length before it and as `compiled.load` takes
    it; end with 1 where one differs from numpy's join."""
    for name in names:
        code = machine_code(name)
        expected = list(results_of(name))
        compiled.KERNELS.use(name, compiled.load(compiled.packed(code)))
        for one, other in zip(expected, results_of(name), strict=True):
            if one.tobytes() != other.tobytes():
                sys.exit(1)
        compiled.KERNELS.use(name, None)
        sys.stdout.buffer.write(compiled.told_of(code))
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
