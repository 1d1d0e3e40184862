import importlib
import math

import torch


def words(values: torch.Tensor) -> list:
    return [v if math.isfinite(v) else str(v) for v in values.tolist()]


def test_both_forms_are_those_of_float32_tensors(node, site_extension):
    file, arguments = site_extension.shelf_functions().get("softmax", ("", []))
    home = (
        importlib.import_module(f"livegrad.activations.{file}") if file and "dim" in arguments else torch.nn.functional
    )
    torch.manual_seed(0)
    cases = []
    vectors = [
        [2.0, 1.0, 0.5, -1.0, -2.0],
        [90.0, 89.0, 0.0, -3.0, 88.0],
        [-104.0, -110.0, -120.0],
        [0.0] * 5,
        [-95.0, -96.0],
    ]
    for logits in [*vectors, *(torch.randn(3, 5) * 4).round(decimals=1).double().tolist()]:
        for temperature in (0.05, 0.7, 1.0, 20.0):
            z = torch.tensor(logits, dtype=torch.float32) / temperature
            exact = torch.softmax(torch.tensor(logits, dtype=torch.float64) / temperature, 0)
            cases.append(
                {
                    "logits": logits,
                    "temperature": temperature,
                    "powers": words(z.exp()),
                    "plain": words(z.exp() / z.exp().sum()),
                    "safe": words(home.softmax(z, dim=0)),
                    "exact": exact.tolist(),
                    "bits": float(-torch.special.xlogy(exact, exact).sum() / math.log(2)),
                }
            )
    assert any("nan" in case["plain"] for case in cases)
    assert not any("nan" in case["safe"] for case in cases)
    node("softmax.test.mjs", {"cases": cases, "largest": math.log(torch.finfo(torch.float32).max)})
