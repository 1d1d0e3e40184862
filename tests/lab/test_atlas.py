"""A network of the atlas is one that is trained alone; the work can be spread, interrupted and resumed."""

from __future__ import annotations

import csv
import io
import json
import math
import os
import warnings

import distributed
import joblib
import pytest
import torch
from torch import nn

from livegrad.activations.elu import SELU
from livegrad.activations.mish import Mish
from livegrad.activations.relu import ReLU
from livegrad.activations.sigmoid import Sigmoid
from livegrad.activations.tanh import Tanh
from livegrad.lab import atlas
from livegrad.lab.atlas import Bar, ResultsError, ResultsFile, Run, plan, run, to_csv
from livegrad.lab.data import digits


def tiny(**options):
    arguments = {
        "activations": ("tanh", "relu"),
        "inits": ("xavier",),
        "depths": (1, 2),
        "optimizers": {"sgd": (0.1, 1.0), "adam": (0.01,)},
        "seeds": (0, 1),
        "width": 4,
        "steps": 5,
        "batch_size": 8,
    }
    return plan(**{**arguments, **options})


# --- One network ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "own"),
    [
        ("sgd", lambda p, lr: torch.optim.SGD(p, lr=lr)),
        ("momentum", lambda p, lr: torch.optim.SGD(p, lr=lr, momentum=0.9)),
        ("adam", lambda p, lr: torch.optim.Adam(p, lr=lr)),
    ],
)
def test_each_network_learns_what_torch_learns_with_it_alone(name, own):
    data = digits()
    (chunk,) = plan(
        ["tanh"], ["default", "orthogonal"], [3], {"sgd": [0.5], name: [0.03, 0.3]}, seeds=(0, 7), width=9, steps=12
    )
    together = {tuple(r[2:6]): r for r in chunk.runs(atlas.train(chunk))}
    for init in chunk.inits:
        layers = [nn.Linear(*shape) for shape in atlas.shapes(chunk, 64)]
        model = nn.Sequential(layers[0], nn.Tanh(), layers[1], nn.Tanh(), layers[2], nn.Tanh(), layers[3])
        row, at = atlas.first_weights(init, atlas.shapes(chunk, 64), seed=7), 0
        for layer in layers:
            for p, shape in ((layer.weight, layer.weight.T.shape), (layer.bias, layer.bias.shape)):
                p.data = row[at : at + p.numel()].view(shape).T.clone() if p.ndim == 2 else row[at : at + p.numel()]
                at += p.numel()
        assert at == len(row)
        optimizer, losses = own(model.parameters(), 0.3), []
        for seen in atlas.batches(7, 12, 32, len(data.x_train)):
            value = nn.functional.cross_entropy(model(data.x_train[seen]), data.y_train[seen])
            optimizer.zero_grad()
            value.backward()
            optimizer.step()
            losses.append(value.item())
        found = together[name, 0.3, init, 7]
        # float32 summed in another order, through 12 steps; and results are rounded to four digits.
        assert found.loss == pytest.approx(sum(losses[-5:]) / 5, abs=1e-3)
        assert found.accuracy == pytest.approx(
            (model(data.x_test).argmax(1) == data.y_test).double().mean().item(), abs=0.01
        )


@pytest.mark.parametrize(
    ("name", "layer"),
    [("identity", nn.Identity), ("sigmoid", Sigmoid), ("tanh", Tanh), ("relu", ReLU), ("selu", SELU), ("mish", Mish)],
)
def test_activations_are_those_of_the_shelf(name, layer):
    x = torch.linspace(-30, 30, 601, dtype=torch.float64)
    torch.testing.assert_close(atlas.ACTIVATIONS[name](x), layer()(x), rtol=1e-12, atol=1e-12)


def test_starts_have_the_variance_they_promise_and_only_the_default_has_biases():
    factors = {"default": 1 / 3, "xavier": 1, "kaiming": 2, "orthogonal": 1}
    assert set(factors) == set(atlas.INITIALIZERS)
    for init, factor in factors.items():
        weight, bias = atlas.first_weights(init, [(300, 300)], seed=3).split([90_000, 300])
        # Standard error of a variance of 90,000 numbers: at most √(2/90,000) = 0.5 %.
        assert weight.var().item() == pytest.approx(factor / 300, rel=0.02)
        assert (bias.abs().max() > 0) == (init == "default")


def test_a_network_does_not_depend_on_the_chunk_it_is_in():
    (large,) = tiny(activations=["tanh"], depths=[2], inits=("kaiming", "xavier"))
    (small,) = tiny(activations=["tanh"], depths=[2], optimizers={"adam": [0.01]}, seeds=[1])
    (alone,) = small.runs(atlas.train(small))
    (same,) = [r for r in large.runs(atlas.train(large)) if r[2:6] == alone[2:6]]
    assert same == pytest.approx(alone, abs=1e-3)


def test_a_diverged_network_has_no_numbers_and_spoils_no_other():
    rates = (0.1, 1e30)
    (chunk,) = tiny(activations=["identity"], depths=[2], optimizers={"sgd": rates})
    runs = chunk.runs(atlas.train(chunk))
    assert all(math.isnan(r.loss) and math.isnan(r.accuracy) for r in runs if r.lr == 1e30)
    assert all(r.loss < 10 and 0 <= r.accuracy <= 1 for r in runs if r.lr == 0.1)


# --- The plan ---------------------------------------------------------------------------------------------------


def test_a_plan_holds_every_setting_once_and_runs_come_in_its_order():
    chunks = tiny(inits=("xavier", "kaiming"))
    runs = run(chunks)
    assert len(chunks) == 4
    assert len({r[:6] for r in runs}) == len(runs) == 2 * 2 * 3 * 2 * 2
    assert [r[:6] for r in runs[:4]] == [("tanh", 1, "sgd", 0.1, i, s) for i in ("xavier", "kaiming") for s in (0, 1)]
    assert [r[:2] for r in runs[::12]] == [("tanh", 1), ("tanh", 2), ("relu", 1), ("relu", 2)]


@pytest.mark.parametrize(
    ("change", "complaint"),
    [
        ({"activations": ["tanch"]}, r"activations must be some of identity, .*, each once, got \['tanch'\]"),
        ({"inits": ["xavier", "xavier"]}, "inits must be some of .*, each once"),
        ({"optimizers": {}}, "optimizers must be some of"),
        ({"optimizers": {"sgd": [math.nan]}}, r"lrs must all be positive and finite, got \[nan\]"),
        ({"optimizers": {"sgd": [0.1, 0.1]}}, "lrs of sgd must hold at least 1 value, each once"),
        ({"optimizers": {"sgd": [0.1], "adam": []}}, "lrs of adam must hold at least 1 value"),
        ({"depths": [0]}, "depths must be at least 1, got 0"),
        ({"seeds": []}, "seeds must hold at least 1 value"),
        ({"steps": 4}, "steps must be at least 5, got 4"),
        ({"width": 0}, "width must be at least 1, got 0"),
        ({"batch_size": 0}, "batch_size must be at least 1, got 0"),
    ],
)
def test_a_plan_that_makes_no_sense_is_refused(change, complaint):
    with pytest.raises(ValueError, match=complaint):
        tiny(**change)


def test_a_chunk_that_occurs_twice_is_refused():
    with pytest.raises(ValueError, match="each occur once, got 8 with 4"):
        run(tiny() * 2)


# --- Backends ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("backend", ["threading", "multiprocessing", "loky"])
def test_every_backend_gives_the_same_numbers(backend, tmp_path):
    chunks, threads = tiny(), torch.get_num_threads()
    with warnings.catch_warnings():
        # Python's warning that a process with threads forks, which is what "multiprocessing" does on Linux.
        warnings.filterwarnings("ignore", category=DeprecationWarning, message=".*fork.*")
        runs = run(chunks, backend=backend, n_jobs=2, results=tmp_path / "runs.jsonl")
    assert runs == run(chunks)
    assert runs == run(chunks, results=tmp_path / "runs.jsonl")
    assert torch.get_num_threads() == threads


def test_a_dask_cluster_of_two_workers_gives_the_same_numbers(tmp_path):
    chunks, seen = tiny(), []
    # The workers are threads: in processes of their own, as with loky above, each would import torch for many seconds.
    with (
        distributed.LocalCluster(
            n_workers=2, threads_per_worker=1, processes=False, dashboard_address=None, local_directory=str(tmp_path)
        ) as cluster,
        distributed.Client(cluster) as client,
    ):
        assert len(client.scheduler_info()["workers"]) == 2
        file = tmp_path / "runs.jsonl"
        runs = run(chunks, backend="dask", results=file, progress=lambda done, total: seen.append((done, total)))
    assert seen == [(k, 4) for k in range(5)]
    assert runs == run(chunks)
    assert len(file.read_text().splitlines()) == 1 + len(chunks)


def test_a_backend_of_the_callers_context_is_used():
    with joblib.parallel_config(backend="threading", n_jobs=2):
        assert run(tiny()) == run(tiny(), n_jobs=1)


def test_an_unknown_backend_is_refused():
    with pytest.raises(ValueError, match="abacus"):
        run(tiny(), backend="abacus")


# --- Interruptions ----------------------------------------------------------------------------------------------


def counted(monkeypatch, stop_after=None):
    """Record the chunks that are trained, and interrupt before the next one."""
    trained, train = [], atlas.train

    def instead(chunk):
        if len(trained) == stop_after:
            raise KeyboardInterrupt
        trained.append(chunk)
        return train(chunk)

    monkeypatch.setattr(atlas, "train", instead)
    return trained


@pytest.mark.parametrize("stop_after", [0, 1, 3])
def test_after_an_interruption_no_run_is_lost_and_none_is_repeated(stop_after, monkeypatch, tmp_path):
    chunks, file = tiny(), tmp_path / "runs.jsonl"
    expected = run(chunks)
    with monkeypatch.context() as patch:
        first = counted(patch, stop_after)
        with pytest.raises(KeyboardInterrupt):
            run(chunks, results=file)
    rest, seen = counted(monkeypatch), []
    assert run(chunks, results=file, progress=lambda done, _: seen.append(done)) == expected
    assert first + rest == chunks
    assert seen == list(range(stop_after, 5))
    assert run(chunks, results=file) == expected
    assert first + rest == chunks


def test_a_larger_plan_continues_the_file_of_a_smaller_one(monkeypatch, tmp_path):
    file = tmp_path / "runs.jsonl"
    run(tiny(depths=[2]), results=file)
    trained = counted(monkeypatch)
    assert run(tiny(), results=file) == run(tiny())[: len(run(tiny(), results=file))]
    assert [c.depth for c in trained[:2]] == [1, 1]
    assert len(file.read_text().splitlines()) == 5
    assert len(run(tiny(depths=[1]), results=file)) == 12


@pytest.fixture
def written(tmp_path):
    file = tmp_path / "runs.jsonl"
    run(tiny(optimizers={"sgd": [0.1, 1e30]}, seeds=[0]), results=file)
    return file


def test_a_file_cut_at_any_byte_is_refused_or_holds_whole_chunks(written):
    content = written.read_bytes()
    ends = [i + 1 for i, byte in enumerate(content) if byte == ord("\n")]
    assert len(ends) == 5
    for size in range(len(content)):
        written.write_bytes(content[:size])
        if size in ends:
            assert len(ResultsFile(written).outcomes) == ends.index(size)
        else:
            with pytest.raises(ResultsError, match=r"must begin with|is cut off before its end") as refusal:
                ResultsFile(written)
            good = max((end for end in ends if end <= size), default=0)
            assert not good or f"(of {size} bytes) to its first {good} bytes" in str(refusal.value)
            assert written.read_bytes() == content[:size]


@pytest.mark.parametrize(
    ("damage", "complaint"),
    [
        (lambda lines: [*lines, lines[1]], "line 6 repeats a chunk"),
        (lambda lines: [*lines[:2], lines[2].replace('"seeds": [0]', '"seeds": [2]'), *lines[3:]], "line 3 does"),
        (lambda lines: [*lines[:3], lines[3][: len(lines[3]) // 2], lines[4]], "line 4 is damaged"),
        (lambda lines: [*lines[:2], "", *lines[2:]], "line 3 is damaged"),
        (lambda lines: [*lines[:2], "[]", *lines[2:]], "line 3 is damaged"),
        (lambda lines: lines[1:], "must begin with a line of the format"),
        (lambda lines: [json.dumps({**json.loads(lines[0]), "torch": "0.1"}), *lines[1:]], "of torch .*, got 0.1"),
    ],
)
def test_a_damaged_file_is_refused_with_the_line_and_left_alone(damage, complaint, written):
    lines = written.read_text().splitlines()
    written.write_text("".join(line + "\n" for line in damage(lines)))
    before = written.read_bytes()
    with pytest.raises(ResultsError, match=complaint):
        run(tiny(), results=written)
    assert written.read_bytes() == before


def test_a_full_disk_leaves_whole_lines(monkeypatch, tmp_path):
    file, write, calls = tmp_path / "runs.jsonl", os.write, []

    def short(handle, line):
        calls.append(line)
        return write(handle, line if len(calls) < 3 else line[: len(line) // 2])

    monkeypatch.setattr(os, "write", short)
    with pytest.raises(OSError, match="a part of a line only"):
        run(tiny(), results=file)
    monkeypatch.undo()
    assert len(ResultsFile(file).outcomes) == 2
    assert run(tiny(), results=file) == run(tiny())


def test_a_second_process_that_writes_is_noticed(tmp_path):
    chunks, file = tiny(), ResultsFile(tmp_path / "runs.jsonl")
    outcome = atlas.train(chunks[0])
    ResultsFile(file.path).add(chunks[0], outcome)
    with pytest.raises(ResultsError, match="written by one process"):
        file.add(chunks[0], outcome)
    assert len(ResultsFile(file.path).outcomes) == 1


# --- What people see --------------------------------------------------------------------------------------------


def test_the_table_keeps_every_run_and_writes_nan_as_nothing():
    runs = [
        Run("tanh", 2, "sgd", 10**-1.5, "xavier", 0, 1.5, 0.9),
        Run("relu", 2, "sgd", 10.0, "xavier", 1, *[math.nan] * 2),
    ]
    header, *rows = csv.reader(io.StringIO(to_csv(runs)))
    assert tuple(header) == Run._fields
    assert rows == [
        ["tanh", "2", "sgd", "0.0316228", "xavier", "0", "1.5", "0.9"],
        ["relu", "2", "sgd", "10", "xavier", "1", "", ""],
    ]


def test_the_bar_says_how_far_and_how_long():
    stream, times = io.StringIO(), iter([100.0, 100.0, 110.0, 120.0])
    bar = Bar(stream, clock=lambda: next(times))
    for done in (1, 3, 5):
        bar(done, 5)
    assert stream.getvalue().replace("\x1b[K", "") == (
        f"\r[{'#' * 6}{'.' * 24}] 1 of 5 chunks"
        f"\r[{'#' * 18}{'.' * 12}] 3 of 5 chunks, about 10 s left"
        f"\r[{'#' * 30}] 5 of 5 chunks\n"
    )


@pytest.mark.parametrize("terminal", [True, False])
def test_the_bar_is_drawn_on_a_terminal_only(terminal, monkeypatch):
    stream = io.StringIO()
    stream.isatty = lambda: terminal
    monkeypatch.setattr("sys.stderr", stream)
    run(tiny(depths=[1]))
    assert ("2 of 2 chunks" in stream.getvalue()) == terminal
