"""The last project: kept as it is open, opened again with its forget set, and gone where it was closed."""

from __future__ import annotations

from app.services.last_project import LastProject


def test_it_is_there_again_with_its_answers_and_its_forget_set(context, open_digits, idle, qtbot):
    last = LastProject(context.project, context.opening, context.notifications.caution)
    assert not last.restore()  # there was none
    open_digits()
    context.opening.change(preprocessing={"size": [8, 8], "mean": [0.4], "std": [0.2]}, prepares=True)
    idle()
    context.project.set_selection(context.project.selection.with_classes([3]).with_samples([0, 5]))
    digest = context.project.selection.digest()
    last.keep()
    context.project.set_opened(None, None)
    again = LastProject(context.project, context.opening, context.notifications.caution)
    assert again.restore()
    idle()
    project = context.project
    assert project.ready and project.dataset.preprocessing.mean == (0.4,) and project.selection.digest() == digest


def test_what_is_gone_is_told_and_stays_the_last_project(context, window, open_digits, digits_file, idle, tmp_path):
    last = LastProject(context.project, context.opening, context.notifications.caution)
    open_digits()
    text = last.path.read_text()
    last.path.write_text(text.replace(str(digits_file), str(tmp_path / "gone.pt")))
    context.project.set_opened(None, None)
    again = LastProject(context.project, context.opening, context.notifications.caution)
    assert again.restore()
    idle()
    assert window.page("project").banner.text().startswith("The last project was not opened.")
    again.keep()
    assert again.path.exists()


def test_a_project_that_was_closed_is_not_opened_again(context, open_digits, idle):
    last = LastProject(context.project, context.opening, context.notifications.caution)
    open_digits()
    assert last.path.exists()
    context.project.set_opened(None, None)
    last.keep()
    assert not last.restore()


def test_a_file_that_cannot_be_read_is_none(context):
    last = LastProject(context.project, context.opening, context.notifications.caution)
    last.path.parent.mkdir(parents=True, exist_ok=True)
    for text in ("{", "[]", '{"model": 3}'):
        last.path.write_text(text)
        assert not last.restore()
