"""Small parts: what they show, say to a screen reader, and do by keyboard."""

from __future__ import annotations

import pytest
from helpers import assert_accessible, unnamed
from PySide6.QtCore import QEvent, QObject, QPoint, QPointF, QRect, QRectF, Qt, QUrl, Slot
from PySide6.QtGui import QDesktopServices, QImage, QKeyEvent, QKeySequence, QPainter
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QApplication, QDialog, QLineEdit, QMenu, QScrollArea, QToolTip, QVBoxLayout, QWidget

from app.actions import Actions
from app.dialogs.help import GlossaryDialog
from app.dialogs.sheet import Choice, ask
from app.services.glossary import HELP, TERMS
from app.services.shell import Activity
from app.services.theme import theme
from app.widgets.buttons import (
    STATE_ICONS,
    Chip,
    ChipButton,
    DestructiveButton,
    IconButton,
    PrimaryButton,
    SecondaryButton,
    Segmented,
    TextButton,
)
from app.widgets.cards import Card, CollapsibleSection
from app.widgets.focus_ring import FocusRing
from app.widgets.form import NumberField, ParameterForm
from app.widgets.frame import Rail, StatusLine
from app.widgets.labels import ElidedLabel, Label
from app.widgets.layout import first_and_last_row
from app.widgets.notices import Banner, EmptyState, ProgressLine
from app.widgets.table import Gap, paint_gap
from app.widgets.terms import Fact, FactTable, TermLabel, TermRow, heading
from core.conformance.checks import invalid_values
from core.parameters import Parameter


def shown(qtbot, widget: QWidget, width: int = 400) -> QWidget:
    qtbot.addWidget(widget)
    widget.resize(width, max(widget.sizeHint().height(), 40))
    widget.show()
    return widget


class TestButtons:
    def test_an_icon_button_has_a_name_and_its_shortcut_in_the_tip(self, qtbot):
        actions = Actions()
        actions.add("lasso", "&Lasso", lambda: None, icon="lasso", shortcut="L")
        button = shown(qtbot, IconButton.from_action(actions["lasso"]))
        assert button.accessibleName() == "Lasso"
        assert button.toolTip() == f"Lasso ({QKeySequence('L').toString(QKeySequence.SequenceFormat.NativeText)})"

    def test_click_calls(self, qtbot):
        calls = []
        for kind in (PrimaryButton, SecondaryButton, TextButton, DestructiveButton):
            button = kind("Go", lambda: calls.append(1))
            qtbot.addWidget(button)
            button.click()
        assert len(calls) == 4

    def test_busy_disables_and_gives_the_text_back(self, qtbot):
        button = shown(qtbot, PrimaryButton("Export"))
        button.set_busy(True, "Exporting…")
        assert not button.isEnabled()
        assert button.text() == "Exporting…"
        button.set_busy(True, "Checking…")
        button.set_busy(False)
        assert button.isEnabled()
        assert button.text() == "Export"

    def test_primary_is_28_high_and_filled(self, qtbot):
        button = shown(qtbot, PrimaryButton("Start unlearning"))
        button.resize(button.sizeHint())
        assert button.height() == theme.px(28)
        image = button.grab().toImage()
        assert image.pixelColor(image.width() // 2, 4) == theme.color("accent")

    def test_segments_are_exclusive_and_tell(self, qtbot):
        segments = shown(qtbot, Segmented([("k", "at k"), ("p", "profile")], "Alignment"))
        with qtbot.waitSignal(segments.changed) as changed:
            segments.set_value("p")
        assert changed.args == ["p"]
        assert segments.value() == "p"


class TestCards:
    def test_a_card_holds_its_actions(self, qtbot):
        card = Card("Model")
        card.add_action(SecondaryButton("Open…"))
        shown(qtbot, card)
        assert card.accessibleName() == "Model"
        assert_accessible(card)


class TestChipsAndBanner:
    def test_states_have_shapes(self, qtbot):
        chip = shown(qtbot, Chip())
        pictures = set()
        for state in STATE_ICONS:
            chip.set(state, STATE_ICONS[state])
            pictures.add(bytes(chip._icon.grab().toImage().constBits()))
            assert chip.text() == state
        assert len(pictures) == len(STATE_ICONS)

    def test_a_chip_is_not_a_tab_stop_and_its_button_form_is(self, qtbot):
        assert Chip("CPU").focusPolicy() == Qt.FocusPolicy.NoFocus
        button = shown(qtbot, ChipButton("one", name="Run"))
        assert button.focusPolicy() & Qt.FocusPolicy.TabFocus
        assert button.accessibleName() == "Run: one"
        assert button.text().endswith("▾")

    def test_chips_of_both_kinds_are_equally_high(self, qtbot):
        menu = QMenu()
        qtbot.addWidget(menu)
        button = shown(qtbot, ChipButton("one", name="Run"))
        button.setMenu(menu)
        assert button.height() == theme.px(20) == shown(qtbot, Chip("x")).height()

    def test_a_banner_has_at_most_two_buttons(self, qtbot):
        banner = Banner()
        shown(qtbot, banner)
        calls = []
        banner.show_message(
            "Only 0.1 % correct.", "caution",
            [("Use this order", lambda: calls.append(1)), ("Keep mine", lambda: None), ("Third", lambda: None)],
        )
        assert [button.text() for button in banner._buttons] == ["Use this order", "Keep mine"]
        banner._buttons[0].click()
        assert calls == [1]
        assert banner.accessibleName() == "Only 0.1 % correct."
        assert not unnamed(banner)

    def test_it_is_dismissed_where_it_can_be(self, qtbot):
        banner = shown(qtbot, Banner())
        banner.show_message("x", closable=False)
        assert not banner._close.isVisible()
        banner.show_message("x")
        banner._close.click()
        assert not banner.isVisible()


class TestFactsAndLabels:
    def test_facts_are_shown_by_key(self, qtbot):
        table = shown(qtbot, FactTable())
        table.show_facts([Fact("arch", "Architecture", "ResNet-18"), Fact("file", "File", "a.pt")])
        table.show_facts([Fact("arch", "Architecture", "ResNet-50"), Fact("file", "File", "a.pt")])
        assert table.values() == {"arch": "ResNet-50", "file": "a.pt"}
        table.show_facts([])
        assert table.values() == {}

    def test_a_value_can_be_changed(self, qtbot):
        table = shown(qtbot, FactTable())
        table.show_facts([Fact("p", "Preprocessing", "ImageNet", change="Change…"), Fact("file", "File", "a.pt")])
        (change,) = (button for button in table.findChildren(TextButton) if not button.isHidden())
        assert change.accessibleName() == "Change preprocessing"
        table.change_wanted.connect(lambda key: table.show_facts([Fact("file", "File", key)]))
        change.click()  # may take its own row away
        assert table.values() == {"file": "p"}

    def test_long_names_elide_in_the_middle_and_keep_the_whole(self, qtbot):
        label = shown(qtbot, ElidedLabel("a" * 60 + "-middle-" + "z" * 60), 120)
        assert label.toolTip() == label.text()
        assert label.accessibleName() == label.text()
        label.setText("short")
        assert label.toolTip() == ""

    def test_progress(self, qtbot):
        line = shown(qtbot, ProgressLine("Progress"))
        line.set(310, 920, "step 310 of 920", 100)
        assert line.bar.value() / line.bar.maximum() == pytest.approx(310 / 920, abs=1e-3)
        assert line.text() == "step 310 of 920 · 1 min 40 s left"
        line.set(0, 0)
        assert line.bar.maximum() == 0

    def test_an_empty_state_offers_one_button(self, qtbot):
        calls = []
        empty = EmptyState("data", "Curves appear here while a run goes.", "Choose", lambda: calls.append(1))
        shown(qtbot, empty)
        empty.button.click()
        assert calls == [1]
        empty.set("Nothing to check yet.")
        assert not empty.button.isVisible()


class TestRail:
    @pytest.fixture
    def rail(self, qtbot):
        rail = Rail()
        for page_id in ("project", "forget", "runs"):
            rail.add_entry(page_id, page_id.capitalize(), "model", below_line=page_id == "runs")
        shown(qtbot, rail, 184)
        rail.entries["project"].setChecked(True)
        return rail

    @pytest.mark.parametrize("caption", ["small-cnn · 10 classes", "No retrained model"])
    def test_what_most_projects_are_called_is_there_whole(self, rail, caption):
        rail.setFixedWidth(170)  # as on a screen whose font is a little smaller
        rail.set_state("project", "ready", caption)
        label = rail.entries["project"]._caption
        QApplication.sendPostedEvents()
        assert label.fontMetrics().horizontalAdvance(caption) <= label.contentsRect().width()

    def test_a_click_chooses(self, qtbot, rail):
        with qtbot.waitSignal(rail.chosen) as chosen:
            QTest.mouseClick(rail.entries["forget"], Qt.MouseButton.LeftButton)
        assert chosen.args == ["forget"]

    def test_arrow_keys_choose(self, qtbot, rail):
        rail.activateWindow()
        rail.entries["project"].setFocus()
        with qtbot.waitSignal(rail.chosen) as chosen:
            QTest.keyClick(rail.entries["project"], Qt.Key.Key_Down)
        assert chosen.args == ["forget"]

    def test_the_state_is_said_in_words(self, rail):
        rail.entries["project"].set_state("ready", "ResNet-18 · 10 classes")
        assert rail.entries["project"].accessibleDescription() == "ready: ResNet-18 · 10 classes"

    def test_set_current_chooses_nothing(self, qtbot, rail):
        with qtbot.assertNotEmitted(rail.chosen):
            rail.entries["runs"].setChecked(True)


class TestStatusLine:
    def test_the_latest_activity_shows_and_the_former_comes_back(self, qtbot):
        line = shown(qtbot, StatusLine(), 800)
        line.show_activity("a", Activity("Loading data", 1, 2))
        line.show_activity("b", Activity("Measuring"))
        assert line.text() == "Measuring"
        line.show_activity("b", None)
        assert line.text() == "Loading data"
        line.show_activity("a", None)
        line.show_activity("never", None)
        assert line.text() == ""

    def test_what_has_ended_cannot_be_cancelled_while_a_message_shows(self, qtbot):
        line = shown(qtbot, StatusLine(), 800)
        line.show_activity("a", Activity("Opening", on_cancel=lambda: None))
        line.show_message("Saved")
        line.show_activity("a", None)
        assert line.text() == "Saved" and not line._cancel.isVisible() and not line._bar.isVisible()

    def test_cancel_acts_on_what_it_was_shown_for(self, qtbot):
        line, calls = shown(qtbot, StatusLine(), 800), []
        line.show_activity("a", Activity("Opening", on_cancel=lambda: calls.append("a")))
        line.show_message("Saved", 30)
        line.show_activity("b", Activity("Measuring", on_cancel=lambda: calls.append("b")))
        line._cancel.click()
        assert line.text() == "Saved" and calls == ["a"]
        qtbot.waitUntil(lambda: line.text() == "Measuring")
        line.show_activity("a", Activity("Opening", 1, 2))  # goes on behind
        line._cancel.click()
        assert line.text() == "Measuring" and calls == ["a", "b"]

    def test_cancel_is_there_only_where_it_is_offered(self, qtbot):
        line = shown(qtbot, StatusLine(), 800)
        calls = []
        line.show_activity("a", Activity("Loading", on_cancel=lambda: calls.append(1)))
        assert line._cancel.isVisible()
        line._cancel.click()
        assert calls == [1]
        line.show_activity("a", Activity("Loading"))
        assert not line._cancel.isVisible()

    def test_a_message_goes_after_a_while(self, qtbot):
        line = shown(qtbot, StatusLine(), 800)
        line.show_message("Copied", 30)
        assert line.text() == "Copied"
        qtbot.waitUntil(lambda: line.text() == "")


PARAMETERS = (
    Parameter("rounds", "int", 4, "Passes over forget and recover", low=1, high=50),
    Parameter("lr", "float", 0.01, "Step size of the optimiser", low=0, low_open=True, log=True, title="Step size"),
    Parameter("mode", "choice", "a", "Which one", choices=("a", "b")),
    Parameter("augment", "bool", True, "Flip and crop", group="Data"),
    Parameter("batch", "int", 256, "Images a step", unit="images", group="Data", low=1),
)


class TestForm:
    @pytest.fixture
    def form(self, qtbot):
        form = ParameterForm(PARAMETERS)
        qtbot.addWidget(form)
        form.resize(420, 400)
        form.show()
        return form

    def test_it_starts_with_the_defaults(self, form):
        assert form.values() == {"rounds": 4, "lr": 0.01, "mode": "a", "augment": True, "batch": 256}
        assert not form.problems()
        assert form.changed_names() == []

    def test_a_changed_value_shows_a_dot_and_reset(self, qtbot, form):
        with qtbot.waitSignal(form.changed):
            form.row("rounds").field.setValue(6)
        row = form.row("rounds")
        assert form.changed_names() == ["rounds"]
        assert row._dot.isVisible() and row._reset.isVisible()
        row._reset.click()
        assert form.values()["rounds"] == 4
        assert not row._dot.isVisible()

    def test_a_wrong_value_says_the_rule_beside_the_field(self, form):
        form.set_values({"rounds": 99})
        assert form.problems() == ["Rounds: Must be a whole number at least 1 and at most 50."]
        assert "rounds" not in form.values()
        assert form.row("rounds")._caption.text() == "Must be a whole number at least 1 and at most 50."
        assert form.row("rounds").field.property("invalid") is True

    def test_what_is_typed_counts(self, qtbot, form):
        field = form.row("lr").field
        field.lineEdit().selectAll()
        QTest.keyClicks(field.lineEdit(), "1e-4")
        assert form.values()["lr"] == pytest.approx(1e-4)
        field.lineEdit().selectAll()
        QTest.keyClicks(field.lineEdit(), "-3")
        assert form.problems() == ["Step size: Must be a number above 0."]

    def test_a_preset_becomes_the_baseline(self, form):
        form.set_baseline({"rounds": 8})
        assert form.values()["rounds"] == 8
        assert form.changed_names() == []
        form.set_values({"rounds": 4})
        assert form.changed_names() == ["rounds"]
        form.reset()
        assert form.values()["rounds"] == 8

    def test_help_shows_while_focused(self, qtbot, form):
        row = form.row("rounds")
        form.activateWindow()
        form.row("mode").field.setFocus()
        assert not row._caption.isVisible()
        row.field.setFocus()
        qtbot.waitUntil(lambda: row._caption.isVisible())
        assert row._caption.text() == "Passes over forget and recover (a whole number at least 1 and at most 50)."

    def test_groups_have_their_names_over_them(self, form):
        (name,) = (label for label in form.findChildren(Label) if label.text() == "Data")
        below = [key for key in form.values() if form.row(key).y() > name.y()]
        assert below == ["augment", "batch"]

    def test_other_parameters_build_another_form(self, form):
        form.set_parameters(PARAMETERS[:1])
        assert form.values() == {"rounds": 4}

    def test_it_is_accessible(self, form):
        assert_accessible(form)

    def test_the_wheel_over_a_field_without_focus_changes_nothing(self, qtbot, form):
        from PySide6.QtGui import QWheelEvent

        field = form.row("rounds").field
        form.row("mode").field.setFocus()
        event = QWheelEvent(QPointF(5, 5), QPointF(5, 5), QPoint(0, 120), QPoint(0, 120), Qt.MouseButton.NoButton,
                            Qt.KeyboardModifier.NoModifier, Qt.ScrollPhase.NoScrollPhase, False)  # fmt: skip
        QApplication.sendEvent(field, event)
        assert form.values()["rounds"] == 4

    @pytest.mark.parametrize("parameter", PARAMETERS, ids=lambda p: p.name)
    def test_values_the_rule_forbids_are_refused(self, qtbot, parameter):
        if parameter.kind not in ("int", "float"):
            pytest.skip("a choice cannot be typed")
        form = ParameterForm((parameter,))
        qtbot.addWidget(form)
        for value in invalid_values(parameter):
            if isinstance(value, int | float) and value == value and abs(value) < 1e9:
                form.row(parameter.name).field.lineEdit().setText(str(value))
                assert form.problems(), value


class TestNumberField:
    def test_a_logarithmic_field_doubles_and_halves(self, qtbot):
        field = NumberField(Parameter("a", "float", 0.01, "", low=1e-6, high=1.0, log=True))
        qtbot.addWidget(field)
        field.setValue(0.02)
        field.stepBy(2)
        assert field.value() == pytest.approx(0.08)
        field.stepBy(-1)
        assert field.value() == pytest.approx(0.04)

    def test_others_step_in_their_second_digit(self, qtbot):
        field = NumberField(Parameter("a", "float", 0.5, ""))
        qtbot.addWidget(field)
        field.stepBy(1)
        assert field.value() == pytest.approx(0.1)
        field.setValue(250.0)
        field.stepBy(-3)
        assert field.value() == pytest.approx(220.0)

    def test_a_number_stands_as_the_language_writes_it_and_is_read_either_way(self, qtbot, german_numbers):
        field = NumberField(Parameter("a", "float", 0.5, ""))
        qtbot.addWidget(field)
        field.setValue(0.25)
        assert field.text() == "0,25"
        for typed in ("0,75", "0.75"):
            field.setValue(0.0)
            field.lineEdit().setText(typed)
            field.interpretText()
            assert field.value() == pytest.approx(0.75)

    def test_steps_stop_at_the_range(self, qtbot):
        field = NumberField(Parameter("a", "int", 1, "", low=1, high=3))
        qtbot.addWidget(field)
        field.setValue(3)
        field.stepBy(1)
        assert field.value() == 3

    def test_the_unit_is_not_part_of_the_value(self, qtbot):
        field = NumberField(Parameter("a", "int", 1, "", unit="images"))
        qtbot.addWidget(field)
        field.setValue(12)
        assert field.text() == "12 images"
        assert field.cleanText() == "12"

    def test_nonsense_goes_back_to_the_last_value(self, qtbot):
        field = NumberField(Parameter("a", "float", 0.5, ""))
        shown(qtbot, field)
        field.setValue(2.5)
        field.lineEdit().setText("nonsense")
        field.clearFocus()
        field.interpretText()
        assert field.value() == 2.5


class Opened(QObject):
    """Takes the links into the help in place of a window."""

    def __init__(self) -> None:
        super().__init__()
        self.links: list[str] = []

    @Slot(QUrl)
    def take(self, link: QUrl) -> None:
        self.links.append(link.toString())


class TestTerms:
    @pytest.fixture
    def tip(self):
        yield lambda: QToolTip.text() if QToolTip.isVisible() else ""
        QToolTip.hideText()

    @pytest.fixture
    def opened(self, qapp):
        taker = Opened()
        QDesktopServices.setUrlHandler(HELP, taker, "take")
        yield taker.links
        QDesktopServices.unsetUrlHandler(HELP)

    def test_f1_explains_in_two_sentences(self, qtbot, tip):
        label = shown(qtbot, TermLabel("alignment"))
        QTest.keyClick(label, Qt.Key.Key_F1)
        assert "not 1" in tip() and "not 1" in label.accessibleDescription()
        override = QKeyEvent(QEvent.Type.ShortcutOverride, Qt.Key.Key_F1, Qt.KeyboardModifier.NoModifier)
        override.ignore()
        QApplication.sendEvent(label, override)
        assert override.isAccepted()  # else F1 would open the guide

    def test_a_click_and_return_open_the_glossary_at_the_word(self, qtbot, opened):
        label = shown(qtbot, TermLabel("probe"))
        QTest.mouseClick(label, Qt.MouseButton.LeftButton)
        QTest.keyClick(label, Qt.Key.Key_Return)
        assert opened == ["unlearn-help:glossary/probe"] * 2

    def test_the_tip_goes_with_the_focus(self, qtbot, tip):
        page = QWidget()
        column = QVBoxLayout(page)
        first, label, last = QLineEdit(), TermLabel("probe"), QLineEdit()
        for widget in (first, label, last):
            column.addWidget(widget)
        shown(qtbot, page)
        page.activateWindow()
        with qtbot.waitActive(page):
            pass
        first.setFocus()
        QTest.keyClick(first, Qt.Key.Key_Tab)
        qtbot.waitUntil(lambda: TERMS["probe"].word in tip())
        QTest.keyClick(label, Qt.Key.Key_Tab)
        qtbot.waitUntil(lambda: not tip())

    def test_a_clicked_button_that_goes_opens_no_tip(self, qtbot, tip):
        page = QWidget()
        column = QVBoxLayout(page)
        button, label = SecondaryButton("Run full checks"), TermLabel("verdict")
        button.clicked.connect(button.hide)
        column.addWidget(button)
        column.addWidget(label)
        shown(qtbot, page)
        page.activateWindow()
        with qtbot.waitActive(page):
            pass
        button.setFocus(Qt.FocusReason.MouseFocusReason)
        QTest.mouseClick(button, Qt.MouseButton.LeftButton)
        qtbot.waitUntil(lambda: label.hasFocus())
        assert not tip()

    def test_a_title_that_is_a_term_is_one(self, qtbot):
        card = shown(qtbot, Card("Methods"))
        assert isinstance(card.title, TermLabel) and card.title.text() == "Methods"
        assert card.title.accessibleDescription() == TERMS["method"].short
        assert isinstance(heading("eigenspectra"), TermLabel)
        assert not isinstance(heading("Plan"), TermLabel)

    def test_a_term_can_be_written_in_another_form(self, qtbot):
        label = shown(qtbot, TermLabel("forget_set", "Forget"))
        narrow = label.sizeHint().width()
        label.setText("Images to forget")
        assert label.text() == "Images to forget" and not unnamed(label) and label.sizeHint().width() > narrow
        assert label.accessibleDescription() == TERMS["forget_set"].short

    def test_a_row_of_words_wraps_where_there_is_no_room(self, qtbot):
        row = TermRow(("verdict", "probe", "membership", "relearning"))
        wide = row.sizeHint()
        assert wide.height() < 2 * row.fontMetrics().height() <= row.heightForWidth(wide.width() // 2)

    def test_the_words_of_a_row_explain_themselves_and_lead_to_the_glossary(self, qtbot, opened):
        row = shown(qtbot, TermRow(("verdict", "probe")))
        row.linkHovered.emit("unlearn-help:glossary/probe")
        assert "A new linear classifier" in row.toolTip()
        row.linkHovered.emit("")
        assert row.toolTip() == ""
        row.setFocus()
        QTest.keyClick(row, Qt.Key.Key_Tab)
        QTest.keyClick(row, Qt.Key.Key_Return)
        assert opened and opened[0].startswith("unlearn-help:glossary/")
        theme.apply(QApplication.instance(), "dark")
        try:
            assert theme.color("text-2").name() in row.text()
        finally:
            theme.apply(QApplication.instance(), "light")

    @pytest.mark.parametrize("key", TERMS)
    def test_a_pop_up_has_at_most_two_sentences(self, key):
        text = TERMS[key].short
        assert text.endswith(".")
        assert 1 <= text.replace("0.5", "05").count(". ") + 1 <= 2

    def test_the_glossary_holds_all_words(self, qtbot):
        dialog = GlossaryDialog("probe")
        qtbot.addWidget(dialog)
        text = dialog.browser.toPlainText()
        assert all(term.word in text for term in TERMS.values())

    def test_an_unknown_word_is_an_error(self):
        with pytest.raises(KeyError):
            TermLabel("nonsense")


class TestConfirm:
    def choices(self, answers: list[str]) -> list[Choice]:
        return [Choice("keep", "Keep run", act=lambda: answers.append("keep")),
                Choice("discard", "Discard", True, lambda: answers.append("discard"))]  # fmt: skip

    def test_escape_is_the_harmless_answer(self, qtbot):
        parent = shown(qtbot, QWidget())
        answers = []
        dialog = ask(parent, "Discard this run?", self.choices(answers))
        assert dialog.buttons["keep"].isDefault()
        QTest.keyClick(dialog, Qt.Key.Key_Escape)
        assert answers == ["keep"]

    def test_the_chosen_answer_comes_once(self, qtbot):
        parent = shown(qtbot, QWidget())
        answers = []
        dialog = ask(parent, "Discard?", self.choices(answers))
        dialog.buttons["discard"].click()
        assert answers == ["discard"]


class TestGapBars:
    @pytest.mark.parametrize(
        "gap, words",
        [
            (Gap(0.4), "40 % of the gap closed"),
            (Gap(0.4, 0.3, 0.5), "40 % of the gap closed (30 to 50)"),
            (Gap(None), "not measured"),
            (Gap(0.4, informative=False), "not informative here"),
        ],
    )
    def test_they_say_themselves_in_words(self, gap, words):
        assert gap.text == words

    def filled(self, gap: Gap) -> list[int]:
        image = QImage(308, 26, QImage.Format.Format_RGB32)
        image.fill(theme.color("surface"))
        painter = QPainter(image)
        paint_gap(painter, QRectF(image.rect()), gap)
        painter.end()
        middle = image.height() // 2
        return [x for x in range(image.width()) if image.pixelColor(x, middle) == theme.color("unlearned")]

    def test_the_fill_ends_at_the_model(self, qapp):
        filled = self.filled(Gap(0.5))
        left, right = min(filled), max(filled)
        assert left == pytest.approx(54, abs=2)  # 0 lies a sixth into the 300 px
        assert right == pytest.approx(154, abs=2)

    def test_worse_than_the_original_goes_left(self, qapp):
        assert max(self.filled(Gap(-0.2))) <= 55

    def test_overshoot_goes_past_the_right_end(self, qapp):
        assert max(self.filled(Gap(3.0))) > 300

    def test_not_informative_has_no_fill(self, qapp):
        assert not self.filled(Gap(0.5, informative=False))


def test_a_section_folds_by_keyboard(qtbot):
    section = CollapsibleSection("9 parameters")
    shown(qtbot, section)
    section.body.addWidget(inside := Label("inside"))
    assert not inside.isVisible()
    QTest.keyClick(section.head, Qt.Key.Key_Space)
    assert inside.isVisible() and section.head.isChecked()


def test_a_label_narrower_than_its_column_gets_all_its_lines(qtbot):
    label = Label("word " * 60, wrap=True)
    wide = label.maximumWidth() * 3
    assert label.heightForWidth(wide) == label.heightForWidth(label.maximumWidth())
    assert label.heightForWidth(wide) > 2 * label.fontMetrics().height()


class TestFocusRing:
    @pytest.fixture
    def ring(self, qapp):
        made = FocusRing(qapp)
        yield made
        made.close()

    def test_it_outlives_the_dialog_it_was_in(self, qtbot, qapp, ring):
        window = QWidget()
        column = QVBoxLayout(window)
        buttons = [SecondaryButton("One"), SecondaryButton("Two")]
        for button in buttons:
            column.addWidget(button)
        qtbot.addWidget(window)
        window.show()
        dialog = QDialog(window)
        dialog.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        fields = QVBoxLayout(dialog)
        fields.addWidget(field := QLineEdit())
        fields.addWidget(QLineEdit())
        dialog.open()
        with qtbot.waitActive(dialog):
            dialog.activateWindow()
        QTest.keyClick(field, Qt.Key.Key_Tab)
        qtbot.waitUntil(lambda: ring.widget is not None)
        with qtbot.waitSignal(dialog.destroyed):
            dialog.close()
        with qtbot.waitActive(window):
            window.activateWindow()
        QTest.keyClick(window, Qt.Key.Key_Tab)
        qtbot.waitUntil(lambda: ring.widget in buttons)


    def test_it_is_whole_where_the_control_ends_with_what_it_lies_in(self, qtbot, ring):
        window, around, tight = QWidget(), QWidget(), QWidget()
        column = QVBoxLayout(window)
        column.addWidget(first := QLineEdit())
        column.addWidget(around)
        outer, inner = QVBoxLayout(around), QVBoxLayout(tight)
        for layout in (outer, inner):
            layout.setContentsMargins(0, 0, 0, 0)
        outer.addWidget(tight)
        inner.addWidget(last := QLineEdit())
        shown(qtbot, window, 300)
        with qtbot.waitActive(window):
            window.activateWindow()
        first.setFocus()
        QTest.keyClick(first, Qt.Key.Key_Tab)
        qtbot.waitUntil(lambda: ring.widget is last)
        control = QRect(last.mapTo(window, QPoint()), last.size())
        image, accent = window.grab().toImage(), theme.color("accent")
        for beside in (QPoint(-2, 8), QPoint(control.width() + 1, 8), QPoint(8, -2), QPoint(8, control.height() + 1)):
            assert image.pixelColor(control.topLeft() + beside) == accent
        assert image.pixelColor(control.center()) != accent
        window.resize(500, 300)
        qtbot.waitUntil(lambda: ring.frame.width() > last.width() > control.width())

    def test_it_ends_where_a_scroll_area_does(self, qtbot, ring):
        inside, area = QWidget(), QScrollArea()
        column = QVBoxLayout(inside)
        fields = [QLineEdit() for _ in range(30)]
        for field in fields:
            column.addWidget(field)
        area.setWidget(inside)
        window = QWidget()
        QVBoxLayout(window).addWidget(area)
        shown(qtbot, window, 300)
        with qtbot.waitActive(window):
            window.activateWindow()
        fields[0].setFocus()
        QTest.keyClick(fields[0], Qt.Key.Key_Tab)
        qtbot.waitUntil(lambda: ring.widget is fields[1] and not ring.frame.visibleRegion().isEmpty())
        area.verticalScrollBar().setValue(area.verticalScrollBar().maximum())
        assert ring.frame.visibleRegion().isEmpty()
        area.verticalScrollBar().setValue(0)
        assert not ring.frame.visibleRegion().isEmpty()


@pytest.mark.parametrize("large", [False, True])
def test_widgets_get_a_second_row_where_the_font_is_large(qtbot, monkeypatch, large):
    if large:
        monkeypatch.setattr(theme, "px", lambda size: round(1.5 * size))
    inside = QWidget()
    qtbot.addWidget(inside)
    first, last = first_and_last_row(inside)
    left, right = Label("left"), Label("right")
    first.addWidget(left)
    last.addWidget(right)
    inside.resize(inside.sizeHint())
    inside.show()
    assert (right.y() > left.geometry().bottom()) is large
