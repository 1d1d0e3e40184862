import numpy as np
import pytest
import torch

from livegrad.lab.seeds import confidence, over_seeds


def test_runs_are_stacked_by_seed_and_each_starts_from_its_own_seed():
    values = over_seeds(lambda seed: torch.rand(2), [3, 1, 2])
    torch.manual_seed(1)
    np.testing.assert_array_equal(values[1], torch.rand(2).double().numpy())
    assert values.shape == (3, 2)
    assert values.dtype == np.float64


def test_the_global_generator_is_left_as_it_was():
    torch.manual_seed(0)
    expected = torch.rand(1)
    torch.manual_seed(0)
    over_seeds(lambda seed: torch.rand(5))
    assert torch.equal(torch.rand(1), expected)


def test_two_seeds_are_refused():
    with pytest.raises(ValueError, match=r"seeds must hold at least 3 seeds, got \[0, 1\]"):
        over_seeds(float, [0, 1])


def test_the_interval_is_the_one_of_a_table_of_students_t():
    # t(0.975, 4 degrees of freedom) = 2.776, from any printed table
    estimate = confidence([1.0, 2.0, 3.0, 4.0, 5.0])
    assert estimate.mean == 3.0
    assert estimate.half_width == pytest.approx(2.776 * (2.5 / 5) ** 0.5, rel=2e-4)
    assert (estimate.low, estimate.high) == (3.0 - estimate.half_width, 3.0 + estimate.half_width)
    assert str(estimate) == "3 ± 2"


def test_the_interval_holds_the_truth_as_often_as_it_says():
    draws = np.random.default_rng(0).standard_normal((2000, 5))
    hits = np.mean([abs(confidence(row).mean) <= confidence(row).half_width for row in draws])
    assert abs(hits - 0.95) < 4 * (0.95 * 0.05 / 2000) ** 0.5  # four standard errors


def test_bad_values_and_levels_are_refused():
    with pytest.raises(ValueError, match="values must hold at least 3 values, got 2"):
        confidence([1.0, 2.0])
    with pytest.raises(ValueError, match=r"level must be in \(0, 1\), got 95"):
        confidence([1.0, 2.0, 3.0], level=95)
