"""Which of PASCAL's two segmentation competitions a recipe may enter, told by what its weights have seen."""

from __future__ import annotations

from pathlib import Path, PurePosixPath

from stages.shared.dvc import declared

OWN, ANY = "comp5", "comp6"


def competition(root: Path, recipe: str | None) -> tuple[str, str]:
    """comp5 where all of the weights come from VOC's own labels, else comp6; and why.

    Weights of ImageNet and labels of SBD are other data (VOC2012 devkit, section 5.2), so of a ladder each rung counts,
    down to the net that it began from. A net without ``recipe`` is comp6, which only VOC's test images are kept from.

    Raises Refusal for a recipe that params.yaml lacks.
    """
    if recipe is None:
        return ANY, "its training is not known"
    while True:
        row = declared(f"train@{recipe}", root)[f"recipes.{recipe}"]
        if not row["train"].startswith("voc/"):
            return ANY, f"{recipe} trains on {row['train']}"
        if row["start"] == "random":
            return OWN, f"{recipe} begins at random and trains on {row['train']}"
        init = PurePosixPath(row["init"])
        if init.parts[0] != "runs":
            return ANY, f"{recipe} begins from {init}"
        recipe = init.parts[1]
