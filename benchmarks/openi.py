"""Open-i chest X-ray reports against their MeSH terms, for the findings shared with RAD-ChestCT.

The terms were set by annotators who read the reports (Demner-Fushman et al., 2016). Only terms with
an honest equivalent are scored: the term is written when the report states the finding.
Published comparison: SARLE's own X-ray rules, tuned on these reports, reach a mean F1 of .80.

    python benchmarks/openi.py REPORTS.csv          columns uid, MeSH, findings, impression
"""

import argparse
from pathlib import Path

import pandas as pd

from labeler import load_labeler

SARLE_MEAN_F1 = 0.80
MIN_POSITIVE = 10

TERMS: dict[str, tuple[str, ...]] = {
    "airspace_disease": ("Airspace Disease",),
    "arthritis": ("Arthritis",),
    "atelectasis": ("Pulmonary Atelectasis",),
    "atherosclerosis": ("Atherosclerosis",),
    "calcification": ("Calcinosis", "Calcified Granuloma"),
    "cardiomegaly": ("Cardiomegaly", "Cardiac Shadow/enlarged"),
    "catheter_or_port": ("Catheters, Indwelling",),
    "congestion": ("Pulmonary Congestion",),
    "consolidation": ("Consolidation",),
    "deformity": ("Deformity", "Funnel Chest", "Pectus Carinatum"),
    "density": ("Density",),
    "emphysema": ("Emphysema", "Pulmonary Emphysema", "Bullous Emphysema", "Blister"),
    "fibrosis": ("Pulmonary Fibrosis",),
    "fracture": ("Fractures, Bone",),
    "granuloma": ("Granuloma", "Calcified Granuloma", "Granulomatous Disease"),
    "hernia": ("Hernia, Hiatal", "Hernia, Diaphragmatic"),
    "infiltrate": ("Infiltrate",),
    "lucency": ("Lucency", "Lung, Hyperlucent"),
    "nodule": ("Nodule",),
    "opacity": ("Opacity",),
    "pleural_effusion": ("Pleural Effusion",),
    "pneumonia": ("Pneumonia",),
    "pneumothorax": ("Pneumothorax", "Hydropneumothorax"),
    "pulmonary_edema": ("Pulmonary Edema",),
    "scarring": ("Cicatrix",),
}
"""RAD-ChestCT's label to MeSH terms; `Term/qualifier` asks for the first qualifier too."""


def gold(mesh: pd.Series) -> pd.DataFrame:
    """One boolean column per label from the MeSH strings, `Term/qualifier/…;Term/…`."""

    def has(cell: str, terms: tuple[str, ...]) -> bool:
        found = [term.strip() for term in cell.split(";")]
        return any(f"{entry}/".startswith(f"{term}/") for entry in found for term in terms)

    cells = mesh.fillna("")
    return pd.DataFrame(
        {label: [has(cell, terms) for cell in cells] for label, terms in TERMS.items()}
    )


def predicted(reports: pd.DataFrame, convention: str = "rad_chestct") -> pd.DataFrame:
    """One boolean column per label from the labeler, over findings and impression."""
    labeler = load_labeler(convention)
    texts = (
        f"FINDINGS: {findings}\nIMPRESSION: {impression}"
        for findings, impression in zip(
            reports["findings"].fillna(""), reports["impression"].fillna(""), strict=True
        )
    )
    rows = [labeler.binary(read.labels) for read in labeler.label_many(texts)]
    return pd.DataFrame(rows)[list(TERMS)].astype(bool)


def table(truth: pd.DataFrame, guess: pd.DataFrame) -> pd.DataFrame:
    """Precision, recall and F1 of every label with enough positive reports."""
    rows = []
    for label in TERMS:
        true, said = truth[label].to_numpy(), guess[label].to_numpy()
        if true.sum() < MIN_POSITIVE:
            continue
        hit = int((true & said).sum())
        precision, recall = hit / max(said.sum(), 1), hit / true.sum()
        f1 = 2 * hit / (true.sum() + said.sum())
        rows.append((label, int(true.sum()), int(said.sum()), precision, recall, f1))
    return pd.DataFrame(rows, columns=["label", "n", "said", "precision", "recall", "f1"])


def main() -> None:
    """Print the table for a file of reports."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("reports", type=Path)
    parser.add_argument("--convention", default="rad_chestct")
    arguments = parser.parse_args()
    reports = pd.read_csv(arguments.reports)
    figures = table(gold(reports["MeSH"]), predicted(reports, arguments.convention))
    print(figures.to_string(index=False, float_format="{:.3f}".format))
    print(f"mean F1 {figures['f1'].mean():.3f} over {len(figures)} labels (SARLE {SARLE_MEAN_F1})")


if __name__ == "__main__":
    main()
