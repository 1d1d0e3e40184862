import torch

from livegrad.lab.generator import normal, uniform


def test_both_sides_draw_the_same_numbers(node):
    keys = [(0, 0), (1, 0), (0, 1), (12345, 67), (2**32 - 1, 2**32 - 1)]
    draws = [
        {"seed": s, "stream": t, "uniforms": uniform((101,), s, t).tolist(), "normals": normal((1001,), s, t).tolist()}
        for s, t in keys
    ]
    assert all(torch.tensor(draw["normals"]).isfinite().all() for draw in draws)
    node("generator.test.mjs", {"draws": draws})
