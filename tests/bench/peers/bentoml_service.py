"""The service that `bentoml_peer.py` serves."""

import os

import bentoml
import numpy
import onnxruntime


@bentoml.service(workers=1)
class Forest:
    def __init__(self) -> None:
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = 1
        self.session = onnxruntime.InferenceSession(
            os.environ["TOLLGATE_FOREST"], options, providers=["CPUExecutionProvider"]
        )
        self.input = self.session.get_inputs()[0].name

    @bentoml.api
    def predict(self, rows: list[list[float]]) -> list[list[float]]:
        values = numpy.asarray(rows, dtype=numpy.float32)
        return self.session.run(None, {self.input: values})[-1].tolist()
