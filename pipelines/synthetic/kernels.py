"""How the synthetic vendors name their kernels and store their pixels: each its own way."""

from pipelines.synthetic.case import Acquisition

_NAMES = {
    "SYNTHETIC Alpha": {"soft": "B30f", "sharp": "B70f"},
    "SYNTHETIC Beta": {"soft": "STANDARD", "sharp": "LUNG"},
    "SYNTHETIC Gamma": {"soft": "FC08", "sharp": "FC52"},
    "SYNTHETIC Delta": {"soft": "B", "sharp": "YA"},
}


def kernel_name(acquisition: Acquisition) -> str:
    """The vendor's own word for a kernel."""
    return _NAMES[acquisition.vendor][acquisition.kernel]


def stores_signed(acquisition: Acquisition) -> bool:
    """Whether the vendor stores HU themselves, signed; the others store HU + 1024, unsigned."""
    return acquisition.vendor == "SYNTHETIC Gamma"
