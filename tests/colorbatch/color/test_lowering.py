"""What lies in `ir/` is what numba makes of the kernels, for any processor."""

from __future__ import annotations

import re
import subprocess
import sys
from importlib import resources

import pytest

from colorbatch.color import compiling

IR = resources.files("colorbatch.color").joinpath("ir")


@pytest.mark.slow
def test_the_files_are_made_of_the_kernels(clean_env):
    """After a change of `arithmetic` or `kernels` they have to be written anew."""
    numba = pytest.importorskip("numba")
    llvmlite = pytest.importorskip("llvmlite")
    if (numba.__version__, llvmlite.__version__) != ("0.68.1", "0.50.0"):
        pytest.skip("other versions of numba write the same in other words")
    code = (
        "from colorbatch.color import lowering\n"
        "print(*map(lowering.lowered, ('enlarge32', 'still16', 'film8')), sep='')\n"
    )
    made = subprocess.check_output([sys.executable, "-c", code], env=clean_env, text=True)
    names = ("enlarge32", "still16", "film8")
    assert made.split() == "".join(IR.joinpath(f"{name}.ll").read_text() for name in names).split()


def test_they_name_no_processor_and_call_no_library():
    """So that they become machine code of any system's."""
    assert {each.name for each in IR.iterdir()} == {f"{name}.ll" for name in compiling.NAMES}
    for name in compiling.NAMES:
        text = IR.joinpath(f"{name}.ll").read_text()
        assert text.count("define ") == 1 and " x float>" not in text
        assert not re.search(r"^(target|attributes|@)|x86_|%struct", text, re.MULTILINE)
        declared = [line for line in text.splitlines() if line.startswith("declare")]
        assert all(" @llvm." in line for line in declared)


@pytest.mark.parametrize(
    "triple",
    ["aarch64-unknown-linux-gnu", "arm64-apple-macosx11.0", "x86_64-pc-windows-msvc"],
)
def test_other_processors_and_systems_get_code_of_it_too(triple):
    """Compiled for each that LLVM has here; run on this one only, by the tests of `compiled`."""
    llvm = pytest.importorskip("llvmlite.binding")
    llvm.initialize_all_targets()
    llvm.initialize_all_asmprinters()
    try:
        machine = llvm.Target.from_triple(triple).create_target_machine(opt=3)
    except RuntimeError:
        pytest.skip("not among this LLVM's targets")
    module = llvm.parse_assembly(IR.joinpath("still8.ll").read_text())
    module.triple, module.data_layout = machine.triple, str(machine.target_data)
    assert len(machine.emit_object(module)) > 2000
