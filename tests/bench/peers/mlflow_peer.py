"""MLflow's scoring server. Arguments: model file, port."""

import os
import subprocess
import sys
import tempfile

import mlflow.xgboost
import xgboost

model, port = sys.argv[1], sys.argv[2]
booster = xgboost.Booster()
booster.load_model(model)
folder = os.path.join(tempfile.mkdtemp(prefix="tollgate-mlflow-"), "model")
mlflow.xgboost.save_model(booster, folder)
serve = ["mlflow", "models", "serve", "-m", folder, "--env-manager", "local", "-h", "127.0.0.1", "-p", port]
sys.exit(subprocess.call(serve))
