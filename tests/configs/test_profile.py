from pathlib import Path

import pytest

from configs.contracts import InputError
from configs.profile import load_profile, profile_names


@pytest.mark.parametrize("name", profile_names())
def test_every_packaged_profile_loads_under_its_own_name(name: str) -> None:
    profile = load_profile(name)
    assert profile.name == name
    assert all(edge >= 280 for edge in profile.extent_mm_zyx), "an adult's lungs must fit"


def test_base_and_large_share_a_grid() -> None:
    base, large = load_profile("base"), load_profile("large")
    assert base.model_copy(update={"name": "large"}) == large


def test_own_profile_by_path(tmp_path: Path) -> None:
    path = tmp_path / "mine.yaml"
    path.write_text("name: mine\ngrid_zyx: [8, 9, 10]\nspacing_mm_zyx: [1, 2, 3]\nmargin_mm: 0\n")
    assert load_profile(str(path)).extent_mm_zyx == (8, 18, 30)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("name: mine\ngrid_zyx: [8, 9]\nspacing_mm_zyx: [1, 2, 3]\nmargin_mm: 0\n", "grid_zyx"),
        ("name: m\ngrid_zyx: [8, 9, 8]\nspacing_mm_zyx: [1, 0, 3]\nmargin_mm: 0\n", "spacing"),
        (
            "name: m\ngrid_zyx: [8, 9, 8]\nspacing_mm_zyx: [1, .nan, 3]\nmargin_mm: 0\n",
            "spacing",
        ),
        (
            "name: m\ngrid_zyx: [8, 9, 8]\nspacing_mm_zyx: [1, 1, 3]\nmargin_mm: 0\nclip: 1\n",
            "clip",
        ),
        ("- a\n- b\n", "the file"),
        ("name: [\n", ":2: not YAML"),
        ("!!python/object/apply:os.system ['true']\n", "not YAML"),
    ],
)
def test_a_wrong_profile_is_refused_by_field(tmp_path: Path, text: str, says: str) -> None:
    path = tmp_path / "mine.yaml"
    path.write_text(text)
    with pytest.raises(InputError, match=says):
        load_profile(str(path))


@pytest.mark.parametrize("name", ["huge", "../profiles/tiny", "", "none.yaml"])
def test_an_unknown_profile_is_refused(name: str) -> None:
    with pytest.raises(InputError):
        load_profile(name)
