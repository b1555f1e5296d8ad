"""HTML pages from the templates of this package: self-contained, all text escaped."""

import functools
from typing import Any

import jinja2

from tf_distill.common import minutes, network_name, percent, spread


@functools.cache
def _environment() -> jinja2.Environment:
    environment = jinja2.Environment(
        loader=jinja2.PackageLoader("tf_distill.report"),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {
        "percent": percent,
        "minutes": minutes,
        "network": network_name,
    }
    environment.globals |= {"spread": spread}
    return environment


def render(template: str, **values: Any) -> str:
    """The page of a file in `templates/`.

    Args:
        template: the file's name.
        values: of the names in the template; markup in them is shown as text.
    """
    return _environment().get_template(template).render(values)
