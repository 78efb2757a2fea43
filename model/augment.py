"""Random changes to a batch of int16 volumes, made where the batch is (CPU or GPU).

What is drawn for a sample follows from its key alone: not from its batch, its device or the steps
before, so a resumed run, or one on more devices, draws the same.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from configs.training import Augmentation
from model.volumes.volume import PADDING_HU

Key = tuple[int, ...]
"""What a sample's changes follow from, such as (seed, epoch, row): whole numbers from 0."""

_AIR_HU = -1000.0
_BENDS = 4  # points along each axis between which an elastic bend is smooth


@dataclass(frozen=True, slots=True, eq=False)
class Draws:
    """The numbers drawn for a batch of b samples, as float32 tensors on the CPU."""

    angles_b3: Tensor  # radians about x, y, z
    zoom_b3: Tensor  # x, y, z; negative along x mirrors
    shift_b3: Tensor  # shares of the grid, x, y, z
    bend_b3zyx: Tensor  # shares of the grid, x, y, z, at the bend's points
    soft_b: Tensor  # share of the way to the smoothed volume; below 0 sharpens
    thick_b: Tensor  # 1 where slices are paired
    factor_b: Tensor
    offset_b: Tensor
    sigma_b: Tensor
    noise_seeds: tuple[int, ...]


def draw(recipe: Augmentation, keys: Sequence[Key]) -> Draws:
    """Draw for each key; every number is drawn whatever the recipe, so fields do not interact."""
    drawn = [_draw_one(recipe, key) for key in keys]
    columns = [
        torch.from_numpy(np.array(column, dtype=np.float32))
        for column in zip(*(numbers for numbers, _ in drawn), strict=True)
    ]
    angles, zoom, shift, bend, soft, thick, factor, offset, sigma = columns
    return Draws(
        angles_b3=angles,
        zoom_b3=zoom,
        shift_b3=shift,
        bend_b3zyx=bend,
        soft_b=soft,
        thick_b=thick,
        factor_b=factor,
        offset_b=offset,
        sigma_b=sigma,
        noise_seeds=tuple(seed for _, seed in drawn),
    )


def _draw_one(recipe: Augmentation, key: Key) -> tuple[tuple[Any, ...], int]:
    random = np.random.default_rng(key)
    angles = random.uniform(-1, 1, 3) * math.radians(recipe.rotation_deg)
    zoom = 1 + random.uniform(-1, 1, 3) * recipe.scale
    zoom[0] *= -1 if random.random() < recipe.flip_left_right else 1
    shift = random.uniform(-1, 1, 3) * recipe.shift
    bend = random.uniform(-1, 1, (3, _BENDS, _BENDS, _BENDS)) * recipe.elastic
    kernel, strength = random.random(), random.uniform(0.3, 1.0)
    soft = strength if kernel < recipe.blur else 0.0
    soft = -strength if kernel >= 1 - recipe.sharpen else soft
    thick = float(random.random() < recipe.thick_slices)
    factor = 1 + recipe.hu_scale * random.standard_normal()
    offset = recipe.hu_shift * random.standard_normal()
    sigma = recipe.noise_hu * random.random()
    numbers = (angles, zoom, shift, bend, soft, thick, factor, offset, sigma)
    return numbers, int(random.integers(2**63))


def augment(hu_bzyx: Tensor, recipe: Augmentation, keys: Sequence[Key]) -> Tensor:
    """A changed copy of int16 HU (b, z, y, x); every sample is changed as its key says.

    Order: geometry, then resolution, then HU, as a scanner would see another pose of the same
    chest.
    """
    draws = draw(recipe, keys)
    x = hu_bzyx.float()
    x = _pose(x, draws, bent=recipe.elastic > 0)
    x = _change_kernel(x, draws.soft_b)
    x = _thicken(x, draws.thick_b)
    x = _recalibrate(x, draws, noisy=recipe.noise_hu > 0)
    return x.round_().clamp_(PADDING_HU, torch.iinfo(torch.int16).max).to(torch.int16)


def _pose(x: Tensor, draws: Draws, *, bent: bool) -> Tensor:
    """Rotate about all axes, zoom, shift, bend, and mirror left to right."""
    b, edges = len(x), torch.tensor(x.shape[:0:-1], dtype=torch.float32)
    # affine_grid works in (x, y, z) of [-1, 1]; turning a box that is no cube must not shear it.
    turn = _rotations(draws.angles_b3) * (edges[None, None, :] / edges[None, :, None])
    theta = torch.zeros(b, 3, 4)
    theta[:, :, :3] = turn * draws.zoom_b3[:, None, :]
    # By whole voxels: in-between places would smooth the texture of every volume.
    theta[:, :, 3] = 2 * (draws.shift_b3 * edges).round() / edges
    shape = [b, 1, *x.shape[1:]]
    grid = functional.affine_grid(theta.to(x.device), shape, align_corners=False)
    if bent:
        bend = functional.interpolate(
            2 * draws.bend_b3zyx.to(x.device), size=x.shape[1:], mode="trilinear"
        )
        grid = grid + bend.permute(0, 2, 3, 4, 1)
    # Outside the grid lies padding: shifted so that grid_sample's zeros mean just that.
    moved = functional.grid_sample((x - PADDING_HU)[:, None], grid, align_corners=False)
    return moved[:, 0] + PADDING_HU


def _rotations(angles_b3: Tensor) -> Tensor:
    """Rotation matrices (b, 3, 3) in (x, y, z) from angles about x, y, z in radians."""
    (cx, cy, cz), (sx, sy, sz) = angles_b3.cos().T, angles_b3.sin().T
    one, zero = torch.ones_like(cx), torch.zeros_like(cx)
    about_x = torch.stack([one, zero, zero, zero, cx, -sx, zero, sx, cx], 1).view(-1, 3, 3)
    about_y = torch.stack([cy, zero, sy, zero, one, zero, -sy, zero, cy], 1).view(-1, 3, 3)
    about_z = torch.stack([cz, -sz, zero, sz, cz, zero, zero, zero, one], 1).view(-1, 3, 3)
    return about_x @ about_y @ about_z


def _change_kernel(x: Tensor, soft_b: Tensor) -> Tensor:
    chosen = soft_b.nonzero()[:, 0]
    if len(chosen):
        share = soft_b[chosen].to(x.device).view(-1, 1, 1, 1)
        chosen = chosen.to(x.device)
        some = x[chosen]
        smooth = functional.avg_pool3d(
            functional.pad(some[:, None], (1,) * 6, mode="replicate"), 3, stride=1
        )[:, 0]
        x[chosen] = some + share * (smooth - some)
    return x


def _thicken(x: Tensor, thick_b: Tensor) -> Tensor:
    chosen = thick_b.nonzero()[:, 0].to(x.device)
    if len(chosen):
        pairs = functional.avg_pool3d(x[chosen][:, None], (2, 1, 1))
        x[chosen] = functional.interpolate(pairs, size=x.shape[1:], mode="nearest")[:, 0]
    return x


def _recalibrate(x: Tensor, draws: Draws, *, noisy: bool) -> Tensor:
    """Noise, and another calibration of the scanner; padding stays padding."""
    padding = x <= PADDING_HU + 0.5
    factor, offset, sigma = (
        drawn.to(x.device).view(-1, 1, 1, 1)
        for drawn in (draws.factor_b, draws.offset_b, draws.sigma_b)
    )
    changed = (x - _AIR_HU) * factor + _AIR_HU + offset
    if noisy:
        changed += sigma * torch.stack([_noise(x[0], seed) for seed in draws.noise_seeds])
    return torch.where(padding, x, changed)


def _noise(like_zyx: Tensor, seed: int) -> Tensor:
    generator = torch.Generator(like_zyx.device).manual_seed(seed)
    return torch.randn(like_zyx.shape, generator=generator, device=like_zyx.device)
