"""The house's shape: import order, file and function sizes, lazy heavy libraries, fast help."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
ORDER = [
    {"errors", "types", "config", "atomic"},
    {"ops"},
    {"geometry", "audio", "weights"},
    {"data", "field"},
    {"render"},
    {"losses"},
    {"train"},
    {"experiment", "drive"},
    {"evaluate"},
    {"benchmark"},
    {"cli"},
]
RANK = {name: rank for rank, names in enumerate(ORDER) for name in names}
APART = {("data", "field"), ("field", "data")}
PREPROCESS_MAY = {
    "errors",
    "types",
    "config",
    "atomic",
    "geometry",
    "audio",
    "weights",
    "data",
    "preprocess",
}
HEAVY = {"mediapipe", "cv2", "av", "ray", "fastapi", "matplotlib", "nerfacc", "tinycudann"}
SOURCES = sorted([*(ROOT / "nerf_talker").rglob("*.py"), *(ROOT / "preprocess").rglob("*.py")])
NATIVE = [p for e in ("h", "cpp", "cu") for p in (ROOT / "cuda_ext").rglob(f"*.{e}")]
NAMES = [str(path.relative_to(ROOT)) for path in SOURCES]


def part_of(path):
    relative = path.relative_to(ROOT).with_suffix("")
    return relative.parts[1] if relative.parts[0] == "nerf_talker" else "preprocess"


def imported_modules(tree):
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from ((alias.name, node) for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module and node.level == 0:
            yield node.module, node


def module_level(tree):
    guarded = [n for n in tree.body if isinstance(n, (ast.Import, ast.ImportFrom))]
    return {module.split(".")[0] for n in guarded for module, _ in imported_modules(n)}


@pytest.mark.parametrize("path", SOURCES, ids=NAMES)
def test_imports_run_one_way(path):
    here = part_of(path)
    for module, _ in imported_modules(ast.parse(path.read_text())):
        assert module.split(".")[0] not in {"preprocess", "cuda_ext"}, f"bare import of {module}"
        if not module.startswith("nerf_talker."):
            continue
        there = module.split(".")[1]
        if here == "preprocess":
            assert there in PREPROCESS_MAY, f"preprocess imports {module}"
        elif here not in RANK:
            assert here in {"__init__", "__main__"}
        elif there == "preprocess":
            assert here == "cli", f"{here} imports preprocess; only cli may"
        elif there in RANK:
            assert RANK[there] <= RANK[here], f"{here} imports {module}, which stands above it"
            assert (here, there) not in APART, f"{here} and {there} must not know each other"


@pytest.mark.parametrize("path", SOURCES, ids=NAMES)
def test_heavy_libraries_are_imported_on_use(path):
    assert not module_level(ast.parse(path.read_text())) & HEAVY


@pytest.mark.parametrize("path", [*SOURCES, *NATIVE, *sorted((ROOT / "tests").rglob("*.py"))])
def test_files_and_functions_are_small(path):
    text = path.read_text()
    assert len(text.splitlines()) <= 300, "two ideas in one file"
    assert path.stem not in {"utils", "util", "misc", "common", "helpers"}, "name the idea"
    if path.suffix != ".py":
        return
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)):
            assert node.end_lineno - node.lineno < 60, f"{node.name} is too long"


def test_help_answers_without_heavy_imports():
    script = "import sys, nerf_talker.cli as c; c.main(['--help']); print(sorted(sys.modules))"
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True
    )
    loaded = done.stdout.rsplit("\n", 2)[-2]
    for heavy in ("'torch'", "'numpy'", "'tyro'", "'pydantic'", "'mediapipe'", "'av'"):
        assert heavy not in loaded
