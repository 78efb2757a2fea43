from pathlib import Path

import pytest
from pydantic import ValidationError

from configs.contracts import InputError
from configs.training import RECIPES, Augmentation, find_recipe, load_train


@pytest.mark.parametrize("path", sorted(RECIPES.glob("*.yaml")), ids=lambda path: path.stem)
def test_recipes_load(path):
    assert load_train(path).epochs >= 1


def test_the_package_s_recipes_are_found_by_name_from_anywhere(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for name in ("small", "configs/train/small.yaml"):
        assert find_recipe(Path(name)) == RECIPES / "small.yaml"
    for name in ("small.yaml", "elsewhere/small.yaml", "smal", str(tmp_path / "small")):
        with pytest.raises(InputError, match="no such file, and no recipe of the package: there"):
            find_recipe(Path(name))
    (tmp_path / "small").write_text("epochs: 3\n")  # a file of one's own goes first
    assert load_train(Path("small")).epochs == 3


def test_overrides_replace_and_mistakes_are_named():
    config = load_train(RECIPES / "demo.yaml", {"epochs": 2, "augmentation.noise_hu": 0})
    assert (config.epochs, config.augmentation.noise_hu) == (2, 0)
    with pytest.raises(InputError, match="'epoch' is not a field"):
        load_train(RECIPES / "demo.yaml", {"epoch": 2})
    with pytest.raises(InputError, match=r"epochs: .*greater"):
        load_train(RECIPES / "demo.yaml", {"epochs": 0})
    with pytest.raises(InputError, match=r"seeds: expected a list, such as \[0, 1, 2\]"):
        load_train(RECIPES / "demo.yaml", {"seeds": 3})
    with pytest.raises(ValidationError):
        Augmentation(flip_up_down=0.5)  # type: ignore[call-arg]  # that is the point


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"workers": 2}, "in_memory and workers contradict"),
        ({"compile": True, "gradient_checkpointing": True}, "compile and gradient_checkpointing"),
        ({"accelerator": "cpu", "devices": 2}, "norm: group or devices: 1"),
        ({"seeds": [1, 1]}, "seeds: name at least one, and each once"),
        ({"augmentation.blur": 0.7, "augmentation.sharpen": 0.7}, "blur and sharpen together"),
    ],
)
def test_contradictions_are_refused_by_name(changes, message):
    with pytest.raises(InputError, match=message):
        load_train(RECIPES / "demo.yaml", changes)
