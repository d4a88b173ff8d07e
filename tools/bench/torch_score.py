"""Times PyTorch's scoring of the held-out rows as a PEFT user would do it: label logits only, at the last position of each prompt.

Prints one JSON object: texts a second for every way of batching, and the median milliseconds of a text alone.
Usage: python tools/bench/torch_score.py MODEL.gguf DATA.csv --text comment
"""

import argparse
import json
import statistics
import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent.parent / "golden"))

from label_model import Prompt, add_prompt_arguments, load_model

import pandas
import torch

SINGLE = 40


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("model")
    parser.add_argument("data", help="CSV with a header")
    parser.add_argument("--delimiter", default=",")
    parser.add_argument("--text", required=True)
    add_prompt_arguments(parser)
    arguments = parser.parse_args()
    model, tokenizer = load_model(arguments.model, arguments.threads)
    prompt = Prompt.from_arguments(tokenizer, arguments)
    texts = pandas.read_csv(arguments.data, delimiter=arguments.delimiter)[arguments.text]
    prompts = [prompt.encode(text) for text in texts]
    head = model.lm_head.weight[prompt.label_tokens()].T

    def score(batch: list[list[int]]) -> torch.Tensor:
        longest = max(map(len, batch))
        ids = torch.tensor([tokens + [0] * (longest - len(tokens)) for tokens in batch])
        mask = torch.tensor([[1] * len(tokens) + [0] * (longest - len(tokens)) for tokens in batch])
        last = torch.tensor([len(tokens) - 1 for tokens in batch])
        return model.model(input_ids=ids, attention_mask=mask).last_hidden_state[torch.arange(len(batch)), last] @ head

    summary = {"texts": len(prompts)}
    ordered = sorted(prompts, key=len)
    with torch.inference_mode():
        score(prompts[:8])
        for name, size, rows in [("8_sorted", 8, ordered), ("32_sorted", 32, ordered)]:
            begun = time.perf_counter()
            for at in range(0, len(rows), size):
                score(rows[at : at + size])
            summary[f"texts_per_second_{name}"] = round(len(rows) / (time.perf_counter() - begun), 2)
        milliseconds = []
        for tokens in prompts[:SINGLE]:
            begun = time.perf_counter()
            score([tokens])
            milliseconds.append(1e3 * (time.perf_counter() - begun))
    summary["texts_per_second"] = max(value for name, value in summary.items() if name.startswith("texts_per_second"))
    summary["milliseconds"] = round(statistics.median(milliseconds), 1)
    print(json.dumps(summary))


if __name__ == "__main__":
    main()
