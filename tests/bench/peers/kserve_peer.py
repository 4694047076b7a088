"""KServe's Python server over ONNX Runtime. Arguments: model file, port."""

import os
import sys

import onnxruntime
import uvicorn
from kserve import InferOutput, InferResponse, Model, ModelServer

path, port = sys.argv[1], int(sys.argv[2])


def on_loopback(self, *args, init=uvicorn.Config.__init__, **kwargs):
    """The server listens on every interface unless it is kept from it."""
    kwargs["host"] = "127.0.0.1"
    init(self, *args, **kwargs)


uvicorn.Config.__init__ = on_loopback


class Forest(Model):
    def __init__(self):
        super().__init__("forest")
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = 1
        onnx = os.path.splitext(path)[0] + ".onnx"
        self.session = onnxruntime.InferenceSession(onnx, options, providers=["CPUExecutionProvider"])
        self.input = self.session.get_inputs()[0].name
        self.ready = True

    def predict(self, payload, headers=None, response_headers=None):
        rows = payload.inputs[0].as_numpy()
        values = self.session.run(None, {self.input: rows})[-1]
        output = InferOutput("probabilities", list(values.shape), "FP32", values.flatten().tolist())
        return InferResponse(payload.id or "", "forest", [output])


ModelServer(http_port=port, enable_grpc=False, workers=1).start([Forest()])
