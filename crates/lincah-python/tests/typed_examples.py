"""What people write, for type checkers; nobody runs it."""

from typing import Any

import numpy as np

import lincah
from lincah import AgileClassifier, LincahError, Report, Result

texts: list[str] = ["Thank you.", "Go away."]
labels: list[str] = ["civil", "uncivil"]


def use() -> None:
    lincah.pull("minilm", verbose=False)
    classifier = AgileClassifier(model="minilm", preset="instant", threads=2, layers=range(2, 4))
    try:
        classifier.fit(texts, labels, sample_weight=[1.0, 2.0])
    except LincahError as error:
        print(error)
    probabilities: np.ndarray[Any, np.dtype[np.float64]] = classifier.predict_proba(np.array(texts))
    decided = classifier.partial_fit(texts, labels, classes=["civil", "uncivil"]).predict(texts)
    print(probabilities.shape, decided.tolist(), classifier.decision_function(texts).mean(), classifier.labels_)
    found: Result = classifier.evaluate(texts, labels, prevalence=0.01)
    page: Report = classifier.report(texts, labels)
    page.save("report.html")
    other = AgileClassifier.load("civility", device="cpu")
    folders: list[str] = other.export("peft", "civility-peft", dtype="f16")
    print(found["accuracy"], found.notices, folders, lincah.compare(classifier, other, texts, labels)["n"])
    chosen: AgileClassifier = classifier.calibrate(texts, labels, target="recall=0.9", review=0.05)
    record: dict[str, Any] = chosen.predict_records(texts, explain=True)[0]
    print(record, lincah.check(texts, labels), lincah.models()[0]["name"])
