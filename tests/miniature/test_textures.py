"""Every class has its own texture: a tone in 0–1 that no other class shares."""

from __future__ import annotations

import numpy as np
import pytest

from pipeline.miniature.shared.scenes.classes import KINDS, NAMES


@pytest.mark.parametrize("name", NAMES)
def test_a_texture_gives_tones_with_contrast(name: str) -> None:
    v, u = np.mgrid[:64, :64].astype(np.float32) * np.float32(1.2) - 30
    tone = KINDS[name].texture(u, v)

    assert tone.dtype == np.float32
    assert tone.min() >= 0 and tone.max() <= 1
    assert tone.std() > 0.15


def test_no_two_classes_share_a_texture() -> None:
    assert len({kind.texture for kind in KINDS.values()}) == len(NAMES)
