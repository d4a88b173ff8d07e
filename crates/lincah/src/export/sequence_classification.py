import torch
from transformers import AutoModelForSequenceClassification, AutoTokenizer

tokenizer = AutoTokenizer.from_pretrained(here)
model = AutoModelForSequenceClassification.from_pretrained(here, dtype=torch.float32).eval()


def tokens(text):
    return tokenizer(text, add_special_tokens=False)["input_ids"]


@torch.no_grad()
def logits(ids):
    return model(torch.tensor([ids])).logits[0].double().tolist()
