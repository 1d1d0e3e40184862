"""Networks of the atlas trained per second: stacked, beside a plain Python loop over torch's own layers and optimizer.

    python benchmarks/atlas.py [--depths 1 2 4 8 16] [--rounds 3]

Both train such networks on one thread, in turn, so that a slow moment of the machine hits both; medians are compared.
"""

from __future__ import annotations

import argparse
import statistics
import time

import torch
from torch import nn

from livegrad.lab.atlas import Chunk, batches, plan, shapes, train
from livegrad.lab.data import digits

MEMBERS_ALONE = 3  # the loop takes the same time for each network


def alone(chunk: Chunk) -> None:
    """One network of the chunk, in the plain way."""
    data = digits()
    layers = [layer for shape in shapes(chunk, data.x_train.shape[1]) for layer in (nn.Linear(*shape), nn.Tanh())]
    model = nn.Sequential(*layers[:-1])
    optimizer = torch.optim.Adam(model.parameters(), lr=0.01)
    for seen in batches(0, chunk.steps, chunk.batch_size, len(data.x_train)):
        optimizer.zero_grad()
        nn.functional.cross_entropy(model(data.x_train[seen]), data.y_train[seen]).backward()
        optimizer.step()
    model(data.x_test).argmax(dim=1)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--depths", type=int, nargs="+", default=[1, 2, 4, 8, 16])
    parser.add_argument("--rounds", type=int, default=3)
    args = parser.parse_args()
    torch.set_num_threads(1)
    digits()
    rates = [10 ** (-k / 2) for k in range(1, 8)]
    inits = ["default", "xavier", "kaiming", "orthogonal"]
    print(f"{'hidden layers':>13s} {'networks':>9s} {'stacked 1/s':>12s} {'loop 1/s':>9s} {'ratio':>6s}")
    for depth in args.depths:
        (chunk,) = plan(["tanh"], inits, [depth], {"sgd": rates, "momentum": rates, "adam": rates})
        stacked, loop = [], []
        for turn in range(args.rounds + 1):
            start = time.perf_counter()
            train(chunk)
            middle = time.perf_counter()
            for _ in range(MEMBERS_ALONE):
                alone(chunk)
            if turn:  # the first one pays for imports
                stacked.append(len(chunk.members) / (middle - start))
                loop.append(MEMBERS_ALONE / (time.perf_counter() - middle))
        fast, slow = statistics.median(stacked), statistics.median(loop)
        print(f"{depth:13d} {len(chunk.members):9d} {fast:12.0f} {slow:9.1f} {fast / slow:6.1f}", flush=True)


if __name__ == "__main__":
    main()
