"""`label`: every record is accounted for, and the files are what docs/files.md says."""

from pathlib import Path

import pyarrow.parquet as pq
import pytest

from configs import files, tables
from configs.contracts import InputError
from labeler import load_labeler
from pipelines.label import label
from pipelines.labelled.tables import spreadsheet_cell
from pipelines.synthetic.hospital import plan
from pipelines.synthetic.reporting import write_report

CT_RATE = Path(__file__).parents[2].parent / "shared" / "data" / "reports" / "ct_rate_train.csv"
EFFUSION = "There is a small left pleural effusion. No pericardial effusion."


def archive(path: Path, rows: list[tuple[str, str]]) -> Path:
    quoted = (f'"{i}","{t.replace(chr(34), chr(34) * 2)}"\n' for i, t in rows)
    path.write_text("report_id,report_text\n" + "".join(quoted))
    return path


def test_labels_and_facts_follow_their_schemas(tmp_path: Path) -> None:
    reports = archive(tmp_path / "a.csv", [("00123", EFFUSION), ("1e5", "Normal chest.")])
    label(reports, out=tmp_path / "out", quiet=True)
    names = load_labeler().label_names
    labels = pq.read_table(tmp_path / "out" / "labels.parquet")
    facts = pq.read_table(tmp_path / "out" / "facts.parquet")
    assert labels.schema.equals(tables.labels_schema(names))
    assert facts.schema.equals(tables.FACTS)
    first = labels.to_pylist()[0]
    assert first["report_id"] == "00123"
    assert (first["Pleural effusion"], first["Pericardial effusion"]) == (1, 0)
    assert first["Bronchiectasis"] is None
    for fact in facts.to_pylist():
        text = EFFUSION if fact["report_id"] == "00123" else "Normal chest."
        assert text[fact["start"] : fact["end"]] == fact["text"]


def test_binary_has_no_blank_and_no_uncertain(tmp_path: Path) -> None:
    reports = archive(tmp_path / "a.csv", [("1", EFFUSION), ("2", "Possible atelectasis.")])
    label(reports, out=tmp_path / "out", binary=True, quiet=True)
    for row in files.read_table(tmp_path / "out" / "labels.parquet").to_pylist():
        assert {value for name, value in row.items() if name != "report_id"} <= {0, 1}


def test_every_record_is_counted(tmp_path: Path) -> None:
    reports = tmp_path / "a.csv"
    reports.write_text('report_id,report_text\n1,clear\n2,"open\n3,clear\n3,other\n4,\n')
    done = label(reports, out=tmp_path / "out", quiet=True)
    counts = files.read_json(tmp_path / "out" / "run.json")["counts"]
    assert counts["read"] == counts["labelled"] + counts["rejected"] == 5
    assert done.reports == counts["labelled"] == 2
    rejected = files.read_table(tmp_path / "out" / "rejected.parquet").to_pylist()
    assert [row["reason"] for row in rejected] == ["MALFORMED_ROW", "DUPLICATE_ID", "EMPTY"]


def test_rejects_are_told_even_when_quiet(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    reports = archive(tmp_path / "a.csv", [("1", EFFUSION), ("2", "")])
    label(reports, out=tmp_path / "out", quiet=True)
    shown = capsys.readouterr()
    assert shown.out == ""
    assert "1 of 2 records set aside (EMPTY 1)" in " ".join(shown.err.split())


def test_the_summary_is_printed(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    reports = archive(tmp_path / "a.csv", [("1", EFFUSION), ("2", EFFUSION)])
    done = label(reports, out=tmp_path / "out")
    assert done.summary()["present_labels_per_report"] == 1.0
    out = capsys.readouterr().out
    assert "Pleural effusion" in out
    assert "labels present per report: 1.00 ± 0.00" in out
    assert "left" not in out


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("report_id,report_text\n", "only a header"),
        ("report_id,report_text\n1,\n2,\n", r"all 2 records were rejected \(EMPTY 2\).*line 2"),
        ("", "empty"),
        ("a,b\n1,2\n", "--id-column"),
    ],
)
def test_nothing_to_label_is_refused_and_nothing_is_left(
    tmp_path: Path, content: str, message: str
) -> None:
    (tmp_path / "a.csv").write_text(content)
    with pytest.raises(InputError, match=message):
        label(tmp_path / "a.csv", out=tmp_path / "out", quiet=True)
    assert not (tmp_path / "out").exists() or not list((tmp_path / "out").iterdir())


def test_an_unknown_convention_is_refused(tmp_path: Path) -> None:
    reports = archive(tmp_path / "a.csv", [("1", EFFUSION)])
    with pytest.raises(InputError, match="nope"):
        label(reports, out=tmp_path / "out", convention="nope", quiet=True)


def test_csv_is_safe_in_a_spreadsheet_and_an_older_one_is_removed(tmp_path: Path) -> None:
    reports = archive(tmp_path / "a.csv", [("=1+1", EFFUSION)])
    label(reports, out=tmp_path / "out", csv=True, quiet=True)
    lines = (tmp_path / "out" / "labels.csv").read_text().splitlines()
    assert lines[1].startswith("'=1+1,")
    assert (tmp_path / "out" / "facts.csv").read_text().count("'=1+1") == 2
    label(reports, out=tmp_path / "out", quiet=True)
    assert not (tmp_path / "out" / "labels.csv").exists()


@pytest.mark.parametrize("start", ["=", "+", "-", "@", "\t", "\r", "\n"])
def test_no_text_cell_begins_a_formula(start: str) -> None:
    assert spreadsheet_cell(start + "cmd") == "'" + start + "cmd"
    assert spreadsheet_cell("a" + start) == "a" + start
    assert spreadsheet_cell((8.0, 6.5)) == "8 x 6.5"


def test_labelling_twice_gives_the_same_bytes(tmp_path: Path) -> None:
    rows = [(case.accession, write_report(case, None)) for case in plan(30, seed=4)]
    reports = archive(tmp_path / "a.csv", rows)
    for name in ("one", "two"):
        label(reports, out=tmp_path / name, quiet=True)
    for name in ("labels.parquet", "facts.parquet", "rejected.parquet"):
        one, two = ((tmp_path / run / name).read_bytes() for run in ("one", "two"))
        assert one == two


@pytest.mark.skipif(not CT_RATE.exists(), reason="the 800 real reports are not beside the tree")
def test_all_real_reports_are_labelled(tmp_path: Path) -> None:
    done = label(CT_RATE, out=tmp_path, quiet=True)
    assert done.reports == 800
    assert 2 < done.summary()["present_labels_per_report"] < 5
