"""The label x location table from facts alone agrees with the labeler's own."""

import shutil
from pathlib import Path

import pytest

from configs.contracts import InputError
from configs.files import read_table, write_table
from labeler import load_labeler
from pipelines.label import label
from pipelines.locations import locations

REPORTS = {
    "a": "A 7 mm nodule in the right upper lobe. Possible left pleural effusion. No emphysema.",
    "b": "Lungs are clear.",
    "c": "Calcified plaques in the aorta and the coronary arteries.",
}


@pytest.fixture
def labelled(tmp_path: Path) -> Path:
    archive = tmp_path / "reports.csv"
    rows = [f'{name},"{text}"' for name, text in REPORTS.items()]
    archive.write_text("\n".join(["report_id,report_text", *rows]), encoding="utf-8")
    label(archive, out=tmp_path / "labelled", workers=1, quiet=True)
    return tmp_path / "labelled"


def test_table_is_the_labelers(labelled: Path, tmp_path: Path) -> None:
    rows = locations(labelled, out=tmp_path / "places")
    table = read_table(tmp_path / "places" / "locations.parquet")
    labeler = load_labeler("rad_chestct")
    wanted = [
        {"report_id": name, **place._asdict()}
        for name, text in REPORTS.items()
        for place in labeler.locations(labeler.label(text))
    ]
    assert table.num_rows == rows == len(wanted) > 0
    assert table.to_pylist() == wanted


def test_a_finished_table_outlives_what_is_refused(labelled: Path, tmp_path: Path) -> None:
    out = tmp_path / "places"
    locations(labelled, out=out)
    before = {path.name: path.read_bytes() for path in out.iterdir()}
    other = tmp_path / "other"
    shutil.copytree(labelled, other)
    with pytest.raises(InputError, match=r"other arguments \(labels\); --restart"):
        locations(other, out=out)
    (labelled / "facts.parquet" / "part-00000.parquet").write_text("not a table")
    with pytest.raises(InputError, match="not a Parquet table"):
        locations(labelled, out=out)
    assert {path.name: path.read_bytes() for path in out.iterdir()} == before
    assert locations(other, out=out, restart=True)


def test_convention_without_locations_is_refused(labelled: Path, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="has no locations"):
        locations(labelled, out=tmp_path / "places", convention="clinical")


def test_facts_of_another_version_are_told(labelled: Path, tmp_path: Path) -> None:
    facts = read_table(labelled / "facts.parquet")
    shutil.rmtree(labelled / "facts.parquet")
    write_table(labelled / "facts.parquet", facts.drop_columns(["other_sizes_mm"]))
    with pytest.raises(InputError, match=r"no column 'other_sizes_mm'.*label again"):
        locations(labelled, out=tmp_path / "places")
    odd = facts.set_column(
        facts.schema.get_field_index("existence"), "existence", [["perhaps"] * len(facts)]
    )
    write_table(labelled / "facts.parquet", odd)
    with pytest.raises(InputError, match="does not know; label again"):
        locations(labelled, out=tmp_path / "places")
    (labelled / "facts.parquet").write_text("not a table")
    with pytest.raises(InputError, match="not a Parquet table"):
        locations(labelled, out=tmp_path / "places")


def test_no_facts_are_told(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="facts"):
        locations(tmp_path, out=tmp_path / "places")
