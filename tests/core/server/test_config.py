"""`providers:` in YAML, the quick form, and the environment's last word."""

import traceback

import pytest

from zeroconf_ai.backends.base import Timeouts
from zeroconf_ai.server.config import UpstreamConfig, quick_config, read_config
from zeroconf_ai.server.document import ConfigError
from zeroconf_ai.server.kinds import KINDS

SECRET = "sk-canary-0123456789"
ATTIC = "providers:\n  - id: attic\n    type: ollama\n"


def read(text: str, **environment: str) -> tuple[UpstreamConfig, ...]:
    return read_config(text, "p.yaml", environment)


def test_a_full_provider_is_read() -> None:
    text = f"""
providers:
  - id: gpu
    name: Büro GPU
    type: vllm
    endpoint: http://192.0.2.20:8001/
    priority: 10
    enabled: yes
    timeouts: {{connect: 2, firstToken: 90.5}}
    authSecret: {SECRET}
    models: [qwen3-32b, "7"]
  - {{id: cloud, type: anthropic, authSecret: "${{CLAUDE}}"}}
"""
    gpu, cloud = read(text, CLAUDE=SECRET)
    assert gpu == UpstreamConfig(
        "gpu",
        "Büro GPU",
        KINDS["vllm"],
        "http://192.0.2.20:8001/v1",
        SECRET,
        10,
        Timeouts(connect=2.0, first_token=90.5),
        ("qwen3-32b", "7"),
    )
    assert (cloud.name, cloud.endpoint, cloud.key) == ("Anthropic", "https://api.anthropic.com/v1", SECRET)
    assert SECRET not in repr((gpu, cloud))


def test_every_type_has_its_place_and_its_patience() -> None:
    for kind in KINDS.values():
        url = "http://192.0.2.20:1" if kind.endpoint is None else None
        (found,) = quick_config([f"{kind.name}={url}" if url else kind.name], {f"PROVIDER_{kind.name.upper()}_API_KEY": "k"})
        assert found.endpoint == (kind.endpoint or f"{url}/v1")
        assert found.timeouts == kind.timeouts


@pytest.mark.parametrize(
    ("text", "error"),
    [
        ("", "p.yaml:1:1: the file is empty; it needs a list of `providers:`."),
        ("- a\n", "p.yaml:1:1: the file must be keys with values, and is a list."),
        ("provider:\n", "p.yaml:1:1: The key provider is not known here. Did you mean providers?"),
        ("providers:\n", "p.yaml:1:11: providers must be a list, and is a single value."),
        ("{}\n", "p.yaml:1:1: the file needs a list of `providers:`."),
        ("providers: [{id: a}]\n", "p.yaml:1:13: a provider needs `type:`."),
        ("providers:\n  - type: ollama\n", "p.yaml:2:5: a provider needs `id:`."),
        ("providers:\n  - ollama\n", "p.yaml:2:5: a provider must be keys with values, and is a single value."),
        (ATTIC + "    endpiont: http://a\n", "p.yaml:4:5: The key endpiont is not known here. Did you mean endpoint?"),
        (ATTIC + "    timeout: {}\n", "p.yaml:4:5: The key timeout is not known here. Did you mean timeouts?"),
        (
            ATTIC + "    timeouts: {first_token: 3}\n",
            "p.yaml:4:16: The key first_token is not known here. Did you mean firstToken?",
        ),
        (ATTIC + "    timeouts: {connect: 0}\n", "p.yaml:4:25: connect must be a number from 0.1 to 3600."),
        (ATTIC + "    timeouts: {connect: 1:30}\n", "p.yaml:4:25: connect must be a number from 0.1 to 3600."),
        (ATTIC + "    type: vllm\n", "p.yaml:4:5: type is set twice; keep one of them."),
        (ATTIC + "    priority: 70000\n", "p.yaml:4:15: priority must be a whole number from 0 to 65535."),
        (ATTIC + "    priority: high\n", "p.yaml:4:15: priority must be a whole number from 0 to 65535."),
        (ATTIC + "    enabled: maybe\n", "p.yaml:4:14: enabled must be true or false."),
        (ATTIC + "    name: 5\n", "p.yaml:4:11: name must be a text, and YAML reads a number here; put it in quotes."),
        (ATTIC + "    name:\n", "p.yaml:4:10: name is empty; give it a value, or delete the line."),
        (
            ATTIC + "    models: []\n",
            "p.yaml:4:13: models is empty; list those that may be used, or ",
        ),
        (
            ATTIC + "    models: [a, 3.5]\n",
            "p.yaml:4:17: an entry of models must be a text, and YAML reads a number here; put it in quotes.",
        ),
        (ATTIC + "    endpoint: 192.0.2.20\n", "p.yaml:4:15: endpoint must be a URL such as http://192.0.2.20:8000/v1."),
        (ATTIC + "    endpoint: http://a:99999\n", "p.yaml:4:15: endpoint must be a URL such as http://192.0.2.20:8000/v1."),
        (
            ATTIC + f"    endpoint: http://me:{SECRET}@a\n",
            "p.yaml:4:15: endpoint must hold no user name or password; a key belongs into authSecret.",
        ),
        (ATTIC + f"    endpoint: http://a?key={SECRET}\n", "p.yaml:4:15: endpoint must end with its path, without ? or #."),
        (
            ATTIC + "    authSecret: ${NOT_SET}\n",
            "p.yaml:4:17: the variable NOT_SET is not set. Set it, or PROVIDER_ATTIC_",
        ),
        (
            ATTIC + f'    authSecret: "{SECRET}\\n{SECRET}"\n',
            "p.yaml:4:17: its key holds characters that no key has: a ",
        ),
        (ATTIC + f"    {SECRET}: 1\n", "p.yaml:4:5: This key is not known here. Known: "),
        (ATTIC + "  - id: attic\n    type: vllm\n", "p.yaml:4:9: the id attic is taken; each provider needs its own."),
        (
            ATTIC.replace("attic", "at-tic") + "  - id: AT_TIC\n    type: vllm\n",
            "p.yaml:4:9: the id AT_TIC is too much like at-tic: their variables would have the same names.",
        ),
        (ATTIC.replace("attic", "lan:x"), "p.yaml:2:9: id must be 1 to 64 letters, digits, "),
        (ATTIC.replace("ollama", "olama"), "p.yaml:3:11: this type is not known. Did you mean ollama?"),
        (ATTIC.replace("ollama", SECRET), "p.yaml:3:11: this type is not known. Known: openai, openrouter, "),
        (ATTIC.replace("ollama", "openai"), "p.yaml:2:5: a provider of type openai needs a key: set authSecret, or "),
        (ATTIC.replace("ollama", "litellm"), "p.yaml:2:5: a provider of type litellm needs an endpoint, such as "),
        ("providers:\n  - id: a\n   type: b\n", "p.yaml:3:4: no valid YAML: "),
        (ATTIC + f"    authSecret: *{SECRET}\n", "p.yaml:4:17: no valid YAML: an unquoted * or & refers to another value"),
        (ATTIC + f"    authSecret: '{SECRET}\n", "p.yaml:5:1: no valid YAML: "),
        ("providers:\n\tx: 1\n", "p.yaml:2:1: no valid YAML: found character '\\t' that cannot start any token."),
        ("[" * 5000, "p.yaml:1:1: lists within lists without end; a file of providers is flat."),
        ("providers: &a [*a]\n", "p.yaml:1:12: a provider must be keys with values, and is a list."),
        ("providers:\n  - \x00\n", "p.yaml:2:5: a character that YAML does not allow; delete it."),
    ],
)
def test_an_error_names_the_place_and_what_would_be_right(text: str, error: str) -> None:
    with pytest.raises(ConfigError) as raised:
        read(text)
    said = str(raised.value)
    assert said.startswith(error)
    assert said.endswith((".", "?"))
    assert SECRET not in "".join(traceback.format_exception(raised.value))


def test_the_environment_has_the_last_word() -> None:
    text = ATTIC.replace("attic", "at-tic.2") + "    endpoint: http://192.0.2.20\n    authSecret: ${NOT_SET}\n"
    prefix = "PROVIDER_AT_TIC_2_"
    environment = {f"{prefix}ENDPOINT": "https://198.51.100.1:11434/", f"{prefix}API_KEY": SECRET}
    (found,) = read(text, **environment)
    assert (found.endpoint, found.key) == ("https://198.51.100.1:11434", SECRET)
    assert read(text, **environment, **{f"{prefix}ENABLED": "off"}) == ()
    off = text + "    enabled: false\n"
    assert read(off) == ()
    assert read(off, **environment, **{f"{prefix}ENABLED": "TRUE"}) == (found,)


@pytest.mark.parametrize(
    ("variable", "value", "error"),
    [
        ("ENABLED", "perhaps", "PROVIDER_ATTIC_ENABLED in the environment must be true or false."),
        ("ENDPOINT", SECRET, "the environment: PROVIDER_ATTIC_ENDPOINT must be a URL such as http://192.0.2.20:8000/v1."),
    ],
)
def test_a_variable_that_makes_no_sense_is_named(variable: str, value: str, error: str) -> None:
    with pytest.raises(ConfigError) as raised:
        read(ATTIC, **{f"PROVIDER_ATTIC_{variable}": value})
    assert str(raised.value) == error


def test_the_quick_form_numbers_what_comes_twice() -> None:
    texts = ["ollama", "vllm=http://localhost:8001", "ollama=http://192.0.2.20:11434"]
    found = quick_config(texts, {"PROVIDER_OLLAMA_2_API_KEY": SECRET})
    assert [(one.id, one.name, one.endpoint, one.key) for one in found] == [
        ("ollama", "Ollama", "http://localhost:11434", None),
        ("vllm", "vLLM", "http://localhost:8001/v1", None),
        ("ollama-2", "Ollama 2", "http://192.0.2.20:11434", SECRET),
    ]


@pytest.mark.parametrize(
    ("text", "error"),
    [
        ("olama", "--upstream: this is no type. Did you mean ollama?"),
        ("openai", "--upstream openai: a provider of type openai needs a key: set authSecret, or PROVIDER_OPENAI_API_KEY."),
        ("vllm=localhost", "--upstream vllm: the URL must be a URL such as http://192.0.2.20:8000/v1."),
    ],
)
def test_a_quick_form_that_makes_no_sense_says_so(text: str, error: str) -> None:
    with pytest.raises(ConfigError) as raised:
        quick_config([text], {})
    assert str(raised.value) == error


def test_ids_of_the_command_line_are_taken() -> None:
    with pytest.raises(ConfigError, match=r"p\.yaml:2:9: the id ollama is taken"):
        read_config(ATTIC.replace("attic", "ollama"), "p.yaml", {}, ["ollama"])
