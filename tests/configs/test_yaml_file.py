from pathlib import Path

import pytest

from configs.contracts import InputError
from configs.yaml_file import load_yaml


def written(folder: Path, text: str) -> Path:
    path = folder / "some.yaml"
    path.write_text(text)
    return path


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("a: 1\nb: 2\na: 3", r"some\.yaml:3: 'a' stands twice, first in line 1"),
        ("a: 1\nb:\n  c: 1\n  c: 2", r"some\.yaml:4: 'c' stands twice, first in line 3"),
        ("a: 1\n? [1, 2]\n: 3", r"some\.yaml:2: not valid YAML"),
        ("a: 1\n---\nb: 2", r"some\.yaml:2: not valid YAML"),
        ("a: 1\nb: !!python/object/apply:os.getcwd []", r"some\.yaml:2: not valid YAML"),
        ("a: \x01", r"some\.yaml: not valid YAML"),
        ("", r"some\.yaml:1: the file is empty"),
        ("a:\n  " + "[" * 200_000, r"some\.yaml:2: nested more than 100 levels deep"),
    ],
)
def test_a_mistake_is_answered_with_file_and_line(text: str, message: str, tmp_path: Path) -> None:
    with pytest.raises(InputError, match=message):
        load_yaml(written(tmp_path, text), dict)


def test_a_merged_mapping_may_be_overridden(tmp_path: Path) -> None:
    path = written(tmp_path, "a: &x {k: 1, l: 2}\nb:\n  <<: *x\n  k: 3\n")
    assert load_yaml(path, dict) == {"a": {"k": 1, "l": 2}, "b": {"k": 3, "l": 2}}


def test_aliases_within_themselves_and_aliases_of_aliases_end(tmp_path: Path) -> None:
    assert list(load_yaml(written(tmp_path, "a: &x [*x]"), dict)) == ["a"]
    lines = ["a0: &a0 [x]"]
    lines += [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 9)}]" for n in range(1, 30)]
    assert len(load_yaml(written(tmp_path, "\n".join(lines)), dict)) == 30
