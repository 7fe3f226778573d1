"""What the documentation does by itself: a page for each public module, and nothing loaded from elsewhere."""

from __future__ import annotations

import ast
import re
from pathlib import Path

from mkdocs.config.defaults import MkDocsConfig
from mkdocs.exceptions import PluginError
from mkdocs.structure.files import File, Files
from mkdocs.structure.pages import Page

PACKAGE = Path(__file__).resolve().parents[1] / "src" / "adorym"
FOREIGN = re.compile(r'<(?:script|img|iframe|source|link rel="stylesheet")[^>]*\b(?:src|href)="(?:https?:)?//[^"]*"')


def public_modules() -> dict[str, Path]:
    """The package's own modules and subpackages, name to source."""
    found = {path.stem: path for path in PACKAGE.glob("*.py")}
    found |= {path.parent.name: path for path in PACKAGE.glob("*/__init__.py")}
    return {name: path for name, path in sorted(found.items()) if not name.startswith("_")}


def public_names(source: ast.Module) -> list[str]:
    """What a module defines itself, and what it lists as `from x import X as X`."""
    names = []
    for node in source.body:
        if isinstance(node, ast.FunctionDef | ast.ClassDef):
            names.append(node.name)
        elif isinstance(node, ast.ImportFrom):
            names += [alias.name for alias in node.names if alias.asname == alias.name]
        elif isinstance(node, ast.Assign | ast.AnnAssign):
            targets = node.targets if isinstance(node, ast.Assign) else [node.target]
            names += [target.id for target in targets if isinstance(target, ast.Name)]
    return [name for name in names if not name.startswith("_")]


def on_config(config: MkDocsConfig) -> MkDocsConfig:
    """Lists the pages that `on_files` makes."""
    pages = [{f"adorym.{name}": f"api/{name}.md"} for name in public_modules()]
    config.nav = [*(config.nav or []), {"API": ["api/index.md", *pages]}]
    return config


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Adds `api/index.md` and one page for each module."""
    rows = []
    for name, path in public_modules().items():
        source = ast.parse(path.read_text(encoding="utf-8"))
        summary = (ast.get_docstring(source) or "").partition("\n")[0]
        rows.append(f"| [`adorym.{name}`]({name}.md) | {summary} |")
        options = f"    options:\n      members: {public_names(source)}\n"
        page = f"---\ntitle: adorym.{name}\n---\n\n::: adorym.{name}\n{options}"
        files.append(File.generated(config, f"api/{name}.md", content=page))
    table = "\n".join(["| module | what it holds |", "|---|---|", *rows])
    files.append(File.generated(config, "api/index.md", content=f"# API\n\n{table}\n"))
    return files


def on_post_page(output: str, page: Page, config: MkDocsConfig) -> str:
    """Stops the build at a page that would not show without a network."""
    foreign = FOREIGN.search(output)
    if foreign is not None:
        raise PluginError(f"{page.file.src_uri} loads from elsewhere: {foreign[0]}")
    return output
