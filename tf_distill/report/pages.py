"""HTML pages from the templates of this package: self-contained, all text escaped."""

import functools
from typing import Any

import jinja2

from tf_distill.common import minutes, network_name, percent, spread


@functools.cache
def _environment() -> jinja2.Environment:
    loader, strict = jinja2.PackageLoader("tf_distill.report"), jinja2.StrictUndefined
    environment = jinja2.Environment(
        loader=loader, autoescape=True, undefined=strict, trim_blocks=True, lstrip_blocks=True
    )
    environment.filters |= {"percent": percent, "minutes": minutes, "network": network_name}
    environment.globals |= {"spread": spread}
    return environment


def render(template: str, **values: Any) -> str:
    """The page of a file in `templates/`; markup in the values is shown as text."""
    return _environment().get_template(template).render(values)
