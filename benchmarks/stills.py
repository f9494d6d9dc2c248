"""Speed and memory of `colorbatch images` beside the loop that people write by hand.

`python benchmarks/stills.py FOLDER [--rounds N]` colors the pictures of FOLDER with both, each in a
process of its own, in turns, and prints pictures per second, peak memory, and the median ratio of
the rounds. The loop: OpenCV read, 8-bit Lab, one onnxruntime call per picture, OpenCV write.
"""

from __future__ import annotations

import argparse
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from colorbatch.contract import find_model
from colorbatch.finding import find_pictures


def plain_loop(source: Path, target: Path) -> None:
    """Color a tree picture by picture, as a script of twenty lines would."""
    os.environ["ORT_DISABLE_TELEMETRY"] = "1"
    import cv2
    import numpy as np
    import onnxruntime

    session = onnxruntime.InferenceSession(str(find_model(None)))
    for path in find_pictures(source):
        bgr = cv2.imread(str(path))
        if bgr is None:
            continue
        lab = cv2.cvtColor(bgr, cv2.COLOR_BGR2LAB)
        small = cv2.resize(lab[..., 0], (256, 256), interpolation=cv2.INTER_AREA)
        feed = (small / 255 * 2 - 1).astype(np.float32)[None, None]
        [chroma] = session.run(None, {"lightness": feed})
        height, width = lab.shape[:2]
        ab = cv2.resize(chroma[0].transpose(1, 2, 0) * 110 + 128, (width, height))
        lab[..., 1:] = np.clip(ab, 0, 255)
        name = target / path.relative_to(source)
        name.parent.mkdir(parents=True, exist_ok=True)
        cv2.imwrite(str(name), cv2.cvtColor(lab, cv2.COLOR_LAB2BGR))


def measure(command: list[str | Path]) -> tuple[float, float]:
    """Wall-clock seconds and peak memory in MB of a command; exit code 3 (broken files) is fine."""
    started = time.perf_counter()
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    _, status, usage = os.wait4(process.pid, 0)
    if os.waitstatus_to_exitcode(status) not in (0, 3):
        raise SystemExit(f"{command[1:4]} ended with {os.waitstatus_to_exitcode(status)}")
    scale = 1e6 if sys.platform == "darwin" else 1e3  # bytes there, kilobytes elsewhere
    return time.perf_counter() - started, usage.ru_maxrss / scale


def main() -> None:
    """Measure both in turns and print the medians."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--plain", type=Path, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.plain:
        plain_loop(arguments.folder, arguments.plain)
        return
    count = len(find_pictures(arguments.folder))
    results: dict[str, list[tuple[float, float]]] = {"colorbatch": [], "plain loop": []}
    for _ in range(arguments.rounds):
        with tempfile.TemporaryDirectory() as scratch:
            ours = ["-m", "colorbatch", "images", arguments.folder, "-o", Path(scratch, "ours")]
            ours += ["-q", "--on-color", "colorize"]
            plain = [__file__, arguments.folder, "--plain", Path(scratch, "plain")]
            results["colorbatch"].append(measure([sys.executable, *ours]))
            results["plain loop"].append(measure([sys.executable, *plain]))
    for name, runs in results.items():
        seconds = statistics.median(run[0] for run in runs)
        memory = max(run[1] for run in runs)
        print(f"{name}: {count / seconds:.1f} pictures/s ({seconds:.1f} s), peak {memory:.0f} MB")
    pairs = zip(results["plain loop"], results["colorbatch"], strict=True)
    ratio = statistics.median(plain[0] / ours[0] for plain, ours in pairs)
    print(f"colorbatch is {ratio:.2f} times as fast (median of {arguments.rounds} rounds)")


if __name__ == "__main__":
    main()
