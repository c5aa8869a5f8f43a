# make demo | test | lint | bench | gpu | clean: each sets up .venv first when it is missing or stale.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready
TYPES := .types/nerf_talker
# Model files lying beside the checkout are used when nothing else is said.
ifeq ($(strip $(NERF_TALKER_MODELS)),)
ifneq ($(wildcard ../shared/models),)
export NERF_TALKER_MODELS := $(abspath ../shared/models)
endif
endif

.PHONY: demo test lint bench gpu clean setup

setup: $(READY)

# torch comes first: on a machine without an NVIDIA GPU the CPU build, not gigabytes of CUDA.
$(READY): pyproject.toml setup.py
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --upgrade pip
	@if nvidia-smi >/dev/null 2>&1; \
	then $(BIN)/python -m pip install --quiet "torch>=2.4"; \
	else $(BIN)/python -m pip install --quiet torch==2.13.0; fi
	$(BIN)/python -m pip install --quiet --editable ".[dev]"
	@$(BIN)/python -c "import ctypes; [ctypes.CDLL(n) for n in ('libGL.so.1', 'libEGL.so.1', 'libGLESv2.so.2', 'libglib-2.0.so.0')]" 2>/dev/null \
	|| if [ "$$(id -u)" = 0 ] && command -v apt-get >/dev/null; \
	then apt-get update -qq && apt-get install -y -qq libgl1 libegl1 libgles2 libglib2.0-0; \
	else echo "MediaPipe and OpenCV need libGL, libEGL, libGLESv2 and glib: install libgl1 libegl1 libgles2 libglib2.0-0"; fi
	touch $(READY)

demo: $(READY)
	$(BIN)/nerf-talker demo

test: $(READY)
	$(BIN)/python -m pytest -n 2 --dist loadfile

lint: $(READY)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	rm -rf .types && mkdir -p $(TYPES)
	ln -s $(CURDIR)/nerf_talker/* $(TYPES)/
	ln -s $(CURDIR)/preprocess $(CURDIR)/cuda_ext $(CURDIR)/configs $(TYPES)/
	cd .types && MYPYPATH=. $(CURDIR)/$(BIN)/mypy --config-file $(CURDIR)/pyproject.toml -p nerf_talker

bench: $(READY)
	$(BIN)/python -m tests.benchmarks

gpu: $(READY)
	PYTHON=$(abspath $(BIN)/python) bash tests/benchmarks/gpu.sh

clean:
	rm -rf $(VENV) .types build dist *.egg-info .mypy_cache .pytest_cache .ruff_cache runs/demo
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
