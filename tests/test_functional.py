"""A module at other parameters, against torch's own way."""

import copy

import pytest
import torch
from torch import nn
from torch.func import functional_call

from sklearn_maxl._maths.at_parameters import Functional, parameters_of


class Tied(nn.Module):
    """One matrix in two places."""

    def __init__(self):
        super().__init__()
        self.first = nn.Linear(4, 4)
        self.second = nn.Linear(4, 4)
        self.second.weight = self.first.weight

    def forward(self, x):
        return self.second(torch.tanh(self.first(x)))


class Recurrent(nn.Module):
    """torch keeps a second list of a recurrent layer's weights."""

    def __init__(self):
        super().__init__()
        self.layer = nn.LSTM(4, 3, batch_first=True)

    def forward(self, x):
        return self.layer(x.unsqueeze(1))[0][:, 0]


MODULES = {
    "linear": lambda: nn.Linear(4, 2),
    "batch norm": lambda: nn.Sequential(nn.Linear(4, 3), nn.BatchNorm1d(3)),
    "tied": Tied,
    "recurrent": Recurrent,
    "weight norm": lambda: nn.utils.parametrizations.weight_norm(nn.Linear(4, 2)),
}


@pytest.fixture(params=MODULES)
def module(request):
    torch.manual_seed(0)
    return MODULES[request.param]()


def test_a_module_at_other_parameters_is_what_torch_makes_of_it(module):
    x = torch.randn(5, 4)
    f = Functional(module)
    t = {name: torch.randn_like(p) for name, p in parameters_of(module).items()}
    other = copy.deepcopy(module)
    assert torch.equal(f.at(t, x), functional_call(other, t, (x,)))


def test_it_leaves_parameters_and_buffers_as_they_were(module):
    f = Functional(module)
    before = copy.deepcopy(module.state_dict())
    places = [(m, key, p) for m in module.modules() for key, p in m._parameters.items()]
    f.at({name: torch.zeros_like(p) for name, p in f.t.items()}, torch.randn(5, 4))
    with pytest.raises((RuntimeError, ValueError)):
        f.at({name: torch.zeros(9, 9) for name in f.t}, torch.randn(5, 4, 4))
    assert all(m._parameters[key] is p for m, key, p in places)
    assert all(torch.equal(before[n], value) for n, value in module.state_dict().items())


def test_a_frozen_parameter_is_not_one_of_t():
    module = nn.Linear(4, 2)
    module.bias.requires_grad_(False)
    assert list(Functional(module).t) == ["weight"]
