"""The report: from made-up but realistic run folders, whole, cut short and damaged, to one HTML file."""

from __future__ import annotations

import json
import math
import re
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from headstart.errors import BadModel
from headstart.report.markup import percent
from headstart.report.page import render, write_report
from headstart.report.pictures import SIDE
from headstart.report.reading import read_run
from run_folders import change, make_run, write_evidence

VOID = {"meta", "input", "img", "br", "link", "hr", "line", "rect", "circle", "path"}
SCRIPTS = ("العربية", "日本語の分類名", "Ελληνικά", "עברית", "हिन्दी", "<script>alert('x')</script>", 'a"b&c')


class Page(HTMLParser):
    """Checks that tags nest, and collects them with what they hold."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.words: list[str] = []
        self.feed(html)
        self.close()
        assert not self.open, f"never closed: {self.open}"

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))

    def handle_endtag(self, tag: str) -> None:
        assert self.open and self.open[-1] == tag, f"</{tag}> closes {self.open[-3:]}"
        self.open.pop()

    def handle_data(self, data: str) -> None:
        if "style" not in self.open:
            self.words.append(data)

    def all(self, tag: str, kind: str | None = None) -> list[dict[str, str | None]]:
        wanted = [attributes for name, attributes in self.tags if name == tag]
        return [a for a in wanted if kind is None or kind in (a.get("class") or "").split()]

    @property
    def text(self) -> str:
        return re.sub("[ \n]+", " ", " ".join(self.words))


@pytest.fixture
def run(tmp_path: Path) -> Path:
    return make_run(tmp_path, [f"class {c}" for c in "abcdefghijkl"])


def test_page_is_one_file_without_script_or_outside_resource(run: Path) -> None:
    path = write_report(run)
    assert path == run.resolve() / "report.html"
    html = path.read_text("utf-8")
    page = Page(html)
    assert not page.all("script") and not page.all("link") and "@import" not in html
    assert all((a["href"] or "").startswith("#") for a in page.all("a"))
    assert all((a["src"] or "").startswith("data:image/jpeg;base64,") for a in page.all("img"))
    assert not re.search(r"url\(|https?://", html)
    assert "prefers-color-scheme: dark" in html and "@media print" in html
    assert sorted(p.name for p in run.iterdir()) == [
        "curve.csv", "evidence.npz", "model", "report.html", "run.json", "skipped.csv",
    ]  # fmt: skip


def test_links_lead_to_sections_and_ids_are_unique(run: Path) -> None:
    page = Page(render(run))
    ids = [a["id"] for _, a in page.tags if a.get("id")]
    assert len(ids) == len(set(ids))
    assert {(a["href"] or "")[1:] for a in page.all("a")} == {a["id"] for a in page.all("section")}
    assert len(page.all("section")) == 10


def test_headline_and_sections_say_what_the_run_folder_says(run: Path) -> None:
    words = Page(render(run)).text
    for said in (
        "photos", "finished", "Image classification, one label per sample", "0.970", "12 classes",
        "300 to predict", "3 files skipped", "First prediction after 0.5 s", "of 20 min", "2 min 51 s",
        "no stage is left that could improve the evidence", "ridge regression, RBF kernel",
        "lite0@128: d10", "Some Processor 9000", "7.7 GB", "numpy 2.4.6", "wall clock", "1.10",
        "truncated: the file ends inside the picture", "bad, 1.jpg", "reading and decoding files",
        "at 210 pictures per second",
    ):  # fmt: skip
        assert said in words, said


def test_usage_quotes_the_run_folder(run: Path) -> None:
    words = Page(render(run.resolve())).text
    assert f"headstart predict '{run.resolve()}' new/ --csv" in words
    assert f"headstart.load('{run.resolve()}')" in words


def test_accuracy_is_the_share_of_right_samples(run: Path) -> None:
    arrays = np.load(run / "evidence.npz")
    right = np.mean(arrays["posteriors"].argmax(axis=1) == arrays["targets"])
    assert percent(float(right), 1) in Page(render(run)).text


def test_alc_of_training_evidence_is_written_into_the_curve(run: Path) -> None:
    page = Page(render(run))
    curve = read_run(run).curve
    areas = []
    for t0 in (60, 20):
        places = [math.log1p(t / t0) / math.log1p(1200 / t0) for t in curve.seconds]
        areas.append(float(np.sum(curve.score * np.diff([*places, 1.0]))))
    assert f"ALC {areas[0]:.3f} of the evidence from training samples" in page.text
    assert f"; {areas[1]:.3f} with" in page.text  # t0 as in the paper's text


def test_names_in_any_script_are_escaped_everywhere(tmp_path: Path) -> None:
    run = make_run(tmp_path, list(SCRIPTS))
    evil = "<script>alert(1)</script>"

    def edit(facts: dict[str, Any]) -> None:
        facts.update(ended=evil, why=evil, clock=evil, started=evil)
        facts["data"].update(name=evil, kind=evil)
        facts["versions"] = {evil: evil}
        facts["machine"] = {"cpu": evil, "cores": evil}
        facts["timings"] = {evil: 3.0}
        facts["members"] = [{"blocks": [evil], "head": evil, "evidence": evil, "temperature": None}]
        facts["config"]["stages"] = [{"backbone": evil, "pixels": evil, "outputs": [evil]}]

    change(run, edit)
    with (run / "curve.csv").open("a", encoding="utf-8") as file:
        file.write(f"160,300,.98,{evil},7\n")
    (run / "skipped.csv").write_text(f"path,reason\n{evil},{evil}\n")
    html = render(run)
    page = Page(html)
    assert "<script" not in html and evil in page.text
    assert all(name in page.text for name in SCRIPTS)


def test_file_names_that_are_no_utf8_and_control_characters_survive(tmp_path: Path) -> None:
    run = make_run(tmp_path, ["a", "b\x1b[31m\0", "c"])
    arrays = dict(np.load(run / "evidence.npz"))
    paths = [f"x/{i}-\udcff\udcfe.jpg" for i in range(len(arrays["targets"]))]
    write_evidence(run, arrays["targets"], arrays["posteriors"], paths)
    (run / "skipped.csv").write_bytes(b"path,reason\n\xff\xfe.jpg,not an image\n")
    assert read_run(run).evidence.paths == tuple(paths)  # type: ignore[union-attr]
    html = write_report(run).read_text("utf-8")
    assert "\ufffd\ufffd.jpg" in html and "\x1b" not in html


@pytest.mark.parametrize("classes", [2, 30, 31, 500])
def test_any_number_of_classes(tmp_path: Path, classes: int) -> None:
    run = make_run(tmp_path, [f"kind {i:03d}" for i in range(classes)], n=max(200, 3 * classes))
    page = Page(render(run))
    assert bool(page.all("svg", "matrix")) == (classes <= 30)
    titles = page.text
    assert ("Confusion matrix" in titles) == (classes <= 30) and "Taken for" in titles
    assert sum("--score" in (a.get("style") or "") for a in page.all("tr")) == classes


def test_classes_are_sorted_worst_first_and_every_heading_sorts(run: Path) -> None:
    html = render(run)
    scores = [float(s) for s in re.findall(r"</span> (0\.\d+)</td><td class=\"n\">\d+\u202f%", html)]
    assert len(scores) == 12 and scores == sorted(scores)
    page = Page(html)
    keys = [(a["id"] or "").removeprefix("by-") for a in page.all("input")]
    assert keys == ["name", "samples", "score", "recall", "precision"]
    assert [a["id"] for a in page.all("input") if "checked" in a] == ["by-score"]
    for key in keys:
        assert f"#by-{key}:checked" in html
        ranks = sorted(int(n) for n in re.findall(rf"--{key}:(\d+)", html))
        assert ranks == list(range(12))


def test_multi_label_has_its_own_sections(tmp_path: Path) -> None:
    run = make_run(tmp_path, [f"tag {i}" for i in range(9)], multi=True)
    page = Page(render(run))
    assert not page.all("svg", "matrix") and "Taken for" not in page.text
    for said in (
        "any number of labels per sample", "9 labels", "Mean average precision", "Micro-F1", "Exact match",
        "At .5 for every label", "Threshold", "Occur together", "Confused", "Labels per sample", "Missed",
        "Wrongly", "Worst errors", "Have it", "Top label right",
    ):  # fmt: skip
        assert said in page.text, said
    assert [a["id"] for a in page.all("section")] == [
        "curve", "labels", "together", "counts", "mistakes", "calibration", "model", "skipped", "time",
        "environment", "use",
    ]  # fmt: skip
    assert [(a["id"] or "").removeprefix("by-") for a in page.all("input")] == [
        "name", "samples", "score", "precise", "threshold", "f1", "recall", "precision",
    ]  # fmt: skip
    assert len(page.all("figure")) == 24 and page.all("img")


@pytest.mark.parametrize("classes", [1, 2, 80, 300])
def test_any_number_of_labels(tmp_path: Path, classes: int) -> None:
    run = make_run(tmp_path, [f"tag {i:03d}" for i in range(classes)], n=60, multi=True)
    page = Page(render(run))
    assert sum("--score" in (a.get("style") or "") for a in page.all("tr")) == classes
    assert not re.search(r"\bnan\b", page.text)


@pytest.mark.parametrize("filled", [0, 1])
def test_labels_that_all_or_none_of_the_samples_have(tmp_path: Path, filled: int) -> None:
    run = make_run(tmp_path, ["a", "b", "c"], n=30, multi=True)
    posteriors = np.load(run / "evidence.npz")["posteriors"]
    write_evidence(run, np.full((30, 3), filled, np.uint8), posteriors, [])
    page = Page(render(run))
    assert not re.search(r"\bnan\b", page.text) and len(page.all("section")) == 11


def test_scripts_in_names_of_labels_are_escaped(tmp_path: Path) -> None:
    html = render(make_run(tmp_path, list(SCRIPTS), multi=True))
    assert "<script" not in html and all(name in Page(html).text for name in SCRIPTS)


@pytest.mark.parametrize("multi", [False, True])
def test_clips_are_called_clips(tmp_path: Path, multi: bool) -> None:
    run = make_run(tmp_path, [f"act {i}" for i in range(5)], multi=multi)

    def edit(facts: dict[str, Any]) -> None:
        facts["data"].update(kind="video")
        facts["config"]["stages"][-1]["frames"] = 8

    change(run, edit)
    words = Page(render(run)).text
    for said in (
        "Video classification",
        "label" if not multi else "labels per clip",
        "Training clips",
        "64 px",
    ):
        assert said in words, said
    assert (
        "224 px × 8 frames" in words
        and "a folder of clips" in words
        and "image" not in words.replace("not an image", "")
    )


def test_mistakes_are_small_pictures_and_missing_files_are_tolerated(run: Path) -> None:
    html = render(run)
    page = Page(html)
    assert len(page.all("figure")) == 24
    sizes = [(int(a["width"] or 0), int(a["height"] or 0)) for a in page.all("img")]
    assert 10 < len(sizes) <= 24 and all(max(size) <= SIDE for size in sizes)
    for path in (run.parent / "photos").rglob("*.png"):
        path.unlink()
    page = Page(render(run))
    assert not page.all("img") and page.text.count("file not found") == 24
    assert len(page.all("figure")) == 24


@pytest.mark.parametrize("missing", ["run.json", "curve.csv", "evidence.npz", "skipped.csv"])
@pytest.mark.parametrize("how", ["gone", "empty", "cut", "noise"])
def test_a_run_that_was_killed_still_gives_a_page(run: Path, missing: str, how: str) -> None:
    path = run / missing
    content = path.read_bytes()
    path.unlink()
    if how != "gone":
        path.write_bytes({"empty": b"", "cut": content[: len(content) * 2 // 3], "noise": b"\xff\0{"}[how])
    page = Page(render(run))
    if missing in ("run.json", "evidence.npz"):
        assert f"{missing} is {'missing' if how == 'gone' else 'damaged'}" in page.text
    if missing == "run.json":
        assert "not finished" in page.text
    if missing == "curve.csv" and how != "cut":
        assert "No prediction has been published" in page.text


def test_a_run_that_goes_on_says_so(run: Path) -> None:
    later = ("ended", "seconds", "members", "timings", "evidence")
    change(run, lambda facts: [facts.pop(key) for key in later])
    change(run, lambda facts: facts.update(state="running"))
    with (run / "curve.csv").open("a") as file:
        file.write("151.2,280,0.9")  # a row that is being written
    page = Page(render(run))
    assert "This run had not finished when the page was made" in page.text and "0.970" in page.text


def test_a_run_that_has_only_a_model_gives_a_page(tmp_path: Path) -> None:
    (tmp_path / "model").mkdir()
    page = Page(render(tmp_path))
    assert "No prediction has been published yet" in page.text and "headstart predict" in page.text


def test_what_is_no_run_folder_is_refused(tmp_path: Path) -> None:
    with pytest.raises(BadModel, match="is no run folder"):
        write_report(tmp_path)


def test_facts_of_wrong_types_do_no_harm(run: Path) -> None:
    wrong: list[Any] = [None, 7, "x", [1], {"a": 1}, True, 1e999]
    keys = list(json.loads((run / "run.json").read_text()))
    arrays = np.load(run / "evidence.npz")
    write_evidence(run, arrays["targets"], arrays["posteriors"], [""] * len(arrays["targets"]))
    for key in keys:
        for value in wrong:
            change(run, lambda facts, key=key, value=value: facts.update({key: value}))  # type: ignore[misc]
            Page(render(run))
    change(run, lambda facts: facts.clear())
    Page(render(run))


def test_evidence_that_does_not_fit_the_classes_is_left_out(run: Path) -> None:
    change(run, lambda facts: facts["data"]["classes"].pop())
    page = Page(render(run))
    assert "another number of classes" in page.text and not page.all("svg", "matrix")


def test_a_pickle_in_evidence_is_not_opened(run: Path) -> None:
    harmful = np.array([{"a": 1}, {"b": 2}], dtype=object)
    np.savez(run / "evidence.npz", targets=np.array([0, 1]), posteriors=harmful)
    assert "evidence.npz is damaged" in Page(render(run)).text


def test_many_skipped_files_are_counted_and_cut(run: Path) -> None:
    change(run, lambda facts: facts.update(skipped=5000))
    lines = "".join(f"file{i}.txt,not an image\n" for i in range(5000))
    (run / "skipped.csv").write_text("path,reason\n" + lines)
    words = Page(render(run)).text
    assert "5\u202f000 files could not be used" in words and "The first 200 are shown" in words
    assert "file199.txt" in words and "file200.txt" not in words


def test_no_skipped_files(run: Path) -> None:
    (run / "skipped.csv").unlink()
    change(run, lambda facts: facts.update(skipped=0))
    assert "None: every file could be used." in Page(render(run)).text
