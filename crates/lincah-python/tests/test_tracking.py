"""Trackers, read by their own readers."""

import copy
import pickle
import time

import pytest
from conftest import lincah as command

from lincah import AgileClassifier, tracking


@pytest.fixture
def trained(quick, rows):
    """Trains with a tracker; the events it heard."""

    def train(tracker):
        events = []
        AgileClassifier(**quick, validation=0.2, callback=[tracker, events.append]).fit(*rows)
        return [event for event in events if event.get("metrics")]

    return train


def curves(folder):
    """Each run's figures by name, as TensorBoard reads them: steps and values."""
    multiplexer = pytest.importorskip("tensorboard.backend.event_processing.event_multiplexer")
    reader = multiplexer.EventMultiplexer().AddRunsFromDirectory(str(folder)).Reload()
    return {
        run: {tag: [(point.step, point.value) for point in reader.Scalars(run, tag)] for tag in tags["scalars"]}
        for run, tags in reader.Runs().items()
    }


def of(events, name):
    return [(event["step"], pytest.approx(event["metrics"][name], rel=1e-6)) for event in events if name in event["metrics"]]


def test_tensorboard_reads_what_is_written(trained, tmp_path):
    events = trained(tracking.TensorBoard(tmp_path / "log"))
    (found,) = curves(tmp_path / "log").values()
    assert len(found["training/loss"]) > 10 and len(found["validation/loss"]) == 6
    assert set(found) == {name for event in events for name in event["metrics"]}
    for name in found:
        assert found[name] == of(events, name)


def test_a_training_anew_takes_the_place_of_later_steps(tmp_path):
    for last in (9, 4):
        tracker = tracking.TensorBoard(tmp_path)
        for step in range(1, last + 1):
            if step == 1:
                tracker({"event": "start", "run": "", "step": 0, "metrics": {}})
            tracker({"event": "step", "run": "", "step": step, "metrics": {"training/loss": last + step / 8}})
    (found,) = curves(tmp_path).values()
    assert found["training/loss"] == [(step, 4 + step / 8) for step in range(1, 5)]


def test_the_command_writes_the_same_files(model, tmp_path):
    rows = "".join(f"{'aaaa' if row % 2 else 'zzzz'} {row},{'AB'[row % 2]}\n" for row in range(40))
    (tmp_path / "rows.csv").write_text("text,label\n" + rows)
    train = ["train", "rows.csv", "--text", "text", "--label", "label", "--model", model, "--epochs", "2", "--members", "1"]
    ran = command(*train, "--target", "f1", "--oof-folds", "2", "--out", "out", "--log-to", "tensorboard", "log", cwd=tmp_path)
    assert ran.returncode == 0, ran.stderr
    found = curves(tmp_path / "log")
    assert set(found) == {".", "fold-1", "fold-2"}
    assert all(len(run["training/loss"]) > 1 for run in found.values())
    refused = command(*train, "--out", "no", "--log-to", "mlflow", "log", cwd=tmp_path)
    assert refused.returncode == 1 and "tensorboard" in refused.stderr and not (tmp_path / "no").exists()


def test_a_tracker_may_be_copied_and_pickled(trained, tmp_path):
    tracker = tracking.TensorBoard(tmp_path)
    trained(tracker)
    for again in (copy.deepcopy(tracker), pickle.loads(pickle.dumps(tracker))):
        assert again.folder == str(tmp_path)


def test_mlflow_has_all_figures(trained, tmp_path, monkeypatch):
    mlflow = pytest.importorskip("mlflow")
    monkeypatch.setenv("MLFLOW_ALLOW_FILE_STORE", "true")
    mlflow.set_tracking_uri((tmp_path / "mlflow").as_uri())
    with mlflow.start_run() as run:
        events = trained(tracking.MLflow())
    client = mlflow.MlflowClient()
    for name in ("training/loss", "validation/f1"):
        history = client.get_metric_history(run.info.run_id, name)
        assert sorted((point.step, point.value) for point in history) == of(events, name)


def test_weights_and_biases_hears_all_figures(trained, tmp_path, monkeypatch):
    wandb = pytest.importorskip("wandb")
    for name, value in {"WANDB_MODE": "offline", "WANDB_DIR": str(tmp_path), "WANDB_SILENT": "true"}.items():
        monkeypatch.setenv(name, value)
    run = wandb.init(project="lincah")
    logged = []
    log = run.log
    monkeypatch.setattr(run, "log", lambda figures: (logged.append(figures), log(figures)))
    events = trained(tracking.WeightsAndBiases(run))
    run.finish()
    assert logged == [event["metrics"] | {"step": event["step"]} for event in events]
    (stored,) = tmp_path.glob("wandb/offline-run-*/run-*.wandb")
    steps = sum("training/loss" in event["metrics"] for event in events)
    deadline = time.monotonic() + 20
    # Its own process writes, and may be a little behind.
    while stored.read_bytes().count(b"training/loss") < steps and time.monotonic() < deadline:
        time.sleep(0.1)
    assert stored.read_bytes().count(b"training/loss") >= steps
