"""A model in 8 bits, by onnxruntime's static quantisation (QDQ), through a gate of its own.

Of the given photographs every other one shows which values occur between the layers, and those
between them judge: mean and 99.9th percentile of deltaE2000 to the float32 model. How many products
(convolutions and matrix products) at both ends stay in float is found by trying: the first see the
finest differences of lightness, the last make the color.
"""

from __future__ import annotations

import contextlib
import copy
import logging
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import onnx

from colorbatch import color
from colorbatch.errors import ParityError, SourceError, UsageError
from colorbatch.formats.reader import load_rgb
from colorbatch.fs.atomic import write_bytes
from colorbatch.model.contract import ModelContract, read_metadata, sha256
from colorbatch.model.engine import Engine, model_input
from colorbatch.model.parity import (
    INT8,
    INT8_OF_ONE,
    Difference,
    Golden,
    ParityRecord,
    compare,
)
from export.parity import GOLDEN_STRIDE, reference
from export.wrapper import Exportable
from training.folders import find_photographs

PRODUCTS = ("Conv", "ConvTranspose", "MatMul")
MOST = 64
"""Photographs to measure ranges with, and to judge with, at most."""
LEAST = 8
ENDS = ((0, 1 / 16), (1 / 8, 1 / 16), (1 / 4, 1 / 16), (1 / 2, 1 / 8), (3 / 4, 1 / 8))
"""Shares of products that stay in float, first and last ones, as they are tried; at least two of
the last do."""


def pass_gate(
    module: Exportable, data: bytes, candidate: Path, photographs: Path
) -> tuple[bytes, ParityRecord]:
    """Quantise a float32 model and write it to `candidate`: its bytes and its parity record.

    Judged by the engine that users run, on the CPU. Raises ParityError if the limits are exceeded
    however much stays in float, UsageError for too few photographs.
    """
    model = _folded(data)
    metadata = {prop.key: prop.value for prop in model.metadata_props}
    contract, _ = read_metadata(candidate, metadata)
    shown, judging = _views(photographs, contract.size.choose())
    truth = np.concatenate([reference(module, view[None]) for view in judging])
    found = Difference()
    with _quiet():
        ranges = _ranges(model, contract, shown)
        for ends in ENDS:
            quantised, in_float = _quantised(model, ranges, ends)
            write_bytes(candidate, quantised)
            engine = Engine(candidate, "cpu")
            found = compare(judging, engine.predict(judging), truth)
            if not (excess := found.over(INT8)):
                return quantised, _record(module, candidate, engine, judging, found, in_float)
    raise ParityError(f"in int8 the model's colors differ too much: {', '.join(excess)}")


def _record(
    module: Exportable,
    candidate: Path,
    engine: Engine,
    judging: color.Float,
    found: Difference,
    in_float: tuple[int, int, int],
) -> ParityRecord:
    """Golden pictures are some of those that judged, by their grey codes, as far as each keeps the
    limits of one."""
    goldens = []
    for index, view in enumerate(judging):
        grey = np.rint(255 * color.grey_of_lightness(view)).astype(np.uint8)
        lightness = color.lightness(grey)[None]
        [ab] = reference(module, lightness)
        if compare(lightness[0], engine.predict(lightness)[0], ab).over(INT8_OF_ONE):
            continue
        answer = ab[::GOLDEN_STRIDE, ::GOLDEN_STRIDE]
        goldens.append(Golden(f"photograph {index}", grey, answer, GOLDEN_STRIDE))
        if len(goldens) == 4:
            break
    measured = {"float32_weights": vars(found), "in_float": in_float, "pictures": len(judging)}
    return ParityRecord(sha256(candidate), INT8_OF_ONE, tuple(goldens), measured)


def _views(folder: Path, size: tuple[int, int]) -> tuple[color.Float, color.Float]:
    """Lightness (N, *size) of every other photograph of a folder, and of those between them."""
    found = find_photographs(folder)
    found = found[:: max(1, len(found) // (2 * MOST))][: 2 * MOST]
    views = []
    for path in found:
        with contextlib.suppress(SourceError):
            luma = color.grey_of(load_rgb(path))
            views.append(color.lightness(color.resize_area(luma, size)))
    if len(views) < 2 * LEAST:
        raise UsageError(f"{folder}: int8 needs {2 * LEAST} photographs, it has {len(views)}")
    return np.stack(views[::2]), np.stack(views[1::2])


def _folded(data: bytes) -> onnx.ModelProto:
    """The model with weights in the place of what makes them of weights, as onnxruntime does it
    when it loads one: only stored weights are quantised by channel."""
    import onnxruntime

    with tempfile.TemporaryDirectory() as folder:
        settings = onnxruntime.SessionOptions()
        settings.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_ENABLE_BASIC
        settings.optimized_model_filepath = str(Path(folder) / "folded.onnx")
        settings.log_severity_level = 3
        onnxruntime.InferenceSession(data, settings, providers=["CPUExecutionProvider"])
        folded = onnx.load(settings.optimized_model_filepath)
    del folded.metadata_props[:]
    folded.metadata_props.extend(onnx.load_from_string(data).metadata_props)
    return folded


def _ranges(model: onnx.ModelProto, contract: ModelContract, shown: color.Float) -> Any:
    """Which values occur between the layers: least and largest of each."""
    from onnxruntime.quantization.calibrate import (
        CalibrationDataReader,
        CalibrationMethod,
        create_calibrator,
    )

    class Reader(CalibrationDataReader):  # type: ignore[misc]
        def __init__(self) -> None:
            self.inputs: Iterator[color.Float] = iter(shown)

        def get_next(self) -> dict[str, color.Float] | None:
            view = next(self.inputs, None)
            return None if view is None else {
                contract.input.name: model_input(view[None], contract)
            }  # fmt: skip

    with tempfile.TemporaryDirectory() as folder:
        plain = Path(folder) / "plain.onnx"
        onnx.save(onnx.shape_inference.infer_shapes(model), plain)
        calibrator = create_calibrator(
            plain,
            list(PRODUCTS),
            augmented_model_path=str(Path(folder) / "augmented.onnx"),
            calibrate_method=CalibrationMethod.MinMax,
        )
        calibrator.collect_data(Reader())
        ranges = calibrator.compute_data()
        del calibrator  # Windows deletes no file that is open
    return ranges


def _quantised(
    model: onnx.ModelProto, ranges: Any, ends: tuple[float, float]
) -> tuple[bytes, tuple[int, int, int]]:
    """The model with the products between the two ends in 8 bits: weights by channel, of 7 bits so
    that sums of two products never overflow 16 (processors without VNNI). And how many first and
    last ones, of how many, are in float."""
    from onnxruntime.quantization import QuantType
    from onnxruntime.quantization.qdq_quantizer import QDQQuantizer

    names: Sequence[str] = [node.name for node in model.graph.node if node.op_type in PRODUCTS]
    first, last = round(ends[0] * len(names)), max(2, round(ends[1] * len(names)))
    quantised = names[first : len(names) - last]
    quantiser = QDQQuantizer(
        copy.deepcopy(model),
        True,  # per channel
        True,  # reduced range
        QuantType.QInt8,
        QuantType.QUInt8,
        ranges,
        quantised,
        [],
        list(PRODUCTS),
        {},
    )
    quantiser.quantize_model()
    made = quantiser.model.model
    del made.metadata_props[:]
    made.metadata_props.extend(model.metadata_props)
    data: bytes = made.SerializeToString(deterministic=True)
    return data, (first, last, len(names))


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """onnxruntime's quantisation recommends preparations on the root logger."""
    before = logging.root.manager.disable
    logging.disable(logging.WARNING)
    try:
        yield
    finally:
        logging.disable(before)
