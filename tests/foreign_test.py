"""Files from elsewhere, damaged in any way: a result or one clear line, never anything else."""

import json

import foreign
import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

FEW = settings(
    max_examples=25,
    deadline=None,
    derandomize=True,
    database=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
JSON_FILES = [name for name, parser in foreign.PARSERS.items() if parser.name.endswith(".json")]
SCALARS = (
    st.none() | st.booleans() | st.integers(-5, 2**70) | st.floats() | st.text(max_size=9)
    | st.sampled_from(["\ud800", "a\nb\x1b[2J", 10**400, float("nan"), -1, "x" * 9999])
)  # fmt: skip
VALUES = st.recursive(
    SCALARS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner,
                                                                max_size=3),
    max_leaves=5,
)  # fmt: skip


@st.composite
def damaged(draw, sound: list[bytes]) -> bytes:
    """A sound file with some of its bytes cut, repeated, or in the place of others."""
    data = bytearray(draw(st.sampled_from(sound)))
    for _ in range(draw(st.integers(1, 4))):
        start = draw(st.integers(0, len(data)))
        end = min(len(data), start + draw(st.integers(0, 8)))
        new = draw(st.binary(max_size=8) | st.sampled_from([b"", bytes(data[start:end]) * 9]))
        data[start:end] = new
    return bytes(data)


@st.composite
def changed(draw, value):
    """A JSON value with another one somewhere in it, or with a part left out."""
    if not isinstance(value, dict | list) or not value or draw(st.integers(0, 3)) == 0:
        return draw(VALUES)
    value = dict(value) if isinstance(value, dict) else list(value)
    key = draw(st.sampled_from(list(value) if isinstance(value, dict) else range(len(value))))
    if draw(st.integers(0, 4)) == 0:
        del value[key]
    else:
        value[key] = draw(changed(value[key]))
    return value


@pytest.mark.parametrize("name", foreign.PARSERS)
def test_sound_files_are_read(name, tmp_path):
    parser = foreign.PARSERS[name]
    for data in parser.sound:
        assert foreign.parse(parser, data, tmp_path) is not None


@pytest.mark.parametrize("name", foreign.PARSERS)
def test_damaged_files(name, tmp_path):
    parser = foreign.PARSERS[name]

    @FEW
    @given(damaged(parser.sound) | st.binary(max_size=200))
    @example(b"")
    @example(b"\n")
    def read(data):
        foreign.parse(parser, data, tmp_path)

    read()


@pytest.mark.parametrize("name", JSON_FILES)
def test_files_of_a_run_with_other_values(name, tmp_path):
    parser = foreign.PARSERS[name]
    sound = json.loads(parser.sound[0])

    @FEW
    @given(changed(sound))
    def read(value):
        foreign.parse(parser, json.dumps(value).encode(), tmp_path)

    read()


@FEW
@given(st.lists(st.dictionaries(st.sampled_from(["text", "label", "x"]), VALUES), max_size=4))
def test_tables_of_any_json(tmp_path, rows):
    lines = "\n".join(map(json.dumps, rows)).encode()
    foreign.parse(foreign.PARSERS["jsonl"], lines, tmp_path)
    foreign.parse(foreign.PARSERS["json"], json.dumps(rows).encode(), tmp_path)


@FEW
@given(st.lists(st.text(max_size=20), max_size=6))
def test_any_text_is_split_alike_alone_and_among_others(tmp_path, texts):
    from tf_distill import text

    together = text.tokenize([t.encode("utf-8", "replace") for t in texts] + [b""]).to_list()
    for line, words in zip(texts, together, strict=False):
        assert text.tokenize([line.encode("utf-8", "replace")]).to_list() == [words]
        again = text.tokenize([b" ".join(words)]).to_list()[0]
        assert b"".join(again) == b"".join(words)


@FEW
@given(st.lists(st.tuples(st.sampled_from(["the", "cat", "x y", ""]),
                          st.lists(st.text("0123456789.e+-_ \u0661\u00b2naif", max_size=6),
                                   min_size=1, max_size=3)), max_size=4))  # fmt: skip
def test_vectors_of_any_numbers(tmp_path, lines):
    text = "\n".join(" ".join([word, *numbers]) for word, numbers in lines)
    foreign.parse(foreign.PARSERS["vectors"], text.encode(), tmp_path)
