"""The list of networks. Each is a class built from one frozen configuration, its class attribute `Config`."""

from __future__ import annotations

from typing import Any

from pydantic import BaseModel, ConfigDict

from hounsfield.core.registry import Registry

networks: Registry[Any] = Registry("network")


class NetworkConfig(BaseModel):
    """Base of every network's configuration: frozen, and an unknown key is an error."""

    model_config = ConfigDict(frozen=True, extra="forbid")
