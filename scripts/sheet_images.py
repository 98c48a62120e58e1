"""Writes the images of the window's style sheet: `python -m scripts.sheet_images`.

Qt's style sheets take images from files only, and in one colour each: icons of resources/icons become
resources/sheet/SCHEME/NAME.svg in the colours of app/services/tokens.py. A test holds them equal.
"""

from __future__ import annotations

from app.services.icons import svg_text
from app.services.stylesheet import SHEET_IMAGES
from app.services.tokens import DARK, LIGHT

IMAGES = {  # each an icon in a token's colour
    "tick": ("tick", "on_accent"), "tick_off": ("tick", "disabled"), "dash": ("minus", "on_accent"),
    "down": ("chevron-down", "text_2"), "down_off": ("chevron-down", "disabled"),
    "up": ("chevron-up", "text_2"), "up_off": ("chevron-up", "disabled"), "right": ("chevron-right", "text_2"),
    "dot": ("dot", "on_accent"), "dot_off": ("dot", "disabled"),
}  # fmt: skip
# A filled dot inside a checked radio button; not an icon of the family.
DOT = (
    '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 16 16">'
    '<circle cx="8" cy="8" r="3.6" fill="currentColor"/></svg>'
)


def images() -> dict[str, str]:
    """Return the text of each file by its path below SHEET_IMAGES."""
    return {f"{scheme.name}/{name}.svg":
            (DOT if icon == "dot" else svg_text(icon)).replace("currentColor", scheme.value(token))
            for scheme in (LIGHT, DARK) for name, (icon, token) in IMAGES.items()}  # fmt: skip


def main() -> None:
    """Write all of them."""
    for name, text in images().items():
        path = SHEET_IMAGES / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
