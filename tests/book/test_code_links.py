"""Names in code become links where it is sure what they are, and the code that a reader copies stays what it was."""

from __future__ import annotations

import html
import importlib
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from livegrad_forms import pages as forms
from livegrad_site import api, code_links, torch_docs
from pygments import highlight
from pygments.formatters import HtmlFormatter
from pygments.lexers import PythonLexer

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::PendingDeprecationWarning")

ROOT = Path(__file__).parents[2]
TORCH = torch_docs.SITE
RELU, LINEAR = f"{TORCH}generated/torch.nn.functional.relu.html", f"{TORCH}generated/torch.nn.Linear.html"
ADAM = "../optimizers/adam.html#livegrad.optimizers.adam"
HEAD = """\
---
jupytext: {text_representation: {extension: .md, format_name: myst}}
kernelspec: {display_name: Python 3, language: python, name: python3}
---
"""
KNOWN = {
    "livegrad.optimizers.adam": ADAM,
    "livegrad.optimizers.adam.Adam": ADAM,
    **torch_docs.MODULE_PAGES,
    **torch_docs.OBJECTS,
}


def page(*cells: str, file: str = "") -> str:
    """A page as it is before the links come in."""

    def shown(code: str) -> str:
        marked = highlight(code, PythonLexer(), HtmlFormatter())
        return f'<div class="highlight-ipython3 notranslate">{marked}</div>\n'

    body = "".join(f'<div class="cell_input docutils container">\n{shown(code)}</div>\n' for code in cells)
    return body + (f'<figure class="lg-module" id="m">\n{shown(file)}</figure>\n' if file else "")


def linked(*cells: str, file: str = "") -> list[tuple[str, str]]:
    """The links of a page: (what is linked, address). Its text must not change."""
    before = page(*cells, file=file)
    after = code_links.link_names(before, KNOWN.get)

    def text(marked: str) -> str:
        return html.unescape(re.sub(r"<[^>]*>", "", marked))

    assert text(after) == text(before)
    found = re.findall(r'<a class="lg-name" href="([^"]*)"[^>]*>(.*?)</a>', after, re.DOTALL)
    return [(text(words), html.unescape(address)) for address, words in found]


def test_a_name_is_followed_from_its_import_to_its_uses_in_later_cells() -> None:
    assert linked("from livegrad.optimizers.adam import Adam", "step = Adam([w], lr=0.1)\nprint(Adam.step)\n") == [
        ("livegrad.optimizers.adam", ADAM),
        ("Adam", ADAM),
        ("Adam", ADAM),
        ("Adam", ADAM),
    ]


@pytest.mark.parametrize(
    ("code", "links"),
    [
        ("import torch.nn.functional as F\nF.relu(x)", [("F.relu", RELU)]),
        ("from torch.nn import functional\nfunctional.relu(x)", [("functional.relu", RELU)]),
        ("from torch import nn\nnn.Linear(1, 2)", [("nn.Linear", LINEAR)]),
        ("import torch\ntorch.nn.Linear(1, 2).weight", [("torch.nn.Linear", LINEAR)]),
        ("from torch.nn import Linear as Dense\nDense(1, 2)", [("Dense", LINEAR)]),
        ("import torch\nf = torch.relu", [("torch.relu", RELU)]),
        ("from torch import nn\nnn.Parameter(x)",
         [("nn.Parameter", f"{TORCH}generated/torch.nn.parameter.Parameter.html")]),
        ("from torch import nn\nnn.init.ones_(x)", [("nn.init.ones_", f"{TORCH}nn.init.html#torch.nn.init.ones_")]),
        ("import torch\ntorch.Tensor.add_(a, b)", [("torch.Tensor", f"{TORCH}tensors.html#torch.Tensor")]),
        ("import torch\n@torch.no_grad()\ndef f(): pass", [("torch.no_grad", f"{TORCH}generated/torch.no_grad.html")]),
        ("import torch\nΔ = 'é', torch.exp", [("torch.exp", f"{TORCH}generated/torch.exp.html")]),
    ],
)  # fmt: skip
def test_what_a_name_is_decides_where_it_leads(code: str, links: list[tuple[str, str]]) -> None:
    head, _, rest = code.partition("\n")
    assert linked(head, rest) == linked(head) + links  # the import in a cell of its own
    assert linked(code)[-1:] == links[-1:]


@pytest.mark.parametrize(
    "code",
    [
        "import torch\ntorch.nowhere(1)",
        "import torch\nx = torch.pi",
        "import numpy as torch\ntorch.exp(1)",
        "from livegrad.optimizers.adam import missing\nmissing()",
        "from math import exp\nexp(1)",
        "from torch import exp\ndef f(exp): return exp(1)",
        "from torch import exp\nexp = 3\nexp",
        "from torch import exp\nclass exp: pass\nexp()",
        "from torch import exp\n[exp for exp in range(3)]",
        "from torch import exp\nfrom math import exp\nexp(1)",
        "torch.exp(1)",
        "import torch\n'torch.exp' # torch.exp",
    ],
)
def test_what_may_be_something_else_or_has_no_page_has_no_link(code: str) -> None:
    head, _, rest = code.partition("\n")
    assert [words for words, _ in linked(head, rest)][len(linked(head)) :] == []


def test_what_is_no_python_stays_as_it_is() -> None:
    assert linked("import torch", "%time torch.exp(1)\n!ls", "torch.exp(x)")[1:] == [
        ("torch.exp", f"{TORCH}generated/torch.exp.html")
    ]
    marked = page("import torch").replace("<pre>", '<pre><span class="hll"><span>a</span></span>')
    assert code_links.link_names(marked, KNOWN.get) == marked


def test_a_file_and_the_cells_do_not_share_their_names() -> None:
    file = "from torch import nn\n\n\nclass Adam(nn.Module):\n    x = Adam < 1\n"
    found = linked("from livegrad.optimizers.adam import Adam", "Adam(nn)", file=file)
    assert [words for words, _ in found] == ["livegrad.optimizers.adam", "Adam", "Adam", "torch", "nn", "nn.Module"]


def test_only_the_first_link_to_a_place_is_a_stop_of_the_tab_key() -> None:
    after = code_links.link_names(
        page("import torch", "torch.exp(1)\ntorch.exp(torch.sin(2))", "torch.exp(3)"), KNOWN.get
    )
    stops = [re.sub("<[^>]*>", "", words) for more, words in
             re.findall(r'<a class="lg-name" href="[^"]*"([^>]*)>(.*?)</a>', after) if not more]  # fmt: skip
    assert stops == ["torch", "torch.exp", "torch.sin"]
    assert after.count('tabindex="-1"') == 2


def test_chapters_come_first_then_the_list_of_public_names(
    book: Callable[..., Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    package = tmp_path / "src" / "livegrad"
    monkeypatch.setattr(api, "PACKAGE", package)
    cell = "from livegrad.shelf.topic import rule\nfrom livegrad.lab.tool import help_me\nrule(help_me)"
    cell = f"{HEAD}# T\n\n```{{code-cell}} ipython3\n{cell}\n```\n"
    built = book(
        index="# T\n\n```{toctree}\nshelf/topic\nother/page\nnames\n```\n",
        names="# N\n\n```{api}\n```\n",
        shelf__topic=f"{cell}\n```{{module}} shelf/topic\n```\n",
        other__page=cell,
    )
    (package / "shelf" / "topic.py").write_text('"""Topic."""\n\n\ndef rule(x):\n    """Rule."""\n', "utf-8")
    (package / "lab").mkdir()
    (package / "lab" / "tool.py").write_text('"""Tool."""\n\n\ndef help_me():\n    """Help."""\n', "utf-8")
    built.build()
    assert built.warnings == ""

    def addresses(name: str) -> list[str]:
        return re.findall(r'<a class="lg-name" href="([^"]*)"', built.page(name))

    tool, chapter = "../names.html#livegrad.lab.tool.help_me", "livegrad.shelf.topic"
    module = "../names.html#api-lab-tool"
    assert addresses("other/page") == [*[f"../shelf/topic.html#{chapter}"] * 2, module, tool,
                                       f"../shelf/topic.html#{chapter}", tool]  # fmt: skip
    assert addresses("shelf/topic") == [*[f"#{chapter}"] * 2, module, tool, f"#{chapter}", tool]
    assert f'id="{chapter}"' in built.page("shelf/topic")
    for anchor in ("api-lab-tool", "livegrad.lab.tool.help_me"):
        assert f'id="{anchor}"' in built.page("names")


def test_the_link_check_asks_for_the_pages_of_torch(book: Callable[..., Any], monkeypatch: pytest.MonkeyPatch) -> None:
    from sphinx.builders import linkcheck

    asked: set[str] = set()
    monkeypatch.setattr(
        linkcheck.HyperlinkAvailabilityChecker, "check", lambda self, links: iter(asked.update(links) or ())
    )
    book(index=f"{HEAD}# T\n\n```{{code-cell}} ipython3\nfrom torch import nn\nnn.Linear(1, 2)\n```\n").build(
        "linkcheck"
    )
    assert {LINEAR, f"{TORCH}nn.html", f"{TORCH}torch.html"} <= asked


def test_forms_take_the_code_without_its_links() -> None:
    code = "from torch import nn\n\nlayer = nn.Linear(1, 2)  # a < b\n"
    plain = page(code)
    blocks = []
    for body in (plain, code_links.link_names(plain, KNOWN.get)):
        article = forms.parse(f"<article>{body}</article>")
        forms.clean(article)
        blocks.append(forms.ET.tostring(article.find(".//pre")))
    assert b"<a" not in blocks[1]
    assert blocks[0] == blocks[1]


def resolve(full: str) -> Any:
    """The object of that name."""
    parts = full.split(".")
    for count in range(len(parts), 0, -1):
        try:
            found: Any = importlib.import_module(".".join(parts[:count]))
        except ModuleNotFoundError:
            continue
        for name in parts[count:]:
            found = getattr(found, name)
        return found
    raise AttributeError(full)


def test_every_name_that_torchs_pages_are_given_for_exists() -> None:
    missing = []
    for full in [*torch_docs.OBJECTS, *torch_docs.MODULE_PAGES]:
        try:
            resolve(full)
        except AttributeError:
            missing.append(full)
    assert missing == []
    for name, other in torch_docs.OTHERWISE.items():
        if other != "torch.dtype":
            assert resolve(name).__name__ == resolve(other).__name__
        else:
            assert type(resolve(name)) is resolve(other)


def test_every_public_name_of_the_package_that_is_linked_exists() -> None:
    package = ROOT / "src" / "livegrad"
    public = {f"{file.module}.{name.name}" for file in (api.read(path, package) for path in api.files(package))
              for name in file.names}  # fmt: skip
    assert {"livegrad.optimizers.adam.Adam", "livegrad.activations.mish.mish"} <= public
    assert [full for full in sorted(public) if not callable(resolve(full))] == []
