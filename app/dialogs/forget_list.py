"""The sheet of a forget list: what was matched and what was not; nothing is applied before *Add 36 images*."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from PySide6.QtCore import Signal
from PySide6.QtWidgets import QPlainTextEdit, QWidget

from app.dialogs.sheet import Sheet
from app.services import format as fmt
from app.services.theme import theme
from app.widgets.labels import Label

if TYPE_CHECKING:
    from core.session.forget_lists import ListMatch, Unmatched

_SHOWN = 200  # lines written out; more would not be read
_NAMED = 3  # entries named in a sentence


class ForgetListSheet(Sheet):
    """`added` is emitted where the user takes the matched images."""

    added = Signal()

    def __init__(self, name: str, match: ListMatch, already: int, parent: QWidget | None = None) -> None:
        """`already`: how many of the matched images are chosen as it is."""
        new = len(match.matched) - already
        super().__init__(f"Forget list {name}", f"Add {fmt.images(new)}", parent)
        for sentence in sentences(match, already):
            label = Label(sentence, wrap=True)
            label.setMinimumWidth(theme.px(460))
            self.body.addWidget(label)
        left_out = details(match)
        if left_out:
            self._list = QPlainTextEdit("\n".join(left_out))
            self._list.setReadOnly(True)
            self._list.setAccessibleName("Entries that were not taken")
            self._list.setFont(theme.font("caption"))
            self._list.setFixedHeight(theme.px(min(220, 24 + 18 * len(left_out))))
            self.body.addWidget(self._list)
        self.set_reason("" if new else "There is nothing to add.")
        self.accepted.connect(self.added)


def sentences(match: ListMatch, already: int = 0) -> list[str]:
    """Return what a list came to: found, not found with the nearest names, in several folders, in the test part."""
    missing, several, test = len(match.unmatched), len(match.several), len(match.in_test)
    found = match.entries - missing - several - test
    first = f"{fmt.count(found)} of {fmt.plural(match.entries, 'name')} found."
    if missing:
        first += f" {fmt.count(missing)} not found: {_not_found(match.unmatched)}."
    result = [first]
    if found > len(match.matched):
        result.append(f"They name {fmt.images(len(match.matched))}: some are named more than once.")
    elif found < len(match.matched):
        result.append(f"They name {fmt.images(len(match.matched))}: some name many.")
    if several:
        which = "is in several folders, so it was" if several == 1 else "are in several folders, so they were"
        names = f"{fmt.plural(several, 'name')} {which} not taken: {_some(match.several)}."
        result.append(f"{names} Write the folder before the name.")
    if test:
        result.append(
            f"{fmt.plural(test, 'name')} {'means' if test == 1 else 'mean'} images of the test part. "
            "The model was not trained on them, so there is nothing to remove."
        )
    if already:
        result.append(f"{fmt.images(already)} {'is' if already == 1 else 'are'} chosen already.")
    return result


def details(match: ListMatch) -> list[str]:
    """Return the entries that were not taken, one a line, where a sentence could not name them all."""
    lines = [f"Line {fmt.count(u.line)}: {u.text}: {u.reason}{_nearest(u)}" for u in match.unmatched]
    lines += [f"{name}: in several folders" for name in match.several]
    lines += [f"{name}: in the test part" for name in match.in_test]
    if len(match.unmatched) <= 1 and len(match.several) <= _NAMED and not match.in_test:
        return []
    more = len(lines) - _SHOWN
    return [*lines[:_SHOWN], f"and {fmt.count(more)} more"] if more > 0 else lines


def _not_found(unmatched: Sequence[Unmatched]) -> str:
    if len(unmatched) == 1:
        one = unmatched[0]
        text = f"{one.text}"
        if one.nearest:
            return f"{text}; nearest name: {one.nearest[0]}"
        return text if one.reason == "not found" else f"{text} ({one.reason})"
    return _some([u.text for u in unmatched])


def _nearest(entry: Unmatched) -> str:
    if not entry.nearest:
        return ""
    return f"; nearest name{'s' if len(entry.nearest) > 1 else ''}: {', '.join(entry.nearest)}"


def _some(names: Sequence[str]) -> str:
    more = len(names) - _NAMED
    return ", ".join(names[:_NAMED]) + (f" and {fmt.count(more)} more" if more > 0 else "")
