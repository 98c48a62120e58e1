"""The Forget page: classes, images and map side by side, the summary of the forget set below; and what acts for it.

Every way of choosing edits the one forget set of the project, with undo.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING

import numpy as np
from PySide6.QtCore import QObject, Qt, QTimer
from PySide6.QtGui import QGuiApplication
from PySide6.QtWidgets import QCheckBox, QMenu, QSizePolicy, QSplitter, QTabWidget, QVBoxLayout, QWidget

from app.dialogs.sheet import ask_to_open
from app.models.class_table import ClassTableModel
from app.models.gallery import GalleryModel
from app.pages.forget.additions import EarlierCard, EarlierPresenter, ForgetLists, SimilarCard, SimilarPresenter
from app.pages.forget.class_panel import ClassPanel
from app.pages.forget.gallery import GalleryPanel
from app.pages.forget.gallery_presenter import GalleryPresenter
from app.pages.forget.inspector import Inspector
from app.pages.forget.map_card import MapCard, MapPresenter
from app.pages.forget.tools import ToolRow
from app.services import format as fmt
from app.services import tokens as t
from app.services.run_words import described
from app.services.theme import theme
from app.services.translation import mark, tr
from app.widgets.buttons import PrimaryButton, SecondaryButton, TextButton
from app.widgets.labels import ElidedLabel, Label
from app.widgets.layout import column, stacked, widget_of
from app.widgets.notices import EmptyState
from app.widgets.page import Page
from app.widgets.terms import TermLabel
from app.workers.thumbnails import TOPIC, Thumbnails, pixels_of
from core.errors import ForgetSetError

if TYPE_CHECKING:
    from app.context import AppContext
    from core.selection import Selection
    from core.session.forget_lists import ListMatch

CLASSES, IMAGES, MAP = 288, 432, 320  # widths in pixels of the design
SPLITTER = "forget"
CORRECTION = mark(
    "These images should not have been as they are: wrong labels, poisoned images. The result is then judged by what "
    "they did to the model, not against retraining."
)
CONFIRM_MS = 4000  # how long it is said what was done


class ForgetPage(Page):
    """Three panels in a splitter, the summary of the forget set always below."""

    def __init__(self, context: AppContext) -> None:
        super().__init__(context)
        self.thumbnails = Thumbnails(self)
        self.class_model = ClassTableModel(self)
        self.gallery_model = GalleryModel(self)
        self.tools = ToolRow(context.actions)
        self.class_panel = ClassPanel(self.class_model)
        self.gallery_panel = GalleryPanel(self.gallery_model, self.thumbnails)
        self.map_panel = MapCard()
        self.map_panel.enlarge_button.toggled.connect(self._enlarge_map)
        self.similar_card = SimilarCard()
        self.earlier_card = EarlierCard()
        nothing = tr("The images to forget are chosen here. First open the data the model was trained on.")
        self.empty = EmptyState("forget", nothing, tr("Open model and data"), partial(context.show_page, "project"))
        self.stack = stacked(self.empty, widget_of(self._panels()))
        self.content.addWidget(self.stack, 1)
        self.summary = ElidedLabel("", "body", mode=Qt.TextElideMode.ElideRight)
        self.summary.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
        self.summary.setMinimumWidth(theme.px(360))
        self.confirmed = Label("", "caption", "text-2")
        self.undo_button = TextButton(tr("Undo"))
        self.correct_box = QCheckBox(tr("Correction"))
        self.correct_box.setToolTip(tr(CORRECTION))
        self.clear_button = SecondaryButton(tr("Clear"))
        self.next_button = PrimaryButton(tr("Choose a method"), partial(context.show_page, "unlearn"))
        for widget in (TermLabel("forget_set", tone="text_2"), self.summary, self.confirmed, self.undo_button):
            self.add_action(widget, start=True)
        self.add_action(self.correct_box)
        self.add_action(self.clear_button)
        self.add_action(self.next_button)
        self.give_room_to_start()
        self.presenter = ForgetPresenter(context, self)

    def entered(self) -> None:
        self.presenter.entered()

    def left(self) -> None:
        self.presenter.left()

    def confirm(self, text: str, undoable: bool = False) -> None:
        """Say what was just done, beside the summary; an empty text takes it away."""
        self.confirmed.say(text)
        self.undo_button.setVisible(undoable)

    def _panels(self) -> QVBoxLayout:
        self.splitter = QSplitter(Qt.Orientation.Horizontal, childrenCollapsible=False, handleWidth=theme.px(t.M))
        right = widget_of(column((self.map_panel, 1), self.similar_card, spacing=t.M))
        panels: list[tuple[QWidget, int]] = [(self.class_panel, CLASSES), (self.gallery_panel, IMAGES), (right, MAP)]
        if theme.large:
            tabs = QTabWidget()
            tabs.addTab(self.gallery_panel, tr("Images"))
            tabs.addTab(right, tr("Map"))
            panels[1:] = [(tabs, IMAGES)]
        self._beside_map = [panel for panel, _ in panels[:-1]]
        for place, (panel, width) in enumerate(panels):
            panel.setMinimumWidth(theme.px(width) * 3 // 4)
            self.splitter.addWidget(panel)
            self.splitter.setStretchFactor(place, place and 3 - place)  # a third of the room for the map
        self.splitter.setSizes([theme.px(width) for _, width in panels])
        self.context.window_state.keep_splitter(SPLITTER, self.splitter)
        return column(self.earlier_card, self.tools, (self.splitter, 1), spacing=t.M)

    def _enlarge_map(self, on: bool) -> None:
        """Give the map the place of classes and images, or give it back."""
        for panel in (self.similar_card, *self._beside_map):
            panel.setVisible(not on)


class ForgetPresenter(QObject):
    """Keeps table, gallery, map and summary on the forget set."""

    def __init__(self, context: AppContext, page: ForgetPage) -> None:
        super().__init__(page)
        self._context, self._page = context, page
        self.earlier = EarlierPresenter(context, page.earlier_card)
        self.lists = ForgetLists(context, page, self.add_list)
        self.map = MapPresenter(context, page.map_panel, page.thumbnails, self.mark)
        self.similar = SimilarPresenter(context, page.similar_card, page.thumbnails, self.add_similar)
        self.gallery = GalleryPresenter(context, page.tools, page.gallery_panel, page.gallery_model)
        self.inspector = Inspector(context, page, page.thumbnails, self.mark)
        self._toggled: int | None = None  # the image that the last change toggled
        self._confirm_timer = QTimer(self, singleShot=True, interval=CONFIRM_MS)
        self._confirm_timer.timeout.connect(self._unconfirm)
        self._connect()
        self._dataset_changed()
        self.earlier.refresh()

    def entered(self) -> None:
        """The page is shown: draw what was left alone while it was not."""
        self.map.refresh()
        self.similar.refresh()

    def left(self) -> None:
        """Another page is shown."""
        self.similar.stop()
        self._unconfirm()

    def _connect(self) -> None:
        page, context, project = self._page, self._context, self._context.project
        project.dataset_changed.connect(self._dataset_changed)
        project.evaluation_changed.connect(self._evaluated)
        project.model_changed.connect(self._show_summary)
        project.selection_changed.connect(self._selection_changed)
        self.earlier.changed.connect(self._earlier_changed)
        context.settings.changed.connect(self._settings_changed)
        context.opening.list_wanted.connect(self.lists.read)
        classes, view, scatter = page.class_panel.table, page.gallery_panel.view, page.map_panel.scatter
        classes.toggle_wanted.connect(self.toggle_classes)
        classes.only_wanted.connect(self.only_classes)
        classes.invert_wanted.connect(self.invert_classes)
        classes.hovered.connect(view.light_class)
        classes.hovered.connect(lambda label: scatter.highlight_class(label if label >= 0 else None))
        classes.opened.connect(page.tools.choose_class)
        page.thumbnails.failed.connect(partial(context.notifications.error, topic=TOPIC))
        page.thumbnails.recovered.connect(partial(context.notifications.settle, TOPIC))
        view.mark_wanted.connect(self._gallery_marked)
        view.inspect_wanted.connect(self._inspect)
        view.menu_wanted.connect(lambda image, place: self.menu(image).popup(place))
        self.inspector.stepped.connect(view.step)
        scatter.activated.connect(self._inspect_on_map)
        page.tools.import_button.clicked.connect(lambda: ask_to_open(context, page.window(), "list"))
        page.tools.export_button.clicked.connect(self.lists.ask_export)
        page.clear_button.clicked.connect(self.clear)
        page.correct_box.clicked.connect(self.correct)
        page.gallery_panel.take_button.clicked.connect(self.take_suspects)
        page.undo_button.clicked.connect(project.undo_selection)
        context.actions.add("forget.export_list", tr("E&xport the forget list…"), self.lists.ask_export, menu="edit",
                            icon="export", why_disabled=self._why_no_export)  # fmt: skip

    # -- changing the forget set -----------------------------------------------------------------------------------

    def toggle_classes(self, labels: list[int], on: bool) -> None:
        """Take whole classes, or take them out."""
        self._edit(lambda selection: selection.with_classes(labels, on))

    def only_classes(self, labels: list[int]) -> None:
        """Take whole classes and nothing else."""
        self._edit(lambda selection: selection.cleared().with_classes(labels))

    def invert_classes(self, labels: list[int]) -> None:
        """Within some classes, take what is not chosen and the other way round."""
        self._edit(lambda selection: selection.toggled_classes(labels))

    def mark(self, images: np.ndarray, how: str) -> None:
        """Change single training images: "toggle", "add" or "remove"; "back" undoes the toggle of the image before."""
        project, one = self._context.project, int(images[0]) if len(images) == 1 else None
        before, (toggled, self._toggled) = project.selection, (self._toggled, None)
        if how == "back":
            if one is not None and toggled == one:
                project.undo_selection()
        elif how == "toggle":
            self._edit(lambda selection: self._as_suspects(selection, selection.toggled(images)))
            if before != project.selection:
                self._toggled = one
        else:
            self._edit(lambda selection: self._as_suspects(selection, selection.with_samples(images, how == "add")))

    def _as_suspects(self, before: Selection, after: Selection) -> Selection:
        """Make of a first choice among suspects a correction; the box says so, and takes it back."""
        found = self.gallery.suspects
        return after if before.count or found is None else after.correcting(trigger=found.trigger)

    def add_list(self, match: ListMatch) -> None:
        """Add what a forget list matched."""
        self._edit(
            lambda selection: selection.with_samples(match.matched, weights=match.weights, similar=match.similar)
        )

    def add_similar(self, images: np.ndarray, threshold: float) -> None:
        """Add kept images that look like forget images, shown from an agreement on, in one step."""
        self._edit(lambda selection: selection.with_samples(images, similar=threshold))

    def correct(self, on: bool) -> None:
        """Say whether the chosen images should not have been as they are."""
        found = self.gallery.suspects
        trigger = found.trigger if found is not None else None
        self._edit(lambda selection: selection.correcting(on, trigger or selection.trigger))

    def take_suspects(self) -> None:
        """Take the images that the order in view takes for wrong."""
        if (found := self.gallery.suspects) is not None:
            self.mark(found.order[: found.likely], "add")

    def clear(self) -> None:
        """Take everything out."""
        self._edit(lambda selection: selection.cleared())

    def _edit(self, change: Callable[[Selection], Selection]) -> None:
        """Make the forget set what `change` makes of it, in one step back and forth, and say what that was."""
        old = self._context.project.selection
        if old is None:
            return
        asked = change(old)
        new = self.earlier.without(asked)
        gone = asked.count - new.count
        added = int(np.count_nonzero(new.mask & ~old.mask))
        removed = int(np.count_nonzero(old.mask & ~new.mask))
        self._context.project.set_selection(new)
        parts = ((added, tr("{count} added", count=fmt.count(added))),
                 (removed, tr("{count} removed", count=fmt.count(removed))),
                 (gone, tr("{count} already forgotten", count=fmt.count(gone))))  # fmt: skip
        self._page.confirm(", ".join(said for number, said in parts if number), bool(added + removed))
        self._confirm_timer.start()

    def _unconfirm(self) -> None:
        self._confirm_timer.stop()
        self._page.confirm("")

    def _gallery_marked(self, images: np.ndarray, how: str) -> None:
        if self._page.gallery_model.part == "train":
            self.mark(images, how)
        else:
            never = tr("Test images were never trained on, so there is nothing to remove.")
            self._context.notifications.info(never)

    # -- one image -------------------------------------------------------------------------------------------------

    def _inspect(self, image: int) -> None:
        self.inspector.open(self._page.gallery_model.part, image)

    def _inspect_on_map(self, image: int) -> None:
        if self._page.gallery_model.part == "train":
            self._page.gallery_panel.view.show_image(image)
        self.inspector.open("train", image)

    def menu(self, image: int) -> QMenu:
        """Return the context menu of an image of the gallery."""
        page, selection, images = self._page, self._context.project.selection, self.gallery.images
        menu, part = QMenu(page.gallery_panel), page.gallery_model.part
        menu.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        if images is None or selection is None:
            return menu
        label, name = int(images.labels(part)[image]), images.class_of(part, image)
        menu.addAction(tr("Open the image"), partial(self._inspect, image))
        if part == "train":
            mark = tr("Keep this image") if selection.mask[image] else tr("Forget this image")
            menu.addAction(mark, partial(self.mark, np.array([image]), "toggle"))
            whole = label in selection.complete_classes
            keep, forget = tr("Keep all of class {name}", name=name), tr("Forget all of class {name}", name=name)
            menu.addAction(keep if whole else forget, partial(self.toggle_classes, [label], not whole))
            if self.map.shown:
                menu.addAction(tr("Show on the map"), partial(self.map.show_image, image))
        menu.addAction(tr("Copy the name"), partial(QGuiApplication.clipboard().setText, images.name(part, image)))
        return menu

    # -- showing it ------------------------------------------------------------------------------------------------

    def _dataset_changed(self) -> None:
        page, dataset = self._page, self._context.project.dataset
        page.stack.setCurrentIndex(0 if dataset is None else 1)
        page.class_model.set_data(dataset)
        page.tools.set_classes(dataset.classes if dataset is not None else ())
        self._set_thumbnails()
        self._evaluated()
        self._selection_changed()

    def _set_thumbnails(self) -> None:
        side, page, dataset = self._context.settings.values.thumbnail_size, self._page, self._context.project.dataset
        page.gallery_panel.view.set_side(side)
        page.thumbnails.set_source(pixels_of(dataset), theme.px(side), page.devicePixelRatioF())

    def _settings_changed(self, names: list[str]) -> None:
        if "thumbnail_size" in names:
            self._set_thumbnails()

    def _evaluated(self) -> None:
        page, found = self._page, self._context.project.evaluation.get("baseline")
        page.class_model.set_accuracy(found.class_accuracy if found is not None else None)
        page.tools.set_measured(found)
        if page.isVisible():
            self.map.refresh()
        self.gallery.arrange()

    def _selection_changed(self) -> None:
        page, selection = self._page, self._context.project.selection
        self._show_summary()  # first: the count changes at once
        self._unconfirm()  # what was said is of the change before; its Undo would take this one back
        page.class_model.set_selection(selection)
        self.gallery.show_forget_set()
        self.map.show_selection()
        if page.isVisible():
            self.similar.refresh()

    def _show_summary(self) -> None:
        page, project, selection = self._page, self._context.project, self._context.project.selection
        problem = "" if project.opened_model is not None else tr("Open a model first.")
        if selection is None:
            page.summary.setText("")
            problem = tr("Open the data first.")
        else:
            page.summary.setText(self._words(selection))
            try:
                selection.check()
                self.earlier.joined(selection).check()
            except ForgetSetError as error:
                problem = tr(error.message)
        conflict = "" if problem or selection is None else self.earlier.conflict(selection)
        page.set_missing(problem or conflict)
        page.next_button.setEnabled(not (problem or conflict))
        chosen = not self._why_no_export()
        page.correct_box.setVisible(chosen and not problem)  # what is missing stands in its place
        page.correct_box.setChecked(selection is not None and selection.corrective)
        page.clear_button.setEnabled(chosen)
        page.tools.export_button.setEnabled(chosen)

    def _why_no_export(self) -> str:
        return "" if self._context.project.selection else tr("Nothing is chosen to be forgotten.")

    def _earlier_changed(self) -> None:
        self._page.class_model.set_earlier(self.earlier.mask)
        self._selection_changed()

    def _words(self, selection: Selection) -> str:
        """The summary; it says how many images were forgotten before, and where chosen ones are among them."""
        told, mask = described(selection), self.earlier.mask
        if mask is None or not selection.count:
            return told
        again = int(np.count_nonzero(selection.mask & mask))
        if again:
            return tr("{told} · {again} of them already forgotten", told=told, again=fmt.count(again))
        return tr("{told} · plus {images} forgotten earlier", told=told, images=fmt.images(int(mask.sum())))
