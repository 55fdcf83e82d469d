"""Which images there are: ids like the original's, as pure functions of a seed and a count."""

from __future__ import annotations

from pipeline.miniature.shared._chance import generator

# category: the first letters of the original's file numbers
_STYLES = {
    "coast": ("arnat", "bea", "cdmc", "land", "natu", "sun"),
    "forest": ("for", "nat", "natu", "text"),
    "highway": ("bost", "gre", "par", "urb"),
    "insidecity": ("art", "bost", "hous", "urb"),
    "mountain": ("land", "nat", "natu", "sharp"),
    "opencountry": ("fie", "land", "natu", "sop"),
    "street": ("bost", "hexp", "par", "urb"),
    "tallbuilding": ("art", "bost", "urban"),
}
_TROUPES = ("trainval", "test", "unannotated")


def troupe(seed: int, name: str, count: int) -> list[str]:
    """The first ``count`` ids of a troupe, which share none with another; the categories take turns."""
    return [_id(seed, _TROUPES.index(name), k) for k in range(count)]


def _id(seed: int, troupe: int, k: int) -> str:
    category = list(_STYLES)[(k * 3 + troupe) % len(_STYLES)]
    number = k * len(_TROUPES) + troupe + 1
    style = generator(seed, "style", str(number)).choice(_STYLES[category])
    return f"{category}_{style}{number}"
