"""Tars and zips are read in place, member by member, and doubtful ones are refused by name."""

import stat
import struct
import tarfile
import zipfile
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from pipeline.core.types import Refusal
from pipeline.datasets.shared import tar, unzip
from tests.shards.world import tarred

NOISE = np.random.default_rng(0).bytes(9000)


def tgz(path: Path, members: Mapping[str, bytes]) -> Path:
    return tarred(path, members, "w:gz")


def zipped(path: Path, members: Mapping[str, bytes], method: int = zipfile.ZIP_DEFLATED, attributes: int = 0) -> Path:
    with zipfile.ZipFile(path, "w", method) as archive:
        for name, data in members.items():
            info = zipfile.ZipInfo("placeholder")
            info.filename, info.compress_type = name, method  # the constructor would mend a doubtful name
            info.external_attr = attributes
            archive.writestr(info, data)
    return path


def stored(path: Path, members: Mapping[str, bytes]) -> Path:
    return zipped(path, members, zipfile.ZIP_STORED)


def contents(archive: Path) -> dict[str, bytes]:
    """All that a reader finds in an archive."""
    if archive.suffix == ".tar":
        tar.index(archive)  # as all readers do first: to the last byte
        return {member.name: member.read() for member in tar.walk(archive)}
    names = list(unzip.index(archive))
    return dict(zip(names, unzip.read(archive, names), strict=True))


def refused(archive: Path, told: str) -> None:
    """Every reader of the archive refuses it in one line that names it."""
    with pytest.raises(Refusal, match=f"{archive.name}.*{told}"):
        contents(archive)


packers = pytest.mark.parametrize(
    ("pack", "name"), [(tarred, "x.tar"), (tgz, "x.tar"), (zipped, "x.zip"), (stored, "x.zip")]
)
Pack = Callable[..., Path]


@packers
def test_members_are_what_was_packed_and_nothing_is_unpacked(tmp_path: Path, pack: Pack, name: str) -> None:
    archive = pack(tmp_path / name, {"b/2.bin": b"two" * 400, "./a/1.txt": b"one\n", "c": b""})
    assert list(contents(archive).items()) == [("b/2.bin", b"two" * 400), ("a/1.txt", b"one\n"), ("c", b"")]
    assert [path.name for path in tmp_path.iterdir()] == [name]


@pytest.mark.parametrize(("pack", "index"), [(tarred, tar.index), (zipped, unzip.index)])
def test_a_changed_archive_is_indexed_anew_and_an_unchanged_one_is_not(tmp_path: Path, pack: Pack, index: Any) -> None:
    archive = pack(tmp_path / "x", {"a.txt": b"1"})
    before = index(archive)
    assert index(archive) is before
    pack(archive, {"b.txt": NOISE})
    assert index(archive) != before


@pytest.mark.parametrize(("pack", "name"), [(tarred, "x.tar"), (zipped, "x.zip")])
@pytest.mark.parametrize(
    "member", ["/etc/passwd", "../out", "a/../../out", "a\\..\\..\\out", "\\\\host\\share", "C:/x"]
)
def test_a_member_that_escapes_its_folder_is_refused(tmp_path: Path, pack: Pack, name: str, member: str) -> None:
    archive = pack(tmp_path / name, {"good": b"1", member: b"2"})
    with pytest.raises(Refusal, match=r"holds .*a name outside its folder: fetch") as refusal:
        contents(archive)
    assert repr(member) in str(refusal.value)


def test_a_link_or_device_is_refused(tmp_path: Path) -> None:
    for kind in (tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.CHRTYPE, tarfile.FIFOTYPE):
        refused(tarred(tmp_path / "x.tar", {"shadow": b""}, kind=kind), "holds 'shadow', a link or a device")
    for mode in (stat.S_IFLNK, stat.S_IFCHR, stat.S_IFIFO):
        archive = zipped(tmp_path / f"{mode}.zip", {"shadow": b"/etc"}, attributes=(mode | 0o777) << 16)
        refused(archive, "holds 'shadow', a link or a device")


@packers
@pytest.mark.parametrize("keep", [0.0, 0.02, 0.3, 0.5, 0.8])
def test_a_truncated_archive_is_refused(tmp_path: Path, pack: Pack, name: str, keep: float) -> None:
    archive = pack(tmp_path / name, {f"{place}": NOISE[place:] for place in range(4)})
    whole = archive.read_bytes()
    archive.write_bytes(whole[: int(len(whole) * keep)])
    refused(archive, "truncated: fetch it again")


def test_what_is_absent_or_no_zip_is_refused(tmp_path: Path) -> None:
    for ask in (lambda path: list(tar.walk(path)), tar.index, unzip.index):
        with pytest.raises(Refusal, match=r"none is missing: run its download or miniature stage"):
            ask(tmp_path / "none")
    (tmp_path / "page.zip").write_text("<html>503</html>")
    refused(tmp_path / "page.zip", "is no zip archive, or truncated")


def test_a_damaged_tar_is_refused(tmp_path: Path) -> None:
    archive = tgz(tmp_path / "bad.tar", {"a": NOISE})
    whole = bytearray(archive.read_bytes())
    whole[-6] ^= 1  # the checksum
    archive.write_bytes(whole)
    refused(archive, r"is damaged \(.*\): fetch it again")
    whole = bytearray(tarred(archive, {"a": b"1", "b": b"2", "c": b"3"}).read_bytes())
    whole[1024] ^= 1  # the second header's name: tarfile would take it for the archive's end
    archive.write_bytes(whole)
    refused(archive, r"is damaged \(.*\): fetch it again")


@pytest.mark.filterwarnings("ignore:Duplicate name")
def test_a_name_that_stands_for_two_members_is_refused(tmp_path: Path) -> None:
    for place, other in enumerate(["a\\b", "./a/b"]):
        refused(zipped(tmp_path / f"{place}.zip", {"a/b": b"1", other: b"1"}), "holds 'a/b' twice")


@pytest.mark.parametrize(
    ("offset", "field", "value", "told"),
    [
        (8, "<H", 1, "a cannot be read .*encrypted"),
        (24, "<L", 10, "a cannot be read .*CRC"),  # it says that it unpacks to 10 bytes, and to no more it does
        (24, "<L", 1 << 22, "a is shorter than it says"),
        (24, "<L", unzip.LIMIT + 1, "holds 'a', which unpacks to 67108865 bytes, more than 67108864"),
    ],
    ids=["encrypted", "bomb that lies", "shorter", "bomb"],
)
def test_a_doubtful_member_is_refused(tmp_path: Path, offset: int, field: str, value: int, told: str) -> None:
    """Each patches a field of the archive's directory (APPNOTE.TXT, 4.3.12)."""
    archive = zipped(tmp_path / "x.zip", {"a": bytes(1 << 20)})
    whole = bytearray(archive.read_bytes())
    struct.pack_into(field, whole, whole.rindex(b"PK\x01\x02") + offset, value)
    archive.write_bytes(whole)
    refused(archive, told)


@pytest.mark.filterwarnings("ignore")
def test_no_single_damaged_byte_of_a_zip_passes_unnoticed(tmp_path: Path) -> None:
    """Headers hold bytes that no reader needs, such as dates: what is read all the same is what was packed."""
    members = {"a.txt": b"one" * 30, "b/c.bin": bytes(range(256))}
    whole = zipped(tmp_path / "x.zip", members).read_bytes()
    refusals = 0
    for place in range(len(whole)):
        archive = tmp_path / f"{place}.zip"
        archive.write_bytes(whole[:place] + bytes([whole[place] ^ 0xFF]) + whole[place + 1 :])
        try:
            assert list(contents(archive).values()) == list(members.values())
        except Refusal as refusal:
            assert f"{place}.zip" in str(refusal)
            refusals += 1
    assert refusals > len(whole) / 2
