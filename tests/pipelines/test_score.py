"""`score`: files matched by identifier, figures shown, disagreements with their facts."""

import csv
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from configs import files
from configs.contracts import InputError
from pipelines.label import label
from pipelines.score import score

CT_RATE = Path(__file__).parents[2].parent / "shared" / "data" / "reports" / "ct_rate_train.csv"


def table(path: Path, **columns: list[object]) -> Path:
    pq.write_table(pa.table(columns), path)
    return path


def lines(path: Path, *rows: str) -> Path:
    path.write_text("\n".join(rows) + "\n")
    return path


def test_ids_match_as_text_and_order_does_not_matter(tmp_path: Path) -> None:
    predicted = table(tmp_path / "p.parquet", report_id=["00123", "1e5", "7"], A=[1, 0, 1])
    gold = lines(tmp_path / "g.csv", "AccessionNo;note;A", "7;x;0", "1e5;;0.0", "00123;y;1")
    done = score(predicted, gold, resamples=20, quiet=True)
    assert done.as_is.reports == 3
    assert done.as_is.by_label["A"].precision.value == 0.5
    assert done.as_is.by_label["A"].recall.value == 1.0


def test_what_does_not_match_is_said(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    predicted = table(tmp_path / "p.parquet", report_id=["1", "2"], A=[1, 0], B=[0, 0])
    gold = lines(tmp_path / "g.csv", "report_id,A", "1,1", "3,0", "4,0,0")
    score(predicted, gold, resamples=20, quiet=True)
    said = " ".join(capsys.readouterr().err.split())
    assert "1 of 2 reports in" in said
    assert "1 rows of" in said
    assert "labels not in all files, left out: B" in said


def test_gold_s_other_columns_are_said_and_few_positives_have_no_interval(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    ids = [str(n) for n in range(40)]
    predicted = table(
        tmp_path / "p.parquet", report_id=ids, A=[1] + [0] * 39, B=[1] * 20 + [0] * 20
    )
    gold = table(
        tmp_path / "g.parquet",
        report_id=ids,
        A=[1] + [0] * 39,
        B=[0] * 10 + [1] * 30,
        Hernia=[0] * 40,
    )
    score(predicted, gold, resamples=20)
    said = capsys.readouterr()
    assert "that the labels have not, left out: Hernia" in " ".join(said.err.split())
    rows = {line.split()[0]: line for line in said.out.splitlines() if line.split()}
    assert "1.000 (n = 1)" in rows["A"]
    assert "(." in rows["B"]


def test_gold_s_notes_may_be_in_another_encoding_and_its_identifiers_may_not(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    predicted = table(tmp_path / "p.parquet", report_id=["1", "2"], A=[1, 0])
    gold = tmp_path / "g.csv"
    gold.write_bytes("report_id,A,note\n1,1,Müller\n2,0,±\nä3,0,\n".encode("latin-1"))
    done = score(predicted, gold, resamples=20, quiet=True)
    assert done.as_is.reports == 2
    assert "1 rows of" in " ".join(capsys.readouterr().err.split())


@pytest.mark.parametrize(("convention", "value"), [("ct_rate", 1.0), ("other", 0.0)])
def test_uncertain_counts_as_the_convention_says(
    tmp_path: Path, convention: str, value: float
) -> None:
    other = lines(
        tmp_path / "other.yaml",
        "about: a test",
        "binary: {uncertain: 0, blank: 0}",
        "labels: {A: {findings: [nodule]}}",
    )
    predicted = table(tmp_path / "p.parquet", report_id=["1", "2", "3"], A=[-1, None, 0])
    gold = lines(tmp_path / "g.csv", "report_id,A", "1,1", "2,", "3,0")
    name = convention if convention == "ct_rate" else str(other)
    done = score(predicted, gold, convention=name, resamples=20, quiet=True)
    assert done.as_is.by_label["A"].recall.value == value


def test_errata_are_scored_apart(tmp_path: Path) -> None:
    predicted = table(tmp_path / "p.parquet", report_id=["1", "2", "3"], A=[1, 1, 0])
    gold = lines(tmp_path / "g.csv", "report_id,A", "1,1", "2,0", "3,0")
    errata = lines(tmp_path / "e.csv", "report_id,label,why", "2,A,it is there", "9,A,unknown")
    done = score(predicted, gold, errata=errata, resamples=20, quiet=True)
    assert done.as_is.by_label["A"].precision.value == 0.5
    assert done.minus_errata is not None
    assert done.minus_errata.by_label["A"].precision.value == 1.0


def test_two_labelers_are_compared_on_the_same_reports(tmp_path: Path) -> None:
    ids = [str(number) for number in range(50)]
    truth = [number % 2 for number in range(50)]
    gold = table(tmp_path / "g.parquet", report_id=ids, A=truth)
    good = table(tmp_path / "good.parquet", report_id=ids, A=truth)
    bad = table(tmp_path / "bad.parquet", report_id=ids[:40], A=[1] * 40)
    done = score(good, gold, against=bad, resamples=100, quiet=True)
    assert done.as_is.reports == 40
    assert done.against is not None
    assert done.difference is not None
    gain = done.difference.by_label["A"]
    assert gain.value == pytest.approx(1 - done.against.by_label["A"].f1.value)
    assert gain.low > 0


def test_disagreements_carry_their_facts(tmp_path: Path) -> None:
    reports = lines(
        tmp_path / "r.csv",
        "report_id,report_text",
        '"=7","There is a small left pleural effusion."',
        "8,There is mild emphysema.",
    )
    label(reports, out=tmp_path / "labels", quiet=True)
    gold = lines(tmp_path / "g.csv", "report_id,Pleural effusion,Emphysema", "=7,0,0", "8,0,1")
    errata = lines(tmp_path / "e.csv", "report_id,label", "=7,Pleural effusion")
    score(tmp_path / "labels", gold, errata=errata, out=tmp_path / "out", resamples=20, quiet=True)
    with (tmp_path / "out" / "disagreements.csv").open(newline="") as file:
        (row,) = csv.DictReader(file)
    assert (row["report_id"], row["label"]) == ("'=7", "Pleural effusion")
    assert (row["gold"], row["predicted"], row["in_errata"]) == ("0", "1", "yes")
    assert "pleural_effusion present" in row["facts"]
    record = files.read_json(tmp_path / "out" / "run.json")
    assert record["counts"]["disagreements"] == 1
    assert record["config"]["convention"] == "ct_rate"
    content = files.read_json(tmp_path / "out" / "score.json")
    assert content["as_is"]["by_label"]["Emphysema"]["f1"]["value"] == 1.0
    assert content["as_is"]["by_label"]["Pleural effusion"]["recall"]["value"] is None


def test_nothing_is_written_without_out(tmp_path: Path) -> None:
    predicted = table(tmp_path / "p.parquet", report_id=["1"], A=[1])
    score(predicted, predicted, resamples=20, quiet=True)
    assert [path.name for path in tmp_path.iterdir()] == ["p.parquet"]


def test_the_table_is_shown(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    predicted = table(tmp_path / "p.parquet", report_id=["1", "2"], A=[1, 0])
    score(predicted, predicted, against=predicted, resamples=20)
    shown = capsys.readouterr().out
    assert "1.000 (n = 1)" in shown
    assert "+0.000 (+.000,+.000)" in shown
    assert "macro" in shown


@pytest.mark.parametrize(
    ("gold", "message"),
    [
        (["report_id,A", "9,1"], "no report in common.*--id-column"),
        (["report_id,Z", "1,1"], "none of the labels has a column"),
        (["report_id,A", "1,2"], "column 'A', record 1: not 1, 0, -1 or blank"),
        (["report_id,A", "1,1", "1,0"], "1 identifiers stand twice"),
        (["x,A", "1,1"], "--id-column"),
    ],
)
def test_gold_that_cannot_be_used_is_refused(tmp_path: Path, gold: list[str], message: str) -> None:
    predicted = table(tmp_path / "p.parquet", report_id=["1", "2"], A=[1, 0])
    with pytest.raises(InputError, match=message):
        score(predicted, lines(tmp_path / "g.csv", *gold), quiet=True)


def test_missing_files_and_folders_without_labels_are_refused(tmp_path: Path) -> None:
    predicted = table(tmp_path / "p.parquet", report_id=["1"], A=[1])
    (tmp_path / "empty").mkdir()
    with pytest.raises(InputError, match="no such file"):
        score(predicted, tmp_path / "nope.csv", quiet=True)
    with pytest.raises(InputError, match="no such file"):
        score(tmp_path / "nope", predicted, quiet=True)
    with pytest.raises(InputError, match=r"no labels\.parquet here"):
        score(tmp_path / "empty", predicted, quiet=True)
    (tmp_path / "empty" / "store.json").touch()
    table(tmp_path / "empty" / "scans.parquet", scan_id=["1"])
    with pytest.raises(InputError, match="give the output folder of chestct label"):
        score(tmp_path / "empty", predicted, quiet=True)


@pytest.mark.skipif(not CT_RATE.exists(), reason="the 800 real reports are not beside the tree")
def test_the_real_reports_score_well(tmp_path: Path) -> None:
    label(CT_RATE, out=tmp_path, quiet=True)
    done = score(tmp_path, CT_RATE, resamples=50, quiet=True)
    assert done.as_is.reports == 800
    assert len(done.as_is.by_label) == 18
    assert done.as_is.macro.f1.value > 0.9


def test_sentences_stand_behind_each_disagreement(tmp_path: Path) -> None:
    reports = tmp_path / "reports.csv"
    rows = 'no,said\na,"Heart size is normal ± 5°. No emphysema\nis seen in either lung."\n'
    reports.write_bytes(f"{rows}b,Emphysema.\n".encode("cp1252"))
    columns = {"id_column": "no", "text_column": ["said"], "encoding": "cp1252"}
    label(reports, out=tmp_path / "labelled", workers=1, quiet=True, **columns)
    gold = lines(tmp_path / "gold.csv", "report_id,Emphysema", "a,1", "b,1")
    score(
        tmp_path / "labelled", gold, reports=reports, out=tmp_path / "out", resamples=20, quiet=True
    )
    with (tmp_path / "out" / "disagreements.csv").open(newline="") as file:
        (row,) = csv.DictReader(file)
    assert row["report_id"] == "a"
    assert "No emphysema is seen in either lung." in row["sentences"]
    assert "Heart" not in row["sentences"]
    with pytest.raises(InputError, match="--out"):
        score(tmp_path / "labelled", gold, reports=reports)
    with pytest.raises(InputError, match=r"other arguments .*--restart replaces it"):
        score(tmp_path / "labelled", gold, out=tmp_path / "out", resamples=20, quiet=True)
    assert "No emphysema" in (tmp_path / "out" / "disagreements.csv").read_text()
