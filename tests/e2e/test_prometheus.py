"""A real Prometheus, with the configuration, the alerts and the dashboard of docs/monitoring, reads a gateway's metrics."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
import json
from pathlib import Path
import re
import subprocess
from typing import Any

import aiohttp
import pytest
import yaml

from devhome import REPOSITORY
from devhome.client import eventually
from devhome.namespaces import Host, Lan
from devhome.process import ManagedProcess
from devhome.provider import COMMAND
from tests.support.clouds.openai import FakeOpenAI
from tests.support.clouds.server import Reply

from .sdks import CHAT_MODEL

MONITORING = REPOSITORY / "docs" / "monitoring"
DASHBOARD: dict[str, Any] = json.loads((MONITORING / "grafana-dashboard.json").read_text(encoding="utf-8"))
KEY = "zai_example-key-for-prometheus"
GATEWAY_PORT, PROMETHEUS_PORT = 8600, 9090
FILLED_IN = {"$__rate_interval": "30s", "$__range": "5m", "$instance": ".*", "$provider": ".*", "$model": ".*"}
"""Values of the variables in the dashboard's expressions."""


@dataclass(frozen=True)
class Monitored:
    """A gateway and the Prometheus that scrapes it."""

    gateway: str
    prometheus: str

    async def chat(self, model: str = CHAT_MODEL, *, stream: bool = False) -> int:
        """Send a chat, read the answer to its end, and return its status."""
        body = {"model": model, "messages": [{"role": "user", "content": "count to 3"}], "stream": stream}
        headers = {"Authorization": f"Bearer {KEY}"}
        async with (
            aiohttp.ClientSession(headers=headers) as session,
            session.post(f"{self.gateway}/chat/completions", json=body) as response,
        ):
            await response.read()
            return response.status

    async def ask(self, path: str, **parameters: str) -> Any:
        """The data of an answer of Prometheus' API. Fails if the answer is an error."""
        url = f"{self.prometheus}/api/v1/{path}"
        async with aiohttp.ClientSession() as session, session.get(url, params=parameters) as response:
            answer = await response.json()
        assert answer["status"] == "success", f"{parameters}: {answer}"
        return answer["data"]

    async def query(self, expression: str) -> list[dict[str, Any]]:
        """The current series of an expression."""
        found: list[dict[str, Any]] = (await self.ask("query", query=expression))["result"]
        return found

    async def value(self, expression: str) -> float:
        """The value of an expression with at most one series; 0 without a series."""
        found = await self.query(expression)
        assert len(found) <= 1, found
        return float(found[0]["value"][1]) if found else 0.0


def configured(folder: Path, gateway: Host) -> Path:
    """The example configuration with the target, the key and a scrape interval of one second."""
    text = (MONITORING / "prometheus.yml").read_text(encoding="utf-8")
    for example, own in (("192.0.2.10:8123", f"{gateway.ipv4}:{GATEWAY_PORT}"), (": 30s", ": 1s")):
        assert example in text
        text = text.replace(example, own)
    (folder / "alerts.yml").write_bytes((MONITORING / "alerts.yml").read_bytes())
    (folder / "zeroconf-ai.key").write_text(f"{KEY}\n", encoding="utf-8")
    config = folder / "prometheus.yml"
    config.write_text(text, encoding="utf-8")
    return config


@pytest.fixture
async def monitored(lan: Lan, tmp_path: Path, started: list[ManagedProcess]) -> AsyncIterator[Monitored]:
    """A gateway with a metered provider that answers and one that does not, and its Prometheus."""
    async with FakeOpenAI(Reply("One, two, three.")) as cloud:
        providers = [
            {"id": "attic", "name": "Attic", "type": "openai_compatible", "endpoint": "http://127.0.0.1:9/v1"},
            {
                "id": "cloud",
                "name": "Cloud",
                "type": "openai",
                "endpoint": cloud.base_url,
                "authSecret": cloud.key,
                "prices": {"*": {"input": 1000, "output": 2000}},
                "monthlyLimit": 20,
            },
        ]
        (tmp_path / "providers.yaml").write_text(json.dumps({"providers": providers}), encoding="utf-8")
        async with watched(lan, tmp_path, started) as found:
            yield found


@asynccontextmanager
async def watched(lan: Lan, tmp_path: Path, started: list[ManagedProcess]) -> AsyncIterator[Monitored]:
    """The processes. The gateway is on the tester's own host, because the provider listens on that host's 127.0.0.1 only."""
    host, watcher = lan.host("tester"), lan.host("monitor")
    folder = tmp_path / "prometheus"
    folder.mkdir()
    config = configured(folder, host)
    config_file = ("--config", str(tmp_path / "providers.yaml"))
    serve = (str(COMMAND), "serve", *config_file, "--port", str(GATEWAY_PORT), "--key", KEY, "--no-advertise")
    watch = (
        "prometheus",
        f"--config.file={config}",
        f"--storage.tsdb.path={folder / 'data'}",
        f"--web.listen-address={watcher.ipv4}:{PROMETHEUS_PORT}",
        "--log.level=warn",
    )
    processes = [
        ManagedProcess("gateway", ("env", f"XDG_STATE_HOME={tmp_path}", *serve), tmp_path / "gateway.log", host=host),
        ManagedProcess("Prometheus", watch, folder / "prometheus.log", host=watcher),
    ]
    found = Monitored(f"http://{host.ipv4}:{GATEWAY_PORT}/v1", f"http://{watcher.ipv4}:{PROMETHEUS_PORT}")
    try:
        started += [process.start() for process in processes]

        async def scraped() -> bool:
            try:
                return await found.value("up") == 1
            except aiohttp.ClientError:
                return False

        await processes[1].until(scraped, 30)
        yield found
    finally:
        for process in reversed(processes):
            await process.stop()


async def test_prometheus_panels_and_alerts_have_data(monitored: Monitored) -> None:
    # The first requests create the series, the next ones increase them.
    for _ in range(2):
        assert await monitored.chat() == 200
        assert await monitored.chat(stream=True) == 200
        # Only the provider that does not answer is asked.
        assert await monitored.chat("attic/model") == 502

        async def seen(count: float = await counted(monitored.gateway)) -> bool:
            return await monitored.value("sum(local_ai_requests_total)") >= count

        await eventually(seen, timeout=10)
    assert await monitored.value('local_ai_requests_total{status="ok", provider="Cloud", endpoint="chat/completions"}') >= 4
    assert await monitored.value('local_ai_errors_total{code="provider_error"}') >= 2
    assert await monitored.value('local_ai_tokens_total{type="completion"}') > 0
    assert await monitored.value("local_ai_cost_total") > 0
    assert await monitored.value('local_ai_provider_health{provider="Cloud"}') == 1
    assert await monitored.value('local_ai_provider_health{provider="Attic"}') == 0

    known = set(await monitored.ask("metadata"))
    empty = []
    for panel in DASHBOARD["panels"]:
        for target in panel.get("targets", ()):
            expression = target["expr"]
            names = re.findall(r"\blocal_ai_\w+", expression)
            assert {family(name) for name in names} <= {family(name) for name in known}, panel["title"]
            for variable, text in FILLED_IN.items():
                expression = expression.replace(variable, text)
            assert "$" not in expression
            if not await monitored.query(expression):
                empty.append(panel["title"])
    # No request was refused and none failed over: the offline provider gets no requests.
    assert set(empty) <= {"Refused", "Failovers"}

    groups = (await monitored.ask("rules"))["groups"]
    alerts = [rule for group in groups for rule in group["rules"]]
    assert len(alerts) == len(rules())
    assert {rule["health"] for rule in alerts} <= {"ok", "unknown"}
    for rule in alerts:
        await monitored.query(rule["query"])


async def counted(gateway: str) -> float:
    """The number of requests in the gateway's metrics."""
    headers = {"Authorization": f"Bearer {KEY}"}
    async with aiohttp.ClientSession(headers=headers) as session, session.get(f"{gateway}/metrics") as response:
        assert response.status == 200
        lines = (await response.text()).splitlines()
    return sum(float(line.rpartition(" ")[2]) for line in lines if line.startswith("local_ai_requests_total{"))


def family(name: str) -> str:
    """The metric that a series belongs to."""
    return re.sub(r"_(bucket|sum|count|total)$", "", name)


def rules() -> list[dict[str, Any]]:
    """The alerts."""
    groups = yaml.safe_load((MONITORING / "alerts.yml").read_text(encoding="utf-8"))["groups"]
    return [rule for group in groups for rule in group["rules"]]


def promtool(*arguments: str) -> None:
    """Run promtool. Fails with its output."""
    done = subprocess.run(["promtool", *arguments], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def test_prometheus_configuration_and_alerts_are_valid_for_promtool(lan: Lan, tmp_path: Path) -> None:
    promtool("check", "config", str(configured(tmp_path, lan.host("gateway"))))
    promtool("check", "rules", str(tmp_path / "alerts.yml"))


CALM = {
    'up{job="zeroconf_ai", instance="home"}': "1x40",
    'local_ai_provider_health{instance="home", provider="PC"}': "1x40",
    'local_ai_provider_health{instance="home", provider="Switched off"}': "0x40",
    'local_ai_requests_total{instance="home", status="ok"}': "0+60x40",
    'local_ai_requests_total{instance="home", status="error"}': "0+1x40",
    'local_ai_errors_total{instance="home", code="rate_limit_exceeded"}': "0x40",
    'local_ai_budget_used_ratio{instance="home", scope="household", provider="none", period="month"}': "0.5x40",
    'local_ai_queue_depth{instance="home"}': "1x40",
    'local_ai_provider_queue_depth{instance="home", provider="PC"}': "1x40",
    'local_ai_time_to_first_token_seconds_bucket{instance="home", provider="PC", le="5"}': "0+60x40",
    'local_ai_time_to_first_token_seconds_bucket{instance="home", provider="PC", le="30"}': "0+60x40",
    'local_ai_time_to_first_token_seconds_bucket{instance="home", provider="PC", le="+Inf"}': "0+60x40",
}
"""The series of a day without problems: values by the minute (promtool's notation)."""
TROUBLE = {
    "GatewayDown": {'up{job="zeroconf_ai", instance="home"}': "1x10 0x30"},
    "ProviderDown": {'local_ai_provider_health{instance="home", provider="PC"}': "1x10 0x30"},
    "HighErrorRate": {'local_ai_requests_total{instance="home", status="error"}': "0+20x40"},
    "RateLimited": {'local_ai_errors_total{instance="home", code="rate_limit_exceeded"}': "0+2x40"},
    "BudgetNearlySpent": {
        'local_ai_budget_used_ratio{instance="home", scope="household", provider="none", period="month"}': "0.9x40"
    },
    "BudgetSpent": {'local_ai_budget_used_ratio{instance="home", scope="household", provider="none", period="month"}': "1.2x40"},
    "LongQueue": {'local_ai_queue_depth{instance="home"}': "4x40"},
    "SlowFirstToken": {'local_ai_time_to_first_token_seconds_bucket{instance="home", provider="PC", le="5"}': "0+30x40"},
}


@pytest.mark.parametrize("trouble", [None, *TROUBLE])
def test_prometheus_alert_of_each_problem_fires_alone(tmp_path: Path, trouble: str | None) -> None:
    assert set(TROUBLE) == {rule["alert"] for rule in rules()}
    series = CALM | (TROUBLE[trouble] if trouble else {})
    expected = 'count by (alertname) (ALERTS{alertstate="firing"})'
    case = {
        "rule_files": [str(MONITORING / "alerts.yml")],
        "evaluation_interval": "1m",
        "tests": [
            {
                "interval": "1m",
                "input_series": [{"series": name, "values": values} for name, values in series.items()],
                "promql_expr_test": [
                    {
                        "expr": expected,
                        "eval_time": "35m",
                        "exp_samples": [{"labels": f'{{alertname="{trouble}"}}', "value": 1}] if trouble else [],
                    }
                ],
            }
        ],
    }
    file = tmp_path / "alerts-test.yml"
    file.write_text(json.dumps(case), encoding="utf-8")
    promtool("test", "rules", str(file))


def test_prometheus_dashboard_is_valid_for_grafana() -> None:
    assert DASHBOARD["schemaVersion"] >= 36
    assert DASHBOARD["uid"]
    assert DASHBOARD["title"]
    variables = {variable["name"]: variable for variable in DASHBOARD["templating"]["list"]}
    assert variables["datasource"]["type"] == "datasource"
    assert variables["datasource"]["query"] == "prometheus"
    panels = DASHBOARD["panels"]
    assert len({panel["id"] for panel in panels}) == len(panels)
    taken: set[tuple[int, int]] = set()
    for panel in panels:
        place = panel["gridPos"]
        cells = {(x, y) for x in range(place["x"], place["x"] + place["w"]) for y in range(place["y"], place["y"] + place["h"])}
        assert place["x"] + place["w"] <= 24, panel["title"]
        assert not cells & taken, f"{panel['title']} lies upon another panel"
        taken |= cells
        if panel["type"] == "row":
            continue
        assert panel["title"]
        assert panel["description"]
        assert panel["datasource"]["uid"] == "${datasource}"
        assert len({target["refId"] for target in panel["targets"]}) == len(panel["targets"]) > 0
        for target in panel["targets"]:
            used = set(re.findall(r"\$(\w+)", target["expr"])) - {"__rate_interval", "__range"}
            assert used <= variables.keys(), panel["title"]
