import ast

import numpy as np
import pytest
import torch

from livegrad.lab.glue import glue


@pytest.fixture
def shown(monkeypatch):
    outputs = []
    monkeypatch.setattr("IPython.display.display", lambda data, **options: outputs.append((data, options)))
    return outputs


@pytest.mark.parametrize("value", [0.25, np.float32(0.25), np.array([0.25]), torch.tensor(0.25), torch.tensor([0.25])])
def test_one_number_of_any_kind_is_recorded_as_a_python_number(shown, value):
    glue("quarter", value)
    ((data, options),) = shown
    assert ast.literal_eval(data["application/papermill.record/text/plain"]) == 0.25
    assert options["metadata"]["scrapbook"]["name"] == "quarter"


def test_the_record_is_the_one_that_the_page_builder_writes(shown, monkeypatch):
    import IPython.display
    from myst_nb import glue as theirs

    monkeypatch.setattr("myst_nb.ext.glue.ipy_display", IPython.display.display)  # it may have been imported before
    glue("word", "ReLU")
    theirs("word", "ReLU", display=False)
    ours, reference = shown
    assert ours[1]["metadata"]["scrapbook"] == reference[1]["metadata"]["scrapbook"]
    assert ours[0].items() <= reference[0].items()


@pytest.mark.parametrize("value", [torch.zeros(2), np.zeros((2, 3))])
def test_more_than_one_number_is_refused(value):
    with pytest.raises(ValueError, match="value must have one element, got shape"):
        glue("many", value)


def test_a_name_that_prose_cannot_use_is_refused():
    with pytest.raises(ValueError, match="name must be an identifier, got 'two words'"):
        glue("two words", 1)
