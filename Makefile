# What is run by hand. `.ci/run` is what every change must pass.

CUDA := --features cuda -p lincah-kernels -p lincah-model
PYTHON ?= python3

.PHONY: check test bench golden docs wheel test-python test-cuda test-cuda-memory bench-cuda

check:
	cargo fmt --all --check
	cargo clippy --workspace --all-targets -- -D warnings
	cargo clippy $(CUDA) -p lincah-cli --all-targets -- -D warnings

test:
	cargo test --workspace

bench:
	cargo bench -p lincah-kernels

# The golden files, made anew from transformers, peft and scikit-learn; tools/golden/README.md says what must be installed, and how those
# of Keras and of the real models are made.
golden:
	for name in models label_rows generation metrics numpy_permutation statistics multi_label decisions audit label_errors; do $(PYTHON) tools/golden/$$name.py || exit 1; done

# The pages of docs/ as a book, target/book/index.html, and the crates' documentation. mdBook is installed into target/tools if it is not there.
MDBOOK_VERSION := 0.5.2
docs:
	$(PYTHON) docs/check_links.py
	command -v mdbook > /dev/null || test -x target/tools/bin/mdbook || \
		cargo install mdbook --version $(MDBOOK_VERSION) --locked --root target/tools
	PATH="$$PATH:$(CURDIR)/target/tools/bin" mdbook build docs
	cargo doc --workspace --no-deps

# The Python package in target/wheels, for this kind of machine; CUDA's libraries are loaded when they are asked for.
wheel:
	$(PYTHON) -m venv target/python/build
	target/python/build/bin/pip install --quiet "maturin>=1.9.4,<2"
	rm -rf target/wheels
	target/python/build/bin/maturin build --release --out target/wheels

# The wheel in an environment of its own, where nothing else of the project is.
test-python: wheel
	$(PYTHON) -m venv --clear target/python/test
	target/python/test/bin/pip install --quiet target/wheels/*.whl --requirement crates/lincah-python/tests/requirements.txt
	target/python/test/bin/python -m pytest -q -p no:cacheprovider crates/lincah-python/tests

# The rest needs an NVIDIA GPU with driver, NVRTC and cuBLASLt (CUDA 12 or 13).
test-cuda:
	cargo test $(CUDA) -- --ignored cuda

# Every access to memory, and every pair of accesses to shared memory, by NVIDIA's compute-sanitizer.
test-cuda-memory:
	cargo test --no-run $(CUDA)
	CARGO_TARGET_X86_64_UNKNOWN_LINUX_GNU_RUNNER="compute-sanitizer --tool memcheck --error-exitcode 1" \
		cargo test $(CUDA) --test golden --test bf16 --test bfloat16 -- --ignored cuda --test-threads=1
	CARGO_TARGET_X86_64_UNKNOWN_LINUX_GNU_RUNNER="compute-sanitizer --tool racecheck --error-exitcode 1" \
		cargo test $(CUDA) --test keras --test bfloat16 -- --ignored --test-threads=1 ten_steps_of_the_codelab_on_cuda few_shapes

# MODEL: a model's folder or file; LENGTHS: a JSON list of numbers of tokens, prompt included; PREFIX: tokens that all texts share.
PREFIX ?= 22
bench-cuda:
	cargo run --release --features cuda -p lincah-model --example ethos_speed -- $(MODEL) cuda $(LENGTHS) $(PREFIX)
