"""Evaluations, reports, audits, comparisons, checks, and classifiers in folders."""

import csv
import json
import warnings

import numpy as np
import pandas as pd
import pytest
from conftest import lincah as command

import lincah
from lincah import AgileClassifier, LincahError


@pytest.fixture(scope="module")
def fresh(rows):
    return [f"{text} again" for text in rows[0]], rows[1]


@pytest.fixture(scope="module")
def trained(model, rows):
    return AgileClassifier(model=model, epochs=6, members=1, learning_rate=0.01, device="cpu").fit(*rows)


def test_training_rows_are_left_out_of_figures_and_said_so(trained, rows, fresh):
    found = trained.evaluate(*fresh)
    assert (found["n"], found["trained_on_rows"], found.notices) == (40, 0, [])
    assert "accuracy" in str(found) and "<table>" in found._repr_html_()
    with pytest.warns(UserWarning, match="40 of 80 rows were trained on"):
        mixed = trained.evaluate([*rows[0], *fresh[0]], [*rows[1], *fresh[1]])
    assert mixed["n"] == 40
    with pytest.raises(LincahError, match="trained on all 40 rows"):
        trained.evaluate(*rows)
    with pytest.warns(UserWarning, match="are included"):
        assert trained.evaluate(*rows, include_training_rows=True)["n"] == 40


def test_a_report_shows_in_a_notebook_and_as_a_file(trained, rows, fresh, tmp_path):
    # A wrong label makes an error, which is shown with its text.
    fresh = fresh[0], ["A", *fresh[1][1:4], "B", *fresh[1][5:]]
    report = trained.report(*fresh, train=rows, subject="letters <b>")
    report.save(tmp_path / "page.html")
    page = (tmp_path / "page.html").read_text()
    assert page == report.html and "letters &lt;b&gt;" in page and "TF-IDF" in page
    assert "roc" in report.plots and report.plots["roc"].startswith("<svg")
    shown = report._repr_html_()
    assert shown.startswith("<iframe") and "<script" not in shown.replace("&lt;", "<")
    assert "bbbb 2 again" in page and "bbbb 2 again" not in trained.report(*fresh, without_texts=True).html


def test_an_audit_takes_columns(trained, fresh):
    columns = pd.DataFrame({"kind": ["x", "y"] * 20, "who": ["a", None] * 20})
    found = trained.audit(*fresh, columns, functionality="kind", group="who", terms=["aaaa"], robustness=True, robustness_rows=5)
    assert {part["name"] for part in found["functionalities"]} == {"x", "y"}
    assert [part["name"] for part in found["groups"]] == ["a"]
    assert found["robustness"]["kinds"]
    with pytest.raises(LincahError, match="without column `nobody`"):
        trained.audit(*fresh, group="nobody")
    with pytest.raises(LincahError, match="3 rows"):
        trained.audit(*fresh, {"kind": ["x"] * 3}, functionality="kind")


def test_two_classifiers_are_compared_and_data_checked(trained, model, rows, fresh):
    other = AgileClassifier(model=model, preset="instant", device="cpu").fit(*rows)
    found = lincah.compare(trained, other, *fresh)
    assert found["n"] == 40 and "mcnemar" in json.dumps(found)
    checked = lincah.check(*rows, model=model)
    assert checked["rows"] == 40 and checked["label_errors"] == [] and checked["lengths"]["tokens"] is not None


def test_the_command_reads_what_python_saves_and_says_the_same(trained, fresh, tmp_path):
    trained.save(tmp_path / "saved")
    with open(tmp_path / "fresh.csv", "w", newline="") as file:
        csv.writer(file).writerows([("text", "label"), *zip(*fresh, strict=True)])
    ran = command("predict", "saved", "fresh.csv", "--text", "text", cwd=tmp_path)
    assert ran.returncode == 0, ran.stderr
    scores = [json.loads(line)["scores"] for line in ran.stdout.splitlines()]
    np.testing.assert_array_equal(trained.predict_proba(fresh[0]), [[row["A"], row["B"]] for row in scores])
    assert command("verify", "saved", cwd=tmp_path).returncode == 0
    assert trained.predict_records(fresh[0][:1])[0] == json.loads(ran.stdout.splitlines()[0])
    assert "reasons" in trained.predict_records(fresh[0][:1], explain=True)[0]


def test_python_and_the_command_train_the_same_bits(trained, rows, fresh, model, tmp_path):
    with open(tmp_path / "rows.csv", "w", newline="") as file:
        csv.writer(file).writerows([("text", "label"), *zip(*rows, strict=True)])
    options = ["--epochs", "6", "--members", "1", "--learning-rate", "0.01", "--device", "cpu", "--model", model]
    ran = command("train", "rows.csv", "--text", "text", "--label", "label", *options, "--out", "out", cwd=tmp_path)
    assert ran.returncode == 0, ran.stderr
    loaded = AgileClassifier.load(tmp_path / "out")
    np.testing.assert_array_equal(loaded.predict_proba(fresh[0]), trained.predict_proba(fresh[0]))
    assert loaded.classes_.tolist() == ["A", "B"]


@pytest.mark.parametrize("kind", ["strings", "numbers", "booleans"])
def test_a_loaded_classifier_has_the_classes_and_parameters(model, rows, tmp_path, kind):
    y = {"strings": np.array(rows[1]), "numbers": (np.array(rows[1]) == "B") * 7, "booleans": np.array(rows[1]) == "B"}[kind]
    classifier = AgileClassifier(model=model, preset="instant", labels=["B", "A"] if kind == "strings" else ["no", "yes"])
    classifier.fit(rows[0], y).save(tmp_path / "saved")
    loaded = AgileClassifier.load(tmp_path / "saved")
    assert (loaded.classes_.tolist(), loaded.classes_.dtype) == (classifier.classes_.tolist(), y.dtype)
    assert loaded.labels_ == classifier.labels_ and loaded.preset == "instant"
    np.testing.assert_array_equal(loaded.predict_proba(rows[0]), classifier.predict_proba(rows[0]))
    early = AgileClassifier(model=model, preset="instant").partial_fit(rows[0], rows[1], classes=["A", "B", "C"])
    early.save(tmp_path / "early")
    assert AgileClassifier.load(tmp_path / "early").classes_.tolist() == ["A", "B"]
    with pytest.raises(LincahError, match="is not a classifier folder"):
        AgileClassifier.load(tmp_path)


def test_adapters_go_out_and_come_back(trained, fresh, tmp_path):
    assert trained.export("peft", tmp_path / "peft") == [str(tmp_path / "peft")]
    back = AgileClassifier.from_peft(tmp_path / "peft")
    np.testing.assert_allclose(back.predict_proba(fresh[0]), trained.predict_proba(fresh[0]), atol=1e-6)
    with pytest.raises(LincahError, match="not empty"):
        trained.export("peft", tmp_path / "peft")
    with pytest.raises(LincahError, match="to: `onnx`"):
        trained.export("onnx", tmp_path / "onnx")


def test_a_model_is_asked_as_it_is(model, fresh):
    asked = AgileClassifier.zero_shot(["no", "yes"], model=model, device="cpu")
    assert asked.predict_proba(fresh[0]).shape == (40, 2)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert asked.evaluate(fresh[0], ["no", "yes"] * 20)["n"] == 40


def test_training_in_a_folder_resumes(quick, rows, tmp_path):
    class Enough(Exception):
        pass

    def stop(event):
        if event["event"] == "step" and event["step"] == 20:
            raise Enough

    parameters = quick | {"out": tmp_path / "out"}
    with pytest.raises(Enough):
        AgileClassifier(**parameters, callback=stop).fit(*rows)
    with pytest.raises(LincahError, match="not empty"):
        AgileClassifier(**parameters).fit(*rows)
    steps = []
    resumed = AgileClassifier(**parameters, resume=True, callback=lambda event: steps.append(event)).fit(*rows)
    assert steps[0]["step"] >= 20
    np.testing.assert_array_equal(resumed.predict_proba(rows[0]), AgileClassifier(**quick).fit(*rows).predict_proba(rows[0]))


def test_the_catalogue_is_listed():
    found = {entry["name"]: entry for entry in lincah.models()}
    assert {"smollm2-135m", "minilm"} <= found.keys() and found["minilm"]["path"] is None
    with pytest.raises(LincahError, match="no-such-model"):
        lincah.pull("no-such-model", verbose=False)
