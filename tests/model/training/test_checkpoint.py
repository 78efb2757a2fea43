import math

import pytest
import torch

from configs.contracts import InputError
from model.training import TrainingError, checkpoint


def test_a_damaged_checkpoint_is_refused(tmp_path):
    path = tmp_path / "a.safetensors"
    checkpoint.write(path, {"network.head": torch.arange(9.0)}, {"step": 1})
    content = bytearray(path.read_bytes())
    content[-9] ^= 1
    path.write_bytes(content)
    with pytest.raises(InputError, match="damaged since it was written"):
        checkpoint.read(path)
    path.write_bytes(content[: len(content) // 2])
    with pytest.raises(InputError, match="not a checkpoint"):
        checkpoint.read(path)


def test_a_checkpoint_never_holds_what_is_not_a_number(tmp_path):
    path = tmp_path / "a.safetensors"
    checkpoint.write(path, {"network.head": torch.ones(2)}, {})
    with pytest.raises(TrainingError, match=r"network\.head became NaN"):
        checkpoint.write(path, {"network.head": torch.tensor([1.0, math.inf])}, {})
    assert torch.equal(checkpoint.read(path)[0]["network.head"], torch.ones(2))
