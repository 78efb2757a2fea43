"""How wide and deep a network is, as data: one size per profile."""

from dataclasses import dataclass
from typing import Literal

from configs.contracts import InputError
from model.networks.norm import Norm

_STEM_STRIDES = {"convolution": 2, "histogram": 4, "stock": 2}


@dataclass(frozen=True, slots=True)
class Size:
    """Widths and depths of a residual network."""

    stem: Literal["convolution", "histogram", "stock"]  # halves the grid, or quarters it
    stem_width: int  # channels after the stem
    widths: tuple[int, ...]  # channels of each stage
    blocks: tuple[int, ...]  # residual blocks of each stage
    strides: tuple[int, ...]  # 2 halves the grid before the stage, 1 keeps it
    bottleneck: bool = False  # 1-3-1 blocks with a fourth of the width inside
    input_channels: int = 16  # windows and soft HU bins before a convolution stem
    dropout: float = 0.0  # of whole kinds before a histogram stem's mixing
    regions: int = 4  # the regional reading has regions³ boxes; 0 leaves it out
    norm: Norm = "batch"  # group norm needs no other scans of the batch

    @property
    def output_stride(self) -> int:
        """Voxels of the grid per cell of the evidence map, along each axis."""
        stride = _STEM_STRIDES[self.stem]
        for step in self.strides:
            stride *= step
        return stride


# The stock ResNet-18, for published weights: `r3d_18` with every axis halved in the stem.
VIDEO = Size("stock", 64, (64, 128, 256, 512), (2, 2, 2, 2), (1, 2, 2, 2), input_channels=3)

SIZES = {
    "tiny": Size("histogram", 48, (48, 96), (1, 1), (1, 2), dropout=0.1),
    "compact": Size("histogram", 48, (48, 96), (1, 1), (2, 1), dropout=0.1),
    "small": Size("convolution", 32, (32, 64, 128, 256), (2, 2, 2, 2), (2, 2, 2, 1)),
    "base": Size("convolution", 64, (64, 128, 256, 512), (2, 2, 2, 2), (2, 2, 2, 1)),
    "large": Size(
        "convolution", 64, (256, 512, 1024, 2048), (3, 4, 6, 3), (2, 2, 2, 1), bottleneck=True
    ),
    "video": VIDEO,
}

# The plain baseline reads voxels at every size, as a stock 3D ResNet does.
_PLAIN = Size("convolution", 24, (24, 48, 96), (1, 1, 1), (1, 2, 2))
PLAIN_SIZES = SIZES | {"tiny": _PLAIN, "compact": _PLAIN}


def _slices(width: int, strides: tuple[int, int, int, int]) -> Size:
    """A 2D ResNet-18 over slices; strides[0] = 2 is the stock max pool."""
    widths = (width, 2 * width, 4 * width, 8 * width)
    return Size("stock", width, widths, (2, 2, 2, 2), strides, input_channels=3, regions=0)


# As many millimetres a cell as at CT-Net's own grid (26) or so, not as many pixels.
SLICE_SIZES = {
    "tiny": _slices(16, (1, 2, 2, 1)),
    "compact": _slices(16, (1, 2, 2, 1)),
    "small": _slices(32, (1, 2, 2, 2)),
    "base": _slices(64, (1, 2, 2, 2)),
    "large": _slices(64, (1, 2, 2, 2)),
    "published": _slices(64, (2, 2, 2, 2)),
}

_SIZES_OF = {
    "additive": SIZES,
    "resnet3d": PLAIN_SIZES,
    "ctnet83": SLICE_SIZES,
    "axialnet": SLICE_SIZES,
}


def size_of(network: str, name: str) -> Size:
    """The size of that name for a network; raises InputError listing those there are."""
    sizes = _SIZES_OF.get(network, SIZES)
    if name not in sizes:
        raise InputError(
            f"network size {name!r} of {network}: choose one of {', '.join(sizes)} (`size:` in the "
            "train config)"
        )
    return sizes[name]
