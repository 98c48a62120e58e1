"""Acts for the Forget page: every way of choosing edits the one forget set of the project, with undo."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np
from PySide6.QtCore import QObject, QPoint, Qt, QTimer, QUrl
from PySide6.QtGui import QDesktopServices, QGuiApplication
from PySide6.QtWidgets import QMenu

from app.models.gallery import NEEDS_FORGET, VALUES, Images, Wanted
from app.pages.forget.arranger import Arranger
from app.pages.forget.earlier import EarlierPresenter, counts
from app.pages.forget.inspector import Inspector
from app.pages.forget.lists import ForgetLists
from app.pages.forget.map_card import MapPresenter
from app.pages.forget.near_presenter import NearPresenter
from app.pages.forget.similar_presenter import SimilarPresenter
from app.pages.forget.twins_presenter import TwinsPresenter
from app.services import format as fmt
from app.services.opening import explain
from app.services.run_words import described
from app.services.theme import theme
from app.services.translation import tr
from core.errors import ForgetSetError

if TYPE_CHECKING:
    from app.context import AppContext
    from app.pages.forget.page import ForgetPage
    from core.selection import Selection
    from core.session.forget_lists import ListMatch

CONFIRM_MS = 4000
NO_MODEL = "Open a model first."
NEVER_TRAINED = "Test images were never trained on, so there is nothing to remove."
NOTHING_MATCHES = "No image matches the search and filters."
ARRANGING = "Arranging…"
LOOKING = "Looking for duplicates{} …"


class ForgetPresenter(QObject):
    """Keeps table, gallery, map and summary on the forget set."""

    def __init__(self, context: AppContext, page: ForgetPage) -> None:
        super().__init__(page)
        self._context, self._page = context, page
        self._images: Images | None = None
        self.lists = ForgetLists(context, page, self)
        self.map = MapPresenter(context, page.map_panel, page.thumbnails, self)
        self.similar = SimilarPresenter(context, page.similar_card, page.thumbnails, self)
        self.near = NearPresenter(context, self)
        self.twins = TwinsPresenter(context, self)
        self.inspector = Inspector(context, page)
        self._toggled: tuple[int, Selection] | None = None  # the image marked last, and the forget set before
        self.arranger = Arranger(self)
        self.earlier = EarlierPresenter(context, page.earlier_card, self)
        self._confirm_timer = QTimer(self)
        self._confirm_timer.setSingleShot(True)
        self._confirm_timer.setInterval(CONFIRM_MS)
        self._confirm_timer.timeout.connect(self._unconfirm)
        self._search_timer = QTimer(self)  # typing searches once it pauses
        self._search_timer.setSingleShot(True)
        self._search_timer.setInterval(0)
        self._search_timer.timeout.connect(self.arrange)
        self._stale_map = True
        self._connect()
        self._dataset_changed()
        self.earlier.refresh()

    def entered(self) -> None:
        """The page is shown: draw what was left alone while it was not."""
        self._draw_map()
        self.similar.refresh()

    def left(self) -> None:
        """Another page is shown."""
        self.similar.stop()
        self._unconfirm()

    def _connect(self) -> None:
        page, project = self._page, self._context.project
        project.dataset_changed.connect(self._dataset_changed)
        project.evaluation_changed.connect(self._evaluated)
        project.model_changed.connect(self._show_summary)
        project.selection_changed.connect(self._selection_changed)
        classes = page.class_panel
        classes.toggle_wanted.connect(self.toggle_classes)
        classes.only_wanted.connect(self.only_class)
        classes.invert_wanted.connect(self.invert_classes)
        classes.hovered.connect(self._class_hovered)
        classes.opened.connect(page.tools.choose_class)
        view = page.gallery_panel.view
        view.mark_wanted.connect(self._gallery_marked)
        view.inspect_wanted.connect(self._inspect_shown)
        view.menu_wanted.connect(self._open_menu)
        self.map.inspect_wanted.connect(self._inspect_on_map)
        self.inspector.mark_wanted.connect(self.mark)
        self.inspector.map_wanted.connect(self.map.show_image)
        self.inspector.moved.connect(self._inspected)
        self.map.mark_wanted.connect(self.mark)
        self.similar.added.connect(self.add_similar)
        self.near.changed.connect(self.arrange)
        self.twins.changed.connect(self.arrange)
        self.twins.progressed.connect(self._looked_for_twins)
        self.twins.failed.connect(self._no_twins)
        self.arranger.arranged.connect(self._arranged)
        self.arranger.failed.connect(self._not_arranged)
        page.tools.filters.opening.connect(self._say_limits)
        self.earlier.changed.connect(self._earlier_changed)
        page.tools.changed.connect(self._search_timer.start)
        page.tools.import_button.clicked.connect(self.lists.ask_import)
        page.tools.export_button.clicked.connect(self.lists.ask_export)
        self._context.actions.add("forget.export_list", "E&xport the forget list…", self.lists.ask_export, menu="edit",
                                  icon="export", why_disabled=self._why_no_export)  # fmt: skip
        self.lists.matched.connect(self.add_list)
        self.lists.failed.connect(self._list_failed)
        page.clear_button.clicked.connect(self.clear)
        page.undo_button.clicked.connect(self._undo)
        self._context.settings.changed.connect(self._settings_changed)
        self._context.opening.list_wanted.connect(self.lists.read)

    # -- changing the forget set -----------------------------------------------------------------------------------

    def toggle_classes(self, labels: list[int], on: bool) -> None:
        """Take whole classes, or take them out."""
        selection = self._context.project.selection
        if selection is not None:
            self._change(selection.with_classes(labels, on))

    def only_class(self, label: int) -> None:
        """Take one class and nothing else."""
        selection = self._context.project.selection
        if selection is not None:
            self._change(selection.cleared().with_classes([label]))

    def invert_classes(self, labels: list[int]) -> None:
        """Within some classes, take what is not chosen and the other way round."""
        selection = self._context.project.selection
        if selection is not None:
            self._change(selection.toggled_classes(labels))

    def mark(self, images: np.ndarray, how: str) -> None:
        """Change single training images: "toggle", "add" or "remove"; "back" undoes the toggle of the image before."""
        selection = self._context.project.selection
        if selection is None:
            return
        toggled, self._toggled = self._toggled, None
        if how == "back":
            if toggled is not None and len(images) == 1 and toggled[0] == int(images[0]):
                self._context.project.undo_selection()
        elif how == "toggle":
            self._change(selection.toggled(images))
            changed = selection != self._context.project.selection
            self._toggled = (int(images[0]), selection) if len(images) == 1 and changed else None
        else:
            self._change(selection.with_samples(images, how == "add"))

    def add_list(self, match: ListMatch) -> None:
        """Add what a forget list matched."""
        selection = self._context.project.selection
        if selection is not None:
            added = selection.with_samples(match.matched, weights=match.weights, similar=match.similar)
            self._change(added, always_say=True)

    def add_similar(self, images: np.ndarray, threshold: float) -> None:
        """Add kept images that look like forget images, shown from an agreement on, in one step."""
        selection = self._context.project.selection
        if selection is not None:
            self._change(selection.with_samples(images, similar=threshold), always_say=True)

    def clear(self) -> None:
        """Take everything out."""
        selection = self._context.project.selection
        if selection is not None:
            self._change(selection.cleared())

    def _change(self, new: Selection, always_say: bool = False) -> None:
        old = self._context.project.selection
        if old is None:
            return
        asked, new = new, self.earlier.without(new)
        gone = asked.count - new.count
        added = int(np.count_nonzero(new.mask & ~old.mask))
        removed = int(np.count_nonzero(old.mask & ~new.mask))
        self._context.project.set_selection(new)
        if added + removed > 1 or gone or always_say:
            parts = [f"{fmt.count(added)} added" if added or not removed else "",
                     f"{fmt.count(removed)} removed" if removed else "",
                     f"{fmt.count(gone)} already forgotten" if gone else ""]  # fmt: skip
            self._confirm(", ".join(part for part in parts if part), bool(added + removed))

    def _gallery_marked(self, images: np.ndarray, how: str) -> None:
        if self._page.gallery_model.part != "train":
            self._context.notifications.info(NEVER_TRAINED)
            return
        self.mark(images, how)

    # -- one image -------------------------------------------------------------------------------------------------

    def _inspect_shown(self, image: int) -> None:
        """Inspect an image of the gallery; arrow keys lead through what it shows."""
        model = self._page.gallery_model
        self.inspector.set_order(model.part, model.ids(0, model.count))
        self.inspector.open(model.part, image)

    def _inspect_on_map(self, image: int) -> None:
        model = self._page.gallery_model
        among = model.part == "train" and model.cell_of(image) >= 0
        self.inspector.set_order("train", model.ids(0, model.count) if among else np.array([image]))
        self.inspector.open("train", image)

    def _inspected(self, part: str, image: int) -> None:
        if part == self._page.gallery_model.part:
            self._page.gallery_panel.view.show_image(image)

    def _open_menu(self, image: int, place: QPoint) -> None:
        menu = self.menu(image)
        menu.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        menu.popup(place)

    def menu(self, image: int) -> QMenu:
        """Return the context menu of an image of the gallery."""
        page, selection, images = self._page, self._context.project.selection, self._images
        menu = QMenu(page.gallery_panel)
        if images is None or selection is None:
            return menu
        part = page.gallery_model.part
        label = int(images.labels(part)[image])
        name = images.dataset.classes[label]
        menu.addAction(tr("Open the image"), partial(self._inspect_shown, image))
        if part == "train":
            menu.addSeparator()
            said = tr("Keep this image") if selection.mask[image] else tr("Forget this image")
            menu.addAction(said, partial(self.mark, np.array([image]), "toggle"))
            menu.addAction(tr("Forget all of class {name}", name=name), partial(self.toggle_classes, [label], True))
            menu.addAction(tr("Keep all of class {name}", name=name), partial(self.toggle_classes, [label], False))
        menu.addSeparator()
        menu.addAction(tr("Show class {name} only", name=name), partial(page.tools.choose_class, label))
        if part == "train" and self.map.shown:
            menu.addAction(tr("Show on the map"), partial(self.map.show_image, image))
        menu.addSeparator()
        menu.addAction(tr("Copy the name"), partial(QGuiApplication.clipboard().setText, images.name(part, image)))
        file = images.file(part, image)
        if file is not None:
            folder = QUrl.fromLocalFile(str(file.parent))
            menu.addAction(tr("Open the file's folder"), partial(QDesktopServices.openUrl, folder))
        return menu

    # -- showing it ------------------------------------------------------------------------------------------------

    def arrange(self) -> None:
        """Fill the gallery as its filters say."""
        page, selection = self._page, self._context.project.selection
        wanted = page.tools.wanted()
        if self._images is None:
            self.arranger.cancel()
            page.gallery_model.show(None, "train", np.zeros(0, np.int64), None)
            return
        self._images.near, self._images.twins = self.near.found, self.twins.found
        self.near.want(wanted.sort in NEEDS_FORGET)
        self.twins.want(wanted.needs_twins)
        page.tools.set_names(self._images.has_names(wanted.part), tuple(self._images.dataset.train.columns))
        page.tools.filters.panel.set_twins_known(wanted.part == "train")
        if wanted.needs_twins and self._images.twins is None:
            self._looked_for_twins()
        elif self.arranger.arrange(self._images, wanted, selection.mask if selection is not None else None):
            page.gallery_panel.set_count(ARRANGING)

    def _arranged(self, images: Images, wanted: Wanted, order: np.ndarray) -> None:
        page, selection = self._page, self._context.project.selection
        if images is not self._images:
            return
        page.gallery_model.show(images, wanted.part, order, selection.mask if selection is not None else None)
        page.gallery_panel.view.scrollToTop()
        total = len(images.labels(wanted.part))
        whole = fmt.count(total) if len(order) == total else f"{fmt.count(len(order))} of {fmt.count(total)}"
        page.gallery_panel.set_count(whole)
        if len(order):
            page.gallery_panel.show_nothing("")
        elif total:
            page.gallery_panel.show_nothing(NOTHING_MATCHES, "Show all images", page.tools.reset)
        else:
            page.gallery_panel.show_nothing("There are no images in this part.")

    def _not_arranged(self, error: BaseException) -> None:
        self._context.notifications.error(error, "The images could not be arranged")

    def _looked_for_twins(self, done: int = 0, total: int = 0) -> None:
        self.arranger.cancel()
        share = f" ({fmt.count(done)} of {fmt.count(total)})" if total else ""
        self._page.gallery_panel.set_count(LOOKING.format(share))

    def _no_twins(self, error: BaseException) -> None:
        self._page.gallery_panel.set_count("Duplicates are not known.")
        self._context.notifications.caution(f"Duplicates could not be looked for. {explain(error)}")

    def _say_limits(self) -> None:
        if self._images is not None:
            part = self._page.tools.wanted().part
            self._page.tools.filters.panel.set_limits({value: self._images.limits(part, value) for value in VALUES})

    def _dataset_changed(self) -> None:
        project, page = self._context.project, self._page
        dataset = project.dataset
        self._images = Images(dataset, project.evaluation.get("baseline")) if dataset is not None else None
        page.set_usable(dataset is not None)
        page.class_model.set_data(dataset)
        page.tools.set_classes(dataset.classes if dataset is not None else ())
        self._set_thumbnails()
        self._unconfirm()
        self._evaluated()
        self._selection_changed()

    def _set_thumbnails(self) -> None:
        side, page = self._context.settings.values.thumbnail_size, self._page
        page.gallery_panel.view.set_side(side)
        pixels = pixels_of(self._context.project.dataset)
        page.thumbnails.set_source(pixels, theme.px(side), page.devicePixelRatioF())

    def _settings_changed(self, names: list[str]) -> None:
        if "thumbnail_size" in names:
            self._set_thumbnails()
            self._page.gallery_panel.view.viewport().update()

    def _evaluated(self) -> None:
        project, page = self._context.project, self._page
        found = project.evaluation.get("baseline")
        if self._images is not None:
            self._images.baseline = found
        page.class_model.set_accuracy(found.class_accuracy if found is not None else None)
        page.tools.set_measured(found is not None)
        self._stale_map = True
        if page.isVisible():
            self._draw_map()
        self.arrange()

    def _draw_map(self) -> None:
        if self._stale_map:
            self._stale_map = False
            self.map.refresh()
            self.map.show_selection()

    def _selection_changed(self) -> None:
        project, page = self._context.project, self._page
        selection = project.selection
        self._show_summary()  # first: the count changes at once
        self._unconfirm()  # what was said is of the change before; its Undo would take this one back
        page.class_model.set_selection(selection)
        if selection is not None:
            page.gallery_model.set_mask(selection.mask)
            page.gallery_panel.view.viewport().update()
            if not self._stale_map:
                self.map.show_selection()
        self.near.refresh()
        if page.isVisible():
            self.similar.refresh()

    def _show_summary(self) -> None:
        project, page = self._context.project, self._page
        selection = project.selection
        page.set_summary(self._words(selection) if selection is not None else "")
        problem = ""
        try:
            if selection is not None:
                selection.check()
                self.earlier.joined(selection).check()
        except ForgetSetError as error:
            problem = error.message
        if selection is None:
            problem = "Open the data first."
        elif not problem and project.opened_model is None:
            problem = NO_MODEL
        page.set_missing(problem)
        page.next_button.setEnabled(not problem)
        chosen = not self._why_no_export()
        page.clear_button.setEnabled(chosen)
        page.tools.export_button.setEnabled(chosen)

    def _why_no_export(self) -> str:
        selection = self._context.project.selection
        return "" if selection is not None and selection.count else "Nothing is chosen to be forgotten."

    def _earlier_changed(self) -> None:
        page, mask = self._page, self.earlier.mask
        self.similar.earlier = mask
        page.class_model.set_earlier(counts(mask, self._context.project.dataset))
        page.gallery_model.set_earlier(mask)
        page.gallery_panel.view.viewport().update()
        self.near.refresh()
        self._show_summary()

    def _words(self, selection: Selection) -> str:
        """The summary; it says how many images were forgotten before, and where chosen ones are among them."""
        told, mask = described(selection), self.earlier.mask
        if mask is None or not selection.count:
            return told
        again = int(np.count_nonzero(selection.mask & mask))
        before = f"{fmt.count(again)} of them already forgotten" if again else f"plus {fmt.images(int(mask.sum()))}"
        return f"{told} · {before}{'' if again else ' forgotten earlier'}"

    def _class_hovered(self, label: int) -> None:
        self._page.gallery_panel.view.light_class(label)
        self._page.map_panel.scatter.highlight_class(label if label >= 0 else None)

    # -- saying what was done --------------------------------------------------------------------------------------

    def _confirm(self, text: str, undoable: bool) -> None:
        self._page.confirm(text, undoable)
        self._confirm_timer.start()

    def _unconfirm(self) -> None:
        self._confirm_timer.stop()
        self._page.confirm("", False)

    def _undo(self) -> None:
        self._context.project.undo_selection()
        self._unconfirm()

    def _list_failed(self, text: str) -> None:
        self._page.banner.show_message(text, "error")


def pixels_of(dataset: Any) -> Any:
    """Return what gives an image's pixels by its thumbnail key."""
    if dataset is None:
        return None
    parts = {"train": dataset.train.images, "test": dataset.test.images}
    return lambda key: parts[key[0]][key[1]].numpy()
