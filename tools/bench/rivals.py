"""What others make of few rows: ETHOS (splits 101 to 106), SST-2 and TREC (five draws), each with some 50, 100, 200 and 800 rows, banking77 (5 and 10
texts per label, five draws, 1,000 test rows). Each run is one JSON file; one that is there is not run again, and what is there is summed up. lincah's
own figures come from `committees.py` and `instant.py`, on the same rows; with `--lincah COMMAND --models A,B` it is a rival like the others, a whole
command that trains and one that scores. Peak memory is that of the process, so it counts only where a process has one run. Bytes are what must be kept to score.

Rivals: `tfidf` (scikit-learn), `minilm-frozen` (all-MiniLM-L6-v2 and logistic regression, C by five folds), `minilm-tuned` (all of it, with a linear
head), `setfit` (PyPI), `peft` (SmolLM2-135M with transformers and PEFT by lincah's recipe). Nothing is chosen on test rows.

Usage: python tools/bench/rivals.py SHARED DIR --minilm FOLDER [--smollm2 FILE.gguf] [--only PREFIX ...] [--share K/N] [--device cuda]
"""

import argparse
import csv
import json
import os
import pickle
import resource
import shutil
import statistics
import subprocess
import tempfile
import time
from pathlib import Path

os.environ["HF_HUB_OFFLINE"] = "1"
os.environ["TOKENIZERS_PARALLELISM"] = "false"

import numpy as np
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LogisticRegression, LogisticRegressionCV
from sklearn.metrics import accuracy_score, f1_score, roc_auc_score
from sklearn.pipeline import make_pipeline

from committees import FEW, drawn as drawn_together
from instant import drawn as drawn_apart

EPOCHS_OF_SMALL_SETS, EPOCHS = 20, 10
SIZES = [50, 100, 200, 800]


def rows(path: Path) -> list[dict]:
    with path.open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


class Task:
    def __init__(self, name: str, train: list[tuple[str, str]], test: list[tuple[str, str]]):
        self.name = name
        self.labels = sorted({label for _, label in train})
        self.texts, self.test_texts = [text for text, _ in train], [text for text, _ in test]
        self.y = np.array([self.labels.index(label) for _, label in train])
        self.test_y = np.array([self.labels.index(label) for _, label in test])


def tasks(shared: Path):
    with (shared / "ethos/Ethos_Dataset_Binary.csv").open(newline="", encoding="utf-8") as file:
        ethos = list(csv.DictReader(file, delimiter=";"))
    hate = [float(row["isHate"]) for row in ethos]
    median = statistics.median(hate)
    pairs = [(row["comment"], "1" if value >= median else "0") for row, value in zip(ethos, hate)]
    for seed in range(101, 107):
        order = np.random.RandomState(seed).permutation(len(pairs))
        test = [pairs[index] for index in order[-198:]]
        for size in SIZES:
            yield Task(f"ethos-{size}-{seed}", [pairs[index] for index in order[:-198][:size]], test)
    for data, count in [(data, count) for data, counts in FEW.items() for count in counts]:
        test = [(row["text"], row["label"]) for row in rows(shared / f"public/{data}_test.csv")]
        for seed in range(1, 6):
            train = drawn_together(shared / f"public/{data}_train.csv", count, seed)
            yield Task(f"{data}-{count}-{seed}", [(row["text"], row["label"]) for row in train], test)
    banking = rows(shared / "public/banking77_train.csv")
    test = rows(shared / "public/banking77_test.csv")
    test = [test[index] for index in np.random.RandomState(0).permutation(len(test))[:1000]]
    for count in [5, 10]:
        for seed in range(1, 6):
            train = drawn_apart(banking, "category", count, seed)
            yield Task(f"banking77-{count}-{seed}", [(row["text"], row["category"]) for row in train], [(row["text"], row["category"]) for row in test])


def bytes_of(module) -> int:
    return sum(parameter.numel() * parameter.element_size() for parameter in module.parameters())


# Each gives what scores texts, and the bytes that must be kept to do so (lincah's without its base models).


def tfidf(task: Task, _):
    model = make_pipeline(TfidfVectorizer(), LogisticRegression(max_iter=1000))
    model.fit(task.texts, task.y)
    return model.predict_proba, len(pickle.dumps(model))


def minilm_frozen(task: Task, options):
    from sentence_transformers import SentenceTransformer

    encoder = SentenceTransformer(options.minilm, device=options.device)
    folds = max(2, min(5, np.bincount(task.y).min()))
    model = LogisticRegressionCV(Cs=[1, 3, 10, 30, 100], cv=folds, scoring="neg_log_loss", max_iter=2000, use_legacy_attributes=False)
    model.fit(encoder.encode(task.texts), task.y)
    return lambda texts: model.predict_proba(encoder.encode(texts)), bytes_of(encoder) + len(pickle.dumps(model))


def minilm_tuned(task: Task, options):
    import torch
    from transformers import AutoModel, AutoTokenizer

    torch.manual_seed(1)
    tokenizer, encoder = AutoTokenizer.from_pretrained(options.minilm), AutoModel.from_pretrained(options.minilm).to(options.device)
    head = torch.nn.Linear(encoder.config.hidden_size, len(task.labels)).to(options.device)
    epochs = EPOCHS_OF_SMALL_SETS if len(task.texts) <= 400 else EPOCHS
    optimizer = torch.optim.AdamW([{"params": encoder.parameters(), "lr": 5e-5}, {"params": head.parameters(), "lr": 1e-3}], weight_decay=0.01)
    steps = epochs * -(-len(task.texts) // 16)
    schedule = torch.optim.lr_scheduler.LambdaLR(optimizer, lambda step: min(1, (step + 1) / (0.1 * steps)) * max(0, 1 - step / steps))

    def logits(texts: list[str]):
        batch = tokenizer(texts, padding=True, truncation=True, max_length=256, return_tensors="pt").to(options.device)
        mask = batch["attention_mask"].unsqueeze(-1)
        states = encoder(**batch).last_hidden_state
        return head((states * mask).sum(1) / mask.sum(1))

    order, targets = np.random.RandomState(1), torch.tensor(task.y, device=options.device)
    encoder.train()
    for _ in range(epochs):
        shuffled = order.permutation(len(task.texts))
        for begin in range(0, len(shuffled), 16):
            batch = shuffled[begin : begin + 16]
            loss = torch.nn.functional.cross_entropy(logits([task.texts[index] for index in batch]), targets[batch])
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            schedule.step()
    encoder.eval()

    @torch.no_grad()
    def predict(texts: list[str]) -> np.ndarray:
        return np.concatenate([logits(texts[begin : begin + 64]).softmax(-1).cpu().numpy() for begin in range(0, len(texts), 64)])

    return predict, bytes_of(encoder) + bytes_of(head)


def setfit(task: Task, options):
    from datasets import Dataset
    from setfit import SetFitModel, Trainer, TrainingArguments

    model = SetFitModel.from_pretrained(options.minilm).to(options.device)
    # About 8,000 pairs, the package's 20 a text for 200 texts.
    iterations = max(5, 4000 // len(task.texts))
    arguments = TrainingArguments(batch_size=16, num_iterations=iterations, num_epochs=1, report_to="none", seed=1, output_dir=str(options.dir / "setfit"), save_strategy="no")
    data = Dataset.from_dict({"text": task.texts, "label": task.y.tolist()})
    Trainer(model=model, args=arguments, train_dataset=data).train()
    stored = bytes_of(model.model_body) + len(pickle.dumps(model.model_head))
    return lambda texts: np.asarray(model.predict_proba(list(texts), as_numpy=True)), stored


def peft(task: Task, options):
    import torch
    from peft import LoraConfig, get_peft_model
    from transformers import AutoModelForCausalLM, AutoTokenizer

    torch.manual_seed(1)
    folder, file = os.path.split(options.smollm2)
    tokenizer = AutoTokenizer.from_pretrained(folder, gguf_file=file)
    model = AutoModelForCausalLM.from_pretrained(folder, gguf_file=file, dtype=torch.float32)
    model.is_quantized = False
    for name in ["hf_quantizer", "quantization_method"]:
        if hasattr(model, name):
            delattr(model, name)
    if hasattr(model.config, "quantization_config"):
        del model.config.quantization_config
    targets = ["q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj"]
    model = get_peft_model(model, LoraConfig(r=8, lora_alpha=16, target_modules=targets, task_type="CAUSAL_LM")).to(options.device)
    # Letters, where labels are more than two: their first tokens may be the same.
    names = ["Positive", "Negative"] if len(task.labels) == 2 else [chr(65 + index) for index in range(len(task.labels))]
    listed = ", ".join(names) if len(task.labels) == 2 else ", ".join(f"{name}: {label}" for name, label in zip(names, task.labels))
    answers = torch.tensor([tokenizer(name, add_special_tokens=False).input_ids[0] for name in names], device=options.device)

    def encode(text: str) -> list[int]:
        head = f"Classify the following text into one of the following classes:[{listed}]<separator>Text:"
        ids = tokenizer(head + text + "<separator>Prediction:", add_special_tokens=False).input_ids
        tail = tokenizer("<separator>Prediction:", add_special_tokens=False).input_ids
        return [tokenizer.bos_token_id] + (ids if len(ids) < 256 else ids[: 255 - len(tail)] + tail)

    def logits(batch: list[list[int]]):
        ids = torch.zeros((len(batch), max(map(len, batch))), dtype=torch.long)
        mask = torch.zeros_like(ids)
        for row, tokens in enumerate(batch):
            ids[row, : len(tokens)], mask[row, : len(tokens)] = torch.tensor(tokens), 1
        ids, mask = ids.to(options.device), mask.to(options.device)
        states = model.base_model.model.model(input_ids=ids, attention_mask=mask).last_hidden_state
        last = states[torch.arange(len(batch)), mask.sum(1) - 1]
        return last @ model.base_model.model.lm_head.weight[answers].T

    encoded = [encode(text) for text in task.texts]
    epochs = min(16, max(4, 1600 // len(encoded)))
    optimizer = torch.optim.Adam([p for p in model.parameters() if p.requires_grad], lr=1e-3, eps=1e-7)
    steps = epochs * -(-len(encoded) // 8)
    schedule = torch.optim.lr_scheduler.LambdaLR(optimizer, lambda step: min(1, (step + 1) / (0.06 * steps)) * 0.5 * (1 + np.cos(np.pi * step / steps)))
    order, truth = np.random.RandomState(1), torch.tensor(task.y, device=options.device)
    for _ in range(epochs):
        shuffled = order.permutation(len(encoded))
        for begin in range(0, len(shuffled), 8):
            batch = shuffled[begin : begin + 8]
            loss = torch.nn.functional.cross_entropy(logits([encoded[index] for index in batch]), truth[batch])
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            schedule.step()
    model.eval()

    @torch.no_grad()
    def predict(texts: list[str]) -> np.ndarray:
        all_tokens = [encode(text) for text in texts]
        order = sorted(range(len(texts)), key=lambda index: len(all_tokens[index]))
        found = np.zeros((len(texts), len(names)))
        for begin in range(0, len(order), 32):
            batch = order[begin : begin + 32]
            found[batch] = logits([all_tokens[index] for index in batch]).softmax(-1).cpu().numpy()
        return found

    return predict, os.path.getsize(options.smollm2) + sum(4 * p.numel() for p in model.parameters() if p.requires_grad)


def lincah(task: Task, options):
    with tempfile.TemporaryDirectory() as folder:
        kept = options.dir / f"lincah-{task.name}"
        shutil.rmtree(kept, ignore_errors=True)
        rows = Path(folder, "train.csv")
        with rows.open("w", newline="", encoding="utf-8") as file:
            csv.writer(file).writerows([["text", "label"], *zip(task.texts, [task.labels[y] for y in task.y])])
        files = ["--text", "text", "--label", "label", "--labels", ",".join(task.labels)]
        subprocess.run([*options.lincah, "train", str(rows), *files, "--model", options.models, *options.train, "--quiet", "--out", str(kept)], check=True)
    stored = sum(path.stat().st_size for path in kept.rglob("*") if path.is_file())

    def predict(texts: list[str]) -> np.ndarray:
        with tempfile.TemporaryDirectory() as folder:
            rows = Path(folder, "test.csv")
            with rows.open("w", newline="", encoding="utf-8") as file:
                csv.writer(file).writerows([["text"], *([text] for text in texts)])
            ran = subprocess.run([*options.lincah, "predict", str(kept), str(rows), "--text", "text", "--quiet"], check=True, capture_output=True, text=True)
        return np.array([[json.loads(line)["scores"][label] for label in task.labels] for line in ran.stdout.splitlines()])

    return predict, stored


RIVALS = {"tfidf": tfidf, "minilm-frozen": minilm_frozen, "minilm-tuned": minilm_tuned, "setfit": setfit, "peft": peft, "lincah": lincah}


def run(name: str, task: Task, options) -> dict:
    begun = time.time()
    predict, stored = RIVALS[name](task, options)
    trained = time.time()
    scores = predict(task.test_texts)
    scored = time.time()
    found = {
        "macro_f1": f1_score(task.test_y, scores.argmax(1), average="macro"),
        "accuracy": accuracy_score(task.test_y, scores.argmax(1)),
        "seconds": trained - begun,
        "texts_per_second": len(task.test_y) / (scored - trained),
        "peak_memory_mb": max(resource.getrusage(who).ru_maxrss for who in [resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN][name == "lincah" :]) / 1024,
        "megabytes_kept": stored / 1e6,
        "device": options.device,
    }
    if len(task.labels) == 2:
        found["roc_auc"] = roc_auc_score(task.test_y, scores[:, 1])
        found["f1"] = f1_score(task.test_y, scores.argmax(1))
    return found


def summary(folder: Path) -> None:
    groups: dict[str, dict[str, list[float]]] = {}
    for path in sorted(folder.glob("*.json")):
        group = groups.setdefault(path.stem.rsplit("-", 1)[0], {})
        for metric, value in json.loads(path.read_text()).items():
            if isinstance(value, float):
                group.setdefault(metric, []).append(value)
    for name, metrics in groups.items():
        line = [f"{metric} {statistics.mean(values):.4f} (worst {min(values):.4f})" for metric, values in metrics.items()]
        print(f"{name} ({len(next(iter(metrics.values())))}): {', '.join(line)}")


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("shared", type=Path)
    parser.add_argument("dir", type=Path)
    parser.add_argument("--minilm", required=True)
    parser.add_argument("--smollm2")
    parser.add_argument("--lincah", nargs="+", help="the command, with options for every verb")
    parser.add_argument("--models", default="smollm2-135m,minilm", help="of lincah")
    parser.add_argument("--train", nargs="*", default=[], help="further options of its training, each as one word: --train=--preset=instant")
    parser.add_argument("--rivals", nargs="*", default=[rival for rival in RIVALS if rival != "lincah"])
    parser.add_argument("--share", default="1/1", help="K/N: every Nth run from the Kth on, so that N processes share them")
    parser.add_argument("--only", nargs="*", default=[""])
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--seconds", type=float, default=float("inf"), help="begin no further run after so many")
    options = parser.parse_args()
    options.dir.mkdir(parents=True, exist_ok=True)
    begun, (share, of) = time.time(), map(int, options.share.split("/"))
    wanted = [task for task in tasks(options.shared) if any(task.name.startswith(prefix) for prefix in options.only)]
    all_runs = [(rival, task) for rival in options.rivals for task in wanted if rival != "peft" or len(task.labels) <= 10]
    for rival, task in all_runs[share - 1 :: of]:
        path = options.dir / f"{rival}-{task.name}.json"
        if not path.exists() and time.time() - begun < options.seconds:
            path.write_text(json.dumps(run(rival, task, options)))
    summary(options.dir)


if __name__ == "__main__":
    main()
