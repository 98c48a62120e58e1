"""Arranges the gallery: a few images at once, many in a worker, so that no filter or order holds the window up."""

from __future__ import annotations

from functools import partial

import numpy as np
from PySide6.QtCore import QCoreApplication, QObject, Signal

from app.models.gallery import AT_ONCE, Images, Wanted
from app.workers.jobs import Jobs

KEY = "arrange"


class Arranger(QObject):
    """`arranged(images, wanted, order)` for the latest call of `arrange`; those before it are dropped."""

    arranged = Signal(object, object, object)
    failed = Signal(object)

    def __init__(self, parent: QObject) -> None:
        super().__init__(parent)
        # Its own worker: the gallery answers also while data is opened and similar images are looked for.
        self._jobs = Jobs(1, self)
        app = QCoreApplication.instance()
        if app is not None:
            app.aboutToQuit.connect(self.close)

    @property
    def busy(self) -> bool:
        """Whether an order is being made."""
        return self._jobs.active() > 0

    def arrange(self, images: Images, wanted: Wanted, mask: np.ndarray | None) -> bool:
        """Arrange `images`; False where that is done before it returns."""
        self.cancel()
        if wanted.is_plain or len(images.labels(wanted.part)) <= AT_ONCE:
            self.arranged.emit(images, wanted, images.arrange(wanted, mask))
            return False
        handle = self._jobs.submit(images.arrange, wanted, mask, key=KEY)
        handle.done.connect(partial(self.arranged.emit, images, wanted))
        handle.failed.connect(self.failed)
        return True

    def cancel(self) -> None:
        """What is being arranged is not wanted any more."""
        self._jobs.cancel(KEY)

    def close(self) -> None:
        """Wait for the worker, which takes a moment."""
        self._jobs.shutdown()
