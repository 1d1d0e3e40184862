"""The trainability atlas: thousands of small networks, each setting over several seeds, trained side by side.

Networks of one activation and one depth differ in numbers alone. A *chunk* stacks all of them, one a row, and
`torch.func.vmap` walks over the rows; every optimizer of the shelf that works on each weight by itself then updates its
own rows. Chunks know nothing of each other, so joblib may send them anywhere: `run` takes any of its backends.

A network is decided by its names and its seed: neither the chunk nor the backend it is trained in plays a part.
"""

from __future__ import annotations

import csv
import dataclasses
import io
import itertools
import json
import math
import os
import sys
import time
import zlib
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple, TextIO

import torch
from joblib import Parallel, delayed, effective_n_jobs, parallel_config
from torch import Tensor, nn
from torch.func import grad, vmap

from livegrad.initializers.kaiming import kaiming_normal_
from livegrad.initializers.orthogonal import orthogonal_
from livegrad.initializers.xavier import xavier_normal_
from livegrad.lab.data import Split, digits
from livegrad.optimizers.adam import Adam
from livegrad.optimizers.sgd import SGD

# torch's own functions: those of the shelf keep more digits, but each costs a call into Python under `vmap`.
ACTIVATIONS: dict[str, Callable[[Tensor], Tensor]] = {
    "identity": lambda x: x,
    "sigmoid": torch.sigmoid,
    "tanh": torch.tanh,
    "relu": nn.functional.relu,
    "selu": nn.functional.selu,
    "mish": nn.functional.mish,
}
# Each fills a weight of shape (outputs, inputs); biases are zero, except with "default".
INITIALIZERS: dict[str, Callable[[Tensor, torch.Generator], object]] = {
    "default": lambda w, g: w.uniform_(-1 / math.sqrt(w.shape[1]), 1 / math.sqrt(w.shape[1]), generator=g),
    "xavier": lambda w, g: xavier_normal_(w, generator=g),
    "kaiming": lambda w, g: kaiming_normal_(w, generator=g),
    "orthogonal": lambda w, g: orthogonal_(w, generator=g),
}
OPTIMIZERS: dict[str, Callable[[list[dict[str, Any]]], torch.optim.Optimizer]] = {
    "sgd": SGD,
    "momentum": lambda groups: SGD(groups, momentum=0.9),
    "adam": Adam,
}
CLASSES = 10
LAST = 5  # the training loss of a run is the mean over so many last steps
_FORMAT = "livegrad atlas 1"


class Run(NamedTuple):
    """One trained network. `loss`, in training, and `accuracy`, on the test part, are NaN where it diverged."""

    activation: str
    depth: int
    optimizer: str
    lr: float
    init: str
    seed: int
    loss: float
    accuracy: float


class Outcome(NamedTuple):
    """Training loss and test accuracy of every network of a chunk, in the order of `Chunk.members`."""

    loss: list[float]
    accuracy: list[float]


class ResultsError(ValueError):
    """A results file that cannot be continued, with the line that is at fault."""

    def __init__(self, message: str) -> None:
        super().__init__(message)


@dataclasses.dataclass(frozen=True)
class Chunk:
    """Networks of equal shape, one for each member of (optimizer and learning rate) × initializer × seed."""

    activation: str
    depth: int  # hidden layers
    optimizers: tuple[tuple[str, tuple[float, ...]], ...]  # each with its learning rates
    inits: tuple[str, ...]
    seeds: tuple[int, ...]
    width: int
    steps: int
    batch_size: int

    @property
    def members(self) -> list[tuple[str, float, str, int]]:
        """Optimizer, learning rate, initializer and seed of every network; the seed changes fastest."""
        rates = [(name, lr) for name, lrs in self.optimizers for lr in lrs]
        return [(*rate, init, seed) for rate, init, seed in itertools.product(rates, self.inits, self.seeds)]

    @property
    def key(self) -> str:
        """Everything that decides the numbers, as text."""
        return json.dumps(dataclasses.asdict(self))

    def runs(self, outcome: Outcome) -> list[Run]:
        """The results with their names."""
        return [
            Run(self.activation, self.depth, *member, loss, accuracy)
            for member, loss, accuracy in zip(self.members, *outcome, strict=True)
        ]


def plan(
    activations: Sequence[str],
    inits: Sequence[str],
    depths: Sequence[int],
    optimizers: Mapping[str, Sequence[float]],
    *,
    seeds: Sequence[int] = (0, 1, 2),
    width: int = 16,
    steps: int = 50,
    batch_size: int = 32,
) -> list[Chunk]:
    """Every combination of the arguments, as one chunk for each activation and depth.

    Args:
        activations, inits: names in `ACTIVATIONS` and `INITIALIZERS`.
        depths: numbers of hidden layers, each at least 1.
        optimizers: names in `OPTIMIZERS`, each with its learning rates, all positive and finite.
        seeds: a seed decides the weights and the minibatches, the same for every setting.
        width: units in each hidden layer.
        steps: updates of every network, at least 5.
        batch_size: examples in a minibatch, drawn from the training part with replacement.

    Raises:
        ValueError: a name that is not known, a number out of its range, or an argument that is empty or repeats itself.
    """
    numbers: list[tuple[str, Sequence[float]]] = [("depths", depths), ("seeds", seeds)]
    for name, values in [*numbers, *((f"lrs of {name}", lrs) for name, lrs in optimizers.items())]:
        if not values or len(set(values)) != len(values):
            raise ValueError(f"{name} must hold at least 1 value, each once, got {list(values)}")
    names: list[tuple[str, Sequence[str], Iterable[str]]] = [
        ("activations", activations, ACTIVATIONS),
        ("inits", inits, INITIALIZERS),
        ("optimizers", list(optimizers), OPTIMIZERS),
    ]
    for name, given, known in names:
        if not given or len(set(given)) != len(given) or not set(given) <= set(known):
            raise ValueError(f"{name} must be some of {', '.join(known)}, each once, got {list(given)}")
    rates = [lr for lrs in optimizers.values() for lr in lrs]
    if not all(0 < lr < math.inf for lr in rates):
        raise ValueError(f"lrs must all be positive and finite, got {rates}")
    for name, value, least in (
        ("depths", min(depths), 1),
        ("width", width, 1),
        ("steps", steps, LAST),
        ("batch_size", batch_size, 1),
    ):
        if not value >= least:
            raise ValueError(f"{name} must be at least {least}, got {value}")
    pairs = tuple((name, tuple(float(lr) for lr in lrs)) for name, lrs in optimizers.items())
    return [
        Chunk(activation, depth, pairs, tuple(inits), tuple(seeds), width, steps, batch_size)
        for activation, depth in itertools.product(activations, depths)
    ]


# --- One chunk --------------------------------------------------------------------------------------------------


def shapes(chunk: Chunk, inputs: int) -> list[tuple[int, int]]:
    """Inputs and outputs of every linear layer."""
    sizes = [inputs, *[chunk.width] * chunk.depth, CLASSES]
    return list(itertools.pairwise(sizes))


def first_weights(init: str, layers: Sequence[tuple[int, int]], seed: int) -> Tensor:
    """First weights and biases of a network as one row: layer by layer the weight (inputs, outputs), then the bias."""
    generator = torch.Generator().manual_seed(seed)
    parts = []
    for fan_in, fan_out in layers:
        weight, bias = torch.empty(fan_out, fan_in), torch.zeros(fan_out)
        INITIALIZERS[init](weight, generator)
        if init == "default":
            bias.uniform_(-1 / math.sqrt(fan_in), 1 / math.sqrt(fan_in), generator=generator)
        parts += [weight.T.reshape(-1), bias]
    return torch.cat(parts)


def batches(seed: int, steps: int, batch_size: int, examples: int) -> Tensor:
    """Which examples each step sees, shape (steps, batch_size)."""
    # Not the generator of the weights: how many numbers those take depends on the depth.
    return torch.randint(examples, (steps, batch_size), generator=torch.Generator().manual_seed(2**32 + seed))


def train(chunk: Chunk) -> Outcome:
    """Train every network of a chunk, all at once."""
    data, members = _data(), chunk.members
    layers = shapes(chunk, data.x_train.shape[1])
    sizes = [size for fan_in, fan_out in layers for size in (fan_in * fan_out, fan_out)]
    activation = ACTIVATIONS[chunk.activation]

    def network(row: Tensor, x: Tensor) -> Tensor:
        parts = row.split(sizes)
        for index, (weight, bias) in enumerate(zip(parts[::2], parts[1::2], strict=True)):
            x = torch.addmm(bias, activation(x) if index else x, weight.view(layers[index]))
        return x

    def loss(row: Tensor, x: Tensor, y: Tensor) -> tuple[Tensor, Tensor]:
        value = nn.functional.cross_entropy(network(row, x), y)
        return value, value

    first = {(init, seed): first_weights(init, layers, seed) for init in chunk.inits for seed in chunk.seeds}
    rows = torch.stack([first[init, seed] for _, _, init, seed in members])  # (members, all numbers of a network)
    parts = iter(rows.split(len(chunk.inits) * len(chunk.seeds)))  # the rows of one optimizer at one learning rate
    slices, optimizers = [], []
    for name, lrs in chunk.optimizers:
        own = [next(parts) for _ in lrs]
        optimizers.append(OPTIMIZERS[name]([{"params": [part], "lr": lr} for part, lr in zip(own, lrs, strict=True)]))
        slices += own

    order = torch.stack([batches(seed, chunk.steps, chunk.batch_size, len(data.x_train)) for seed in chunk.seeds])
    which = torch.tensor([chunk.seeds.index(seed) for *_, seed in members])
    gradient = vmap(grad(loss, has_aux=True))
    losses = []
    for step in range(chunk.steps):
        seen = order[which, step]
        gradients, values = gradient(rows, data.x_train[seen], data.y_train[seen])
        for part, slopes in zip(slices, gradients.split(len(slices[0])), strict=True):
            part.grad = slopes
        for optimizer in optimizers:
            optimizer.step()
        losses.append(values)
    with torch.no_grad():
        outputs = vmap(network, in_dims=(0, None))(rows, data.x_test)
    finite = outputs.isfinite().flatten(1).all(dim=1)
    right = (outputs.argmax(dim=-1) == data.y_test).double().mean(dim=-1).where(finite, torch.nan)
    mean = torch.stack(losses[-LAST:]).double().mean(dim=0).where(finite, torch.nan)
    return Outcome([round(v, 4) for v in mean.tolist()], [round(v, 4) for v in right.tolist()])


# --- Many chunks ------------------------------------------------------------------------------------------------


def run(
    chunks: Sequence[Chunk],
    *,
    results: str | os.PathLike[str] | None = None,
    backend: str | None = None,
    n_jobs: int | None = None,
    progress: Callable[[int, int], object] | None = None,
) -> list[Run]:
    """Train all chunks that the results file does not hold yet, and return every network of the plan in its order.

    The numbers do not depend on the backend or on how often the work was interrupted.

    Args:
        chunks: a plan.
        results: file to which each finished chunk is added, in one write that is on the disk before the next; a file
            that exists is continued. Chunks of other plans in it are kept. One process at a time may write to it.
        backend: one of joblib's, such as "loky" (processes, the default if `n_jobs` is not 1), "threading", "dask" (on
            the cluster of the latest `dask.distributed.Client`) or "ray" (after `ray.util.joblib.register_ray()`).
        n_jobs: how many chunks at a time, -1 for all cores; `None` means what `joblib.parallel_config` says, else 1.
        progress: called with the number of finished chunks and of all; by default a bar, if stderr is a terminal.

    Raises:
        ValueError: a chunk that occurs twice.
        ResultsError: a results file that is half-written, damaged, of another torch, or that another process writes to.
    """
    keys = [chunk.key for chunk in chunks]
    if len(set(keys)) != len(keys):
        raise ValueError(f"chunks must each occur once, got {len(keys)} with {len(set(keys))} different ones")
    file = None if results is None else ResultsFile(results)
    done = {} if file is None else {key: outcome for key, outcome in file.outcomes.items() if key in set(keys)}
    report = progress or (Bar(sys.stderr) if sys.stderr.isatty() else lambda *_: None)
    report(len(done), len(chunks))
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        for chunk, outcome in _finished([chunk for chunk in chunks if chunk.key not in done], backend, n_jobs):
            if file is not None:
                file.add(chunk, outcome)
            done[chunk.key] = outcome
            report(len(done), len(chunks))
    finally:
        torch.set_num_threads(threads)
    return [run for chunk in chunks for run in chunk.runs(done[chunk.key])]


def to_csv(runs: Iterable[Run]) -> str:
    """The runs as a table with a header; an empty cell stands for NaN."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(Run._fields)
    writer.writerows([f"{v:.6g}" if isinstance(v, float) and v == v else "" if v != v else v for v in r] for r in runs)
    return text.getvalue()


class ResultsFile:
    """Finished chunks, one a line: a header, then for each chunk its key, its numbers and a checksum of both.

    A line is added by one write and forced to the disk, and a write that fails half-way is taken back. So an
    interrupted run leaves whole lines. A file with any other line was damaged from outside and is refused.
    """

    def __init__(self, path: str | os.PathLike[str]) -> None:
        self.path = Path(path)
        if not self.path.exists():
            fresh = self.path.with_name(self.path.name + ".new")
            fresh.write_text(json.dumps({"format": _FORMAT, "torch": torch.__version__}) + "\n", encoding="utf-8")
            os.replace(fresh, self.path)
        content = self.path.read_bytes()
        self.size = len(content)
        self.outcomes = self._read(content)

    def add(self, chunk: Chunk, outcome: Outcome) -> None:
        """Append one chunk."""
        numbers = {name: [v if v == v else None for v in values] for name, values in outcome._asdict().items()}
        record = {"chunk": dataclasses.asdict(chunk), **numbers}
        line = (json.dumps({**record, "check": _check(record)}) + "\n").encode()
        handle = os.open(self.path, os.O_RDWR | os.O_APPEND | getattr(os, "O_BINARY", 0))
        try:
            if os.fstat(handle).st_size != self.size:
                raise ResultsError(f"{self.path} must be written by one process, but another one changed it")
            try:
                if os.write(handle, line) != len(line):
                    raise OSError(f"{self.path}: the disk took a part of a line only")
                os.fsync(handle)
            except OSError:
                os.ftruncate(handle, self.size)
                raise
        finally:
            os.close(handle)
        self.size += len(line)

    def _read(self, content: bytes) -> dict[str, Outcome]:
        lines = content.split(b"\n")
        torn = lines.pop()
        self._header(lines[0] if lines else b"")
        outcomes: dict[str, Outcome] = {}
        for number, line in enumerate(lines[1:], 2):
            try:
                record = json.loads(line)
                check = record.pop("check")
                key = json.dumps(record["chunk"])
                outcome = Outcome(*([math.nan if v is None else v for v in record[n]] for n in Outcome._fields))
            except (ValueError, KeyError, TypeError, AttributeError):
                raise self._fault(number, "is damaged", content, lines) from None
            if check != _check(record):
                raise self._fault(number, "does not fit its checksum", content, lines)
            if key in outcomes:
                raise self._fault(number, "repeats a chunk", content, lines)
            outcomes[key] = outcome
        if torn:
            raise self._fault(len(lines) + 1, "is cut off before its end", content, lines)
        return outcomes

    def _header(self, line: bytes) -> None:
        try:
            header = json.loads(line)
            known = header["format"] == _FORMAT
        except (ValueError, KeyError, TypeError):
            known = False
        if not known:
            raise ResultsError(f"{self.path} must begin with a line of the format {_FORMAT!r}, got {line[:60]!r}")
        if header.get("torch") != torch.__version__:
            raise ResultsError(
                f"{self.path} must be of torch {torch.__version__}, got {header.get('torch')}: numbers would be mixed"
            )

    def _fault(self, number: int, what: str, content: bytes, lines: list[bytes]) -> ResultsError:
        good = sum(len(line) + 1 for line in lines[: number - 1])
        return ResultsError(
            f"{self.path}: line {number} {what}. The lines before it are whole: to train the rest again, cut the file "
            f"(of {len(content)} bytes) to its first {good} bytes"
        )


class Bar:
    """Draws how far the work is, and how long the rest may take, on one line of a terminal."""

    def __init__(self, stream: TextIO, clock: Callable[[], float] = time.monotonic) -> None:
        self.stream, self.clock = stream, clock
        self.begin: tuple[int, float] | None = None

    def __call__(self, done: int, total: int) -> None:
        if self.begin is None:
            self.begin = done, self.clock()
        fresh, seconds = done - self.begin[0], self.clock() - self.begin[1]
        left = f", about {round(seconds / fresh * (total - done))} s left" if fresh > 0 and done < total else ""
        filled = 30 * done // total if total else 30
        self.stream.write(f"\r[{'#' * filled}{'.' * (30 - filled)}] {done} of {total} chunks{left}\x1b[K")
        if done == total:
            self.stream.write("\n")
        self.stream.flush()


def _finished(chunks: Sequence[Chunk], backend: str | None, n_jobs: int | None) -> Iterator[tuple[Chunk, Outcome]]:
    """Chunks as they become ready, in whatever order."""
    if not chunks:
        return
    with parallel_config(backend=backend) if backend else parallel_config():
        work = [delayed(_task)(chunk) for chunk in chunks]
        try:
            # One chunk a message: what is finished is stored at once.
            parallel = Parallel(n_jobs=n_jobs, batch_size=1, return_as="generator_unordered")
        except ValueError:
            # Some backends (multiprocessing and its kin) give whole lists only: so one wave after another.
            wave = max(1, effective_n_jobs(n_jobs))
            for begin in range(0, len(work), wave):
                yield from Parallel(n_jobs=n_jobs, batch_size=1)(work[begin : begin + wave])
        else:
            yield from parallel(work)


def _task(chunk: Chunk) -> tuple[Chunk, Outcome]:
    if torch.get_num_threads() != 1:  # in a worker: as many threads as cores would wait for each other, and change sums
        torch.set_num_threads(1)
    return chunk, train(chunk)


def _check(record: dict[str, Any]) -> int:
    return zlib.crc32(json.dumps(record).encode())


@cache
def _data() -> Split:
    return digits()
