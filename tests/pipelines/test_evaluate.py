import json
import re
from dataclasses import replace

import pandas as pd
import pytest

from configs import files, tables
from configs.contracts import InputError, Split
from configs.convention import load_convention
from model import bundle as bundles
from model.calibration import UNCALIBRATED
from model.card_markdown import card_markdown
from model.metrics import MEASURES
from pipelines.evaluate import evaluate
from pipelines.evaluating.protocol import Protocol
from pipelines.training.teaching import digest_of
from tests.model.archive import NAMES, make_archive, write_cohort, write_labels
from tests.pipelines.test_train import train_on


@pytest.fixture(scope="module")
def archive(tmp_path_factory):
    root = make_archive(tmp_path_factory.mktemp("archive"), train=24, validation=130, test=40)
    train_on(root, root / "bundle")
    evaluate_on(root, root / "evaluation")
    return root


def evaluate_on(archive, out, **changes):
    arguments = {
        "cohort": archive / "cohort",
        "store": archive / "store",
        "labels": archive / "labels",
        "resamples": 40,
        "quiet": True,
    }
    return evaluate(archive / "bundle", out=out, **{**arguments, **changes})


def test_writes_a_prediction_a_volume_and_label(archive, tmp_path):
    metrics = evaluate_on(archive, tmp_path)["labels"]
    predictions = files.read_table(tmp_path / "predictions.parquet")
    assert predictions.schema.equals(tables.PREDICTIONS)
    assert predictions.num_rows == 40 * len(NAMES)
    assert predictions.to_pandas()["probability"].between(0, 1).all()
    content = json.loads((tmp_path / "metrics.json").read_text())
    shown = content["labels"]["macro"]["auroc"]
    assert shown["low"] <= shown["value"] <= shown["high"]
    assert shown["value"] == pytest.approx(metrics.macro["auroc"].value, abs=1e-5)
    table = pd.read_csv(tmp_path / "metrics.csv")
    assert len(table) == len(MEASURES) * (len(NAMES) + 1)
    assert json.loads((tmp_path / "run.json").read_text())["counts"]["scans"] == 40


def test_measures_against_truth_beside_labels(archive, tmp_path, capsys):
    truth = files.read_table(archive / "labels" / "labels.parquet").to_pandas()
    truth[list(NAMES)] = 1 - truth[list(NAMES)]
    write_labels(tmp_path / "truth", truth)
    metrics = evaluate_on(archive, tmp_path / "out", truth=tmp_path / "truth", quiet=False)
    areas = {name: m.labels[0].measures["auroc"].value for name, m in metrics.items()}
    assert areas["truth"] == pytest.approx(1 - areas["labels"])
    printed = capsys.readouterr().out
    assert "against labels: 40 scans of 40 patients · trained on synthetic chests" in printed
    assert "against truth" in printed
    assert "not the chance of disease" in printed


def test_splits_are_told_apart(archive, tmp_path):
    assert evaluate_on(archive, tmp_path, split=Split.VALIDATION)["labels"].scans == 130


def test_labels_of_another_convention_are_refused(archive, tmp_path):
    frame = files.read_table(archive / "labels" / "labels.parquet").to_pandas()
    write_labels(tmp_path / "labels", frame.drop(columns=[NAMES[1]]))
    with pytest.raises(InputError, match=f"no column '{NAMES[1]}'"):
        evaluate_on(archive, tmp_path / "out", labels=tmp_path / "labels")
    assert not (tmp_path / "out" / "run.json").exists()


def test_tables_have_their_columns_whatever_was_measured(archive, tmp_path, monkeypatch):
    evaluate_on(archive, tmp_path / "some")
    bundle = bundles.load(archive / "bundle")
    blank = replace(bundle, calibrations=(UNCALIBRATED,) * len(bundle.labels))
    monkeypatch.setattr(bundles, "load", lambda path: blank)
    evaluate_on(archive, tmp_path / "none")
    for name in ("metrics", "operating_points", "subgroups", "risk_coverage"):
        some, none = (pd.read_csv(tmp_path / out / f"{name}.csv") for out in ("some", "none"))
        assert list(some.columns) == list(none.columns), name
    assert not pd.read_csv(tmp_path / "none" / "operating_points.csv")["validated"].any()


def cohort_of(archive):
    return files.read_table(archive / "cohort" / "cohort.parquet").to_pandas()


def test_operating_points_stand_beside_what_they_gave_here(archive, tmp_path):
    evaluate_on(archive, tmp_path)
    rows = pd.read_csv(tmp_path / "operating_points.csv")
    assert set(rows["point"]) == {"balanced", "sensitive"}
    fitted = rows[rows["validated"] & (rows["point"] == "sensitive")]
    assert len(fitted)
    assert (fitted["validation_sensitivity"] >= 0.95).all()
    assert (fitted["validation_sensitivity_low"] < fitted["validation_sensitivity"]).all()
    assert fitted[["sensitivity", "ppv", "false_alarms_per_100"]].notna().to_numpy().all()
    assert (rows["validated"] == (rows["validation_positives"] >= 50)).all()


def test_the_page_holds_everything_and_fetches_nothing(archive, tmp_path):
    evaluate_on(archive, tmp_path, against=archive / "evaluation")
    page = (tmp_path / "evaluation.html").read_text()
    assert "Research use only" in page
    assert "Synthetic scans, not patients, are measured here." in page
    assert "Beside another run" in page
    assert page.count("<svg") == len(NAMES) + 2  # curves a label, abstention, learning
    assert "default-src 'none'" in page
    assert not re.findall(r"""(?:src|href)=["'](?!#)""", page)
    assert not re.findall(r"url\((?!#)", page)


def test_a_run_beside_itself_differs_by_nothing(archive, tmp_path):
    evaluate_on(archive, tmp_path, against=archive / "evaluation" / "predictions.parquet")
    rows = pd.read_csv(tmp_path / "comparison.csv")
    assert (rows["auroc_difference_value"].abs() < 1e-6).all()
    evaluate_on(archive, tmp_path, restart=True)
    assert not (tmp_path / "comparison.csv").exists()  # of the earlier run


def test_another_site_gets_a_bundle_of_its_own(archive, tmp_path):
    old = bundles.load(archive / "bundle")
    frame = files.read_table(archive / "labels" / "labels.parquet").to_pandas()
    frame[NAMES[0]] = frame[NAMES[0]].where(frame.index % 3 > 0, 0)  # stated less often there
    write_labels(tmp_path / "labels", frame)
    evaluate_on(
        archive, tmp_path / "out", labels=tmp_path / "labels", recalibrate=tmp_path / "bundle"
    )
    new = bundles.load(tmp_path / "bundle")
    assert new.calibrations[0].positives < old.calibrations[0].positives
    assert new.calibrations[0] != old.calibrations[0]
    assert new.card.recalibrated_on.scans == 130
    assert (new.network.state_dict()["bias"] == old.network.state_dict()["bias"]).all()
    assert "fitted anew on 130 validation scans" in (tmp_path / "out/evaluation.html").read_text()
    assert "Calibrated anew" in card_markdown(new)
    with pytest.raises(InputError, match="not an empty folder"):
        evaluate_on(archive, tmp_path / "again", recalibrate=tmp_path / "bundle")


def test_a_scan_is_judged_once_whatever_its_reconstructions(archive, tmp_path):
    frame = cohort_of(archive)
    tested = frame.index[frame["split"] == "test"]
    for column in ("scan_id", "report_id", "patient_id"):
        frame.loc[tested[1], column] = frame.loc[tested[0], column]
    write_cohort(tmp_path / "cohort", frame)
    metrics = evaluate_on(archive, tmp_path / "out", cohort=tmp_path / "cohort")["labels"]
    assert (metrics.scans, metrics.patients) == (39, 39)
    assert "was not checked" in (tmp_path / "out" / "evaluation.html").read_text()


def test_the_published_table_has_rows_by_scan_and_volume(archive, tmp_path):
    frame = cohort_of(archive)
    published = {"train": "train", "validation": "train", "test": "valid"}
    names = frame["split"].map(published) + "_" + frame["report_id"].str[6:] + "_a"
    labels = files.read_table(archive / "labels" / "labels.parquet").to_pandas()
    labels["report_id"] = labels["report_id"].map(dict(zip(frame["report_id"], names, strict=True)))
    write_labels(tmp_path / "labels", labels)
    write_cohort(tmp_path / "cohort", frame.assign(report_id=names))
    arguments = {"labels": tmp_path / "labels", "cohort": tmp_path / "cohort"}
    arguments |= {"protocol": Protocol.CT_RATE_VALID, "truth": tmp_path / "labels"}
    with pytest.raises(InputError, match="name the cohort that train used"):
        evaluate_on(archive, tmp_path / "out", **arguments)
    # The same archive under CT-RATE's names: the bundle is told that it learnt from this cohort.
    bundle = bundles.load(archive / "bundle")
    card = bundle.card.model_copy(update={"sources": {"cohort": digest_of([tmp_path / "cohort"])}})
    bundles.save(tmp_path / "bundle", replace(bundle, card=card))
    fixed = {"store": archive / "store", "resamples": 20, "quiet": True}
    evaluate(tmp_path / "bundle", out=tmp_path / "out", **fixed, **arguments)
    rows = pd.read_csv(tmp_path / "out" / "protocol.csv")
    own = rows[rows["system"].str.startswith("this bundle")]
    assert list(own["n"]) == ["40 scans", "40 volumes"] * 2
    assert list(own["reference"]) == ["labels"] * 2 + ["truth"] * 2
    assert (own["comparable"] == "no").all()
    assert own["note"].str.contains("40 of 3039 volumes; 3 of 18 labels").all()
    assert "VLM3D hidden test" in (tmp_path / "out" / "evaluation.html").read_text()


def test_labels_of_rad_chestct_are_mapped(archive, tmp_path):
    frame = cohort_of(archive)
    frame["report_id"] = "trn" + frame["report_id"].str[6:]
    write_cohort(tmp_path / "cohort", frame[frame["split"] == "test"])
    own = files.read_table(archive / "labels" / "labels.parquet").to_pandas()
    rad = pd.DataFrame({"report_id": "trn" + own["report_id"].str[6:]})
    rad[list(load_convention("rad_chestct").labels)] = 0
    rad["pleural_effusion"], rad["cardiomegaly"] = own[NAMES[0]], own[NAMES[2]]
    rad["groundglass"] = own[NAMES[1]].where(own.index % 2 > 0, 0)
    rad["opacity"] = own[NAMES[1]].where(own.index % 2 == 0, 0)
    write_labels(tmp_path / "labels", rad)
    arguments = {"labels": tmp_path / "labels", "cohort": tmp_path / "cohort"}
    mapped = evaluate_on(archive, tmp_path / "a", protocol=Protocol.RAD_PUBLIC, **arguments)
    direct = evaluate_on(archive, tmp_path / "b")
    assert mapped["labels"].macro["auroc"] == direct["labels"].macro["auroc"]
    own_rows = pd.read_csv(tmp_path / "a" / "protocol.csv")[:2]
    assert own_rows["note"].str.contains("3 of 16 labels").all()
    assert own_rows["note"].str.contains("mapped by our own table").all()
    with pytest.raises(InputError, match="are not of RAD-ChestCT public"):
        evaluate_on(archive, tmp_path / "c", protocol=Protocol.RAD_PUBLIC)


def test_what_cannot_be_measured_is_refused(archive, tmp_path):
    labels = files.read_table(archive / "labels" / "labels.parquet").to_pandas()
    labels[list(NAMES)] = 0
    write_labels(tmp_path / "labels", labels)
    with pytest.raises(InputError, match="every label of --labels has one value only"):
        evaluate_on(archive, tmp_path / "a", labels=tmp_path / "labels")
    frame = cohort_of(archive)
    write_cohort(tmp_path / "cohort", frame[frame["split"] != "test"])
    with pytest.raises(InputError, match="the test split is empty"):
        evaluate_on(archive, tmp_path / "b", cohort=tmp_path / "cohort")
    write_cohort(tmp_path / "cohort", frame[frame["split"] != "validation"])
    with pytest.raises(InputError, match="the validation split is empty"):
        evaluate_on(archive, tmp_path / "c", cohort=tmp_path / "cohort", recalibrate=tmp_path / "d")


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"resamples": 0}, "--resamples 0"),
        ({"sensitivity": 1.0}, "--sensitivity 1.0"),
        ({"sensitivity": 0.9}, "--sensitivity 0.9: operating points are fitted with --recalibrate"),
        ({"split": Split.VALIDATION, "recalibrate": "x"}, "--split validation would measure"),
        ({"split": Split.VALIDATION, "protocol": Protocol.RAD_PUBLIC}, "--protocol rad_public"),
    ],
)
def test_contradicting_options_are_refused(archive, tmp_path, options, message):
    with pytest.raises(InputError, match=message):
        evaluate_on(archive, tmp_path, **options)


def test_what_is_given_for_another_thing_is_refused(archive, tmp_path):
    with pytest.raises(InputError, match=r"holds no predictions\.parquet; .*`chestct evaluate`"):
        evaluate_on(archive, tmp_path, against=archive / "labels")
    with pytest.raises(InputError, match="a bundle is a folder; give the one"):
        bundles.load(archive / "bundle" / "bundle.json")


def test_a_finished_evaluation_is_untouched_by_what_is_refused(archive):
    out = archive / "evaluation"
    before = {path.name: path.read_bytes() for path in out.iterdir()}
    with pytest.raises(InputError, match=r"other arguments \(resamples\); --restart"):
        evaluate_on(archive, out, resamples=41)
    with pytest.raises(InputError, match=r"holds no predictions\.parquet"):
        evaluate_on(archive, out, against=archive / "labels", restart=True)
    assert {path.name: path.read_bytes() for path in out.iterdir()} == before


def test_a_bundle_that_was_tampered_with_is_refused(archive, tmp_path):
    bundles.save(tmp_path / "bundle", bundles.load(archive / "bundle"))
    path = tmp_path / "bundle" / "bundle.json"
    content = json.loads(path.read_text())
    content["labels"][0]["calibration"]["threshold"] = 3.0
    path.write_text(json.dumps(content))
    with pytest.raises(InputError, match="a threshold lies between 0 and 1"):
        evaluate(
            tmp_path / "bundle",
            cohort=archive / "cohort",
            store=archive / "store",
            labels=archive / "labels",
            out=tmp_path / "out",
        )
