"""The JSON Schema of ``report.json``, with every key described."""

from __future__ import annotations

import inspect
import json
import re
from typing import Any

from nerf_talker.config import StrictModel
from nerf_talker.evaluate import figure_groups, schema

_ENTRY = re.compile(r"^    (\w+): (.+)$")


def report_schema() -> str:
    """JSON Schema (2020-12) of a report, descriptions taken from the models' docstrings."""
    content = schema.Report.model_json_schema()
    content["$schema"] = "https://json-schema.org/draft/2020-12/schema"
    content["$id"] = f"nerf-talker-report-{schema.SCHEMA_VERSION}"
    models = {**vars(figure_groups), **vars(schema)}
    for name, part in {schema.Report.__name__: content, **content.get("$defs", {})}.items():
        model = models.get(name)
        if inspect.isclass(model) and issubclass(model, StrictModel):
            _describe(part, model)
    return json.dumps(content, indent=1, ensure_ascii=False)


def _describe(part: dict[str, Any], model: type[StrictModel]) -> None:
    """Move the lines of the docstring's ``Attributes`` to the properties they describe."""
    summary, _, attributes = inspect.cleandoc(model.__doc__ or "").partition("\nAttributes:\n")
    part["description"] = summary.strip()
    known: dict[str, str] = {}
    newest = ""
    for line in attributes.splitlines():
        found = _ENTRY.match(line)
        if found is not None:
            newest = found.group(1)
            known[newest] = found.group(2).strip()
        elif newest and line.strip():
            known[newest] += " " + line.strip()
    for name, text in known.items():
        part["properties"][name]["description"] = text
