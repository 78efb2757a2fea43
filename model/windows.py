"""What a network sees of int16 HU: classical windows and soft histogram bins, read from tables.

Every curve is piecewise linear over the same knots and becomes a table with one row per HU value,
so a volume stays int16 until it is on the device, and one lookup makes all channels.
"""

import torch
from torch import Tensor, nn

LOWEST_HU, HIGHEST_HU = -1024, 1500  # beyond, HU says only "air outside" or "metal or dense bone"
WINDOWS_HU = ((-600.0, 1500.0), (40.0, 400.0), (0.0, 2000.0))  # (centre, width): lung, soft, wide

# Closer together where a few HU decide: emphysema, ground glass, fat, fluid, muscle, contrast.
KNOTS_HU = (
    *(-1024.0, -980.0, -950.0, -920.0, -890.0, -860.0, -820.0, -770.0, -700.0, -600.0, -450.0),
    *(-300.0, -180.0, -120.0, -80.0, -40.0, -10.0, 10.0, 30.0, 50.0, 75.0, 110.0, 160.0, 250.0),
    *(400.0, 700.0, 1100.0, 1500.0),
)


def soft_bin_table(knots_hu: tuple[float, ...] = KNOTS_HU) -> Tensor:
    """Membership of every HU value in every bin, shape (HU values, knots).

    Rows are non-negative and sum to 1: a value between two knots belongs to both, in proportion.
    """
    knots = torch.tensor(knots_hu)
    hu = torch.arange(LOWEST_HU, HIGHEST_HU + 1, dtype=torch.float32)
    upper = torch.bucketize(hu, knots[1:-1], right=True) + 1
    share = (hu - knots[upper - 1]) / (knots[upper] - knots[upper - 1])
    table = torch.zeros(len(hu), len(knots))
    rows = torch.arange(len(hu))
    table[rows, upper] = share
    table[rows, upper - 1] = 1 - share
    return table


def channel_table(channels: int) -> Tensor:
    """Curves of the network's input channels, shape (HU values, channels).

    The first three are the lung, soft-tissue and wide windows scaled to [-1, 1]; the others are
    groups of neighbouring soft bins, each 1 at home and 0 elsewhere.
    """
    if channels < len(WINDOWS_HU):
        raise ValueError(f"at least {len(WINDOWS_HU)} input channels, not {channels}")
    hu = torch.arange(LOWEST_HU, HIGHEST_HU + 1, dtype=torch.float32)[:, None]
    centre, width = torch.tensor(WINDOWS_HU).T
    windows: Tensor = ((hu - centre) / (width / 2)).clamp(-1, 1)
    if channels == len(WINDOWS_HU):
        return windows
    groups = torch.tensor_split(soft_bin_table(), channels - len(WINDOWS_HU), dim=1)
    return torch.cat([windows, torch.stack([group.sum(dim=1) for group in groups], dim=1)], dim=1)


def table_rows(hu: Tensor) -> Tensor:
    """Table rows (int32) of HU values of any shape; values beyond the table's ends are clamped."""
    return hu.to(torch.int32).clamp_(LOWEST_HU, HIGHEST_HU) - LOWEST_HU


class InputChannels(nn.Module):
    """int16 HU (b, z, y, x) to channels (b, c, z, y, x), in channels-last memory."""

    table: Tensor

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.register_buffer("table", channel_table(channels), persistent=False)

    def forward(self, hu_bzyx: Tensor) -> Tensor:
        """Look every voxel up."""
        device = hu_bzyx.device.type
        autocast = torch.is_autocast_enabled(device)
        table = self.table.to(torch.get_autocast_dtype(device)) if autocast else self.table
        return nn.functional.embedding(table_rows(hu_bzyx), table).permute(0, 4, 1, 2, 3)
