"""Many files by several workers: each file once. A million texts, and workers that are killed: `tools/bench/distributed.py`."""

import sys

import pytest

from lincah import AgileClassifier, LincahError

pyarrow = pytest.importorskip("pyarrow")
parquet = pytest.importorskip("pyarrow.parquet")

FILES, ROWS = 3, 40


@pytest.fixture(scope="module")
def classifier(model, rows):
    return AgileClassifier(model=model, preset="instant", device="cpu").fit(*rows)


@pytest.fixture
def texts(tmp_path):
    folder = tmp_path / "texts"
    folder.mkdir()
    for file in range(FILES):
        ids = list(range(file * ROWS, (file + 1) * ROWS))
        table = pyarrow.table({"id": ids, "text": [f"{'aaaa' if id % 2 else 'zzzz'} {id}" for id in ids]})
        parquet.write_table(table, folder / f"part-{file}.parquet")
    (folder / "_SUCCESS").write_text("")
    return folder


def scored_once(finished, texts, output, classifier):
    """All rows are there in order, with the scores of this very process."""
    assert sorted(path.name for path in output.iterdir()) == [f"part-{file}.parquet" for file in range(FILES)]
    assert [row["destination"] for row in finished] == [str(output / f"part-{file}.parquet") for file in range(FILES)]
    for file in range(FILES):
        source = parquet.read_table(texts / f"part-{file}.parquet").to_pydict()
        found = parquet.read_table(output / f"part-{file}.parquet")
        assert found.column("id").to_pylist() == source["id"]
        records = classifier.predict_records(source["text"])
        assert found.column("decision").to_pylist() == [record["decision"] for record in records]
        assert found.column("scores_B").to_pylist() == [record["scores"]["B"] for record in records]


def test_a_file_is_scored_as_the_command_does(classifier, texts, tmp_path):
    assert classifier.predict_file(texts / "part-0.parquet", tmp_path / "scored.csv", text="text", keep="all") == ROWS
    head = (tmp_path / "scored.csv").read_text().splitlines()[0]
    assert head.startswith("id,input_text,label,") or head.startswith("id,text,label,")
    with pytest.raises(LincahError, match="give text"):
        classifier.predict_file(texts / "part-0.parquet", tmp_path / "other.csv")
    with pytest.raises(LincahError, match="overwritten"):
        classifier.predict_file(texts / "part-0.parquet", texts / "part-0.parquet", text="text")
    assert not (tmp_path / "other.csv").exists()


def test_wrong_inputs_are_named(classifier, texts, tmp_path):
    from lincah import distributed

    for inputs, output, words in [
        (tmp_path / "none*", tmp_path / "out", "there are no files"),
        ([tmp_path / "none.csv"], tmp_path / "out", "is no file"),
        (texts, texts, "overwritten"),
    ]:
        with pytest.raises(LincahError, match=words):
            distributed.predict_with_ray(classifier, inputs, output, text="text")
    (texts / "part-0.csv").write_text("text\naa\n")
    with pytest.raises(LincahError, match="would both be written"):
        distributed.predict_with_ray(classifier, texts, tmp_path / "out", text="text")
    with pytest.raises(LincahError, match="format"):
        distributed.predict_with_ray(classifier, texts, tmp_path / "out", format="xml")


def test_ray_scores_each_file_once_and_sweeps(classifier, texts, rows, tmp_path):
    ray = pytest.importorskip("ray")
    from lincah import distributed

    ray.init(num_cpus=2, include_dashboard=False, logging_level="ERROR")
    try:
        output = tmp_path / "scored"
        output.mkdir()
        classifier.predict_file(texts / "part-1.parquet", output / "part-1.parquet", text="text", keep="id")
        kept = (output / "part-1.parquet").stat().st_mtime_ns
        finished = distributed.predict_with_ray(classifier, texts, output, text="text", keep="id")
        assert [row["rows"] for row in finished] == [ROWS, -1, ROWS]
        assert (output / "part-1.parquet").stat().st_mtime_ns == kept
        scored_once(finished, texts, output, classifier)

        held_out = [f"{text} held out" for text in rows[0]]
        grid = {"augment": ["none", "obfuscation"]}
        found = distributed.sweep_with_ray(classifier, grid, *rows, held_out, rows[1], tmp_path / "sweep")
        assert [trial["parameters"] for trial in found] == [{"augment": "none"}, {"augment": "obfuscation"}]
        alone = AgileClassifier(**classifier.get_params()).fit(*rows).evaluate(held_out, rows[1])
        assert found[0]["evaluation"] | {"texts_per_second": 0} == alone | {"texts_per_second": 0}
    finally:
        ray.shutdown()
    # Nothing is left to do, so that nobody is asked to.
    assert found == distributed.sweep_with_ray(classifier, grid, *rows, held_out, rows[1], tmp_path / "sweep")
    assert not ray.is_initialized()


def test_spark_scores_each_file_once(classifier, texts, tmp_path, monkeypatch):
    sql = pytest.importorskip("pyspark.sql")
    from lincah import distributed

    monkeypatch.setenv("PYSPARK_PYTHON", sys.executable)
    builder = sql.SparkSession.builder.master("local[2]").config("spark.ui.enabled", "false")
    session = builder.config("spark.driver.host", "127.0.0.1").getOrCreate()
    try:
        finished = distributed.predict_with_spark(classifier, texts, tmp_path / "scored", session=session, text="text", keep="id")
        assert [row["rows"] for row in finished] == [ROWS] * FILES
        scored_once(finished, texts, tmp_path / "scored", classifier)
        again = distributed.predict_with_spark(classifier, texts, tmp_path / "scored", session=session, text="text", keep="id")
        assert [row["rows"] for row in again] == [-1] * FILES
    finally:
        session.stop()
