#!/usr/bin/env python3
"""Regenerates everything in this folder except the README and the licence.

Data: the Wisconsin diagnostic breast cancer set as scikit-learn bundles it.
Three models of one task share one transform (impute, log1p, standardise; see
tabular.json), so any of them can replace another behind the same endpoint:

  champion          ONNX, ai.onnx.ml   logistic regression, fitted long ago on few rows
  candidate-worse   XGBoost JSON       boosted trees, fitted on a feed with damaged labels
  candidate-better  ONNX, neural       a small MLP, fitted on all training rows

Every seed is pinned; with the package versions of requirements.txt a second
run on one machine writes the same bytes. See README.md for the command.
"""

import json
import pathlib

import numpy as np
import onnx
import onnxruntime
import xgboost
from skl2onnx import convert_sklearn
from skl2onnx.common.data_types import FloatTensorType
from sklearn.datasets import load_breast_cancer
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import roc_auc_score
from sklearn.model_selection import train_test_split
from sklearn.neural_network import MLPClassifier

HERE = pathlib.Path(__file__).resolve().parent
LABEL = "label"
HELDOUT_SHARE = 0.4
LOG_SKEWNESS = 1.5  # features more skewed than this pass through log1p


def split():
    """Names, training and held-out rows; the label is 1 for a malignant tumour."""
    data = load_breast_cancer()
    names = [name.replace(" ", "_") for name in data.feature_names]
    malignant = 1 - data.target  # scikit-learn has 0 for malignant
    train_x, heldout_x, train_y, heldout_y = train_test_split(
        data.data,
        malignant,
        test_size=HELDOUT_SHARE,
        stratify=malignant,
        random_state=20,
    )
    return names, train_x, train_y, heldout_x, heldout_y


def write_csv(path, names, x, y):
    lines = [",".join([*names, LABEL])]
    for row, label in zip(x, y):
        lines.append(",".join([*(repr(float(value)) for value in row), str(int(label))]))
    path.write_text("\n".join(lines) + "\n")


def fit_transform(names, x):
    """Per column: whether to take log1p, then mean, scale and median to impute."""
    columns = []
    for name, values in zip(names, x.T):
        centred = values - values.mean()
        skewness = (centred**3).mean() / (centred**2).mean() ** 1.5
        log = bool(skewness > LOG_SKEWNESS)
        shown = np.log1p(values) if log else values
        columns.append(
            {
                "name": name,
                "impute": float(np.median(values)),
                "log1p": log,
                "mean": float(shown.mean()),
                "std": float(shown.std()),
            }
        )
    return columns


def transform(columns, x):
    """What the plugin does: columns arrive as FP32, arithmetic is FP64."""
    x = x.astype(np.float32).astype(np.float64)
    out = np.empty(x.shape, dtype=np.float32)
    for at, column in enumerate(columns):
        values = np.where(np.isnan(x[:, at]), column["impute"], x[:, at])
        if column["log1p"]:
            values = np.log1p(values)
        out[:, at] = ((values - column["mean"]) / column["std"]).astype(np.float32)
    return out


def plugin_settings(columns):
    """`columns` as the settings of the tabular transform plugin."""

    def steps(column):
        yield {"impute": column["impute"]}
        if column["log1p"]:
            yield {"log1p": {"negative": "error"}}
        yield {"standard": {"mean": column["mean"], "std": column["std"]}}

    settings = [{"name": column["name"], "steps": list(steps(column))} for column in columns]
    return {"output": "input", "columns": settings}


def to_onnx(model, path, width):
    graph = convert_sklearn(
        model,
        name=path.stem,
        initial_types=[("input", FloatTensorType([None, width]))],
        options={id(model): {"zipmap": False}},
        target_opset={"": 17, "ai.onnx.ml": 3},
    )
    del graph.metadata_props[:]
    onnx.save(graph, path)


def fit_champion(x, y):
    """A model that is old: 60 rows, heavily regularised."""
    rows = np.random.default_rng(7).choice(len(x), size=60, replace=False)
    return LogisticRegression(C=0.01, max_iter=5000).fit(x[rows], y[rows])


def fit_worse(x, y):
    """A model whose training feed was damaged: 120 rows, 15 % of labels flipped."""
    rng = np.random.default_rng(11)
    rows = rng.choice(len(x), size=120, replace=False)
    flipped = rng.random(len(rows)) < 0.15
    labels = np.where(flipped, 1 - y[rows], y[rows])
    return xgboost.XGBClassifier(
        n_estimators=40,
        max_depth=4,
        learning_rate=0.4,
        tree_method="hist",
        n_jobs=1,
        random_state=11,
    ).fit(x[rows], labels)


def fit_better(x, y):
    return MLPClassifier(
        hidden_layer_sizes=(16, 8),
        alpha=1.0,
        learning_rate_init=0.01,
        max_iter=400,
        random_state=3,
    ).fit(x, y)


def main():
    names, train_x, train_y, heldout_x, heldout_y = split()
    write_csv(HERE / "train.csv", names, train_x, train_y)
    write_csv(HERE / "heldout.csv", names, heldout_x, heldout_y)

    columns = fit_transform(names, train_x)
    settings = json.dumps(plugin_settings(columns), indent=2)
    (HERE / "tabular.json").write_text(settings + "\n")
    x, heldout = transform(columns, train_x), transform(columns, heldout_x)

    models = HERE / "models"
    models.mkdir(exist_ok=True)
    champion, worse, better = fit_champion(x, train_y), fit_worse(x, train_y), fit_better(x, train_y)
    to_onnx(champion, models / "champion.onnx", len(names))
    worse.get_booster().save_model(models / "candidate-worse.json")
    to_onnx(better, models / "candidate-better.onnx", len(names))

    scores = {
        "champion.onnx": champion.predict_proba(heldout)[:, 1],
        "candidate-worse.json": worse.predict_proba(heldout)[:, 1],
        "candidate-better.onnx": better.predict_proba(heldout)[:, 1],
    }
    for file, score in scores.items():
        if file.endswith(".onnx"):
            session = onnxruntime.InferenceSession(models / file)
            runtime = session.run(["probabilities"], {"input": heldout})[0][:, 1]
            assert np.abs(runtime - score).max() < 1e-5, file
        print(f"{file:24} auc {roc_auc_score(heldout_y, score):.4f}")
    expected = {
        "about": "probability of class 1 for the first rows of heldout.csv, by the libraries that trained the models",
        "input": [[float(value) for value in row] for row in heldout[:8]],
        "probability": {file: [float(p) for p in score[:8]] for file, score in scores.items()},
        "heldout_roc_auc": {file: float(roc_auc_score(heldout_y, score)) for file, score in scores.items()},
    }
    (HERE / "expected.json").write_text(json.dumps(expected, indent=1) + "\n")


if __name__ == "__main__":
    main()
