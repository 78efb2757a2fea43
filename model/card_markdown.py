"""A bundle's model card as a page of Markdown, for whoever finds the folder."""

from typing import TYPE_CHECKING

from model.card import SplitCounts
from model.operating import MIN_VALIDATED_POSITIVES

if TYPE_CHECKING:
    from model.bundle import Bundle


def card_markdown(bundle: "Bundle") -> str:
    """What it is for, what it learnt from, how it did on validation, label by label."""
    card = bundle.card
    seen = {
        "synthetic": "Synthetic chests only, drawn by chestct: not fit for patients.",
        "patients": "Scans of patients.",
        "mixed": "Scans of patients and synthetic chests.",
    }[card.training_data]
    lines = [
        "# Model card",
        "",
        f"**{card.intended_use}** {card.probability_meaning}",
        "",
        "## Network",
        f"- {bundle.network_name}, profile {bundle.profile.name}: grid (z, y, x) "
        f"{bundle.profile.grid_zyx}, {len(bundle.labels)} labels, "
        f"{len(bundle.members)} trained network(s)",
        f"- parameters: {sum(p.numel() for p in bundle.network.parameters()):,}",
        f"- says where its evidence lies: {'yes' if bundle.has_evidence else 'no'}",
        "",
        "## Learnt from",
        f"- {seen}",
        f"- Labels of convention {card.label_source}; read from reports, they carry their errors.",
        *(f"- {name}: {_counted(counts)}" for name, counts in card.counts.items()),
        *(f"- digest of {name}: `{digest}`" for name, digest in card.sources.items()),
        "",
        "## On the validation split",
        "Chosen and calibrated there, so a little hopeful: `chestct evaluate` measures on scans "
        "held apart.",
        *(f"- {name}: {value:g}" for name, value in card.metrics.items()),
        "",
        "## Labels",
        "Operating points are fitted on validation. *Not validated*: fewer than "
        f"{MIN_VALIDATED_POSITIVES} positives there; the threshold in the bundle is then a guess.",
        "",
        *_labels(bundle),
        "",
        "## Limits",
        "- A finding below its threshold is not ruled out.",
        "- Other scanners, kernels, countries and ways of reporting were not tested by this card.",
        "- At another site calibrate anew (`chestct evaluate --recalibrate`) before any threshold "
        "is used.",
    ]
    if card.recalibrated_on is not None:
        where = lines.index("## On the validation split")
        told = f"- Calibrated anew on another archive's scans: {_counted(card.recalibrated_on)}"
        lines.insert(where - 1, told)
    return "\n".join(lines) + "\n"


def _counted(counts: SplitCounts) -> str:
    return f"{counts.patients} patients, {counts.scans} scans, {counts.volumes} volumes"


def _labels(bundle: "Bundle") -> list[str]:
    lines = [
        "| label | validation positives / negatives | curve | balanced: threshold, PPV, false "
        "alarms per 100 | sensitive: threshold, sensitivity (lower bound), false alarms per 100 |",
        "|---|---|---|---|---|",
    ]
    for label, found in zip(bundle.labels, bundle.calibrations, strict=True):
        balanced = sensitive = "not validated"
        if found.balanced is not None:
            point = found.balanced
            balanced = f"{point.threshold:.3f}, {point.ppv:.2f}, {point.false_alarms_per_100:.1f}"
        if found.sensitive is not None:
            point = found.sensitive
            sensitive = (
                f"{point.threshold:.3f}, {point.sensitivity:.2f} ({point.sensitivity_low:.2f}), "
                f"{point.false_alarms_per_100:.1f}"
            )
        name = label.replace("|", "/")
        lines.append(
            f"| {name} | {found.positives} / {found.negatives} | {found.method.value} "
            f"({found.state.value}) | {balanced} | {sensitive} |"
        )
    return lines
