"""Decoding: every mode upright at one size and 8 bits; damaged, huge and strange files cost themselves only."""

import hashlib
import io
import json
import os
import struct
import threading
import time
import zlib
from concurrent.futures import ThreadPoolExecutor
from contextlib import nullcontext
from dataclasses import replace
from types import SimpleNamespace

import msgspec
import numpy as np
import pytest
from PIL import Image

from core.data import images, index
from core.data.images import Form, Header, decode, decode_whole, look, reason_of
from core.data.index import FolderFiles
from core.data.preprocessing import Preprocessing
from core.data.reading import Listing, load_listing, prepare_parts
from core.data.sources import open_dataset
from core.errors import InputError, OutOfMemoryError, StoppedError
from core.events import untold

GREY, COLOUR = Form((4, 6), 1), Form((4, 6), 3)
ORIENTATION = 0x0112
PNG = b"\x89PNG\r\n\x1a\n"


def encoded(image, kind="PNG", **options):
    out = io.BytesIO()
    image.save(out, kind, **options)
    return out.getvalue()


def chunk(kind, body):
    """One chunk of a PNG."""
    return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))


def gradient():
    return np.linspace(0, 255, 24).round().astype(np.uint8).reshape(4, 6)


def test_grey_stays_grey_and_is_spread_over_three_channels_where_asked():
    data = encoded(Image.fromarray(gradient()))
    assert np.array_equal(decode(data, GREY)[..., 0], gradient())
    assert np.array_equal(decode(data, COLOUR), np.repeat(gradient()[..., None], 3, axis=2))


def test_sixteen_bits_are_scaled_not_clipped():
    deep = gradient().astype(np.uint16) * 257
    assert np.array_equal(decode(encoded(Image.fromarray(deep)), GREY)[..., 0], gradient())
    assert np.array_equal(decode(encoded(Image.fromarray(deep), "TIFF"), GREY)[..., 0], gradient())


def test_sixteen_bit_integers_in_a_wider_mode():
    wide = Image.fromarray(gradient().astype(np.int32) * 257)
    assert wide.mode == "I"
    assert np.array_equal(decode(encoded(wide, "TIFF"), GREY)[..., 0], gradient())


def test_floating_point():
    assert np.array_equal(
        decode(encoded(Image.fromarray(gradient().astype(np.float32) / 255), "TIFF"), GREY)[..., 0], gradient()
    )
    with pytest.raises(Exception, match="floating-point values from 0 to 255, not 0 to 1"):
        decode(encoded(Image.fromarray(gradient().astype(np.float32)), "TIFF"), GREY)


def test_thirty_two_bits_are_refused():
    with pytest.raises(Exception, match="more than 16 bits"):
        decode(encoded(Image.fromarray(gradient().astype(np.int32) * 70_000), "TIFF"), GREY)


def test_one_bit():
    bits = gradient() > 127
    assert np.array_equal(decode(encoded(Image.fromarray(bits)), GREY)[..., 0], bits * np.uint8(255))


def test_alpha_is_laid_over_white():
    rgba = np.zeros((4, 6, 4), dtype=np.uint8)
    rgba[..., 0] = 200
    rgba[:, 3:, 3] = 255
    result = decode(encoded(Image.fromarray(rgba)), COLOUR)
    assert result[0, 0].tolist() == [255, 255, 255]
    assert result[0, 5].tolist() == [200, 0, 0]
    la = np.dstack([gradient(), np.zeros_like(gradient())])
    assert (decode(encoded(Image.fromarray(la)), GREY) == 255).all()


def test_palette_with_and_without_transparency():
    image = Image.fromarray(np.array([[0, 1, 1, 1, 1, 1]] * 4, dtype=np.uint8)).convert("P")
    image.putpalette([10, 20, 30, 200, 100, 50])
    assert decode(encoded(image), COLOUR)[0, 0].tolist() == [10, 20, 30]
    assert decode(encoded(image, transparency=0), COLOUR)[0, 0].tolist() == [255, 255, 255]
    assert decode(encoded(image, "GIF"), COLOUR)[0, 5].tolist() == [200, 100, 50]


@pytest.mark.parametrize(("kind", "tolerance"), [("TIFF", 0), ("JPEG", 6)])  # JPEG stores it inverted
def test_cmyk(kind, tolerance):
    data = encoded(Image.new("CMYK", (6, 4), (0, 255, 255, 0)), kind)
    assert np.abs(decode(data, COLOUR)[0, 0].astype(int) - [255, 0, 0]).max() <= tolerance
    assert look(data) == Header((4, 6), grey=False)


def deep_png(values, colour_type, between=b""):
    """A PNG of 16 bits a channel, which Pillow does not write in colour: values (H, W[, C]) uint16."""
    rows = b"".join(b"\0" + row.astype(">u2").tobytes() for row in values)
    head = struct.pack(">IIBBBBB", values.shape[1], values.shape[0], 16, colour_type, 0, 0, 0)
    return PNG + chunk(b"IHDR", head) + between + chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b"")


def test_sixteen_bits_a_channel_in_colour_with_alpha_and_with_a_transparent_value():
    deep, opaque = gradient().astype(np.uint16) * 257, (gradient() > 100).astype(np.uint16) * 65535
    colour = np.dstack([deep, deep[::-1], deep[:, ::-1]])
    assert np.array_equal(decode(deep_png(colour, 2), COLOUR), colour // 257)
    laid = np.where(opaque[..., None] > 0, colour // 257, 255)
    assert np.array_equal(decode(deep_png(np.dstack([colour, opaque]), 6), COLOUR), laid)
    grey = deep_png(np.dstack([deep, opaque]), 4)
    assert np.array_equal(decode(grey, COLOUR), np.repeat(laid[..., :1], 3, axis=2))
    clear = deep_png(deep, 0, chunk(b"tRNS", struct.pack(">H", 0)))
    assert np.array_equal(decode(clear, GREY)[..., 0], np.where(deep == 0, 255, deep // 257))
    big = encoded(Image.fromarray(deep.astype(">u2")), "TIFF")
    assert np.array_equal(decode(big, GREY)[..., 0], gradient())


FORMATS = [
    ("PNG", {}, 0), ("BMP", {}, 0), ("TIFF", {}, 0), ("TIFF", {"compression": "tiff_lzw"}, 0),
    ("TIFF", {"compression": "tiff_adobe_deflate"}, 0), ("WEBP", {"lossless": True}, 0), ("GIF", {}, 40),
    ("PPM", {}, 0),
    ("JPEG", {"quality": 100, "subsampling": 0}, 6),
    ("JPEG", {"quality": 100, "subsampling": 0, "progressive": True}, 6),
]  # fmt: skip


@pytest.mark.parametrize(("kind", "options", "tolerance"), FORMATS)
def test_every_format_gives_the_pixels_that_were_written(kind, options, tolerance):
    colour = np.dstack([gradient(), gradient()[::-1], gradient()[:, ::-1]])
    data = encoded(Image.fromarray(colour), kind, **options)
    assert np.abs(decode(data, COLOUR).astype(int) - colour).max() <= tolerance
    assert look(data) == Header((4, 6), grey=False)
    grey = encoded(Image.fromarray(gradient()), kind, **options)
    assert np.abs(decode(grey, GREY)[..., 0].astype(int) - gradient()).max() <= min(tolerance, 6)


@pytest.mark.parametrize(("kind", "options"), [("WEBP", {"lossless": True, "exact": True}), ("TIFF", {}), ("PNG", {})])
def test_alpha_of_every_format_is_laid_over_white(kind, options):
    rgba = np.dstack([gradient()] * 3 + [(gradient() > 100) * np.uint8(255)])
    data = encoded(Image.fromarray(rgba), kind, **options)
    assert np.array_equal(decode(data, GREY)[..., 0], np.where(gradient() > 100, gradient(), 255))


@pytest.mark.parametrize("kind", ["WEBP", "TIFF", "GIF"])
def test_of_several_pictures_in_a_file_the_first_counts(kind):
    first, second = Image.fromarray(gradient()), Image.fromarray(255 - gradient())
    options = {"lossless": True} if kind == "WEBP" else {}
    assert np.array_equal(
        decode(encoded(first, kind, save_all=True, append_images=[second], **options), GREY)[..., 0], gradient()
    )


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "WEBP", "TIFF"])
@pytest.mark.parametrize("orientation", range(1, 9))
def test_exif_orientation(kind, orientation):
    upright = Image.fromarray(gradient())
    undo = {
        1: None,
        2: Image.Transpose.FLIP_LEFT_RIGHT,
        3: Image.Transpose.ROTATE_180,
        4: Image.Transpose.FLIP_TOP_BOTTOM,
        5: Image.Transpose.TRANSPOSE,
        6: Image.Transpose.ROTATE_90,
        7: Image.Transpose.TRANSVERSE,
        8: Image.Transpose.ROTATE_270,
    }[orientation]
    stored = upright if undo is None else upright.transpose(undo)
    exif = Image.Exif()
    exif[ORIENTATION] = orientation
    data = encoded(stored, kind, exif=exif, **{"WEBP": {"lossless": True}, "JPEG": {"quality": 100}}.get(kind, {}))
    difference = np.abs(decode(data, GREY)[..., 0].astype(int) - gradient()).max()
    assert difference <= (6 if kind == "JPEG" else 0)
    assert look(data).size == (4, 6)


@pytest.mark.filterwarnings("ignore:Corrupt EXIF data")
def test_damaged_exif_costs_only_the_rotation():
    data = encoded(Image.fromarray(gradient()), "PNG", exif=b"Exif\0\0II*\0\xff\xff\xff\xff")
    assert np.array_equal(decode(data, GREY)[..., 0], gradient())


def test_other_sizes_are_covered_and_cropped_at_the_centre():
    wide = np.zeros((4, 12), dtype=np.uint8)
    wide[:, 3:9] = 200
    assert (decode(encoded(Image.fromarray(wide)), GREY) == 200).all()
    tall = np.zeros((24, 12), dtype=np.uint8)
    tall[6:18] = 90  # beyond the crop, as the filter looks a little over its edge
    assert (decode(encoded(Image.fromarray(tall)), GREY) == 90).all()


def test_a_large_jpeg_read_in_reduced_size_looks_the_same():
    x = np.linspace(0, 255, 512).astype(np.uint8)
    image = Image.fromarray(
        np.dstack([np.tile(x, (512, 1)), np.tile(x[:, None], (1, 512)), np.full((512, 512), 80)]).astype(np.uint8)
    )
    data = encoded(image, "JPEG", quality=95)
    form = Form((32, 32), 3)
    whole = np.asarray(Image.open(io.BytesIO(data)).resize((32, 32), Image.Resampling.BILINEAR)).astype(int)
    assert np.abs(decode(data, form).astype(int) - whole).max() <= 4


@pytest.mark.filterwarnings("ignore:Truncated File Read")
@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP", "TIFF", "BMP", "GIF"])
def test_a_look_says_what_decoding_would(kind):
    noise = np.random.default_rng(5).integers(0, 256, (20, 30, 3), dtype=np.uint8)
    data = encoded(Image.fromarray(noise), kind)
    assert look(data).size == (20, 30) and not look(data).fault
    assert look(data + b"\0" * 40).fault == ""  # padded
    for cut in (60, len(data) // 2, len(data) - 30):
        try:
            decode(data[:cut], COLOUR)
        except Exception as error:
            assert look(data[:cut]).fault == reason_of(error)
        else:
            assert not look(data[:cut]).fault


def with_damaged_table(jpeg, last=False):
    """A JPEG whose first, or last, Huffman table is nonsense."""
    data = bytearray(jpeg)
    start = data.rindex(b"\xff\xc4") if last else data.index(b"\xff\xc4")
    data[start + 4 : start + 20] = b"\xff" * 16
    return bytes(data)


def only_looks_whole(height, width):
    """A JPEG that begins and ends as it must and does not decode."""
    noise = np.random.default_rng(0).integers(0, 256, (height, width, 3), dtype=np.uint8)
    data = with_damaged_table(encoded(Image.fromarray(noise), "JPEG", quality=90, progressive=True), last=True)
    assert look(data) == Header((height, width), grey=False)
    with pytest.raises(OSError, match="broken"):
        decode(data, COLOUR)
    return data


def test_a_look_sees_a_damaged_table_and_pixels_that_cannot_be():
    noise = np.random.default_rng(5).integers(0, 256, (90, 80, 3), dtype=np.uint8)
    jpeg = encoded(Image.fromarray(noise), "JPEG", quality=95)
    assert look(with_damaged_table(jpeg)).fault == "damaged: broken data stream when reading image file"
    with_profile = encoded(Image.fromarray(noise), "JPEG", quality=95, icc_profile=bytes(100_000))
    assert look(with_profile) == Header((90, 80), False)  # its pixels come late
    assert look(with_damaged_table(with_profile)).fault
    assert look(hollow_png(900, 900)).fault  # too few bytes to be so many pixels
    assert look(hollow_png(90, 90)).fault  # too few once they are unpacked
    nonsense = chunk(b"IHDR", struct.pack(">IIBBBBB", 30, 20, 8, 0, 0, 0, 0)) + chunk(b"IDAT", bytes(range(250)))
    assert look(PNG + nonsense + chunk(b"IEND", b"")).fault
    assert not look(encoded(Image.fromarray(noise), "PNG", compress_level=0)).fault


def test_a_look_sees_a_damaged_checksum_and_colours_without_decoding(monkeypatch):
    noise = np.random.default_rng(5).integers(0, 256, (20, 30), dtype=np.uint8)
    data = bytearray(encoded(Image.fromarray(noise)))
    monkeypatch.setattr("core.data.images._decoded_size", lambda *a: pytest.fail("it was decoded"))
    assert look(bytes(data)) == Header((20, 30), grey=True)
    jpeg = encoded(Image.fromarray(noise).convert("RGB"), "JPEG")
    assert look(jpeg) == Header((20, 30), grey=False)
    monkeypatch.undo()
    data[data.index(b"IDAT") + 40] ^= 255
    assert look(bytes(data)).fault.startswith("damaged")


# --- many files ---------------------------------------------------------------------------------------------------


def read(root, names=None, size=None, channels=None, memory_budget=None):
    names = sorted(p.name for p in root.iterdir()) if names is None else names
    loaded = load_listing(listing(root, names), untold)
    stored = loaded.train.stored.originals
    prepared = Preprocessing.unscaled(channels or stored.channels, size or stored.size)
    return replace(loaded, train=prepare_parts([loaded.train], prepared, memory_budget, untold)[0])


def listing(root, names):
    """Images of one class, all to train on."""
    return Listing("photos", ("a",), FolderFiles(root, names), ([0] * len(names), []))


def save(path, h, w, mode="RGB", value=100):
    Image.new(mode, (w, h), value if mode != "RGB" else (value,) * 3).save(path)


def test_the_most_common_size_wins_and_ties_go_to_the_larger(tmp_path):
    for i, size in enumerate([(8, 8), (10, 12), (10, 12), (40, 40)]):
        save(tmp_path / f"{i}.png", *size)
    assert read(tmp_path).train.images.shape == (4, 10, 12, 3)
    assert read(tmp_path, ["0.png", "1.png"]).train.images.shape == (2, 10, 12, 3)
    assert read(tmp_path, ["1.png", "0.png"]).train.images.shape == (2, 10, 12, 3)
    assert read(tmp_path, size=(5, 7)).train.images.shape == (4, 5, 7, 3)


def test_a_size_of_their_own_is_limited(tmp_path):
    save(tmp_path / "a.png", 300, 500)
    save(tmp_path / "b.png", 300, 100)
    assert read(tmp_path, ["a.png"]).train.images.shape == (1, 224, 224, 3)
    assert read(tmp_path, ["b.png"]).train.images.shape == (1, 224, 100, 3)
    assert read(tmp_path, size=(300, 300)).train.images.shape == (2, 300, 300, 3)


@pytest.mark.parametrize("kind", ["jpg", "png"])
@pytest.mark.parametrize(("orientation", "size"), [(3, (10, 20)), (5, (20, 10)), (6, (20, 10)), (8, (20, 10))])
def test_rotated_photographs_count_with_their_upright_size(tmp_path, kind, orientation, size):
    exif = Image.Exif()
    exif[ORIENTATION] = orientation
    Image.new("RGB", (20, 10)).save(tmp_path / f"a.{kind}", exif=exif)
    assert read(tmp_path).train.images.shape == (1, *size, 3)


def test_channels_follow_the_files(tmp_path):
    save(tmp_path / "a.png", 4, 4, "L")
    palette = Image.fromarray(np.eye(4, dtype=np.uint8)).convert("P")
    palette.putpalette([7, 7, 7, 200, 200, 200])
    palette.save(tmp_path / "b.png")
    Image.fromarray(np.eye(4, dtype=np.uint16)).save(tmp_path / "c.png")
    assert read(tmp_path).train.images.shape == (3, 4, 4, 1)
    assert read(tmp_path, channels=3).train.images.shape == (3, 4, 4, 3)
    save(tmp_path / "d.png", 4, 4, "RGB")
    assert read(tmp_path).train.images.shape == (4, 4, 4, 3)
    assert read(tmp_path, channels=1).train.images.shape == (4, 4, 4, 1)


def hollow_png(width, height):
    """A PNG header that promises width x height pixels, with next to nothing behind it."""
    head = chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0))
    return PNG + head + chunk(b"IDAT", zlib.compress(bytes(100))) + chunk(b"IEND", b"")


@pytest.fixture
def good_and_bad(tmp_path):
    for i in range(200):
        save(tmp_path / f"good{i:03d}.png", 6, 6, value=i)
    (tmp_path / "a_empty.png").write_bytes(b"")
    (tmp_path / "b_text.png").write_bytes(b"no image at all")
    whole = (tmp_path / "good000.png").read_bytes()
    noise = encoded(Image.fromarray(np.random.default_rng(0).integers(0, 256, (6, 6, 3), dtype=np.uint8)))
    (tmp_path / "good050b_cut.png").write_bytes(noise[:-60])
    (tmp_path / "c_bomb.png").write_bytes(hollow_png(100_000, 100_000))
    (tmp_path / "d_large.png").write_bytes(hollow_png(10_000, 9_500))  # Pillow warns of it, and opens it
    (tmp_path / "e_folder.png").mkdir()
    os.mkfifo(tmp_path / "f_pipe.png")
    (tmp_path / "g_link.png").symlink_to("g_link.png")
    (tmp_path / "zz_last.png").write_bytes(whole)
    return tmp_path


def test_unreadable_files_are_named_with_a_reason_and_leave_no_gap(good_and_bad, recwarn):
    names = [*sorted(p.name for p in good_and_bad.iterdir()), "missing.png"]
    result = read(good_and_bad, names)
    reasons = {entry.path: entry.reason for entry in result.unreadable}
    assert set(reasons) == {
        "a_empty.png",
        "b_text.png",
        "c_bomb.png",
        "d_large.png",
        "e_folder.png",
        "f_pipe.png",
        "g_link.png",
        "good050b_cut.png",
        "missing.png",
    }
    assert reasons["a_empty.png"] == "the file is empty"
    assert reasons["b_text.png"] == "not an image, or of an unknown kind"
    assert "pixels" in reasons["c_bomb.png"] and "limit" in reasons["c_bomb.png"]
    assert reasons["d_large.png"].startswith("damaged: ")
    assert reasons["e_folder.png"] == reasons["f_pipe.png"] == "not a file"
    assert reasons["missing.png"] == "no such file"
    assert list(result.train.paths) == [n for n in names if n not in reasons]
    assert result.train.images[:, 0, 0, 0].tolist() == [*range(200), 0]
    assert len(result.train.digests) == 201
    assert not recwarn.list


def test_the_limit_of_pixels_is_where_pillow_stops(tmp_path, monkeypatch):
    save(tmp_path / "a.png", 10, 13)
    save(tmp_path / "b.png", 10, 12)  # more than Pillow warns of
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 60)
    (left,) = read(tmp_path).unreadable
    assert left.path == "a.png" and left.reason == "more pixels than the limit of 120"


@pytest.mark.parametrize(
    ("mode", "kind", "options"),
    [("RGBA", "PNG", {}), ("LA", "PNG", {}), ("P", "PNG", {"transparency": 3}), ("I;16", "PNG", {}), ("F", "TIFF", {})],
)
def test_large_images_are_worked_on_by_strips_to_the_same_pixels(monkeypatch, mode, kind, options):
    values = np.random.default_rng(0).integers(0, 256, (40, 30, 4), dtype=np.uint8)
    deep = values[..., 0].astype(np.uint16) * 257
    made = {"I;16": deep, "F": values[..., 0] / np.float32(255), "LA": values[..., :2]}.get(mode, values)
    image = Image.fromarray(made) if mode != "P" else Image.fromarray(values[..., :3]).quantize(16)
    assert image.mode == mode
    data = encoded(image, kind, **options)
    whole = [np.asarray(decode_whole(data, channels)) for channels in (1, 3)]
    monkeypatch.setattr(images, "_STRIP", 7 * 30)
    for channels, expected in zip((1, 3), whole, strict=True):
        assert np.array_equal(np.asarray(decode_whole(data, channels)), expected)


def test_images_in_flight_take_no_more_than_there_is_room_for(monkeypatch):
    room, most, taken, lock = images._Room(100), [], [0], threading.Lock()

    def take(size):
        with room.taking(size):
            with lock:
                taken[0] += min(size, 100)
                most.append(taken[0])
            with lock:
                taken[0] -= min(size, 100)

    with ThreadPoolExecutor(8) as pool:  # those above 100 go alone
        list(pool.map(take, [40, 30, 500, 60, 100, 20, 99, 1] * 50))
    assert len(most) == 400 and max(most) <= 100 and room._free == 100


def test_an_image_asks_for_room_as_large_as_it_is(monkeypatch):
    asked = []
    monkeypatch.setattr(images, "_SMALL", 10)
    monkeypatch.setattr(images, "_ROOM", SimpleNamespace(taking=lambda size: (asked.append(size), nullcontext())[1]))
    colour = np.zeros((64, 64, 3), np.uint8)
    decode(encoded(Image.fromarray(colour)), COLOUR)
    decode(encoded(Image.fromarray(np.dstack([colour, colour[..., :1]]))), COLOUR)
    decode(encoded(Image.fromarray(colour), "JPEG"), COLOUR)  # asked for fewer pixels
    decode(encoded(Image.fromarray(colour), "JPEG", progressive=True), COLOUR)
    look(encoded(Image.fromarray(colour), "TIFF"))
    of_all = 64 * 64
    assert asked == [of_all * 6, of_all * 12, of_all * 6 // 16, of_all * 6 // 16 + of_all * 6, of_all * 6]


def test_memory_that_runs_out_leaves_no_image_out(tmp_path, monkeypatch):
    save(tmp_path / "a.png", 5, 5)

    def runs_out(data):
        raise MemoryError

    monkeypatch.setattr("core.data.index.look", runs_out)
    with pytest.raises(OutOfMemoryError, match=r"Memory ran out while a\.png was decoded"):
        read(tmp_path)


def test_nothing_readable(tmp_path):
    (tmp_path / "a.png").write_bytes(b"?")
    with pytest.raises(InputError, match=r"None of the 1 images in .* can be read \(a\.png: not an image"):
        read(tmp_path)


def test_cancelling_ends_the_reading_early(good_and_bad):
    seen = []
    names = sorted(p.name for p in good_and_bad.iterdir()) * 20

    def report(*what):
        if len(seen) > 2:
            raise StoppedError("It was cancelled")
        seen.append(what)

    with pytest.raises(StoppedError, match="cancelled"):
        load_listing(listing(good_and_bad, names), report)
    assert seen[-1][1] < len(names) / 4


# --- digests ------------------------------------------------------------------------------------------------------


def age(path, seconds=100):
    then = time.time() - seconds
    os.utime(path, (then, then))


@pytest.mark.parametrize("budget", [0, float("inf")])
def test_digests_are_remembered_by_size_and_time_and_without_names(tmp_path, own_folders, budget):
    folder = tmp_path / "secret person"
    folder.mkdir()

    def digest():
        return bytes(read(folder, memory_budget=budget).train.digests[0]).hex()

    save(folder / "a.png", 4, 4)
    age(folder / "a.png")
    first = digest()
    (cache,) = own_folders.rglob("*.json")
    assert "a.png" not in cache.read_text() and "secret" not in str(cache)

    def write_wrong():
        memory = msgspec.json.decode(cache.read_bytes(), type=index._Remembered)
        memory.digests = "ab" * 32
        memory.check = memory.checked()
        cache.write_bytes(msgspec.json.encode(memory))

    # A wrong entry shows that it is used; a changed file shows that it is not used blindly.
    write_wrong()
    assert digest() == "ab" * 32
    age(folder / "a.png", 200)
    assert digest() == first
    write_wrong()
    time_of_change = (folder / "a.png").stat().st_mtime_ns
    (folder / "a.png").write_bytes((folder / "a.png").read_bytes() + b"padded")
    os.utime(folder / "a.png", ns=(time_of_change, time_of_change))
    assert digest() == hashlib.sha256((folder / "a.png").read_bytes()).hexdigest()


def test_a_file_changed_just_now_is_not_remembered(tmp_path, own_folders):
    save(tmp_path / "a.png", 4, 4)
    read(tmp_path)
    (cache,) = own_folders.rglob("*.json")
    assert json.loads(cache.read_text())["digests"] == ""


@pytest.mark.parametrize("content", ["", "[1]", "{", '{"x": [1, 2]}'])
def test_a_damaged_cache_is_written_anew(tmp_path, own_folders, content):
    save(tmp_path / "a.png", 4, 4)
    age(tmp_path / "a.png")
    first = read(tmp_path).train.digests
    (cache,) = own_folders.rglob("*.json")
    good = cache.read_text()
    cache.write_text(content)
    assert np.array_equal(read(tmp_path).train.digests, first)
    assert cache.read_text() == good


def test_a_cache_that_cannot_be_written_is_no_error(tmp_path, monkeypatch):
    blocked = tmp_path / "file"
    blocked.write_text("in the way")
    monkeypatch.setenv("UNLEARN_STUDIO_HOME", str(blocked))
    save(tmp_path / "a.png", 4, 4)
    age(tmp_path / "a.png")
    assert len(read(tmp_path, ["a.png"]).train.digests) == 1


def test_a_tiff_of_several_pages_is_named_instead_of_read_in_part(tmp_path):
    pages = [Image.fromarray(np.full((8, 8), value, np.uint8)) for value in (10, 20, 30)]
    for name in "ab":
        (tmp_path / name).mkdir()
        pages[0].save(tmp_path / name / "one.tif")
        pages[0].save(tmp_path / name / "small.tif", save_all=True, append_images=[pages[1].resize((4, 4))])
    pages[0].save(tmp_path / "a" / "stack.tif", save_all=True, append_images=pages[1:])
    data = open_dataset(str(tmp_path), test_fraction=0.5)
    assert [(file.path, file.reason[:20]) for file in data.unreadable] == [("a/stack.tif", "3 pages of one size;")]
    assert len(data.train) + len(data.test) == 4


@pytest.mark.filterwarnings("ignore::PIL.Image.DecompressionBombWarning")
def test_a_file_that_cannot_hold_its_pixels_is_not_decoded():
    data = bytearray(encoded(Image.fromarray(np.zeros((9, 8), np.float32)), "TIFF"))
    place = data.index(b"\x01\x01\x04\x00\x01\0\0\0\x09\0\0\0")  # the height
    data[place + 8 : place + 12] = struct.pack("<I", 16_777_226)
    assert look(bytes(data)).fault == f"damaged: {len(data)} bytes cannot be 8×16777226 pixels"


def test_an_index_with_a_flipped_bit_is_made_anew(tmp_path, own_folders):
    for number in range(4):
        save(tmp_path / f"{number}.png", 6, 5)
        os.utime(tmp_path / f"{number}.png", (1e9, 1e9))
    digests = read(tmp_path).train.digests.copy()
    (file,) = own_folders.rglob("fingerprints/*.json")
    held = json.loads(file.read_bytes())
    for change in ({"digests": "0" + held["digests"][1:]}, {"widths": held["heights"]}, {"faults": {"0": "x"}}):
        file.write_text(json.dumps(held | change))
        again = read(tmp_path)
        assert np.array_equal(again.train.digests, digests) and not again.unreadable

