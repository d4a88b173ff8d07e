"""How transformers goes on from a prompt, greedily: golden token ids for the tiny models that models.py wrote.

Writes crates/lincah-model/tests/golden/generation.json: for each family, adapter on, two prompts, the tokens that follow each, and the
logits behind the last of them.
Usage: python tools/golden/generation.py
"""

import json

# First, for it sets the environment that transformers reads when imported.
from models import OUTPUT, make_sequences, precision, read_model

import torch
from transformers import GenerationConfig
from transformers.utils.logging import disable_progress_bar, set_verbosity_error

from families import FAMILIES

PROMPTS = 20
KEPT = 2
PROMPT_TOKENS = 9
NEW_TOKENS = 48
# A float32 engine must not be able to choose another token.
LEAST_MARGIN = 1e-3


def continuation(model: torch.nn.Module, prompt: torch.Tensor) -> dict:
    """The new tokens, the logits behind the last of them, and the least lead of a chosen token over the second best."""
    settings = GenerationConfig(
        max_new_tokens=NEW_TOKENS + 1,
        do_sample=False,
        eos_token_id=None,
        pad_token_id=0,
        output_logits=True,
        return_dict_in_generate=True,
    )
    # Else the model's own eos_token_id would be put in for the missing one.
    model.base_model.model.generation_config = settings
    with torch.no_grad(), precision(model):
        result = model.generate(input_ids=prompt[None], attention_mask=torch.ones_like(prompt[None]), generation_config=settings)
    logits = torch.cat(result.logits)
    assert len(logits) == NEW_TOKENS + 1, f"{len(logits)} tokens"
    best = logits[:-1].topk(2).values
    return {
        "prompt": prompt.tolist(),
        "tokens": result.sequences[0, len(prompt) : -1].tolist(),
        "logits": logits[-1].to(torch.float32).tolist(),
        "lead": float((best[:, 0] - best[:, 1]).min()),
    }


def main() -> None:
    torch.set_num_threads(1)
    disable_progress_bar()
    set_verbosity_error()
    golden = {}
    for name, family in FAMILIES.items():
        model = read_model(OUTPUT / name, torch.float64)
        generator = torch.Generator().manual_seed(family().seed + 300)
        prompts = torch.randint(3, family().config.vocab_size, (PROMPTS, PROMPT_TOKENS), generator=generator)
        found = [continuation(model, prompt) for prompt in prompts]
        clear = [one for one in found if one.pop("lead") >= LEAST_MARGIN]
        # Tiny models soon repeat themselves, those with a tied head above all.
        golden[name] = sorted(clear, key=lambda one: -len(set(one["tokens"])))[:KEPT]
        assert len(golden[name]) == KEPT, f"{name}: {len(clear)} prompts have a clear continuation"
        print(f"{name}: {[len(set(one['tokens'])) for one in golden[name]]} different tokens")
    lines = [f'"{name}": {json.dumps(found)}' for name, found in golden.items()]
    (OUTPUT / "generation.json").write_text("{\n" + ",\n".join(lines) + "\n}\n")


if __name__ == "__main__":
    main()
