"""The page's rules of other libraries end where those libraries end, and torch with the page's conversion too.

Recorded with optax 0.2.8, Keras 3.15.1 (on JAX), Flax 0.12.8 and JAX 0.10.2 in float64: two weights, three gradients.
"""

from __future__ import annotations

import math
import re
from pathlib import Path
from typing import Any

import pytest
import torch

PAGE = Path(__file__).resolve().parents[2] / "book" / "reference" / "conventions.md"


@pytest.fixture(scope="module")
def page() -> dict[str, Any]:
    """What the cells of the page define; they assert every conversion while they run."""
    names: dict[str, Any] = {}
    for cell in re.findall(r"^```\{code-cell\} ipython3\n(.*?)^```$", PAGE.read_text("utf-8"), re.S | re.M):
        exec(compile(cell, str(PAGE), "exec"), names)
    return names


def test_the_gradients_are_those_of_the_recordings(page: dict[str, Any]) -> None:
    assert page["W"].tolist() == [1.0, -2.0]
    assert page["G"].tolist() == [[0.5, -1.0], [0.3, 2.0], [-0.2, 0.1]]


CONSTANT, DROP = (0.1, 0.1, 0.1), (0.1, 0.1, 0.01)
# The library's call, what it gave, and the page's rule.
RECORDED: dict[str, tuple[list[float], Any]] = {
    "optax.chain(optax.ema(0.9, debias=False), optax.scale(-1.0))": (
        [0.8275, -2.1189999999999998],
        lambda page: page["average"](1.0, 0.9),
    ),
    "keras SGD(0.1, momentum=0.9)": (
        [0.8275, -2.1189999999999998],
        lambda page: page["keras_sgd"](CONSTANT, 0.9),
    ),
    "keras SGD(0.1, momentum=0.9, nesterov=True)": (
        [0.78475, -2.2171],
        lambda page: page["keras_sgd"](CONSTANT, 0.9, True),
    ),
    "keras SGD, rates 0.1, 0.1, 0.01, momentum=0.9": (
        [0.8095, -2.11],
        lambda page: page["keras_sgd"](DROP, 0.9),
    ),
    "optax.sgd, rates 0.1, 0.1, 0.01, momentum=0.9": (
        [0.87025, -2.0208999999999997],
        lambda page: page["heavy_ball"](DROP, (0.9, 0.9, 0.9)),
    ),
    "keras Adam(0.1, epsilon=1e-2)": (
        [0.8441188008890221, -1.9833712947897628],
        lambda page: page["keras_adam"](0.1, lambda t: 0.01),
    ),
    "keras RMSprop(0.1, rho=0.9, epsilon=1e-2)": (
        [0.6826604561354034, -1.9962054708295736],
        lambda page: page["rms_prop"](0.1, 0.9, 0.01, inside=True),
    ),
    "optax.rmsprop(0.1, decay=0.9, eps=1e-2)": (
        [0.6826604561354033, -1.9962054708295736],
        lambda page: page["rms_prop"](0.1, 0.9, 0.01, inside=True),
    ),
    "optax.adagrad(0.1)": (
        [0.8991254005059595, -1.997638972603874],
        lambda page: page["adagrad"](0.1, 1e-7, inside=True, start=0.1),
    ),
    "keras Adagrad(0.1)": (
        [0.8991254005059595, -1.997638972603874],
        lambda page: page["adagrad"](0.1, 1e-7, inside=True, start=0.1),
    ),
    "optax.adagrad(0.1, initial_accumulator_value=0.1, eps=1e-2)": (
        [0.9005167356880994, -1.9979784088479278],
        lambda page: page["adagrad"](0.1, 0.01, inside=True, start=0.1),
    ),
    "keras Adagrad(0.1, epsilon=1e-2)": (
        [0.9005167356880994, -1.9979784088479278],
        lambda page: page["adagrad"](0.1, 0.01, inside=True, start=0.1),
    ),
    "keras SGD(0.1, weight_decay=0.3)": (
        [0.856528, -1.9352559999999999],
        lambda page: page["decayed_sgd"](0.1, 0.3),
    ),
    "keras SGD(0.1, momentum=0.9, weight_decay=0.3)": (
        [0.7453779999999999, -1.9469560000000001],
        lambda page: page["keras_decayed_sgd"](0.1, 0.3, 0.9),
    ),
}


@pytest.mark.parametrize("call", RECORDED)
def test_a_rule_of_the_page_ends_where_the_library_ends(page: dict[str, Any], call: str) -> None:
    recorded, rule = RECORDED[call]
    assert rule(page).tolist() == pytest.approx(recorded, rel=1e-12)


# The library's call, what it gave, and torch's with the options that the page names.
SAME_IN_TORCH: dict[str, tuple[list[float], str, dict[str, Any]]] = {
    "optax.sgd(0.1, momentum=0.9)": ([0.8275, -2.1189999999999998], "SGD", {"lr": 0.1, "momentum": 0.9}),
    "optax.sgd(0.1, momentum=0.9, nesterov=True)": (
        [0.78475, -2.2171],
        "SGD",
        {"lr": 0.1, "momentum": 0.9, "nesterov": True},
    ),
    "optax.adam(0.1, eps=1e-2)": ([0.7605638378563867, -1.968258688838945], "Adam", {"lr": 0.1, "eps": 0.01}),
    "optax.rmsprop(0.1, decay=0.9, eps=1e-2, eps_in_sqrt=False)": (
        [0.6479077292989017, -1.9899743697323458],
        "RMSprop",
        {"lr": 0.1, "alpha": 0.9, "eps": 0.01},
    ),
    "optax.adamw(0.1, weight_decay=0.3)": (
        [0.6764443231041135, -1.797895378845021],
        "AdamW",
        {"lr": 0.1, "weight_decay": 0.3},
    ),
    "optax.add_decayed_weights(0.3) before optax.adam(0.1)": (
        [0.7240973157853277, -1.8857165094437056],
        "Adam",
        {"lr": 0.1, "weight_decay": 0.3},
    ),
}


@pytest.mark.parametrize("call", SAME_IN_TORCH)
def test_torch_ends_where_the_library_ends(page: dict[str, Any], call: str) -> None:
    recorded, name, options = SAME_IN_TORCH[call]
    ends = page["torch_ends"](getattr(torch.optim, name), **options)
    # optax computes powers of beta in another order: a few units in the last place.
    assert ends.tolist() == pytest.approx(recorded, rel=1e-11)


def test_the_decoupled_decay_of_keras_is_that_of_torch(page: dict[str, Any]) -> None:
    keras = [0.6764444527710783, -1.7978953987004684]  # AdamW(0.1, weight_decay=0.3, epsilon=1e-8)
    ends = page["torch_ends"](torch.optim.AdamW, lr=0.1, weight_decay=0.3)
    assert ends.tolist() == pytest.approx(keras, rel=1e-6)  # epsilon stands in another place


def test_the_other_recordings_agree_with_the_tables(page: dict[str, Any]) -> None:
    # keras.regularizers.L2(0.3) of W: no half before the square.
    assert 0.3 * page["W"].square().sum().item() == 1.5
    # jnp.var and keras.ops.var of (1, 2, 4, 7), and the running variance of Keras and Flax after one batch of it.
    assert page["biased"].item() == 5.25
    assert 0.99 + 0.01 * page["biased"].item() == pytest.approx(1.0425)
    # lax.conv_general_dilated and keras.ops.conv, jnp.convolve; "same" with stride 2.
    signal, kernel = page["signal"], page["kernel"]
    assert page["slide"](signal, kernel).tolist() == [17, 24, 31]
    assert page["slide"](signal, kernel[::-1]).tolist() == [11, 18, 25]
    assert page["keras_same"].tolist() == [17, 31, 17]
    # jax.nn.gelu(1.0), with approximate=False, and keras.activations.gelu(1.0).
    assert page["by_tanh"].item() == pytest.approx(0.8411919906082768, rel=1e-12)
    assert page["exact"].item() == pytest.approx(0.8413447460685429, rel=1e-12)


def test_the_variances_of_the_initializers_are_the_recorded_ones(page: dict[str, Any]) -> None:
    # Standard deviation and largest absolute value times the root of fan_in, 400 inputs and 900 outputs.
    for fill, std, largest in (
        (page["kaiming_trunc_normal_"], 1.4152006687460696, 3.2154613214471444),  # he_normal of JAX and Keras
        (torch.nn.init.xavier_uniform_, 0.7848875121804377, 1.3587297416530348),  # glorot_uniform
        (lambda w: torch.nn.init.kaiming_uniform_(w, nonlinearity="relu"), 1.4149760853189675, 2.449484876513978),
    ):
        seen = page["spread"](fill)
        assert seen[0] == pytest.approx(std, rel=0.005)  # of 360,000 draws each: five standard errors of the difference
        assert seen[1] == pytest.approx(largest, rel=0.001)
    assert math.sqrt(2) * 2 / page["cut"] == pytest.approx(3.2154613214471444, rel=1e-4)
