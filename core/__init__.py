"""Unlearning without an interface: data, models, methods, engine, measures, runs. Imports no Qt and, here, no torch."""
