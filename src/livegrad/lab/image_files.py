"""MNIST, Fashion-MNIST and CIFAR-10 from their published files: on disk, or downloaded where there is a network.

No chapter needs them, since every page builds on `livegrad.lab.data`; they come in the same form. Files are kept in
`~/.cache/livegrad/<name>/`, or where the environment variable LIVEGRAD_DATA points; a file put there by hand is used
as it is. Every file is checked by SHA-256 each time it is read.
"""

from __future__ import annotations

import gzip
import hashlib
import http.client
import math
import os
import pickle
import tarfile
import zlib
from collections.abc import Sequence
from pathlib import Path
from typing import IO, Any, NamedTuple
from urllib.request import Request, urlopen

import torch
from torch import Tensor

from livegrad.lab.data import Split

CHUNK = 1 << 16
CIFAR_BATCHES = tuple(f"data_batch_{number}" for number in range(1, 6))
FASHION_CLASSES = ("T-shirt", "trouser", "pullover", "dress", "coat", "sandal", "shirt", "sneaker", "bag", "boot")
CIFAR_CLASSES = ("airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck")


class RemoteFile(NamedTuple):
    """A published file: its name, its size in bytes, its SHA-256, and the folders (ending in /) that offer it."""

    name: str
    size: int
    sha256: str
    mirrors: tuple[str, ...]


_MNIST = ("https://storage.googleapis.com/cvdf-datasets/mnist/", "https://ossci-datasets.s3.amazonaws.com/mnist/")
_FASHION = (
    "https://storage.googleapis.com/tensorflow/tf-keras-datasets/",
    "https://raw.githubusercontent.com/zalandoresearch/fashion-mnist/master/data/fashion/",
    "http://fashion-mnist.s3-website.eu-central-1.amazonaws.com/",
)
_CIFAR = ("https://www.cs.toronto.edu/~kriz/", "https://storage.googleapis.com/tensorflow/tf-keras-datasets/")
_TRAIN_IMAGES, _TRAIN_LABELS = "train-images-idx3-ubyte.gz", "train-labels-idx1-ubyte.gz"
_TEST_IMAGES, _TEST_LABELS = "t10k-images-idx3-ubyte.gz", "t10k-labels-idx1-ubyte.gz"

# Sizes and sums as in TensorFlow Datasets (MNIST, Fashion-MNIST) and Keras (CIFAR-10). Training files come first.
FILES: dict[str, tuple[RemoteFile, ...]] = {
    "mnist": (
        RemoteFile(_TRAIN_IMAGES, 9912422, "440fcabf73cc546fa21475e81ea370265605f56be210a4024d2ca8f203523609", _MNIST),
        RemoteFile(_TRAIN_LABELS, 28881, "3552534a0a558bbed6aed32b30c495cca23d567ec52cac8be1a0730e8010255c", _MNIST),
        RemoteFile(_TEST_IMAGES, 1648877, "8d422c7b0a1c1c79245a5bcf07fe86e33eeafee792b84584aec276f5a2dbc4e6", _MNIST),
        RemoteFile(_TEST_LABELS, 4542, "f7ae60f92e00ec6debd23a6088c31dbd2371eca3ffa0defaefb259924204aec6", _MNIST),
    ),
    "fashion_mnist": (
        RemoteFile(
            _TRAIN_IMAGES, 26421880, "3aede38d61863908ad78613f6a32ed271626dd12800ba2636569512369268a84", _FASHION
        ),
        RemoteFile(_TRAIN_LABELS, 29515, "a04f17134ac03560a47e3764e11b92fc97de4d1bfaf8ba1a3aa29af54cc90845", _FASHION),
        RemoteFile(_TEST_IMAGES, 4422102, "346e55b948d973a97e58d2351dde16a484bd415d4595297633bb08f03db6a073", _FASHION),
        RemoteFile(_TEST_LABELS, 5148, "67da17c76eaffca5446c3361aaab5c3cd6d1c2608764d35dfb1850b086bf8dd5", _FASHION),
    ),
    "cifar10": (
        RemoteFile(
            "cifar-10-python.tar.gz",
            170498071,
            "6d958be074577803d12ecdefd02955f39262c83c16fe9348329d7fe0b5c001ce",
            _CIFAR,
        ),
    ),
}


def mnist(folder: str | os.PathLike[str] | None = None, *, flat: bool = True, download: bool = True) -> Split:
    """The 60,000 + 10,000 handwritten digits of MNIST: 28×28 pixels, ten classes, float32.

    Scaled as `livegrad.lab.data.digits` are, with one mean and one standard deviation of the training part.

    Args:
        folder: where the four files are or shall be kept; None means `mnist` in the cache.
        flat: inputs of shape (n, 784); otherwise images of shape (n, 1, 28, 28).
        download: fetch files that are missing.

    Raises:
        FileNotFoundError: a file is missing and `download` is False.
        ConnectionError: no mirror gave the file; the message names them, and the folder to put it in by hand.
        ValueError: a file is damaged or half written.

    Source: LeCun, Cortes and Burges; described in LeCun et al. 1998, https://doi.org/10.1109/5.726791.
    """
    return _split(*_idx_parts("mnist", folder, download), flat=flat)


def fashion_mnist(folder: str | os.PathLike[str] | None = None, *, flat: bool = True, download: bool = True) -> Split:
    """The 60,000 + 10,000 pieces of clothing of Fashion-MNIST, in the form of `mnist`; names in `FASHION_CLASSES`.

    Source: Xiao, Rasul and Vollgraf 2017, https://arxiv.org/abs/1708.07747.
    """
    return _split(*_idx_parts("fashion_mnist", folder, download), flat=flat)


def cifar10(folder: str | os.PathLike[str] | None = None, *, flat: bool = True, download: bool = True) -> Split:
    """The 50,000 + 10,000 color pictures of CIFAR-10, (n, 3, 32, 32) or flat; names in `CIFAR_CLASSES`.

    Arguments and errors are those of `mnist`. The archive is read where it lies: nothing is unpacked to disk.

    Source: Krizhevsky 2009, https://www.cs.toronto.edu/~kriz/cifar.html.
    """
    archive = fetch(FILES["cifar10"][0], _folder("cifar10", folder), download=download)
    return _split(*read_cifar(archive, CIFAR_BATCHES), *read_cifar(archive, ["test_batch"]), flat=flat)


def fetch(file: RemoteFile, folder: str | os.PathLike[str], *, download: bool = True, timeout: float = 30.0) -> Path:
    """The path of `file` in `folder`, checked; downloaded first if it is not there.

    A download grows in `<name>.part` and gets its name only after its SHA-256 was found right. An interrupted one goes
    on where it stopped, also from another mirror or in the next call. Raises as `mnist` does.
    """
    target = Path(folder) / file.name
    if target.exists():
        found = _sha256(target)
        if found != file.sha256:
            size = target.stat().st_size
            raise ValueError(
                f"{target} must have {file.size:,} bytes and SHA-256 {file.sha256}, got {size:,} bytes and {found}; "
                "delete it to download it again"
            )
        return target
    if not download:
        raise FileNotFoundError(f"{target} is missing; put it there, or pass download=True")
    part = target.with_name(f"{file.name}.part")
    target.parent.mkdir(parents=True, exist_ok=True)
    failures = []
    for mirror in file.mirrors:
        try:
            print(f"{mirror}{file.name}: {file.size / 1e6:.1f} MB into {target.parent}")
            _go_on(mirror + file.name, part, file.size, timeout)
        except (OSError, http.client.HTTPException) as error:  # OSError holds URLError, refusals and time-outs
            failures.append(f"{mirror}{file.name}: {error or type(error).__name__}")
            continue
        found = _sha256(part)
        if found == file.sha256:
            os.replace(part, target)  # at once or not at all
            return target
        part.unlink()
        failures.append(f"{mirror}{file.name}: SHA-256 must be {file.sha256}, got {found}")
    kept = part.stat().st_size if part.exists() else 0
    raise ConnectionError(
        f"{file.name} could not be downloaded:\n  "
        + "\n  ".join(failures)
        + (f"\n{kept:,} of {file.size:,} bytes are kept, and the next call goes on from there." if kept else "")
        + f"\nWithout a network, put the file by hand into {target.parent}"
    )


def read_idx(path: str | os.PathLike[str]) -> Tensor:
    """A gzipped IDX file of unsigned bytes as a tensor: two zero bytes, the type 8, the number of axes, the sizes."""
    try:
        with gzip.open(path) as stream:
            data = stream.read()
    except (EOFError, gzip.BadGzipFile, zlib.error) as error:
        raise ValueError(f"{path} must be a whole gzip file, got: {error}") from error
    if not (len(data) >= 4 and data[:3] == b"\0\0\x08" and len(data) >= 4 + 4 * data[3]):
        raise ValueError(f"{path} must begin with the header of an IDX file of unsigned bytes, got {data[:4].hex()!r}")
    start = 4 + 4 * data[3]
    sizes = [int.from_bytes(data[place : place + 4], "big") for place in range(4, start, 4)]
    if not len(data) - start == math.prod(sizes):
        raise ValueError(f"{path} must hold {math.prod(sizes):,} bytes for sizes {sizes}, got {len(data) - start:,}")
    return _bytes(data[start:]).reshape(sizes)


def read_cifar(path: str | os.PathLike[str], batches: Sequence[str]) -> tuple[Tensor, Tensor]:
    """Images (n, 3, 32, 32) and labels (n,) of the named batches in CIFAR-10's archive, as unsigned bytes.

    The batches are pickles, and a pickle may run any code. Here the three names that an array needs are answered by
    harmless stand-ins, and every other name is refused: nothing is imported or called.
    """
    images, labels = [], []
    try:
        with tarfile.open(path, "r:gz") as archive:
            for batch in batches:
                stream = archive.extractfile(f"cifar-10-batches-py/{batch}")
                if stream is None:
                    raise KeyError(f"{batch} is no file")
                with stream:
                    content = _Unpickler(stream, encoding="bytes").load()
                images.append(content[b"data"].tensor().reshape(len(content[b"labels"]), 3, 32, 32))
                labels.append(torch.tensor(content[b"labels"], dtype=torch.uint8))
    except (
        *(tarfile.TarError, zlib.error, EOFError, gzip.BadGzipFile),
        *(pickle.UnpicklingError, KeyError, TypeError, AttributeError, ValueError, IndexError, RuntimeError),
    ) as error:
        raise ValueError(f"{path} must be CIFAR-10's archive for Python, got: {error}") from error
    return torch.cat(images), torch.cat(labels)


class _Array:
    """Stands in for a numpy array of bytes: remembers what its pickle says of it."""

    def __init__(self, *_: Any) -> None:
        self.state: Any = None

    def __setstate__(self, state: Any) -> None:
        self.state = state

    def tensor(self) -> Tensor:
        _, shape, dtype, by_columns, data = self.state
        if dtype.name not in ("u1", b"u1"):
            raise ValueError(f"the pixels must be unsigned bytes (u1), got {dtype.name!r}")
        values = _bytes(data)
        return values.reshape(shape[::-1]).T if by_columns else values.reshape(shape)


class _Dtype:
    """Stands in for a numpy dtype."""

    def __init__(self, name: str | bytes = "", *_: Any) -> None:
        self.name = name

    def __setstate__(self, state: Any) -> None:
        pass


class _Unpickler(pickle.Unpickler):
    """Knows three names, and none of them is the real one."""

    def find_class(self, module: str, name: str) -> Any:
        if (module, name) not in _STAND_INS:
            raise pickle.UnpicklingError(f"a pickle of pictures must not ask for {module}.{name}")
        return _STAND_INS[module, name]


_STAND_INS = {
    ("numpy.core.multiarray", "_reconstruct"): _Array,
    ("numpy", "ndarray"): _Array,
    ("numpy", "dtype"): _Dtype,
}


def _go_on(url: str, part: Path, size: int, timeout: float) -> None:
    """Fetch into `part` what is missing of `size` bytes; raise OSError if they do not all come."""
    have = part.stat().st_size if part.exists() else 0
    if have > size:
        part.unlink()
        have = 0
    if have == size:
        return
    headers = {"User-Agent": "livegrad"} | ({"Range": f"bytes={have}-"} if have else {})
    with urlopen(Request(url, headers=headers), timeout=timeout) as answer:
        # A server may ignore the range and send all of it (200), or send another one than asked for.
        goes_on = answer.status == 206 and answer.headers.get("Content-Range", "").startswith(f"bytes {have}-")
        if have and answer.status == 206 and not goes_on:
            raise OSError(f"asked for bytes from {have:,}, got {answer.headers.get('Content-Range')!r}")
        with part.open("ab" if goes_on else "wb") as out:
            _copy(answer, out, size - (have if goes_on else 0))
    got = part.stat().st_size
    if got < size:
        raise OSError(f"ended after {got:,} of {size:,} bytes")


def _copy(source: IO[bytes], out: IO[bytes], most: int) -> None:
    while chunk := source.read(CHUNK):
        most -= len(chunk)
        if most < 0:
            raise OSError("more bytes than the file has")
        out.write(chunk)


def _sha256(path: Path) -> str:
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def _folder(name: str, folder: str | os.PathLike[str] | None) -> Path:
    if folder is not None:
        return Path(folder).expanduser()
    return Path(os.environ.get("LIVEGRAD_DATA") or "~/.cache/livegrad").expanduser() / name


def _idx_parts(name: str, folder: str | os.PathLike[str] | None, download: bool) -> Split:
    parts = [read_idx(fetch(file, _folder(name, folder), download=download)) for file in FILES[name]]
    return Split(parts[0][:, None], parts[1], parts[2][:, None], parts[3])


def _split(x_train: Tensor, y_train: Tensor, x_test: Tensor, y_test: Tensor, *, flat: bool) -> Split:
    for x, y in ((x_train, y_train), (x_test, y_test)):
        if not len(x) == len(y):
            raise ValueError(f"there must be one label per picture, got {len(y):,} labels for {len(x):,} pictures")
        if not (y <= 9).all():
            raise ValueError(f"labels must be in [0, 9], got {int(y.max())}")
    # From how often each of the 256 values occurs: exact, and without a copy of all pictures in float64.
    counts, values = x_train.flatten().bincount(minlength=256).double(), torch.arange(256, dtype=torch.float64)
    mean = counts @ values / counts.sum()
    std = (counts @ (values - mean) ** 2 / (counts.sum() - 1)).sqrt()
    scaled = [x.float().sub_(mean.float()).div_(std.float()) for x in (x_train, x_test)]
    x_train, x_test = (x.flatten(1) for x in scaled) if flat else scaled
    return Split(x_train, y_train.long(), x_test, y_test.long())


def _bytes(data: bytes) -> Tensor:
    # torch cannot read from nothing; and a bytearray, because torch warns of memory that must not change.
    return torch.frombuffer(bytearray(data), dtype=torch.uint8) if data else torch.empty(0, dtype=torch.uint8)
