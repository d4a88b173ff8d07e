"""What transformers makes of SmolLM2-135M as it is: label probabilities without any training, and greedy continuations.

Writes crates/lincah/tests/golden/zero_shot.json. The texts were written for this project.
Usage: python tools/golden/zero_shot.py SmolLM2-135M-Instruct.Q4_1.gguf
"""

import argparse
import json
from pathlib import Path

# First, for it sets the environment that transformers reads when imported.
from label_model import Prompt, add_prompt_arguments, load_model

import torch

OUTPUT = Path(__file__).resolve().parents[2] / "crates/lincah/tests/golden/zero_shot.json"
TEXTS = [
    "Thank you, the second example made it clear.",
    "I can't follow this at all, and the pictures do not load.",
    "Übung macht den Meister – see you on Thursday 🙂",
    "The museum opens at ten.",
    "",
]
PROMPTS = ["Question: What is the capital of France? Answer:", "The days of the week are Monday,"]
CHAT = "Name three fruits. <|im_end|>"
NEW_TOKENS = 24
# Least lead of a chosen token's logit over the second best, so that rounding can't choose another.
LEAST_MARGIN = 0.02


def probabilities(model: torch.nn.Module, ids: list[int], labels: list[int]) -> list[float]:
    with torch.inference_mode():
        logits = model(input_ids=torch.tensor([ids])).logits[0, -1]
    return torch.softmax(logits[labels].double(), dim=0).tolist()


def continuation(model: torch.nn.Module, ids: list[int]) -> list[int]:
    prompt = torch.tensor([ids])
    with torch.inference_mode():
        result = model.generate(
            input_ids=prompt,
            attention_mask=torch.ones_like(prompt),
            max_new_tokens=NEW_TOKENS,
            do_sample=False,
            output_logits=True,
            return_dict_in_generate=True,
        )
    best = torch.cat(result.logits).topk(2).values
    lead = float((best[:, 0] - best[:, 1]).min())
    assert lead > LEAST_MARGIN, f"a token leads by {lead:.3f} only"
    return result.sequences[0, len(ids) :].tolist()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("model", help="GGUF file or Hugging Face folder")
    add_prompt_arguments(parser)
    parser.set_defaults(max_tokens=512)
    arguments = parser.parse_args()
    model, tokenizer = load_model(arguments.model, arguments.threads)
    model.eval()
    prompt = Prompt.from_arguments(tokenizer, arguments)
    labels = prompt.label_tokens()
    # The user's text is plain text, whatever it holds; only the turns' own markers are control pieces.
    control = lambda piece: [tokenizer.convert_tokens_to_ids(piece)]
    start, end = control("<|im_start|>"), control("<|im_end|>")
    chat = start + prompt.tokens(f"user\n{CHAT}") + end + prompt.tokens("\n") + start + prompt.tokens("assistant\n")
    golden = {
        "labels": prompt.labels,
        "label_tokens": labels,
        "scored": [{"text": text, "probabilities": probabilities(model, prompt.encode(text), labels)} for text in TEXTS],
        "generated": [{"text": text, "tokens": continuation(model, prompt.tokens(text))} for text in PROMPTS],
        "chat": {"text": CHAT, "ids": chat},
    }
    OUTPUT.write_text(json.dumps(golden, indent=1, ensure_ascii=False) + "\n")


if __name__ == "__main__":
    main()
