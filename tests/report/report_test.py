"""report.html: whole, self-contained, escaped, true to the files; and its mistakes in one line."""

import dataclasses
import json
import shutil
from html.parser import HTMLParser

import evaluated
import pytest

from tf_distill.common.errors import UserError
from tf_distill.report import record, report
from tf_distill.report.figures import gallery, style
from tf_distill.runs import run

VOID = {"meta", "img", "source"}
PLAIN = {"labels", "learning_rates", "history"}
COMPARED = {"comparison", "distribution", "inner_accuracy"}


class Page(HTMLParser):
    """Reads a page, and fails where its tags don't nest."""

    def __init__(self, text):
        super().__init__()
        self.open, self.tags, self.words, self.blocks = [], [], [], []
        self.feed(text)
        self.close()
        assert not self.open

    def handle_starttag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)
        if tag == "pre":
            self.blocks.append("")

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        if "style" not in self.open:
            self.words.append(data)
        if "pre" in self.open:
            self.blocks[-1] += data

    @property
    def text(self):
        return " ".join(" ".join(self.words).split())

    def all(self, tag):
        return [attributes for name, attributes in self.tags if name == tag]


def page_of(folder) -> Page:
    return Page(report.write(folder).read_text(encoding="utf-8"))


@pytest.fixture
def images(image_run, tmp_path):
    return shutil.copytree(image_run, tmp_path / "images")


@pytest.fixture
def texts(text_run, tmp_path):
    return shutil.copytree(text_run, tmp_path / "texts")


def drawn(folder):
    return {p.stem for p in (folder / "figures").glob("*.png")}


def assert_self_contained(page):
    assert not {tag for tag, _ in page.tags} & {"script", "link", "iframe", "object", "base"}
    for tag, attributes in page.tags:
        for name in ("src", "href", "srcset"):
            assert attributes.get(name, "data:image/png;base64,").startswith("data:image/png"), tag
    assert "@import" not in "".join(page.words)


def test_a_run_ends_with_its_report(image_run):
    page = Page((image_run / report.NAME).read_text(encoding="utf-8"))
    results = json.loads((image_run / "results.json").read_text())
    assert_self_contained(page)
    assert drawn(image_run) == PLAIN | {"images"}
    assert f"{100 * results['accuracy']['mean']:.2f} %" in page.text
    assert "Baselines and controls have not been run" in page.text
    assert f"--dataset=digits --model=lenet --outer_steps={results['outer_steps']}" in page.text
    for name in ("tensorflow", "keras"):
        assert f"{name} {results[name]}" in page.text


def test_a_report_is_made_again_from_the_files_alone(images, image_run):
    (images / report.NAME).unlink()
    shutil.rmtree(images / "figures")
    shutil.rmtree(images / "checkpoints")
    page_of(images)
    assert drawn(images) == PLAIN | {"images"}
    assert not [p for p in images.rglob("*") if p.name.endswith(".part")]
    for path in (image_run / "figures").iterdir():
        assert (images / "figures" / path.name).read_bytes() == path.read_bytes()


def test_figures_have_alt_texts_captions_and_a_dark_form(images):
    page = page_of(images)
    assert len(page.all("figure")) == len(page.all("img")) == len(page.all("source")) == 4
    assert {f["id"] for f in page.all("figure")} == PLAIN | {"images"}
    for image, dark in zip(page.all("img"), page.all("source"), strict=True):
        assert len(image["alt"]) > 20
        assert dark["media"] == "(prefers-color-scheme: dark)"
        assert dark["srcset"] != image["src"]
    assert "Distilled images (Figures 1, 5, 7, 8)." in page.text


def test_a_whole_evaluation_is_shown(texts):
    contents = {"comparison": evaluated.comparison(), "sweep": evaluated.sweep(),
                "ranking": evaluated.ranking()}  # fmt: skip
    evaluated.write(texts, **contents)
    page = page_of(texts)
    assert_self_contained(page)
    assert drawn(texts) == PLAIN | COMPARED | {"embeddings", "sizes", "ranking"}
    assert "not complete" not in page.text
    for row in contents["comparison"]["rows"]:
        numbers = f"{100 * row['mean']:.2f}"
        if row["networks"] > 1:
            numbers += f" ± {100 * row['std']:.2f}"
        ratio = f"{100 * row['ratio']:.1f}"
        assert f"{row['title']} {row['how']} {numbers} {row['networks']} {ratio}" in page.text
    assert "50 %: 2; 60 %: 2; 80 %: 5; 99 %: none of these." in page.text
    assert "width 2 2000 74.00 ± 1.00 2 s 92.00 90 s" in page.text
    accuracy = json.loads((texts / "results.json").read_text())["accuracy"]["mean"]
    assert f"of the original accuracy {100 * accuracy / evaluated.ORIGINAL:.1f} %" in page.text


def test_a_comparison_that_still_runs_says_what_it_lacks(texts):
    half = evaluated.comparison()
    titles = [row["title"] for row in half["rows"]]
    half = {"rows": half["rows"][:6], "expected": titles}
    evaluated.write(texts, comparison=half)
    page = page_of(texts)
    assert f"The comparison is not complete. Missing: {'; '.join(titles[6:])}." in page.text
    assert drawn(texts) == PLAIN | {"comparison", "distribution", "embeddings"}


def test_a_folder_of_a_sweep_has_a_report(tmp_path):
    evaluated.write(tmp_path, sweep=evaluated.sweep())
    page = page_of(tmp_path)
    assert "Sweep over sizes digits, lenet" in page.text
    assert drawn(tmp_path) == {"sizes"}
    assert not page.blocks


def test_sentences_are_shown_with_their_labels_the_top_class_bold(texts):
    page = page_of(texts)
    loaded = record.read(texts)
    decoded = report.decoded_words(loaded.metadata["sentences"])
    assert len(decoded) == 3
    for words, label in zip(decoded, loaded.samples.y.numpy()[0], strict=True):
        values = [f"{n} {v:.2f}" for n, v in zip(loaded.metadata["classes"], label, strict=True)]
        assert f"{' '.join(words)} {' '.join(values)}" in page.text
    assert len(page.all("strong")) == len(page.all("figure")) + 3
    lines = (texts / "figures" / "sentences.txt").read_text(encoding="utf-8").splitlines()
    assert lines == loaded.metadata["sentences"]


def test_code_blocks_work_as_they_stand(texts, capsys):
    whole, plain, shell, command = page_of(texts).blocks
    values = {}
    exec(whole, values)
    assert values["model"].count_params() > 0
    exec(plain, values)
    out = capsys.readouterr().out.splitlines()
    assert out[0].startswith("for t in range(len(lr))")
    assert len(out) == 1 + len(record.read(texts).results["learned_lr"])
    assert shell.count(f"--run_dir={texts}") == 3
    assert command.startswith("python -m tf_distill.main --dataset=toy_questions")


def test_hostile_names_are_shown_and_not_obeyed(texts, monkeypatch):
    bad = "<script>alert(1)</script>"
    evaluated.write(texts, comparison={"rows": [evaluated.row(f"$\\frac{bad}", "baseline", 0.5)]})
    loaded = record.read(texts)
    lines = [f"step 1, sentence 1: {bad} 1", f"{bad} & \u2028\"'", ""]
    metadata = {**loaded.metadata, "classes": [bad, "$x", '" onload="'], "sentences": lines}
    changed = dataclasses.replace(loaded, metadata=metadata)
    monkeypatch.setattr(report, "read", lambda folder: changed)
    page = page_of(texts)
    assert_self_contained(page)
    assert page.text.count(bad) >= 4
    assert not [a for _, a in page.tags if "onload" in a]


@pytest.mark.parametrize("name", ["a 'quoted' folder", "größe <b>"])
def test_the_code_names_any_folder(text_run, tmp_path, name):
    folder = shutil.copytree(text_run, tmp_path / name)
    exec(page_of(folder).blocks[0], {})


MISTAKES = [
    (shutil.rmtree, "holds no finished run"),
    (lambda f: (f / "results.json").unlink(), "holds no finished run"),
    (lambda f: (f / "results.json").write_text("{}"), "results.json is damaged ("),
    (lambda f: (f / "config.json").write_text("["), "config.json is damaged"),
    (lambda f: (f / "distilled/1/saved_model.pb").unlink(), "is no distilled set"),
    (lambda f: evaluated.write(f, comparison={"rows": [{}]}), "comparison.json is damaged (["),
    (lambda f: evaluated.write(f, comparison={"rows": 3}), "comparison.json is damaged"),
    (
        lambda f: evaluated.write(f, comparison={"rows": [evaluated.row("a", "b", 0.5)]}),
        "is damaged (",
    ),
    (lambda f: evaluated.write(f, sweep={}), "sweep.json is damaged (it has no 'sizes'"),
    (
        lambda f: evaluated.write(f, ranking={"variants": [{"name": "a"}]}),
        "ranking.json is damaged (",
    ),
]


@pytest.mark.parametrize(("damage", "text"), MISTAKES)
def test_a_folder_that_can_not_be_read_is_one_line(texts, damage, text):
    damage(texts)
    with pytest.raises(UserError) as error:
        report.write(texts)
    assert text in str(error.value)
    assert "\n" not in str(error.value)


def test_a_finished_run_without_its_report_gets_it(images):
    (images / report.NAME).unlink()
    config = json.loads((images / "config.json").read_text())
    run.run(run.configure({**config, "run_dir": str(images)}))
    assert (images / report.NAME).exists()


def test_the_gallery_names_each_figure_once():
    names = [plate.name for plate in gallery.PLATES]
    assert len(set(names)) == len(names)
    assert all(plate.caption.endswith(".") and plate.alt.endswith(".") for plate in gallery.PLATES)


def test_both_styles_set_the_same_things():
    assert style.LIGHT.keys() <= style.DARK.keys()
