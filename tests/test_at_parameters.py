"""A module at other parameters, against torch's own way."""

import copy

import pytest
import torch
from torch import nn
from torch.func import functional_call

from sklearn_maxl._maths.at_parameters import AtParameters, parameters_of


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
    f = AtParameters(module)
    t = {name: torch.randn_like(p) for name, p in parameters_of(module).items()}
    other = copy.deepcopy(module)
    assert torch.equal(f(t, x), functional_call(other, t, (x,)))


def test_it_leaves_parameters_and_buffers_as_they_were(module):
    f = AtParameters(module)
    before = copy.deepcopy(module.state_dict())
    places = [(m, key, p) for m in module.modules() for key, p in m._parameters.items()]
    f({name: torch.zeros_like(p) for name, p in f.t.items()}, torch.randn(5, 4))
    with pytest.raises((RuntimeError, ValueError)):
        f({name: torch.zeros(9, 9) for name in f.t}, torch.randn(5, 4, 4))
    assert all(m._parameters[key] is p for m, key, p in places)
    assert all(torch.equal(before[n], value) for n, value in module.state_dict().items())


class Counting(nn.Module):
    """Counts its passes in a buffer, and says that another one is never written."""

    constant_buffers = ("mask",)

    def __init__(self):
        super().__init__()
        self.linear = nn.Linear(4, 2)
        self.register_buffer("passes", torch.zeros(()))
        self.register_buffer("mask", torch.ones(2))
        self.seen = []

    def forward(self, x):
        self.passes += 1
        self.seen.append(self.mask)
        return self.linear(x) * self.mask

    def twice(self, x, y):
        return self(x), None if y is None else self(y)


def test_running_statistics_move_at_its_own_parameters_alone():
    torch.manual_seed(0)
    module, x = MODULES["batch norm"](), torch.randn(5, 4)
    f, plain = AtParameters(module), copy.deepcopy(module)
    assert torch.equal(f(f.t, x), plain(x))
    assert all(torch.equal(b, dict(plain.named_buffers())[n]) for n, b in module.named_buffers())
    assert torch.equal(f(dict(f.t), x), copy.deepcopy(plain)(x))  # a copy of them is others
    assert all(torch.equal(b, dict(plain.named_buffers())[n]) for n, b in module.named_buffers())


def test_constant_buffers_are_not_copied():
    module = Counting()
    f = AtParameters(module)
    x = torch.randn(3, 4)
    f(dict(f.t), x)
    assert module.passes == 0
    f(f.t, x)
    assert module.passes == 1
    assert all(mask is module.mask for mask in module.seen)


def test_another_method_takes_all_inputs():
    module = Counting()
    f = AtParameters(module, module.twice)
    x, y = torch.randn(2, 3, 4)
    t = {name: torch.randn_like(p) for name, p in f.t.items()}
    first, second = f(t, x, y)
    other = copy.deepcopy(module)
    assert torch.equal(first, functional_call(other, t, (x,)))
    assert torch.equal(second, functional_call(other, t, (y,)))


@pytest.mark.parametrize("own", [True, False])
def test_outputs_in_few_digits_come_back_as_float32(own):
    module = Counting()
    f = AtParameters(module, module.twice, torch.bfloat16)
    x = torch.randn(3, 4)
    output, none = f(f.t if own else dict(f.t), x, None)
    assert none is None
    assert output.dtype == torch.float32
    assert not torch.equal(output, module(x))
    torch.testing.assert_close(output, module(x), rtol=0.02, atol=0.02)


@pytest.mark.parametrize("precision", [torch.bfloat16, torch.float16])
def test_it_computes_in_the_precision_that_it_is_given(precision):
    computed = []
    module = nn.Linear(4, 2)
    module.register_forward_hook(lambda _, inputs, output: computed.append(output.dtype))
    f = AtParameters(module, None, precision)
    f(f.t, torch.randn(3, 4))
    assert computed == [precision]


def test_gradients_are_forgotten():
    f = AtParameters(nn.Linear(4, 2))
    f(f.t, torch.randn(3, 4)).sum().backward()
    assert all(p.grad is not None for p in f.t.values())
    f.clear_gradients()
    assert all(p.grad is None for p in f.t.values())


def test_a_frozen_parameter_is_not_one_of_t():
    module = nn.Linear(4, 2)
    module.bias.requires_grad_(False)
    assert list(AtParameters(module).t) == ["weight"]
