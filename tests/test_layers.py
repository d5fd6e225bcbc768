"""The house keeps its order: imports point down, and nothing in the package knows of a proxy (DESIGN.md, section 6)."""

from __future__ import annotations

import ast
import graphlib
import subprocess
import sys
from pathlib import Path

import pytest
from support.proxy import ROOT

PACKAGE = ROOT / "addon" / "llmcache"
ADDON = [*sorted((ROOT / "addon").glob("*.py")), *sorted((ROOT / "addon" / "aicache_mitmproxy").glob("*.py"))]
FLOORS = (
    {"chat"},
    {
        "framing",
        "lanes",
        "leaks",
        "multipart",
        "eventstream",
        "ndjson",
        "jsonarray",
        "jsontext",
        "gjson",
        "templates",
        "coding",
        "scope",
        "capture",
        "control",
        "freshness",
        "status",
        "addresses",
        "breaker",
        "deadline",
        "httpclient",
        "ledger",
        "trust",
        "traffic",
    },
    {
        "wire",
        "fingerprint",
        "scrub",
        "redact",
        "matching",
        "config",
        "caching",
        "settings",
        "isolation",
        "higress",
        "providers",
        "embedding",
        "vectors",
        "stores",
        "semantic",
        "policies",
    },
    {"restated", "har_write", "question", "sealing", "answer", "stats", "explain", "prices"},
    {"embed", "index", "context", "asked"},
    {"experience"},
    {"lessons"},
    {"flights", "pace"},
    {"nearby", "recorder", "stage"},
    {"similar", "crowd", "rules", "missing", "written"},
    {"reading"},
    {"telling"},
    {"engine"},
    {"build_similar"},
    {"build"},
    {"intake"},
    {"transfer"},
)
"""From the ground up; a part is a file or a folder of the package."""
GIVEN = {"orjson", "yaml"}
SEMANTIC = {"embed", "index", "semantic", "lessons", "nearby", "similar", "httpclient"}
"""What is imported only where semantic answers were asked for, and so may import numpy and requests."""
"""What requirements.txt always installs; every other package is a driver, and is imported where it was chosen."""
DRIVERS = {
    "stores.redis": {"redis"},
    "stores.redis_client": {"redis"},
    "stores.redis_ledger": set(),
    "stores.redis_records": {"zstandard"},
    "stores.redis_link": {"redis"},
    "index.pgvector": {"psycopg"},
    "index.redis_query": {"redis"},
    "index.tair": {"redis"},
    "index.graph": {"usearch"},
    "sealing": {"cryptography", "zstandard"},
}
"""Files that only the arm of `build.open_store` imports, and what may be imported with them."""
LINES = 400

FILES = sorted(PACKAGE.rglob("*.py"))
SCRIPTS = sorted((ROOT / "scripts").rglob("*.py"))


def module(path: Path) -> str:
    """Return the dotted name of a file of the package, seen from the package; the package itself is empty."""
    parts = path.relative_to(PACKAGE).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


MODULES = {module(path): path for path in FILES}


def tree(path: Path) -> ast.Module:
    """Return the syntax tree of a file."""
    return ast.parse(path.read_text())


def own(path: Path) -> set[str]:
    """Return the modules of the package that a file imports anywhere."""
    folder = path.relative_to(PACKAGE).parent.parts
    found: set[str] = set()
    for node in ast.walk(tree(path)):
        if isinstance(node, ast.ImportFrom) and node.level:
            base = [*folder[: len(folder) - node.level + 1], *(node.module or "").split(".")]
            names = [".".join(filter(None, [*base, alias.name])) for alias in node.names]
            found |= {name if name in MODULES else name.rpartition(".")[0] for name in names}
    return found - {module(path)}


def foreign(node: ast.AST) -> set[str]:
    """Return the packages from elsewhere that an import statement names."""
    match node:
        case ast.Import(names=names):
            packages = {alias.name.partition(".")[0] for alias in names}
        case ast.ImportFrom(module=str(name), level=0):
            packages = {name.partition(".")[0]}
        case _:
            packages = set()
    return packages - sys.stdlib_module_names


def at_import(path: Path) -> set[str]:
    """Return the packages from elsewhere that importing a file needs: those named outside of functions."""
    found: set[str] = set()
    waiting: list[ast.AST] = [tree(path)]
    while waiting:
        node = waiting.pop()
        found |= foreign(node)
        if not isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda):
            waiting += ast.iter_child_nodes(node)
    return found


def floor(name: str) -> int:
    """Return the floor on which a module is."""
    part = name.partition(".")[0]
    for number, parts in enumerate(FLOORS):
        if part in parts:
            return number
    pytest.fail(f"{part} has no floor yet: decide where it belongs, in FLOORS")


files = pytest.mark.parametrize("path", FILES, ids=lambda path: module(path) or "llmcache")


@files
def test_imports_point_down(path: Path) -> None:
    """A file imports from its own floor and those below, never from above."""
    if name := module(path):
        assert [other for other in own(path) if other and floor(other) > floor(name)] == []


def test_nothing_goes_in_circles() -> None:
    """No module needs itself by way of others; a folder and what it lists count as one."""
    parts: dict[str, set[str]] = {}
    for name, path in MODULES.items():
        part = name.partition(".")[0]
        parts.setdefault(part, set()).update({other.partition(".")[0] for other in own(path)} - {part})
    assert tuple(graphlib.TopologicalSorter(parts).static_order())


@files
def test_no_file_knows_of_the_proxy(path: Path) -> None:
    """The package would work behind any proxy: mitmproxy is imported nowhere in it."""
    assert "mitmproxy" not in {package for node in ast.walk(tree(path)) for package in foreign(node)}


@files
def test_drivers_cost_nothing_until_chosen(path: Path) -> None:
    """A package that is not always installed is imported only inside the function that needs it."""
    extra = {"numpy", "requests"} if module(path).partition(".")[0] in SEMANTIC else set()
    assert at_import(path) <= GIVEN | extra | DRIVERS.get(module(path), set())


@pytest.mark.parametrize("name", ["redis", "numpy", "requests", "wordllama", "llmcache.stores.redis", "llmcache.embed"])
def test_what_is_not_chosen_is_not_loaded(name: str) -> None:
    """A proxy pays for no driver that its settings do not name, nor for the files that need it."""
    script = f"import sys, llmcache.build; sys.exit({name!r} in sys.modules)"
    assert subprocess.run([sys.executable, "-c", script], cwd=ROOT / "addon", check=False).returncode == 0


@files
def test_imports_of_the_package_are_relative(path: Path) -> None:
    """The package does not know under which name it is found."""
    assert "llmcache" not in {package for node in ast.walk(tree(path)) for package in foreign(node)}


@pytest.mark.parametrize("path", [*FILES, *ADDON, *SCRIPTS], ids=lambda path: path.stem)
def test_a_file_says_what_it_is_and_stays_small(path: Path) -> None:
    """Every module opens with a docstring of at most 12 lines and ends within 400."""
    text = ast.get_docstring(tree(path))
    assert text
    assert len(text.splitlines()) <= 12
    assert len(path.read_text().splitlines()) <= LINES


def test_the_addon_folder_holds_three_names() -> None:
    """Everything in it lands on `sys.path`: the script, what knows mitmproxy for it, and what does not."""
    names = {path.name for path in (ROOT / "addon").iterdir() if not path.name.startswith((".", "__"))}
    assert names == {"aicache.py", "aicache_mitmproxy", "llmcache"}
