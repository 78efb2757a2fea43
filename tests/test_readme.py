"""The README's tree names every module with the first line of its docstring.

`python tests/test_readme.py` writes the tree into the README anew.
"""

import ast
from pathlib import Path

ROOT = Path(__file__).parents[1]
README = ROOT / "README.md"
PACKAGES = ("configs", "labeler", "model", "pipelines")
BEGIN, END = "<!-- tree -->\n```\n", "```\n<!-- /tree -->"


def tree() -> str:
    lines: list[str] = []
    for package in PACKAGES:
        _add(ROOT / package, 0, lines)
    return "\n".join(lines) + "\n"


def _add(folder: Path, depth: int, lines: list[str]) -> None:
    indent = "  " * depth
    lines.append(f"{indent}{folder.name + '/':<{34 - len(indent)}}{_summary(folder)}")
    modules = sorted(file for file in folder.glob("*.py") if file.name != "__init__.py")
    lines += [f"{indent}  {m.name:<{32 - len(indent)}}{_summary(m)}" for m in modules]
    for inner in sorted(p for p in folder.iterdir() if (p / "__init__.py").exists()):
        _add(inner, depth + 1, lines)


def _summary(path: Path) -> str:
    source = path / "__init__.py" if path.is_dir() else path
    documentation = ast.get_docstring(ast.parse(source.read_text(encoding="utf-8")))
    assert documentation, f"{source} has no docstring"
    return documentation.splitlines()[0]


def test_the_tree_in_the_readme_is_the_tree() -> None:
    shown = README.read_text(encoding="utf-8").split(BEGIN)[1].split(END)[0]
    assert shown == tree(), "run `python tests/test_readme.py`"


if __name__ == "__main__":
    before, _, rest = README.read_text(encoding="utf-8").partition(BEGIN)
    README.write_text(before + BEGIN + tree() + END + rest.partition(END)[2], encoding="utf-8")
