"""One ONNX model: its contract, the engine that runs it, its stored parity check."""
