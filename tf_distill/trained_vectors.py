"""Word vectors made from the training text itself: what stands near a word says what it means.

Co-occurrence in a window, positive pointwise mutual information with smoothed contexts,
and a truncated singular value decomposition, as in O. Levy, Y. Goldberg and I. Dagan,
"Improving Distributional Similarity with Lessons Learned from Word Embeddings", TACL 2015.
"""

import numpy as np
import scipy.sparse

TRAIN = "train"
"""The name of these vectors where a file of vectors could be named."""
DIMENSION = 100
WINDOW = 5
SMOOTHING = 0.75
SCALE = 0.5
"""Root mean square of all numbers, near that of GloVe's (0.54 over the words of TREC)."""
ROWS_AT_ONCE = 50_000


def train_vectors(numbered: np.ndarray, words: int, seed: int = 0) -> np.ndarray:
    """Vectors of the words of numbered texts.

    Args:
        numbered: int32 `[N, length]`: word numbers from 0 in the order of the texts; negative
            where there is no word.
        words: how many there are, V.
        seed: of the decomposition, and of the vectors of words that stand alone.

    Returns:
        float32 `[V, dimension]`, all of one length; dimension is 100, or less for few words.
    """
    from sklearn.decomposition import TruncatedSVD

    dimension = max(1, min(DIMENSION, words - 1))
    associations = positive_information(cooccurrence(numbered, words))
    vectors = np.zeros((words, dimension))
    if associations.nnz and words > 1:
        svd = TruncatedSVD(dimension, random_state=seed)
        vectors = svd.fit_transform(associations.astype(np.float32))
        # Half of the singular values' weight, which is what similarity is best by.
        vectors /= np.sqrt(np.maximum(svd.singular_values_, 1e-12))
    alone = np.linalg.norm(vectors, axis=1) < 1e-6
    vectors[alone] = np.random.default_rng(seed).standard_normal((alone.sum(), dimension))
    length = np.linalg.norm(vectors, axis=1, keepdims=True)
    return (vectors / length * SCALE * np.sqrt(dimension)).astype(np.float32)


def cooccurrence(numbered: np.ndarray, words: int) -> scipy.sparse.csr_array:
    """How often two words stand at most WINDOW apart, nearer ones counting more: `[V, V]`.

    A pair at distance d counts 1/d; the counts are symmetric.
    """
    total = scipy.sparse.csr_array((words, words), dtype=np.float64)
    for start in range(0, len(numbered), ROWS_AT_ONCE):
        rows = numbered[start : start + ROWS_AT_ONCE]
        total = total + _pairs(rows, words)
    return total + total.T


def _pairs(rows: np.ndarray, words: int) -> scipy.sparse.csr_array:
    """Each pair in the order of the text, `[V, V]`."""
    first, second, counts = [], [], []
    for distance in range(1, min(WINDOW, rows.shape[1] - 1) + 1):
        one, other = rows[:, :-distance], rows[:, distance:]
        both = (one >= 0) & (other >= 0)
        first.append(one[both])
        second.append(other[both])
        counts.append(np.full(both.sum(), 1 / distance))
    if not counts:
        return scipy.sparse.csr_array((words, words), dtype=np.float64)
    places = (np.concatenate(first), np.concatenate(second))
    return scipy.sparse.csr_array((np.concatenate(counts), places), (words, words))


def positive_information(counts: scipy.sparse.csr_array) -> scipy.sparse.csr_array:
    """Positive pointwise mutual information in nats, of counts `[V, V]`.

    Contexts are weighted by their count to the power SMOOTHING, so that rare ones do not win.
    """
    table = counts.tocoo()
    total = table.sum()
    word = counts.sum(axis=1)
    context = counts.sum(axis=0) ** SMOOTHING
    expected = word[table.row] / total * context[table.col] / context.sum()
    values = np.maximum(np.log(table.data / total / expected), 0)
    found = scipy.sparse.csr_array((values, (table.row, table.col)), counts.shape)
    found.eliminate_zeros()
    return found
