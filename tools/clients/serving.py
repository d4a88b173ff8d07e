"""What the scripts of this folder share: `predict`'s scores of a text, a running `lincah serve`, and a plain JSON request."""

import json
import subprocess
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

KEY = "a-key-for-this-test-alone"


def predicted(lincah: str, classifier: str, text: str) -> dict[str, float]:
    """The scores of the command, by label."""
    answer = subprocess.run([lincah, "predict", classifier, "--input", text, "--quiet"], capture_output=True, text=True, check=True)
    return json.loads(answer.stdout)["scores"]


@contextmanager
def serving(lincah: str, classifier: str, folder: Path) -> Iterator[str]:
    """The address of a server that wants KEY and writes `journal.jsonl` into the folder; it must end by itself when asked to."""
    keys = folder / "keys"
    keys.write_text(f"test:{KEY}\n")
    server = subprocess.Popen(
        [lincah, "serve", f"classifier={classifier}", "--bind", "127.0.0.1:0", "--log", "none", "--key-file", str(keys), "--feedback", str(folder / "journal.jsonl")],
        stderr=subprocess.PIPE, text=True,
    )
    try:
        yield "http://" + server.stderr.readline().strip().split("http://")[1]
    finally:
        server.terminate()
        assert server.wait(30) == 0, "the server did not end by itself"


def ask(url: str, body: dict | list | None = None, authorization: str = f"Bearer {KEY}", method: str | None = None) -> dict | list | None:
    """What is answered to a JSON request: a POST if it has a body, else a GET, unless the method is given. `None` if the answer is empty."""
    headers = {"Content-Type": "application/json", "Authorization": authorization}
    data = None if body is None else json.dumps(body).encode()
    with urllib.request.urlopen(urllib.request.Request(url, data, headers, method=method)) as answer:
        text = answer.read()
    return json.loads(text) if text else None
