"""`ToolRunner`: the tools of a home that the gateway offers to a model and runs itself, with the rights of the key's user.

Home Assistant's LLM APIs are behind it (`gateway/house_tools.py`); `zeroconf-ai serve` has none.
"""

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from ..engine import Caller
from ..protocol.home_rule import HomeRule
from ..protocol.values import NOTHING


@dataclass(frozen=True, slots=True)
class HouseTool:
    """A tool: its name, its description and the JSON schema of its arguments."""

    name: str
    description: str
    parameters: Mapping[str, Any]
    annotations: Mapping[str, bool] = NOTHING
    """The hints of the Model Context Protocol: `readOnlyHint`, `destructiveHint`, `idempotentHint`, `openWorldHint`."""


@dataclass(frozen=True, slots=True)
class ToolResult:
    """What a tool returned, as text for the model."""

    text: str = field(repr=False)
    failed: bool = False
    home_rule: HomeRule | None = None
    """Why a request with this result stays at home; None: it may leave."""


class OpenTools(ABC):
    """The tools of one request."""

    @property
    @abstractmethod
    def tools(self) -> Sequence[HouseTool]:
        """The tools."""

    @property
    @abstractmethod
    def instructions(self) -> str:
        """What the model needs to know to use them; may be empty."""

    @abstractmethod
    async def call(self, name: str, arguments: Mapping[str, Any]) -> ToolResult:
        """Run a tool. What fails within the tool is a result with `failed`.

        Raises PermissionDeniedError if the key or its user has lost the right meanwhile.
        """


class ToolRunner(ABC):
    """Opens the tools of a home for a request."""

    @abstractmethod
    def home_rule(self, name: str, arguments: str, result: str) -> HomeRule | None:
        """Why a conversation with this earlier call of a tool stays at home; None: it may leave."""

    @abstractmethod
    async def open(self, caller: Caller) -> OpenTools:
        """The tools that the caller may use. Raises PermissionDeniedError if the caller may use no tool."""
