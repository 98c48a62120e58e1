"""The Forget page: chooses what to forget, by class, by image, by place on a map or from a list."""

from app.pages.forget.page import ForgetPage

__all__ = ["ForgetPage"]
