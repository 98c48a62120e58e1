"""Data of other kinds: what each is, and how its images get into a form that is read."""

from __future__ import annotations

from pathlib import Path

from core.errors import InputError

_WRITE = "Write its images into class folders, or as arrays into an .npz file; docs/formats.md shows a script"
_ARRAYS = "Save its arrays with np.savez(file, x_train=..., y_train=...)"
_UNPACK = "Unpack it, and open the folder"
_TABLE = "Save it as CSV with columns path and label"

_BY_ENDING = {
    ".lmdb": ("an LMDB database", _WRITE), ".mdb": ("an LMDB database", _WRITE),
    ".tfrecord": ("a TFRecord file", _WRITE), ".tfrecords": ("a TFRecord file", _WRITE),
    ".rec": ("a RecordIO file of MXNet", _WRITE), ".beton": ("a file of FFCV", _WRITE),
    ".h5": ("an HDF5 file", _ARRAYS), ".hdf5": ("an HDF5 file", _ARRAYS), ".mat": ("a MATLAB file", _ARRAYS),
    ".pkl": ("a pickle, which could run program code", _ARRAYS), ".pt": ("a file of PyTorch", _ARRAYS),
    ".pth": ("a file of PyTorch", _ARRAYS),
    ".zip": ("an archive", _UNPACK), ".tgz": ("a compressed archive", _UNPACK), ".gz": ("compressed", _UNPACK),
    ".bz2": ("compressed", _UNPACK), ".xz": ("compressed", _UNPACK), ".zst": ("compressed", _UNPACK),
    ".7z": ("an archive", _UNPACK), ".rar": ("an archive", _UNPACK),
    ".xlsx": ("a spreadsheet", _TABLE), ".ods": ("a spreadsheet", _TABLE), ".jsonl": ("a list of JSON lines", _TABLE),
    ".arrow": ("one Arrow file", "Open the folder that save_to_disk wrote"), ".xml": ("XML", _TABLE),
}  # fmt: skip
_IN_FOLDER = {
    "data.mdb": _BY_ENDING[".lmdb"],
    "features.json": ("a data set of TensorFlow Datasets", _WRITE),
}


def refuse_foreign_data(path: Path) -> None:
    """Raise InputError, naming what it is and what to do, where a path is data of another kind."""
    known = _BY_ENDING.get(path.suffix.lower())
    if path.is_dir():
        known = next((what for name, what in _IN_FOLDER.items() if (path / name).is_file()), None)
    if known is not None:
        what, do = known
        raise InputError(f"{path} is {what}, which is not read as data", do)
