"""ONNX Runtime in process, one thread. Arguments: ONNX files. Prints a line for
each file, batch and way of calling: file, rows, way, microseconds a row. `run` is
the usual call; `bound` has inputs and outputs bound beforehand, the shortest way
that Python has. Both times include what the binding costs."""

import os
import statistics
import sys
import time

import numpy
import onnxruntime


def micros(call, calls):
    began = time.perf_counter()
    for _ in range(calls):
        call()
    return (time.perf_counter() - began) / calls * 1e6


options = onnxruntime.SessionOptions()
options.intra_op_num_threads = 1
options.inter_op_num_threads = 1
for path in sys.argv[1:]:
    session = onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])
    name, width = session.get_inputs()[0].name, session.get_inputs()[0].shape[1]
    calls = 2000 if width < 100 else 20
    for rows in (1, 64):
        values = numpy.random.default_rng(0).standard_normal((rows, width)).astype(numpy.float32)
        binding = session.io_binding()
        binding.bind_cpu_input(name, values)
        for output in session.get_outputs():
            binding.bind_output(output.name)
        feed = {name: values}
        ways = {
            "run": lambda: session.run(None, feed),
            "bound": lambda: session.run_with_iobinding(binding),
        }
        batches = {way: [] for way in ways}
        for _ in range(8):
            for way, call in ways.items():
                batches[way].append(micros(call, calls) / rows)
        for way, times in batches.items():
            print(os.path.basename(path), rows, way, statistics.median(times[1:]), flush=True)
