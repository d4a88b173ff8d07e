"""A sitting at the studio in headless Chromium: 60 of the sample's texts are labelled by keys, some answers are taken back, and the server is killed three
times on the way; then the guideline changes, labels are confirmed, a threshold is chosen and a classifier published, which must decide and score as the
page did. Fails where something that the page showed as saved is not there, or where the page says anything to the console. Prints the milliseconds
from a key to the next text, and leaves pictures.

Usage: pip install -r tools/studio/requirements.txt; python tools/studio/sitting.py LINCAH FOLDER [--chromium PATH] [--labels N]
"""

import argparse
import atexit
import csv
import json
import shutil
import signal
import statistics
import subprocess
import time
from pathlib import Path

from playwright.sync_api import Page, sync_playwright

SAMPLE = Path(__file__).parents[2] / "samples/comments.csv"
LABELS = ["civil", "uncivil"]


class Studio:
    """The command, begun again at the same address after a kill."""

    def __init__(self, lincah: str, project: Path):
        self.lincah, self.project, self.port, self.child = lincah, project, 0, None

    def start(self) -> str:
        new = [] if self.project.exists() else [str(SAMPLE), "--text", "comment", "--labels", ",".join(LABELS)]
        command = [self.lincah, "studio", str(self.project), *new, "--bind", f"127.0.0.1:{self.port}"]
        self.child = subprocess.Popen(command, stderr=subprocess.PIPE, text=True)
        for line in self.child.stderr:
            if "http://" in line:
                address = line.split("http://")[1].split()[0]
                self.port = int(address.rsplit(":", 1)[1])
                return f"http://{address}"
        raise RuntimeError("the studio did not start")

    def end(self) -> None:
        if self.child is not None and self.child.poll() is None:
            self.kill()

    def kill(self) -> None:
        self.child.send_signal(signal.SIGKILL)
        self.child.wait()

    def journal(self) -> list[dict]:
        return [json.loads(line) for line in (self.project / "journal.jsonl").read_text().splitlines()]


def shown(page: Page) -> str:
    return page.eval_on_selector("#text", "element => element.textContent")


def wait_for_other(page: Page, text: str) -> None:
    page.wait_for_function("text => document.getElementById('text').textContent !== text", arg=text, polling=5)


def labelled(page: Page) -> int:
    return int(page.inner_text("#progress").split()[0])


def change_guideline(page: Page, studio: Studio) -> None:
    """Ticks the second label, and answers four texts by keys, of which some come again."""
    page.click("#guideline-change")
    page.fill("#guideline-text", "Uncivil: it attacks a person.\nCivil: all else.")
    page.check("#guideline-touches input[value='1']")
    page.click("#guideline-form button[type=submit]")
    page.wait_for_function("() => document.getElementById('guideline').textContent.startsWith('Uncivil: it attacks')")
    page.wait_for_function("() => document.getElementById('progress').textContent.includes('to look at again')")
    page.click("#text")
    for _ in range(4):
        text = shown(page)
        again = "older guideline" in page.inner_text("#reason")
        page.keyboard.press("2" if again else "s")
        wait_for_other(page, text)
    confirmed = [entry for entry in studio.journal() if entry.get("guideline") == "1" and entry["action"] == "label"]
    assert len(confirmed) >= 1, "no text came again after the guideline had changed"


def publish(page: Page, studio: Studio) -> float:
    """Publishes with a threshold of its own; gives the largest difference between the page's scores of texts and those that `predict` gives by it."""
    page.wait_for_function("() => !document.getElementById('decide').hidden")
    page.fill("#threshold", "35")
    assert page.inner_text("#threshold-value") == "0.35" and "in a thousand" in page.inner_text("#consequences")
    page.wait_for_function("() => document.getElementById('model').textContent.includes('knows every answer')", timeout=60_000)
    page.click("#publish")
    page.wait_for_function("() => document.getElementById('published').textContent.includes('Version 1')", timeout=120_000)
    folder = studio.project / "classifiers/1"
    assert json.loads((folder / "classifier.json").read_text())["decision_rule"]["thresholds"][1] == 0.35
    turns = []
    for _ in range(8):
        # Neither a skipped new text nor a confirmed label changes what the classifier is trained on.
        text, labels = shown(page), page.evaluate("() => turn.labels")
        page.keyboard.press(str(labels[0] + 1) if labels else "s")
        wait_for_other(page, text)
        turns.append(page.evaluate("() => turn"))
    turns = [turn for turn in turns if turn["probabilities"]]
    assert turns, "the page has scores of none of the next texts"
    texts, scores = folder.parent.parent / "shown.jsonl", folder.parent.parent / "scores.jsonl"
    texts.write_text("".join(json.dumps({"text": turn["content"]}) + "\n" for turn in turns))
    command = [studio.lincah, "predict", str(folder), str(texts), "--text", "text", "--out", str(scores)]
    subprocess.run(command, check=True, capture_output=True)
    rows = [json.loads(line) for line in scores.read_text().splitlines()]
    return max(abs(row["scores"][LABELS[1]] - turn["probabilities"][1]) for row, turn in zip(rows, turns, strict=True))


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("lincah")
    parser.add_argument("folder", type=Path)
    parser.add_argument("--chromium", default=shutil.which("chromium"))
    parser.add_argument("--labels", type=int, default=60)
    options = parser.parse_args()
    options.folder.mkdir(parents=True, exist_ok=True)
    with SAMPLE.open(newline="", encoding="utf-8") as file:
        truth = {row["comment"]: row["label"] for row in csv.DictReader(file)}
    studio = Studio(options.lincah, options.folder / "project")
    atexit.register(studio.end)
    said: list[str] = []
    waits, told = [], []
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=options.chromium, args=["--no-sandbox"])
        page = browser.new_page(viewport={"width": 1280, "height": 800})
        page.on("pageerror", lambda error: told.append(str(error)))
        address = studio.start()
        page.goto(address)
        page.wait_for_function("() => document.getElementById('text').textContent.length > 3")
        kills = {options.labels * part // 4 for part in [1, 2, 3]}
        undos = {options.labels * part // 6 for part in [1, 3, 5]}
        while len(said) < options.labels:
            text = shown(page)
            begun = time.perf_counter()
            page.keyboard.press(str(LABELS.index(truth[text]) + 1))
            wait_for_other(page, text)
            waits.append(1000 * (time.perf_counter() - begun))
            said.append(text)
            if len(said) in undos:
                undos.remove(len(said))
                page.keyboard.press("u")
                page.wait_for_function("() => document.getElementById('reason').textContent.startsWith('taken back')")
                assert shown(page) == said.pop()
            if len(said) in kills:
                kills.remove(len(said))
                studio.kill()
                address = studio.start()
                page.goto(address)
                page.wait_for_function("() => document.getElementById('text').textContent.length > 3")
                page.wait_for_function("() => document.getElementById('progress').textContent.length > 3")
                assert labelled(page) == len(said), f"{labelled(page)} of {len(said)} labels are there"
            time.sleep(0.1)
        page.wait_for_function("() => document.querySelectorAll('#figures tbody tr').length > 0", timeout=60_000)
        last = {entry["id"]: entry for entry in studio.journal()}
        change_guideline(page, studio)
        difference = publish(page, studio)
        assert difference < 1e-6, f"predict and the page differ by {difference}"
        page.screenshot(path=options.folder / "light.png", full_page=True)
        for name, settings in {"dark": {"color_scheme": "dark", "viewport": {"width": 1280, "height": 800}}, "narrow": {"viewport": {"width": 390, "height": 844}}}.items():
            other = browser.new_page(**settings)
            other.goto(address)
            other.wait_for_function("() => document.getElementById('text').textContent.length > 3")
            other.wait_for_timeout(500)
            assert other.evaluate("() => document.documentElement.scrollWidth <= innerWidth"), f"{name} is wider than its window"
            other.screenshot(path=options.folder / f"{name}.png")
        browser.close()
    studio.child.send_signal(signal.SIGINT)
    assert studio.child.wait() == 0
    texts = {entry["id"]: entry["text"] for entry in studio.journal() if "text" in entry}
    kept = {texts[id]: entry["labels"] for id, entry in last.items() if entry["action"] == "label"}
    assert kept == {text: [truth[text]] for text in said}, "the journal is not what was said"
    assert not told, told
    waits.sort()
    print(f"{len(said)} labels, three kills, nothing lost; key to next text: median {statistics.median(waits):.0f} ms, p95 {waits[int(0.95 * len(waits))]:.0f} ms")


if __name__ == "__main__":
    main()
