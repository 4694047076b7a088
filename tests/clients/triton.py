"""Calls a Tollgate server with the unmodified tritonclient[http] from PyPI.

    python triton.py HOST:PORT MODEL [--token TOKEN] [--rows N]

MODEL is an endpoint whose inputs are read from its metadata; every input is
filled with zeros of its datatype and shape (free dimensions: rows, then 1).
Checks that the client's own defaults (binary both ways), JSON both ways,
compression, versions, chosen outputs, ids and errors all work. Exits non-zero
at the first check that does not hold; prints one line for each that does.
"""

import argparse
import sys

import numpy as np
import tritonclient.http as triton
from tritonclient.utils import InferenceServerException, triton_to_np_dtype


def check(what, holds):
    print(("ok   " if holds else "FAIL ") + what)
    if not holds:
        sys.exit(1)


def inputs_of(metadata, rows, binary):
    inputs = []
    for spec in metadata["inputs"]:
        shape = [d if d >= 0 else (rows if i == 0 else 1) for i, d in enumerate(spec["shape"])]
        if spec["datatype"] == "BYTES":
            values = np.full(shape, b"a", dtype=object)
        else:
            values = np.zeros(shape, dtype=triton_to_np_dtype(spec["datatype"]))
        tensor = triton.InferInput(spec["name"], shape, spec["datatype"])
        # The client refuses to write half floats as JSON.
        json_ok = spec["datatype"] not in ("FP16", "BF16")
        tensor.set_data_from_numpy(values, binary_data=binary or not json_ok)
        inputs.append(tensor)
    return inputs


def plain(values):
    """Text as text: the client gives str from JSON and bytes from binary."""
    if values.dtype.kind in "OSU":
        texts = [v.decode() if isinstance(v, bytes) else str(v) for v in values.flat]
        return np.array(texts).reshape(values.shape)
    return values


def fails(what, status, call):
    try:
        call()
    except InferenceServerException as error:
        check(f"{what}: {error.message()}", bool(error.message()) and error.status() == status)
    else:
        check(what, False)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("address")
    parser.add_argument("model")
    parser.add_argument("--token")
    parser.add_argument("--rows", type=int, default=2)
    args = parser.parse_args()

    def headers():
        # A new one for each call: the client writes into the one it is given.
        return {"Authorization": f"Bearer {args.token}"} if args.token else {}

    client = triton.InferenceServerClient(url=args.address)

    check("server is live", client.is_server_live(headers()))
    check("server is ready", client.is_server_ready(headers()))
    check("model is ready", client.is_model_ready(args.model, headers=headers()))
    check("another is not", not client.is_model_ready("no-such-model", headers=headers()))
    server = client.get_server_metadata(headers())
    check("binary tensors are announced", "binary_tensor_data" in server["extensions"])
    index = client.get_model_repository_index(headers())
    check("the index names the model", args.model in [entry["name"] for entry in index])
    metadata = client.get_model_metadata(args.model, headers=headers())
    version = metadata["versions"][0]
    outputs = [spec["name"] for spec in metadata["outputs"]]

    default = client.infer(args.model, inputs_of(metadata, args.rows, True), headers=headers())
    response = default.get_response()
    check("an answer names the model", response["model_name"] == args.model)
    check("an answer names who gave it", "tollgate_variant" in response["parameters"])
    values = {name: default.as_numpy(name) for name in outputs}
    check("every output is there", all(value is not None for value in values.values()))
    check("defaults are binary both ways",
          all("binary_data_size" in output["parameters"] for output in response["outputs"]))

    asked = [triton.InferRequestedOutput(name, binary_data=False) for name in outputs]
    textual = client.infer(args.model, inputs_of(metadata, args.rows, False), outputs=asked,
                           model_version=version, request_id="an id", headers=headers())
    check("the id comes back", textual.get_response()["id"] == "an id")
    same = all(
        np.array_equal(plain(textual.as_numpy(name)), plain(values[name]),
                       equal_nan=values[name].dtype.kind == "f")
        for name in outputs)
    check("JSON gives what binary gives", same)

    for algorithm in ("gzip", "deflate"):
        packed = client.infer(args.model, inputs_of(metadata, args.rows, True),
                              request_compression_algorithm=algorithm,
                              response_compression_algorithm="gzip", headers=headers())
        check(f"{algorithm} requests work", packed.as_numpy(outputs[0]) is not None)

    one = client.infer(args.model, inputs_of(metadata, args.rows, True),
                       outputs=[triton.InferRequestedOutput(outputs[-1])], headers=headers(),
                       parameters={"custom": "x"})
    check("one output can be chosen",
          [output["name"] for output in one.get_response()["outputs"]] == outputs[-1:])
    check("custom parameters come back", one.get_response()["parameters"]["custom"] == "x")

    fails("an unknown model is an error", "404",
          lambda: client.infer("no-such-model", inputs_of(metadata, 1, True), headers=headers()))
    fails("an unknown version is an error", "404",
          lambda: client.infer(args.model, inputs_of(metadata, 1, True), model_version="4000000",
                               headers=headers()))
    fails("a missing input is an error", "400",
          lambda: client.infer(args.model, inputs_of(metadata, 1, True)[1:], headers=headers()))
    client.close()
    print("all checks hold")


if __name__ == "__main__":
    main()
