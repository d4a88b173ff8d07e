"""Scores texts with an adapter folder as PEFT loads it: P(label) for every label.

Usage: python tools/golden/peft_scores.py MODEL.gguf ADAPTER_DIR TEXTS.jsonl OUT.json
"""

import argparse
import time

# First, for it sets the environment that transformers and peft read when imported.
from label_model import Prompt, add_prompt_arguments, label_probabilities, load_model, read_texts, write_scores

from peft import PeftModel


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("model", help="GGUF file or Hugging Face folder")
    parser.add_argument("adapter", help="folder with adapter_config.json and adapter_model.safetensors")
    parser.add_argument("texts", help="JSONL, one object a line")
    parser.add_argument("output")
    parser.add_argument("--text-field", default="text")
    add_prompt_arguments(parser)
    arguments = parser.parse_args()

    base, tokenizer = load_model(arguments.model, arguments.threads)
    model = PeftModel.from_pretrained(base, arguments.adapter)
    prompt = Prompt.from_arguments(tokenizer, arguments)
    texts = read_texts(arguments.texts, arguments.text_field)
    start = time.perf_counter()
    scores = label_probabilities(model, prompt, texts)
    seconds = time.perf_counter() - start
    write_scores(arguments.output, prompt, texts, scores)
    print(f"{len(texts)} texts in {seconds:.1f} s")


if __name__ == "__main__":
    main()
