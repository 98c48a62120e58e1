"""The generated style sheet: what Fusion draws otherwise, with every state written out; and its images."""

from __future__ import annotations

from collections.abc import Callable

from app.services.tokens import Tokens
from core.files import RESOURCES

SHEET_IMAGES = RESOURCES / "sheet"  # one folder a scheme, written by scripts/sheet_images.py


def build_stylesheet(colours: Tokens, px: Callable[[float], int], caption_pt: float) -> str:
    """Return the style sheet of one scheme.

    `px` scales logical pixels with the system font and `caption_pt` is the caption size in points.
    """
    values = dict(colours.colours)
    values |= {f"p{n}": f"{px(n)}px" for n in (1, 2, 3, 4, 5, 6, 8, 10, 12, 14, 16, 18, 20, 24, 26, 28, 52)}
    # A radius above half the height would draw square corners, which rounding makes at some font sizes.
    halves = {"round_chip": px(20), "round_chip_button": px(18) + 2, "round_radio": px(14) + 2}
    values |= {name: f"{height // 2}px" for name, height in halves.items()}
    values["caption"] = f"{caption_pt:.2f}pt"
    values["images"] = (SHEET_IMAGES / colours.name.split()[0]).as_posix()  # high contrast: of the scheme it is next to
    sheet = _TEMPLATE
    for name in sorted(values, key=len, reverse=True):
        sheet = sheet.replace(f"@{name}@", values[name])
    return sheet


_TEMPLATE = """
QToolTip { background: @surface@; color: @text@; border: 1px solid @outline@; padding: @p4@ @p6@; }

/* Labels by tone */
QLabel { background: transparent; }
QLabel[tone="text-2"] { color: @text_2@; }
QLabel[tone="text-3"] { color: @text_3@; }
QLabel[tone="accent"] { color: @accent@; }
QLabel[tone="danger"] { color: @danger@; }
QLabel[tone="caution"] { color: @caution@; }
QLabel[tone="forget"] { color: @forget@; }
QLabel[tone="retain"] { color: @retain@; }
QLabel[tone="disabled"] { color: @disabled@; }
QLabel[part="term"] { border: none; border-bottom: 1px dotted @text_2@; }
QLabel[strong="true"] { font-weight: 600; }

/* Grounds */
QWidget[ground="window"] { background: @window@; }
QWidget[ground="surface"] { background: @surface@; }
QWidget[ground="sunken"] { background: @sunken@; }
QScrollArea, QScrollArea > QWidget > QWidget[ground="none"] { background: transparent; }
QScrollArea { border: none; }

QFrame[part="card"] { background: @surface@; border: 1px solid @line@; border-radius: @p6@; }
QFrame[part="card"][drop="true"] { background: @accent_tint@; border: 1px solid @accent@; }
QFrame[part="separator"] { background: @line@; border: none; max-height: 1px; min-height: 1px; }
QFrame[part="rail"] { background: @window@; border: none; border-right: 1px solid @line@; }
QFrame[part="header"] { background: @window@; border: none; border-bottom: 1px solid @line@; }
QFrame[part="status"] { background: @window@; border: none; border-top: 1px solid @line@; }
QFrame[part="panel"] { background: @surface@; border: none; border-top: 1px solid @line@; }
QFrame[part="popup"] { background: @surface@; border: 1px solid @outline@; border-radius: @p6@; }

QFrame[part="banner"] { background: @sunken@; border: none; border-left: 3px solid @text_2@; }
QFrame[part="banner"][severity="caution"] { background: @caution_ground@; border-left-color: @caution@; }
QFrame[part="banner"][severity="error"] { background: @danger_ground@; border-left-color: @danger@; }
QFrame[part="banner"][severity="accent"] { background: @accent_tint@; border-left-color: @accent@; }

QFrame[part="chip"] { background: transparent; border: 1px solid transparent; border-radius: @round_chip@; }
QFrame[part="chip"] > QLabel { color: @text_2@; }
QFrame[part="chip"][severity="caution"] { background: @caution_ground@; border-color: @caution@; }
QFrame[part="chip"][severity="caution"] > QLabel { color: @caution@; }
QFrame[part="chip"][severity="error"] { background: @danger_ground@; border-color: @danger@; }
QFrame[part="chip"][severity="error"] > QLabel { color: @danger@; }

/* Buttons */
QPushButton, QToolButton, QCheckBox, QRadioButton { outline: 0; }
QPushButton { background: @surface@; color: @text@; border: 1px solid @outline@; border-radius: @p4@;
    padding: 0 @p12@; min-height: @p26@; max-height: @p26@; }
QPushButton:hover { background: @sunken@; }
QPushButton:pressed { background: @pressed@; }
QPushButton:checked { background: @accent_tint@; border-color: @accent@; }
QPushButton:disabled { background: @window@; color: @disabled@; border-color: @line@; }
QPushButton::menu-indicator { image: url("@images@/down.svg"); width: @p12@; height: @p12@;
    subcontrol-origin: padding; subcontrol-position: right center; right: @p8@; }
QPushButton[menu="true"] { padding-right: @p28@; }

QPushButton[kind="primary"] { background: @accent@; color: @on_accent@; border: 1px solid @accent@;
    padding: 0 @p16@; font-weight: 600; }
QPushButton[kind="primary"]:hover { background: @accent_hover@; border-color: @accent_hover@; }
QPushButton[kind="primary"]:pressed { background: @accent_pressed@; border-color: @accent_pressed@; }
QPushButton[kind="primary"]:disabled { background: @sunken@; color: @disabled@; border-color: @line@; }

QPushButton[kind="destructive"] { color: @danger@; }
QPushButton[kind="destructive"]:hover { background: @danger_ground@; border-color: @danger@; }
QPushButton[kind="destructive"]:pressed { background: @danger_ground@; border-color: @danger@; }
QPushButton[kind="destructive"]:disabled { background: @window@; color: @disabled@; border-color: @line@; }
QPushButton[kind="destructive-filled"] { background: @danger@; color: @surface@; border-color: @danger@; }
QPushButton[kind="destructive-filled"]:hover { background: @danger@; border-color: @text@; }
QPushButton[kind="destructive-filled"]:pressed { background: @danger@; border-color: @text@; }
QPushButton[kind="destructive-filled"]:disabled { background: @sunken@; color: @disabled@; border-color: @line@; }

QPushButton[kind="rail"] { background: transparent; border: none; border-left: 3px solid transparent;
    border-radius: 0; padding: 0; min-height: @p52@; max-height: @p52@; }
QPushButton[kind="rail"]:hover { background: @sunken@; }
QPushButton[kind="rail"]:checked { background: @accent_tint@; border-left-color: @accent@; }

QPushButton[kind="text"] { background: transparent; color: @accent@; border: 1px solid transparent;
    padding: 0 @p4@; }
QPushButton[kind="text"][compact="true"] { min-height: @p18@; max-height: @p18@; }
QPushButton[kind="text"]:hover { color: @accent_hover@; text-decoration: underline; }
QPushButton[kind="text"]:focus { text-decoration: underline; }
QPushButton[kind="text"]:pressed { color: @accent_pressed@; text-decoration: underline; }
QPushButton[kind="text"]:disabled { color: @disabled@; text-decoration: none; }
QPushButton[kind="text"][tone="danger"] { color: @danger@; }
QPushButton[kind="text"][tone="danger"]:disabled { color: @disabled@; }

QToolButton { background: transparent; border: 1px solid transparent; border-radius: @p4@; color: @text@;
    padding: @p3@; }
QToolButton:hover { background: @sunken@; }
QToolButton:pressed { background: @pressed@; }
QToolButton:checked { background: @accent_tint@; border-color: @accent@; }
QToolButton:disabled { color: @disabled@; background: transparent; }
QToolButton::menu-indicator { image: none; }
QToolButton[kind="icon"] { min-width: @p20@; max-width: @p20@; min-height: @p20@; max-height: @p20@; }
QToolButton[kind="segment"] { border: 1px solid @outline@; border-radius: 0; padding: 0 @p8@;
    min-height: @p20@; max-height: @p20@; background: @surface@; font-size: @caption@; }
QToolButton[kind="segment"]:hover { background: @sunken@; }
QToolButton[kind="segment"]:pressed { background: @pressed@; }
QToolButton[kind="segment"]:checked { background: @accent_tint@; border-color: @accent@; }
QToolButton[kind="segment"]:disabled { color: @disabled@; border-color: @line@; }
QToolButton[kind="chip"] { background: @surface@; color: @text_2@; border: 1px solid @outline@;
    border-radius: @round_chip_button@; padding: 0 @p8@; font-size: @caption@;
    min-height: @p18@; max-height: @p18@; margin: 0; }
QToolButton[kind="chip"]:hover { background: @sunken@; color: @text@; }
QToolButton[kind="chip"]:pressed { background: @pressed@; color: @text@; }
QToolButton[kind="chip"]:checked { background: @accent_tint@; border-color: @accent@; color: @text@; }
QToolButton[kind="chip"]:disabled { color: @disabled@; border-color: @line@; }
QToolButton[kind="link"]:checked { background: transparent; border-color: transparent; }
QToolButton[kind="link"] { color: @text@; text-align: left; padding: @p2@; }
QToolButton[kind="link"][strong="true"] { font-weight: 600; }

/* Fields */
QLineEdit, QAbstractSpinBox, QComboBox { background: @surface@; color: @text@; border: 1px solid @outline@;
    border-radius: @p4@; padding: 0 @p8@; min-height: @p26@; max-height: @p26@;
    selection-background-color: @accent@; selection-color: @on_accent@; }
QLineEdit, QPlainTextEdit, QTextEdit { placeholder-text-color: @placeholder@; }
QLineEdit:hover, QAbstractSpinBox:hover, QComboBox:hover { border-color: @text_3@; }
QLineEdit:focus, QAbstractSpinBox:focus, QComboBox:focus { border-color: @accent@; }
QLineEdit:read-only { background: @window@; }
QLineEdit[invalid="true"], QAbstractSpinBox[invalid="true"], QComboBox[invalid="true"] { border-color: @danger@; }
QLineEdit:disabled, QAbstractSpinBox:disabled, QComboBox:disabled { background: @window@; color: @disabled@;
    border-color: @line@; }
QAbstractSpinBox { padding: 0 @p24@ 0 @p8@; }
QAbstractSpinBox::up-button, QAbstractSpinBox::down-button { subcontrol-origin: border; width: @p20@;
    border: none; background: transparent; margin: 1px; }
QAbstractSpinBox::up-button { subcontrol-position: top right; height: @p12@; }
QAbstractSpinBox::down-button { subcontrol-position: bottom right; height: @p12@; }
QAbstractSpinBox::up-button:hover, QAbstractSpinBox::down-button:hover { background: @sunken@; }
QAbstractSpinBox::up-button:pressed, QAbstractSpinBox::down-button:pressed { background: @pressed@; }
QAbstractSpinBox::up-arrow { image: url("@images@/up.svg"); width: @p10@; height: @p10@; }
QAbstractSpinBox::down-arrow { image: url("@images@/down.svg"); width: @p10@; height: @p10@; }
QAbstractSpinBox::up-arrow:off, QAbstractSpinBox::up-arrow:disabled { image: url("@images@/up_off.svg"); }
QAbstractSpinBox::down-arrow:off, QAbstractSpinBox::down-arrow:disabled { image: url("@images@/down_off.svg"); }
QComboBox { padding: 0 @p4@ 0 @p8@; combobox-popup: 0; }
QComboBox::drop-down { border: none; width: @p24@; subcontrol-origin: padding; subcontrol-position: right; }
QComboBox::down-arrow { image: url("@images@/down.svg"); width: @p12@; height: @p12@; }
QComboBox::down-arrow:disabled { image: url("@images@/down_off.svg"); }
QComboBox QAbstractItemView { background: @surface@; border: 1px solid @outline@; padding: @p4@; outline: 0; }
QComboBox QAbstractItemView::item { min-height: @p26@; padding: 0 @p8@; border-radius: @p4@; }
QComboBox QAbstractItemView::item:selected { background: @selected@; color: @on_selected@; }
QPlainTextEdit, QTextEdit, QTextBrowser { background: @surface@; color: @text@; border: 1px solid @line@;
    border-radius: @p4@; selection-background-color: @accent@; selection-color: @on_accent@; }
QPlainTextEdit:focus, QTextEdit:focus, QTextBrowser:focus { border-color: @accent@; }
QPlainTextEdit:disabled, QTextEdit:disabled { color: @disabled@; background: @window@; }
QPlainTextEdit[part="bare"], QTextBrowser[part="bare"] { border: none; background: transparent; }

QCheckBox, QRadioButton { spacing: @p8@; min-height: @p20@; background: transparent; }
QCheckBox[tone="forget"] { color: @forget@; }
QCheckBox[tone="retrained"] { color: @retrained@; }
QCheckBox[tone="head_only"] { color: @head_only@; }
QCheckBox:disabled, QRadioButton:disabled { color: @disabled@; }
QCheckBox::indicator, QAbstractItemView::indicator, QRadioButton::indicator, QMenu::indicator {
    width: @p14@; height: @p14@; border: 1px solid @outline@; background: @surface@; border-radius: @p3@; }
QRadioButton::indicator { border-radius: @round_radio@; }
QCheckBox::indicator:hover, QAbstractItemView::indicator:hover, QRadioButton::indicator:hover {
    border-color: @accent@; background: @sunken@; }
QCheckBox::indicator:pressed, QRadioButton::indicator:pressed { background: @pressed@; }
QCheckBox::indicator:checked, QAbstractItemView::indicator:checked, QMenu::indicator:checked {
    background: @accent@; border-color: @accent@; image: url("@images@/tick.svg"); }
QRadioButton::indicator:checked {
    background: @accent@; border-color: @accent@; image: url("@images@/dot.svg"); }
QCheckBox::indicator:indeterminate, QAbstractItemView::indicator:indeterminate {
    background: @accent@; border-color: @accent@; image: url("@images@/dash.svg"); }
QCheckBox::indicator:checked:hover, QRadioButton::indicator:checked:hover { background: @accent_hover@; }
QCheckBox::indicator:disabled, QRadioButton::indicator:disabled, QAbstractItemView::indicator:disabled {
    border-color: @line@; background: @window@; }
QCheckBox::indicator:checked:disabled { border-color: @line@; background: @sunken@;
    image: url("@images@/tick_off.svg"); }
QRadioButton::indicator:checked:disabled { border-color: @line@; background: @sunken@;
    image: url("@images@/dot_off.svg"); }

QCheckBox[part="method"] { background: @surface@; border: 1px solid @line@; border-radius: @p6@; }
QCheckBox[part="method"]:hover { background: @sunken@; }
QCheckBox[part="method"]:checked { background: @surface@; border: 2px solid @accent@; }
QCheckBox[part="method"][shown="true"]:checked { background: @accent_tint@; }
QCheckBox[part="method"]:disabled { background: @surface@; }
QCheckBox[part="method"]::indicator { subcontrol-origin: border; subcontrol-position: top left;
    margin: @p10@ @p12@; }
QCheckBox[part="method"] > QLabel:disabled { color: @disabled@; }
QCheckBox[part="method"] > QLabel[part="reason"]:disabled { color: @text_2@; }

/* Tables and lists */
QTableView, QTreeView, QListView { background: @surface@; color: @text@; border: none; outline: 0;
    gridline-color: @line@; selection-background-color: @selected@; selection-color: @on_selected@; }
QTableView::item { border-bottom: 1px solid @line@; padding: 0 @p5@; }
QTreeView::item { border-bottom: 1px solid @line@; padding: 0 @p4@; min-height: @p26@; }
QTableView::item:hover, QTreeView::item:hover { background: @sunken@; }
QTableView::item:selected, QTreeView::item:selected { background: @selected@; color: @on_selected@; }
QListView::item:hover { background: @sunken@; }
QListView::item:selected { background: @selected@; color: @on_selected@; }
QTreeView::branch { border-bottom: 1px solid @line@; }
QTreeView::branch:has-children:closed { image: url("@images@/right.svg"); }
QTreeView::branch:has-children:open { image: url("@images@/down.svg"); }
QListView[ground="sunken"], QTableView[ground="sunken"] { background: @sunken@; }
QHeaderView { background: @sunken@; border: none; }
QHeaderView::section { background: @sunken@; color: @text_2@; border: none; border-bottom: 1px solid @line@;
    padding: 0 @p8@; min-height: @p26@; font-size: @caption@; font-weight: 600; }
QHeaderView::section:hover { color: @text@; }
QHeaderView::section:pressed { background: @pressed@; }
QHeaderView::down-arrow { image: url("@images@/down.svg"); width: @p12@; height: @p12@;
    subcontrol-position: center right; }
QHeaderView::up-arrow { image: url("@images@/up.svg"); width: @p12@; height: @p12@;
    subcontrol-position: center right; }
QTableCornerButton::section { background: @sunken@; border: none; }

/* Tabs */
QTabWidget::pane { border: none; border-top: 1px solid @line@; }
QTabBar { background: transparent; qproperty-drawBase: 0; }
QTabBar::tab { background: transparent; color: @text_2@; border: none; border-bottom: 2px solid transparent;
    padding: @p6@ @p8@; margin-right: @p4@; }
QTabBar[dense="true"] { font-size: @caption@; }
QTabBar[dense="true"]::tab { padding: @p6@ @p3@; margin-right: @p3@; }
QTabBar::tab:hover { color: @text@; border-bottom-color: @line@; }
QTabBar::tab:selected { color: @text@; border-bottom-color: @accent@; font-weight: 600; }
QTabBar::tab:disabled { color: @disabled@; }
QTabBar::tab:focus { color: @accent@; }

/* Menus */
QMenuBar { background: transparent; border: none; }
QMenuBar::item { padding: @p4@ @p8@; border-radius: @p4@; background: transparent; }
QMenuBar::item:selected, QMenuBar::item:pressed { background: @selected@; color: @on_selected@; }
QMenu { background: @surface@; color: @text@; border: 1px solid @outline@; padding: @p4@; }
QMenu::item { padding: @p4@ @p24@ @p4@ @p28@; border-radius: @p4@; min-height: @p20@; }
QMenu::item:selected { background: @selected@; color: @on_selected@; }
QMenu::item:disabled { color: @disabled@; }
QMenu::separator { height: 1px; background: @line@; margin: @p4@ @p8@; }
QMenu::icon { left: @p6@; }
QMenu::indicator { left: @p6@; }
QMenu::right-arrow { image: url("@images@/right.svg"); width: @p12@; height: @p12@; }

/* Progress, slider, scroll bars, splitter */
QProgressBar[part="line"] { background: @sunken@; border: none; border-radius: 2px;
    min-height: @p4@; max-height: @p4@; }
QProgressBar[part="line"]::chunk { background: @accent@; border-radius: 2px; }
QSlider:horizontal { min-height: @p20@; }
QSlider::groove:horizontal { height: @p4@; background: @line@; border-radius: 2px; }
QSlider::sub-page:horizontal { background: @accent@; border-radius: 2px; }
QSlider::sub-page:horizontal:disabled { background: @disabled@; }
QSlider::handle:horizontal { background: @accent@; width: @p14@; height: @p14@; margin: -5px 0;
    border-radius: @p6@; }
QSlider::handle:horizontal:hover { background: @accent_hover@; }
QSlider::handle:horizontal:pressed { background: @accent_pressed@; }
QSlider::handle:horizontal:disabled { background: @disabled@; }
QScrollBar { background: transparent; border: none; margin: 0; }
QScrollBar:vertical { width: @p10@; }
QScrollBar:horizontal { height: @p10@; }
QScrollBar::handle { background: @outline@; border-radius: @p3@; margin: 2px; }
QScrollBar::handle:vertical { min-height: @p28@; }
QScrollBar::handle:horizontal { min-width: @p28@; }
QScrollBar::handle:hover { background: @text_3@; }
QScrollBar::handle:pressed { background: @text_2@; }
QScrollBar::handle:disabled { background: transparent; }
QScrollBar::add-line, QScrollBar::sub-line { width: 0; height: 0; border: none; }
QScrollBar::add-page, QScrollBar::sub-page { background: transparent; }
QAbstractScrollArea::corner { background: transparent; border: none; }
QSplitter::handle { background: transparent; }
QSplitter::handle:hover { background: @line@; }
QSplitter::handle:pressed { background: @accent@; }
QDialog { background: @window@; }
QGroupBox { border: none; margin-top: @p20@; font-weight: 600; }
QGroupBox::title { subcontrol-origin: margin; subcontrol-position: top left; }
QGroupBox:disabled { color: @disabled@; }
"""
