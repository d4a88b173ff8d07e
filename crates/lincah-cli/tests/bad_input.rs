//! Every kind of bad input ends in one line, exit code 1, and nothing left behind.

mod support;

use support::Bench;

fn train(bench: &Bench, rest: &str) -> String {
    let message = bench.run(&format!("train {rest} --out out --model model")).refused();
    assert!(!bench.path("out").exists(), "nothing is written before the input is known to be good");
    message
}

#[test]
fn bad_data_is_named_with_its_place() {
    let bench = Bench::new();
    bench.write("semicolons.csv", "comment;label\nfine;A\nbad;B\n");
    bench.write("one-class.csv", "comment,label\nfine,A\nbad,A\n");
    bench.write("empty-text.csv", "comment,label\nfine,A\n,B\n");
    bench.write("nan.csv", "comment,label\nfine,0.5\nbad,NaN\n");
    bench.write("empty.csv", "");
    bench.write("bytes.csv", b"comment,label\nfine,A\nb\xffd,B\n");
    bench.write("cut.parquet", b"PAR1 and nothing more");
    let columns = "--text comment --label label --labels A,B";
    let cases = [
        (format!("none.csv {columns}"), "none.csv"),
        (String::from("data.csv --text words --label label --labels A,B"), "`words`"),
        (format!("semicolons.csv {columns} --delimiter ,"), "--delimiter"),
        (String::from("data.csv --text comment --label label --labels A,C"), "`B`"),
        (format!("one-class.csv {columns}"), "`A`"),
        (format!("empty-text.csv {columns} --strict"), "row 2"),
        (format!("empty-text.csv {columns}"), "all 1 rows are `A`"),
        (format!("nan.csv {columns} --positive-at 0.5"), "row 2"),
        (format!("nan.csv {columns} --positive-at high"), "high"),
        (format!("empty.csv {columns}"), "empty.csv"),
        (format!("bytes.csv {columns}"), "row 2"),
        (format!("cut.parquet {columns}"), "cut.parquet"),
        (format!("data.csv {columns} --holdout 40"), "40"),
        (format!("data.csv {columns} --epochs 0"), "--epochs"),
        (format!("data.csv {columns} --learning-rate -1"), ""),
        (format!("data.csv {columns} --rank 0"), "rank"),
        (format!("data.csv {columns} --layers 1..9"), "layer"),
        (format!("data.csv {columns} --targets qproj"), "qproj"),
        (format!("data.csv {columns} --max-tokens 8"), "8"),
    ];
    for (arguments, expected) in cases {
        if arguments.contains("-1") || arguments.contains("qproj") || arguments.contains("high") {
            let ran = bench.run(&format!("train {arguments} --out out --model model"));
            assert_eq!(ran.code, Some(1), "{ran:?}");
            assert!(ran.stderr.contains(expected), "{ran:?}");
            continue;
        }
        let message = train(&bench, &arguments);
        assert!(message.contains(expected), "{arguments}: {message}");
    }
}

#[test]
fn a_precision_that_the_device_lacks_is_refused() {
    let bench = Bench::new();
    let message = train(&bench, "data.csv --text comment --label label --labels A,B --device cpu --precision bf16");
    assert!(message.contains("cpu does not compute in bf16"), "{message}");
}

#[test]
fn bad_models_are_named() {
    let bench = Bench::new();
    let columns = "data.csv --text comment --label label --labels A,B --out out";
    let refused = |model: &str| bench.run(&format!("train {columns} --model {model}")).refused();
    assert!(refused("smollm2-135m").contains("lincah pull smollm2-135m"));
    assert!(refused("no-such-model").contains("no-such-model"));
    bench.write("cut.gguf", b"GGUF\x03\0\0\0\x01\0\0\0\0\0");
    assert!(refused("cut.gguf").contains("cut.gguf"));
    let weights = std::fs::read(bench.path("model/model.safetensors")).unwrap();
    bench.write("model/model.safetensors", &weights[..weights.len() / 2]);
    assert!(refused("model").contains("model.safetensors"));
    support::write_tiny_model(&bench.path("model"));
    let config = std::fs::read_to_string(bench.path("model/config.json")).unwrap();
    for (from, to) in [
        ("\"llama\"", "\"mamba\""),
        ("\"rope_theta\":10000.0", "\"rope_theta\":10000.0,\"rope_scaling\":{\"rope_type\":\"yarn\",\"factor\":4.0}"),
    ] {
        assert!(config.contains(from), "{config}");
        bench.write("model/config.json", config.replace(from, to));
        let message = refused("model");
        assert!(message.contains("mamba") || message.contains("yarn"), "{message}");
    }
    assert!(!bench.path("out").join("classifier.json").exists());
}

#[test]
fn folders_are_not_overwritten() {
    let bench = Bench::new();
    std::fs::create_dir(bench.path("full")).unwrap();
    bench.write("full/letter.txt", "keep me");
    let columns = "data.csv --text comment --label label --labels A,B --model model";
    let message = bench.run(&format!("train {columns} --out full")).refused();
    assert!(message.starts_with("error: full is not empty"), "{message}");
    assert_eq!(bench.list("full"), ["letter.txt"]);
    let message = bench.run(&format!("train {columns} --out data.csv/out")).refused();
    assert!(message.contains("data.csv/out"), "{message}");
    assert!(bench.run("predict full --input x").refused().contains("is not a classifier folder"));
}

#[test]
fn another_base_model_or_a_damaged_classifier_is_refused() {
    let bench = Bench::new();
    bench.run("train data.csv --text comment --label label --labels A,B --model model --epochs 1 --out out").ok();
    let adapter = std::fs::read(bench.path("out/adapter_model.safetensors")).unwrap();
    bench.write("out/adapter_model.safetensors", &adapter[..100]);
    assert!(bench.run("predict out --input x").refused().contains("adapter_model.safetensors"));
    bench.write("out/adapter_model.safetensors", adapter);
    let path = bench.path("model/model.safetensors");
    let mut weights = std::fs::read(&path).unwrap();
    let last = weights.len() - 1;
    weights[last] ^= 1;
    std::fs::write(&path, weights).unwrap();
    assert!(bench.run("predict out --input x").refused().contains("was trained on weights"));
}

#[test]
fn a_folder_and_labels_do_not_go_together() {
    let bench = Bench::new();
    let refused = |command: &str| bench.run(command).refused();
    let columns = "data.csv --text comment --label label";
    for (command, expected) in [
        ("predict out data.csv --text comment --model model --labels A,B", "leave out --labels or `out`"),
        ("predict out --input x --labels A,B", "leave out --labels or `out`"),
        (&format!("evaluate out {columns} --labels A,B"), "leave out --labels or `out`"),
        ("predict --input x", "name its folder, or ask a model"),
        ("predict --input x --model model", "name its folder, or ask a model"),
        (&format!("evaluate {columns} --model model"), "name its folder, or ask a model"),
        ("predict out --text comment", "nothing to classify"),
        ("predict --labels A,B --text comment", "nothing to classify"),
        ("predict out data.csv --text comment --input x", "two inputs"),
        ("predict out --input x --no-bos", "--no-bos goes with --labels only"),
        (&format!("evaluate out {columns} --max-tokens 99"), "--max-tokens goes with --labels only"),
        ("predict --model model --labels A --input x", "at least 2"),
        ("predict --model model --labels A,A --input x", "twice"),
        ("predict --model model --labels A,B --input x --max-tokens 20", "at most 20 are allowed"),
        ("predict --model none --labels A,B --input x", "none"),
        (&format!("evaluate --model model --labels A,C {columns}"), "`B`"),
    ] {
        let message = refused(command);
        assert!(message.contains(expected), "{command}: {message}");
    }
    // What clap itself refuses.
    let ran = bench.run("predict --model model --labels A,B data.csv");
    assert_eq!(ran.code, Some(1));
    assert!(ran.stderr.contains("give --text COLUMN"), "{ran:?}");
}

#[test]
fn what_cannot_be_gone_on_from_is_refused() {
    let bench = Bench::new();
    let refused = |command: &str| bench.run(command).refused();
    assert!(refused("generate --model none abc").contains("none"));
    assert!(refused("generate --model model --chat abc").contains("leave --chat out"));
    bench.write("empty.txt", "");
    let empty = bench.command("generate --model model -").stdin(std::fs::File::open(bench.path("empty.txt")).unwrap()).output();
    assert!(support::Ran::of(empty.unwrap()).refused().contains("the prompt is empty"));
    bench.write("long.txt", "a".repeat(600));
    let long = bench.command("generate --model model -").stdin(std::fs::File::open(bench.path("long.txt")).unwrap()).output();
    assert!(support::Ran::of(long.unwrap()).refused().contains("a text of 600 tokens is longer than the 512"));
    assert_eq!(bench.run("generate --model model abc --max-new-tokens 0").code, Some(1));
    std::fs::create_dir(bench.path("unfinished")).unwrap();
    bench.write("unfinished/training.jsonl", "");
    assert!(refused("generate --model unfinished abc").contains("was not finished"));
}

#[test]
fn long_rows_and_many_columns_are_fine() {
    let bench = Bench::new();
    let long = "word ".repeat(200_000);
    bench.write("long.csv", format!("comment,label\n{long},A\nshort,B\n"));
    bench.run("train long.csv --text comment --label label --labels A,B --model model --epochs 1 --out long").ok();
    let header = (0..10_000).map(|i| format!("c{i}")).collect::<Vec<_>>().join(",");
    let cells = vec!["x"; 10_000].join(",");
    bench.write("wide.csv", format!("comment,label,{header}\nfine,A,{cells}\nbad,B,{cells}\n"));
    bench.run("train wide.csv --text comment --label label --labels A,B --model model --epochs 1 --out wide").ok();
}
