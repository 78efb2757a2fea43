"""Random changes to a batch of int16 volumes, made where the batch is (CPU or GPU)."""

import math

import torch
from torch import Tensor
from torch.nn import functional

from configs.training import Augmentation
from model.volumes.volume import PADDING_HU

_AIR_HU = -1000.0


def augment(hu_bzyx: Tensor, recipe: Augmentation, generator: torch.Generator) -> Tensor:
    """A changed copy of int16 HU (b, z, y, x); every volume of the batch gets its own draw.

    The generator lives on the batch's device. Order: geometry, then resolution, then HU, as a
    scanner would see another pose of the same chest.
    """
    x = hu_bzyx.float()
    x = _pose(x, recipe, generator)
    x = _soften(x, recipe, generator)
    x = _thicken(x, recipe, generator)
    x = _recalibrate(x, recipe, generator)
    return x.round_().clamp_(PADDING_HU, torch.iinfo(torch.int16).max).to(torch.int16)


def _uniform(shape: tuple[int, ...], low: float, high: float, generator: torch.Generator) -> Tensor:
    draw = torch.rand(shape, generator=generator, device=generator.device)
    return draw * (high - low) + low


def _normal(shape: tuple[int, ...], generator: torch.Generator) -> Tensor:
    return torch.randn(shape, generator=generator, device=generator.device)


def _pose(x: Tensor, recipe: Augmentation, generator: torch.Generator) -> Tensor:
    """Rotate about all axes, zoom, shift, and mirror left to right."""
    b, size = len(x), torch.tensor(x.shape[1:], dtype=torch.float32, device=x.device)
    angles = _uniform((b, 3), -1, 1, generator) * math.radians(recipe.rotation_deg)
    zoom = 1 + _uniform((b, 3), -1, 1, generator) * recipe.scale
    mirror = torch.rand(b, generator=generator, device=generator.device) < recipe.flip_left_right
    zoom[:, 0] = torch.where(mirror, -zoom[:, 0], zoom[:, 0])
    # affine_grid works in (x, y, z) of [-1, 1]; turning a box that is no cube must not shear it.
    edges = size.flip(0)
    turn = _rotations(angles) * (edges[None, None, :] / edges[None, :, None])
    theta = torch.zeros(b, 3, 4, device=x.device)
    theta[:, :, :3] = turn * zoom[:, None, :]
    # By whole voxels: in-between places would smooth the texture of every volume.
    voxels = (_uniform((b, 3), -1, 1, generator) * recipe.shift * edges).round()
    theta[:, :, 3] = 2 * voxels / edges
    grid = functional.affine_grid(theta, [b, 1, *x.shape[1:]], align_corners=False)
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


def _soften(x: Tensor, recipe: Augmentation, generator: torch.Generator) -> Tensor:
    chosen = torch.rand(len(x), generator=generator, device=generator.device) < recipe.blur
    if chosen.any():
        share = _uniform((int(chosen.sum()), 1, 1, 1), 0.3, 1.0, generator)
        some = x[chosen]
        smooth = functional.avg_pool3d(
            functional.pad(some[:, None], (1,) * 6, mode="replicate"), 3, stride=1
        )[:, 0]
        x[chosen] = some + share * (smooth - some)
    return x


def _thicken(x: Tensor, recipe: Augmentation, generator: torch.Generator) -> Tensor:
    chosen = torch.rand(len(x), generator=generator, device=generator.device) < recipe.thick_slices
    if chosen.any():
        pairs = functional.avg_pool3d(x[chosen][:, None], (2, 1, 1))
        x[chosen] = functional.interpolate(pairs, size=x.shape[1:], mode="nearest")[:, 0]
    return x


def _recalibrate(x: Tensor, recipe: Augmentation, generator: torch.Generator) -> Tensor:
    """Noise, and another calibration of the scanner; padding stays padding."""
    padding = x <= PADDING_HU + 0.5
    factor = 1 + recipe.hu_scale * _normal((len(x), 1, 1, 1), generator)
    offset = recipe.hu_shift * _normal((len(x), 1, 1, 1), generator)
    sigma = _uniform((len(x), 1, 1, 1), 0, recipe.noise_hu, generator)
    changed = (x - _AIR_HU) * factor + _AIR_HU + offset
    if recipe.noise_hu:
        changed += sigma * _normal(tuple(x.shape), generator)
    return torch.where(padding, x, changed)
