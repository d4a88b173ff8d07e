"""What a team would write without lincah: transformers behind FastAPI and uvicorn, with batching of its own, on the model that
`lincah export CLASSIFIER --to sequence-classification --out EXPORT` writes. Requests wait in a queue; a thread takes up to 64 texts, pads and
scores them. Answers `/v1/score` in lincah's form, so that `serve_load.py`'s clients can ask both.

Usage: python tools/bench/fastapi_rival.py EXPORT --port 8090      (needs torch, transformers, fastapi, uvicorn)
"""

import argparse
import asyncio
import json
import queue
import threading
from pathlib import Path

import torch
import uvicorn
from fastapi import FastAPI, Request
from transformers import AutoModelForSequenceClassification, AutoTokenizer

MOST = 64


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("export", type=Path)
    parser.add_argument("--port", type=int, default=8090)
    parser.add_argument("--threads", type=int, default=2)
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    ask = json.loads((options.export / "prompt.json").read_text(encoding="utf-8"))
    tokenizer = AutoTokenizer.from_pretrained(options.export)
    tokenizer.padding_side = "left"
    model = AutoModelForSequenceClassification.from_pretrained(options.export, dtype=torch.float32).eval()
    waiting: queue.Queue = queue.Queue()

    @torch.inference_mode()
    def score(texts: list[str]) -> list[list[float]]:
        prompts = [ask["head"] + text + ask["tails"][0] for text in texts]
        batch = tokenizer(prompts, return_tensors="pt", padding=True, truncation=True, max_length=ask["max_tokens"])
        return model(**batch).logits.softmax(-1).tolist()

    def work() -> None:
        while True:
            jobs = [waiting.get()]
            while len(jobs) < MOST and not waiting.empty():
                jobs.append(waiting.get())
            texts = [text for job_texts, _, _ in jobs for text in job_texts]
            # Texts of like length together, as padding costs.
            order = sorted(range(len(texts)), key=lambda place: len(texts[place]))
            found: list = [None] * len(texts)
            for start in range(0, len(order), MOST):
                part = order[start : start + MOST]
                for place, scores in zip(part, score([texts[place] for place in part])):
                    found[place] = scores
            for job_texts, loop, future in jobs:
                own, found = found[: len(job_texts)], found[len(job_texts) :]
                loop.call_soon_threadsafe(future.set_result, own)

    threading.Thread(target=work, daemon=True).start()
    app = FastAPI()

    @app.post("/v1/score")
    async def answer(request: Request) -> dict:
        asked = (await request.json())["input"]
        texts = [asked] if isinstance(asked, str) else asked
        loop = asyncio.get_running_loop()
        future = loop.create_future()
        waiting.put((texts, loop, future))
        return {"results": [{"scores": dict(zip(ask["labels"], scores))} for scores in await future]}

    uvicorn.run(app, port=options.port, log_level="warning")


if __name__ == "__main__":
    main()
