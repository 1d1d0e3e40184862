"""The standard picture of an optimizer: what it measures is what single training runs give."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import nn

from livegrad.lab.data import digits
from livegrad.lab.networks import mlp
from livegrad.lab.optimizer_report import BATCH, BLOCK, RATES, SIZES, Report, draw, measure, sgd


@pytest.fixture(scope="module")
def report() -> Report:
    return measure(sgd, seeds=(0, 1, 2), steps=BLOCK)


def test_the_losses_have_one_row_a_rate_a_seed_and_a_step(report: Report) -> None:
    assert report.loss.shape == (len(RATES), 3, BLOCK)


def test_one_run_equals_the_same_network_trained_alone(report: Report) -> None:
    rate, seed = 5, 1
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        model = mlp(SIZES, nn.ReLU, nn.init.kaiming_normal_)
    data, optimizer = digits(), torch.optim.SGD(model.parameters(), lr=RATES[rate])
    order = torch.randperm(len(data.x_train), generator=torch.Generator().manual_seed(0))
    batches = list(order[: len(order) // BATCH * BATCH].split(BATCH))
    losses = []
    for _ in range(10):
        batch = batches.pop()
        optimizer.zero_grad()
        loss = nn.functional.cross_entropy(model(data.x_train[batch]), data.y_train[batch])
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    np.testing.assert_allclose(report.loss[rate, seed, :10], losses, rtol=1e-4)


def test_the_best_rate_has_the_smallest_median_and_lost_runs_count_as_infinite() -> None:
    loss = np.ones((len(RATES), 3, BLOCK)) * np.linspace(3, 1, len(RATES))[:, None, None]
    loss[-1, :2, -1] = np.nan  # the best rate loses two of three runs
    report = Report(loss)
    assert np.isinf(report.final[-1, :2]).all()
    assert report.rate == RATES[-2]
    assert report.good_rates(within=1.2) == [RATES[-3], RATES[-2]]


def test_the_picture_names_each_contestant_and_its_rate(report: Report) -> None:
    figure = draw({"ours": report, "SGD": report})
    labels = [text.get_text() for text in figure.axes[0].get_legend().get_texts()]
    assert labels == [f"ours, lr = {report.rate:g}", f"SGD, lr = {report.rate:g}"]


def test_too_few_steps_are_refused() -> None:
    with pytest.raises(ValueError, match="steps must be at least 20, got 19"):
        measure(sgd, steps=19)
