from pathlib import Path

import pytest

from configs import files
from configs.contracts import InputError, RecordReason, Stage
from pipelines.running.run import Run


def test_a_run_leaves_its_record_and_its_rejects(tmp_path: Path) -> None:
    source = tmp_path / "reports.csv"
    source.write_text("id,text\n")
    with Run("label", tmp_path / "out", {"reports": source}, {"binary": False}) as run:
        run.counts["reports"] = 3
        run.reject("00123", Stage.READ, RecordReason.EMPTY, "row 2: no text")
    record = files.read_json(tmp_path / "out" / "run.json")
    assert record["verb"] == "label"
    assert record["counts"] == {"reports": 3, "rejected": 1}
    assert record["inputs"]["reports"]["sha256"] == files.sha256_of(source)
    assert "torch" in record["versions"]
    rejected = files.read_table(tmp_path / "out" / "rejected.parquet").to_pylist()
    assert rejected == [
        {"id": "00123", "stage": "read", "reason": "EMPTY", "detail": "row 2: no text"}
    ]


def test_a_failed_run_is_not_recorded_as_done(tmp_path: Path) -> None:
    with Run("label", tmp_path):
        pass
    with pytest.raises(RuntimeError), Run("label", tmp_path):
        raise RuntimeError
    assert not (tmp_path / "run.json").exists()


def test_a_failed_run_leaves_no_empty_folder_that_it_made(tmp_path: Path) -> None:
    with pytest.raises(RuntimeError):
        fail(tmp_path / "new" / "out")
    assert not (tmp_path / "new").exists()
    with pytest.raises(RuntimeError):
        fail(tmp_path / "new" / "out", "part")
    assert (tmp_path / "new" / "out" / "part").exists()
    (tmp_path / "theirs").mkdir()
    with pytest.raises(RuntimeError):
        fail(tmp_path / "theirs")
    assert (tmp_path / "theirs").exists()


def fail(out: Path, *written: str) -> None:
    """A run that fails when it has written these files."""
    with Run("label", out) as run:
        for name in written:
            (run.out / name).touch()
        raise RuntimeError


def test_another_verb_s_results_are_left_alone(tmp_path: Path) -> None:
    with Run("label", tmp_path):
        pass
    with pytest.raises(InputError, match="results of `label`"), Run("prepare", tmp_path):
        pass
    assert files.read_json(tmp_path / "run.json")["verb"] == "label"


def test_missing_inputs_and_a_file_as_output_folder_are_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no such file"), Run("x", tmp_path, {"a": tmp_path / "b"}):
        pass
    (tmp_path / "file").touch()
    with pytest.raises(InputError, match="is a file"), Run("x", tmp_path / "file"):
        pass


def test_a_finished_run_of_a_file_that_changed_is_replaced_by_restart_alone(tmp_path: Path) -> None:
    labels, out = tmp_path / "labels.csv", tmp_path / "out"
    labels.write_text("id,nodule\n")
    for _ in range(2):  # the same again is no other
        with Run("score", out, {"labels": labels}, restart=False):
            pass
    labels.write_text("id,cyst\n")
    with pytest.raises(InputError, match=r"other arguments \(labels\); --restart"):
        Run("score", out, {"labels": labels}, restart=False).check()
    Run("score", out, {"labels": labels}, restart=True).check()
