import torch
from peft import PeftModel
from transformers import AutoModelForCausalLM, AutoTokenizer

tokenizer = AutoTokenizer.from_pretrained(here)
base = AutoModelForCausalLM.from_pretrained(here / ask["base"], dtype=torch.float32)
model = PeftModel.from_pretrained(base, here).eval()


def tokens(text):
    return tokenizer(text, add_special_tokens=False)["input_ids"]


@torch.no_grad()
def logits(ids):
    return model(torch.tensor([ids])).logits[0, -1, ask["answers"]].double().tolist()
