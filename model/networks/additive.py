"""The additive-evidence network: a logit is a bias plus a sum over the cells of the chest.

The map that a report shows is the model itself and not a guess made afterwards.
"""

import torch
from torch import Tensor, nn
from torch.nn import functional

from model.kinds import pooled
from model.networks.norm import Norm
from model.networks.regional import RegionalReading
from model.networks.residual import Trunk, trunk_of
from model.networks.sizes import Size


class EvidenceHead(nn.Module):
    """Cell features to contributions: a diffuse reading (the mean) and a focal one (attention).

    With features f(v) of cell v, per label l:
    contribution_l(v) = d_l·f̄(v) / n + softmax_v(a_l·f̂(v)) · (e_l·f̂(v)).
    f̂ has unit spread over cells and f̄ has unit spread over the volumes' means: without that the
    mean over hundreds of cells hardly varies and the head does not learn.
    """

    def __init__(self, channels: int, n_labels: int, norm: Norm = "batch") -> None:
        super().__init__()
        self.cell_norm: nn.Module
        self.mean_norm: nn.BatchNorm1d | nn.GroupNorm
        if norm == "batch":
            self.cell_norm = nn.BatchNorm1d(channels, affine=False)
            self.mean_norm = nn.BatchNorm1d(channels, affine=False)
        else:  # over all channels of one scan: a mean has no other axis to be normalised over
            self.cell_norm = nn.GroupNorm(1, channels, affine=False)
            self.mean_norm = nn.GroupNorm(1, channels, affine=False)
        # From zero, so that training starts from what the regional branch knows.
        self.diffuse = nn.Parameter(torch.zeros(n_labels, channels))
        self.focal = nn.Parameter(torch.zeros(n_labels, channels))
        self.attention = nn.Parameter(torch.randn(n_labels, channels) * channels**-0.5)

    def forward(self, f_bcv: Tensor) -> Tensor:
        """Features (b, channels, cells) to contributions (b, labels, cells)."""
        spread_bcv = f_bcv - f_bcv.mean(dim=2, keepdim=True)
        mean_bc = f_bcv.mean(dim=2)
        normed_bc = self.mean_norm(mean_bc)
        scale = (self._mean_variance(mean_bc) + self.mean_norm.eps).rsqrt()
        diffuse_bcv = normed_bc[:, :, None] + spread_bcv * scale[..., None]
        diffuse_blv = torch.einsum("bcv,lc->blv", diffuse_bcv, self.diffuse) / f_bcv.shape[2]
        focal_bcv = self.cell_norm(f_bcv)
        focal_blv = torch.einsum("bcv,lc->blv", focal_bcv, self.focal)
        attention_blv = torch.einsum("bcv,lc->blv", focal_bcv, self.attention).softmax(dim=2)
        return diffuse_blv + attention_blv * focal_blv

    def _mean_variance(self, mean_bc: Tensor) -> Tensor:
        """What the means' norm divides by: one variance a channel, or (b, 1) one a scan."""
        if isinstance(self.mean_norm, nn.GroupNorm):
            return mean_bc.var(dim=1, unbiased=False, keepdim=True)
        if self.training:
            return mean_bc.var(dim=0, unbiased=False)
        assert self.mean_norm.running_var is not None
        return self.mean_norm.running_var


class AdditiveNetwork(nn.Module):
    """Residual trunk with an evidence head, plus a regional reading.

    logit_l = bias_l + Σ_v [contribution_l(v) + regional_l(v)] over the cells v of the chest.
    Features of every stage, averaged to the cells, reach the head, so that fine texture is not
    lost on the way to the deep layers.
    """

    def __init__(self, grid_zyx: tuple[int, int, int], size: Size, n_labels: int) -> None:
        super().__init__()
        stride = size.output_stride
        self.cells_zyx = (grid_zyx[0] // stride, grid_zyx[1] // stride, grid_zyx[2] // stride)
        self.trunk = trunk_of(grid_zyx, size)
        self.head = EvidenceHead(sum(size.widths), n_labels, size.norm)
        self.bias = nn.Parameter(torch.zeros(n_labels))
        self.regional = (
            RegionalReading(grid_zyx, self.cells_zyx, size.regions, n_labels)
            if size.regions
            else None
        )

    def forward(self, hu_bzyx: Tensor, regional_bl: Tensor | None = None) -> Tensor:
        """int16 HU (b, z, y, x) to logits (b, labels).

        `regional_bl` stands in for the regional branch's logits (see `model.ridge`).
        """
        blocks_bck = self._blocks(hu_bzyx)
        deep_blv = self._deep_evidence(hu_bzyx, blocks_bck)
        with torch.autocast(hu_bzyx.device.type, enabled=False):
            logits_bl = self.bias + deep_blv.sum(dim=2)
            if regional_bl is not None:
                return logits_bl + regional_bl
            if self.regional is None:
                return logits_bl
            regional: Tensor = self.regional(self._cells(hu_bzyx, blocks_bck))
            return logits_bl + regional

    def evidence(self, hu_bzyx: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Logits (b, l), their maps (b, l, z, y, x) in cells, and the bias (l).

        |logit - bias - sum(map)| < 1e-4 in float32.
        """
        blocks_bck = self._blocks(hu_bzyx)
        deep_blv = self._deep_evidence(hu_bzyx, blocks_bck)
        maps_blzyx = deep_blv.reshape(*deep_blv.shape[:2], *self.cells_zyx)
        with torch.autocast(hu_bzyx.device.type, enabled=False):
            if self.regional is not None:
                maps_blzyx = maps_blzyx + self.regional.maps(self._cells(hu_bzyx, blocks_bck))
            return self.bias + maps_blzyx.sum(dim=(2, 3, 4)), maps_blzyx, self.bias

    def _blocks(self, hu_bzyx: Tensor) -> Tensor | None:
        """Kinds of voxel in the stem's blocks: counted once, for stem and regional reading."""
        if not isinstance(self.trunk, Trunk) or self.trunk.kinds is None:
            return None
        blocks_bck: Tensor = self.trunk.kinds(hu_bzyx)
        return blocks_bck

    def _cells(self, hu_bzyx: Tensor, blocks_bck: Tensor | None) -> Tensor:
        """Kinds of voxel in the map's cells."""
        assert self.regional is not None
        if blocks_bck is not None:
            assert isinstance(self.trunk, Trunk)
            assert self.trunk.kinds is not None
            return pooled(blocks_bck, self.trunk.kinds.cells_zyx, self.cells_zyx)
        cells_bck: Tensor = self.regional.kinds(hu_bzyx)
        return cells_bck

    def _deep_evidence(self, hu_bzyx: Tensor, blocks_bck: Tensor | None) -> Tensor:
        """The trunk's contributions (b, labels, cells), in float32 also under autocast."""
        seen = (hu_bzyx,) if blocks_bck is None else (hu_bzyx, blocks_bck)
        stages = self.trunk(*seen)
        features = torch.cat(
            [functional.adaptive_avg_pool3d(f, self.cells_zyx).flatten(2) for f in stages], dim=1
        )
        with torch.autocast(hu_bzyx.device.type, enabled=False):
            contributions: Tensor = self.head(features.float())
            return contributions
