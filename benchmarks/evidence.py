"""Evidence against planted lesions: does it lie there, and does the logit fall when it is removed.

    python benchmarks/evidence.py out/demo [--closed-form] [--bundle B] [--finding F]
        [--store STORE] [--pointing] [--baseline BUNDLE_OF_RESNET3D] [--only-baseline]

On the synthetic test scans, whose lesions' places are known. Pointing game (Zhang et al. 2018): the
map's peak (`model.evidence.peak_lps`) lies within 2 cm of the lesion's box, over all positives,
over the half with the most evidence ("surest"), and over those whose boxes are all below 10 cm
("small"): many nodules share a box that fills the lungs, and any map hits it. Deletion: the
strongest cells (`SHARE` of the body) are taken from training chests without the finding; the logit
should fall by more than when as many random cells of the body are. `--closed-form` is the same
network with its trunk's evidence left out, which is where its training began. The baseline's map is
Grad-CAM (Selvaraju et al. 2017).
To train one: `chestct train --config configs/train/demo.yaml --override network=resnet3d` with the
demo's labels, store and cohort.
"""

import argparse
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
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
from model.networks.additive import AdditiveNetwork
from model.networks.resnet3d import ResNet3d
from model.volumes.store import Store
from pipelines.synthetic.truth import CT_RATE_FINDINGS

MARGIN_MM = 20.0
SHARE = 0.05
DONORS = 4
SMALL_MM = 100.0
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


@dataclass(slots=True)
class Found:
    """What the maps of one finding did over its positives, a value each."""

    hits: list[bool] = field(default_factory=list)
    small: list[bool] = field(default_factory=list)
    """Hits where every box is below `SMALL_MM`."""
    chances: list[float] = field(default_factory=list)
    deleted: list[bool] = field(default_factory=list)
    sums: list[float] = field(default_factory=list)

    def surest(self) -> list[bool]:
        """Hits of the half with the most evidence."""
        return [self.hits[i] for i in np.argsort(self.sums)[len(self.sums) // 2 :]]


def main() -> None:
    """Print a line a finding for each map that is asked for."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("demo", type=Path)
    parser.add_argument("--store", type=Path, help="its scans at the bundle's profile, if another")
    parser.add_argument("--bundle", type=Path, help="default: DEMO/bundle")
    parser.add_argument("--closed-form", action="store_true", help="without its trunk")
    parser.add_argument("--baseline", type=Path, help="a bundle of resnet3d on the same labels")
    parser.add_argument("--only-baseline", action="store_true")
    parser.add_argument("--pointing", action="store_true", help="leave the slow deletion test out")
    parser.add_argument("--finding", choices=FOCAL, help="one finding alone; default: all")
    options = parser.parse_args()
    torch.set_num_threads(1)
    store = Store.open(options.store or options.demo / "store")
    names = (options.finding,) if options.finding else FOCAL
    scans = _scans(options.demo, store, names)
    donors = {} if options.pointing else _donors(options.demo, store)
    if not options.only_baseline:
        bundle = bundles.load(options.bundle or options.demo / "bundle")
        if options.closed_form:
            _leave_trunk_out(bundle)
        title = "its closed form" if options.closed_form else "additive evidence"
        _report(title, bundle, _evidence_maps(bundle), scans, donors)
    if options.baseline:
        baseline = bundles.load(options.baseline)
        _report("Grad-CAM on resnet3d", baseline, _grad_cam(baseline), scans, donors)


def _scans(demo: Path, store: Store, names: Sequence[str]) -> list[Scan]:
    truth = files.read_table(demo / "truth" / "truth.parquet").to_pandas()
    truth = truth[truth["visible"]]
    cohort = files.read_table(demo / "cohort" / "cohort.parquet").to_pandas()
    rows = store.manifest.set_index("volume_id")
    scans = []
    for _, member in cohort[cohort["split"] == Split.TEST.value].iterrows():
        planted = truth[truth["accession"] == member["report_id"]]
        affine = np.asarray(rows.loc[member["volume_id"], "affine_lps"]).reshape(4, 4)
        scans.append(
            Scan(store.read(member["volume_id"]), affine, {n: _boxes(planted, n) for n in names})
        )
    return scans


def _boxes(planted: pd.DataFrame, label: str) -> list[tuple[float, ...]]:
    chosen = planted[planted["finding"].isin(CT_RATE_FINDINGS[label])]
    return [tuple(box) for box in chosen["box_lps_mm"]]


def _donors(demo: Path, store: Store) -> dict[str, list[NDArray[np.int16]]]:
    """By label, training chests in which the finding was not drawn."""
    drawn = files.read_table(demo / "truth" / "labels.parquet").to_pandas().set_index("report_id")
    cohort = files.read_table(demo / "cohort" / "cohort.parquet").to_pandas()
    train = cohort[cohort["split"] == Split.TRAIN.value]
    random = np.random.default_rng(0)
    found = {}
    for name in FOCAL:
        without = train[(drawn.loc[train["report_id"], name] == 0).to_numpy()]
        chosen = random.choice(without["volume_id"], DONORS, replace=False)
        found[name] = [np.array(store.read(volume_id)) for volume_id in chosen]
    return found


def _leave_trunk_out(bundle: Bundle) -> None:
    members = getattr(bundle.network, "members", [bundle.network])
    with torch.no_grad():
        for network in members:
            assert isinstance(network, AdditiveNetwork)
            network.head.diffuse.zero_()
            network.head.focal.zero_()


def _evidence_maps(bundle: Bundle) -> Maps:
    @torch.inference_mode()
    def maps(hu_bzyx: Tensor) -> Tensor:
        found: Tensor = bundle.network.evidence(hu_bzyx)[1]  # type: ignore[operator]  # a method
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
    title: str,
    bundle: Bundle,
    maps: Maps,
    scans: list[Scan],
    donors: dict[str, list[NDArray[np.int16]]],
) -> None:
    print(f"{title}: {len(scans)} test volumes, profile {bundle.profile.name}", flush=True)
    random = np.random.default_rng(0)
    names = [label.partition(":")[2] for label in bundle.labels]
    found = {name: Found() for name in scans[0].boxes if name in names}
    for scan in scans:
        if not any(scan.boxes[name] for name in found):
            continue
        maps_lzyx = maps(torch.from_numpy(np.array(scan.hu_zyx))[None])[0].numpy()
        for name, results in found.items():
            if scan.boxes[name]:
                label = names.index(name)
                _judge(results, bundle, label, scan, name, maps_lzyx[label], donors, random)
    heads = ("positives", "pointing", "surest", "small", "by chance", "deletion")
    print(f"{'finding':<22}" + "".join(f"{head:>10}" for head in heads))
    for name, results in found.items():
        shown = (results.hits, results.surest(), results.small, results.chances, results.deleted)
        print(f"{name:<22}{len(results.hits):>10}" + "".join(_share(values) for values in shown))
    every = [
        [value for results in found.values() for value in getattr(results, name)]
        for name in ("hits", "small", "deleted")
    ]
    surest = [value for results in found.values() for value in results.surest()]
    shown = (every[0], surest, every[1], [], every[2])
    print(f"{'all':<22}{len(every[0]):>10}" + "".join(_share(values) for values in shown))


def _judge(
    results: Found,
    bundle: Bundle,
    label: int,
    scan: Scan,
    name: str,
    map_zyx: NDArray[np.floating],
    donors: dict[str, list[NDArray[np.int16]]],
    random: np.random.Generator,
) -> None:
    boxes = scan.boxes[name]
    body_zyx = _body(scan.hu_zyx, map_zyx.shape)
    affine = map_affine(scan.affine_lps, bundle.profile.grid_zyx, map_zyx.shape)
    hit = _inside(peak_lps(map_zyx, affine), boxes)
    results.hits.append(hit)
    if all(max(np.subtract(box[3:], box[:3])) < SMALL_MM for box in boxes):
        results.small.append(hit)
    results.sums.append(float(map_zyx.sum()))
    results.chances.append(float(_hits(scan, name, bundle, map_zyx.shape)[body_zyx].mean()))
    if donors:
        results.deleted.append(
            _deletion(bundle, label, scan, map_zyx, body_zyx, donors[name], random)
        )


def _share(values: Sequence[float]) -> str:
    return f"{np.mean(values):>10.2f}" if values else f"{'':>10}"


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
    donors: list[NDArray[np.int16]],
    random: np.random.Generator,
) -> bool:
    """True when replacing the strongest cells lowers the logit more than replacing random ones."""
    inside = np.flatnonzero(body_zyx)
    count = max(1, round(SHARE * len(inside)))
    strongest = inside[np.argsort(-map_zyx.ravel()[inside], kind="stable")[:count]]
    blind = [random.choice(inside, count, replace=False) for _ in donors]
    changed = [
        _replaced(scan.hu_zyx, cells, map_zyx.shape, donor)
        for chosen in ([strongest] * len(donors), blind)
        for cells, donor in zip(chosen, donors, strict=True)
    ]
    logits = bundle.logits(changed)[:, label]
    return bool(logits[: len(donors)].mean() < logits[len(donors) :].mean())


def _replaced(
    hu_zyx: NDArray[np.int16],
    cells: NDArray[np.int64],
    shape: tuple[int, ...],
    donor_zyx: NDArray[np.int16],
) -> NDArray[np.int16]:
    mask = np.zeros(shape, dtype=bool)
    mask.ravel()[cells] = True
    for axis, (edge, count) in enumerate(zip(hu_zyx.shape, shape, strict=True)):
        mask = mask.repeat(edge // count, axis=axis)
    return np.where(mask, donor_zyx, hu_zyx)


if __name__ == "__main__":
    main()
