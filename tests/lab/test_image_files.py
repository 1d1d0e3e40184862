"""The loader of published image files, against a server on this machine and files written byte by byte: no network."""

from __future__ import annotations

import gzip
import hashlib
import io
import os
import pickle
import pickletools
import re
import socket
import struct
import tarfile
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import numpy as np
import pytest
import torch

from livegrad.lab import image_files
from livegrad.lab.image_files import (
    CIFAR_CLASSES,
    FASHION_CLASSES,
    FILES,
    RemoteFile,
    cifar10,
    fashion_mnist,
    fetch,
    mnist,
    read_cifar,
    read_idx,
)

CONTENT = bytes(range(256)) * 1200  # 307,200 bytes: several reads of one chunk


class Mirror(ThreadingHTTPServer):
    """Serves `content` under every name; what it does wrong, and what it was asked, can be set and read."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Answer)
        self.content = CONTENT
        self.stop_after: int | None = None  # hang up after so many bytes of an answer
        self.ranges = True  # whether Range is honored
        self.shift = 0  # answer another range than asked for
        self.length = True  # whether the length is told
        self.status: int | None = None
        self.asked: list[str | None] = []

    @property
    def folder(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}/"


class Answer(BaseHTTPRequestHandler):
    server: Mirror

    def do_GET(self) -> None:
        asked = self.headers.get("Range")
        self.server.asked.append(asked)
        if self.server.status:
            self.send_error(self.server.status)
            return
        start = int(asked.removeprefix("bytes=").removesuffix("-")) if asked and self.server.ranges else 0
        start += self.server.shift
        body, whole = self.server.content[start:], len(self.server.content)
        self.send_response(206 if asked and self.server.ranges else 200)
        if asked and self.server.ranges:
            self.send_header("Content-Range", f"bytes {start}-{whole - 1}/{whole}")
        if self.server.length:
            self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body if self.server.stop_after is None else body[: self.server.stop_after])

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def mirror() -> Iterator[Mirror]:
    with Mirror() as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        yield server
        server.shutdown()
        thread.join()


def remote(*mirrors: str, content: bytes = CONTENT, name: str = "some.gz") -> RemoteFile:
    return RemoteFile(name, len(content), hashlib.sha256(content).hexdigest(), mirrors)


def closed_port() -> str:
    """A folder on a port of this machine where nobody listens: what being offline looks like."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return f"http://127.0.0.1:{probe.getsockname()[1]}/"


# --- Fetching ---------------------------------------------------------------------------------------------------


def test_a_file_is_downloaded_once_and_then_read_from_disk(mirror: Mirror, tmp_path: Path) -> None:
    folder = tmp_path / "not" / "yet" / "there"
    for _ in range(2):
        assert fetch(remote(mirror.folder), folder).read_bytes() == CONTENT
    assert mirror.asked == [None]
    assert os.listdir(folder) == ["some.gz"]


def test_a_file_put_there_by_hand_needs_no_network(tmp_path: Path) -> None:
    (tmp_path / "some.gz").write_bytes(CONTENT)
    assert fetch(remote(), tmp_path) == tmp_path / "some.gz"


@pytest.mark.parametrize("length", [True, False])
def test_an_interrupted_download_goes_on_where_it_stopped(mirror: Mirror, tmp_path: Path, length: bool) -> None:
    mirror.stop_after, mirror.length = 200_000, length
    with pytest.raises(
        ConnectionError, match=r"200,000 of 307,200 bytes are kept, and the next call goes on"
    ) as caught:
        fetch(remote(mirror.folder), tmp_path)
    assert "ended after 200,000 of 307,200 bytes" in str(caught.value)
    assert os.listdir(tmp_path) == ["some.gz.part"]  # never the half file under the name of the whole
    mirror.stop_after = None
    assert fetch(remote(mirror.folder), tmp_path).read_bytes() == CONTENT
    assert mirror.asked == [None, "bytes=200000-"]
    assert os.listdir(tmp_path) == ["some.gz"]


def test_the_next_mirror_goes_on_where_the_first_one_stopped(mirror: Mirror, tmp_path: Path) -> None:
    mirror.stop_after = 200_000  # of each answer: two answers are enough
    assert fetch(remote(closed_port(), mirror.folder, mirror.folder), tmp_path).read_bytes() == CONTENT
    assert mirror.asked == [None, "bytes=200000-"]


def test_a_server_without_ranges_sends_all_of_it_again(mirror: Mirror, tmp_path: Path) -> None:
    (tmp_path / "some.gz.part").write_bytes(CONTENT[:1000])
    mirror.ranges = False
    assert fetch(remote(mirror.folder), tmp_path).read_bytes() == CONTENT
    assert mirror.asked == ["bytes=1000-"]


def test_an_answer_with_another_range_is_refused(mirror: Mirror, tmp_path: Path) -> None:
    (tmp_path / "some.gz.part").write_bytes(CONTENT[:1000])
    mirror.shift = 5
    with pytest.raises(ConnectionError, match=r"asked for bytes from 1,000, got 'bytes 1005-307199/307200'"):
        fetch(remote(mirror.folder), tmp_path)
    assert (tmp_path / "some.gz.part").read_bytes() == CONTENT[:1000]


def test_a_part_that_is_complete_is_not_asked_for_and_one_too_long_is_thrown_away(
    mirror: Mirror, tmp_path: Path
) -> None:
    (tmp_path / "some.gz.part").write_bytes(CONTENT)
    fetch(remote(mirror.folder), tmp_path)
    assert mirror.asked == []
    (tmp_path / "some.gz").unlink()
    (tmp_path / "some.gz.part").write_bytes(CONTENT + b"more")
    assert fetch(remote(mirror.folder), tmp_path).read_bytes() == CONTENT
    assert mirror.asked == [None]


def test_a_download_with_a_wrong_checksum_is_thrown_away_and_the_next_mirror_asked(
    mirror: Mirror, tmp_path: Path
) -> None:
    mirror.content = CONTENT[::-1]
    with pytest.raises(ConnectionError, match=r"SHA-256 must be [0-9a-f]{64}, got [0-9a-f]{64}") as caught:
        fetch(remote(mirror.folder), tmp_path)
    assert "are kept" not in str(caught.value)
    assert os.listdir(tmp_path) == []
    (tmp_path / "some.gz.part").write_bytes(CONTENT[::-1][:1000])  # a part that went wrong: a good mirror mends it
    mirror.content = CONTENT
    assert fetch(remote(mirror.folder, mirror.folder), tmp_path).read_bytes() == CONTENT
    assert mirror.asked[1:] == ["bytes=1000-", None]


def test_a_server_that_sends_more_than_the_file_has_is_refused(mirror: Mirror, tmp_path: Path) -> None:
    mirror.content = CONTENT + b"more"
    with pytest.raises(ConnectionError, match="more bytes than the file has"):
        fetch(remote(mirror.folder), tmp_path)
    assert not (tmp_path / "some.gz").exists()


def test_offline_the_error_names_every_address_and_the_folder_for_the_file(mirror: Mirror, tmp_path: Path) -> None:
    mirror.status = 503
    nobody = closed_port()
    with pytest.raises(ConnectionError) as caught:
        fetch(remote(nobody, mirror.folder), tmp_path / "cache")
    message = str(caught.value)
    assert re.search(rf"^some.gz could not be downloaded:\n  {nobody}some.gz: .*refused", message)
    assert f"{mirror.folder}some.gz: HTTP Error 503" in message
    assert message.endswith(f"Without a network, put the file by hand into {tmp_path / 'cache'}")


def test_a_server_that_does_not_answer_is_given_up(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        address = f"http://127.0.0.1:{silent.getsockname()[1]}/"
        with pytest.raises(ConnectionError, match="timed out"):
            fetch(remote(address), tmp_path, timeout=0.05)


def test_a_half_written_file_is_refused_and_not_deleted(mirror: Mirror, tmp_path: Path) -> None:
    half = tmp_path / "some.gz"
    half.write_bytes(CONTENT[:1000])
    with pytest.raises(
        ValueError, match=r"must have 307,200 bytes .* got 1,000 bytes .* delete it to download it again"
    ):
        fetch(remote(mirror.folder), tmp_path)
    assert half.read_bytes() == CONTENT[:1000]
    assert mirror.asked == []


def test_without_leave_to_download_a_missing_file_is_named(mirror: Mirror, tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match=re.escape(f"{tmp_path / 'some.gz'} is missing; put it there")):
        fetch(remote(mirror.folder), tmp_path, download=False)
    assert mirror.asked == []


# --- Formats ----------------------------------------------------------------------------------------------------


def idx(array: np.ndarray) -> bytes:
    sizes = struct.pack(f">{array.ndim}I", *array.shape)
    return gzip.compress(struct.pack(">HBB", 0, 8, array.ndim) + sizes + array.astype(np.uint8).tobytes())


def python2_batch(pixels: np.ndarray, labels: list[int]) -> bytes:
    """A batch as the authors wrote it: Python 2, protocol 2, strings of bytes. (Python 3 cannot write such.)"""
    raw = pixels.tobytes()
    return b"".join(
        (
            b"\x80\x02}(U\x0bbatch_labelU\x15training batch 1 of 5U\x06labels](",
            *(b"K" + bytes([label]) for label in labels),
            b"eU\x04datacnumpy.core.multiarray\n_reconstruct\ncnumpy\nndarray\nK\x00\x85U\x01b\x87R(K\x01",
            b"J" + struct.pack("<i", len(pixels)) + b"J" + struct.pack("<i", pixels.shape[1]) + b"\x86",
            b"cnumpy\ndtype\nU\x02u1K\x00K\x01\x87R(K\x03U\x01|NNNJ\xff\xff\xff\xffJ\xff\xff\xff\xffK\x00tb\x89",
            b"T" + struct.pack("<i", len(raw)) + raw + b"tbu.",
        )
    )


def archive(batches: dict[str, bytes]) -> bytes:
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w:gz") as tar:
        for name, content in batches.items():
            entry = tarfile.TarInfo(f"cifar-10-batches-py/{name}")
            entry.size = len(content)
            tar.addfile(entry, io.BytesIO(content))
    return out.getvalue()


def pictures(*shape: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 256, shape, dtype=np.uint8)


def test_an_idx_file_gives_its_numbers_in_its_shape(tmp_path: Path) -> None:
    for array in (pictures(5, 4, 3), pictures(7), pictures(0, 28, 28)):
        (tmp_path / "file.gz").write_bytes(idx(array))
        found = read_idx(tmp_path / "file.gz")
        assert found.dtype == torch.uint8
        assert np.array_equal(found.numpy(), array)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (gzip.compress(b"\0\1\x08\1\0\0\0\1x"), "must begin with the header of an IDX file of unsigned bytes"),
        (gzip.compress(b"\0\0\x0d\1\0\0\0\0"), "unsigned bytes, got '00000d01'"),  # type 13: floats
        (gzip.compress(b"\0\0\x08\3\0\0\0\1"), "must begin with the header"),  # says three sizes, has one
        (gzip.compress(b""), "must begin with the header"),
        (gzip.compress(b"\0\0\x08\1\0\0\0\5xxxx"), r"must hold 5 bytes for sizes \[5\], got 4"),
        (gzip.compress(b"\0\0\x08\1\0\0\0\3xxxx"), r"must hold 3 bytes for sizes \[3\], got 4"),
        (idx(pictures(9, 9))[:-20], "must be a whole gzip file, got: "),
        (b"<html>not found</html>", "must be a whole gzip file, got: "),
    ],
    ids=["magic", "floats", "sizes", "empty", "too short", "too long", "torn", "a web page"],  # gzip writes the time
)
def test_a_damaged_idx_file_is_refused(tmp_path: Path, content: bytes, message: str) -> None:
    (tmp_path / "file.gz").write_bytes(content)
    with pytest.raises(ValueError, match=message):
        read_idx(tmp_path / "file.gz")


def test_a_batch_is_read_as_pythons_own_unpickler_reads_it(tmp_path: Path) -> None:
    content = python2_batch(pictures(4, 3072), [3, 0, 9, 1])
    trusted = pickle.loads(content, encoding="bytes")
    (tmp_path / "file.tar.gz").write_bytes(archive({"data_batch_1": content, "test_batch": content}))
    images, labels = read_cifar(tmp_path / "file.tar.gz", ["data_batch_1", "test_batch"])
    # A row is red, green, blue, each row by row: by hand, the first green pixel is number 1024.
    assert images.shape == (8, 3, 32, 32)
    assert images[1, 1, 0, 0] == trusted[b"data"][1, 1024]
    assert images[5, 2, 31, 4] == trusted[b"data"][1, 2 * 1024 + 31 * 32 + 4]
    assert np.array_equal(images[:4].flatten(1).numpy(), trusted[b"data"])
    assert labels.tolist() == 2 * trusted[b"labels"]


def test_a_pickle_that_wants_to_run_code_is_refused_and_runs_nothing(tmp_path: Path) -> None:
    witness = tmp_path / "witness"

    class Evil:
        def __reduce__(self) -> tuple[object, tuple[str]]:
            return os.mkdir, (str(witness),)

    for evil in (
        pickle.dumps({b"data": Evil(), b"labels": []}, protocol=2),
        f"cbuiltins\neval\n(S'__import__(\"os\").mkdir({str(witness)!r})'\ntR.".encode(),
        f"cnumpy\nmemmap\n(S'{witness}'\nS'u1'\nS'w+'\nI0\n(I1\nttR.".encode(),
    ):
        pickletools.dis(evil, out=io.StringIO())  # each is a whole pickle: what stops it is the refusal
        (tmp_path / "file.tar.gz").write_bytes(archive({"test_batch": evil}))
        with pytest.raises(ValueError, match="a pickle of pictures must not ask for"):
            read_cifar(tmp_path / "file.tar.gz", ["test_batch"])
        assert not witness.exists()


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (archive({"data_batch_1": b""}), "test_batch"),
        (archive({"test_batch": b""}), "Ran out of input"),
        (archive({"test_batch": pickle.dumps({b"labels": []})}), "b'data'"),
        (archive({"test_batch": pickle.dumps({b"data": [], b"labels": []})}), "no attribute 'tensor'"),
        (archive({"test_batch": pickle.dumps([1, 2])}), "list indices"),
        (archive({"test_batch": python2_batch(pictures(4, 3072), [1, 2, 3, 4])[:5000]}), "."),
        (archive({"test_batch": python2_batch(pictures(4, 3071), [1, 2, 3, 4])}), "invalid for input of size 12284"),
        (archive({"test_batch": python2_batch(pictures(1, 3072), [1]).replace(b"u1", b"i2")}), r"\(u1\), got b'i2'"),
        (archive({"test_batch": python2_batch(pictures(50, 3072), [1] * 50)})[:-5000], "."),
        (b"<html>not found</html>", "not a gzip file"),
    ],
)
def test_a_damaged_archive_is_refused(tmp_path: Path, content: bytes, message: str) -> None:
    (tmp_path / "file.tar.gz").write_bytes(content)
    with pytest.raises(ValueError, match=f"must be CIFAR-10's archive for Python, got: .*{message}"):
        read_cifar(tmp_path / "file.tar.gz", ["test_batch"])


# --- Data sets --------------------------------------------------------------------------------------------------


def put(monkeypatch: pytest.MonkeyPatch, name: str, folder: Path, contents: list[bytes]) -> None:
    """Let small files stand for the published ones, and put them where a reader would."""
    files = tuple(remote(content=c, name=f.name) for f, c in zip(FILES[name], contents, strict=True))
    monkeypatch.setitem(image_files.FILES, name, files)
    folder.mkdir(parents=True)
    for file, content in zip(files, contents, strict=True):
        (folder / file.name).write_bytes(content)


@pytest.mark.parametrize(("name", "load"), [("mnist", mnist), ("fashion_mnist", fashion_mnist)])
def test_the_four_files_become_a_split_scaled_by_its_training_part(name, load, monkeypatch, tmp_path) -> None:
    train, test = pictures(30, 28, 28), pictures(10, 28, 28, seed=1) // 2
    y_train, y_test = np.arange(30) % 10, np.arange(10)
    put(monkeypatch, name, tmp_path / name, [idx(a) for a in (train, y_train, test, y_test)])
    monkeypatch.setenv("LIVEGRAD_DATA", str(tmp_path))
    split = load(flat=False, download=False)
    scaled = (torch.tensor(test).double() - train.mean()) / train.std(ddof=1)
    torch.testing.assert_close(split.x_test[:, 0].double(), scaled, rtol=1e-6, atol=1e-6)  # float32 against float64
    assert split.x_train.shape == (30, 1, 28, 28)
    assert split.x_train.dtype == torch.float32
    torch.testing.assert_close(split.x_train.mean(), torch.tensor(0.0), rtol=0, atol=1e-6)
    assert split.y_train.tolist() == y_train.tolist()
    assert split.y_test.dtype == torch.long
    assert torch.equal(load(tmp_path / name).x_train, split.x_train.flatten(1))


def test_the_archive_becomes_a_split_with_its_batches_in_order(monkeypatch, tmp_path: Path) -> None:
    names = [f"data_batch_{n}" for n in range(1, 6)] + ["test_batch"]
    rows = {name: pictures(2, 3072, seed=n) for n, name in enumerate(names)}
    batches = {name: python2_batch(r, [n, 9 - n]) for n, (name, r) in enumerate(rows.items())}
    put(monkeypatch, "cifar10", tmp_path / "here", [archive(dict(reversed(batches.items())))])
    split = cifar10(tmp_path / "here", flat=False)
    assert split.y_train.tolist() == [0, 9, 1, 8, 2, 7, 3, 6, 4, 5]
    assert split.y_test.tolist() == [5, 4]
    train = np.concatenate([rows[name] for name in names[:5]]).astype(np.float64)
    scaled = torch.tensor((train - train.mean()) / train.std(ddof=1)).reshape(10, 3, 32, 32)
    torch.testing.assert_close(split.x_train.double(), scaled, rtol=1e-6, atol=1e-6)
    assert cifar10(tmp_path / "here").x_test.shape == (2, 3072)


@pytest.mark.parametrize(
    ("labels", "message"),
    [
        (np.arange(29) % 10, "got 29 labels for 30 pictures"),
        (np.arange(30) % 11, r"labels must be in \[0, 9\], got 10"),
    ],
)
def test_labels_that_do_not_fit_are_refused(labels, message, monkeypatch, tmp_path: Path) -> None:
    contents = [idx(a) for a in (pictures(30, 28, 28), labels, pictures(3, 28, 28), np.arange(3))]
    put(monkeypatch, "mnist", tmp_path / "here", contents)
    with pytest.raises(ValueError, match=message):
        mnist(tmp_path / "here")


def test_without_a_folder_the_files_are_kept_in_the_cache_of_the_user(monkeypatch, tmp_path: Path) -> None:
    monkeypatch.delenv("LIVEGRAD_DATA", raising=False)
    monkeypatch.setenv("HOME", str(tmp_path))
    with pytest.raises(FileNotFoundError, match=re.escape(str(tmp_path / ".cache/livegrad/mnist/train-images"))):
        mnist(download=False)


def test_every_published_file_has_a_sum_a_size_and_more_than_one_mirror() -> None:
    files = [file for files in FILES.values() for file in files]
    assert len({file.sha256 for file in files}) == len(files) == 9
    for file in files:
        assert re.fullmatch("[0-9a-f]{64}", file.sha256)
        assert file.size > 0
        assert len(file.mirrors) >= 2
        assert all(re.fullmatch("https?://.*/", folder) for folder in file.mirrors)
    assert len(FASHION_CLASSES) == len(CIFAR_CLASSES) == 10
