"""Evidence against planted lesions: does it lie there, and does the logit fall when it is removed.

    python benchmarks/evidence.py out/demo [--bundle BUNDLE] [--baseline BUNDLE_OF_RESNET3D]

On the synthetic test scans, whose lesions' places are known. Pointing game (Zhang et al. 2018): the
map's strongest cell lies within 2 cm of the lesion's box, over all positives and over the half with
the most evidence ("surest"). Deletion: the voxels of the strongest cells (`SHARE` of the body)
become the mean training chest; the logit should fall by more than when as many random cells of the
body do. The baseline's map is Grad-CAM (Selvaraju et al. 2017).
"""

import argparse
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
import torch
from numpy.typing import NDArray
from torch import Tensor

from configs import files
from configs.contracts import Split
from model import bundle as bundles
from model.bundle import Bundle
from model.evidence import map_affine, peak_lps
from model.networks.resnet3d import ResNet3d
from model.volumes.store import Store
from pipelines.synthetic.truth import CT_RATE_FINDINGS

MARGIN_MM = 20.0
SHARE = 0.05
RANDOM_DRAWS = 10
FOCAL = ("Lung nodule", "Consolidation", "Lymphadenopathy", "Hiatal hernia", "Lung opacity")
BODY_HU = -900.0
Maps = Callable[[Tensor], Tensor]
"""hu_bzyx to maps (b, labels, cz, cy, cx)."""


@dataclass(frozen=True, slots=True)
class Scan:
    """A test volume with what was planted in it."""

    hu_zyx: NDArray[np.int16]
    affine_lps: NDArray[np.float64]
    boxes: dict[str, list[tuple[float, ...]]]  # by label, LPS mm


def main() -> None:
    """Print a line a finding for the additive network, and for the baseline where there is one."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("demo", type=Path)
    parser.add_argument("--bundle", type=Path, help="default: DEMO/bundle")
    parser.add_argument("--baseline", type=Path, help="a bundle of resnet3d on the same labels")
    parser.add_argument("--only-baseline", action="store_true")
    options = parser.parse_args()
    torch.set_num_threads(1)
    store = Store.open(options.demo / "store")
    scans = _scans(options.demo, store)
    mean_zyx = _mean_chest(options.demo, store)
    if not options.only_baseline:
        bundle = bundles.load(options.bundle or options.demo / "bundle")
        _report("additive evidence", bundle, _evidence_maps(bundle), scans, mean_zyx)
    if options.baseline:
        baseline = bundles.load(options.baseline)
        _report("Grad-CAM on resnet3d", baseline, _grad_cam(baseline), scans, mean_zyx)


def _scans(demo: Path, store: Store) -> list[Scan]:
    truth = files.read_table(demo / "truth" / "truth.parquet").to_pandas()
    truth = truth[truth["visible"]]
    cohort = files.read_table(demo / "cohort" / "cohort.parquet").to_pandas()
    rows = store.manifest.set_index("volume_id")
    scans = []
    for _, member in cohort[cohort["split"] == Split.TEST.value].iterrows():
        planted = truth[truth["accession"] == member["report_id"]]
        affine = np.asarray(rows.loc[member["volume_id"], "affine_lps"]).reshape(4, 4)
        scans.append(
            Scan(store.read(member["volume_id"]), affine, {n: _boxes(planted, n) for n in FOCAL})
        )
    return scans


def _boxes(planted: pd.DataFrame, label: str) -> list[tuple[float, ...]]:
    chosen = planted[planted["finding"].isin(CT_RATE_FINDINGS[label])]
    return [tuple(box) for box in chosen["box_lps_mm"]]


def _mean_chest(demo: Path, store: Store) -> NDArray[np.int16]:
    cohort = files.read_table(demo / "cohort" / "cohort.parquet").to_pandas()
    train = cohort.loc[cohort["split"] == Split.TRAIN.value, "volume_id"]
    total = np.zeros(store.profile.grid_zyx)
    for volume_id in train:
        total += store.read(volume_id)
    return (total / len(train)).round().astype(np.int16)


def _evidence_maps(bundle: Bundle) -> Maps:
    @torch.inference_mode()
    def maps(hu_bzyx: Tensor) -> Tensor:
        found: Tensor = bundle.network.evidence(hu_bzyx)[1]  # type: ignore[operator]
        return found

    return maps


def _grad_cam(bundle: Bundle) -> Maps:
    """ReLU of the last stage's channels, each weighted by the logit's mean gradient."""
    network = bundle.network
    assert isinstance(network, ResNet3d)

    def maps(hu_bzyx: Tensor) -> Tensor:
        features = network.trunk(hu_bzyx)[-1].detach().requires_grad_()
        logits_bl = network.classifier(network.norm(features.mean(dim=(2, 3, 4))))
        found = []
        for label in range(logits_bl.shape[1]):
            (slope,) = torch.autograd.grad(logits_bl[:, label].sum(), features, retain_graph=True)
            weight = slope.mean(dim=(2, 3, 4), keepdim=True)
            found.append((weight * features).sum(dim=1).relu())
        return torch.stack(found, dim=1).detach()

    return maps


def _report(
    title: str, bundle: Bundle, maps: Maps, scans: list[Scan], mean_zyx: NDArray[np.int16]
) -> None:
    print(f"{title}: {len(scans)} test volumes, profile {bundle.profile.name}")
    heads = ("positives", "pointing", "surest", "by chance", "deletion")
    print(f"{'finding':<22}" + "".join(f"{head:>10}" for head in heads))
    random = np.random.default_rng(0)
    names = [label.partition(":")[2] for label in bundle.labels]
    all_hits: list[bool] = []
    all_surest: list[bool] = []
    all_deleted: list[bool] = []
    for name in FOCAL:
        if name not in names:
            continue
        label = names.index(name)
        hits, chances, deleted, sums = [], [], [], []
        for scan in scans:
            if not scan.boxes[name]:
                continue
            hu = torch.from_numpy(np.array(scan.hu_zyx))[None]
            map_zyx = maps(hu)[0, label].numpy()
            hit_zyx = _hits(scan, name, bundle, map_zyx.shape)
            body_zyx = _body(scan.hu_zyx, map_zyx.shape)
            affine = map_affine(scan.affine_lps, bundle.profile.grid_zyx, map_zyx.shape)
            sums.append(float(map_zyx.sum()))
            hits.append(_inside(peak_lps(map_zyx, affine), scan.boxes[name]))
            chances.append(hit_zyx[body_zyx].mean())
            deleted.append(_deletion(bundle, label, scan, map_zyx, body_zyx, mean_zyx, random))
        surest = [hits[i] for i in np.argsort(sums)[len(sums) // 2 :]]
        all_hits += hits
        all_surest += surest
        all_deleted += deleted
        _line(name, hits, surest, float(np.mean(chances)), deleted)
    _line("all", all_hits, all_surest, float("nan"), all_deleted)


def _line(
    name: str, hits: list[bool], surest: list[bool], chance: float, deleted: list[bool]
) -> None:
    shares = (np.mean(hits), np.mean(surest), chance, np.mean(deleted))
    print(f"{name:<22}{len(hits):>10}" + "".join(f"{s:>10.2f}" for s in shares), flush=True)


def _inside(point: tuple[float, float, float], boxes: list[tuple[float, ...]]) -> bool:
    place = np.asarray(point)
    return any(
        bool((place >= np.asarray(box[:3]) - MARGIN_MM).all())
        and bool((place <= np.asarray(box[3:]) + MARGIN_MM).all())
        for box in boxes
    )


def _hits(scan: Scan, name: str, bundle: Bundle, cells: tuple[int, ...]) -> NDArray[np.bool_]:
    """Which cells would count as a hit: what a blind guess within the body would get."""
    z, y, x = cells
    affine = map_affine(scan.affine_lps, bundle.profile.grid_zyx, (z, y, x))
    index = np.stack(np.meshgrid(*map(np.arange, cells), indexing="ij"), axis=-1)[..., ::-1]
    places = index @ affine[:3, :3].T + affine[:3, 3]
    hit = np.zeros(cells, dtype=bool)
    for box in scan.boxes[name]:
        low, high = np.asarray(box[:3]) - MARGIN_MM, np.asarray(box[3:]) + MARGIN_MM
        hit |= ((places >= low) & (places <= high)).all(axis=-1)
    return hit


def _body(hu_zyx: NDArray[np.int16], cells: tuple[int, ...]) -> NDArray[np.bool_]:
    """Cells of which at least half is no outside air."""
    split = _by_cell((hu_zyx > BODY_HU).astype(float), cells)
    return np.asarray(split.mean(axis=(1, 3, 5)) > 0.5)


def _by_cell(voxels_zyx: NDArray[np.floating], cells: tuple[int, ...]) -> NDArray[np.floating]:
    edges = [edge // n for edge, n in zip(voxels_zyx.shape, cells, strict=True)]
    return voxels_zyx.reshape(cells[0], edges[0], cells[1], edges[1], cells[2], edges[2])


def _deletion(
    bundle: Bundle,
    label: int,
    scan: Scan,
    map_zyx: NDArray[np.floating],
    body_zyx: NDArray[np.bool_],
    mean_zyx: NDArray[np.int16],
    random: np.random.Generator,
) -> bool:
    """True when removing the strongest cells lowers the logit more than random ones on average."""
    inside = np.flatnonzero(body_zyx)
    count = max(1, round(SHARE * len(inside)))
    strongest = inside[np.argsort(-map_zyx.ravel()[inside], kind="stable")[:count]]
    chosen = [strongest, *(random.choice(inside, count, False) for _ in range(RANDOM_DRAWS))]
    changed = [_without(scan.hu_zyx, cells, map_zyx.shape, mean_zyx) for cells in chosen]
    logits = bundle.logits([np.array(scan.hu_zyx), *changed])[:, label]
    return bool(logits[0] - logits[1] > np.mean(logits[0] - logits[2:]))


def _without(
    hu_zyx: NDArray[np.int16],
    cells: NDArray[np.int64],
    shape: tuple[int, ...],
    mean_zyx: NDArray[np.int16],
) -> NDArray[np.int16]:
    mask = np.zeros(shape, dtype=bool)
    mask.ravel()[cells] = True
    for axis, (edge, count) in enumerate(zip(hu_zyx.shape, shape, strict=True)):
        mask = mask.repeat(edge // count, axis=axis)
    return np.where(mask, mean_zyx, hu_zyx)


if __name__ == "__main__":
    main()
