"""What `demo` refuses; that it runs to its end is checked by `.ci/run` with `demo --quick`."""

from pathlib import Path

import pytest

from configs.contracts import InputError
from pipelines.demo import demo


def test_a_folder_with_other_files_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "thesis.txt").write_text("years of work")
    with pytest.raises(InputError, match="no demo's"):
        demo(out=tmp_path, quick=True)
    assert (tmp_path / "thesis.txt").read_text() == "years of work"


def test_a_file_as_output_and_too_few_studies_are_refused(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(InputError, match="is a file"):
        demo(out=tmp_path / "file", quick=True)
    with pytest.raises(InputError, match="at least 20"):
        demo(out=tmp_path / "new", studies=3)
    assert not (tmp_path / "new").exists()
