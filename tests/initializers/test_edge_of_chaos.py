"""The mean-field maps against closed forms, against mpmath, and against wide random networks."""

import math

import mpmath
import pytest
import torch

from livegrad.initializers.edge_of_chaos import (
    correlation_map,
    critical_line,
    length_map,
    normal_quadrature,
    phase,
    slope,
)


def test_the_quadrature_knows_the_moments_of_a_normal_variable():
    z, weight = normal_quadrature(20)
    for power, moment in [(0, 1), (1, 0), (2, 1), (4, 3), (6, 15), (8, 105)]:
        assert float(weight @ z**power) == pytest.approx(moment, rel=1e-11, abs=1e-12)


@pytest.mark.parametrize("q", [0.01, 0.5, 3.0])
def test_the_maps_of_a_linear_network_are_known(q):
    assert length_map(lambda u: u, q, 1.5, 0.5) == pytest.approx(2.25 * q + 0.25, rel=1e-12)
    assert correlation_map(lambda u: u, 0.3, q, 1.5, 0.5) == pytest.approx((2.25 * 0.3 * q + 0.25) / q, rel=1e-12)
    assert slope(lambda u: u, 0.3, q, 1.5) == pytest.approx(2.25, rel=1e-12)


@pytest.mark.parametrize("c", [-0.9, 0.0, 0.4, 1.0])
def test_the_error_function_gives_an_arcsine(c):
    # E[erf(a u1) erf(a u2)] = 2/pi asin(2 a² q c / (1 + 2 a² q)): C. K. I. Williams 1998, here with a = 1.
    q = 0.8
    expected = (2 / math.pi) * math.asin(2 * q * c / (1 + 2 * q))
    assert q * correlation_map(torch.erf, c, q, 1.0, 0.0) == pytest.approx(expected, rel=1e-8, abs=1e-12)


@pytest.mark.parametrize("q", [0.1, 1.0, 4.0])
def test_tanh_agrees_with_mpmath(q):
    with mpmath.workdps(20):
        density = lambda z: mpmath.exp(-z * z / 2) / mpmath.sqrt(2 * mpmath.pi)  # noqa: E731
        square = mpmath.quad(lambda z: mpmath.tanh(mpmath.sqrt(q) * z) ** 2 * density(z), [-12, 0, 12])
        steep = mpmath.quad(lambda z: mpmath.sech(mpmath.sqrt(q) * z) ** 4 * density(z), [-12, 0, 12])
    assert length_map(torch.tanh, q, 1.3, 0.2) == pytest.approx(1.69 * float(square) + 0.04, rel=1e-7)
    # tanh has poles at ±πi/2, which a larger q brings nearer: at q = 4 six digits of the slope are right.
    assert slope(torch.tanh, 1.0, q, 1.3) == pytest.approx(1.69 * float(steep), rel=3e-6)


def test_the_slope_is_the_derivative_of_the_correlation_map():
    q = phase(torch.tanh, 2.0, 0.3).q
    for c in (0.1, 0.6, 0.95):
        step = (
            correlation_map(torch.tanh, c + 1e-5, q, 2.0, 0.3) - correlation_map(torch.tanh, c - 1e-5, q, 2.0, 0.3)
        ) / 2e-5
        assert slope(torch.tanh, c, q, 2.0) == pytest.approx(step, rel=1e-6)


def test_phase_finds_fixed_points_and_names_the_side():
    for sigma_w, ordered in [(0.9, True), (2.5, False)]:
        found = phase(torch.tanh, sigma_w, 0.3)
        assert length_map(torch.tanh, found.q, sigma_w, 0.3) == pytest.approx(found.q, abs=1e-12)
        assert correlation_map(torch.tanh, found.c, found.q, sigma_w, 0.3) == pytest.approx(found.c, abs=1e-9)
        assert (found.chi < 1) == ordered
        assert (found.c == 1) == ordered
        assert 0 < found.xi < 20


@pytest.mark.parametrize("q", [1e-6, 0.1, 1.0, 3.0])
def test_the_critical_line_has_slope_one_and_the_length_it_was_asked_for(q):
    sigma_w, sigma_b = critical_line(torch.tanh, q)
    assert slope(torch.tanh, 1.0, q, sigma_w) == pytest.approx(1, rel=1e-12)
    assert length_map(torch.tanh, q, sigma_w, sigma_b) == pytest.approx(q, rel=1e-9)


def test_xavier_is_the_corner_of_the_critical_line_of_tanh():
    assert critical_line(torch.tanh, 0.0) == pytest.approx((1.0, 0.0), abs=1e-9)


def test_a_wide_network_follows_both_maps():
    n, sigma_w, sigma_b = 2000, 1.7, 0.4
    generator = torch.Generator().manual_seed(0)
    q = phase(torch.tanh, sigma_w, sigma_b).q
    x = torch.randn(2, n, generator=generator, dtype=torch.float64)
    y = math.sqrt(q) * torch.stack([x[0], 0.5 * x[0] + math.sqrt(0.75) * x[1]])
    c = 0.5
    for _ in range(4):
        w = sigma_w / math.sqrt(n) * torch.randn(n, n, generator=generator, dtype=torch.float64)
        b = sigma_b * torch.randn(n, generator=generator, dtype=torch.float64)
        y = torch.tanh(y) @ w.T + b
        c = correlation_map(torch.tanh, c, q, sigma_w, sigma_b)
        # A sample correlation of n pairs has the standard error (1 - c²) / √n < 0.017, and errors are handed on.
        assert float(torch.corrcoef(y)[0, 1]) == pytest.approx(c, abs=0.08)
        assert float(y.square().mean()) == pytest.approx(q, rel=0.15)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: length_map(torch.tanh, -1.0, 1.0, 0.0), r"q must be in \[0, inf\), got -1.0"),
        (lambda: length_map(torch.tanh, 1.0, math.nan, 0.0), r"sigma_w must be in \[0, inf\), got nan"),
        (lambda: correlation_map(torch.tanh, 0.0, 1.0, 1.0, -2.0), r"sigma_b must be in \[0, inf\), got -2.0"),
        (lambda: correlation_map(torch.tanh, 1.5, 1.0, 1.0, 0.0), r"c must be in \[-1, 1\], got 1.5"),
        (lambda: critical_line(lambda u: u + 5, 0.5), "q must be a length that a bias can reach, got 0.5"),
    ],
)
def test_bad_arguments_are_refused_by_name_rule_and_value(call, message):
    with pytest.raises(ValueError, match=message):
        call()
