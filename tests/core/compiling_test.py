"""Compiled functions keep TensorFlow's options, and large sums in loops work twice."""

import pytest
import tensorflow as tf

from tf_distill.common.errors import UserError
from tf_distill.core.compiling import check_compilable, compiled
from tf_distill.networks.convolutions import LONG
from tf_distill.networks.paper import textconvnet

OPTIONS = tf.config.optimizer


@pytest.fixture(autouse=True)
def kept_options():
    """The process's option is what it was."""
    before = OPTIONS.get_experimental_options().get("disable_meta_optimizer", False)
    yield
    OPTIONS.set_experimental_options({"disable_meta_optimizer": before})


def test_computes_and_compiles_once():
    traced = []

    @compiled
    def double(x):
        """Twice x."""
        traced.append(x)
        return 2 * x

    assert [int(double(tf.constant(v))) for v in (1, 2)] == [2, 4]
    assert len(traced) == 1
    assert double.__doc__ == "Twice x."


def test_the_graph_is_that_of_the_call():
    traced = []

    @compiled
    def double(x):
        traced.append(x)
        return 2 * x

    graph = double.graph(tf.TensorSpec([3]))
    assert graph.outputs[0].shape == [3]
    assert double(tf.ones([3])).numpy().tolist() == [2, 2, 2]
    assert len(traced) == 1


@pytest.mark.parametrize("before", [True, False])
def test_the_option_comes_back_even_after_an_error(before):
    @compiled
    def fail(x):
        tf.debugging.assert_positive(x)

    OPTIONS.set_experimental_options({"disable_meta_optimizer": before})
    with pytest.raises(tf.errors.InvalidArgumentError):
        fail(tf.constant(-1))
    assert OPTIONS.get_experimental_options()["disable_meta_optimizer"] == before


def test_large_sums_in_a_loop_work_at_the_second_call():
    """With Grappler the second call fails: a temporary variable is still there."""
    size = 16_000_000  # numbers, above 200 MB in all

    @compiled
    def add(x):
        def body(t, x):
            return t + 1, tf.add_n([tf.sin(x), tf.cos(x), tf.tanh(x), tf.sqrt(tf.abs(x))])

        return tf.reduce_max(tf.while_loop(lambda t, _: t < 2, body, (0, x))[1])

    x = tf.zeros([size])
    assert float(add(x)) == float(add(x))


def test_a_function_of_its_own_for_each_run_is_no_fault(caplog):
    tf.get_logger().addHandler(caplog.handler)  # it does not pass its lines on
    for _ in range(6):
        compiled(lambda x: x + 1)(tf.constant(1))
    tf.get_logger().removeHandler(caplog.handler)
    assert "retracing" not in caplog.text


def test_what_xla_can_not_compile_is_told_in_one_line():
    strings = compiled(lambda x: tf.strings.length(tf.strings.as_string(x)), by_xla=True)
    with pytest.raises(UserError, match="leave jit_compile") as caught:
        strings(tf.constant([1.5]))
    assert "\n" not in str(caught.value)


def test_a_layer_that_would_end_the_process_within_xla_is_refused():
    check_compilable(textconvnet((LONG - 1, 4), 2))
    with pytest.raises(UserError, match="ConvGlobalMaxPool1D 'width_3' of textconvnet"):
        check_compilable(textconvnet((LONG, 4), 2))
