"""BentoML over ONNX Runtime. Arguments: model file, port."""

import os
import subprocess
import sys

folder = os.path.dirname(os.path.abspath(__file__))
environment = dict(os.environ, TOLLGATE_FOREST=os.path.splitext(os.path.abspath(sys.argv[1]))[0] + ".onnx")
serve = ["bentoml", "serve", "bentoml_service:Forest", "--working-dir", folder]
serve += ["--host", "127.0.0.1", "--port", sys.argv[2]]
sys.exit(subprocess.call(serve, env=environment))
