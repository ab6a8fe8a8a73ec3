"""The TXT record, in both dialects, whatever the network sends."""

from collections.abc import Mapping
from dataclasses import replace
from ipaddress import ip_address
from typing import Any
import unicodedata

from hypothesis import given, strategies as st
import pytest

from zeroconf_ai.protocol.record import (
    DEFAULT_CAPABILITIES,
    DEFAULT_PRIORITY,
    MAX_STRING,
    MAX_TXT,
    SATURN_TYPE,
    SERVICE_TYPE,
    SERVICE_TYPES,
    Auth,
    Capability,
    Cost,
    Load,
    Placement,
    RecordError,
    ServiceRecord,
    VersionError,
)

ID = "5b1f6f0e-2f7c-4f59-9c1c-1f0d8f7f8a11"


def read(txt: Mapping[str, str | None], **where: Any) -> ServiceRecord:
    """The record of `txt` at an ordinary place."""
    place: dict[str, Any] = {"name": "Attic", "host": "attic.local.", "port": 8000, "addresses": ["192.168.1.5"]}
    return ServiceRecord.from_txt(txt, **(place | where))


def size(txt: Mapping[str, str]) -> int:
    """Bytes on the wire: each string is preceded by its length."""
    return sum(1 + len(f"{key}={value}".encode()) for key, value in txt.items())


names = st.text(
    st.characters(min_codepoint=33, max_codepoint=0x2FF, exclude_characters=",", categories=["L", "N", "P", "S"]), min_size=1
)
records = st.builds(
    ServiceRecord,
    name=st.just("Attic"),
    host=st.just("attic.local."),
    port=st.integers(1, 65535),
    id=st.uuids().map(str),
    models=st.lists(names.map(lambda name: name[:40]), unique=True, max_size=60).map(tuple),
    provider=st.sampled_from(["openai", "ollama", "vllm", "custom"]),
    capabilities=st.frozensets(st.sampled_from(Capability), min_size=1),
    auth=st.sampled_from(Auth),
    priority=st.integers(0, 65535),
    cost=st.sampled_from([Cost.FREE, Cost.METERED, Cost.SUBSCRIPTION]),
    placement=st.sampled_from([Placement.LOCAL, Placement.PROXY]),
    admin=st.none() | names.map(lambda name: name[:100]),
    tls=st.booleans(),
    fingerprint=st.none() | st.just("A" * 43),
    sealed_token=st.none() | st.just("s" * 200),
    context_window=st.none() | st.integers(1, 10**8),
)


@given(records)
def test_record_serialized_is_parsed_back(record: ServiceRecord) -> None:
    found = ServiceRecord.from_txt(record.to_txt(), name=record.name, host=record.host, port=record.port)
    assert record.models[: len(found.models)] == found.models
    assert found.models_truncated == (len(found.models) < len(record.models))
    assert replace(found, models=(), models_truncated=False) == replace(record, models=())


@given(records)
def test_record_for_saturn_is_parsed_back(record: ServiceRecord) -> None:
    txt = record.to_saturn_txt()
    found = ServiceRecord.from_txt(txt, name=record.name, host=record.host, port=record.port, service_type=SATURN_TYPE)
    assert record.models[: len(found.models)] == found.models
    assert (found.id, found.capabilities, found.priority, found.placement) == (
        record.id,
        record.capabilities,
        record.priority,
        record.placement,
    )
    assert (found.cost is Cost.FREE) == (record.cost is Cost.FREE)
    assert txt["deployment"] in ("local", "network")
    assert txt["cost"] in ("free", "paid", "unknown")


@given(records)
def test_record_of_any_content_fits_the_maximum_size(record: ServiceRecord) -> None:
    for txt in (record.to_txt(), record.to_saturn_txt()):
        assert all(len(f"{key}={value}".encode()) <= MAX_STRING for key, value in txt.items())
        assert size(txt) <= MAX_TXT


def test_record_with_many_models_is_truncated_and_marked() -> None:
    record = ServiceRecord("Attic", "attic.local.", 8000, id=ID, models=tuple(f"model-number-{n:03}" for n in range(200)))
    txt = record.to_txt()
    assert txt["mtrunc"] == "1"
    assert txt["models"].split(",") == list(record.models[: len(txt["models"].split(","))])
    assert MAX_STRING - len("models=") - len(",model-number-000") < len(txt["models"]) <= MAX_STRING - len("models=")


def test_record_with_a_truncated_list_stays_marked() -> None:
    assert read({"models": "a,b", "mtrunc": "1"}).to_txt()["mtrunc"] == "1"


@pytest.mark.parametrize("field", ["admin", "sealed_token", "fingerprint"])
def test_record_value_too_long_is_refused_by_name(field: str) -> None:
    long: dict[str, Any] = {field: "ä" * 130}
    record = ServiceRecord("Attic", "attic.local.", 8000, id=ID, **long)
    with pytest.raises(RecordError, match="255 bytes"):
        record.to_txt()


def test_record_strings_too_long_together_are_refused() -> None:
    long = "x" * 240
    record = ServiceRecord("Attic", "a.local.", 1, id=long, provider=long, fingerprint=long, sealed_token=long, admin=long)
    with pytest.raises(RecordError, match=str(MAX_TXT)):
        record.to_txt()


KEYS = (
    "version v id ID models provider api capabilities features auth priority cost backend deployment admin tls fp tok api_base "
    "ephemeral_key context mtrunc unknown"
)
keys = st.sampled_from(KEYS.split())
hostile = (
    st.text()
    | st.binary().map(lambda raw: raw.decode(errors="replace"))
    | st.binary().map(lambda raw: raw.decode("latin-1"))
    | st.text().map(lambda text: f"https://{text}")
    | st.sampled_from(["1.0", "2.0", "http://[::1", "https://a:99999/", "٣", "²", "9" * 5000, "\ud800", "a," * 200])
)


places = st.fixed_dictionaries(
    {
        "name": hostile,
        "host": hostile,
        "port": st.integers(1, 65535) | st.integers() | st.none(),
        "addresses": st.lists(st.ip_addresses(), max_size=3) | st.lists(hostile | st.ip_addresses(), max_size=3),
        "service_type": st.sampled_from([*SERVICE_TYPES, ""]),
    }
)


@given(st.dictionaries(keys | st.text(), st.none() | hostile), places)
def test_record_of_any_txt_raises_only_record_errors(txt: dict[str, str | None], where: dict[str, Any]) -> None:
    try:
        record = read(txt, **where)
    except RecordError:
        return
    shown = (record.name, record.id, record.host, *record.models, record.provider, record.admin or "", record.version)
    assert all(unicodedata.category(char) not in ("Cc", "Cf", "Cs") for text in shown for char in text)
    assert all(len(text) <= MAX_STRING for text in shown)
    assert 0 <= record.priority <= 65535
    assert record.id
    record.base_urls()
    try:
        record.to_txt()
    except RecordError as err:
        assert "bytes" in str(err)  # noqa: PT017 - most examples do not raise


def test_record_control_and_direction_characters_are_removed() -> None:
    record = read({"admin": "a\x00b\x1b[31m\u202ec\u2066d\u200f", "models": "one\r\n,t\u200bwo"}, name="At\u202etic\n")
    assert (record.admin, record.models, record.name) == ("ab[31mcd", ("one", "two"), "Attic")


def test_record_long_values_are_truncated() -> None:
    record = read({"admin": "x" * 10_000, "id": "y" * 10_000, "provider": "z" * 10_000}, name="n" * 10_000)
    assert (len(record.admin or ""), len(record.id), len(record.provider), len(record.name)) == (255, 64, 32, 63)


def test_record_of_two_keys_that_differ_in_case_uses_the_first() -> None:
    """RFC 6763, 6.4."""
    assert read({"Cost": "metered", "cost": "free", "COST": "subscription"}).cost is Cost.METERED


def test_record_keys_of_any_case_are_parsed_and_unknown_ones_ignored() -> None:
    assert read({"PRIORITY": "7", "colour": "red"}).priority == 7


def test_record_empty_has_the_protocols_defaults() -> None:
    record = read({})
    assert record.version == "1.0"
    assert record.capabilities == DEFAULT_CAPABILITIES
    assert not record.capabilities_stated
    assert (record.auth, record.cost, record.placement, record.provider) == (Auth.NONE, Cost.FREE, Placement.LOCAL, "custom")
    assert record.priority == DEFAULT_PRIORITY
    assert record.models == ()
    assert not record.tls


def test_record_without_id_gets_a_stable_derived_id() -> None:
    one, again, other = read({}), read({"models": "new"}, addresses=["10.0.0.1"]), read({}, name="Cellar")
    assert one.id_derived
    assert one.id == again.id != other.id
    assert not read({"id": ID}).id_derived


@pytest.mark.parametrize("value", [None, "", "\x00", "   "])
def test_record_empty_value_counts_as_missing(value: str | None) -> None:
    record = read({"id": value, "cost": value, "version": value})
    assert record.id_derived
    assert record.cost is Cost.FREE


@pytest.mark.parametrize(
    ("version", "service_type", "accepted"),
    [
        ("1.0", SERVICE_TYPE, True),
        ("1", SERVICE_TYPE, True),
        ("1.99", SERVICE_TYPE, True),
        ("2.0", SERVICE_TYPE, False),
        ("0.9", SERVICE_TYPE, False),
        ("x", SERVICE_TYPE, False),
        ("-1", SERVICE_TYPE, False),
        ("1.0", SATURN_TYPE, True),
        ("2", SATURN_TYPE, True),
        ("2.0", SATURN_TYPE, True),
        ("3", SATURN_TYPE, False),
    ],
)
def test_record_unknown_major_version_is_refused_and_any_minor_accepted(version: str, service_type: str, accepted: bool) -> None:
    if accepted:
        assert read({"version": version}, service_type=service_type).version == version
        return
    with pytest.raises(VersionError):
        read({"version": version}, service_type=service_type)


@pytest.mark.parametrize("service_type", [SERVICE_TYPE, SATURN_TYPE])
@pytest.mark.parametrize("version", ["1.0", "2.0", "v2"])
def test_record_of_the_original_project_is_accepted_in_both_versions(service_type: str, version: str) -> None:
    txt = {"version": version, "api": "OpenRouter", "features": "multimodal,auto-routing,full-catalog", "priority": "50"}
    record = read(txt, service_type=service_type)
    assert (record.provider, record.priority, record.id_derived, record.auth) == ("openrouter", 50, True, Auth.NONE)
    with pytest.raises(VersionError):
        read(txt | {"version": "3.0"}, service_type=service_type)


@pytest.mark.parametrize(
    ("value", "auth"),
    [
        *(
            (word, Auth.TOKEN)
            for word in ("token", "TOKEN", "bearer", "api_key", "oauth2", "basic", "required", "true", "1", "?")
        ),
        *((word, Auth.NONE) for word in ("none", "None", "no", "false", "0", "off", "open", "", None)),
        ("mTLS", Auth.MTLS),
    ],
)
def test_record_unknown_authentication_needs_a_key(value: str | None, auth: Auth) -> None:
    assert read({"auth": value}).auth is auth


@pytest.mark.parametrize(
    ("txt", "field", "expected"),
    [
        ({"cost": "premium"}, "cost", Cost.UNKNOWN),
        ({"cost": "Metered"}, "cost", Cost.METERED),
        ({"cost": "PAID"}, "cost", Cost.METERED),
        ({"backend": "satellite"}, "placement", Placement.PROXY),
        ({"backend": "LOCAL"}, "placement", Placement.LOCAL),
        ({"deployment": "edge"}, "placement", Placement.PROXY),
        ({"deployment": "Local"}, "placement", Placement.LOCAL),
        ({"tls": "true"}, "tls", True),
        ({"tls": "1.3"}, "tls", True),
        ({"tls": "false"}, "tls", False),
        ({"tls": ""}, "tls", False),
        ({"mtrunc": "true"}, "models_truncated", True),
        ({"mtrunc": "0"}, "models_truncated", False),
        ({"load": "melting"}, "load", None),
        ({"capabilities": "teleport"}, "capabilities", DEFAULT_CAPABILITIES),
    ],
)
def test_record_unknown_word_is_read_carefully(txt: dict[str, str], field: str, expected: object) -> None:
    assert getattr(read(txt), field) == expected


@pytest.mark.parametrize("port", [None, 0, -1, 65536, 10**9])
def test_record_invalid_port_is_refused(port: int | None) -> None:
    with pytest.raises(RecordError):
        read({}, port=port)


@pytest.mark.parametrize(
    ("txt", "srv", "priority"),
    [
        ({}, 0, 100),
        ({}, 30, 30),
        ({"priority": "7"}, 30, 7),
        ({"priority": "0"}, 30, 0),
        ({"priority": "99999999"}, 0, 65535),
        *(({"priority": bad}, 0, 100) for bad in ("-1", "1.5", "high", "0x10")),
    ],
)
def test_record_priority_is_from_txt_else_srv(txt: dict[str, str], srv: int, priority: int) -> None:
    assert read(txt, srv_priority=srv).priority == priority


def test_record_of_saturn_is_parsed() -> None:
    record = read(
        {
            "v": "2",
            "id": ID,
            "deployment": "network",
            "api_type": "openai",
            "features": "network_proxy,vision,function_calling",
            "cost": "paid",
            "context": "128000",
            "mtrunc": "1",
            "ephemeral_key": "sk-short-lived-canary",
        },
        service_type=SATURN_TYPE,
    )
    assert (record.provider, record.placement) == ("openai", Placement.PROXY)
    assert record.capabilities == {Capability.VISION, Capability.TOOLS}
    assert (record.cost, record.context_window, record.models_truncated) == (Cost.METERED, 128_000, True)
    assert record.ephemeral_key == "sk-short-lived-canary"


def test_record_of_a_saturn_node_with_several_providers_has_separate_ids() -> None:
    """Its `id` is the machine's: the same one is advertised with each of its services."""
    txt = {"v": "2", "id": ID}
    first, second = (read(txt, service_type=SATURN_TYPE, name=name) for name in ("ollama", "openrouter"))
    assert ID not in (first.id, second.id)
    assert first.id != second.id
    assert first.id == read(txt, service_type=SATURN_TYPE, name="ollama", port=9999).id
    ours = read({"id": ID, "version": "1.0"}, service_type=SATURN_TYPE)
    assert ours.id == ID, "a provider of ours under Saturn's service type stays who it is"


@pytest.mark.parametrize("txt", [{"capabilities": "chat"}, {"features": "network_proxy,ephemeral_auth"}])
def test_record_features_without_capabilities_count_as_unstated(txt: dict[str, str]) -> None:
    record = read(txt, service_type=SATURN_TYPE)
    assert record.capabilities == DEFAULT_CAPABILITIES - (set() if "features" in txt else {Capability.STREAMING})
    assert not record.capabilities_stated


def test_record_repr_contains_no_secret() -> None:
    record = read({"tok": "canary-sealed", "ephemeral_key": "canary-key"})
    assert "canary" not in repr(record)
    assert (record.sealed_token, record.ephemeral_key) == ("canary-sealed", "canary-key")


def test_record_ephemeral_key_is_never_advertised() -> None:
    record = read({"ephemeral_key": "canary-key", "api_base": "https://api.example.com/v1"})
    assert "canary" not in str(record.to_txt() | record.to_saturn_txt())


def test_record_addresses_start_with_reachable_ipv4() -> None:
    found = read(
        {}, addresses=["127.0.0.1", "fe80::1%2", "fd00::5", "169.254.1.1", "192.168.1.5", "0.0.0.0", "224.0.0.1"]
    ).addresses
    assert [str(address) for address in found] == ["192.168.1.5", "fd00::5", "169.254.1.1", "fe80::1%2", "127.0.0.1"]


@pytest.mark.parametrize(
    ("txt", "addresses", "url"),
    [
        ({}, ["192.168.1.5"], "http://192.168.1.5:8000/v1"),
        ({"tls": "1"}, ["192.168.1.5"], "https://192.168.1.5:8000/v1"),
        ({}, ["fd00::5"], "http://[fd00::5]:8000/v1"),
        ({}, [], "http://attic.local:8000/v1"),
    ],
)
def test_record_base_url_uses_its_address(txt: dict[str, str], addresses: list[str], url: str) -> None:
    assert read(txt, addresses=addresses).base_url() == url


def test_record_invalid_address_is_refused() -> None:
    with pytest.raises(RecordError, match="address"):
        read({}, addresses=["not-an-address"])


def test_record_parsed_addresses_are_accepted() -> None:
    assert read({}, addresses=[ip_address("192.168.1.9")]).base_url() == "http://192.168.1.9:8000/v1"


@pytest.mark.parametrize(("told", "load"), [("idle", Load.IDLE), ("FULL", Load.FULL), ("asleep", None), ("", None), (None, None)])
def test_record_load_is_optional(told: str | None, load: Load | None) -> None:
    assert read({"load": told}).load is load


def test_record_load_is_serialized_in_both_formats() -> None:
    record = replace(read({"id": ID}), load=Load.BUSY)
    assert record.to_txt()["load"] == record.to_saturn_txt()["load"] == "busy"
    assert "load" not in replace(record, load=None).to_txt()


@pytest.mark.parametrize(
    "host", ["localhost.", "127.0.0.1", "0x7f.1", "router.lan.", "evil.example.", "127.0.0.1:22/x#.local.", ""]
)
def test_record_without_address_and_local_host_name_is_refused(host: str) -> None:
    with pytest.raises(RecordError):
        read({}, host=host, addresses=[])


@pytest.mark.parametrize("host", ["attic.local.", "gpu_box.attic.local", "büro.local."])
def test_record_without_address_but_local_host_name_is_accepted(host: str) -> None:
    assert read({}, host=host, addresses=[]).base_url() == f"http://{host.rstrip('.')}:8000/v1"
