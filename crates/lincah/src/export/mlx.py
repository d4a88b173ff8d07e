import mlx.core as mx
from mlx_lm import load
from transformers import AutoTokenizer

tokenizer = AutoTokenizer.from_pretrained(here)
model, _ = load(str(here / ask["base"]), adapter_path=str(here))


def tokens(text):
    return tokenizer(text, add_special_tokens=False)["input_ids"]


def logits(ids):
    return [float(logit) for logit in model(mx.array([ids]))[0, -1, mx.array(ask["answers"])].astype(mx.float32)]
