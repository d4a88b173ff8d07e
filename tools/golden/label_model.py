"""A classifier as PEFT users build it: a causal language model whose label tokens are scored at the last position of a prompt.

Written apart from lincah, to compare with it: nothing here reads lincah's code, only its adapter folder.
"""

import argparse
import json
import os
import warnings
from dataclasses import dataclass
from pathlib import Path

os.environ["HF_HUB_OFFLINE"] = "1"
os.environ["TQDM_DISABLE"] = "1"

import torch
from transformers import AutoModelForCausalLM, AutoTokenizer
from transformers.utils.logging import disable_progress_bar

INSTRUCTION = "Classify the following text into one of the following classes"


def add_prompt_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--instruction", default=INSTRUCTION, help="the labels follow it as ':[A,B]'")
    parser.add_argument("--separator", default="<separator>")
    parser.add_argument("--labels", default="Positive,Negative", help="comma-separated, in the order of the prompt")
    parser.add_argument("--max-tokens", type=int, default=128, help="of a training row: BOS, prompt, label and an end token")
    parser.add_argument("--no-bos", action="store_true")
    parser.add_argument("--threads", type=int, default=2)


@dataclass
class Prompt:
    """Text to token ids. Control pieces in the text, such as `<eos>`, are read as plain text."""

    tokenizer: object
    instruction: str
    separator: str
    labels: list[str]
    max_tokens: int
    bos: list[int]

    @staticmethod
    def from_arguments(tokenizer, arguments: argparse.Namespace) -> "Prompt":
        bos = [] if arguments.no_bos else [tokenizer.bos_token_id]
        labels = arguments.labels.split(",")
        return Prompt(tokenizer, arguments.instruction, arguments.separator, labels, arguments.max_tokens, bos)

    def tokens(self, text: str) -> list[int]:
        return self.tokenizer(text, add_special_tokens=False, split_special_tokens=True).input_ids

    def label_tokens(self) -> list[int]:
        pieces = [self.tokens(label) for label in self.labels]
        split = [label for label, ids in zip(self.labels, pieces) if len(ids) != 1]
        if split:
            raise SystemExit(f"labels that are not one token: {', '.join(split)}")
        return [ids[0] for ids in pieces]

    def encode(self, text: str) -> list[int]:
        """Too long a prompt loses the end of its text; the instruction and the tail stay."""
        tail = f"{self.separator}Prediction:"
        ids = self.tokens(f"{self.instruction}:[{','.join(self.labels)}]{self.separator}Text:{text}{tail}")
        room = self.max_tokens - 2 - len(self.bos)
        if len(ids) > room:
            tail_ids = self.tokens(tail)
            ids = ids[: room - len(tail_ids)] + tail_ids
        return self.bos + ids


def load_model(path: str, threads: int) -> tuple[torch.nn.Module, object]:
    """A GGUF file or a Hugging Face folder as a float32 model and its tokenizer."""
    torch.set_num_threads(threads)
    disable_progress_bar()
    warnings.simplefilter("ignore", FutureWarning)
    file = Path(path)
    source, options = (file.parent, {"gguf_file": file.name}) if file.suffix == ".gguf" else (file, {})
    tokenizer = AutoTokenizer.from_pretrained(source, **options)
    model = AutoModelForCausalLM.from_pretrained(source, dtype=torch.float32, **options)
    forget_quantization(model)
    return model, tokenizer


def forget_quantization(model: torch.nn.Module) -> None:
    """transformers dequantizes a GGUF file but keeps its marks, and peft would then look for a quantized layer."""
    model.is_quantized = False
    for owner, names in ((model, ("hf_quantizer", "quantization_method")), (model.config, ("quantization_config",))):
        for name in names:
            if hasattr(owner, name):
                delattr(owner, name)


def pad(sequences: list[list[int]]) -> tuple[torch.Tensor, torch.Tensor]:
    """Token ids and attention mask, [S, longest], padded on the right."""
    width = max(map(len, sequences))
    ids = torch.tensor([sequence + [0] * (width - len(sequence)) for sequence in sequences])
    mask = torch.tensor([[1] * len(sequence) + [0] * (width - len(sequence)) for sequence in sequences])
    return ids, mask


def logits_at(peft_model: torch.nn.Module, sequences: list[list[int]], every_position: bool) -> torch.Tensor:
    """Logits [rows, V] at the last token of each sequence, or at every token of all of them, in order."""
    language_model = peft_model.base_model.model
    ids, mask = pad(sequences)
    hidden = language_model.model(input_ids=ids, attention_mask=mask, use_cache=False).last_hidden_state
    if every_position:
        rows = hidden[mask.bool()]
    else:
        rows = hidden[torch.arange(len(sequences)), mask.sum(1) - 1]
    logits = language_model.lm_head(rows)
    cap = getattr(language_model.config, "final_logit_softcapping", None)
    return logits if cap is None else cap * torch.tanh(logits / cap)


def label_probabilities(peft_model: torch.nn.Module, prompt: Prompt, texts: list[str]) -> list[dict[str, float]]:
    """Softmax over the label tokens for each text, one text at a time, so that no score depends on its neighbours."""
    label_tokens = prompt.label_tokens()
    peft_model.eval()
    scores = []
    with torch.inference_mode():
        for text in texts:
            logits = logits_at(peft_model, [prompt.encode(text)], every_position=False)[0, label_tokens]
            scores.append(dict(zip(prompt.labels, torch.softmax(logits.double(), dim=0).tolist())))
    return scores


def read_texts(path: str, field: str) -> list[str]:
    return [json.loads(line)[field] for line in Path(path).read_text(encoding="utf-8").splitlines() if line.strip()]


def write_scores(path: str, prompt: Prompt, texts: list[str], scores: list[dict[str, float]]) -> None:
    """Token counts are there to tell a difference of the prompt from a difference of the model."""
    rows = [{"tokens": len(prompt.encode(text)), "scores": score} for text, score in zip(texts, scores)]
    written = {"labels": prompt.labels, "label_tokens": prompt.label_tokens(), "texts": rows}
    Path(path).write_text(json.dumps(written, indent=1) + "\n")
