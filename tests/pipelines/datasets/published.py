"""CT-RATE and RAD-ChestCT as they are downloaded, in small: their folders, names and columns."""

import csv
from collections.abc import Mapping, Sequence
from pathlib import Path

import nibabel
import numpy as np

from configs.convention import load_convention
from model.volumes.volume import HuArray
from tests.model.volumes.phantom import chest

CT_RATE_LABELS = list(load_convention("ct_rate").labels)
RAD_LABELS = list(load_convention("rad_chestct").labels)
RAD_METADATA = "CT_Scan_Metadata_Complete_35747.csv"
RAD_PLACES = ("left_lung", "aorta")
CHEST = chest((60, 80, 80), 5.0)

SAID = {
    "Pleural effusion": "Bilateral pleural effusion is observed.",
    "Emphysema": "Emphysematous changes are observed in both lungs.",
    "Cardiomegaly": "Cardiomegaly is observed.",
}
"""What is drawn into the chests, and what their reports say of it."""
RAD_NAMES = dict(zip(SAID, ("pleural_effusion", "emphysema", "cardiomegaly"), strict=True))


def write_csv(path: Path, rows: Sequence[Mapping[str, object]]) -> Path:
    """A table with the columns of its first row."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w", newline="") as file:
        writer = csv.DictWriter(file, list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)
    return path


def drawn(number: int) -> tuple[HuArray, list[str]]:
    """A chest of its own, and which of SAID it shows; the eight combinations take turns."""
    random = np.random.default_rng(number)
    shown = [name for bit, name in enumerate(SAID) if number >> bit & 1]
    hu, lung = CHEST.astype(np.float64), CHEST < -700
    z, y, x = np.indices(CHEST.shape)
    inside = lung & (y > 12) & (y < 70) & (np.abs(x - 40) < 28)
    if "Pleural effusion" in shown:
        hu[inside & (z < 22)] = 10
    if "Emphysema" in shown:
        hu[inside & (z > 34)] = -960
    if "Cardiomegaly" in shown:
        hu[inside & (z < 34) & (np.abs(x - 44) < 16) & (y < 44)] = 45
    hu += random.normal(0, 15, hu.shape)
    return np.rint(hu).clip(-1024, 3071).astype(np.int16), shown


# --- CT-RATE ------------------------------------------------------------------------------------


def write_nifti(folder: Path, name: str, hu: HuArray = CHEST, spacing: float = 5.0) -> None:
    """A file where the published tree has it: folder/train_1/train_1_a/train_1_a_1.nii.gz."""
    patient, scan = "_".join(name.split("_")[:2]), "_".join(name.split("_")[:3])
    place = folder / patient / scan
    place.mkdir(parents=True, exist_ok=True)
    image = nibabel.Nifti1Image(hu.transpose(2, 1, 0), np.diag([-spacing, -spacing, spacing, 1.0]))
    image.header.set_xyzt_units("mm")
    nibabel.save(image, place / f"{name}.nii.gz")


def ct_rate_metadata_row(name: str) -> dict[str, object]:
    """What the DICOM headers said before the files were made."""
    return {
        "VolumeName": f"{name}.nii.gz", "Manufacturer": "Siemens Healthineers", "PatientSex": "F",
        "PatientAge": "064Y", "RescaleIntercept": "-8192", "RescaleSlope": "1",
        "XYSpacing": "[5.0, 5.0]", "ZSpacing": "5",
    }  # fmt: skip


def ct_rate_report_row(name: str, findings: str = "A nodule.") -> dict[str, object]:
    """A report, once a reconstruction."""
    return {
        "VolumeName": f"{name}.nii.gz", "ClinicalInformation_EN": "Cough.", "Technique_EN": "",
        "Findings_EN": findings, "Impressions_EN": "See above.",
    }  # fmt: skip


def ct_rate_label_row(name: str, present: Sequence[str] = ()) -> dict[str, object]:
    """The 18 labels of a reconstruction."""
    values = {label: int(label in present) for label in CT_RATE_LABELS}
    return {"VolumeName": f"{name}.nii.gz"} | values


def write_ct_rate(root: Path, *, train: int, valid: int) -> None:
    """`root`/dataset as Hugging Face gives it; every fourth scan in two reconstructions."""
    for split, other, patients in (("train", "train", train), ("valid", "validation", valid)):
        metadata, reports, labels = [], [], []
        for number in range(patients):
            hu, shown = drawn(number + (1000 if split == "valid" else 0))
            findings = " ".join(SAID[name] for name in shown) or "The lungs are clear."
            for reconstruction in (1, 2)[: 2 if number % 4 == 0 else 1]:
                name = f"{split}_{number + 1}_a_{reconstruction}"
                write_nifti(root / "dataset" / f"{split}_fixed", name, hu + reconstruction)
                metadata.append(ct_rate_metadata_row(name))
                reports.append(ct_rate_report_row(name, findings))
                labels.append(ct_rate_label_row(name, shown))
        made = root / "dataset"
        write_csv(made / "metadata" / f"{other}_metadata.csv", metadata)
        write_csv(made / "radiology_text_reports" / f"{other}_reports.csv", reports)
        write_csv(made / "multi_abnormality_labels" / f"{split}_predicted_labels.csv", labels)


# --- RAD-ChestCT --------------------------------------------------------------------------------


def write_npz(folder: Path, name: str, hu: HuArray = CHEST) -> None:
    """A chest of 25 cm depth and width, head first, at 0.8 mm."""
    folder.mkdir(parents=True, exist_ok=True)
    zoomed = hu.repeat(6, axis=0)[:, ::-1][:, ::-1].repeat(5, axis=1).repeat(5, axis=2)
    np.savez_compressed(folder / f"{name}.npz", ct=zoomed[::-1].clip(-1000, 1000))


def rad_metadata_row(scan: str, patient: str, *, even: bool = True) -> dict[str, object]:
    """Who a scan is of."""
    return {"NoteAcc_DEID": scan, "MRN_DEID": patient, "zdiffs_all_equal": even}


def rad_label_row(scan: str, present: Sequence[str] = ()) -> dict[str, object]:
    """84 abnormalities at two of the 52 locations; `present` are columns such as nodule*aorta."""
    columns = [f"{name}*{place}" for name in [*RAD_LABELS, "other_path"] for place in RAD_PLACES]
    return {"NoteAcc_DEID": scan} | {column: int(column in present) for column in columns}


def write_rad_chestct(root: Path, *, scans: int) -> None:
    """`root` as Zenodo gives it: everything in one folder, three label tables."""
    metadata, tables = [], {"trn": "imgtrain", "val": "imgvalid", "tst": "imgtest"}
    labels: dict[str, list[dict[str, object]]] = {split: [] for split in tables}
    for number in range(scans):
        split = list(tables)[number % 3]
        scan = f"{split}{number + 1:05d}"
        hu, shown = drawn(number + 2000)
        write_npz(root, scan, hu)
        metadata.append(rad_metadata_row(scan, f"m{number}"))
        present = [f"{RAD_NAMES[name]}*left_lung" for name in shown]
        labels[split].append(rad_label_row(scan, present))
    write_csv(root / RAD_METADATA, metadata)
    for split, table in tables.items():
        write_csv(root / f"{table}_Abnormality_and_Location_Labels.csv", labels[split])
