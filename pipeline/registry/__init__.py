"""Registered models, saved views and timings in MLflow, which reads what pipeline.tracking sets."""

import pipeline.tracking  # noqa: F401
