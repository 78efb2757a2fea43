"""`label`: every record is accounted for, and the files are what docs/files.md says."""

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from configs import files, tables
from configs.contracts import InputError
from configs.convention import load_convention
from pipelines.label import label
from pipelines.labelled.archive import LabelledArchive
from pipelines.labelled.tables import spreadsheet_cell
from pipelines.labelled.values import convention_of
from pipelines.synthetic.hospital import plan
from pipelines.synthetic.reporting import write_report

CT_RATE = Path(__file__).parents[2].parent / "shared" / "data" / "reports" / "ct_rate_train.csv"
EFFUSION = "There is a small left pleural effusion. No pericardial effusion."


def archive(path: Path, rows: list[tuple[str, str]]) -> Path:
    quoted = (f'"{i}","{t.replace(chr(34), chr(34) * 2)}"\n' for i, t in rows)
    path.write_text("report_id,report_text\n" + "".join(quoted))
    return path


def read(path: Path) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = files.read_table(path).to_pylist()
    return rows


def test_labels_and_facts_follow_their_schemas_and_every_record_is_counted(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    reports = tmp_path / "a.csv"
    rows = f'00123,{EFFUSION}\n1e5,Normal chest.\n2,"open\n=1+1,{EFFUSION}\n1e5,Normal chest.\n4,\n'
    reports.write_text("report_id,report_text\n" + rows)
    out = tmp_path / "out"
    done = label(reports, out=out, csv=True)

    labels, facts = (
        files.read_table(out / "labels.parquet"),
        files.read_table(out / "facts.parquet"),
    )
    assert labels.schema.equals(tables.labels_schema(done.labels))
    assert facts.schema.equals(tables.FACTS)
    first, second, third = labels.to_pylist()
    assert (first["report_id"], second["report_id"]) == ("00123", "1e5")
    assert (first["Pleural effusion"], first["Pericardial effusion"]) == (1, 0)
    assert first["Bronchiectasis"] is None
    assert third == first | {"report_id": "=1+1"}
    for fact in facts.to_pylist():
        text = "Normal chest." if fact["report_id"] == "1e5" else EFFUSION
        assert text[fact["start"] : fact["end"]] == fact["text"]

    record = files.read_json(out / "run.json")
    assert record["counts"] == {"read": 6, "labelled": 3, "facts": len(facts), "rejected": 3}
    reasons = [row["reason"] for row in read(out / "rejected.parquet")]
    assert reasons == ["MALFORMED_ROW", "DUPLICATE_ID", "EMPTY"]
    assert done.reports == 3
    assert done.summary()["present_labels_per_report"] == round(2 / 3, 4)

    shown = capsys.readouterr()
    assert "labels present per report: 0.67 ± 0.47" in shown.out
    assert "3 of 6 records set aside (DUPLICATE_ID 1, EMPTY 1, MALFORMED_ROW 1)" in flat(shown.err)

    lines = (out / "labels.csv").read_text().splitlines()
    assert [line.split(",")[0] for line in lines[1:]] == ["00123", "1e5", "'=1+1"]
    assert (out / "facts.csv").read_text().count("\n'=1+1,") == 2

    before = {path: path.read_bytes() for path in out.rglob("*") if path.is_file()}
    again = label(reports, out=out, quiet=True)
    assert again.tally == done.tally
    shown = capsys.readouterr()
    assert shown.out == ""
    assert "finished before, nothing to do" in flat(shown.err)
    assert "3 of 6 records set aside" in flat(shown.err), "told even when quiet"
    assert {path: path.read_bytes() for path in out.rglob("*") if path.is_file()} == before


def test_an_encoding_is_named_and_never_guessed(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    reports, out = tmp_path / "a.csv", tmp_path / "out"
    text = "Müller: aorta 40 mm ± 2 at 5° rotated. Emphysema."
    reports.write_bytes(f"report_id,report_text\n1,{text}\n2,Emphysema.\n".encode("cp1252"))
    assert label(reports, out=out, quiet=True).reports == 1
    assert "ENCODING: not UTF-8; --encoding names" in flat(capsys.readouterr().err)
    with pytest.raises(InputError, match="--encoding has changed"):
        label(reports, out=out, quiet=True, encoding="windows-1252")
    done = label(reports, out=out, quiet=True, encoding="windows-1252", restart=True)
    assert (done.reports, done.tally.rejected) == (2, 0)
    label(reports, out=out, quiet=True, encoding="cp1252")  # another name of the same
    (fact, *_) = [row for row in read(out / "facts.parquet") if row["finding"] == "emphysema"]
    assert text[fact["start"] : fact["end"]] == "Emphysema"
    archive = LabelledArchive.open(out)
    assert [report.text for report in archive.read()] == [text, "Emphysema."]
    with pytest.raises(InputError, match="no such encoding"):
        label(reports, out=tmp_path / "x", encoding="rot13")


def test_status_time_and_examination_stand_beside_the_labels(tmp_path: Path) -> None:
    reports = tmp_path / "a.csv"
    reports.write_text(
        "report_id,report_text,state,at,what\n"
        "1,Emphysema.,F,2024-03-01T12:00:00+01:00,CT CHEST\n"
        "2,Normal chest.,P,20240302,CT CHEST\n"
        "3,EXAM: CT THORAX. Normal chest.,corrected,,\n"
    )
    columns = {"status_column": "state", "time_column": "at", "exam_column": "what"}
    label(reports, out=tmp_path / "out", quiet=True, **columns)
    table = files.read_table(tmp_path / "out" / "reports.parquet")
    assert table.schema.equals(tables.REPORTS)
    assert table.to_pylist() == [
        {
            "report_id": "1",
            "status": "final",
            "time": datetime(2024, 3, 1, 11, tzinfo=UTC),
            "exam": "CT CHEST",
        },
        {
            "report_id": "3",
            "status": "corrected",
            "time": None,
            "exam": "CT THORAX. Normal chest.",
        },
    ]


def flat(text: str) -> str:
    return " ".join(text.split())


def test_another_plan_is_refused_unless_all_is_to_be_made_anew(tmp_path: Path) -> None:
    reports = archive(tmp_path / "a.csv", [("1", EFFUSION), ("2", "Possible atelectasis.")])
    out = tmp_path / "out"
    label(reports, out=out, csv=True, quiet=True)
    with pytest.raises(InputError, match=r"--binary has changed.*--restart"):
        label(reports, out=out, binary=True, quiet=True)
    archive(reports, [("1", EFFUSION), ("2", "Possible atelectasis. Emphysema.")])
    with pytest.raises(InputError, match="the archive has changed"):
        label(reports, out=out, quiet=True)
    label(reports, out=out, binary=True, restart=True, quiet=True)
    assert not (out / "labels.csv").exists(), "an older one is no longer true"
    for row in read(out / "labels.parquet"):
        assert {value for name, value in row.items() if name != "report_id"} <= {0, 1}


@pytest.mark.parametrize("restart", [False, True])
@pytest.mark.parametrize(
    ("table", "reports"),
    [
        ("reports.parquet", "reports.parquet"),
        ("reports.parquet/part-0.parquet", "reports.parquet"),
        ("reports.parquet", "a.csv"),
    ],
)
def test_an_archive_of_a_table_s_name_is_never_written_over(
    tmp_path: Path, table: str, reports: str, restart: bool
) -> None:
    archive(tmp_path / "a.csv", [("1", EFFUSION)])
    theirs = pa.table({"report_id": ["1"], "report_text": ["Emphysema."]})
    files.write_table(tmp_path / table, theirs)
    with pytest.raises(InputError, match=r"reports.parquet is none of label's"):
        label(tmp_path / reports, out=tmp_path, restart=restart, quiet=True)
    assert files.read_table(tmp_path / table) == theirs


def test_an_overlay_labels_with_the_site_s_own_rules(tmp_path: Path, own_configs: Path) -> None:
    reports = archive(tmp_path / "a.csv", [("1", "A snow globe is seen."), ("2", "Clear.")])
    out, finding = tmp_path / "out", own_configs / "findings" / "own.yaml"
    label(reports, out=out, configs=own_configs, convention="own", quiet=True)
    assert [row["Globe"] for row in read(out / "labels.parquet")] == [1, None]
    assert load_convention(convention_of(out) or "").labels.keys() == {"Globe"}
    finding.write_text(finding.read_text().replace("[snow globe]", "[snow globe, globe of snow]"))
    with pytest.raises(InputError, match="a finding, cue, convention or the program"):
        label(reports, out=out, configs=own_configs, convention="own", quiet=True)


def test_an_overlay_whose_examples_are_misread_is_refused(
    tmp_path: Path, own_configs: Path
) -> None:
    finding = own_configs / "findings" / "own.yaml"
    finding.write_text(finding.read_text().replace("[snow globe]", "[snow ball]"))
    with pytest.raises(InputError, match=r"own.yaml:7: .*'snow_globe' is read as not mentioned"):
        label(
            archive(tmp_path / "a.csv", [("1", EFFUSION)]),
            out=tmp_path / "out",
            configs=own_configs,
        )
    assert not (tmp_path / "out").exists()


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
    assert not (tmp_path / "out").exists()


def test_an_unknown_convention_is_refused(tmp_path: Path) -> None:
    reports = archive(tmp_path / "a.csv", [("1", EFFUSION)])
    with pytest.raises(InputError, match="nope"):
        label(reports, out=tmp_path / "out", convention="nope", quiet=True)


@pytest.mark.parametrize("start", ["=", "+", "-", "@", "\t", "\r", "\n"])
def test_no_text_cell_begins_a_formula(start: str) -> None:
    assert spreadsheet_cell(start + "cmd") == "'" + start + "cmd"
    assert spreadsheet_cell("a" + start) == "a" + start
    assert spreadsheet_cell((8.0, 6.5)) == "8 x 6.5"


def test_two_workers_give_the_same_bytes_as_one(tmp_path: Path) -> None:
    rows = [(case.accession, write_report(case, None)) for case in plan(60, seed=4)]
    reports = archive(tmp_path / "a.csv", rows)
    found = []
    for workers in (1, 2):
        out = tmp_path / str(workers)
        label(reports, out=out, workers=workers, shard_size=7, quiet=True)
        parts = sorted(out.glob("*.parquet/*"))
        found.append([(path.relative_to(out), path.read_bytes()) for path in parts])
        assert not (out / ".shards").exists()
    assert len(found[0]) == 4 * 9
    assert found[0] == found[1]


def test_an_addendum_overrides_only_what_it_names(tmp_path: Path) -> None:
    first = "No pleural effusion. Emphysema is seen. No consolidation."
    reports = tmp_path / "a.csv"
    reports.write_text(
        "report_id,report_text,status\n"
        f"1,{first},final\n1,There is a small pleural effusion after all.,addendum\n"
    )
    done = label(reports, out=tmp_path / "out", status_column="status", quiet=True)
    (row,) = read(tmp_path / "out" / "labels.parquet")
    assert (row["Pleural effusion"], row["Emphysema"], row["Consolidation"]) == (1, 1, 0)
    assert row["Bronchiectasis"] is None
    assert done.tally.contradicted == 1
    assert done.tally.reasons == {"JOINED": 1}


def test_an_output_folder_inside_the_archive_is_refused(tmp_path: Path) -> None:
    (tmp_path / "1.txt").write_text(EFFUSION)
    with pytest.raises(InputError, match="lies inside the archive"):
        label(tmp_path, out=tmp_path / "out", quiet=True)


@pytest.mark.skipif(not CT_RATE.exists(), reason="the 800 real reports are not beside the tree")
def test_all_real_reports_are_labelled(tmp_path: Path) -> None:
    done = label(CT_RATE, out=tmp_path, quiet=True)
    assert done.reports == 800
    assert 2 < done.summary()["present_labels_per_report"] < 5


def test_times_in_another_form_are_told_and_can_be_named(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    reports = tmp_path / "a.csv"
    reports.write_text(
        "report_id,report_text,when\n"
        f"1,{EFFUSION},03/04/2024 10:00\n1,Normal chest.,04/03/2024 09:00\n2,Normal chest.,\n"
    )
    label(reports, out=tmp_path / "a", time_column="when", quiet=True)
    told = flat(capsys.readouterr().err)
    assert "2 times, most like 99/99/9999 99:99, are not understood; --time-format" in told
    record = files.read_json(tmp_path / "a" / "run.json")
    assert record["unread_times"] == {"99/99/9999 99:99": 2}
    assert record["tally"]["reasons"] == {"CONFLICT": 2}
    for form, finding in (("%d/%m/%Y %H:%M", 1), ("%m/%d/%Y %H:%M", 0)):
        out = tmp_path / form[1]
        label(reports, out=out, time_column="when", time_format=form, quiet=True)
        first = read(out / "labels.parquet")[0]
        assert (first["Pleural effusion"] == 1) == bool(finding)
        assert "not understood" not in capsys.readouterr().err
    for form, flag in (("%H:%M", "day, month and year"), ("%Q", "day, month and year")):
        with pytest.raises(InputError, match=flag):
            label(reports, out=tmp_path / "x", time_column="when", time_format=form)
    with pytest.raises(InputError, match="name it with --time-column"):
        label(reports, out=tmp_path / "x", time_format="%d.%m.%Y")


def test_an_archive_s_own_statuses_can_be_given_a_meaning(tmp_path: Path) -> None:
    reports = tmp_path / "a.csv"
    reports.write_text(
        "report_id,report_text,status\n"
        f"1,{EFFUSION},endgültig\n2,Normal chest.,Final-Edited\n3,Normal chest.,Entwurf\n"
    )
    own = ["Endgültig=final", "entwurf=preliminary"]
    label(reports, out=tmp_path / "a", status_column="status", status=own, quiet=True)
    stated = {row["report_id"]: row["status"] for row in read(tmp_path / "a" / "reports.parquet")}
    assert stated == {"1": "final", "2": "corrected"}
    assert [row["reason"] for row in read(tmp_path / "a" / "rejected.parquet")] == ["PRELIMINARY"]
    for wrong in ("final", "=final", "x=finished"):
        with pytest.raises(InputError, match="expected WORD=STATUS"):
            label(reports, out=tmp_path / "b", status_column="status", status=[wrong])
    with pytest.raises(InputError, match="name it with --status-column"):
        label(reports, out=tmp_path / "b", status=own)


def test_when_hardly_anything_is_read_the_column_is_asked_about(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    reports = tmp_path / "a.csv"
    rows = "".join(f"MRN{n},final,{EFFUSION}\n" for n in range(4))
    reports.write_text("mrn,status,text\n" + rows)
    label(reports, out=tmp_path / "a", id_column="mrn", text_column=["text"], quiet=True)
    assert "--text-column" not in capsys.readouterr().err
    label(reports, out=tmp_path / "b", id_column="mrn", text_column=["status"], quiet=True)
    told = flat(capsys.readouterr().err)
    assert "warning: 0 facts in 4 reports: is the text in another column?" in told


def test_too_many_lost_records_can_fail_the_run(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    reports = tmp_path / "a.csv"
    lost = b"2,Erg\xfcsse.\n"
    reports.write_bytes(
        b"report_id,report_text\n1,Normal chest.\n1,Normal chest.\n" + lost + b"3,Emphysema.\n"
    )
    out = tmp_path / "out"
    label(reports, out=out, quiet=True, csv=True)
    last = flat(capsys.readouterr().err.strip()).rpartition("warning: ")[2]
    assert last.startswith("25.0% of the records could not be read (ENCODING)")
    assert "ENCODING" in (out / "rejected.csv").read_text()
    with pytest.raises(InputError, match=r"25\.0% of the records .* --max-rejected 0\.2"):
        label(reports, out=out, max_rejected=0.2, quiet=True)
    assert label(reports, out=out, max_rejected=0.25, quiet=True).reports == 2
    with pytest.raises(InputError, match="a share from 0 to 1"):
        label(reports, out=out, max_rejected=20)


def test_files_that_are_no_reports_are_named_at_the_end(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = tmp_path / "in"
    folder.mkdir()
    (folder / "a.txt").write_text(EFFUSION)
    (folder / "b.docx").write_text("?")
    label(folder, out=tmp_path / "out", quiet=True)
    assert "no reports of this kind: 1 .docx" in flat(capsys.readouterr().err)
