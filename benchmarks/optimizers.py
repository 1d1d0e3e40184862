"""Time of a step of every optimizer beside torch's, as ratios in one run.

    python benchmarks/optimizers.py [--threads 1 2] [--rounds 30] [--only Adam SGD] [--compile]

    torch     torch's class of that name as it is by default, where it has one; the ratio is to this time
    timm      timm's class as it is by default, and
    pytorch_optimizer   that of this package, for Lion and LAMB: the ratio is to the faster one. Neither is needed;
              where one is not installed, the bench says so. timm need not bring torchvision (`pip install --no-deps`).
    ours      the class of this package as it is by default
    loop      ours with `foreach=False`: one parameter after another
    compiled  ours through `torch.compile(optimizer.step)`: with --compile, since a C++ compiler must work for minutes
    foreach   torch's with `foreach=True`
    fused     torch's with `fused=True`: a kernel written by hand, near what the memory can do

Contestants take turns, so that a slow moment of the machine hits all of them; the fastest round of each is compared,
which a busy machine disturbs least. Behind the ratio stand the goal and `ok`, `!!` where it is missed, or `--` where
torch's fused step misses it too: no step can be faster than the memory. With one thread it is the processor's time, in
which waiting for others does not count; with more it is the clock's, since threads that wait for one another burn
processor time. GB/s counts what a step must move at least: the gradient is read, the weights and the state are read and
written. Small tensors stay in the processor's cache, which is faster than the memory.
"""

from __future__ import annotations

import argparse
import importlib
import importlib.util
import inspect
import math
import pkgutil
import random
import sys
import time
from collections.abc import Callable
from functools import partial
from types import ModuleType
from typing import Any

import torch
from torch import Tensor

import livegrad.optimizers

Optimizer = torch.optim.Optimizer
CASES: dict[str, tuple[int, tuple[int, int]]] = {"200 of 25x40": (200, (25, 40)), "10 of 1000x1000": (10, (1000, 1000))}
EAGER, SWITCH = 0.9, 0.5  # the most that ours, and ours or compiled, should take
OTHERS = 1.0  # for Lion and LAMB, of the faster class of these packages
PACKAGES: dict[str, dict[str, tuple[str, str]]] = {
    "Lion": {"timm": ("timm.optim.lion", "Lion"), "pytorch_optimizer": ("pytorch_optimizer", "Lion")},
    "LAMB": {"timm": ("timm.optim.lamb", "Lamb"), "pytorch_optimizer": ("pytorch_optimizer", "Lamb")},
}
MUON = 0.1  # for equal shapes as one batch, where torch steps one matrix after another
# Left out with large matrices: products and eigenvalues take seconds a step, and torch's Muon far more on a processor
# without bfloat16.
WHOLE_MATRICES = {"Muon", "Shampoo", "SOAP"}
MORE: dict[str, tuple[str, dict[str, Any]]] = {"SGD momentum": ("SGD", {"momentum": 0.9})}


def discovered() -> dict[str, type[Optimizer]]:
    """Every optimizer of the shelf."""
    found = {}
    for info in pkgutil.iter_modules(livegrad.optimizers.__path__):
        file = importlib.import_module(f"livegrad.optimizers.{info.name}")
        for name, value in vars(file).items():
            if inspect.isclass(value) and issubclass(value, Optimizer) and value.__module__ == file.__name__:
                found[name] = value
    return {name: cls for name, cls in found.items() if not name.startswith("_")}


def elsewhere(name: str) -> dict[str, type[Optimizer] | None]:
    """The classes of other packages for this optimizer; None where the package cannot be imported."""
    found: dict[str, type[Optimizer] | None] = {}
    for package, (module, cls) in PACKAGES.get(name, {}).items():
        try:
            without_init("timm", "timm.optim")  # its __init__ imports torchvision; the two files need torch only
            found[package] = getattr(importlib.import_module(module), cls)
        except ImportError:
            found[package] = None
    return found


def without_init(*packages: str) -> None:
    """Let the files of these packages be imported one by one, each package without running its `__init__.py`."""
    for name in packages:
        parent, _, leaf = name.rpartition(".")
        if name in sys.modules or (parent and parent not in sys.modules):
            continue
        if parent:
            folders = [f"{folder}/{leaf}" for folder in sys.modules[parent].__path__]
        else:
            spec = importlib.util.find_spec(name)
            folders = list(spec.submodule_search_locations or []) if spec else []
        if folders:
            sys.modules[name] = ModuleType(name)
            sys.modules[name].__path__ = folders


def parameters(count: int, shape: tuple[int, int]) -> list[Tensor]:
    generator = torch.Generator().manual_seed(0)
    made = [torch.randn(shape, generator=generator).requires_grad_() for _ in range(count)]
    for p in made:
        p.grad = torch.randn(shape, generator=generator)
    return made


def contestants(
    cls: type[Optimizer], options: dict[str, Any], count: int, shape: tuple[int, int]
) -> dict[str, Optimizer]:
    """Every way to the step of one class, each with parameters of its own."""
    makers: dict[str, tuple[type[Optimizer], dict[str, Any]]] = {"ours": (cls, {})}
    if "foreach" in inspect.signature(cls).parameters:
        makers["loop"] = (cls, {"foreach": False})
    theirs = getattr(torch.optim, cls.__name__, None)
    if theirs is not None:
        makers = {"torch": (theirs, {}), **makers}
        makers |= {
            way: (theirs, {way: True}) for way in ("foreach", "fused") if way in inspect.signature(theirs).parameters
        }
    makers |= {way: (other, {}) for way, other in elsewhere(cls.__name__).items() if other is not None}
    return {way: make(parameters(count, shape), **options, **extra) for way, (make, extra) in makers.items()}


def fastest(steps: dict[str, Callable[[], Any]], rounds: int) -> dict[str, float]:
    """Seconds of each contestant's fastest step, after two that are not counted."""
    clock = time.process_time if torch.get_num_threads() == 1 else time.perf_counter
    times: dict[str, list[float]] = {name: [] for name in steps}
    order = random.Random(0)  # each finds the caches as the one before has left them: not always the same one
    for turn in range(rounds + 2):
        for name in order.sample(list(steps), len(steps)):
            start = clock()
            steps[name]()
            if turn >= 2:
                times[name].append(clock() - start)
    return {name: min(values) for name, values in times.items()}


def bytes_moved(optimizer: Optimizer) -> int:
    """What one step must read and write at least."""
    owned = [p for group in optimizer.param_groups for p in group["params"]]
    state = [x for p in owned for x in optimizer.state[p].values() if isinstance(x, Tensor) and x.ndim]
    return sum(p.nbytes for p in owned) + 2 * sum(x.nbytes for x in [*owned, *state])


def bandwidth(rounds: int = 10) -> float:
    """Bytes a second read and written by a copy that does not fit into a cache."""
    source = torch.randn(2**25)
    target = torch.empty_like(source)
    return 2 * source.nbytes / fastest({"copy": lambda: target.copy_(source)}, rounds)["copy"]


def verdict(name: str, way: str, ratio: float, by_hand: float) -> str:
    """The goal and whether it is met: `ok`, `!!`, or `--` where torch's kernel written by hand misses it too."""
    eager = MUON if name == "Muon" else OTHERS if name in PACKAGES else EAGER
    goal = {"ours": eager, "compiled": SWITCH}.get(way)
    if goal is None or math.isnan(ratio):
        return ""
    return f"{goal:.1f} {'ok' if ratio <= goal else '--' if by_hand > goal else '!!'}"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--threads", type=int, nargs="+", default=[1, 2])
    parser.add_argument("--rounds", type=int, default=30)
    parser.add_argument("--only", nargs="+", metavar="NAME")
    parser.add_argument("--compile", action="store_true")
    args = parser.parse_args()
    classes = discovered()
    rows = {name: (cls, {}) for name, cls in classes.items()}
    rows |= {name: (classes[of], options) for name, (of, options) in MORE.items()}
    for name in PACKAGES.keys() & set(args.only or rows):
        missing = [package for package, other in elsewhere(name).items() if other is None]
        if missing:
            print(f"{name}: not compared with {' and '.join(missing)}, which cannot be imported here")
    for threads in args.threads:
        torch.set_num_threads(threads)
        print(f"\n{threads} thread(s); a copy moves {bandwidth() / 1e9:.1f} GB/s")
        print(
            f"{'optimizer':18s} {'case':16s} {'way':17s} {'ms':>8s} {'ratio':>6s} {'goal':>7s} {'GB/s':>6s}", flush=True
        )
        for name in sorted(args.only or rows):
            cls, options = rows[name]
            for case, (count, shape) in CASES.items():
                if name in WHOLE_MATRICES and max(shape) > 100:
                    continue
                made = contestants(cls, options, count, shape)
                steps: dict[str, Callable[[], Any]] = {
                    way: partial(optimizer.step, lambda: 0.0) for way, optimizer in made.items()
                }  # SAM needs a closure; this one leaves the gradients that are there
                if args.compile and "torch" in made:
                    torch._dynamo.reset()
                    steps["compiled"] = torch.compile(cls(parameters(count, shape), **options).step)
                result = fastest(steps, args.rounds)
                moved = bytes_moved(made["ours"])
                compared = [result[way] for way in ("torch", "timm", "pytorch_optimizer") if way in result]
                for way, seconds in result.items():
                    ratio = seconds / min(compared, default=torch.nan)
                    goal = verdict(name, way, ratio, result.get("fused", 0) / min(compared, default=torch.nan))
                    print(
                        f"{name:18s} {case:16s} {way:17s} {seconds * 1e3:8.2f} {ratio:6.2f} {goal:>7s} "
                        f"{moved / seconds / 1e9:6.1f}",
                        flush=True,
                    )


if __name__ == "__main__":
    main()
