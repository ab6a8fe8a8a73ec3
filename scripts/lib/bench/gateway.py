"""What stands before a model, measured in turns: the same requests through each target, round by round."""

import asyncio
from collections.abc import Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from pathlib import Path
import sys

from . import load, upstream
from .load import Measured, median, quantile
from .targets import Bare, BareHome, Direct, InHome, Target

BODY_BYTES = 100_000
SETTLE_SECONDS = 5.0
IDLE_SECONDS = 10.0


@dataclass(frozen=True, slots=True)
class Scenario:
    """One kind of load."""

    name: str
    clients: int
    model: str = "swift"
    stream: bool = False
    body_bytes: int = 0

    def body(self, model: str) -> dict[str, object]:
        """The request."""
        question = "Is it on? ".ljust(self.body_bytes, "x")
        body: dict[str, object] = {"model": model, "messages": [{"role": "user", "content": question}]}
        return body | {"stream": True} if self.stream else body


SCENARIOS = (
    *(Scenario(f"whole answers, {clients} clients", clients) for clients in (1, 8, 32, 128)),
    Scenario("whole answers, 8 clients, 100 kB", 8, body_bytes=BODY_BYTES),
    *(Scenario(f"streams of 1,000 tokens, {clients} clients", clients, stream=True) for clients in (1, 8, 32)),
    Scenario("128 streams at 50 tokens/s", 128, "paced", stream=True),
)


@dataclass(slots=True)
class Turn:
    """What one turn of one target gave."""

    measured: Measured
    cpu: float
    rss: int

    def figures(self, scenario: Scenario) -> dict[str, float]:
        """By name: milliseconds, per second, and megabytes."""
        seen = self.measured
        found = {"errors": float(seen.errors), "RSS MB": self.rss / 1e6}
        if not seen.requests:
            return found
        found["first byte ms p50"] = 1000 * quantile(seen.first_bytes, 0.5)
        if scenario.stream:
            found["tokens/s"] = seen.tokens / seen.seconds
            found["CPU ms per 1,000 tokens"] = 1e6 * self.cpu / max(1, seen.tokens)
            if scenario.model == "paced":
                found["longest silence ms"] = 1000 * max(seen.gaps)
            return found
        found["requests/s"] = seen.requests / seen.seconds
        found["CPU ms per request"] = 1000 * self.cpu / seen.requests
        return found | {f"ms p{round(100 * share)}": 1000 * quantile(seen.latencies, share) for share in (0.5, 0.95, 0.99)}


@dataclass(slots=True)
class Result:
    """The medians over all rounds, and what was seen at rest."""

    figures: dict[str, dict[str, dict[str, float]]] = field(default_factory=dict)
    """scenario → figure → target."""
    idle: dict[str, dict[str, float]] = field(default_factory=dict)
    left_out: dict[str, str] = field(default_factory=dict)


async def measure(kinds: Sequence[type[Target]], folder: Path, *, rounds: int, seconds: float, only: str) -> Result:
    """Start all targets, measure them in turn, and stop them."""
    result = Result()
    scenarios = [scenario for scenario in SCENARIOS if only in scenario.name]
    async with AsyncExitStack() as stack:
        port = stack.enter_context(upstream.running())
        targets: list[Target] = []
        home_alone = 0
        for kind in kinds:
            target = kind(folder / kind.__name__, port)
            if target.missing:
                result.left_out[target.name] = target.missing
                continue
            if isinstance(target, InHome):
                home_alone = await _home_alone(folder, port)
            _say(f"starting {target.name}")
            await target.start()
            stack.push_async_callback(target.stop)
            targets.append(target)
        await asyncio.sleep(SETTLE_SECONDS)
        for target in targets:
            if not isinstance(target, Direct):
                result.idle[target.name] = await _at_rest(target)
        if home_alone and InHome.name in result.idle:
            result.idle[InHome.name]["RSS MB over one without it"] = result.idle[InHome.name]["RSS MB"] - home_alone / 1e6
        for scenario in scenarios:
            result.figures[scenario.name] = await _scenario(scenario, targets, rounds, seconds)
    return result


async def _scenario(scenario: Scenario, targets: Sequence[Target], rounds: int, seconds: float) -> dict[str, dict[str, float]]:
    """Figure → target → median of the rounds; a first, short turn of each warms it up."""
    _say(scenario.name)
    paced = scenario.model == "paced"
    turns: dict[str, list[dict[str, float]]] = {}
    for number in range(1 if paced else rounds + 1):
        for target in targets:
            raw = load.request_bytes(target.path, scenario.body(target.model(scenario.model)), target.key)
            length = 0.1 if paced else min(0.3, seconds) if number == 0 else seconds
            cpu = target.cpu()
            measured = await load.run(target.port, raw, clients=scenario.clients, seconds=length, streams=scenario.stream)
            turn = Turn(measured, target.cpu() - cpu, target.rss())
            if number or paced:
                turns.setdefault(target.name, []).append(turn.figures(scenario))
    names = dict.fromkeys(figure for seen in turns.values() for turn in seen for figure in turn)
    return {
        figure: {name: median(turn[figure] for turn in seen if figure in turn) for name, seen in turns.items()}
        for figure in names
    }


async def _at_rest(target: Target) -> dict[str, float]:
    cpu = target.cpu()
    await asyncio.sleep(IDLE_SECONDS)
    return {"RSS MB": target.rss() / 1e6, "idle CPU %": 100 * (target.cpu() - cpu) / IDLE_SECONDS}


async def _home_alone(folder: Path, port: int) -> int:
    """The resident bytes of a Home Assistant that has settled, without the gateway."""
    home = BareHome(folder / BareHome.__name__, port)
    _say(f"starting {home.name}")
    await home.start()
    await asyncio.sleep(SETTLE_SECONDS)
    rss = home.rss()
    await home.stop()
    return rss


def table(result: Result) -> str:
    """All figures, and each beside the bare proxy's."""
    lines: list[str] = []
    for scenario, figures in result.figures.items():
        names = list(dict.fromkeys(name for by_name in figures.values() for name in by_name))
        lines += ["", scenario, f"{'':28}" + "".join(f"{name:>20}" for name in names)]
        for figure, by_name in figures.items():
            base = by_name.get(Bare.name, 0.0)
            cells = []
            for name in names:
                value = by_name.get(name, 0.0)
                ratio = f" ({value / base:.2f})" if base and figure != "errors" and name != Direct.name else ""
                cells.append(f"{value:,.2f}{ratio}" if name in by_name else "")
            lines.append(f"{figure:28}" + "".join(f"{cell:>20}" for cell in cells))
    lines += ["", "at rest"]
    for name, seen in result.idle.items():
        lines.append(f"{name:28}" + ", ".join(f"{figure} {value:,.1f}" for figure, value in seen.items()))
    lines += [f"left out: {name}, because this is missing: {why}" for name, why in result.left_out.items()]
    return "\n".join([*lines, "", f"In parentheses: beside {Bare.name}."])


def _say(text: str) -> None:
    sys.stderr.write(f"bench: {text}\n")
