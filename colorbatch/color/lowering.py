"""Turns the kernels into LLVM's language, by numba: for developers, after `arithmetic` or `kernels`
changed. `python -m colorbatch.color.lowering` writes the files in `ir/`, which `compiling` makes
machine code of where colorbatch runs.

What is written names no processor and no system, and has no vectors: those are made of it there.
numba is imported here and nowhere else.
"""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import Any

from colorbatch.color import arithmetic, compiled, compiling, kernels

OPTIONS = {"error_model": "numpy", "fastmath": False}
"""Division by 0 is IEEE's; and no operation is fused or reordered, as bytes are to be equal."""


def lowered(kernel: str) -> str:
    """A kernel, a name of `compiling.NAMES`, as a module of LLVM's with one function,
    `compiled.SYMBOL`. Raises what numba raises."""
    os.environ["NUMBA_OPT"] = "0"  # read as it is imported; see `_simplified`
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
    made = numba.njit(signature, **options)(getattr(kernels, name))
    (result,) = made.overloads.values()
    return _simplified(made.inspect_llvm(made.signatures[0]), result.fndesc.llvm_func_name)


def _simplified(assembly: str, symbol: str) -> str:
    """One function out of what numba made of it and its helpers, with no trace of where."""
    import llvmlite.binding as llvm

    llvm.initialize_native_target()
    module = llvm.parse_assembly(assembly)
    for function in module.functions:
        if not function.is_declaration and function.name != symbol:
            function.linkage = "internal"
            function.add_function_attribute("alwaysinline")
    machine = llvm.Target.from_default_triple().create_target_machine(cpu="", features="", opt=1)
    tuning = llvm.create_pipeline_tuning_options(speed_level=1)
    tuning.loop_vectorization = tuning.slp_vectorization = False
    tuning.loop_unrolling = tuning.loop_interleaving = False
    passes = llvm.create_pass_builder(machine, tuning)
    passes.getModulePassManager().run(module, passes)
    text = str(module).replace(f'"{symbol}"', symbol).replace(symbol, compiled.SYMBOL)
    for pattern, by in _NOT_KEPT:
        text = re.sub(pattern, by, text, flags=re.MULTILINE)
    return text.strip() + "\n"


_NOT_KEPT = (
    (r"^(target |source_filename|; ModuleID|@).*\n", ""),  # where it was made; numba's variables
    (
        r"^(; Function Attrs|attributes).*\n",
        "",
    ),  # older LLVMs do not know all of them
    (r" (captures\(none\)|range\(i32 0, 2\)|local_unnamed_addr|#\d+)", ""),
    (r"@sqrtf\b", "@llvm.sqrt.f32"),  # the instruction, and no library's function
    (r'!"[^"]*"', '!"numba"'),
    (r"\n{3,}", "\n\n"),
)


def main() -> None:
    """Write them all."""
    for kernel in compiling.NAMES:
        (Path(__file__).parent / "ir" / f"{kernel}.ll").write_text(lowered(kernel), "utf-8")


if __name__ == "__main__":
    main()
