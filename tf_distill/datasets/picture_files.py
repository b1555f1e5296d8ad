"""Files of pictures to pixels, in the graph: the same for training and for a served model."""

from typing import TypeVar

import numpy as np
import tensorflow as tf

Numbers = TypeVar("Numbers", tf.Tensor, np.ndarray)
FORMATS = ("PNG", "JPEG", "BMP", "GIF", "WEBP")
"""What `read_picture` reads, by content: the one list for training and for serving."""
WHITE = 65535
"""The white of pictures of 16 bits, unless their scale is another."""
GREY_WEIGHTS = (0.299, 0.587, 0.114)
EXIF_BYTES = 2**17
"""A JPEG's notes are sought among so many first bytes."""


def read_picture(file: tf.Tensor, shape: tuple[int, ...], white: int = WHITE) -> tf.Tensor:
    """The pixels of a file in 0..1, float32 of `shape`: height, width, and 1 or 3 channels.

    Transparent parts lie on white, a JPEG is turned as its EXIF notes say, and of a GIF the first
    picture counts. It is scaled bilinearly, over an area if made smaller. Any other file, and an
    animated WebP, is an InvalidArgumentError.

    Args:
        file: its bytes, a string `[]`.
        shape: of the result.
        white: the value that becomes 1 in a PNG of 16 bits.
    """
    colours = _scaled(file, tf.constant(shape[:2]), tf.constant(float(white)))
    if shape[-1] == 1:
        colours = tf.reduce_sum(colours * GREY_WEIGHTS, axis=-1, keepdims=True)
    return tf.ensure_shape(colours, shape)


@tf.function(
    input_signature=[
        tf.TensorSpec([], tf.string),
        tf.TensorSpec([2], tf.int32),
        tf.TensorSpec([], tf.float32),
    ],
    autograph=False,
)
def _scaled(file: tf.Tensor, size: tf.Tensor, white: tf.Tensor) -> tf.Tensor:
    """The colours `[*size, 3]` of a file: one graph for any size, as tracing takes a second."""
    head = tf.strings.join([tf.strings.substr(file, 0, 32), bytes(32)])
    start = tf.strings.substr(head, 0, 2)
    colours = tf.case(
        [
            (start == b"\x89P", lambda: _png(file, head, white)),
            (start == b"\xff\xd8", lambda: _jpeg(file)),
            (start == b"BM", lambda: _bmp(file)),
        ],
        default=lambda: _other(file, head),
        exclusive=True,
    )
    colours = tf.ensure_shape(colours, [None, None, 3])
    return tf.cond(
        tf.reduce_all(tf.shape(colours)[:2] == size),
        lambda: colours,
        lambda: tf.image.resize(colours, size, antialias=True),
    )


def largest_value(file: tf.Tensor) -> tf.Tensor:
    """The largest colour value of a PNG, at 16 bits."""
    return tf.reduce_max(tf.io.decode_png(file, 3, tf.uint16))


def _png(file: tf.Tensor, head: tf.Tensor, white: tf.Tensor) -> tf.Tensor:
    pixels = tf.cast(tf.io.decode_png(file, 4, tf.uint16), tf.float32)
    colours, opaque = pixels[..., :3], pixels[..., 3:] / WHITE
    depth_and_type = tf.strings.substr(head, 24, 2)
    # TensorFlow makes grey of less than 8 bits transparent if the file does not speak of it.
    few_bits = tf.reduce_any(depth_and_type == [b"\1\0", b"\2\0", b"\4\0"])
    told = tf.strings.regex_full_match(file, r"\C*tRNS\C*")
    opaque = tf.where(few_bits & ~told, 1.0, opaque)
    scale = tf.where(tf.strings.substr(depth_and_type, 0, 1) == b"\x10", white, float(WHITE))
    return on_white(tf.minimum(colours / scale, 1.0), opaque)


def _bmp(file: tf.Tensor) -> tf.Tensor:
    """The colours of a BMP; TensorFlow alone takes the numbers of a palette for grey values."""
    data = tf.cast(tf.io.decode_raw(file, tf.uint8), tf.int32)

    def of_palette() -> tf.Tensor:
        first = 14 + data[14]  # behind both headers: blue, green, red and nothing
        numbers = tf.cast(tf.io.decode_bmp(file)[..., :1], tf.int32)
        return tf.gather(data, first + 4 * numbers + [2, 1, 0])

    def direct() -> tf.Tensor:
        return tf.cast(tf.io.decode_bmp(file)[..., :3], tf.int32)

    return tf.cast(tf.cond(data[28] == 8, of_palette, direct), tf.float32) / 255.0


def _jpeg(file: tf.Tensor) -> tf.Tensor:
    # The default is fast and off by up to 22 of 255.
    pixels = tf.io.decode_jpeg(file, 3, dct_method="INTEGER_ACCURATE")
    plain = tf.cast(pixels, tf.float32) / 255.0
    has_notes = tf.strings.regex_full_match(tf.strings.substr(file, 0, EXIF_BYTES), r"\C*Exif\C*")
    return tf.cond(has_notes, lambda: _turned(plain, orientation(file)), lambda: plain)


def _other(file: tf.Tensor, head: tf.Tensor) -> tf.Tensor:
    """The colours of a GIF or WebP."""
    # TensorFlow 2.21 ends the whole process at an animated WebP.
    marked = tf.bitwise.bitwise_and(tf.io.decode_raw(head, tf.uint8)[20], 2) > 0
    still = ~(marked & (tf.strings.substr(head, 12, 4) == b"VP8X"))
    told = tf.debugging.Assert(still, ["an animated WebP can't be read, send its first picture"])
    with tf.control_dependencies([told]):
        pixels = tf.io.decode_image(file, expand_animations=False)
    pixels = tf.cast(pixels, tf.float32) / 255.0
    # A fourth channel tells how opaque a pixel is.
    opaque = tf.pad(pixels, [[0, 0], [0, 0], [0, 1]], constant_values=1.0)[..., 3:4]
    return on_white(pixels[..., :3], opaque)


def on_white(colours: Numbers, opaque: Numbers) -> Numbers:
    """Colours in 0..1 on white, as opaque as is told, from 0 to 1: tensors or arrays."""
    return colours * opaque + (1 - opaque)


def _turned(image: tf.Tensor, turn: tf.Tensor) -> tf.Tensor:
    """The upright image `[height, width, 3]`, by its EXIF orientation."""
    image = tf.cond(turn > 4, lambda: tf.transpose(image, [1, 0, 2]), lambda: image)
    mirrored = tf.reduce_any(turn == [2, 3, 6, 7])
    image = tf.cond(mirrored, lambda: tf.reverse(image, [1]), lambda: image)
    upside_down = tf.reduce_any(turn == [3, 4, 7, 8])
    return tf.cond(upside_down, lambda: tf.reverse(image, [0]), lambda: image)


def orientation(file: tf.Tensor) -> tf.Tensor:
    """The orientation in the EXIF notes of a JPEG, int32 `[]` from 1 to 8; 1 if it has none."""
    head = tf.strings.substr(file, 0, EXIF_BYTES)
    data = tf.cast(tf.io.decode_raw(head, tf.uint8), tf.int32)
    size = tf.size(data)

    def at(place: tf.Tensor) -> tf.Tensor:
        return tf.where(place < size, tf.gather(data, tf.clip_by_value(place, 0, size - 1)), 0)

    def is_other(place: tf.Tensor) -> tf.Tensor:
        notes = tf.strings.substr(head, tf.minimum(place + 4, size), 4) == b"Exif"
        part = (place + 4 < size) & (at(place) == 0xFF) & (at(place + 1) != 0xDA)
        return part & ~((at(place + 1) == 0xE1) & notes)

    def next_part(place: tf.Tensor) -> list[tf.Tensor]:
        return [place + 2 + 256 * at(place + 2) + at(place + 3)]

    (part,) = tf.while_loop(is_other, next_part, [tf.constant(2)])
    has_notes = (at(part) == 0xFF) & (at(part + 1) == 0xE1)
    start = part + 10
    little = tf.cast(at(start) == 0x49, tf.int32)  # I for Intel's order of bytes, M for the other

    def number(place: tf.Tensor) -> tf.Tensor:
        return at(place + 1 - little) + 256 * at(place + little)

    entries = start + number(start + 6 - 2 * little)
    places = entries + 2 + 12 * tf.range(tf.minimum(number(entries), 100))
    turn = tf.reduce_max(tf.where(number(places) == 0x112, number(places + 8), 0))
    return tf.where(has_notes & (turn >= 1) & (turn <= 8), turn, 1)
