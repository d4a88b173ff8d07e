"""Trains a LoRA adapter with PEFT on rows of a CSV, saves it, and writes its scores of the held-out rows or of given texts.

Rows are shuffled as pandas' `sample(frac=1, random_state=SPLIT_SEED)`; the last HOLDOUT are held out, and the first TRAIN_SIZE of
the others train. The last label is the positive class. The summary is one JSON object on standard output.
Usage: python tools/golden/peft_train.py MODEL.gguf DATA.csv ADAPTER_DIR --text comment --label isHate --positive-at median
"""

import argparse
import json
import resource
import time

# First, for it sets the environment that transformers and peft read when imported.
from label_model import Prompt, add_prompt_arguments, label_probabilities, load_model, logits_at, read_texts, write_scores

import numpy
import pandas
import torch
from peft import LoraConfig, get_peft_model
from sklearn.metrics import f1_score, roc_auc_score
from torch.nn.functional import cross_entropy

ALL_PROJECTIONS = ["q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj"]


def read_arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("model", help="GGUF file or Hugging Face folder")
    parser.add_argument("data", help="CSV with a header")
    parser.add_argument("adapter", help="folder to save the adapter in")
    parser.add_argument("--delimiter", default=";")
    parser.add_argument("--text", required=True, help="column of the text")
    parser.add_argument("--label", required=True, help="numeric column")
    parser.add_argument("--positive-at", default="0.5", help="positive from this value of the label on: a number, or 'median'")
    parser.add_argument("--holdout", type=int, default=198)
    parser.add_argument("--split-seed", type=int, default=32)
    parser.add_argument("--train-size", type=int, help="default: all rows that are not held out")
    parser.add_argument("--loss", choices=["label", "restricted", "all-tokens"], default="label")
    parser.add_argument("--epochs", type=int, default=4)
    parser.add_argument("--batch-size", type=int, default=8)
    parser.add_argument("--learning-rate", type=float, default=1e-3)
    parser.add_argument("--adam-epsilon", type=float, default=1e-7)
    parser.add_argument("--schedule", choices=["constant", "linear"], default="linear")
    parser.add_argument("--warmup", type=float, default=0.06, help="fraction of the steps, with the linear schedule")
    parser.add_argument("--rank", type=int, default=8)
    parser.add_argument("--alpha", type=int, default=16)
    parser.add_argument("--dropout", type=float, default=0.0)
    parser.add_argument("--targets", default="all", help="module names, comma-separated, or 'all'")
    parser.add_argument("--layers", help="FIRST:END, END excluded; default: all layers")
    parser.add_argument("--seed", type=int, default=1234)
    parser.add_argument("--max-steps", type=int, help="stop after this many; the schedule stays that of a full run")
    parser.add_argument("--texts", help="JSONL of texts to score instead of the held-out rows")
    parser.add_argument("--text-field", default="text")
    parser.add_argument("--scores", help="JSON file to write scores to; without it nothing is scored")
    add_prompt_arguments(parser)
    return parser.parse_args()


def split_rows(arguments: argparse.Namespace) -> tuple[pandas.DataFrame, pandas.DataFrame]:
    rows = pandas.read_csv(arguments.data, delimiter=arguments.delimiter)
    values = rows[arguments.label].astype(float)
    cut = values.median() if arguments.positive_at == "median" else float(arguments.positive_at)
    rows = pandas.DataFrame({"text": rows[arguments.text], "positive": (values >= cut).astype(int)})
    rows = rows.sample(frac=1, random_state=arguments.split_seed)
    rest = len(rows) - arguments.holdout
    return rows[: min(rest, arguments.train_size or rest)], rows[rest:]


def lora_config(arguments: argparse.Namespace) -> LoraConfig:
    return LoraConfig(
        r=arguments.rank,
        lora_alpha=arguments.alpha,
        lora_dropout=arguments.dropout,
        target_modules=ALL_PROJECTIONS if arguments.targets == "all" else arguments.targets.split(","),
        layers_to_transform=list(range(*map(int, arguments.layers.split(":")))) if arguments.layers else None,
        task_type="CAUSAL_LM",
    )


def batch_loss(
    model: torch.nn.Module, loss: str, prompts: list[list[int]], classes: list[int], label_tokens: list[int]
) -> torch.Tensor:
    """`label`: cross-entropy of the label's token over the vocabulary; `restricted`: over the label tokens only.

    `all-tokens`: the mean over every next token of the batch, the label's at the end of each sequence.
    """
    targets = [label_tokens[k] for k in classes]
    logits = logits_at(model, prompts, every_position=loss == "all-tokens")
    if loss == "restricted":
        return cross_entropy(logits[:, label_tokens], torch.tensor(classes))
    if loss == "label":
        return cross_entropy(logits, torch.tensor(targets))
    next_tokens = [token for prompt, target in zip(prompts, targets) for token in [*prompt[1:], target]]
    return cross_entropy(logits, torch.tensor(next_tokens))


def learning_rate_factor(arguments: argparse.Namespace, steps: int):
    if arguments.schedule == "constant":
        return lambda step: 1.0
    warmup = arguments.warmup * steps
    return lambda step: min(1.0, (step + 1) / max(warmup, 1.0)) * max(0.0, 1.0 - step / steps)


def train(model: torch.nn.Module, prompt: Prompt, rows: pandas.DataFrame, arguments: argparse.Namespace) -> dict:
    prompts = [prompt.encode(text) for text in rows.text]
    classes = rows.positive.tolist()
    label_tokens = prompt.label_tokens()
    size = arguments.batch_size
    steps = arguments.epochs * -(-len(prompts) // size)
    trainable = [parameter for parameter in model.parameters() if parameter.requires_grad]
    optimizer = torch.optim.Adam(trainable, lr=arguments.learning_rate, eps=arguments.adam_epsilon)
    schedule = torch.optim.lr_scheduler.LambdaLR(optimizer, learning_rate_factor(arguments, steps))
    random = numpy.random.default_rng(arguments.seed)
    orders = [random.permutation(len(prompts)) for _ in range(arguments.epochs)]
    batches = [order[at : at + size] for order in orders for at in range(0, len(order), size)][: arguments.max_steps]

    model.train()
    losses, examples, tokens = [], 0, 0
    start = time.perf_counter()
    for batch in batches:
        chosen = [prompts[i] for i in batch]
        loss = batch_loss(model, arguments.loss, chosen, [classes[i] for i in batch], label_tokens)
        loss.backward()
        optimizer.step()
        schedule.step()
        optimizer.zero_grad()
        losses.append(loss.item())
        examples += len(batch)
        tokens += sum(map(len, chosen))
    seconds = time.perf_counter() - start
    return {
        "steps": len(batches),
        "seconds": round(seconds, 2),
        "examples_per_second": round(examples / seconds, 2),
        "tokens_per_second": round(tokens / seconds, 1),
        "first_loss": round(losses[0], 5),
        "last_losses_mean": round(float(numpy.mean(losses[-50:])), 5),
        "trainable_parameters": sum(parameter.numel() for parameter in trainable),
    }


def peak_memory_mb() -> float:
    return round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024, 1)


def main() -> None:
    arguments = read_arguments()
    torch.manual_seed(arguments.seed)
    training, held_out = split_rows(arguments)
    base, tokenizer = load_model(arguments.model, arguments.threads)
    summary = {"model": base.config.model_type, "train_size": len(training), "peak_memory_mb_after_load": peak_memory_mb()}
    prompt = Prompt.from_arguments(tokenizer, arguments)
    if len(prompt.labels) != 2:
        raise SystemExit("two labels are needed: below the cut, and at or above it")

    model = get_peft_model(base, lora_config(arguments))
    summary |= train(model, prompt, training, arguments)
    summary["peak_memory_mb"] = peak_memory_mb()
    model.save_pretrained(arguments.adapter, save_embedding_layers=False)

    if arguments.scores:
        texts = read_texts(arguments.texts, arguments.text_field) if arguments.texts else held_out.text.tolist()
        scores = label_probabilities(model, prompt, texts)
        write_scores(arguments.scores, prompt, texts, scores)
        if not arguments.texts:
            positive = [score[prompt.labels[-1]] for score in scores]
            summary["f1"] = round(f1_score(held_out.positive, [p >= 0.5 for p in positive]), 4)
            summary["roc_auc"] = round(roc_auc_score(held_out.positive, positive), 4)
    print(json.dumps(summary))


if __name__ == "__main__":
    main()
