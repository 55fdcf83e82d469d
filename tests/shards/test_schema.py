"""The schema names its columns for Hugging Face, and shard plans add up."""

from __future__ import annotations

import json
from pathlib import Path

import pyarrow as pa
import pytest

from pipeline.core.types import DatasetSpec, LabelSpec, Refusal
from pipeline.shards import schema

SPEC = DatasetSpec(
    name="tiny",
    images=("color", "hha"),
    labels={"semantic": LabelSpec(classes=("sky", "sea"), palette=((0, 0, 0), (1, 2, 3)))},
    mean={"color": (1.5, 2.0, 3.0)},
    modes={"hha": "L"},
)


def test_every_encoded_column_is_an_image_to_hugging_face() -> None:
    arrow = schema.arrow_schema(SPEC)
    assert arrow.names == ["id", "color", "hha", "semantic", "height", "width"]
    assert arrow.field("hha").type == pa.struct([("bytes", pa.binary()), ("path", pa.string())])
    features = json.loads(arrow.metadata[b"huggingface"])["info"]["features"]
    assert list(features) == arrow.names
    assert [name for name, feature in features.items() if feature["_type"] == "Image"] == ["color", "hha", "semantic"]


@pytest.mark.parametrize(("rows", "per", "sizes"), [(5, 2, [2, 2, 1]), (4, 2, [2, 2]), (1, 500, [1]), (0, 3, [])])
def test_shard_sizes_add_up(rows: int, per: int, sizes: list[int]) -> None:
    assert schema.shard_sizes(rows, per) == sizes


@pytest.mark.parametrize("per", [0, -1, "500", 2.5])
def test_rows_per_shard_is_a_positive_whole_number(per: int) -> None:
    with pytest.raises(Refusal, match=f"rows_per_shard is {per!r}"):
        schema.shard_sizes(10, per)


def test_manifest_survives_json() -> None:
    manifest = schema.Manifest(
        spec=SPEC,
        split="train",
        ids=("b", "a"),
        ids_sha256="0" * 64,
        pixels={"semantic": {"sky": 3, "sea": 0, "void": 2}},
        moments={"color": schema.Moments(mean=(1.5, 2.25, 0.1), std=(0.0, 3.0, 1.0))},
        shards=(schema.Shard(file=schema.shard_name(0, 1), rows=2, bytes=9, sha256="1" * 64),),
        digest="2" * 64,
    )
    again = schema.Manifest.from_json(json.loads(json.dumps(manifest.to_json(), sort_keys=True)))
    assert again == manifest
    assert again.rows == 2
    assert manifest.shards[0].file == "part-00000-of-00001.parquet"


def test_a_folder_without_manifest_is_refused(tmp_path: Path) -> None:
    with pytest.raises(Refusal, match=r"has no manifest\.json: run its convert stage"):
        schema.read_manifest(tmp_path)
    for text in ("{", "{}", "[]", '{"spec": 3}'):
        (tmp_path / schema.MANIFEST).write_text(text)
        with pytest.raises(Refusal, match=r"manifest\.json is damaged"):
            schema.read_manifest(tmp_path)
