"""Files in any form, converted to our own, and the JSON Schema that editors get."""

import json
from pathlib import Path
from typing import Any

from click.testing import CliRunner, Result
import jsonschema
import pytest
import yaml

from zeroconf_ai.cli.config import command
from zeroconf_ai.config.converted import converted, placeholders
from zeroconf_ai.config.file_schema import file_schema
from zeroconf_ai.config.providers_file import SECTIONS, read_config

from ...support.backend_settings import CASES, provider
from .test_design_files import ROUTER, SECRET, SERVER
from .test_providers_file import ATTIC

OWN = f"""{ATTIC}    headers: {{X-Team: secret-of-the-team}}
    authType: header X-Token
    authSecret: {SECRET}
models: {{house: [attic/qwen3], smart: {{strategy: cost}}}}
routing: {{strategy: local_first, cloudFallback: no, homeOnly: yes, retryMeteredTimeouts: yes}}
currency: EUR
exchangeRates: {{USD: 0.92}}
limits: {{perAddress: {{requestsPerMinute: 5, parallel: 2}}, perUser: {{tokensPerMinute: 9}}}}
usage_tracking: {{storage: influxdb, influxdb: {{url: "http://192.0.2.9:8086", bucket: ai, token: "${{TOKEN}}"}}}}
"""


def invoke(*arguments: str, **environment: str) -> Result:
    return CliRunner().invoke(command, arguments, env=environment)


@pytest.mark.parametrize("text", [SERVER, ROUTER, OWN])
def test_converted_file_means_the_same_and_contains_no_secret(text: str) -> None:
    written, secrets = converted(read_config(text, "p.yaml", placeholders(text)))
    assert "canary" not in written
    assert "secret-of" not in written
    jsonschema.validate(yaml.safe_load(written), file_schema())
    taken = {
        "PROVIDER_ATTIC_API_KEY": SECRET,
        "PROVIDER_ATTIC_HEADER_1": "secret-of-the-team",
        "PROVIDER_PROXY_API_KEY": "secret-of-the-proxy",
        "OPENAI_API_KEY": "key",
        "TOKEN": "token",
    }
    assert set(secrets) <= taken.keys()
    before, after = (read_config(one, "p.yaml", taken) for one in (text, written))
    assert [(one.id, one) for one in after.upstreams] == [(one.id, one) for one in before.upstreams]
    assert (after.policy, after.server, after.usage) == (before.policy, before.server, before.usage)
    assert (after.per_address, after.per_user) == (before.per_address, before.per_user)
    assert after.exchange == before.exchange


@pytest.mark.parametrize(("key", "value"), CASES)
def test_converted_setting_means_the_same_and_fits_the_schema(key: str, value: Any) -> None:
    text = json.dumps({"providers": [provider(key, value)]})
    jsonschema.validate(json.loads(text), file_schema())
    environment = {"PROVIDER_ATTIC_API_KEY": "secret", "PROVIDER_GARAGE_API_KEY": "secret"}
    environment |= {f"PROVIDER_ATTIC_HEADER_{number}": held for number, held in enumerate(("house", "attic"), 1)}
    written, _ = converted(read_config(text, "p.yaml", placeholders(text)))
    jsonschema.validate(yaml.safe_load(written), file_schema())
    plain = {} if key == "authSecret" else environment
    assert read_config(written, "p.yaml", environment).upstreams == read_config(text, "p.yaml", plain).upstreams or (
        key == "authSecret" and "another-secret" not in written
    )


@pytest.mark.parametrize("text", [SERVER, ROUTER, OWN])
def test_schema_accepts_files_and_refuses_unknown_keys(text: str) -> None:
    schema = file_schema()
    jsonschema.Draft202012Validator.check_schema(schema)
    assert set(schema["properties"]) == set(SECTIONS)
    document = yaml.safe_load(text)
    jsonschema.validate(document, schema)
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate({**document, "sever": {}}, schema)
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate({"providers": [{"id": "a", "type": "ollama", "endpiont": "http://192.0.2.1"}]}, schema)


def test_config_check_prints_warnings_and_providers_or_one_error(tmp_path: Path) -> None:
    file = tmp_path / "p.yaml"
    file.write_text(ROUTER)
    done = invoke("check", str(file), OPENAI_API_KEY="x")
    assert done.exit_code == 0
    assert done.stdout == f"{file} is valid. Enabled providers: gpu, openai, proxy.\n"
    assert f"Warning: {file}:12:26: healthCheckInterval is read as 30000 milliseconds." in done.stderr
    found = json.loads(invoke("check", "--json", str(file), OPENAI_API_KEY="x").stdout)
    assert found["providers"][0] == {"id": "gpu", "type": "openai_compatible"}
    assert len(found["warnings"]) == 2
    file.write_text(ROUTER.replace("priority: 1", "priority: high"))
    done = invoke("check", str(file))
    assert done.exit_code == 1
    assert done.stderr == f"Error: {file}:8:15: priority must be a whole number from 0 to 65535.\n"


def test_config_check_of_an_endless_file_is_one_error() -> None:
    done = invoke("check", "/dev/zero")
    assert (done.exit_code, done.stderr) == (1, "Error: /dev/zero is larger than 4 MB. Check that it is the file of providers.\n")


def test_config_convert_and_schema_print_documents(tmp_path: Path) -> None:
    file = tmp_path / "p.yaml"
    file.write_text(OWN)
    done = invoke("convert", str(file))
    assert yaml.safe_load(done.stdout)["providers"][0]["authSecret"] == "${PROVIDER_ATTIC_API_KEY}"
    assert "Set PROVIDER_ATTIC_API_KEY to the secret that the file contains." in done.stderr
    assert json.loads(invoke("schema").stdout) == file_schema()
