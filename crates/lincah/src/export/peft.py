import torch
from peft import PeftModel
from transformers import AutoModelForCausalLM, AutoModelForSequenceClassification, AutoTokenizer

tokenizer = AutoTokenizer.from_pretrained(here)
if ask["rows"]:
    base = AutoModelForSequenceClassification.from_pretrained(here / ask["base"], num_labels=ask["rows"], dtype=torch.float32)
else:
    base = AutoModelForCausalLM.from_pretrained(here / ask["base"], dtype=torch.float32)
model = PeftModel.from_pretrained(base, here).eval()


def tokens(text):
    return tokenizer(text, add_special_tokens=False)["input_ids"]


@torch.no_grad()
def logits(ids):
    found = model(torch.tensor([ids])).logits[0]
    return (found if ask["rows"] else found[-1, ask["answers"]]).double().tolist()
