"""Exports classifiers in every form, scores texts with each form's own runtime, and compares with `lincah predict`.

Each form runs in a process of its own. Prints one line per classifier and form: the largest and mean difference of a probability, and the share
of texts with the same most probable labels. Exits with 1 where a difference is above the form's limit.

Usage: python tools/export/consumers.py LINCAH FOLDER... --texts FILE.csv --column TEXT [--base BASE.gguf] [--rows 100] [--forms peft,merged]
FOLDER is a classifier of one decoder. Forms whose package is not installed are said to be left out.
"""

import argparse
import csv
import importlib.util
import json
import subprocess
import sys
import tempfile
from importlib.metadata import version
from pathlib import Path

# Largest difference of a probability: f32 elsewhere; llama.cpp rounds what meets quantized weights to 8 bits, and what meets 16 bits to 16.
FORMS = {
    "peft": ("peft", 1e-3),
    "merged": ("transformers", 1e-3),
    "sequence-classification": ("transformers", 1e-3),
    "gguf-lora": ("llama_cpp", 0.1),
    "gguf": ("llama_cpp", 0.1),
    "gguf --dtype f32": ("llama_cpp", 1e-3),
    "mlx": ("mlx_lm", 1e-2),
}
PACKAGES = {"llama_cpp": "llama-cpp-python", "mlx_lm": "mlx-lm"}
SCORE = """
import json, runpy, sys
texts = json.load(open(sys.argv.pop(1), encoding="utf-8"))
score = runpy.run_path(sys.argv[0])["scores"]
json.dump([score(text) for text in texts], sys.stdout)
"""


def by_lincah(lincah, folder, texts, work):
    path = work / "texts.jsonl"
    path.write_text("".join(json.dumps({"text": text}) + "\n" for text in texts), encoding="utf-8")
    out = subprocess.run([lincah, "predict", folder, path, "--text", "text"], check=True, capture_output=True, text=True).stdout
    return [json.loads(line)["scores"] for line in out.splitlines()]


def by_form(folder, form, texts, base, work):
    (work / "texts.json").write_text(json.dumps(texts), encoding="utf-8")
    script = Path(folder) / "score.py"
    arguments = [base] if form == "gguf-lora" else []
    code = f"import sys; sys.argv[:1] = [{str(script)!r}]\n" + SCORE
    run = subprocess.run([sys.executable, "-c", code, work / "texts.json", *arguments], capture_output=True, text=True)
    if run.returncode:
        sys.exit(f"{form}: {run.stderr[-2000:]}")
    return json.loads(run.stdout)


def likely(scores, exclusive):
    return max(scores, key=scores.get) if exclusive else {label for label, score in scores.items() if score >= 0.5}


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("lincah")
    parser.add_argument("folders", nargs="+")
    parser.add_argument("--texts", required=True)
    parser.add_argument("--column", required=True)
    parser.add_argument("--base")
    parser.add_argument("--rows", type=int, default=100)
    parser.add_argument("--forms", default=",".join(FORMS))
    arguments = parser.parse_args()
    with open(arguments.texts, newline="", encoding="utf-8") as file:
        rows = [row[arguments.column] for row in csv.DictReader(file)]
    texts = [text for text in rows if text.strip()][-arguments.rows :]
    failed = False
    for folder in arguments.folders:
        with tempfile.TemporaryDirectory() as work:
            work = Path(work)
            expected = by_lincah(arguments.lincah, folder, texts, work)
            for form in arguments.forms.split(","):
                package, limit = FORMS[form]
                if importlib.util.find_spec(package) is None:
                    print(f"{folder} {form}: left out, {package} is not installed", flush=True)
                    continue
                if form == "gguf-lora" and not arguments.base:
                    print(f"{folder} {form}: left out, no --base", flush=True)
                    continue
                out = work / form.replace(" ", "")
                subprocess.run([arguments.lincah, "export", folder, "--to", *form.split(), "--out", out, "--quiet"], check=True)
                exclusive = json.loads((out / "prompt.json").read_text())["exclusive"]
                found = by_form(out, form, texts, arguments.base, work)
                apart = [abs(row[label] - other[label]) for row, other in zip(expected, found) for label in row]
                same = sum(likely(a, exclusive) == likely(b, exclusive) for a, b in zip(expected, found)) / len(texts)
                name = PACKAGES.get(package, package)
                print(
                    f"{folder} {form} ({name} {version(name)}): largest difference {max(apart):.2e}, mean {sum(apart) / len(apart):.2e}, "
                    f"same labels {same:.1%} of {len(texts)}",
                    flush=True,
                )
                failed |= max(apart) > limit
    sys.exit(int(failed))


if __name__ == "__main__":
    main()
