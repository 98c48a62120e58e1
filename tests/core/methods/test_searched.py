"""What a search for settings varies, and how far: stated here beside the methods, and within what a parameter takes."""

from __future__ import annotations

import pytest

from core.errors import ParameterError
from core.methods import METHODS
from core.parameters import resolve

SEARCHED = {
    "muda": [("w_da", 0.1, 2.0, "log", "relative")],
    "neggrad-plus": [("image_weight", 0.2, 5.0, "log", "relative")],
    "sfr-on": [("forget_weight", 0.1, 10.0, "log", "relative")],
    "random-labels": [("epochs", 1, 6)],
    "salun": [("share", 0.1, 0.9)],
    "munba": [("epochs", 1, 6)],
    "scrub": [("kl_weight", 0.001, 1.0, "log")],
    "bad-teacher": [("retain_share", 0.1, 1.0)],
    "lotus": [("alpha", 1.0, 32.0, "log")],
    "l1-sparse": [("l1", 0.1, 10.0, "log", "relative")],
    "cf-k": [("weight_decay", 0.1, 5.0, "log", "relative")],
    "ssd": [("dampening", 0.1, 1.0, "log")],
    "lfssd": [("dampening", 0.1, 1.0, "log")],
    "msg": [("share", 0.1, 0.9)],
    "negmerge": [("spread", 1.0, 10.0, "log")],
    "trw": [("sharpness", 0.02, 1.0, "log"), ("beta", 1.0, 30.0, "log")],
    "esc": [("share", 0.5, 20.0, "log")],
    "loft": [("ridge", 1e-4, 0.1, "log")],
    "layer-projection": [("ridge", 0.01, 1.0, "log"), ("max_drop", 0.005, 0.05, "log")],
    "damp": [("strength", 0.5, 2.0, "log")],
    "fisher": [("max_drop", 0.005, 0.1, "log")],
    "influence": [("damping", 1e-5, 0.1, "log")],
    "boundary-shrink": [("epochs", 0.2, 1.0, "log", "relative")],
    "boundary-expand": [("epochs", 0.2, 1.0, "log", "relative")],
    "amun": [("epochs", 0.3, 3.0, "log", "relative")],
    "unsir": [("noise_share", 0.05, 0.5)],
    "lipschitz": [("lr", 0.05, 20.0, "log", "relative"), ("noise", 0.2, 3.0, "log", "relative")],
}


@pytest.mark.parametrize("method", METHODS.values(), ids=lambda m: m.id)
def test_a_search_varies_what_is_stated_within_what_the_parameter_takes(method):
    found = [
        (each.name, each.low, each.high, *(["log"] if each.log else []), *(["relative"] if each.relative else []))
        for each in method.search
    ]
    assert found == SEARCHED.get(method.id, [])
    for each in method.search:
        for value in () if each.relative else (each.low, each.high):
            try:
                resolve(method.parameters, {each.name: value})
            except ParameterError as error:
                raise AssertionError(f"{method.id} is to try a value that it refuses") from error
