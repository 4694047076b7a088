"""MLServer with its own XGBoost runtime. Arguments: model file, port."""

import json
import os
import subprocess
import sys
import tempfile

model, port = sys.argv[1], int(sys.argv[2])
folder = tempfile.mkdtemp(prefix="tollgate-mlserver-")
with open(os.path.join(folder, "settings.json"), "w") as file:
    json.dump({"host": "127.0.0.1", "http_port": port, "grpc_port": port + 1, "metrics_port": port + 2}, file)
with open(os.path.join(folder, "model-settings.json"), "w") as file:
    settings = {
        "name": "forest",
        "implementation": "mlserver_xgboost.XGBoostModel",
        "parameters": {"uri": os.path.abspath(model)},
    }
    json.dump(settings, file)
sys.exit(subprocess.call(["mlserver", "start", folder]))
