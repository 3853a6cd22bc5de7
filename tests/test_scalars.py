"""Numbers of batches: in order, of their type, and in one tensor."""

import torch

from sklearn_maxl._data.scalars import Scalars


def test_all_numbers_are_there_in_order():
    kept, numbers = Scalars(), torch.arange(1000, dtype=torch.float64) / 7
    assert len(kept) == 0
    assert kept.all().shape == (0,)
    for number in numbers:
        kept.append(number)
    assert len(kept) == 1000
    assert torch.equal(kept.all(), numbers)


def test_no_tensor_is_kept_by_itself():
    kept, number = Scalars(), torch.tensor(1.0)
    kept.append(number)
    number += 1
    assert kept.all().tolist() == [1.0]


def test_they_stay_on_their_device():
    kept = Scalars()
    kept.append(torch.tensor(1.0, device="meta"))
    assert kept.all().device.type == "meta"
