#!/usr/bin/env bash
# Everything that needs a CUDA GPU, in one go, from a checkout: compile, tests, sanitizers, benchmark.
#
#   tests/benchmarks/gpu.sh [FOLDER]     logs go to FOLDER, by default runs/gpu
#
# Needs an NVIDIA driver, nvcc and compute-sanitizer (both in the CUDA toolkit), and a Python with a
# CUDA build of torch: PYTHON names it; without, .venv is taken, made by 'make setup' where missing.
# Every step runs, whatever became of those before it; the exit code is the number that failed.
set -euo pipefail
cd "$(dirname "$0")/../.."
logs=${1:-runs/gpu}
mkdir -p "$logs"

for tool in nvidia-smi nvcc compute-sanitizer; do
    if ! command -v "$tool" > /dev/null; then
        echo "error: $tool is not on the path; a GPU cannot be checked without it" >&2
        exit 2
    fi
done
if [[ -z ${PYTHON:-} ]]; then
    make setup
    PYTHON=.venv/bin/python
fi
gpu=$(nvidia-smi --query-gpu=name --format=csv,noheader | head -n 1)
name=$(tr '[:upper:] ' '[:lower:]-' <<< "$gpu")
echo "$gpu, $("$PYTHON" --version), commit $(git describe --always --dirty), logs in $logs"

failed=()
step() {
    local title=$1
    shift
    echo "== $title: $*"
    if "$@" > "$logs/$title.log" 2>&1; then
        tail -n 1 "$logs/$title.log"
    else
        failed+=("$title")
        tail -n 20 "$logs/$title.log"
        echo "FAILED: $title, see $logs/$title.log"
    fi
}
checked() { # a sanitizer's tool over the kernels that run on the GPU
    local tool=$1
    shift
    # Torch's cache of memory would hide a stray read, and graphs cannot do without it.
    step "$tool" env PYTORCH_NO_CUDA_MEMORY_CACHING=1 compute-sanitizer --tool "$tool" \
        --error-exitcode 9 --target-processes all "$PYTHON" -m pytest -x -rs \
        tests/ops/test_backends.py tests/ops/test_cuda_device.py -k "cuda and not graph"
}

step compile env NERF_TALKER_CUDA=1 "$PYTHON" -m pip install --no-deps --editable .
# A test skips what is not there; here that must count as failed.
step library "$PYTHON" -c \
    "import sys; from nerf_talker.ops import backend; sys.exit(backend.fault('cuda') or 0)"
step doctor "$PYTHON" -m nerf_talker doctor
step tests "$PYTHON" -m pytest -rs tests/ops tests/render tests/field
step kernels env NERF_TALKER_OPS=cuda "$PYTHON" -m pytest -rs \
    tests/ops/test_backends.py tests/ops/test_cuda_device.py tests/ops/test_cuda_packages.py \
    tests/ops/test_nerfacc_oracle.py -k cuda
checked memcheck
checked racecheck
step benchmark "$PYTHON" -m tests.benchmarks --device cuda --size 512 --rays 4096 65536 \
    --markdown "tests/benchmarks/results/$name.md" --json "$logs/benchmark.json"

if ((${#failed[@]})); then
    echo "failed: ${failed[*]}"
else
    echo "all passed; commit tests/benchmarks/results/$name.md"
fi
exit "${#failed[@]}"
