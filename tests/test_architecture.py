"""The limits that keep the project small where it matters, each checked on the source itself.

Every test gathers all offenders and names them as `file:line: what`, so that one run shows the whole list.
"""

from __future__ import annotations

import ast
import functools
import graphlib
import re
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path

import grimp
import pytest

ROOT = Path(__file__).resolve().parents[1]
PACKAGE = ROOT / "src" / "adorym"

MAX_FILE_LINES = 400
MAX_FUNCTION_LINES = 60
HARD_FUNCTION_LINES = 100
MAX_PARAMETERS = 8
MAX_POSITIONAL = 3
MAX_CONSTRUCTOR_BOOLEANS = 2

# Functions between the two limits, as "path:name", each with the reason why it reads better whole.
LONG_FUNCTIONS: dict[str, str] = {}

MUTATORS = {"add", "append", "clear", "extend", "insert", "pop", "popitem", "remove", "setdefault", "update"}

Function = ast.FunctionDef | ast.AsyncFunctionDef
Definition = Function | ast.ClassDef


def python_files(*folders: str) -> list[Path]:
    return sorted(path for folder in folders for path in (ROOT / folder).rglob("*.py"))


@functools.cache
def tree(path: Path) -> ast.Module:
    return ast.parse(path.read_text(encoding="utf-8"), filename=str(path))


@functools.cache
def modules() -> dict[str, Path]:
    """Dotted name to file, for every module of the package."""
    names = {}
    for path in PACKAGE.rglob("*.py"):
        parts = path.relative_to(PACKAGE.parent).with_suffix("").parts
        names[".".join(parts[:-1] if parts[-1] == "__init__" else parts)] = path
    return names


def library() -> Iterator[tuple[Path, ast.AST]]:
    """Every node of the package's source."""
    for path in modules().values():
        for node in ast.walk(tree(path)):
            yield path, node


def place(path: Path, node: ast.AST) -> str:
    return f"{path.relative_to(ROOT)}:{getattr(node, 'lineno', 1)}"


def none_of(offenders: list[str], rule: str) -> None:
    """Fails with the rule and the whole list of those who break it."""
    if offenders:
        pytest.fail("\n  ".join([f"{rule} ({len(offenders)} found):", *sorted(offenders)]), pytrace=False)


def parameters(function: Function) -> tuple[list[ast.arg], list[ast.arg]]:
    """Positional and keyword-only parameters, without the `self` or `cls` of a method."""
    positional = [*function.args.posonlyargs, *function.args.args]
    if positional and positional[0].arg in {"self", "cls"}:
        positional = positional[1:]
    return positional, function.args.kwonlyargs


@functools.cache
def called_by_others(path: Path) -> set[ast.AST]:
    """Functions whose positions somebody else decides: nested ones, private ones handed on as values, JAX's rules."""
    nodes = list(ast.walk(tree(path)))
    functions = [node for node in nodes if isinstance(node, Function)]
    nested = {
        inner for node in functions for inner in ast.walk(node) if isinstance(inner, Function) and inner is not node
    }
    called = {id(node.func) for node in nodes if isinstance(node, ast.Call)}
    values = {node.id for node in nodes if isinstance(node, ast.Name) and id(node) not in called}
    handed_on = {node for node in functions if node.name in values and node.name.startswith("_")}
    rule = re.compile(r"custom_|\bdef_|\.def")
    rules = {node for node in functions for one in node.decorator_list if rule.search(ast.unparse(one))}
    return nested | handed_on | rules


# --- sizes ------------------------------------------------------------------------------------------------------------


def test_files_are_short() -> None:
    files = python_files("src", "tests", "benchmarks", "examples", "docs")
    lengths = {path: len(path.read_text(encoding="utf-8").splitlines()) for path in files}
    long = [f"{path.relative_to(ROOT)}: {lines} lines" for path, lines in lengths.items() if lines > MAX_FILE_LINES]
    none_of(long, f"A file has at most {MAX_FILE_LINES} lines; give each idea a file of its own")


def test_functions_are_short() -> None:
    offenders, allowed = [], set()
    for path in python_files("src", "tests", "benchmarks", "examples", "docs"):
        for node in ast.walk(tree(path)):
            if not isinstance(node, Function):
                continue
            lines = (node.end_lineno or node.lineno) - node.lineno + 1
            key = f"{path.relative_to(ROOT)}:{node.name}"
            if key in LONG_FUNCTIONS and MAX_FUNCTION_LINES < lines <= HARD_FUNCTION_LINES:
                allowed.add(key)
            elif lines > MAX_FUNCTION_LINES:
                offenders.append(f"{place(path, node)}: {node.name} has {lines} lines")
    none_of(offenders, f"A function has at most {MAX_FUNCTION_LINES} lines, docstring included")
    none_of(sorted(LONG_FUNCTIONS.keys() - allowed), "LONG_FUNCTIONS names a function that is not long")


def test_signatures_are_small() -> None:
    offenders = []
    for path, node in library():
        if not isinstance(node, Function):
            continue
        positional, keyword = parameters(node)
        if len(positional) + len(keyword) > MAX_PARAMETERS:
            offenders.append(f"{place(path, node)}: {node.name} has {len(positional) + len(keyword)} parameters")
        elif len(positional) > MAX_POSITIONAL and node not in called_by_others(path):
            offenders.append(f"{place(path, node)}: {node.name} takes {len(positional)} by position")
    rule = f"A function has at most {MAX_PARAMETERS} parameters, those after the first {MAX_POSITIONAL} by keyword only"
    none_of(offenders, rule)


def test_constructors_have_few_booleans() -> None:
    offenders = []
    for path, node in library():
        if isinstance(node, ast.ClassDef):
            names = constructor_booleans(node)
            if len(names) > MAX_CONSTRUCTOR_BOOLEANS:
                offenders.append(f"{place(path, node)}: {node.name} has {', '.join(names)}")
    none_of(offenders, f"A constructor has at most {MAX_CONSTRUCTOR_BOOLEANS} booleans; the third becomes a component")


def constructor_booleans(node: ast.ClassDef) -> list[str]:
    """Boolean parameters of `__init__`, or boolean fields where the constructor is generated from them."""
    for item in node.body:
        if isinstance(item, Function) and item.name == "__init__":
            positional, keyword = parameters(item)
            return [one.arg for one in [*positional, *keyword] if is_bool(one.annotation)]
    fields = [item for item in node.body if isinstance(item, ast.AnnAssign) and is_bool(item.annotation)]
    return [ast.unparse(item.target) for item in fields]


def is_bool(annotation: ast.expr | None) -> bool:
    return annotation is not None and re.search(r"\bbool\b", ast.unparse(annotation)) is not None


def test_tests_are_at_least_half_as_long_as_the_source() -> None:
    source, tests = (
        sum(len(path.read_text(encoding="utf-8").splitlines()) for path in python_files(folder))
        for folder in ("src", "tests")
    )
    assert 2 * tests >= source, f"{source} lines of source have {tests} lines of tests: {source // 2 - tests} too few"


# --- habits -----------------------------------------------------------------------------------------------------------


def test_no_bare_except() -> None:
    offenders = [place(path, node) for path, node in library() if isinstance(node, ast.ExceptHandler) and not node.type]
    none_of(offenders, "An except names what it catches")


def test_no_global_state() -> None:
    offenders = [f"{place(p, n)}: global {', '.join(n.names)}" for p, n in library() if isinstance(n, ast.Global)]
    for path in modules().values():
        offenders += [f"{place(path, node)}: {ast.unparse(node)[:60]}" for node in changes_of_globals(path)]
    none_of(offenders, "Nothing changes a module's variables after its import; pass state, return state")


def changes_of_globals(path: Path) -> Iterator[ast.AST]:
    """Assignments into, and mutating calls of, a module's own variables from inside its functions."""
    variables = set()
    for node in tree(path).body:
        targets = node.targets if isinstance(node, ast.Assign) else [getattr(node, "target", None)]
        variables |= {target.id for target in targets if isinstance(target, ast.Name)}
    functions = [node for node in ast.walk(tree(path)) if isinstance(node, Function)]
    for function in functions:
        positional, keyword = parameters(function)
        shadowed = {one.arg for one in [*positional, *keyword]} | {
            node.id for node in ast.walk(function) if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store)
        }
        for node in ast.walk(function):
            owner = None
            if isinstance(node, ast.Subscript | ast.Attribute) and isinstance(node.ctx, ast.Store | ast.Del):
                owner = node.value
            elif isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr in MUTATORS:
                owner = node.func.value
            if isinstance(owner, ast.Name) and owner.id in variables - shadowed:
                yield node


def test_no_print() -> None:
    calls = [(path, node) for path, node in library() if isinstance(node, ast.Call)]
    offenders = [place(path, node) for path, node in calls if ast.unparse(node.func) == "print"]
    none_of(offenders, "The library does not print; the command line uses rich")


def test_no_keyword_arguments_passed_through() -> None:
    offenders = []
    for path, node in library():
        if not isinstance(node, Function) or node.args.kwarg is None:
            continue
        name = node.args.kwarg.arg
        keywords = [one for call in ast.walk(node) if isinstance(call, ast.Call) for one in call.keywords]
        if any(one.arg is None and ast.unparse(one.value) == name for one in keywords):
            offenders.append(f"{place(path, node)}: {node.name} passes **{name} on")
    none_of(offenders, "Options are named, so that a wrong one is an error where it is written")


def test_no_star_imports() -> None:
    imports = [(path, node) for path, node in library() if isinstance(node, ast.ImportFrom)]
    offenders = [place(path, node) for path, node in imports if any(alias.name == "*" for alias in node.names)]
    none_of(offenders, "Imports name what they import")


# --- documentation ----------------------------------------------------------------------------------------------------


def public_definitions() -> Iterator[tuple[str, Path, Definition]]:
    """Functions and classes that a user reaches through public modules, defined there or listed as `X as X`."""
    for name, path in modules().items():
        if any(part.startswith("_") for part in name.split(".")):
            continue
        exported = {node.name for node in tree(path).body if isinstance(node, Definition) and node.name[0] != "_"}
        for node in ast.walk(tree(path)):
            if isinstance(node, ast.ImportFrom):
                exported |= {alias.name for alias in node.names if alias.asname == alias.name}
        for symbol in sorted(exported):
            found = definition(name, symbol)
            if found is not None:
                yield f"{name}.{symbol}", *found


def definition(module: str, symbol: str) -> tuple[Path, Definition] | None:
    """Where a symbol of a module is defined, through any number of re-exports; None for constants and modules."""
    path = modules().get(module)
    if path is None:
        return None
    for node in tree(path).body:
        if isinstance(node, Definition) and node.name == symbol:
            return path, node
    for node in ast.walk(tree(path)):
        if isinstance(node, ast.ImportFrom) and node.module:
            for alias in node.names:
                if (alias.asname or alias.name) == symbol:
                    return definition(node.module, alias.name)
    return None


def test_every_public_symbol_has_an_example() -> None:
    offenders = {
        f"{place(path, node)}: {node.name}"
        for _, path, node in public_definitions()
        if ">>>" not in (ast.get_docstring(node) or "")
    }
    none_of(sorted(offenders), "The docstring of a public function or class has an example (>>>)")


def test_the_architecture_page_shows_the_layers_that_are_checked() -> None:
    page = (ROOT / "docs" / "architecture.md").read_text(encoding="utf-8")
    drawn = re.search(r"```text\n(.*?)```", page, re.DOTALL)
    assert drawn is not None, "docs/architecture.md has no ```text block with the layers"
    contracts = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["tool"]["importlinter"][
        "contracts"
    ]
    checked = [set(re.findall(r"\w+", layer)) for layer in contracts[0]["layers"]]
    shown = [set(re.findall(r"\w+", line.split("  ")[0])) for line in drawn[1].splitlines()]
    assert shown == [layer for layer in checked if layer != {"__main__"}]


# --- imports ----------------------------------------------------------------------------------------------------------


def test_no_import_cycles() -> None:
    graph = grimp.build_graph("adorym", cache_dir=None)
    imports = {module: graph.find_modules_directly_imported_by(module) for module in graph.modules}
    try:
        graphlib.TopologicalSorter(imports).prepare()
    except graphlib.CycleError as error:
        pytest.fail("Import cycle: " + " <- ".join(error.args[1]), pytrace=False)


@pytest.mark.parametrize(
    "name", ["adorym", "adorym.data", "adorym.io", "adorym.metrics", "adorym.physics", "adorym.cli"]
)
def test_importing_does_not_start_jax(name: str) -> None:
    script = f"import sys, {name}; sys.exit('jax' in sys.modules)"
    run = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, timeout=60, check=False)
    assert not run.stderr, f"import {name} fails:\n{run.stderr}"
    assert run.returncode == 0, f"import {name} imports jax; see `{Path(sys.executable).name} -X importtime`"


# --- what is published ------------------------------------------------------------------------------------------------


def tracked_files() -> list[Path]:
    listing = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, text=True, check=False)
    if listing.returncode:
        pytest.skip("not a git checkout: which files are published is not known here")
    return [path for name in listing.stdout.split("\0") if name and (path := ROOT / name).is_file()]


def test_no_machine_is_named() -> None:
    # The names are written in two parts, so that this file does not name them either.
    hosts = "|".join(
        rf"{one}\.(?:org|io|com)" for one in ("py" + "pi", "python" + "hosted", "npm" + "js", "de" + "bian")
    )
    folders = "|".join(("home", "root", "work", "opt", "tmp", "mnt", "Users"))
    pattern = re.compile(rf"(?:{hosts})|--(?:extra-)?index-url|(?<![\w./~:$}}\]>*-])/(?:{folders})/\w")
    offenders = []
    for path in tracked_files():
        try:
            lines = path.read_text(encoding="utf-8").splitlines()
        except UnicodeDecodeError:
            continue
        found = ((number, pattern.search(line)) for number, line in enumerate(lines, 1))
        offenders += [f"{path.relative_to(ROOT)}:{number}: {hit[0]}" for number, hit in found if hit]
    none_of(offenders, "Published files name no package registry and no absolute path")
