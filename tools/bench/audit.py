"""Trains on splits of ETHOS as it is, with obfuscated copies, scoring two readings, and both; audits each: HateCheck, identity templates, obfuscated texts, and what it
costs on the clean holdout. Each split is one JSON file; one that is there is not run again. Standard library only.

Usage: python tools/bench/audit.py LINCAH SHARED DIR [--seeds 101,102,103,104,105] [--model NAME] [--device cuda] [--jobs 4]
"""

import argparse
import concurrent.futures
import csv
import json
import random
import subprocess
import tempfile
from pathlib import Path

TERMS = "gay,lesbian,transgender,black,white,asian,muslim,christian,jewish,old,young,deaf,blind,male,female"

REMEDIES = {
    "none": [],
    "copies": ["--augment", "obfuscation"],
    "readings": ["--deobfuscate"],
    "both": ["--augment", "obfuscation", "--deobfuscate"],
}


def lincah(binary: str, *arguments: str) -> str:
    ran = subprocess.run([binary, *arguments], capture_output=True, text=True)
    if ran.returncode != 0:
        raise RuntimeError(f"{arguments[:3]}: {ran.stderr[-400:]}")
    return ran.stdout


def run(seed: int, remedy: str, options: argparse.Namespace) -> None:
    out_file = Path(options.dir) / f"{remedy}-{seed}.json"
    if out_file.exists():
        return
    shared, device = Path(options.shared), ["--device", options.device]
    ethos = [str(shared / "ethos/Ethos_Dataset_Binary.csv"), "--text", "comment", "--label", "isHate"]
    split = ["--holdout", "198", "--split-seed", str(seed)]
    with tempfile.TemporaryDirectory() as folder:
        out = str(Path(folder) / "classifier")
        lincah(options.lincah, "train", *ethos, *split, "--labels", "Positive,Negative", "--positive-at", "median", *REMEDIES[remedy],
               "--seed", str(seed), "--model", options.model, "--out", out, "--quiet", *device)
        clean = json.loads(lincah(options.lincah, "evaluate", out, *ethos, *split, "--json", "--quiet", *device))
        own = json.loads(lincah(options.lincah, "audit", out, *ethos, *split, "--robustness", "--robustness-rows", "198", "--json", "--quiet", *device))
        hatecheck = json.loads(lincah(
            options.lincah, "audit", out, str(shared / "public/hatecheck.csv"), "--text", "test_case", "--label", "label_gold", "--label-map",
            "hateful=Negative,non-hateful=Positive", "--functionality", "functionality", "--group", "target_ident", "--robustness",
            "--robustness-rows", "1000", "--json", "--quiet", *device))
        with (shared / "public/identity_templates.csv").open(newline="") as file:
            rows = list(csv.reader(file))
        header, rows = rows[0], rows[1:]
        random.Random(1).shuffle(rows)
        templates = Path(folder) / "templates.csv"
        with templates.open("w", newline="") as file:
            csv.writer(file).writerows([header, *rows[:4000]])
        identity = json.loads(lincah(
            options.lincah, "audit", out, str(templates), "--text", "Text", "--label", "Label", "--label-map", "BAD=Negative,NOT_BAD=Positive",
            "--terms", TERMS, "--json", "--quiet", *device))
    out_file.write_text(json.dumps({"clean": clean, "own": own, "hatecheck": hatecheck, "identity": identity}))
    print(f"{remedy} {seed}: done", flush=True)


def mean(values: list) -> float:
    values = [value for value in values if value is not None]
    return sum(values) / max(len(values), 1)


def table(options: argparse.Namespace, seeds: list[int]) -> None:
    found = {remedy: [json.loads((Path(options.dir) / f"{remedy}-{seed}.json").read_text()) for seed in seeds] for remedy in REMEDIES}
    rows = [
        ("clean holdout, F1", lambda run: run["clean"]["f1"]),
        ("clean holdout, ROC-AUC", lambda run: run["clean"]["roc_auc"]),
        ("HateCheck, accuracy", lambda run: run["hatecheck"]["overall"]["accuracy"]),
        ("HateCheck, worst functionality", lambda run: run["hatecheck"]["functionalities"][0]["accuracy"]),
        ("HateCheck, worst group", lambda run: min(part["accuracy"] for part in run["hatecheck"]["groups"])),
        ("HateCheck groups, subgroup", lambda run: run["hatecheck"]["identity"][0]["subgroup"]),
        ("identity templates, subgroup", lambda run: run["identity"]["identity"][0]["subgroup"]),
        ("identity templates, BPSN", lambda run: run["identity"]["identity"][0]["background_positive_subgroup_negative"]),
        ("identity templates, BNSP", lambda run: run["identity"]["identity"][0]["background_negative_subgroup_positive"]),
    ]
    for suite in ["own", "hatecheck"]:
        for index, kind in enumerate(found["none"][0][suite]["robustness"]["kinds"]):
            rows.append((f"{suite}, flips, {kind['kind']}", lambda run, suite=suite, index=index: run[suite]["robustness"]["kinds"][index]["share"]))
    print("| figure, mean (lowest to highest) | " + " | ".join(REMEDIES) + " |\n|" + " --- |" * (1 + len(REMEDIES)))
    for name, of in rows:
        cells = []
        for remedy in REMEDIES:
            values = [of(run) for run in found[remedy]]
            cells.append(f"{mean(values):.3f} ({min(values):.3f} to {max(values):.3f})")
        print(f"| {name} | {' | '.join(cells)} |")
    worst: dict = {}
    for run_found in found["none"]:
        for part in run_found["hatecheck"]["functionalities"]:
            worst.setdefault(part["name"], []).append(part["accuracy"])
    print("\nHateCheck by functionality, without, worst five:", sorted((round(mean(values), 3), name) for name, values in worst.items())[:5])


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("lincah")
    parser.add_argument("shared")
    parser.add_argument("dir")
    parser.add_argument("--seeds", default="101,102,103,104,105")
    parser.add_argument("--model", default="smollm2-135m")
    parser.add_argument("--device", default="auto")
    parser.add_argument("--jobs", type=int, default=4)
    options = parser.parse_args()
    Path(options.dir).mkdir(parents=True, exist_ok=True)
    seeds = [int(seed) for seed in options.seeds.split(",")]
    jobs = [(seed, remedy) for seed in seeds for remedy in REMEDIES]
    with concurrent.futures.ThreadPoolExecutor(options.jobs) as pool:
        list(pool.map(lambda job: run(*job, options), jobs))
    table(options, seeds)


if __name__ == "__main__":
    main()
