"""The search finds the page on a topic first: by name, symbol, slip of the pen, and by the word of another language."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

pytestmark = pytest.mark.browser

BOOK = Path(__file__).parents[2] / "book"

QUERIES = {
    # names as readers of other texts know them
    "ReLU": "activations/relu",
    "dying relu": "activations/relu",
    "leaky-relu": "activations/leaky_relu",
    "leakyrelu": "activations/leaky_relu",
    "PReLU": "activations/leaky_relu",
    "GELU": "activations/swish",
    "SiLU": "activations/swish",
    "SELU": "activations/elu",
    "SwiGLU": "activations/gated_linear_units",
    "logistic function": "activations/sigmoid",
    "log-sum-exp": "activations/softmax",
    "vanishing gradient problem": "gradients/vanishing",
    "exploding gradients": "gradients/exploding",
    "loss is nan": "gradients/exploding",
    "glorot": "initializers/xavier",
    "He initialization": "initializers/kaiming",
    "kaiming_normal_": "initializers/kaiming",
    "calculate_gain": "initializers/gain",
    "lsuv_": "initializers/lsuv",
    "dynamical isometry": "initializers/orthogonal",
    "batch norm": "layers/normalization",
    "RMSNorm": "layers/normalization",
    "ResNet": "layers/residual_networks",
    "skip connection": "layers/residual_networks",
    "LSTM": "layers/recurrent_networks",
    "max pooling": "layers/pooling",
    "receptive field": "layers/convolution",
    "Adam": "optimizers/adam",
    "AdamW": "optimizers/adamw",
    "weight decay": "optimizers/adamw",
    "nesterov": "optimizers/momentum",
    "warm-up": "optimizers/learning_rate",
    "clip gradients by norm": "optimizers/clipping",
    "which activation": "activations/choosing_an_activation",
    "backprop": "foundations/backpropagation",
    "XOR": "foundations/neuron",
    # symbols
    "β₂": "optimizers/adam",
    "β1": "optimizers/adam",
    "ε": "optimizers/adam",
    "σ": "activations/sigmoid",
    "λ": "optimizers/adamw",
    # slips of the pen, and the spelling of another country
    "vanising gradient": "gradients/vanishing",
    "explodng gradient": "gradients/exploding",
    "xaiver": "initializers/xavier",
    "kaimng": "initializers/kaiming",
    "sigmod": "activations/sigmoid",
    "soft max": "activations/softmax",
    "momentun": "optimizers/momentum",
    "batch normalisation": "layers/normalization",
    "orthogonal initialisation": "initializers/orthogonal",
    # Thai, Vietnamese, Korean
    "ฟังก์ชันกระตุ้น": "activations/what_an_activation_does",
    "hàm kích hoạt": "activations/what_an_activation_does",
    "활성화 함수": "activations/what_an_activation_does",
    "การแพร่ย้อนกลับ": "foundations/backpropagation",
    "lan truyền ngược": "foundations/backpropagation",
    "역전파": "foundations/backpropagation",
    "기울기 소실": "gradients/vanishing",
    "배치 정규화": "layers/normalization",
    "quy tắc chuỗi": "foundations/backpropagation",
}
FIRST = "(query) => bestPages(query, searchNames)[0]?.address"


def test_the_page_on_a_topic_comes_first(visit: Callable[..., Any]) -> None:
    page = visit("search").page
    found = {query: page.evaluate(FIRST, query) for query in QUERIES}
    assert found == {query: f"{name}.html" for query, name in QUERIES.items()}


def test_every_page_is_the_first_for_its_own_title(visit: Callable[..., Any]) -> None:
    page = visit("search").page
    entries = page.evaluate("searchNames")
    pages = [(title, address) for title, address, _ in entries if "#" not in address]
    assert len(pages) >= 50
    assert {title: page.evaluate(FIRST, title) for title, _ in pages} == dict(pages)


def test_every_chapter_has_names() -> None:
    toc = yaml.safe_load((BOOK.parent / "_toc.yml").read_text("utf-8"))
    chapters = {chapter["file"] for part in toc["parts"] for chapter in part["chapters"]}
    assert chapters - set(yaml.safe_load((BOOK / "search.yml").read_text("utf-8"))) == set()


@pytest.mark.parametrize("folder", [False, True])
def test_the_results_show_the_page_above_those_that_mention_it(
    visit: Callable[..., Any], site: Path, folder: bool
) -> None:
    page = visit("index", **({"start": site.as_uri()} if folder else {})).page
    page.goto(page.url.replace("index.html", "search.html?q=vanising%20gradient"))
    link = page.locator(".lg-best a").first
    assert link.get_attribute("href") == "gradients/vanishing.html"
    link.click()
    page.wait_for_url("**/gradients/vanishing.html")


@pytest.mark.parametrize("folder", [False, True])
@pytest.mark.parametrize("name", ["index", "activations/mish"])
def test_ctrl_k_opens_the_search_from_any_page(visit: Callable[..., Any], site: Path, name: str, folder: bool) -> None:
    page = visit(name, **({"start": site.as_uri()} if folder else {})).page
    field = page.locator("dialog[open] input[type=search]")
    page.keyboard.press("Control+k")
    field.wait_for()
    assert field.evaluate("(e) => e === document.activeElement")
    page.keyboard.press("Escape")
    assert field.count() == 0
    page.keyboard.press("Control+k")
    page.keyboard.type("vanishing gradient")
    page.keyboard.press("Enter")
    page.wait_for_url("**/search.html?q=vanishing+gradient*")
    assert page.locator(".lg-best a").first.get_attribute("href") == "gradients/vanishing.html"


def test_what_is_no_topic_finds_no_page(visit: Callable[..., Any]) -> None:
    page = visit("search").page
    for query in ("", "   ", "?", "zebra", "<b>", "q" * 500):
        assert page.evaluate("(query) => bestPages(query, searchNames)", query) == []
