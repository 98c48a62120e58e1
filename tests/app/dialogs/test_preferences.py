"""The preferences: every one has its field, a change counts at once, and the defaults come back."""

from __future__ import annotations

import dataclasses

import pytest
from helpers import assert_accessible, assert_fits
from PySide6.QtCore import Qt
from PySide6.QtWidgets import QCheckBox, QComboBox, QFileDialog, QLineEdit, QPushButton, QSpinBox

from app.dialogs.preferences import DEFAULTS, GROUPS, PreferencesDialog
from app.services.settings import Preferences

FIELDS = [field for _, fields in GROUPS for field in fields]
OTHER = {"scheme": "dark", "language": "de", "data_root": "/data/sets", "runs_folder": "/data/runs", "device": "cpu",
         "launcher": "process", "threads": 1, "monitoring_budget": 0.2, "checkpoint_seconds": 60.0,
         "thumbnail_size": 128, "restore_project": False, "confirm_discard": False, "confirm_trash": False}  # fmt: skip


@pytest.fixture
def dialog(qtbot):
    made = PreferencesDialog(Preferences())
    made.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose, False)
    qtbot.addWidget(made)
    made.set_devices([("cpu", "Processor, 2 cores")])
    made.heard = {}
    made.changed.connect(made.heard.__setitem__)
    return made


def set_by_hand(widget, value, factor):
    if isinstance(widget, QCheckBox):
        widget.click()
    elif isinstance(widget, QComboBox):
        widget.setCurrentIndex(widget.findData(value))
        widget.activated.emit(widget.currentIndex())
    elif isinstance(widget, QSpinBox):
        widget.setValue(round(value * factor))
    elif isinstance(widget, QLineEdit):
        widget.setText(value)
        widget.editingFinished.emit()


def test_every_preference_has_its_field(dialog):
    names = {field.name for field in dataclasses.fields(Preferences)} - {"schema_version"}
    assert set(dialog.fields) == names == set(OTHER)


@pytest.mark.parametrize("field", FIELDS, ids=lambda field: field.name)
def test_a_change_counts_at_once_and_the_default_comes_back(dialog, field):
    set_by_hand(dialog.fields[field.name], OTHER[field.name], field.factor)
    assert dialog.heard == {field.name: OTHER[field.name]}
    assert type(OTHER[field.name]) is type(dialog.heard[field.name])
    dialog.reset()
    assert dialog.heard[field.name] == getattr(DEFAULTS, field.name)


def test_what_is_set_is_shown(qtbot):
    dialog = PreferencesDialog(Preferences(**{**OTHER, "device": "cuda:3"}))
    qtbot.addWidget(dialog)
    device = dialog.fields["device"]
    assert device.currentData() == "cuda:3"
    dialog.set_devices([("cuda:3", "A GPU"), ("cpu", "Processor")])
    assert (device.currentData(), device.currentText()) == ("cuda:3", "A GPU")
    assert dialog.fields["monitoring_budget"].text() == "20 %"


def test_a_folder_is_chosen(dialog, tmp_path):
    button = next(b for b in dialog.findChildren(QPushButton) if b.accessibleName() == "Choose: Folder of runs")
    button.click()
    chooser = dialog.findChild(QFileDialog)
    chooser.fileSelected.emit(str(tmp_path))
    chooser.close()
    assert dialog.heard == {"runs_folder": str(tmp_path)}


def test_it_fits_and_the_keyboard_reaches_all(qtbot, dialog):
    dialog.show()
    qtbot.waitExposed(dialog)
    dialog.activateWindow()
    assert_fits(dialog)
    assert_accessible(dialog)
