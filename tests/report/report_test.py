"""report.html: whole, self-contained, escaped, true to the files; and its mistakes in one line."""

import base64
import dataclasses
import io
import json
import re
import shutil

import evaluated
import pytest
from html_page import Page, assert_self_contained
from PIL import Image

from tf_distill.common import UserError
from tf_distill.export.formats import FORMATS
from tf_distill.report import record, report
from tf_distill.report.figures import gallery, style
from tf_distill.runs.experiment import carry_out
from tf_distill.runs.run import configure, named_run

PLAIN = {"labels", "learning_rates", "history", "confusion"}
COMPARED = {"comparison", "distribution", "inner_accuracy"}
COMPARISON = evaluated.comparison()


def page_of(folder) -> Page:
    return Page(report.write(folder).read_text(encoding="utf-8"))


def drawn(folder):
    return {p.stem for p in (folder / "figures").glob("*.png")}


@pytest.fixture
def texts(text_run, tmp_path):
    return shutil.copytree(text_run, tmp_path / "texts")


@pytest.fixture(scope="module")
def whole(text_run, tmp_path_factory):
    """The folder of a run on texts with a whole evaluation, and its report."""
    folder = shutil.copytree(text_run, tmp_path_factory.mktemp("whole") / "texts")
    measured = {"sweep": evaluated.sweep(), "ranking": evaluated.ranking()}
    evaluated.write(folder, comparison=COMPARISON, **measured)
    evaluated.add_original(folder)
    return folder, page_of(folder)


def test_a_run_ends_with_its_report(image_run):
    page = Page((image_run / report.NAME).read_text(encoding="utf-8"))
    results = json.loads((image_run / "results.json").read_text())
    assert_self_contained(page)
    assert drawn(image_run) == PLAIN | {"images"}
    assert f"{100 * results['accuracy']['mean']:.2f} %" in page.text
    assert "Baselines and controls have not been run" in page.text
    assert page.text.index("Training examples of 10 classes") < page.text.index("Results")
    found = record.read(image_run)
    assert "Each distilled picture alone is a PNG file in set/1/samples/ ." in page.text
    assert len([*(image_run / report.PICTURES).glob("*.png")]) == 10
    assert f"always “{found.majority.name}” {100 * found.majority.share:.2f} %" in page.text
    for c in found.by_class:
        never = "" if c.predicted else "never predicted "
        assert f" {c.name} {never}{100 * c.accuracy:.2f} {c.test} {c.other}" in page.text
    assert f"--dataset=digits --model=lenet --outer_steps={results['outer_steps']}" in page.text
    for name in ("tensorflow", "keras"):
        assert f"{name} {results[name]}" in page.text
    # Figures have alt texts, captions and a dark form.
    assert len(page.all("figure")) == len(page.all("img")) == len(page.all("source")) == 5
    assert {f["id"] for f in page.all("figure")} == PLAIN | {"images"}
    for image, dark in zip(page.all("img"), page.all("source"), strict=True):
        assert len(image["alt"]) > 20
        assert dark["media"] == "(prefers-color-scheme: dark)"
        assert dark["srcset"] != image["src"]
    assert "Distilled images (Figures 1, 5, 7, 8)." in page.text


def test_a_report_is_made_again_and_drawn_from_the_files_alone(image_run, tmp_path, monkeypatch):
    ignored = shutil.ignore_patterns(report.NAME, "figures", "checkpoints")
    images = shutil.copytree(image_run, tmp_path / "images", ignore=ignored)
    monkeypatch.setattr(report, "render", style.render)
    page = page_of(images)
    assert drawn(images) == PLAIN | {"images"}
    assert not [p for p in images.rglob("*") if p.name.endswith(".part")]
    for figure, image in zip(page.all("figure"), page.all("img"), strict=True):
        png = (images / "figures" / f"{figure['id']}.png").read_bytes()
        assert image["src"] == "data:image/png;base64," + base64.b64encode(png).decode()
        assert int(image["width"]) == round(0.624 * Image.open(io.BytesIO(png)).width)


def test_a_whole_evaluation_is_shown(whole):
    folder, page = whole
    assert_self_contained(page)
    assert drawn(folder) == PLAIN | COMPARED | {"embeddings", "sizes", "ranking"}
    assert "not complete" not in page.text
    for row in COMPARISON["rows"]:
        deviation = f" ± {100 * row['std']:.2f}" if row["networks"] > 1 else ""
        numbers = f"{100 * row['mean']:.2f}{deviation}"
        ratio = f"{100 * row['mean'] / evaluated.ORIGINAL:.1f}"
        assert f"{row['title']} {row['how']} {numbers} {row['networks']} {ratio}" in page.text
    assert "50 %: 2; 60 %: 2; 70 %: 5; 80 %: 5; 90 %: 20;" in page.text
    assert "99 %: none of these." in page.text
    assert "2. width 2 74.00 ± 1.00 92.00 2 s 90 s 2000" in page.text
    accuracy = json.loads((folder / "results.json").read_text())["accuracy"]["mean"]
    assert f"of the original accuracy {100 * accuracy / evaluated.ORIGINAL:.1f} %" in page.text


def test_sentences_are_shown_with_their_labels_the_top_class_bold(whole):
    folder, page = whole
    loaded = record.read(folder).distilled
    decoded = report.decoded_words(loaded.metadata["sentences"])
    assert len(decoded) == 3
    for words, label in zip(decoded, loaded.samples.y.numpy()[0], strict=True):
        values = [f"{n} {v:z.2f}" for n, v in zip(loaded.metadata["classes"], label, strict=True)]
        assert f"{' '.join(words)} {' '.join(values)}" in page.text
    assert len(page.all("strong")) == len(page.all("figure")) + 3
    lines = (folder / "figures" / "sentences.txt").read_text(encoding="utf-8").splitlines()
    assert lines == loaded.metadata["sentences"]


def test_code_blocks_work_as_they_stand(whole, capsys):
    folder, page = whole
    package, plain, forms, served, command = page.blocks
    values = {}
    exec(package, values)
    assert values["model"].count_params() > 0
    exec(plain, values)
    out = capsys.readouterr().out.splitlines()
    assert out[0].startswith("for t in range(len(lr))")
    assert len(out) == 1 + len(record.read(folder).results["learned_lr"])
    asked = re.findall(rf"python -m tf_distill\.export --format=(\w+) {folder}", forms + served)
    assert asked == ["tfds", "huggingface", "torch", "serving"]
    assert FORMATS.keys() >= set(asked)
    question = (
        'python -m tf_distill.export.client --url=http://localhost:8501 --model=model "A text ?"'
    )
    assert question in served
    assert command.startswith("python -m tf_distill.main --dataset=toy_questions")


def test_a_comparison_that_still_runs_says_what_it_lacks(texts):
    titles = [row["title"] for row in COMPARISON["rows"]]
    evaluated.write(texts, comparison={"rows": COMPARISON["rows"][:6], "expected": titles})
    page = page_of(texts)
    assert f"The comparison is not complete. Missing: {'; '.join(titles[6:])}." in page.text
    assert "--mode=baselines on this folder goes on" in page.text
    names = {plate.name for plate in gallery.plates(record.read(texts))}
    assert names == PLAIN | {"comparison", "distribution", "embeddings"}


def test_a_folder_of_a_sweep_has_a_report(tmp_path):
    evaluated.write(tmp_path, sweep=evaluated.sweep())
    page = page_of(tmp_path)
    assert "Sweep over sizes digits, lenet" in page.text
    assert drawn(tmp_path) == {"sizes"}
    assert not page.blocks


@pytest.mark.parametrize("settings", [{"dataset": "mine"}, {"model": "python:build"}])
def test_data_and_a_network_of_python_have_no_command(texts, settings):
    config = json.loads((texts / "config.json").read_text())
    evaluated.write(texts, config=config | settings)
    page = page_of(texts)
    assert "python -m tf_distill.main" not in page.text
    assert "compare() of what it gives add them" in page.text


def test_own_data_that_are_gone_have_their_command(texts):
    config = json.loads((texts / "config.json").read_text())
    evaluated.write(texts, config=config | {"dataset": "csv:gone.csv"}, inputs={"train": 9000})
    command = page_of(texts).blocks[-1]
    assert command.startswith("python -m tf_distill.main --dataset=csv:gone.csv --model=")
    assert "--use=replay" in command
    assert "--init" not in command


def test_a_set_for_ordinary_training_says_how_networks_are_trained(texts):
    config, results = (
        json.loads((texts / f"{name}.json").read_text()) for name in ("config", "results")
    )
    recipe = "Adam at 0.002, shuffled minibatches of 25, 50 epochs (200 steps)"
    told = {"recipe": recipe, "accuracy": {"mean": 0.8, "std": 0.01, "networks": 20}}
    evaluated.write(
        texts, config=config | {"use": "training"}, results=results | told, comparison=COMPARISON
    )
    evaluated.add_original(texts)
    page = page_of(texts)
    assert f"distilled samples by {recipe}, gets 80.00 % of" in page.text
    assert "on average over 20 networks" in page.text
    for name, value in record.read(texts).dd_ranking.items():
        assert f"{name} {value:.4f}" in page.text
    assert "label-robust score" in page.text
    names = {plate.name for plate in gallery.plates(record.read(texts))}
    assert names == {"labels", "history", "embeddings", "confusion"} | COMPARED


def test_a_set_of_an_earlier_version_is_in_the_paper_s_way(texts):
    config, results = (
        json.loads((texts / f"{name}.json").read_text()) for name in ("config", "results")
    )
    evaluated.write(
        texts,
        config={name: v for name, v in config.items() if name not in ("use", "augment")},
        results={name: v for name, v in results.items() if name not in ("use", "recipe")},
        comparison=COMPARISON,
    )
    page = page_of(texts)
    assert "gradient steps on" in page.text
    assert "DD-Ranking" not in page.text


def test_of_many_classes_the_lowest_are_shown(texts):
    results = json.loads((texts / "results.json").read_text())
    names, answers = [f"kind {i}" for i in range(30)], [[0] * 30 for _ in range(30)]
    for i, row in enumerate(answers):
        row[i], row[i - 1] = i, 30 - i
    told = {"class_examples": dict.fromkeys(names, 30), "confusion": answers}
    evaluated.write(texts, results=results | told)
    page = page_of(texts)
    assert "kind 19 63.33 30 kind 18, 36.7 %" in page.text
    assert "kind 20 66" not in page.text
    assert "The 20 lowest of 30 classes." in page.text


def test_hostile_names_are_shown_and_not_obeyed(texts, monkeypatch):
    bad = "<script>alert(1)</script>"
    evaluated.write(texts, comparison={"rows": [evaluated.row(f"$\\frac{bad}", "baseline", 0.5)]})
    found = record.read(texts)
    lines = [f"step 1, sentence 1: {bad} 1", f"{bad} & \u2028\"'", ""]
    names = {"classes": [bad, "$x", '" onload="'], "sentences": lines}
    distilled = dataclasses.replace(found.distilled, metadata={**found.distilled.metadata, **names})
    answers = {"class_examples": dict.fromkeys(names["classes"], 1), "confusion": [[1, 0, 1]] * 3}
    changed = dataclasses.replace(found, distilled=distilled, results=found.results | answers)
    for plate in gallery.plates(changed):
        style.render(lambda plate=plate: plate.draw(changed))
    monkeypatch.setattr(report, "read", lambda folder: changed)
    page = page_of(texts)
    assert_self_contained(page)
    assert page.text.count(bad) >= 4
    assert not [a for _, a in page.tags if "onload" in a]


@pytest.mark.parametrize("name", ["a 'quoted' folder", "größe <b>"])
def test_the_code_names_any_folder(texts, name):
    exec(page_of(texts.rename(texts.with_name(name))).blocks[0], {})


def damaged(**contents):
    return lambda folder: evaluated.write(folder, **contents)


@pytest.mark.parametrize(
    ("damage", "text"),
    [
        (shutil.rmtree, "holds no finished run"),
        (lambda f: (f / "results.json").unlink(), "holds no finished run"),
        (damaged(results={}), "results.json is damaged ("),
        (lambda f: (f / "config.json").write_text("["), "config.json is damaged"),
        (
            lambda f: (shutil.rmtree(f / "distilled"), shutil.rmtree(f / "set")),
            "is no distilled set",
        ),
        (damaged(comparison={"rows": [{}]}), "comparison.json is damaged (["),
        (damaged(comparison={"rows": [evaluated.row("a", "b", 0.5)]}), "is damaged ("),
        (damaged(sweep={}), "sweep.json is damaged (it has no 'sizes'"),
        (damaged(ranking={"variants": [{"name": "a"}]}), "ranking.json is damaged ("),
    ],
)
def test_a_folder_that_can_not_be_read_is_one_line(texts, damage, text):
    damage(texts)
    with pytest.raises(UserError) as error:
        report.write(texts)
    assert text in str(error.value)
    assert "\n" not in str(error.value)


def test_a_finished_run_without_its_report_gets_it(image_run, tmp_path, monkeypatch):
    ignored = shutil.ignore_patterns(report.NAME, "checkpoints")
    images = shutil.copytree(image_run, tmp_path / "images", ignore=ignored)
    written = []
    monkeypatch.setattr(report, "write", written.append)
    config = json.loads((images / "config.json").read_text())
    carry_out(named_run(configure({**config, "run_dir": str(images)})))
    assert written == [images]


def test_the_gallery_names_each_figure_once_and_both_styles_set_the_same_things():
    names = [plate.name for plate in gallery.PLATES]
    assert len(set(names)) == len(names)
    assert all(plate.caption.endswith(".") and plate.alt.endswith(".") for plate in gallery.PLATES)
    assert style.LIGHT.keys() <= style.DARK.keys()
