"""Runs lincah and its peers on the same work, one after the other, round by round, and prints medians and ratios.

The machine's speed drifts, so a ratio is taken within each round, and the median of these is quoted.
Usage: python tools/bench/in_turn.py MODEL.gguf DATA.csv CLASSIFIER_DIR --rounds 3 [--only train,codelab,score]
CLASSIFIER_DIR is a classifier of the same model; the Python that runs this has what tools/golden/requirements.txt names.
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

TOOLS = Path(__file__).parent.parent
COLUMNS = ["--text", "comment", "--label", "isHate", "--positive-at", "median"]


def run(command: list[str]) -> tuple[str, float]:
    """Standard output, and the peak memory in GB."""
    with tempfile.TemporaryFile() as output, tempfile.TemporaryFile() as errors:
        child = subprocess.Popen(command, stdout=output, stderr=errors)
        _, status, usage = os.wait4(child.pid, 0)
        child.returncode = os.waitstatus_to_exitcode(status)
        output.seek(0)
        errors.seek(0)
        if child.returncode != 0:
            raise SystemExit(f"{' '.join(command)}\n{errors.read().decode()}")
        return output.read().decode(), usage.ru_maxrss / 1e6


def peft(arguments: argparse.Namespace, *options: str) -> dict:
    with tempfile.TemporaryDirectory() as folder:
        script = str(TOOLS / "golden" / "peft_train.py")
        output, memory = run([sys.executable, script, arguments.model, arguments.data, folder, *COLUMNS, *options])
    return {"rate": json.loads(output.splitlines()[-1])["examples_per_second"], "memory": memory}


def lincah_train(arguments: argparse.Namespace, *options: str) -> dict:
    with tempfile.TemporaryDirectory() as folder:
        out = f"{folder}/classifier"
        fixed = ["--labels", "Positive,Negative", "--model", arguments.model, "--out", out, "--device", "cpu", "--members", "1"]
        command = [arguments.lincah, "train", arguments.data, *COLUMNS, *fixed, "--holdout", "198", "--epochs", "1", *options]
        _, memory = run(command)
        lines = [json.loads(line) for line in Path(out, "training.jsonl").read_text().splitlines()]
    rate = [line["examples_per_second"] for line in lines if line["event"] == "step"][-1]
    return {"rate": rate, "memory": memory}


def lincah_score(arguments: argparse.Namespace, precision: str) -> dict:
    output, memory = run([arguments.score_speed, arguments.classifier, arguments.scored, "comment", precision])
    result = json.loads(output)
    return {"rate": result["texts_per_second"], "milliseconds": result["milliseconds"], "memory": memory}


def torch_score(arguments: argparse.Namespace) -> dict:
    script = str(TOOLS / "bench" / "torch_score.py")
    output, memory = run([sys.executable, script, arguments.model, arguments.scored, "--text", "comment"])
    result = json.loads(output)
    return {"rate": result["texts_per_second"], "milliseconds": result["milliseconds"], "memory": memory}


def held_out(data: str, folder: str) -> str:
    import pandas

    rows = pandas.read_csv(data, delimiter=";").sample(frac=1, random_state=32)[-198:]
    path = f"{folder}/held_out.csv"
    rows[["comment"]].to_csv(path, index=False)
    return path


def compare(name: str, rounds: int, sides: dict) -> None:
    results = {side: [] for side in sides}
    for _ in range(rounds):
        for side, measure in sides.items():
            results[side].append(measure())
    first = next(iter(sides))
    for side, measured in results.items():
        rates = [result["rate"] for result in measured]
        ratio = statistics.median(result["rate"] / peer["rate"] for result, peer in zip(measured, results[first]))
        alone = [result["milliseconds"] for result in measured if "milliseconds" in result]
        alone = f" | {statistics.median(alone):.0f} ms" if alone else ""
        memory = statistics.median(result["memory"] for result in measured)
        listed = " ".join(f"{rate:.2f}" for rate in rates)
        print(f"| {name} | {side} | {listed} | {ratio:.2f} x | {memory:.2f} GB{alone} |", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("model")
    parser.add_argument("data", help="the ETHOS binary CSV")
    parser.add_argument("classifier")
    parser.add_argument("--lincah", default="target/release/lincah")
    parser.add_argument("--score-speed", default="target/release/examples/score_speed")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--only", default="train,codelab,score")
    arguments = parser.parse_args()
    chosen = arguments.only.split(",")
    with tempfile.TemporaryDirectory() as folder:
        arguments.scored = held_out(arguments.data, folder)
        if "train" in chosen:
            label = ["--loss", "label", "--schedule", "linear"]
            sides = {
                "PEFT": lambda: peft(arguments, "--max-steps", "12"),
                "lincah": lambda: lincah_train(arguments, "--train-size", "160", *label),
                "lincah, default recipe": lambda: lincah_train(arguments, "--train-size", "160"),
            }
            compare("train, batch 8, rank 8 everywhere", arguments.rounds, sides)
        if "codelab" in chosen:
            same = ["--loss", "all-tokens", "--rank", "4", "--alpha", "4", "--targets", "q_proj,v_proj", "--batch-size", "2"]
            sides = {
                "PEFT, padded to the longest of the two": lambda: peft(arguments, *same, "--max-steps", "24"),
                "lincah": lambda: lincah_train(arguments, "--preset", "codelab", "--train-size", "60"),
            }
            compare("train, codelab preset, batch 2", arguments.rounds, sides)
        if "score" in chosen:
            sides = {
                "PyTorch, sorted batches": lambda: torch_score(arguments),
                "lincah f32": lambda: lincah_score(arguments, "f32"),
                "lincah int8": lambda: lincah_score(arguments, "int8"),
            }
            compare("score 198 texts", arguments.rounds, sides)


if __name__ == "__main__":
    main()
