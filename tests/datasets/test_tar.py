"""Archives are read in place, member by member, and doubtful ones are refused by name."""

from __future__ import annotations

import io
import tarfile
from pathlib import Path

import pytest

from pipeline.core.types import Refusal
from pipeline.datasets.shared import tar


def pack(path: Path, members: dict[str, bytes], mode: str = "w", kind: bytes = tarfile.REGTYPE) -> Path:
    with tarfile.open(path, mode) as tar:
        for name, data in members.items():
            info = tarfile.TarInfo(name)
            info.type, info.size = kind, len(data)
            tar.addfile(info, io.BytesIO(data))
    return path


@pytest.mark.parametrize("mode", ["w", "w:gz"])
def test_walk_yields_every_file_in_archive_order(tmp_path: Path, mode: str) -> None:
    members = {"b/2.bin": b"two" * 400, "./a/1.txt": b"one\n", "c/empty": b""}
    archive = pack(tmp_path / "any.name", members, mode)
    assert [(member.name, member.read()) for member in tar.walk(archive)] == [
        ("b/2.bin", b"two" * 400),
        ("a/1.txt", b"one\n"),
        ("c/empty", b""),
    ]


def test_index_gives_offsets_into_the_tar_and_the_texts(tmp_path: Path) -> None:
    archive = pack(tmp_path / "x.tar", {"a.bin": b"abc", "list.txt": b"1\n2\n"})
    index = tar.index(archive)
    offset, size = index.places["a.bin"]
    assert archive.read_bytes()[offset : offset + size] == b"abc"
    assert index.texts == {"list.txt": "1\n2\n"}


def test_a_changed_archive_is_indexed_anew(tmp_path: Path) -> None:
    archive = pack(tmp_path / "x.tar", {"a.txt": b"1"})
    tar.index(archive)
    pack(archive, {"b.txt": b"1" * 20_000})
    assert list(tar.index(archive).places) == ["b.txt"]


@pytest.mark.parametrize("name", ["/etc/passwd", "../outside", "a/../../outside", "a\\..\\..\\outside", "C:/windows"])
def test_a_member_that_escapes_its_folder_is_refused(tmp_path: Path, name: str) -> None:
    archive = pack(tmp_path / "evil.tar", {"good": b"1", name: b"2"})
    with pytest.raises(Refusal, match=r"evil\.tar holds .* a name outside its folder") as refusal:
        list(tar.walk(archive))
    assert repr(name) in str(refusal.value)


@pytest.mark.parametrize("kind", [tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.CHRTYPE, tarfile.FIFOTYPE])
def test_a_link_or_device_is_refused(tmp_path: Path, kind: bytes) -> None:
    archive = pack(tmp_path / "evil.tgz", {"shadow": b""}, "w:gz", kind)
    with pytest.raises(Refusal, match=r"evil\.tgz holds 'shadow', a link or a device"):
        list(tar.walk(archive))


@pytest.mark.parametrize("mode", ["w", "w:gz"])
@pytest.mark.parametrize("keep", [0.02, 0.3, 0.5, 0.8])
def test_a_truncated_archive_is_refused(tmp_path: Path, mode: str, keep: float) -> None:
    noise = bytes(hash((7, place)) % 251 for place in range(30_000))
    archive = pack(tmp_path / "cut.tgz", {f"{place}": noise[place:] for place in range(4)}, mode)
    whole = archive.read_bytes()
    archive.write_bytes(whole[: int(len(whole) * keep)])
    with pytest.raises(Refusal, match=r"cut\.tgz is truncated: fetch it again"):
        list(tar.walk(archive))


def test_a_flipped_byte_in_a_gzip_is_refused(tmp_path: Path) -> None:
    archive = pack(tmp_path / "bad.tgz", {"a": bytes(range(256)) * 100}, "w:gz")
    whole = bytearray(archive.read_bytes())
    whole[-6] ^= 1  # the checksum
    archive.write_bytes(whole)
    with pytest.raises(Refusal, match=r"bad\.tgz is damaged .*: fetch it again"):
        list(tar.walk(archive))


def test_a_flipped_byte_in_a_later_header_does_not_end_the_archive_silently(tmp_path: Path) -> None:
    archive = pack(tmp_path / "bad.tar", {"a": b"1", "b": b"2", "c": b"3"})
    whole = bytearray(archive.read_bytes())
    whole[1024] ^= 1  # the first letter of the second header's name
    archive.write_bytes(whole)
    with pytest.raises(Refusal, match=r"bad\.tar is damaged .*: fetch it again"):
        list(tar.walk(archive))


def test_an_absent_archive_is_refused(tmp_path: Path) -> None:
    for ask in (lambda path: list(tar.walk(path)), tar.index):
        with pytest.raises(Refusal, match=r"none\.tar is missing: run its download or miniature stage"):
            ask(tmp_path / "none.tar")
