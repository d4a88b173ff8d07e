"""Scores short synthetic texts in Parquet files with a tiny random model: in one process, by Ray, and by Spark, two workers each; and both once
more while a worker is killed. Checks that every row is there once and has the score of the one process.

Usage: python tools/bench/distributed.py FOLDER [--texts 1000000] [--files 40] [--engines process,ray,spark]; the Python that runs this has the
package installed, with `lincah[ray,spark]`; Spark needs Java 17. FOLDER must be absent; it grows to some 200 MB.
"""

import argparse
import os
import re
import signal
import sys
import threading
import time
from pathlib import Path

import pyarrow
import pyarrow.parquet

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "crates" / "lincah-python" / "tests"))
from conftest import write_tiny_model  # noqa: E402

from lincah import AgileClassifier, distributed  # noqa: E402

COLUMNS = {"text": "text", "keep": "id"}


def write_texts(folder: Path, texts: int, files: int) -> None:
    folder.mkdir()
    for number in range(files):
        ids = range(number * texts // files, (number + 1) * texts // files)
        words = [f"{'aaaa' if id % 2 else 'zzzz'} {id % 977} {id}" for id in ids]
        pyarrow.parquet.write_table(pyarrow.table({"id": list(ids), "text": words}), folder / f"part-{number:04}.parquet")


def kill_halfway(output: Path, files: int, killed: list[int]) -> None:
    """Kills whichever process is in the middle of a file, once half of the files are there."""
    while len(list(output.glob("*.parquet"))) < files // 2:
        time.sleep(0.05)
    while not killed:
        for temporary in output.glob(".lincah-*.tmp"):
            # Its name tells the process; a file that has begun is killed in the middle.
            process = int(re.findall(r"\d+", temporary.name)[0])
            if temporary.stat().st_size > 0 and process != os.getpid():
                os.kill(process, signal.SIGKILL)
                killed.append(process)
                return
        time.sleep(0.005)


def same(output: Path, reference: Path) -> int:
    """How many rows there are; an error unless they are those of the reference, file by file."""
    names = sorted(path.name for path in reference.glob("*.parquet"))
    found = sorted(path.name for path in output.iterdir() if not path.name.startswith("."))
    assert found == names, (len(found), len(names))
    rows = 0
    for name in names:
        table = pyarrow.parquet.read_table(output / name)
        assert table.equals(pyarrow.parquet.read_table(reference / name)), name
        rows += len(table)
    return rows


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("folder", type=Path)
    parser.add_argument("--texts", type=int, default=1_000_000)
    parser.add_argument("--files", type=int, default=40)
    parser.add_argument("--engines", default="process,ray,spark,threads")
    arguments = parser.parse_args()
    folder, files = arguments.folder.absolute(), arguments.files
    folder.mkdir()
    write_tiny_model(folder / "tiny")
    texts = folder / "texts"
    write_texts(texts, arguments.texts, files)
    y = [row % 2 for row in range(40)]
    classifier = AgileClassifier(model=str(folder / "tiny"), preset="instant", device="cpu")
    classifier.fit([f"{'aaaa' if label else 'zzzz'} {row}" for row, label in enumerate(y)], y)
    reference = folder / "process-1"

    def measured(name: str, predict, kill: bool = False) -> None:
        output, killed = folder / name, []
        output.mkdir()
        if kill:
            threading.Thread(target=kill_halfway, args=(output, files, killed), daemon=True).start()
        begun = time.perf_counter()
        predict(output)
        seconds = time.perf_counter() - begun
        left = len(list(output.glob(".lincah-*")))
        rows = same(output, reference)
        begun = time.perf_counter()
        again = predict(output)
        finished = all(row["rows"] == -1 for row in again) if again else True
        if kill:
            assert killed, "nobody was killed"
        print(f"{name}: {seconds:.1f} s, {rows} rows, {rows / seconds:.0f} texts/s{', one worker killed' if kill else ''}; {left} temporaries "
              f"left; again {time.perf_counter() - begun:.2f} s, nothing scored: {finished}", flush=True)  # fmt: skip

    def in_one_process(threads: int):
        def predict(output: Path):
            alone = AgileClassifier.load(folder / "classifier", threads=threads)
            for source in sorted(texts.iterdir()):
                if not (output / source.name).is_file():
                    alone.predict_file(source, output / source.name, **COLUMNS)

        return predict

    classifier.save(folder / "classifier")
    if "process" in arguments.engines:
        measured("process-1", in_one_process(1))
    if "ray" in arguments.engines:
        import ray

        begun = time.perf_counter()
        ray.init(num_cpus=2, include_dashboard=False, logging_level="ERROR")
        print(f"Ray started in {time.perf_counter() - begun:.1f} s", flush=True)
        ray.data.DataContext.get_current().enable_progress_bars = False
        by_ray = lambda output: distributed.predict_with_ray(classifier, texts, output, workers=2, **COLUMNS)  # noqa: E731
        measured("ray", by_ray)
        measured("ray-killed", by_ray, kill=True)
        ray.shutdown()
    if "spark" in arguments.engines:
        from pyspark.sql import SparkSession

        os.environ["PYSPARK_PYTHON"] = sys.executable
        begun = time.perf_counter()
        builder = SparkSession.builder.master("local-cluster[2,1,1024]").config("spark.ui.enabled", "false")
        session = builder.config("spark.driver.host", "127.0.0.1").getOrCreate()
        session.sparkContext.setLogLevel("OFF")
        print(f"Spark started in {time.perf_counter() - begun:.1f} s", flush=True)
        by_spark = lambda output: distributed.predict_with_spark(classifier, texts, output, session=session, **COLUMNS)  # noqa: E731
        measured("spark", by_spark)
        measured("spark-killed", by_spark, kill=True)
        session.stop()
    if "threads" in arguments.engines:
        measured("process-2", in_one_process(2))


if __name__ == "__main__":
    main()
