"""Reads HTML pages for tests."""

from html.parser import HTMLParser

VOID = {"meta", "img", "source"}


class Page(HTMLParser):
    """Reads a page, and fails where its tags don't nest.

    tags: each with its attributes; text: all words; blocks: the text of each `pre`.
    """

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


def assert_self_contained(page):
    """Nothing of a page lies elsewhere."""
    assert not {tag for tag, _ in page.tags} & {"script", "link", "iframe", "object", "base"}
    for tag, attributes in page.tags:
        for name in ("src", "href", "srcset"):
            assert attributes.get(name, "data:image/png;base64,").startswith("data:image/png"), tag
    assert "@import" not in "".join(page.words)
