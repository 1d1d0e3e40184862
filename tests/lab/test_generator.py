import math

import pytest
import torch

from livegrad.lab.generator import normal, threefry2x32, uniform


@pytest.mark.parametrize(
    ("key", "low", "high", "expected"),
    [
        ((0, 0), 0, 0, (0x6B200159, 0x99BA4EFE)),
        ((0xFFFFFFFF, 0xFFFFFFFF), 0xFFFFFFFF, 0xFFFFFFFF, (0x1CB996FC, 0xBB002BE7)),
        ((0x13198A2E, 0x03707344), 0x243F6A88, 0x85A308D3, (0xC4923A9C, 0x483DF7A0)),
    ],
)
def test_the_words_are_the_authors_known_answers(key, low, high, expected):
    # Random123, tests/kat_vectors: threefry 2x32, 20 rounds
    a, b = threefry2x32(key, torch.tensor([low]), high)
    assert (int(a), int(b)) == expected


def test_numbers_depend_on_seed_stream_and_index_alone():
    assert torch.equal(uniform((3, 7), 5, 2).flatten(), uniform((40,), 5, 2)[:21])
    assert not torch.equal(uniform((8,), 5, 2), uniform((8,), 5, 3))
    assert not torch.equal(uniform((8,), 5, 2), uniform((8,), 6, 2))


def test_uniform_numbers_fill_the_interval_evenly():
    u = uniform((100_000,), 1).sort().values
    assert float(u[0]) > 0
    assert float(u[-1]) <= 1
    steps = torch.arange(1, len(u) + 1) / len(u)
    # Kolmogorov-Smirnov: exceeded by one seed in a thousand
    assert float((u - steps).abs().max()) < 1.95 / math.sqrt(len(u))


def test_normal_numbers_have_the_normal_moments():
    z = normal((200_000,), 3)
    assert float(z.mean()) == pytest.approx(0, abs=4 / math.sqrt(len(z)))
    assert float(z.var()) == pytest.approx(1, abs=4 * math.sqrt(2 / len(z)))
    assert float((z**4).mean()) == pytest.approx(3, abs=4 * math.sqrt(96 / len(z)))
    assert float((z[::2] * z[1::2]).mean()) == pytest.approx(0, abs=4 / math.sqrt(len(z) / 2))


def test_odd_counts_and_empty_shapes_are_served():
    assert torch.equal(normal((5,), 0), normal((6,), 0)[:5])
    assert normal((0, 3), 0).shape == (0, 3)


@pytest.mark.parametrize(("name", "arguments"), [("seed", (-1, 0)), ("stream", (0, 2**32))])
def test_keys_beyond_32_bits_are_refused(name, arguments):
    with pytest.raises(ValueError, match=rf"{name} must be in \[0, 2\*\*32\), got"):
        uniform((1,), *arguments)
