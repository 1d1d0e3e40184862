"""The standard picture of the activations."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from matplotlib import pyplot as plt
from torch import nn

from livegrad.lab import activation_report
from livegrad.lab.activation_report import DEPTH, build, draw, draw_shape, measure


@pytest.fixture
def few_steps(monkeypatch):
    monkeypatch.setattr(activation_report, "STEPS", 20)


def test_the_standard_network_has_one_activation_a_hidden_layer():
    model = build(nn.Tanh)
    assert sum(isinstance(layer, nn.Tanh) for layer in model) == DEPTH
    assert model(torch.zeros(3, 64)).shape == (3, 10)


def test_a_report_holds_every_seed_and_is_the_same_twice(few_steps):
    first, second = measure(nn.ReLU, (0, 1, 2)), measure(nn.ReLU, (0, 1, 2))
    assert first.signal.forward.shape == first.signal.backward.shape == (3, DEPTH)
    assert first.loss.shape == (3, 1)
    assert first.accuracy.shape == (3,)
    assert np.array_equal(first.loss, second.loss)


def test_a_sigmoid_loses_the_gradient_that_relu_keeps(few_steps):
    kept, lost = (measure(activation, (0, 1, 2)).signal.backward for activation in (nn.ReLU, nn.Sigmoid))
    assert (kept[:, 0] / kept[:, -1] > 0.05).all()
    assert (lost[:, 0] / lost[:, -1] < 1e-6).all()


def test_measuring_leaves_the_global_generator_alone(few_steps):
    torch.manual_seed(0)
    expected = torch.rand(3)
    torch.manual_seed(0)
    measure(nn.ReLU, (0, 1, 2))
    assert torch.equal(torch.rand(3), expected)


def test_the_picture_shows_each_activation_in_every_panel(few_steps):
    figure = draw({name: measure(layer, (0, 1, 2)) for name, layer in [("ReLU", nn.ReLU), ("Tanh", nn.Tanh)]})
    assert [len(ax.lines) for ax in figure.axes] == [2, 2, 2]
    assert [text.get_text() for text in figure.legends[0].texts] == ["ReLU", "Tanh"]
    assert not any(ax.get_legend() for ax in figure.axes)  # it would cover a line
    plt.close(figure)


def test_the_curve_breaks_where_the_derivative_jumps():
    figure = draw_shape(torch.relu, "ReLU", "#000000")
    slope = figure.axes[1].lines[-1].get_ydata()
    assert np.isnan(slope).sum() == 1
    assert set(slope[~np.isnan(slope)]) == {0.0, 1.0}
    plt.close(figure)
