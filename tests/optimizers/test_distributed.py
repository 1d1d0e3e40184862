"""Every optimizer of the shelf in two processes: whole on each (DDP) and cut in pieces (FSDP2), against one process.

The classes are found as in the contract. All of them run in one pair of processes, since to start that is what takes
time: each rank writes what it found into a file, and the tests below only read.
"""

from __future__ import annotations

import os
import re
import socket
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
import torch.distributed as dist
import torch.distributed.checkpoint as dcp
import torch.multiprocessing as mp
from torch import Tensor, nn
from torch.distributed.checkpoint.state_dict import get_state_dict, set_state_dict
from torch.distributed.fsdp import fully_shard
from torch.nn.parallel import DistributedDataParallel

from .test_contract import CLASSES, few

Optimizer = torch.optim.Optimizer
RANKS, STEPS = 2, 6
# These need a matrix as a whole: where its rows lie on several ranks they gather them, or refuse by name.
MAY_REFUSE = {"Adafactor", "Muon", "Shampoo", "SOAP"}
# The eigenvectors that SOAP turns into are not defined where eigenvalues are equal: rounding then chooses.
TOLERANCE = {"SOAP": 1e-5}
# A replica is an ordinary tensor, and one case of many options is enough; pieces are tensors of another kind.
RUNS = [("ddp", name, few(name)[-1]) for name in CLASSES]
RUNS += [("fsdp", name, case) for name in CLASSES for case in (few(name)[0], few(name)[-1])]
IDS = [f"{wrap}-{name}-{'-'.join(f'{k}={v}' for k, v in case.items()) or 'defaults'}"[:60] for wrap, name, case in RUNS]

PAGE = Path(__file__).parents[2] / "book/optimizers/adamw.md"
PROGRAM = re.findall(r"^```python\n(.*?)^```$", PAGE.read_text(encoding="utf-8"), re.DOTALL | re.MULTILINE)

pytestmark = pytest.mark.skipif(not dist.is_available(), reason="torch was built without distributed")


def network() -> nn.Module:
    """Seven rows on two ranks are cut unequally, and of a single number one rank has nothing."""
    torch.manual_seed(0)
    return nn.Sequential(nn.Linear(5, 7), nn.Tanh(), nn.Linear(7, 1)).double()


def examples() -> tuple[Tensor, Tensor]:
    x = torch.randn(8, 5, generator=torch.Generator().manual_seed(1), dtype=torch.float64)
    return x, torch.sin(3 * x).sum(dim=1, keepdim=True)


def train(model: nn.Module, optimizer: Optimizer, x: Tensor, y: Tensor, steps: int) -> None:
    """With a closure, since some rules need the gradient twice."""

    def closure() -> Tensor:
        optimizer.zero_grad()
        loss = (model(x) - y).square().mean()
        loss.backward()
        return loss

    for _ in range(steps):
        optimizer.step(closure)


def whole(model: nn.Module) -> list[Tensor]:
    """The weights, gathered where they are in pieces."""
    values = [p.detach() for p in model.parameters()]
    return [(v.full_tensor() if hasattr(v, "full_tensor") else v).clone() for v in values]


WRAPPERS: dict[str, Callable[[nn.Module], nn.Module]] = {"ddp": DistributedDataParallel, "fsdp": fully_shard}


def trained(wrap: str, cls: type[Optimizer], case: dict[str, Any], folder: Path, x: Tensor, y: Tensor) -> list[Any]:
    """Weights after all steps; and after half of them, a checkpoint, and the other half by objects made anew."""
    model = WRAPPERS[wrap](network())
    optimizer = cls(model.parameters(), **case)
    train(model, optimizer, x, y, STEPS // 2)
    weights, state = get_state_dict(model, optimizer)
    dcp.save({"model": weights, "optimizer": state}, checkpoint_id=folder)
    train(model, optimizer, x, y, STEPS - STEPS // 2)

    new = WRAPPERS[wrap](network())
    resumed = cls(new.parameters(), **case)
    weights, state = get_state_dict(new, resumed)
    loaded = {"model": weights, "optimizer": state}
    dcp.load(loaded, checkpoint_id=folder)
    set_state_dict(new, resumed, model_state_dict=loaded["model"], optim_state_dict=loaded["optimizer"])
    train(new, resumed, x, y, STEPS - STEPS // 2)
    return [whole(model), whole(new)]


def rank_of_two(rank: int, folder: str, port: int) -> None:
    """What each of the two processes does; at the end the program of the page, told of its rank as by torchrun."""
    torch.set_num_threads(1)
    dist.init_process_group("gloo", init_method=f"file://{folder}/store", rank=rank, world_size=RANKS)
    x, y = (part.chunk(RANKS)[rank] for part in examples())
    found: list[Any] = []
    for number, (wrap, name, case) in enumerate(RUNS):
        try:
            found.append(trained(wrap, CLASSES[name], case, Path(folder, str(number)), x, y))
        except Exception as error:
            found.append(f"{type(error).__name__}: {error}")
    torch.save(found, f"{folder}/{rank}.pt")
    dist.destroy_process_group()
    os.environ.update(MASTER_ADDR="localhost", MASTER_PORT=str(port), RANK=str(rank), WORLD_SIZE=str(RANKS))
    os.chdir(folder)
    exec(PROGRAM[0], {})


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where the two processes, now ended, left what they found."""
    folder = tmp_path_factory.mktemp("ranks")
    with socket.socket() as free:
        free.bind(("localhost", 0))
        port = free.getsockname()[1]
    mp.spawn(rank_of_two, args=(str(folder), port), nprocs=RANKS)
    return folder


@pytest.fixture(scope="module")
def ranks(folder: Path) -> list[list[Any]]:
    return [torch.load(folder / f"{rank}.pt") for rank in range(RANKS)]


@pytest.mark.parametrize("number", range(len(RUNS)), ids=IDS)
def test_two_processes_walk_the_path_of_one_and_resume_it(ranks: list[list[Any]], number: int) -> None:
    wrap, name, case = RUNS[number]
    first, second = (rank[number] for rank in ranks)
    if isinstance(first, str):
        refusal = re.match(rf"(TypeError|RuntimeError|ValueError): {name} .*(DTensor|shard)", first)
        assert name in MAY_REFUSE, first
        assert refusal, first
        assert wrap == "fsdp", first
        assert second == first
        return
    assert not isinstance(second, str), second
    alone = network()
    train(alone, CLASSES[name](alone.parameters(), **case), *examples(), STEPS)
    moved = [a - b for a, b in zip(whole(alone), whole(network()), strict=True)]
    assert all(d.abs().max() > 1e-6 for d in moved)
    for here, there, want, resumed in zip(first[0], second[0], whole(alone), first[1], strict=True):
        assert torch.equal(here, there)
        # The mean of two halves' gradients is rounded otherwise than the gradient of the whole mean, by some 1e-16 of
        # its size; a root of small numbers multiplies that. A wrong rule (a norm over half the rows) is off by 1e-3.
        tolerance = TOLERANCE.get(name, 1e-9)
        torch.testing.assert_close(here, want, rtol=tolerance, atol=tolerance / 100)
        assert torch.equal(resumed, here)
    assert all(torch.equal(a, b) for a, b in zip(first[1], second[1], strict=True))


@pytest.mark.filterwarnings("ignore:torch.distributed is disabled:UserWarning")  # that is what is asked for here
def test_the_program_of_the_page_walks_the_path_of_one_process_with_all_examples(folder: Path) -> None:
    assert len(PROGRAM) == 1
    torch.manual_seed(0)
    x, alone = torch.randn(64, 10), nn.Linear(10, 1)
    start = alone.weight.detach().clone()
    optimizer = CLASSES["AdamW"](alone.parameters(), lr=0.01)
    train(alone, optimizer, x, x.sum(dim=1, keepdim=True), 100)
    read = nn.Linear(10, 1)  # one process reads what two have written
    weights = read.state_dict()
    dcp.load({"model": weights}, checkpoint_id=folder / "checkpoint")
    read.load_state_dict(weights)
    assert not torch.allclose(read.weight, start, atol=0.1)
    for got, want in zip(read.parameters(), alone.parameters(), strict=True):
        torch.testing.assert_close(got, want, rtol=1e-4, atol=1e-5)  # a hundred float32 steps of 0.01, each rounded
