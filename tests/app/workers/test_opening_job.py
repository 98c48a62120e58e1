"""What a request does to the bench: which side stays open, and in which order the rest is told to it."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import pytest

import core.session.bench
import core.session.jobs
from app.workers.opening_job import Request, work
from core.models.trust import NO_TRUST, Trust
from core.session.bench import DataOptions


@dataclass(frozen=True)
class Recorded:
    """Stands for a bench: writes down what it is asked, and what of it was open then."""

    opened_model: Any
    opened_data: Any
    options: Any
    arch: str | None
    trust: Trust
    tell: Any = None
    cancelled: Any = None
    asked: tuple[Any, ...] = ()

    def _asked(self, *what: Any) -> Recorded:
        return replace(self, asked=(*self.asked, (*what, self.opened_model, self.opened_data)))

    @property
    def dataset(self) -> Any:
        return self.opened_data

    def trusting(self, trust):
        return replace(self, trust=trust)

    def with_model(self, path, *, arch, key):
        return replace(self._asked("model", path, arch, key), opened_model="new model")

    def with_data(self, spec, options, *, prepared=None):
        return replace(self._asked("data", spec, prepared), opened_data="new data", options=options)

    def with_class_order(self, order):
        return self._asked("order", order)

    def with_preprocessing(self, preprocessing):
        return self._asked("preprocessing", preprocessing)


class Settings:
    data_root = "/data"


@pytest.fixture
def ask(monkeypatch):
    """Return what a bench was asked for a request, while "model" and `open_data` are open."""
    monkeypatch.setattr(core.session.bench, "Bench", Recorded)
    monkeypatch.setattr(core.session.starts, "earlier_run", lambda path: None)

    def asked(side, open_data="data", **fields):
        request = Request(side, "name", **fields)
        present = ("model", open_data, DataOptions(test_fraction=0.5), NO_TRUST, "arch")
        return work(request, present, Settings, lambda *_: None, lambda: False).bench

    return asked


@pytest.mark.parametrize(
    ("side", "alone", "open_then"),
    [
        ("model", False, ("model", "data")),
        ("model", True, ("model", None)),
        ("data", False, ("model", "data")),
        ("data", True, (None, "data")),
        ("both", False, (None, None)),
        ("both", True, (None, None)),
    ],
)
def test_the_other_side_stays_open_where_it_is_not_to_be_closed(ask, side, alone, open_then):
    sides = ["model", "data"] if side == "both" else [side]
    bench = ask(side, alone=alone, **dict.fromkeys(sides, "file"))
    assert bench.asked[0][-2:] == open_then
    assert [asked[0] for asked in bench.asked] == sides


def test_open_data_takes_the_order_of_a_new_model_first_and_without_the_former_model(ask):
    order = ("b", "a")
    assert ask("model", model="m", order=order).asked == (
        ("order", order, None, "data"),
        ("model", "m", None, None, None, "data"),
    )
    assert [asked[0] for asked in ask("model", open_data=None, model="m", order=order).asked] == ["model", "order"]
    assert ask("data", order=order).asked == (("order", order, "model", "data"),)
    assert [asked[0] for asked in ask("both", model="m", data="d", order=order).asked] == ["model", "data", "order"]


def test_what_was_answered_goes_along(ask):
    trust = Trust(pickle=True)
    bench = ask("both", model="m", data="d", trust=trust, arch="vgg16", key="net", changes={"classes_file": "c"})
    assert bench.trust == trust
    assert bench.asked == (("model", "m", "vgg16", "net", None, None), ("data", "d", None, "new model", None))
    assert (bench.options.data_root, bench.options.test_fraction, bench.options.classes_file) == ("/data", 0.5, "c")
    assert ask("data", preprocessing={"a": 1}).asked == ()
    assert ask("data", prepares=True).asked == (("preprocessing", None, "model", "data"),)
