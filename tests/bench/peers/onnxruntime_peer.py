"""ONNX Runtime in process, one thread, bound inputs and outputs. Arguments: ONNX
files. Prints a line for each file and batch: file, rows, microseconds a row. The
time includes what its Python binding costs, about a microsecond a call."""

import os
import statistics
import sys
import time

import numpy
import onnxruntime

options = onnxruntime.SessionOptions()
options.intra_op_num_threads = 1
options.inter_op_num_threads = 1
for path in sys.argv[1:]:
    session = onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])
    name = session.get_inputs()[0].name
    for rows in (1, 64):
        binding = session.io_binding()
        values = numpy.random.default_rng(0).standard_normal((rows, 30)).astype(numpy.float32)
        binding.bind_cpu_input(name, values)
        for output in session.get_outputs():
            binding.bind_output(output.name)
        batches = []
        for _ in range(8):
            began = time.perf_counter()
            for _ in range(2000):
                session.run_with_iobinding(binding)
            batches.append((time.perf_counter() - began) / 2000 / rows * 1e6)
        print(os.path.basename(path), rows, statistics.median(batches[1:]), flush=True)
