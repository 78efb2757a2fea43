"""How wide and deep a network is, as data: one size per profile."""

from dataclasses import dataclass

from configs.contracts import InputError


@dataclass(frozen=True, slots=True)
class Size:
    """Widths and depths of a residual network. The stem halves the grid once."""

    input_channels: int  # windows and soft HU bins
    stem: int  # channels after the stem
    widths: tuple[int, ...]  # channels of each stage
    blocks: tuple[int, ...]  # residual blocks of each stage
    strides: tuple[int, ...]  # 2 halves the grid before the stage, 1 keeps it
    bottleneck: bool = False  # 1-3-1 blocks with a fourth of the width inside
    regions: int = 4  # the regional branch has regions³ boxes; 0 leaves it out

    @property
    def output_stride(self) -> int:
        """Voxels of the grid per cell of the evidence map, along each axis."""
        stride = 2
        for step in self.strides:
            stride *= step
        return stride


SIZES = {
    "tiny": Size(16, 24, (24, 48, 96), (1, 1, 1), (1, 2, 2)),
    "small": Size(16, 32, (32, 64, 128, 256), (2, 2, 2, 2), (2, 2, 2, 1)),
    "base": Size(16, 64, (64, 128, 256, 512), (2, 2, 2, 2), (2, 2, 2, 1)),
    "large": Size(16, 64, (256, 512, 1024, 2048), (3, 4, 6, 3), (2, 2, 2, 1), bottleneck=True),
}


def size_named(name: str) -> Size:
    """The size of that name; raises InputError listing those there are."""
    try:
        return SIZES[name]
    except KeyError:
        raise InputError(
            f"network size {name!r}: choose one of {', '.join(SIZES)} (`size:` in the train config)"
        ) from None
