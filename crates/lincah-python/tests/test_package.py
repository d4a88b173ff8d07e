"""The package itself: what an import costs, the command, Ctrl-C, threads, processes and types."""

import json
import os
import re
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest
from conftest import lincah as command

import lincah
from lincah import AgileClassifier

HERE = Path(__file__).parent
HEAVY = ("numpy", "sklearn", "scipy", "pandas", "lincah.lincah_native")


def python(code: str, **options):
    return subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, **options)


def test_an_import_brings_nothing_heavy():
    code = "import sys, time; begun = time.perf_counter(); import lincah; print(time.perf_counter() - begun); print(*sys.modules)"
    seconds, modules = python(code).stdout.splitlines()
    assert float(seconds) < 0.3
    assert not set(HEAVY) & set(modules.split())


def test_all_that_is_named_is_there():
    assert all(getattr(lincah, name).__doc__ for name in lincah.__all__)
    assert set(lincah.__all__) <= set(dir(lincah))
    with pytest.raises(AttributeError):
        lincah.nothing  # noqa: B018


def test_it_is_the_command():
    assert command("--version").stdout == f"lincah {lincah.__version__}\n"
    assert command("no-such-verb").returncode == 1
    ran = command("predict", "nowhere", "--input", "x")
    assert (ran.returncode, ran.stderr.startswith("error: ")) == (1, True)
    assert subprocess.run([sys.executable, "-m", "lincah", "--version"], capture_output=True).returncode == 0
    piped = subprocess.run(f"{Path(sys.executable).with_name('lincah')} man --help | head -1", shell=True, capture_output=True)
    assert piped.stderr == b""


LONG = """
import sys
from lincah import AgileClassifier
X, y = [f"{'aaaa' if row % 2 else 'zzzz'} {row}" for row in range(2000)], [row % 2 for row in range(2000)]
classifier = AgileClassifier(model=sys.argv[1], epochs=1000, device="cpu", labels=["no", "yes"], out=sys.argv[2])
classifier.set_params(callback=lambda event: print(event["event"], flush=True))
try:
    classifier.fit(X, y)
except KeyboardInterrupt:
    print("interrupted")
"""


def test_ctrl_c_ends_a_training_as_an_exception(model, tmp_path):
    child = subprocess.Popen([sys.executable, "-c", LONG, model, str(tmp_path / "out")], stdout=subprocess.PIPE, text=True)
    while child.stdout.readline() != "step\n":
        pass
    child.send_signal(signal.SIGINT)
    begun = time.monotonic()
    assert child.communicate()[0].splitlines()[-1] == "interrupted"
    assert child.returncode == 0 and time.monotonic() - begun < 5
    assert (tmp_path / "out" / "training.jsonl").is_file()


def test_ctrl_c_ends_the_command_as_it_does_without_python(model, tmp_path):
    rows = "".join(f"{'aaaa' if row % 2 else 'zzzz'} {row},{'AB'[row % 2]}\n" for row in range(2000))
    (tmp_path / "rows.csv").write_text("text,label\n" + rows)
    train = ["train", "rows.csv", "--text", "text", "--label", "label", "--model", model, "--epochs", "1000", "--out", "out"]
    child = subprocess.Popen([Path(sys.executable).with_name("lincah"), *train], cwd=tmp_path, stderr=subprocess.PIPE, text=True)
    log = tmp_path / "out" / "training.jsonl"
    while not log.is_file() or len(log.read_text().splitlines()) < 5:
        time.sleep(0.01)
    child.send_signal(signal.SIGINT)
    last = child.communicate()[1].splitlines()[-1]
    assert child.returncode == 1
    assert re.match(r"error: stopped at step \d+ of \d+.*--resume", last), last


def test_python_runs_on_while_a_classifier_is_trained(model, rows):
    counted, done = 0, threading.Event()
    classifier = AgileClassifier(model=model, epochs=200, members=1, device="cpu")
    thread = threading.Thread(target=lambda: (classifier.fit(*rows), done.set()))
    thread.start()
    while not done.is_set():
        counted += 1
    thread.join()
    assert counted > 10_000


def test_progress_is_told_and_shown(quick, rows, capfd):
    events = []
    AgileClassifier(**quick, verbose=True, callback=events.append).fit(*rows)
    assert [event["event"] for event in events][:1] == ["start"] and events[-1]["event"] == "end"
    assert sum(event["event"] == "step" for event in events) == events[0]["steps"]
    shown = capfd.readouterr()
    assert shown.out == "" and "40 rows" in shown.err and "trained in" in shown.err
    AgileClassifier(**quick).fit(*rows)
    assert capfd.readouterr() == ("", "")


@pytest.mark.skipif(not hasattr(os, "fork"), reason="there is no fork")
def test_a_forked_process_says_so_rather_than_waits(model):
    code = f"""
import os, sys, warnings
warnings.simplefilter("ignore")
from lincah import AgileClassifier, LincahError
classifier = AgileClassifier(model={model!r}, preset="instant").fit(["aa", "zz"] * 10, [0, 1] * 10)
if os.fork() == 0:
    try:
        classifier.predict(["aa"])
    except LincahError as error:
        print(error, flush=True)
    os._exit(0)
os.wait()
"""
    assert "was forked" in python(code, timeout=60).stdout


MYPY = ["mypy", "--strict", "--config-file", str(HERE / "mypy.ini")]
PYRIGHT = ["pyright", "--pythonpath", sys.executable]


def checked(checker, file, folder):
    pytest.importorskip(checker[0])
    return subprocess.run([sys.executable, "-m", *checker, str(file)], capture_output=True, text=True, cwd=folder)


@pytest.mark.parametrize("checker", [MYPY, PYRIGHT], ids=["mypy", "pyright"])
def test_types_hold_on_examples_and_catch_what_is_wrong(checker, tmp_path):
    ran = checked(checker, HERE / "typed_examples.py", tmp_path)
    assert ran.returncode == 0, ran.stdout + ran.stderr
    wrong = "from lincah import AgileClassifier\nAgileClassifier(epochs='many')\nAgileClassifier(epoch=1)\n"
    (tmp_path / "wrong.py").write_text(wrong)
    ran = checked(checker, tmp_path / "wrong.py", tmp_path)
    assert "wrong.py:2" in ran.stdout and "wrong.py:3" in ran.stdout, ran.stdout


def test_the_package_itself_is_typed(tmp_path):
    ran = checked(MYPY, HERE.parent / "python" / "lincah", tmp_path)
    assert ran.returncode == 0, ran.stdout


def test_results_are_json(model, rows):
    classifier = AgileClassifier(model=model, preset="instant").fit(*rows)
    assert json.loads(json.dumps(classifier.evaluate([f"{text} x" for text in rows[0]], rows[1])))
