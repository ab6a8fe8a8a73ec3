"""`portal:` and `cluster:` of a file: what is read, and what is refused with its place."""

from typing import Any

import jsonschema
import pytest
import yaml

from zeroconf_ai.config.document import ConfigError
from zeroconf_ai.config.file_schema import file_schema
from zeroconf_ai.config.portal_fields import AllowList, KeySettings
from zeroconf_ai.config.providers_file import read_config

SECRET = "0123456789abcdef0123456789abcdef"
PORTAL: dict[str, Any] = {
    "public_url": "https://AI.example.net/",
    "issuer": "https://gitlab.example.net/.well-known/openid-configuration",
    "client_id": "5f1c",
    "client_secret": "${PORTAL_SECRET}",
    "allow": {"groups": ["ai-users"], "domains": ["@Example.ORG"], "subjects": ["42"]},
    "keys": {
        "limit": 3,
        "models": ["qwen*"],
        "endpoints": ["chat"],
        "requestsPerMinute": 60,
        "monthly_budget": 5,
        "valid_days": 90,
    },
}


def _read(**sections: Any) -> Any:
    return read_config(yaml.safe_dump(sections), "serve.yaml", {"PORTAL_SECRET": "s3cr3t", "CLUSTER_SECRET": SECRET})


def test_portal_is_read() -> None:
    found = _read(portal=PORTAL).portal
    assert (found.public_url, found.issuer) == ("https://ai.example.net", "https://gitlab.example.net")
    assert found.client_secret == "s3cr3t"
    assert "s3cr3t" not in repr(found)
    assert found.allow == AllowList(frozenset({"42"}), frozenset({"ai-users"}), frozenset({"example.org"}))
    assert found.keys == KeySettings(3, ("qwen*",), ("chat",), valid_days=90, requests_per_minute=60, monthly_budget=5.0)
    jsonschema.validate({"portal": PORTAL, "cluster": {"url": "http://10.0.0.7:8000", "secret": SECRET}}, file_schema())


@pytest.mark.parametrize("url", ["http://127.0.0.1:8000", "http://localhost:8000", "http://[::1]:8000"])
def test_this_machine_may_do_without_tls(url: str) -> None:
    assert _read(portal={**PORTAL, "public_url": url, "issuer": url}).portal.public_url == url


@pytest.mark.parametrize(
    ("changes", "error"),
    [
        ({"allow": None}, "the portal needs `allow:`"),
        ({"allow": {}}, "the portal does not let in everybody"),
        ({"allow": {"groups": []}}, "groups is empty"),
        ({"allow": {"groups": [""]}}, "empty"),
        ({"allow": {"everybody": ["x"]}}, "everybody is unknown"),
        ({"allow": {"domains": ["*"]}}, "a domain must be"),
        ({"allow": {"domains": ["example"]}}, "a domain must be"),
        ({"allow": {"subjects": [42]}}, "put it in quotes"),
        ({"issuer": None}, "the portal needs `issuer:`"),
        ({"issuer": "http://gitlab.example.net"}, "issuer must begin with https://"),
        ({"issuer": "gitlab.example.net"}, "issuer must be a URL"),
        ({"issuer": "https://user:pass@gitlab.example.net"}, "issuer must be a URL"),
        ({"public_url": "http://ai.example.net"}, "public_url must begin with https://"),
        ({"public_url": "https://ai.example.net/ai"}, "public_url must have no path"),
        ({"public_url": "https://ai.example.net?x=1"}, "public_url must be a URL"),
        ({"public_url": "javascript:alert(1)"}, "public_url must be a URL"),
        ({"client_secret": "${MISSING}"}, "the variable MISSING is not set"),
        ({"client_secret_file": "secret.txt"}, "keep one of them"),
        ({"scopes": ["profile"]}, "one of them openid"),
        ({"scopes": ["openid profile"]}, "words without spaces"),
        ({"keys": {"limit": 0}}, "limit must be a whole number from 1"),
        ({"keys": {"endpoints": ["admin"]}}, "an endpoint is not known"),
        ({"keys": {"monthly_budget": -1}}, "monthly_budget must be a number"),
        ({"keys": {"hosted_tools": ["web_search"]}}, "hosted_tools is unknown"),
    ],
)
def test_portal_that_is_not_safe_or_not_complete_is_refused(changes: dict[str, Any], error: str) -> None:
    portal = {key: value for key, value in {**PORTAL, **changes}.items() if value is not None}
    with pytest.raises(ConfigError, match=r"^serve\.yaml:\d+:\d+: ") as found:
        _read(portal=portal)
    assert error in str(found.value)
    assert "s3cr3t" not in str(found.value)


@pytest.mark.parametrize(
    ("cluster", "error"),
    [
        ({"url": "http://10.0.0.7:8000"}, "the cluster needs `secret:`"),
        ({"secret": SECRET}, "the cluster needs `url:`"),
        ({"url": "10.0.0.7:8000", "secret": SECRET}, "url must be where the other brokers"),
        ({"url": "http://10.0.0.7:8000/v1", "secret": SECRET}, "url must be where the other brokers"),
        ({"url": "http://10.0.0.7:8000", "secret": "short"}, "at least 32 characters"),
        ({"url": "http://10.0.0.7:8000", "secret": "${MISSING}"}, "the variable MISSING is not set"),
    ],
)
def test_cluster_that_is_not_complete_is_refused(cluster: dict[str, Any], error: str) -> None:
    with pytest.raises(ConfigError, match=error) as found:
        _read(cluster=cluster)
    assert "short" not in str(found.value)


def test_cluster_is_read_without_showing_its_secret() -> None:
    found = _read(cluster={"url": "http://10.0.0.7:8000/", "secret": "${CLUSTER_SECRET}"}).cluster
    assert (found.url, found.secret) == ("http://10.0.0.7:8000", SECRET)
    assert SECRET not in repr(found)
