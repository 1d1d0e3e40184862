"""What every in-place initializer of the shelf promises. Modules and functions are found, not listed."""

import importlib
import inspect
import pkgutil

import pytest
import torch

import livegrad.initializers as shelf

MODULES = [
    importlib.import_module(f"{shelf.__name__}.{module.name}") for module in pkgutil.iter_modules(shelf.__path__)
]
IN_PLACE = [
    function
    for module in MODULES
    for name, function in inspect.getmembers(module, inspect.isfunction)
    if name.endswith("_") and not name.startswith("_") and function.__module__ == module.__name__
]


def first_parameter(function):
    return next(iter(inspect.signature(function).parameters))


TENSOR_INITS = [function for function in IN_PLACE if first_parameter(function) == "tensor"]
RANDOM = [function for function in TENSOR_INITS if "generator" in inspect.signature(function).parameters]
# Values of further arguments without a default, for those initializers that have one.
ARGUMENTS = {"val": 0.5, "std": 0.5, "depth": 3, "num_layers": 3, "sparsity": 0.5}


def call(function, tensor, **options):
    parameters = list(inspect.signature(function).parameters.values())[1:]
    needed = {p.name: ARGUMENTS[p.name] for p in parameters if p.default is p.empty}
    return function(tensor, **needed, **options)


def seeded(seed=0):
    return torch.Generator().manual_seed(seed)


def seed_of(function, seed=0):
    return {"generator": seeded(seed)} if function in RANDOM else {}


every = pytest.mark.parametrize("init", TENSOR_INITS, ids=lambda f: f.__name__)
every_random = pytest.mark.parametrize("init", RANDOM, ids=lambda f: f.__name__)


def test_discovery_finds_the_kaiming_initializers():
    assert {"kaiming_normal_", "kaiming_uniform_"} <= {function.__name__ for function in RANDOM}


def test_an_initializer_takes_a_tensor_or_a_model_first():
    assert {first_parameter(function) for function in IN_PLACE} <= {"tensor", "model"}


def test_modules_define_public_names_with_docstrings():
    for module in MODULES:
        assert module.__doc__
        assert "Source" in module.__doc__
        public = [f for n, f in inspect.getmembers(module, inspect.isfunction) if not n.startswith("_")]
        own = [f for f in public if f.__module__ == module.__name__]
        assert own
        assert all(f.__doc__ for f in own)


@every
def test_works_in_place_and_returns_the_same_tensor(init):
    tensor = torch.full((6, 5), torch.nan)
    assert call(init, tensor) is tensor
    assert tensor.isfinite().all()


@every
def test_records_no_graph_and_keeps_requires_grad(init):
    parameter = torch.nn.Parameter(torch.empty(6, 5))
    call(init, parameter)
    assert parameter.requires_grad
    assert parameter.is_leaf
    assert parameter.grad_fn is None
    plain = torch.empty(6, 5)
    assert not call(init, plain).requires_grad


@every_random
def test_one_seed_gives_the_same_tensor_and_another_seed_another(init):
    first = call(init, torch.empty(6, 5), generator=seeded(1))
    assert torch.equal(first, call(init, torch.empty(6, 5), generator=seeded(1)))
    assert not torch.equal(first, call(init, torch.empty(6, 5), generator=seeded(2)))


@every_random
def test_uses_the_global_generator_only_when_none_is_given(init):
    before = torch.get_rng_state()
    call(init, torch.empty(6, 5), generator=seeded())
    assert torch.equal(torch.get_rng_state(), before)
    torch.manual_seed(7)
    first = call(init, torch.empty(6, 5))
    torch.manual_seed(7)
    assert torch.equal(call(init, torch.empty(6, 5)), first)


@every
@pytest.mark.parametrize("dtype", [torch.float64, torch.float32, torch.bfloat16, torch.float16])
def test_fills_every_floating_point_dtype_with_the_same_size(init, dtype):
    tensor = call(init, torch.empty(40, 30, dtype=dtype), **seed_of(init))
    assert tensor.dtype == dtype
    assert tensor.isfinite().all()
    reference = call(init, torch.empty(40, 30, dtype=torch.float64), **seed_of(init))
    # 1,200 entries: two samples' root mean squares differ by some 3 %. 20 % is more than six times that.
    size, expected = (t.double().square().mean().sqrt() for t in (tensor, reference))
    assert size == pytest.approx(float(expected), rel=0.2)


@every
def test_fills_non_contiguous_tensors_and_nothing_beside_them(init):
    base = torch.full((10, 8), 7.0)
    call(init, base[::2, 1:6], **seed_of(init))
    inside = torch.zeros(10, 8, dtype=torch.bool)
    inside[::2, 1:6] = True
    assert (base[~inside] == 7).all()
    assert not (base[inside] == 7).any()
    transposed = torch.full((5, 6), torch.nan).T
    assert call(init, transposed, **seed_of(init)).isfinite().all()


@every
def test_leaves_a_tensor_without_elements_alone_and_does_not_warn(init):
    for shape in [(0, 5), (5, 0), (0, 0), (4, 3, 0)]:
        tensor = torch.empty(shape)
        assert call(init, tensor) is tensor


@every
def test_accepts_meta_tensors(init):
    tensor = torch.empty(6, 5, device="meta")
    assert call(init, tensor) is tensor
    assert tensor.is_meta


@every
def test_works_in_inference_mode(init):
    with torch.inference_mode():
        assert call(init, torch.full((6, 5), torch.nan)).isfinite().all()


@every
def test_refuses_what_is_no_floating_point_tensor(init):
    with pytest.raises(TypeError, match=r"tensor must be a torch\.Tensor, got Linear"):
        call(init, torch.nn.Linear(3, 4))
    for dtype in (torch.int64, torch.bool, torch.complex64):
        with pytest.raises(TypeError, match=f"tensor must have a floating point dtype, got {dtype}"):
            call(init, torch.zeros(3, 4, dtype=dtype))


@every_random
def test_refuses_tensors_that_have_no_fan(init):
    for shape in [(), (3,)]:
        tensor = torch.ones(shape)
        with pytest.raises(ValueError, match=r"tensor must have at least 2 dimensions, got shape \("):
            call(init, tensor)
        assert torch.equal(tensor, torch.ones(shape))
