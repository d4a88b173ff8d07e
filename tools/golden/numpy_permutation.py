"""Writes what NumPy's `RandomState(seed).permutation(n)` gives, the shuffle behind pandas' `sample(frac=1, random_state=seed)`.

Usage: python tools/golden/numpy_permutation.py
"""

import hashlib
import json
from pathlib import Path

import numpy

OUTPUT = Path(__file__).resolve().parents[2] / "crates/lincah/tests/golden/numpy_permutation.json"
SIZES = [0, 1, 2, 3, 10, 198, 998, 4096, 65537]
SEEDS = [0, 32, 1234, 4294967295]
FIRST = 20


def case(n: int, seed: int) -> dict:
    permutation = numpy.random.RandomState(seed).permutation(n)
    digest = hashlib.sha256(permutation.astype("<u4").tobytes()).hexdigest()
    return {"n": n, "seed": seed, "first": permutation[:FIRST].tolist(), "sha256": digest}


def main() -> None:
    golden = {
        "made_with": {"numpy": numpy.__version__},
        "sha256_of": "the whole permutation as little-endian u32",
        "cases": [case(n, seed) for n in SIZES for seed in SEEDS],
    }
    lines = ",\n".join("    " + json.dumps(one) for one in golden.pop("cases"))
    OUTPUT.parent.mkdir(parents=True, exist_ok=True)
    OUTPUT.write_text(json.dumps(golden, indent=2)[:-2] + ',\n  "cases": [\n' + lines + "\n  ]\n}\n")


if __name__ == "__main__":
    main()
