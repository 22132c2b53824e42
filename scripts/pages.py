"""HTML pages of all workflows: one style (page.html.jinja), everything in one file."""

import base64
from pathlib import Path
from typing import Any


def render(template: Path, **values: Any) -> str:
    """A page from a template, which extends page.html.jinja. The values are escaped."""
    import jinja2

    loader = jinja2.FileSystemLoader([template.parent, Path(__file__).parent])
    options: dict[str, Any] = {"autoescape": True, "trim_blocks": True, "lstrip_blocks": True}
    environment = jinja2.Environment(loader=loader, **options)
    return environment.get_template(template.name).render(**values)


def embed(path: Path) -> str:
    """A PNG file as the source of an <img>."""
    return "data:image/png;base64," + base64.b64encode(path.read_bytes()).decode()
