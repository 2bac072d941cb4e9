"""Lists of labelled files: which column is which, several labels, splits, and all that can be wrong with a list."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from headstart.data import labels as lists
from headstart.data.scan import scan
from headstart.errors import BadDataset
from headstart.words.task import Skipped, Task

NAMES = [f"{number}.png" for number in range(8)]


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """Eight files; a scan opens none of them."""
    for name in NAMES:
        (tmp_path / name).write_bytes(b"")
    return tmp_path


def listed(root: Path, text: str, name: str = "labels.csv", encoding: str = "utf-8", **given: str) -> Task:
    (root / name).write_bytes(text.encode(encoding))
    return scan(root, **given)  # type: ignore[arg-type]


def by_name(task: Task) -> dict[str, tuple[str, ...]]:
    """What each training file is."""
    return {
        path: tuple(name for name, has in zip(task.classes, row, strict=True) if has)
        for path, row in zip(task.train.paths, task.indicator(), strict=True)
    }


def test_a_path_and_a_label_column(root: Path) -> None:
    task = listed(root, "path,label\n0.png,cat\n1.png,dog\n2.png,cat\n")
    assert task.labels == "single" and task.kind == "image" and task.classes == ("cat", "dog")
    assert task.train.targets is not None and task.train.targets.tolist() == [0, 1, 0]
    assert list(task.train.paths) == ["0.png", "1.png", "2.png"] and task.train.root == str(root)
    assert "one label per file, from labels.csv" in task.notes


@pytest.mark.parametrize("header", ["filename,class", "Image,Category", "FILE_NAME,Target", "id,species"])
def test_columns_go_by_many_names(root: Path, header: str) -> None:
    assert by_name(listed(root, f"{header}\n0.png,a\n1.png,b\n")) == {"0.png": ("a",), "1.png": ("b",)}


@pytest.mark.parametrize("delimiter", [",", ";", "\t", "|"])
@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "cp1252"])
def test_delimiter_and_encoding_are_found(root: Path, delimiter: str, encoding: str) -> None:
    text = delimiter.join(["path", "label"]) + f"\r\n0.png{delimiter}Bär\r\n1.png{delimiter}café\r\n"
    assert listed(root, text, encoding=encoding).classes == ("Bär", "café")


def test_a_tab_separated_list_may_be_called_so_and_be_given_itself(root: Path) -> None:
    task = listed(root, "path\tlabel\n0.png\ta\n1.png\tb\n", "labels.tsv")
    assert by_name(scan(root / "labels.tsv")) == by_name(task) and len(task.train) == 2


def test_columns_without_names_are_found_by_what_stands_in_them(root: Path) -> None:
    assert by_name(listed(root, "0.png,a\n1.png,b\n")) == {"0.png": ("a",), "1.png": ("b",)}
    assert by_name(listed(root, "what,where\na,0.png\nb,1.png\n")) == {"0.png": ("a",), "1.png": ("b",)}


@pytest.mark.parametrize("separator", [";", "|", ","])
def test_several_labels_in_a_cell(root: Path, separator: str) -> None:
    text = f'path,labels\n0.png,"a{separator} b"\n1.png,b\n2.png,\n3.png,"c{separator}a{separator}"\n'
    task = listed(root, text)
    assert task.labels == "multi" and task.train.targets is not None
    assert task.train.targets.dtype == np.uint8 and task.train.targets.shape == (4, 3)
    assert by_name(task) == {"0.png": ("a", "b"), "1.png": ("b",), "2.png": (), "3.png": ("a", "c")}


def test_several_rows_for_a_file_are_several_labels(root: Path) -> None:
    text = "path,label\n0.png,a\n0.png,b\n1.png,b\n1.png,a\n2.png,b\n"
    assert by_name(listed(root, text)) == {"0.png": ("a", "b"), "1.png": ("a", "b"), "2.png": ("b",)}


def test_one_hot_columns(root: Path) -> None:
    task = listed(
        root, "path,cat,dog,split\n0.png,1,0,train\n1.png,1,1,train\n2.png,0,0,train\n3.png,0,1,test\n"
    )
    assert task.labels == "multi" and task.classes == ("cat", "dog")
    assert by_name(task) == {"0.png": ("cat",), "1.png": ("cat", "dog"), "2.png": ()}
    single = listed(root, "path,cat,dog\n0.png,1,0\n1.png,0,1\n2.png,1.0,0.0\n")
    assert single.labels == "single" and by_name(single)["2.png"] == ("cat",)


def test_what_was_found_can_be_overridden(root: Path) -> None:
    text = "path,label\n0.png,a;b\n1.png,c\n2.png,a;b\n"
    assert listed(root, text).labels == "multi"
    assert listed(root, text, labels="single").classes == ("a;b", "c")
    assert listed(root, "path,label\n0.png,a\n1.png,c\n", labels="multi").labels == "multi"
    assert listed(root, "path,label\n0.png,a\n1.png,c\n", kind="video").kind == "video"


def test_a_split_column_and_its_test_rows_without_labels(root: Path) -> None:
    task = listed(root, "path,label,split\n0.png,a,train\n1.png,b,val\n2.png,c,test\n3.png,a,TEST\n")
    assert task.test is not None and list(task.test.paths) == ["2.png", "3.png"] and task.test.targets is None
    assert task.classes == ("a", "b"), "a label of the test is not read"


def test_lists_in_split_folders(tmp_path: Path) -> None:
    for split, labels in (("train", "ab"), ("val", "ba"), ("test", "ab")):
        (tmp_path / split / "files").mkdir(parents=True)
        for number, label in enumerate(labels):
            (tmp_path / split / "files" / f"{number}.png").write_bytes(b"")
            with (tmp_path / split / "labels.csv").open("a") as file:
                file.write(("" if number else "path,label\n") + f"files/{number}.png,{label}\n")
    task = scan(tmp_path)
    assert list(task.train.paths) == [f"{s}/files/{n}.png" for s in ("train", "val") for n in (0, 1)]
    assert task.test is not None and list(task.test.paths) == ["files/0.png", "files/1.png"]
    assert task.test.root == str(tmp_path / "test")


def test_files_may_lie_in_a_folder_and_names_may_lack_their_extension(tmp_path: Path) -> None:
    (tmp_path / "images").mkdir()
    for name in NAMES:
        (tmp_path / "images" / name).write_bytes(b"")
    task = listed(tmp_path, "id,breed\n0,a\n1,b\n2,a\n")
    assert list(task.train.paths) == ["images/0.png", "images/1.png", "images/2.png"]


def test_names_in_any_script_with_quotes_and_newlines(tmp_path: Path) -> None:
    names = ["猫 1.png", 'a"b.png', "two\nlines.png", "a,b.png"]
    for name in names:
        (tmp_path / name).write_bytes(b"")
    body = "".join(f'"{name.replace(chr(34), chr(34) * 2)}",{"ab"[n % 2]}\n' for n, name in enumerate(names))
    assert list(listed(tmp_path, "path,label\n" + body).train.paths) == names


def test_rows_that_cannot_be_used_are_listed_with_their_reasons(root: Path) -> None:
    text = "path,label\n0.png,a\n1.png,b\nnone.png,a\n2.png,\n\n3.png\n,a\n4.png,a\n4.png,a\n" + "".join(
        f"{root}/5.png,b\n../{root.name}/6.png,a\n"
    )
    task = listed(root, text)
    assert list(task.train.paths) == ["0.png", "1.png", "4.png", "5.png", "6.png"]
    assert {item.path: item.reason for item in task.skipped} == {
        "none.png": "listed in labels.csv, but there is no such file",
        "2.png": "no label",
        "labels.csv, line 6": "a row with too few columns",
        "labels.csv, line 7": "listed in labels.csv, but there is no such file",
    }


def test_contradicting_rows_are_left_out_where_files_have_one_label(tmp_path: Path) -> None:
    for number in range(60):
        (tmp_path / f"{number}.png").write_bytes(b"")
    body = "".join(f"{number}.png,{'ab'[number % 2]}\n" for number in range(60))
    task = listed(tmp_path, f"path,label\n{body}0.png,b\n")
    assert task.labels == "single" and len(task.train) == 59
    assert task.skipped == (Skipped("0.png", "listed with 2 labels: a, b"),)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "is empty"),
        ("path\n0.png\n", "single column"),
        ("path,label\n", "no labelled file that exists"),
        ("path,label\n0.png,a\n1.png,a\n", "a single label ('a')"),
        ("path,label\nx.png,a\ny.png,b\n", "the first problem: x.png: listed in labels.csv, but there is no"),
        (
            "path,width,height\n0.png,3,4\n1.png,5,6\n",
            "has no column of labels (its columns: path, width, height)",
        ),
        ("weight,label\n30,a\n40,b\n", "has no column of paths (its columns: weight, label)"),
        ("path\0,label\n", "is no text file"),
    ],
)
def test_a_list_that_states_no_task_ends_in_one_sentence(root: Path, text: str, said: str) -> None:
    with pytest.raises(BadDataset) as caught:
        listed(root, text)
    assert said in str(caught.value) and "\n" not in str(caught.value)


def test_the_list_of_skipped_rows_is_bounded(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lists, "LISTED", 3)
    body = "".join(f"gone{number}.png,a\n" for number in range(10))
    task = listed(root, f"path,label\n0.png,a\n1.png,b\n{body}")
    assert len(task.skipped) == 4 and task.skipped[-1] == Skipped(".", "and 7 more rows were skipped")


@settings(max_examples=150, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(
    st.binary(max_size=400)
    | st.text(alphabet="path,label;\t|\n\"'0.png1ab\x00é", max_size=200).map(str.encode)
)
def test_whatever_stands_in_a_list_ends_in_a_task_or_one_sentence(tmp_path: Path, content: bytes) -> None:
    for name in NAMES:
        (tmp_path / name).touch()
    (tmp_path / "labels.csv").write_bytes(content)
    try:
        task = scan(tmp_path)
    except BadDataset as error:
        assert "\n" not in str(error)
    else:
        assert len(task.classes) >= 2 and len(task.train) >= 1
