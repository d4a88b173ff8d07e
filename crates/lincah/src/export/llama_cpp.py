from llama_cpp import Llama

# Type 0 is F32, for keys and values as exact as the rest.
exact = {"type_k": 0, "type_v": 0}
# Of an adapter the GGUF file of its base model comes first: python score.py BASE.gguf "a text" "another text".
lora = str(here / "adapter.gguf") if ask["base"] else None
path = sys.argv.pop(1) if lora else str(here / "model.gguf")
model = Llama(path, lora_path=lora, n_ctx=ask["max_tokens"], logits_all=True, verbose=False, **exact)


def tokens(text):
    return model.tokenize(text.encode(), add_bos=False, special=False)


def logits(ids):
    model.reset()
    model.eval(ids)
    return [float(model.scores[len(ids) - 1][answer]) for answer in ask["answers"]]
