from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from haq.data import Images, load_images
from haq.data.folder import list_folder
from quant.errors import DataError

SIDE = 6


def save(path: Path, value: int = 0, mode: str = "L", side: int = SIDE) -> Path:
    """An image of one value; PNG and BMP keep it exactly."""
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new("L", (side, side), value).convert(mode).save(path)
    return path


def folder_with_csv(folder: Path, rows: list[str], header: str = "file,label") -> Path:
    folder.mkdir(exist_ok=True)
    (folder / "labels.csv").write_text("\n".join([header, *rows]) + "\n", encoding="utf-8")
    return folder


def numbered(folder: Path, count: int) -> Path:
    """`count` images whose value is their row."""
    for index in range(count):
        save(folder / f"{index}.png", index)
    return folder_with_csv(folder, [f"{index}.png,{index % 3}" for index in range(count)])


def load(folder: Path) -> Images:
    return load_images(str(folder), SIDE)


def refuse(folder: Path, match: str) -> None:
    with pytest.raises(DataError, match=match) as raised:
        load(folder)
    assert "\n" not in str(raised.value)


def test_rows_of_labels_csv_in_its_order(tmp_path: Path) -> None:
    for name, value in (("b.png", 10), ("a.png", 20), ("deep/c.bmp", 30)):
        save(tmp_path / name, value)
    images = load(folder_with_csv(tmp_path, ["b.png,7", "deep/c.bmp,0", "a.png,7"]))
    assert images.labels.tolist() == [7, 0, 7]
    assert images.pixels[:, 0, 0, 0].tolist() == [10, 30, 20]
    assert images.pixels.shape == (3, 1, SIDE, SIDE)
    assert images.pixels.dtype == np.uint8
    assert images.labels.dtype == np.int64


def test_more_columns_and_a_byte_order_mark_do_no_harm(tmp_path: Path) -> None:
    save(tmp_path / "a.png", 5)
    folder = folder_with_csv(tmp_path, ["1,a.png,who"], header="label,file,author")
    text = (folder / "labels.csv").read_bytes()
    (folder / "labels.csv").write_bytes(b"\xef\xbb\xbf" + text)
    assert load(folder).labels.tolist() == [1]


def test_class_folders_are_numbered_in_sorted_order(tmp_path: Path) -> None:
    for name, value in (("zebra/1.png", 3), ("ant/2.png", 2), ("ant/1.png", 1)):
        save(tmp_path / name, value)
    save(tmp_path / "bee" / "nested" / "1.png", 9)
    (tmp_path / "ant" / "notes.txt").write_text("no image")
    save(tmp_path / "stray.png", 99)
    images = load(tmp_path)
    assert images.labels.tolist() == [0, 0, 1, 2]
    assert images.pixels[:, 0, 0, 0].tolist() == [1, 2, 9, 3]


@pytest.mark.parametrize(("first", "last"), [(0, 0), (2, 4), (0, 6), (6, 6)])
def test_a_range_includes_both_ends(first: int, last: int, tmp_path: Path) -> None:
    images = load_images(f"{numbered(tmp_path, 7)}:{first}-{last}", SIDE)
    assert images.pixels[:, 0, 0, 0].tolist() == list(range(first, last + 1))


@pytest.mark.parametrize("span", ["0-7", "7-7", "4-2"])
def test_a_range_outside_of_the_rows_is_refused(span: str, tmp_path: Path) -> None:
    with pytest.raises(DataError, match=rf"has rows 0-6, not {span}"):
        load_images(f"{numbered(tmp_path, 7)}:{span}", SIDE)


def test_only_the_asked_rows_are_decoded(tmp_path: Path) -> None:
    numbered(tmp_path, 4)
    (tmp_path / "3.png").write_bytes(b"broken")
    assert len(load_images(f"{tmp_path}:0-2", SIDE)) == 3
    refuse(tmp_path, r"3\.png is not a readable image")


@pytest.mark.parametrize("name", ["../secret.png", "deep/../../secret.png", "/etc/hostname"])
def test_files_outside_of_the_folder_are_refused(name: str, tmp_path: Path) -> None:
    save(tmp_path / "secret.png")
    folder = folder_with_csv(tmp_path / "data", [f"{name},0"])
    (folder / "deep").mkdir()
    refuse(folder, "names a file outside its folder")


def test_a_link_out_of_the_folder_is_refused(tmp_path: Path) -> None:
    save(tmp_path / "secret.png")
    folder = folder_with_csv(tmp_path / "data", ["link.png,0"])
    (folder / "link.png").symlink_to(tmp_path / "secret.png")
    refuse(folder, "names a file outside its folder")


@pytest.mark.parametrize("header", ["file,class", "image,label", "", "file"])
def test_missing_columns_are_named(header: str, tmp_path: Path) -> None:
    save(tmp_path / "a.png")
    refuse(folder_with_csv(tmp_path, ["a.png,0"], header), "needs the columns file,label")


def test_a_row_that_is_too_short_is_refused(tmp_path: Path) -> None:
    save(tmp_path / "a.png")
    refuse(folder_with_csv(tmp_path, ["a.png,0", "a.png"]), "needs the columns file,label")


@pytest.mark.parametrize("label", ["cat", "-1", "1.0", "", "99999999999999999999"])
def test_a_label_must_be_a_class_number(label: str, tmp_path: Path) -> None:
    save(tmp_path / "a.png")
    refuse(folder_with_csv(tmp_path, [f"a.png,{label}"]), "is no class number")


@pytest.mark.parametrize("content", [b"file,label\n\xff\xfe.png,0\n", b"file,label\na\x00.png,0\n"])
def test_a_table_that_is_no_text_is_refused(content: bytes, tmp_path: Path) -> None:
    (tmp_path / "labels.csv").write_bytes(content)
    refuse(tmp_path, r"labels\.csv cannot be read")


def test_nothing_to_read_is_refused(tmp_path: Path) -> None:
    refuse(tmp_path / "absent", "no such data folder")
    refuse(tmp_path, "holds no images: class subfolders or a labels.csv")
    (tmp_path / "class").mkdir()
    refuse(tmp_path, "holds no images")
    refuse(folder_with_csv(tmp_path, []), "holds no images")
    refuse(tmp_path / "labels.csv", "holds no images")


def test_a_listed_image_that_is_absent_is_named(tmp_path: Path) -> None:
    refuse(folder_with_csv(tmp_path, ["ghost.png,0"]), r"no such image: .*ghost\.png")
    refuse(folder_with_csv(tmp_path, [",0"]), "not a readable image")


def test_grey_and_colour_do_not_mix(tmp_path: Path) -> None:
    save(tmp_path / "0" / "grey.png")
    save(tmp_path / "1" / "colour.png", mode="RGB")
    refuse(tmp_path, "mixes grey and colour")


def test_a_png_with_a_broken_chunk_is_refused(tmp_path: Path) -> None:
    path = save(tmp_path / "class" / "a.png", 100)
    content = bytearray(path.read_bytes())
    content[content.index(b"IDAT") - 1] -= 5
    path.write_bytes(content)
    refuse(tmp_path, "is not a readable image: broken PNG file")


def test_labels_csv_wins_over_class_folders(tmp_path: Path) -> None:
    save(tmp_path / "0" / "a.png")
    save(tmp_path / "1" / "b.png")
    folder = folder_with_csv(tmp_path, ["1/b.png,4"])
    assert [(file.name, label) for file, label in list_folder(folder)] == [("b.png", 4)]


def test_images_without_classes_are_for_calibration(tmp_path: Path) -> None:
    for name, value in (("b.png", 2), ("a.jpg", 1), ("c.PNG", 3)):
        save(tmp_path / name, value)
    (tmp_path / "notes.txt").write_text("no image")
    images = load_images(str(tmp_path), SIDE, labelled=False)
    assert images.labels.tolist() == [-1, -1, -1]
    assert images.pixels[:, 0, 0, 0].tolist() == [1, 2, 3]
    assert len(load_images(f"{tmp_path}:1-2", SIDE, labelled=False)) == 2
    refuse(tmp_path, "holds images without classes, which are for --calibration alone")
