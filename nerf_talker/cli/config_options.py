"""Options that set a configuration's values: a refused one is said in one sentence."""

from __future__ import annotations

from dataclasses import replace
from functools import wraps
from typing import Any

from pydantic import ValidationError
from tyro.constructors import ConstructorRegistry, StructConstructorSpec, StructTypeInfo

from nerf_talker.config import StrictModel, refusal


def config_registry() -> ConstructorRegistry:
    """Within it :func:`tyro.cli` says what :func:`nerf_talker.config.refusal` does."""
    registry = ConstructorRegistry()
    asked: list[StructTypeInfo] = []

    @registry.struct_rule
    def rule(info: StructTypeInfo) -> StructConstructorSpec | None:
        is_model = isinstance(info.type, type) and issubclass(info.type, StrictModel)
        if not is_model or any(info is one for one in asked):
            return None
        asked.append(info)  # the usual rule is to answer what follows
        try:
            usual = ConstructorRegistry.get_struct_spec(info)
        finally:
            asked.pop()
        if not isinstance(usual, StructConstructorSpec):
            return None
        return replace(usual, instantiate=_checked(info.type))

    return registry


def _checked(model: type[StrictModel]) -> Any:
    """What makes a model of its values; tyro takes a ValueError for a wrong use."""

    @wraps(model, updated=())
    def made(**values: Any) -> StrictModel:
        try:
            return model(**values)
        except ValidationError as error:
            raise ValueError(refusal(error)) from None

    return made
