"""The Hub's client, unmodified, against a server of this machine that speaks as much of the Hub as it needs."""

import base64
import hashlib
import json
import pickle
import subprocess
import sys
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from lincah import AgileClassifier

pytest.importorskip("huggingface_hub")
NAME = "someone/civility"


class Hub(BaseHTTPRequestHandler):
    """One repository, with one commit after the other."""

    files: dict[str, bytes] = {}
    commits: list[str] = []
    tokens: set[str] = set()

    def answer(self, content: bytes | dict, status=200, **headers):
        content = content if isinstance(content, bytes) else json.dumps(content).encode()
        self.send_response(status)
        for name, value in {"Content-Length": str(len(content)), **headers}.items():
            self.send_header(name.replace("_", "-"), value)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(content)

    def do_POST(self):
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        self.tokens.add(self.headers.get("Authorization", ""))
        url = f"http://{self.headers['Host']}/{NAME}"
        if self.path == "/api/repos/create":
            self.answer({"url": url, "id": NAME})
        elif self.path == "/api/validate-yaml":
            self.answer({"warnings": [], "errors": []})
        elif self.path.startswith(f"/api/models/{NAME}/preupload/"):
            files = json.loads(body)["files"]
            self.answer({"files": [{"path": file["path"], "uploadMode": "regular", "shouldIgnore": False} for file in files]})
        elif self.path.startswith(f"/api/models/{NAME}/commit/"):
            for line in map(json.loads, body.splitlines()):
                if line["key"] == "file":
                    self.files[line["value"]["path"]] = base64.b64decode(line["value"]["content"])
            self.commits.append(hashlib.sha1(body).hexdigest())
            self.answer({"success": True, "commitOid": self.commits[-1], "commitUrl": f"{url}/commit/{self.commits[-1]}"})
        else:
            self.answer({"error": self.path}, 404)

    def do_GET(self):
        path = self.path.split("?")[0]
        listed = [
            {"type": "file", "path": name, "size": len(bytes), "oid": hashlib.sha1(bytes).hexdigest()}
            for name, bytes in self.files.items()
        ]
        if path.startswith(f"/api/models/{NAME}/tree/"):
            self.answer(json.dumps(listed).encode())
        elif path.startswith(f"/api/models/{NAME}"):
            siblings = [{"rfilename": name} for name in self.files]
            self.answer({"id": NAME, "sha": self.commits[-1], "siblings": siblings, "private": False})
        elif path.startswith(f"/{NAME}/resolve/"):
            content = self.files[path.split("/", 5)[5]]
            self.answer(content, ETag=f'"{hashlib.sha1(content).hexdigest()}"', X_Repo_Commit=self.commits[-1])
        else:
            self.answer({"error": self.path}, 404)

    do_HEAD = do_GET

    def log_message(self, *_):
        pass


@pytest.fixture
def endpoint():
    server = ThreadingHTTPServer(("127.0.0.1", 0), Hub)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()


PUSH = """
import pickle, sys
classifier = pickle.loads(open(sys.argv[1], "rb").read())
print(classifier.push_to_hub(sys.argv[2], token="hf_of_a_test"))
"""
PULL = """
import sys
from lincah import AgileClassifier
print(AgileClassifier.from_hub(sys.argv[1], device="cpu").predict_proba(["aaaa bbbb", "zzzz"]).tolist())
"""


def test_a_classifier_comes_back_from_the_hub(endpoint, model, rows, tmp_path, users_environment):
    classifier = AgileClassifier(model=model, preset="instant", device="cpu").fit(*rows)
    (tmp_path / "pickled").write_bytes(pickle.dumps(classifier))
    # The client reads its settings once, when it is imported.
    environment = users_environment | {"HF_ENDPOINT": endpoint, "HF_HUB_OFFLINE": "0", "HF_HOME": str(tmp_path / "home")}

    def python(code, *arguments):
        ran = subprocess.run([sys.executable, "-c", code, *arguments], env=environment, capture_output=True, text=True, timeout=120)
        assert ran.returncode == 0, ran.stderr
        return ran.stdout.strip()

    assert python(PUSH, str(tmp_path / "pickled"), NAME).endswith(f"/commit/{Hub.commits[-1]}")
    assert {"classifier.json", "estimator.json"} <= set(Hub.files) and "Bearer hf_of_a_test" in Hub.tokens
    assert not any(text.encode() in content for text in rows[0] for content in Hub.files.values())
    assert json.loads(python(PULL, NAME)) == classifier.predict_proba(["aaaa bbbb", "zzzz"]).tolist()
