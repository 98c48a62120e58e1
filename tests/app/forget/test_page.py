"""The Forget page: every way of choosing edits one forget set, and the summary says what it holds."""

from __future__ import annotations

import dataclasses
from types import SimpleNamespace

import numpy as np
import pytest
from PySide6.QtCore import QPoint, Qt
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QApplication, QFileDialog, QMenu, QPlainTextEdit

from app.dialogs.selection import ForgetListSheet
from app.models.class_table import NAME, TRAIN, ClassTableModel
from app.models.gallery import Wanted
from app.pages.forget.class_panel import ClassPanel
from app.workers.opening_job import Request
from core.errors import InputError
from core.session.forget_lists import read_forget_csv
from tests.app.helpers import assert_accessible, assert_fits
from tests.app.opened import dialog_of

NONE = Qt.KeyboardModifier.NoModifier
CTRL, SHIFT = Qt.KeyboardModifier.ControlModifier, Qt.KeyboardModifier.ShiftModifier
LEFT = Qt.MouseButton.LeftButton


@pytest.fixture
def page(window, open_digits):
    open_digits()
    window.show_page("forget")
    return window.page("forget")


@pytest.fixture
def chosen(context):
    """Positions of the images in the forget set."""
    return lambda: context.project.selection.indices.tolist()


def cell(page, number: int) -> QPoint:
    view = page.gallery_panel.view
    return view.visualRect(page.gallery_model.index_of(number)).center()


def click(page, number: int, modifiers=NONE) -> None:
    QTest.mouseClick(page.gallery_panel.view.viewport(), LEFT, modifiers, cell(page, number))


def drag(page, first: int, last: int, modifiers=NONE) -> None:
    port = page.gallery_panel.view.viewport()
    QTest.mousePress(port, LEFT, modifiers, cell(page, first))
    QTest.mouseMove(port, cell(page, last))
    QTest.mouseRelease(port, LEFT, modifiers, cell(page, last))


def test_without_data_the_page_says_what_is_missing(window, context):
    window.show_page("forget")
    page = window.page("forget")
    assert page.empty.isVisible()
    assert page.empty.text() == (
        "The images to forget are chosen here. First open the data the model was trained on."
    )
    assert page.missing() == "Open the data first."
    page.empty.button.click()
    assert window.current_page == "project"


# -- the one selection ---------------------------------------------------------------------------------------------


def test_everything_shows_the_one_forget_set(page, context, digits):
    context.project.set_selection(context.project.selection.with_classes([3]).with_samples([0, 1]))
    extra = int((digits.train.labels[:2] != 3).sum())
    assert page.summary.text() == context.project.selection.describe()
    assert page.summary.text().startswith("class 3")
    assert page.class_model.index(3, NAME).data(Qt.ItemDataRole.CheckStateRole) == Qt.CheckState.Checked
    assert page.map_panel.scatter._forget.sum() == context.project.selection.count
    assert page.gallery_model.cell(page.gallery_model.index_of(0)).forget
    assert f"{extra} single image" in page.summary.text()


def test_the_summary_has_the_room_beside_it(qtbot, page, window):
    """It was cut at 360 px beside an empty half of the bar."""
    page.confirm("")
    window.resize(1280, 720)
    qtbot.waitUntil(lambda: page.summary.width() > 400)
    assert page.next_button.geometry().right() > page.summary.geometry().right() + 100


def test_empty_and_full_sets_are_refused_beside_the_button(page, context):
    assert page.missing() == "Choose at least one image." and not page.next_button.isEnabled()
    assert not page.clear_button.isEnabled() and not page.tools.export_button.isEnabled()
    page.presenter.toggle_classes(list(range(10)), True)
    assert page.missing() == "At least one class must stay." and not page.next_button.isEnabled()
    page.presenter.toggle_classes([0], False)
    assert page.missing() == "" and page.next_button.isEnabled()
    page.next_button.click()
    assert page.window().current_page == "unlearn"


def test_without_a_model_one_can_choose_but_not_go_on(window, context, idle):
    context.opening.open_data("digits")
    idle()
    window.show_page("forget")
    page = window.page("forget")
    page.presenter.toggle_classes([3], True)
    assert context.project.selection.complete_classes == (3,)
    assert page.missing() == "Open a model first."


def test_undo_and_redo_by_key(page, window, context, chosen):
    page.presenter.mark(np.array([1, 2]), "add")
    page.presenter.mark(np.array([2, 3]), "toggle")
    assert chosen() == [1, 3]
    QTest.keyClick(window, Qt.Key.Key_Z, CTRL)
    assert chosen() == [1, 2]
    QTest.keyClick(window, Qt.Key.Key_Z, CTRL)
    assert chosen() == [] and not page.tools.undo.isEnabled()
    QTest.keyClick(window, Qt.Key.Key_Z, CTRL | SHIFT)
    assert chosen() == [1, 2] and page.tools.redo.isEnabled()


def test_what_was_done_is_said_with_a_way_back(page, context, chosen):
    page.presenter.mark(np.arange(37), "add")
    assert page.confirmed.text() == "37 added" and page.undo_button.isVisible()
    page.undo_button.click()
    assert chosen() == [] and page.confirmed.text() == "" and not page.undo_button.isVisible()
    page.presenter.mark(np.array([5]), "toggle")
    assert page.confirmed.text() == "1 added"
    page.presenter.mark(np.array([5, 6]), "toggle")
    assert page.confirmed.text() == "1 added, 1 removed"
    page.presenter.mark(np.array([6]), "add")
    assert page.confirmed.text() == "" and not page.undo_button.isVisible()  # nothing changed
    page.presenter.mark(np.array([9, 10]), "add")
    context.project.undo_selection()
    assert page.confirmed.text() == ""
    page.clear_button.click()
    assert chosen() == []


# -- classes -------------------------------------------------------------------------------------------------------


def click_box(page, row: int) -> None:
    table = page.class_panel.table
    rect = table.visualRect(table.model().index(row, NAME))
    QTest.mouseClick(table.viewport(), LEFT, NONE, QPoint(rect.left() + 14, rect.center().y()))


def test_a_box_takes_a_class(page, context):
    click_box(page, 3)
    assert context.project.selection.complete_classes == (3,)
    click_box(page, 3)
    assert context.project.selection.count == 0


def test_the_box_over_the_table_takes_what_is_shown(page, context):
    page.class_panel.search.setText("3")
    box = page.class_panel.table.box
    box.click()
    assert context.project.selection.complete_classes == (3,)
    assert box.checkState() == Qt.CheckState.Checked
    page.class_panel.search.clear()
    assert box.checkState() == Qt.CheckState.PartiallyChecked
    box.click()
    assert context.project.selection.complete_classes == tuple(range(10))
    box.click()
    assert context.project.selection.count == 0


def test_the_box_and_the_titles_are_reached_by_the_keyboard(page, context, qtbot):
    header, box = page.class_panel.table.header, page.class_panel.table.box
    page.class_panel.search.setText("3")
    for widget in (header, box):
        assert widget.isVisible() and widget.focusPolicy() & Qt.FocusPolicy.TabFocus
    QTest.keyClick(box, Qt.Key.Key_Space)
    assert context.project.selection.complete_classes == (3,)
    assert box.checkState() == Qt.CheckState.Checked
    QTest.keyClick(header, Qt.Key.Key_Return)
    menu = next(w for w in QApplication.topLevelWidgets() if isinstance(w, QMenu) and w.isVisible())
    assert menu.actions()[0].text() == "Class"
    menu.actions()[TRAIN].trigger()
    menu.close()
    assert (header.sortIndicatorSection(), header.sortIndicatorOrder()) == (TRAIN, Qt.SortOrder.AscendingOrder)
    header.sort_by(TRAIN)
    assert header.sortIndicatorOrder() == Qt.SortOrder.DescendingOrder


def test_a_search_keeps_the_selected_class_selected_and_in_view(page, context):
    panel = page.class_panel
    panel.table.setFixedHeight(110)  # three rows
    panel.table.selectRow(8)
    panel.search.setText("8")
    assert panel.table.selected_labels() == [8] and panel.table.filter.rows.tolist() == [8]
    panel.search.clear()
    assert panel.table.selected_labels() == [8] and len(panel.table.filter.rows.tolist()) == 10
    row = panel.table.visualRect(panel.table.currentIndex())
    assert panel.table.viewport().rect().contains(row)
    panel.search.setText("3")  # what is not shown is not selected any more
    assert panel.table.selected_labels() in ([], [3]) and not panel.table.selectionModel().hasSelection()
    assert panel.table.verticalHeader().count() == 1


def test_a_click_on_a_title_sorts(page):
    header = page.class_panel.table.header
    QTest.mouseClick(header.viewport(), LEFT, NONE, QPoint(30, header.height() // 2))
    assert header.sortIndicatorOrder() == Qt.SortOrder.DescendingOrder


def test_space_toggles_the_rows_selected(page, context):
    table = page.class_panel.table
    table.selectRow(2)
    QTest.keyClick(table, Qt.Key.Key_Down, SHIFT)
    QTest.keyClick(table, Qt.Key.Key_Space)
    assert context.project.selection.complete_classes == (2, 3)
    QTest.keyClick(table, Qt.Key.Key_Space)
    assert context.project.selection.count == 0


def test_the_menu_of_the_classes(page, context):
    table = page.class_panel.table

    def choose(text: str) -> None:
        next(action for action in table.actions() if action.text() == text).trigger()

    selection = lambda: context.project.selection.complete_classes  # noqa: E731
    page.presenter.toggle_classes([1], True)
    for text in ("Forget only these", "Show its images"):  # of none
        choose(text)
    assert selection() == (1,) and page.tools.wanted().label is None
    table.selectRow(3)
    QTest.keyClick(table, Qt.Key.Key_Down, SHIFT)
    choose("Forget only these")
    assert selection() == (3, 4)
    page.class_panel.search.setText("4")
    choose("Invert")  # of what is shown
    assert selection() == (3,)
    page.class_panel.search.clear()
    table.selectRow(4)
    choose("Show its images")
    assert page.tools.wanted().label == 4


def test_a_class_under_the_mouse_is_lit_everywhere(page):
    page.class_panel.table.hovered.emit(6)
    assert page.gallery_panel.view.lit == 6 and page.map_panel.scatter._highlight == 6
    page.class_panel.table.hovered.emit(-1)
    assert page.gallery_panel.view.lit == -1 and page.map_panel.scatter._highlight is None


# -- images --------------------------------------------------------------------------------------------------------


def test_a_click_toggles_and_shift_reaches(page, chosen):
    click(page, 1)
    click(page, 2, CTRL)
    assert chosen() == [1, 2]
    click(page, 2)
    assert chosen() == [1]
    click(page, 1)
    click(page, 1)
    click(page, 6, SHIFT)
    assert chosen() == [1, 2, 3, 4, 5, 6]
    click(page, 4)  # out, and from there to the end
    click(page, 6, SHIFT)
    assert chosen() == [1, 2, 3]


def test_a_rectangle_takes_all_it_touches_in_one_step(page, chosen, context):
    columns = page.gallery_model.columns
    drag(page, 0, columns + 1)
    assert chosen() == [0, 1, columns, columns + 1]
    drag(page, 1, columns + 1, CTRL)
    assert chosen() == [0, columns]
    context.project.undo_selection()
    assert len(chosen()) == 4


def test_escape_gives_a_rectangle_up(page, chosen):
    view = page.gallery_panel.view
    QTest.mousePress(view.viewport(), LEFT, NONE, cell(page, 0))
    QTest.mouseMove(view.viewport(), cell(page, 2))
    assert view.selectionModel().hasSelection()
    QTest.keyClick(view, Qt.Key.Key_Escape)
    QTest.mouseRelease(view.viewport(), LEFT, NONE, cell(page, 2))
    assert chosen() == [] and not view.selectionModel().hasSelection()


def test_the_keyboard_does_all_of_it(page, chosen):
    view, columns = page.gallery_panel.view, page.gallery_model.columns
    view.setCurrentIndex(page.gallery_model.index_of(0))
    QTest.keyClick(view, Qt.Key.Key_Space)
    assert chosen() == [0]
    QTest.keyClick(view, Qt.Key.Key_Right, SHIFT)
    QTest.keyClick(view, Qt.Key.Key_Down, SHIFT)
    assert chosen() == list(range(columns + 2))
    for _ in range(columns - 1):
        QTest.keyClick(view, Qt.Key.Key_Right)  # goes on in the next row
    assert page.gallery_model.place(view.currentIndex()) == 2 * columns
    QTest.keyClick(view, Qt.Key.Key_Home)
    QTest.keyClick(view, Qt.Key.Key_Space)
    assert 0 not in chosen()
    QTest.keyClick(view, Qt.Key.Key_End)
    assert page.gallery_model.place(view.currentIndex()) == page.gallery_model.count - 1
    QTest.keyClick(view, Qt.Key.Key_A, CTRL)
    assert len(chosen()) == page.gallery_model.count


def test_ctrl_a_takes_what_the_filters_show(page, context):
    page.tools.choose_class(7)
    page.presenter.gallery.arrange()
    QTest.keyClick(page.gallery_panel.view, Qt.Key.Key_A, CTRL)
    assert context.project.selection.complete_classes == (7,)
    assert context.project.selection.loose_count == 0


def test_test_images_cannot_be_chosen(page, chosen, window, digits):
    page.tools.part.setCurrentIndex(1)
    page.presenter.gallery.arrange()
    assert page.gallery_panel.count.text() == f"{len(digits.test):,}"
    click(page, 0)
    assert chosen() == []
    assert window.status.text() == "Test images were never trained on, so there is nothing to remove."


def test_filters_and_order(page, context, digits, qtbot):
    found = context.project.evaluation["baseline"]
    page.tools.sort.setCurrentIndex(page.tools.sort.findData("loss"))
    qtbot.waitUntil(lambda: page.gallery_model.ids(0, 0)[0] == found.train.answers.loss.argmax())
    page.tools.reverse.click()
    qtbot.waitUntil(lambda: page.gallery_model.ids(0, 0)[0] != found.train.answers.loss.argmax())
    twos = (digits.train.labels.numpy() == 2).nonzero()[0][:3]
    found.train.answers.correct[:] = True
    found.train.answers.correct[twos] = False
    page.tools.choose_class(2)
    page.tools.answer.setCurrentIndex(page.tools.answer.findData("wrong"))
    qtbot.waitUntil(lambda: page.gallery_model.count == 3)
    assert sorted(page.gallery_model.ids(0, 2)) == twos.tolist()
    page.tools.choose_class(5)
    qtbot.waitUntil(lambda: page.gallery_model.count == 0)
    assert page.gallery_panel.empty.text() == "No image matches the search and filters."
    page.tools.reset()
    qtbot.waitUntil(lambda: page.gallery_model.count == len(digits.train))
    assert page.gallery_panel.view.isVisible()


def test_names_are_searched_where_there_are_names(window, context, insects, idle, qtbot):
    context.opening.open_data(str(insects))
    idle()
    window.show_page("forget")
    page = window.page("forget")
    assert page.tools.search.isEnabled()
    page.tools.search.setText("BEE1")
    qtbot.waitUntil(lambda: page.gallery_model.count == 1)
    page.tools.search.setText("no such name")
    qtbot.waitUntil(lambda: page.gallery_panel.empty.isVisible())
    page.gallery_panel.empty.button.click()
    qtbot.waitUntil(lambda: page.gallery_model.count == len(context.project.dataset.train))
    order = page.tools.sort
    assert order.model().item(order.findData("name")).isEnabled()
    assert not order.model().item(order.findData("loss")).isEnabled()  # no model yet


def test_digits_have_no_names(page):
    assert not page.tools.search.isEnabled() and page.tools.search.placeholderText() == "No file names"
    assert page.tools.wanted() == Wanted()


def test_columns_follow_the_width_and_the_place_stays(page, window, qtbot):
    view = page.gallery_panel.view
    assert page.gallery_model.columns == 4
    view.scrollTo(page.gallery_model.index_of(400))
    top = page.gallery_model.place(view.indexAt(QPoint(1, 1)))
    window.resize(1700, 720)
    qtbot.waitUntil(lambda: page.gallery_model.columns > 4)
    now = page.gallery_model.place(view.indexAt(QPoint(1, 1)))
    assert abs(now - top) <= page.gallery_model.columns


# -- the map -------------------------------------------------------------------------------------------------------


def test_the_map_shows_the_measured_features(page, context):
    scatter = page.map_panel.scatter
    assert np.array_equal(scatter._points, context.project.evaluation["baseline"].coordinates)
    assert page.map_panel.scatter.isVisible() and page.map_panel.scatter.view.tool == "lasso"
    assert scatter.caption().startswith("Two principal components · ")


def test_an_outline_adds_and_with_ctrl_takes_out(page, chosen):
    page.map_panel.scatter.selection_drawn.emit(np.array([4, 5, 6]), "replace")
    page.map_panel.scatter.selection_drawn.emit(np.array([9]), "add")
    assert chosen() == [4, 5, 6, 9]
    page.map_panel.scatter.selection_drawn.emit(np.array([5, 9]), "remove")
    page.map_panel.scatter.clicked.emit(6, "replace")
    assert chosen() == [4]


def test_tools_are_chosen_by_button(page):
    for tool, button in page.map_panel.tool_buttons.items():
        button.click()
        assert page.map_panel.scatter.view.tool == tool


def test_on_a_tsne_map_of_some_images_every_image_has_its_place(page, monkeypatch, chosen, qtbot, context):
    total = context.project.selection.total
    places = np.random.default_rng(0).normal(size=(total, 2)).astype(np.float32)
    monkeypatch.setattr("app.pages.forget.map_card.arrange", lambda compact, labels: (300, places))
    context.project.set_selection(context.project.selection.with_samples([10, total - 1]))
    page.map_panel.projection.set_value("tsne")
    scatter = page.map_panel.scatter
    assert scatter.caption().startswith("Two principal components")  # stays until the other is there
    qtbot.waitUntil(lambda: scatter.caption().startswith("t-SNE of 300; others beside their neighbours"))
    assert np.flatnonzero(scatter._forget).tolist() == [10, total - 1]  # the selection is whole
    scatter.selection_drawn.emit(np.array([3, 10]), "replace")
    assert chosen() == [3, 10, total - 1]
    page.map_panel.projection.set_value("pca")
    assert np.array_equal(scatter._points, context.project.evaluation["baseline"].coordinates)
    page.map_panel.projection.set_value("tsne")  # known already
    assert np.array_equal(scatter._points, places)


def test_the_map_fills_the_page_and_gives_its_place_back(page):
    button = page.map_panel.enlarge_button
    narrow = page.map_panel.width()
    button.click()
    QApplication.processEvents()
    assert not page.gallery_panel.isVisible() and not page.class_panel.isVisible()
    assert page.map_panel.width() > 2 * narrow
    button.click()
    assert page.gallery_panel.isVisible()


def test_a_map_that_cannot_be_made_is_told(page, monkeypatch, qtbot, context):
    def fail(compact, labels):
        raise ValueError("the features hold values that are not finite")

    monkeypatch.setattr("app.pages.forget.map_card.arrange", fail)
    page.map_panel.projection.set_value("tsne")
    qtbot.waitUntil(lambda: page.map_panel.projection.value() == "pca")
    assert "The t-SNE map could not be made." in context.notifications.history[-1].text


def test_before_the_model_is_measured_the_map_says_so(window, context, idle):
    context.opening.open_data("digits")
    idle()
    window.show_page("forget")
    assert window.page("forget").map_panel.empty.text() == "Open the model to see how it arranges the images."


# -- lists ---------------------------------------------------------------------------------------------------------


@pytest.fixture
def insect_page(window, context, insects, idle):
    context.opening.open_data(str(insects))
    idle()
    window.show_page("forget")
    return window.page("forget")


def sheet_for(page, path, text, qtbot) -> ForgetListSheet:
    path.write_text(text)
    page.presenter.lists.read(path)
    qtbot.waitUntil(lambda: any(s.isVisible() for s in page.window().findChildren(ForgetListSheet)))
    return dialog_of(page.window(), ForgetListSheet)


LIST = "train-ant0.png\ntrain/bee/train-bee1.png\nTRAIN-CAT2.jpeg\ntwin.png\ntest-cat0.png\n"


def test_a_list_is_shown_before_it_is_applied(insect_page, context, tmp_path, qtbot):
    names = context.project.dataset.train.paths
    ant, bee = names.index("train/ant/train-ant0.png"), names.index("train/bee/train-bee1.png")
    context.project.set_selection(context.project.selection.with_samples([ant]))
    sheet = sheet_for(insect_page, tmp_path / "list.txt", LIST, qtbot)
    texts = [label.text() for label in sheet.findChildren(type(sheet._reason))]
    assert {"2 of 5 names found.", "1 name was not found."} <= set(texts)
    assert any("1 name means images of the test part." in text for text in texts)
    listed = sheet.findChild(QPlainTextEdit).toPlainText().splitlines()
    assert listed[0].startswith("Line 3: TRAIN-CAT2.jpeg: not found; nearest name") and len(listed) == 3
    assert "1 image is chosen already." in texts
    assert sheet.accept_button.text() == "Add 1 image"
    assert context.project.selection.indices.tolist() == [ant]
    sheet.accept()
    assert context.project.selection.indices.tolist() == sorted([ant, bee])
    assert insect_page.confirmed.text() == "1 added"


def test_a_list_is_for_the_data_it_was_read_for(insect_page, context, tmp_path, qtbot):
    sheet = sheet_for(insect_page, tmp_path / "list.txt", "0\n1\n", qtbot)
    context.project.set_opened(None, dataclasses.replace(context.project.dataset))  # as many other images
    assert not sheet.isVisible()
    insect_page.presenter.lists.read(tmp_path / "list.txt")
    context.project.set_opened(None, dataclasses.replace(context.project.dataset))
    qtbot.waitUntil(lambda: not context.jobs.active())
    assert not any(one.isVisible() for one in insect_page.window().findChildren(ForgetListSheet))
    assert context.project.selection.count == 0


def test_a_list_that_is_left_changes_nothing(insect_page, context, tmp_path, qtbot):
    sheet_for(insect_page, tmp_path / "list.txt", "0\n1\n", qtbot).reject()
    assert context.project.selection.count == 0


def test_a_list_for_other_data_or_none_at_all_is_told(insect_page, context, tmp_path, qtbot):
    path = tmp_path / "list.csv"
    path.write_text("index,class\n0,zebra\n")
    insect_page.presenter.lists.read(path)
    qtbot.waitUntil(insect_page.banner.isVisible)
    assert insect_page.banner.text().startswith("list.csv was not imported. The forget list does not belong to this")
    assert context.notifications.history[-1].sentence == insect_page.banner.text()  # kept when the banner is gone
    insect_page.presenter.lists.read(tmp_path / "none.csv")
    qtbot.waitUntil(lambda: insect_page.banner.text().startswith("none.csv was not imported. "))
    assert context.project.selection.count == 0


def test_a_dropped_list_opens_its_sheet(insect_page, window, context, tmp_path, qtbot):
    path = tmp_path / "names.txt"
    path.write_text("train-ant0.png\n")
    window.show_page("project")
    context.opening.open_paths([path])
    qtbot.waitUntil(lambda: any(s.isVisible() for s in window.findChildren(ForgetListSheet)))
    assert window.current_page == "forget"
    dialog_of(window, ForgetListSheet).reject()


def test_an_exported_list_is_read_back(insect_page, window, context, tmp_path, qtbot):
    assert context.actions.reason("forget.export_list") == "Nothing is chosen to be forgotten."
    insect_page.presenter.toggle_classes([1], True)
    context.actions.trigger("forget.export_list")
    (dialog,) = (w for w in QApplication.topLevelWidgets() if isinstance(w, QFileDialog) and w.isVisible())
    dialog.fileSelected.emit(str(tmp_path / "out.csv"))
    dialog.close()
    qtbot.waitUntil(lambda: "written to out.csv" in window.status.text())
    mask, *_ = read_forget_csv(tmp_path / "out.csv", context.project.selection.total)
    assert mask.tolist() == context.project.selection.mask.tolist()
    rows = (tmp_path / "out.csv").read_text().splitlines()[1:]
    assert rows and {row.split(",")[1] for row in rows} == {"bee"}
    insect_page.presenter.lists.write(tmp_path / "out.csv" / "below.csv")
    qtbot.waitUntil(insect_page.banner.isVisible)
    assert insect_page.banner.text().startswith("below.csv was not written. ")


# -- the page as a whole -------------------------------------------------------------------------------------------


def test_other_data_begins_anew(page, window, context, insects, idle):
    page.presenter.toggle_classes([3], True)
    page.tools.choose_class(3)
    context.opening.put(Request("data", "insects", data=str(insects), alone=True))
    idle()
    assert context.project.selection.count == 0 and page.tools.wanted().label is None
    assert page.class_panel.table.filter.rowCount() == 3
    assert page.gallery_model.count == len(context.project.dataset.train)
    assert page.map_panel.empty.isVisibleTo(page.map_panel)


def test_the_page_can_be_used_by_keyboard_and_reader(page, window):
    page.presenter.toggle_classes([3], True)
    assert_accessible(window)


def test_the_page_fits_the_smallest_window(page, window):
    page.presenter.mark(np.arange(37), "add")
    QApplication.sendPostedEvents()  # what a longer text asks of the layouts around it
    assert_fits(window)


def test_the_largest_count_is_not_cut(qtbot):
    labels = np.zeros(1_234_567, np.int64)
    part = SimpleNamespace(labels=SimpleNamespace(numpy=lambda: labels))
    model = ClassTableModel()
    panel = ClassPanel(model)
    qtbot.addWidget(panel)
    narrow = panel.table.columnWidth(TRAIN)
    model.set_data(SimpleNamespace(classes=("a", "b"), train=part, test=part))
    assert panel.table.columnWidth(TRAIN) > panel.table.fontMetrics().horizontalAdvance("1,234,567") > narrow - 20
    model.set_data(None)
    assert panel.table.columnWidth(TRAIN) == narrow


def test_shift_reaches_from_the_image_that_was_clicked_last_also_in_another_order(page, context, qtbot):
    view, model = page.gallery_panel.view, page.gallery_model
    view._mark_cell(3, NONE)
    page.tools.reverse.click()
    qtbot.waitUntil(lambda: model.order[-1] == 0)
    view._mark_cell(model.cell_of(5), SHIFT)
    assert context.project.selection.indices.tolist() == [3, 4, 5]


def test_images_that_cannot_be_read_are_told_in_the_window_and_taken_back(page, context):
    settled = []
    context.notifications.settled.connect(settled.append)
    page.thumbnails.failed.emit(InputError("train/a.png cannot be read now", "Put the file back"))
    assert context.notifications.history[-1].sentence == "train/a.png cannot be read now. Put the file back."
    page.thumbnails.recovered.emit()
    assert settled == [context.notifications.history[-1].topic]
