"""Zips are read in place, member by member, and doubtful ones are refused by name."""

from __future__ import annotations

import stat
import struct
import zipfile
from pathlib import Path

import numpy as np
import pytest

from pipeline.core.types import Refusal
from pipeline.datasets.shared import unzip


def pack(path: Path, members: dict[str, bytes], method: int = zipfile.ZIP_DEFLATED) -> Path:
    with zipfile.ZipFile(path, "w", method) as archive:
        for name, data in members.items():
            info = zipfile.ZipInfo("placeholder")
            info.filename, info.compress_type = name, method  # the constructor would mend a doubtful name
            archive.writestr(info, data)
    return path


def patched(path: Path, offset: int, field: str, value: int) -> Path:
    """Overwrite a field of the first entry of the archive's directory (APPNOTE.TXT, 4.3.12)."""
    whole = bytearray(path.read_bytes())
    struct.pack_into(field, whole, whole.rindex(b"PK\x01\x02") + offset, value)
    path.write_bytes(whole)
    return path


@pytest.mark.parametrize("method", [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED])
def test_members_come_in_the_order_asked_for(tmp_path: Path, method: int) -> None:
    archive = pack(tmp_path / "x.zip", {"a/": b"", "a/1.txt": b"one\n", "b/2.bin": b"two" * 400, "c": b""}, method)
    assert list(unzip.index(archive)) == ["a/1.txt", "b/2.bin", "c"]
    assert list(unzip.read(archive, ["c", "b/2.bin", "a/1.txt", "c"])) == [b"", b"two" * 400, b"one\n", b""]
    assert [path.name for path in tmp_path.iterdir()] == ["x.zip"], "nothing is unpacked"


def test_windows_separators_name_the_same_members(tmp_path: Path) -> None:
    archive = pack(tmp_path / "x.zip", {"Images\\sky\\a.jpg": b"jpeg", "./b": b"2"})
    assert list(unzip.index(archive)) == ["Images/sky/a.jpg", "b"]
    assert list(unzip.read(archive, ["Images/sky/a.jpg"])) == [b"jpeg"]


def test_a_changed_archive_is_indexed_anew_and_an_unchanged_one_is_not(tmp_path: Path) -> None:
    archive = pack(tmp_path / "x.zip", {"a.txt": b"1"})
    assert unzip.index(archive) is unzip.index(archive)
    pack(archive, {"b.txt": b"1" * 20_000})
    assert list(unzip.index(archive)) == ["b.txt"]


@pytest.mark.parametrize(
    "name",
    ["/etc/passwd", "../outside", "a/../../outside", "a\\..\\..\\outside", "\\\\host\\share", "C:/windows", "a\0b"],
)
def test_a_member_that_escapes_its_folder_is_refused(tmp_path: Path, name: str) -> None:
    archive = pack(tmp_path / "evil.zip", {"good": b"1", name: b"2"})
    with pytest.raises(Refusal, match=r"evil\.zip holds .*a name outside its folder") as refusal:
        unzip.index(archive)
    assert repr(name) in str(refusal.value)


@pytest.mark.parametrize("kind", [stat.S_IFLNK, stat.S_IFCHR, stat.S_IFIFO])
def test_a_link_or_device_is_refused(tmp_path: Path, kind: int) -> None:
    archive = tmp_path / "evil.zip"
    with zipfile.ZipFile(archive, "w") as opened:
        info = zipfile.ZipInfo("shadow")
        info.external_attr = (kind | 0o777) << 16
        opened.writestr(info, "/etc/shadow")
    with pytest.raises(Refusal, match=r"evil\.zip holds 'shadow', a link or a device"):
        unzip.index(archive)


@pytest.mark.filterwarnings("ignore:Duplicate name")
@pytest.mark.parametrize("other", ["a/b", "a\\b", "./a/b"])
def test_a_name_that_stands_for_two_members_is_refused(tmp_path: Path, other: str) -> None:
    with zipfile.ZipFile(tmp_path / "x.zip", "w") as opened:
        for name in ("a/b", other):
            info = zipfile.ZipInfo("placeholder")
            info.filename = name
            opened.writestr(info, b"1")
    with pytest.raises(Refusal, match=r"x\.zip holds 'a/b' twice"):
        unzip.index(tmp_path / "x.zip")


def test_an_encrypted_member_is_refused(tmp_path: Path) -> None:
    archive = patched(pack(tmp_path / "x.zip", {"a": b"1"}), 8, "<H", 1)
    with pytest.raises(Refusal, match=r"x\.zip holds 'a', which is encrypted"):
        unzip.index(archive)


def test_a_foreign_compression_is_refused(tmp_path: Path) -> None:
    archive = pack(tmp_path / "x.zip", {"a": b"1"}, zipfile.ZIP_LZMA)
    with pytest.raises(Refusal, match=r"x\.zip holds 'a', packed by method 14: pack it stored or deflated"):
        unzip.index(archive)


def test_a_bomb_is_refused_before_it_is_unpacked(tmp_path: Path) -> None:
    archive = pack(tmp_path / "x.zip", {"a": bytes(unzip.LIMIT + 1)})
    assert archive.stat().st_size < 100_000
    with pytest.raises(Refusal, match=r"x\.zip holds 'a', which unpacks to 67108865 bytes, more than 67108864"):
        unzip.index(archive)


def test_a_bomb_that_lies_about_its_size_unpacks_no_further_than_it_says(tmp_path: Path) -> None:
    archive = patched(pack(tmp_path / "x.zip", {"a": bytes(1 << 20)}), 24, "<L", 10)
    with pytest.raises(Refusal, match=r"x\.zip: a is damaged \(.*CRC.*\): fetch it again"):
        list(unzip.read(archive, ["a"]))


def test_a_member_shorter_than_it_says_is_refused(tmp_path: Path) -> None:
    archive = patched(pack(tmp_path / "x.zip", {"a": b"123"}), 24, "<L", 10)
    with pytest.raises(Refusal, match=r"x\.zip: a is damaged \(shorter than it says\): fetch it again"):
        list(unzip.read(archive, ["a"]))


@pytest.mark.parametrize("method", [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED])
def test_a_flipped_byte_is_found_in_the_member_it_hit(tmp_path: Path, method: int) -> None:
    noise = np.random.default_rng(0).bytes(2000)
    archive = pack(tmp_path / "bad.zip", {"a": noise, "b": noise[::-1]}, method)
    whole = bytearray(archive.read_bytes())
    whole[len(whole) // 4] ^= 1
    archive.write_bytes(whole)
    with pytest.raises(Refusal, match=r"bad\.zip: a is damaged \(.+\): fetch it again"):
        list(unzip.read(archive, ["a"]))
    assert list(unzip.read(archive, ["b"])) == [noise[::-1]]


@pytest.mark.parametrize("keep", [0.0, 0.001, 0.02, 0.5, 0.99])
def test_a_truncated_archive_is_refused(tmp_path: Path, keep: float) -> None:
    archive = pack(tmp_path / "cut.zip", {f"{place}": np.random.default_rng(place).bytes(900) for place in range(4)})
    whole = archive.read_bytes()
    archive.write_bytes(whole[: int(len(whole) * keep)])
    with pytest.raises(Refusal, match=r"cut\.zip is truncated: fetch it again"):
        unzip.index(archive)


def test_what_is_absent_or_no_zip_is_refused(tmp_path: Path) -> None:
    with pytest.raises(Refusal, match=r"none\.zip is missing: run its download or miniature stage"):
        unzip.index(tmp_path / "none.zip")
    (tmp_path / "page.zip").write_text("<html>503</html>")
    with pytest.raises(Refusal, match=r"page\.zip is no zip archive: fetch it again"):
        unzip.index(tmp_path / "page.zip")


@pytest.mark.filterwarnings("ignore")
def test_no_single_damaged_byte_passes_unnoticed_or_escapes_as_another_error(tmp_path: Path) -> None:
    """Headers hold bytes that no reader needs, such as dates: what is read all the same is what was packed."""
    members = {"a.txt": b"one" * 30, "b/c.bin": bytes(range(256))}
    whole = pack(tmp_path / "x.zip", members).read_bytes()
    refused = 0
    for place in range(len(whole)):
        archive = tmp_path / f"{place}.zip"
        archive.write_bytes(whole[:place] + bytes([whole[place] ^ 0xFF]) + whole[place + 1 :])
        try:
            names = list(unzip.index(archive))
            contents = list(unzip.read(archive, names))
        except Refusal as refusal:
            assert f"{place}.zip" in str(refusal) and "\n" not in str(refusal)
            refused += 1
        else:
            assert contents == list(members.values())
        archive.unlink()
    assert refused > len(whole) / 2
