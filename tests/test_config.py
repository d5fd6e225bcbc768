"""The configuration: what is accepted, what it means, and that every fault is named with its place."""

import re
import tempfile
from dataclasses import replace
from pathlib import Path

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st
from llmcache.addresses import Tls, parse_url
from llmcache.config import (
    KEY_PATH,
    STREAM_VALUE_PATH,
    TOOL_CALLS_PATH,
    VALUE_PATH,
    Config,
    ConfigError,
    Scope,
    known_settings,
    load,
)
from llmcache.gjson import compile_path
from llmcache.isolation import Namespace
from llmcache.templates import DEFAULT_JSON, DEFAULT_STREAM, compile_json, compile_stream

SHIPPED = Path(__file__).parent.parent / "config.yaml"
NAMES = sorted(
    {part for name in known_settings() for part in name.split(".")} | {"redis", "Dash", "spec", "requestBody"}
)
REDIS = "cache: {type: redis, serviceName: redis.dns}\n"
VECTOR = "vector: {type: qdrant, serviceName: q.dns, collectionID: c, threshold: 0.9, thresholdRelation: gt}\n"
EMBEDDING = "embedding: {type: ollama, serviceName: o.dns}\n"


@pytest.fixture
def read(tmp_path):
    """Load a configuration from a text."""

    def from_text(text, overrides=None, **options):
        file = tmp_path / "c.yaml"
        file.write_bytes(text if isinstance(text, bytes) else text.encode())
        return load(str(file), overrides or {}, **options)

    return from_text


@pytest.fixture
def problems(read):
    """Load a configuration that must be wrong and return its problems, the folder cut off."""

    def from_text(text, overrides=None, **options):
        with pytest.raises(ConfigError) as caught:
            read(text, overrides, **options)
        return [re.sub(r"^/\S*/c\.yaml", "c.yaml", problem) for problem in caught.value.problems]

    return from_text


# ---- defaults


def test_shipped_file_is_the_defaults():
    """The shipped file loads without warnings, and says the same as no file at all."""
    assert Config() == load(str(SHIPPED)) == load(None) == load("")


def test_shipped_file_is_complete():
    """Every setting stands in the shipped file; those of optional blocks in a comment."""
    written = set(re.findall(r"^[# ]*(\w+):", SHIPPED.read_text(), re.MULTILINE))
    assert {name for name in known_settings() if name.rpartition(".")[2] not in written} == set()


@pytest.mark.parametrize("text", ["", "# nothing\n", "---\n", "~\n", "\ufeff", "cache:\nmatch:\nmode:\n", "{}"])
def test_nothing_means_defaults(read, text):
    """A4: an empty file, and settings without a value, mean the defaults, the cache in SQLite among them."""
    assert Config() == read(text)


def test_empty_strings_mean_defaults(read):
    """An empty path, template, word or number means its default, as in Higress."""
    names = ("mode", "cacheKeyStrategy", "cacheKeyFrom", "cacheValueFrom", "responseTemplate", "streamResponseTemplate")
    assert Config() == read("".join(f'{name}: ""\n' for name in names) + 'cache: {path: "", cacheTTL: ""}')


def test_default_paths():
    """The paths are Higress', except the one for tool calls, which is wrong there."""
    config = Config()
    expected = [KEY_PATH, VALUE_PATH, STREAM_VALUE_PATH, TOOL_CALLS_PATH]
    fields = [
        config.cache_key_from,
        config.cache_value_from,
        config.cache_stream_value_from,
        config.cache_tool_calls_from,
    ]
    assert expected == [query.path for query in fields]
    assert TOOL_CALLS_PATH == "choices.0.delta.tool_calls"


def test_default_store_is_in_the_users_cache_folder(monkeypatch):
    """The database is where the XDG base directory specification puts caches."""
    monkeypatch.setenv("XDG_CACHE_HOME", "/x")
    assert Path("/x/aicache/cache.db") == Config().cache.path
    monkeypatch.delenv("XDG_CACHE_HOME")
    monkeypatch.setenv("HOME", "/home/u")
    assert Path("/home/u/.cache/aicache/cache.db") == load(None).cache.path


# ---- values


def value(config, name):
    """Follow a dotted name through the dataclasses."""
    for part in name.split("."):
        config = getattr(config, part)
    return config


@pytest.mark.parametrize(
    ("text", "name", "expected"),
    [
        pytest.param("mode: off", "mode", "off", id="off-is-a-word"),
        pytest.param("mode: 'replay'", "mode", "replay", id="quoted"),
        pytest.param("scope: shared", "scope", Scope("shared"), id="scope-word"),
        pytest.param("scope: {mode: shared, secret: s}", "scope", Scope("shared", "s"), id="scope-block"),
        pytest.param("scope: {secret: 0123}", "scope", Scope("credential", "0123"), id="secret-as-written"),
        pytest.param("namespace: no", "namespace.name", "no", id="namespace-that-yaml-reads-as-false"),
        pytest.param("namespace: 2026-01-01", "namespace.name", "2026-01-01", id="namespace-that-yaml-reads-as-date"),
        pytest.param(
            "namespace: {name: a, hosts: {API.x.com: b, '*.y': c}, header: no}",
            "namespace",
            Namespace("a", (("api.x.com", "b"), ("*.y", "c")), header=False),
            id="namespace-block",
        ),
        pytest.param("match: {hosts: [API.x.com, '*.y']}", "match.hosts", ("api.x.com", "*.y"), id="hosts"),
        pytest.param("match: {hosts: api.x.com}", "match.hosts", ("api.x.com",), id="one-host"),
        pytest.param("cache: {type: memory}", "cache.type", "memory", id="memory"),
        pytest.param("cache: {path: ~/a/$V.db}", "cache.path", Path("/home/u/a/v.db"), id="path-expanded"),
        pytest.param("cache: {path: '${V}.db'}", "cache.path", Path("v.db"), id="path-braces"),
        pytest.param('cache: {cacheTTL: "3600"}', "cache.ttl", 3600, id="A6-number-in-quotes"),
        pytest.param("cache: {cacheTTL: 3600.0}", "cache.ttl", 3600, id="whole-float"),
        pytest.param("cache: {cacheTTL: 010}", "cache.ttl", 10, id="no-octal"),
        pytest.param('cache: {cacheKeyPrefix: ""}', "cache.key_prefix", "", id="A15-empty-prefix"),
        pytest.param("cache: {maxEntries: 5}", "cache.max_entries", 5, id="max-entries"),
        pytest.param("cache: {maxBytes: 12345}", "cache.max_bytes", 12345, id="bytes"),
        pytest.param("cache: {maxBytes: 9007199254740993}", "cache.max_bytes", 2**53 + 1, id="bytes-exact"),
        pytest.param("cache: {maxBytes: 1.1kB}", "cache.max_bytes", 1100, id="kB"),
        pytest.param("cache: {maxBytes: 2 MiB}", "cache.max_bytes", 2 * 2**20, id="MiB"),
        pytest.param("cache: {maxBytes: 3GiB}", "cache.max_bytes", 3 * 2**30, id="GiB"),
        pytest.param("cache: {eviction: lfu}", "cache.eviction", "lfu", id="eviction"),
        pytest.param("limits: {maxBody: 1MB}", "limits.max_body", 10**6, id="max-body"),
        pytest.param("limits: {maxRequest: 1MB}", "limits.max_request", 10**6, id="max-request"),
        pytest.param("deadlines: {store: 20}", "deadlines.store", 20, id="milliseconds"),
        pytest.param("deadlines: {store: 70ms}", "deadlines.store", 70, id="ms"),
        pytest.param("deadlines: {store: 1.5s}", "deadlines.store", 1500, id="seconds"),
        pytest.param(
            "cache: {cacheTTL: 9, staleIfError: 9}\ndeadlines: {staleIfError: 5s}",
            "deadlines.stale_if_error",
            5000,
            id="stale-deadline",
        ),
        pytest.param("admit: {truncated: true}", "admit.truncated", True, id="truncated"),
        pytest.param("admit: {finishReasons: [length]}", "admit.finish_reasons", frozenset(["length"]), id="admit"),
        pytest.param("cacheKeyStrategy: allQuestions", "cache_key_strategy", "allQuestions", id="strategy"),
        pytest.param("cacheKeyFrom: a.b", "cache_key_from.path", "a.b", id="path"),
        pytest.param("cacheKeyFrom: a.b", "explicit", frozenset(["cacheKeyFrom"]), id="explicit"),
        pytest.param("a: &x 1\n".replace("a", "namespace") + "mode: off", "namespace.name", "1", id="anchor"),
        pytest.param("responseTemplate: '\"%s\"'", "response_template", compile_json('"%s"'), id="template"),
        pytest.param(
            'streamResponseTemplate: |\n  data: "%s"',
            "stream_response_template",
            compile_stream('data: "%s"'),
            id="stream",
        ),
        pytest.param(REDIS, "cache.type", "redis", id="A1-type"),
        pytest.param(REDIS, "cache_key_strategy", "lastQuestion", id="A1-strategy"),
        pytest.param(REDIS, "cache.key_prefix", "higress-ai-cache:", id="A1-prefix"),
        pytest.param(REDIS, "cache.ttl", 0, id="A1-ttl"),
        pytest.param(REDIS, "cache.service_port", 6379, id="A1-port"),
        pytest.param(REDIS, "cache.timeout", 10000, id="A1-timeout"),
        pytest.param(REDIS.replace(".dns", ".static"), "cache.service_port", 80, id="A2-static"),
        pytest.param(
            "cache: {type: redis, serviceName: x.static, servicePort: 1}", "cache.service_port", 1, id="A2-port-given"
        ),
        pytest.param("cache: {type: redis, serviceName: x, timeout: 0}", "cache.timeout", 0, id="timeout-0-stays"),
        pytest.param("cache: {type: redis, serviceName: x, database: '3'}", "cache.database", 3, id="database"),
        pytest.param("compat: higress\n" + REDIS, "response_template", compile_json(DEFAULT_JSON), id="compat-json"),
        pytest.param(
            "compat: higress\n" + REDIS, "stream_response_template", compile_stream(DEFAULT_STREAM), id="compat-stream"
        ),
    ],
)
def test_value(read, monkeypatch, text, name, expected):
    """A setting is read as documented, leniently where Higress is."""
    monkeypatch.setenv("HOME", "/home/u")
    monkeypatch.setenv("V", "v")
    config = read(text)
    assert [warning for warning in config.warnings if "Higress' gateway" not in warning] == []
    assert expected == value(config, name)


@pytest.mark.parametrize("written", ['"true"', "1", "on", "true"])
def test_flag(read, written):
    """A flag is read as Higress reads it, in quotes or as a number too."""
    assert read(f"enableSemanticCache: {written}").enable_semantic_cache is True


def test_credentials_are_not_shown(read):
    """The repr of a configuration, which may end in a log, holds no credential."""
    config = read(
        "scope: {secret: hush1}\ncache: {type: redis, serviceName: r, password: hush2}\n"
        + VECTOR.replace("{", "{apiKey: hush3, ")
        + EMBEDDING.replace("{", "{apiKey: hush4, ")
    )
    assert (config.scope.secret, config.cache.password) == ("hush1", "hush2")
    assert "hush" not in repr(config)


# ---- problems


@pytest.mark.parametrize(
    ("text", "place", "parts"),
    [
        pytest.param(
            "cacheKeyStrategy: foo", "1: cacheKeyStrategy", ["`foo`", "lastQuestion, allQuestions, disabled"], id="A3"
        ),
        pytest.param("compat: higress", "1: compat", ["cache, vector or embedding"], id="A4-compat"),
        pytest.param("cache:\n  cacheTTL: -1", "2: cache.cacheTTL", ["-1", "0 and more"], id="A5"),
        pytest.param("mode: cach", "1: mode", ["cache, record, replay, off", "did you mean `cache`?"], id="near-word"),
        pytest.param("mode: CACHE", "1: mode", ["did you mean `cache`?"], id="capitals"),
        pytest.param("mode: [off]", "1: mode", ["a list where text"], id="list-for-word"),
        pytest.param(
            "moode: off",
            "1: moode",
            ["no setting", "legal settings here: admit, cache,", ", embedding, ", "did you mean `mode`?"],
            id="unknown-key",
        ),
        pytest.param(
            "\ncache:\n  ttl: 5", "3: cache.ttl", ["no setting", "did you mean `cacheTTL`?"], id="unknown-inside"
        ),
        pytest.param("scope: {mod: shared}", "1: scope.mod", ["did you mean `mode`?"], id="unknown-in-scope"),
        pytest.param("scope: all", "1: scope", ["credential, shared"], id="scope"),
        pytest.param("scope: {mode: all}", "1: scope.mode", ["credential, shared"], id="scope-mode"),
        pytest.param("cache: sqlite", "1: cache", ["a single value where a block"], id="block-expected"),
        pytest.param("cache: [sqlite]", "1: cache", ["a list where a block"], id="block-expected-list"),
        pytest.param("cache: {cacheTTL: soon}", "1: cache.cacheTTL", ["`soon` is no whole number"], id="int-as-word"),
        pytest.param("cache: {cacheTTL: 1.5}", "1: cache.cacheTTL", ["no whole number"], id="fraction"),
        pytest.param("cache: {cacheTTL: true}", "1: cache.cacheTTL", ["no whole number"], id="int-as-bool"),
        pytest.param(f"cache: {{cacheTTL: {'9' * 30}}}", "1: cache.cacheTTL", ["out of range"], id="int-too-big"),
        pytest.param(f"cache: {{cacheTTL: {'9' * 9999}}}", "1: cache.cacheTTL", ["no whole number"], id="int-endless"),
        pytest.param("cache: {maxBytes: 4XB}", "1: cache.maxBytes", ["`4XB`", "GiB"], id="size-unit"),
        pytest.param("cache: {maxBytes: 0}", "1: cache.maxBytes", ["1 and more"], id="size-zero"),
        pytest.param("cache: {maxEntries: 0}", "1: cache.maxEntries", ["1 and more"], id="no-entries"),
        pytest.param("cache: {eviction: lur}", "1: cache.eviction", ["lru, lfu, fifo", "`lru`"], id="eviction"),
        pytest.param("cache: {path: $NO_SUCH/x}", "1: cache.path", ["`$NO_SUCH`"], id="unset-variable"),
        pytest.param(
            "compat: higress\ncache: {encrypt: true}",
            "2: cache.encrypt",
            ["compat: higress", "remove one"],
            id="sealed",
        ),
        pytest.param(
            "compat: higress\nnamespace: a\ncache: {type: memory}", "2: namespace", ["only the question"], id="named"
        ),
        pytest.param(
            "cache: {type: cassette, cacheTTL: 5, staleIfError: 5}",
            "1: cache.staleIfError",
            ["grow old"],
            id="cassette-stale",
        ),
        pytest.param("namespace: {hosts: [a]}", "1: namespace.hosts", ["no block"], id="hosts-as-list"),
        pytest.param("namespace: {hosts: {a.b: ''}}", "1: namespace.hosts", ["`a.b` has no namespace"], id="no-name"),
        pytest.param("cache: {path: [x]}", "1: cache.path", ["a list where text"], id="path-as-list"),
        pytest.param('cache: {path: "a\\0b"}', "1: cache.path", ["null byte"], id="path-null-byte"),
        pytest.param("cache: {servicePort: 70000}", "1: cache.servicePort", ["1 to 65535"], id="port"),
        pytest.param("cache: {type: redis}", "1: cache.serviceName", ["missing"], id="redis-without-address"),
        pytest.param("deadlines: {store: 5min}", "1: deadlines.store", ["`5min`", "ms or s"], id="time-unit"),
        pytest.param("deadlines: {store: 0}", "1: deadlines.store", ["1 and more"], id="time-zero"),
        pytest.param("enableSemanticCache: maybe", "1: enableSemanticCache", ["true, false"], id="flag"),
        pytest.param("match: {hosts: ['https://a.b/v1']}", "1: match.hosts", ["bare name", "`a.b`"], id="host-as-url"),
        pytest.param(
            "match: {hosts: [{a: b}]}", "1: match.hosts", ["block of settings where text"], id="host-as-block"
        ),
        pytest.param("match: {hosts: ['']}", "1: match.hosts", ["no host"], id="host-empty"),
        pytest.param("scope:\nmode: off\nmode: off", "3: mode", ["written twice", "line 2"], id="duplicate"),
        pytest.param(
            "cache:\n  path: a\n  path: b", "3: cache.path", ["written twice", "line 2"], id="duplicate-inside"
        ),
        pytest.param("\ncacheKeyFrom: 'a.#(b'", "2: cacheKeyFrom", [], id="bad-path"),
        pytest.param("cacheKeyFrom: [a]", "1: cacheKeyFrom", ["a list where text"], id="path-list"),
        pytest.param("cacheValueFrom: {body: a}", "1: cacheValueFrom", ["GJSON path"], id="path-unknown-object"),
        pytest.param("cacheValueFrom: {}", "1: cacheValueFrom", ["GJSON path"], id="path-empty-object"),
        pytest.param("responseTemplate: '{}'", "1: responseTemplate", ["no %s"], id="A14-json"),
        pytest.param("streamResponseTemplate: 'data: {}'", "1: streamResponseTemplate", ["no %s"], id="A14-stream"),
        pytest.param("responseTemplate: '{%s'", "1: responseTemplate", ["not valid JSON"], id="A14-not-json"),
        pytest.param("- mode: off", "1: the top level", ["a list"], id="top-list"),
        pytest.param("off", "1: the top level", ["a single value"], id="top-word"),
        pytest.param("mode: off\n---\nmode: off", "3: a second YAML document", [], id="two-documents"),
        pytest.param("a: b\nmode: [off", "2: this is not YAML", [], id="syntax"),
        pytest.param("cache:\n\ttype: memory", "2: this is not YAML", ["spaces, not tabs"], id="tab"),
        pytest.param("mode: off\nnamespace: \x07", "2: this is not YAML", ["#x0007"], id="control-character"),
        pytest.param(b"mode: off\nnamespace: \xff", "2: the file is not UTF-8", [], id="not-utf8"),
        pytest.param("[" * 100_000, "1: the blocks are nested too deeply", [], id="nested"),
        pytest.param(
            "namespace: !!python/name:os.system x", "1: the YAML tag", ["!!python/name:os.system"], id="python-tag"
        ),
        pytest.param("cache: {path: !env HOME}", "1: the YAML tag", ["`!env`"], id="own-tag"),
        pytest.param("mode: *x", "1: this is not YAML", ["x"], id="undefined-anchor"),
        pytest.param("? [a]\n: b", "1: the name of a setting", ["a word"], id="list-as-name"),
        pytest.param("x: &x {y: *x}", "1: x", ["no setting"], id="circle"),
        pytest.param("_rules_: []", "1: _rules_", ["per route", "match.hosts"], id="rules"),
        pytest.param("matchRules: []", "1: matchRules", ["per route", "match.hosts"], id="match-rules"),
        pytest.param("kind: WasmPlugin\nspec: {}", "2: spec", ["spec.defaultConfig"], id="manifest"),
        pytest.param(
            "dashvector:\n  DashVectorKey: k\n  DashScopeKey: j",
            "1: dashvector",
            ["`DashVectorKey` is now `vector.apiKey`", "`DashScopeKey` is now `embedding.apiKey`"],
            id="demo-block",
        ),
        pytest.param(
            "Dash: {dashVectorEnd: h}", "1: Dash", ["`dashVectorEnd` is now `vector.serviceHost`"], id="demo-Dash"
        ),
        pytest.param("Dash: ", "1: Dash", ["an `embedding:` and a `vector:` block"], id="demo-empty"),
        pytest.param("SessionID: x", "1: SessionID", ["leave it out"], id="demo-field"),
        pytest.param(
            VECTOR.replace("threshold: 0.9, thresholdRelation: gt", "topK: 1") + EMBEDDING + "\ncompat: higress",
            "1: vector.threshold",
            ["missing", "any question would be a hit", "thresholdRelation: gt"],
            id="A7",
        ),
        pytest.param(
            VECTOR.replace("gt", "eq") + EMBEDDING, "1: vector.thresholdRelation", ["`eq`", "lt, lte, gt, gte"], id="A8"
        ),
        pytest.param(VECTOR, "1: vector", ["needs an `embedding:` block"], id="A10"),
        pytest.param("embedding: {type: cohere}", "1: embedding.apiKey", ["`type: cohere` requires"], id="A16-cohere"),
        pytest.param(
            "embedding: {type: azure, apiKey: k, serviceHost: a.b}",
            "1: embedding.apiVersion",
            ["azure"],
            id="A16-azure",
        ),
        pytest.param(
            "embedding: {type: azure, apiKey: k, apiVersion: v}",
            "1: embedding.serviceHost",
            ["azure"],
            id="A16-azure-host",
        ),
        pytest.param(
            "embedding: {type: textin, textinAppId: a, textinSecretCode: b}",
            "1: embedding.textinMatryoshkaDim",
            ["textin"],
            id="A16-textin",
        ),
        pytest.param(
            "embedding: {type: xfyun, apiKey: k, appId: a}", "1: embedding.apiSecret", ["xfyun"], id="A16-xfyun"
        ),
        pytest.param("embedding: {type: openai, apiKey: ''}", "1: embedding.apiKey", ["missing"], id="A16-empty"),
        pytest.param(
            "embedding: {type: cohre, apiKey: k}", "1: embedding.type", ["did you mean `cohere`?"], id="embedder"
        ),
        pytest.param("embedding: {apiKey: k}", "1: embedding.type", ["missing", "dashscope, openai"], id="no-embedder"),
        pytest.param(
            VECTOR.replace("collectionID: c, ", "") + EMBEDDING, "1: vector.collectionID", ["qdrant"], id="collection"
        ),
        pytest.param(
            VECTOR.replace("type: qdrant", "type: pinecone, apiKey: k") + EMBEDDING,
            "1: vector.serviceHost",
            ["pinecone"],
            id="pinecone-host",
        ),
        pytest.param(
            VECTOR.replace("{", "{serviceHost: 'https://a.b', ") + EMBEDDING,
            "1: vector.serviceHost",
            ["bare name", "did you mean `a.b`?"],
            id="vector-host-as-url",
        ),
        pytest.param(
            VECTOR.replace("qdrant, serviceName: q.dns", "redis") + EMBEDDING, "1: vector.url", ["redis"], id="no-redis"
        ),
        pytest.param(
            VECTOR.replace("qdrant, serviceName: q.dns", "pgvector, url: 'mysql://h'") + EMBEDDING,
            "1: vector.url",
            ["postgresql://"],
            id="no-postgres",
        ),
        pytest.param(
            VECTOR.replace("qdrant, serviceName: q.dns", "pgvector, url: 'postgresql://u:se@cret@h/d'") + EMBEDDING,
            "1: vector.url",
            ["in a password"],
            id="postgres-password",
        ),
        pytest.param(
            VECTOR.replace("qdrant, serviceName: q.dns", "redis, url: 'redis://h', engine: query, quantization: int8")
            + EMBEDDING,
            "1: vector.quantization",
            ["vectorSets"],
            id="quantized-query",
        ),
        pytest.param(VECTOR.replace("0.9", "high") + EMBEDDING, "1: vector.threshold", ["`high`"], id="threshold-word"),
        pytest.param(
            VECTOR.replace("0.9", ".nan") + EMBEDDING, "1: vector.threshold", ["no number"], id="threshold-nan"
        ),
    ],
)
def test_problem(problems, text, place, parts):
    """A fault is named by file, line and setting, with what is legal there."""
    (found,) = problems(text)
    assert found.startswith(f"c.yaml:{place}")
    assert [part for part in parts if part not in found] == []


def test_every_problem_at_once(problems):
    """All problems are listed, in the order of the file."""
    found = problems("mode: x\ncache:\n  typ: memory\n  cacheTTL: -1\nlimits: 3\ncompat: y\n")
    assert [problem.split(":")[1] for problem in found] == ["1", "3", "4", "5", "6"]


def test_message_counts_and_lists():
    """The message begins with the number of problems and has a line for each."""
    assert str(ConfigError(["a", "b"])).splitlines() == ["the configuration has 2 problems:", "  a", "  b"]
    assert str(ConfigError(["a"])).splitlines() == ["the configuration has 1 problem:", "  a"]


@pytest.mark.parametrize(
    ("name", "reason"),
    [("none.yaml", "No such file"), ("", "Is a directory"), ("a\0b", "null")],
    ids=["missing", "a-folder", "null-byte"],
)
def test_unreadable_file(tmp_path, name, reason):
    """A file that cannot be read is named with the reason."""
    with pytest.raises(ConfigError) as caught:
        load(f"{tmp_path}/{name}")
    (problem,) = caught.value.problems
    assert problem.startswith(f"{tmp_path}/{name}: ")
    assert reason in problem


def test_no_credential_in_messages(problems):
    """A problem with a credential does not print it."""
    text = "cache: {type: redis, serviceName: r, password: [hush]}\nscope: {secret: {a: hush}}"
    found = problems(text)
    assert len(found) == 2
    assert "hush" not in "".join(found)


YAML = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text()
    | st.sampled_from(["redis", "off", "%s", "1kB"]),
    lambda inside: (
        st.lists(inside, max_size=3) | st.dictionaries(st.sampled_from(NAMES) | st.text(), inside, max_size=5)
    ),
)


@given(
    st.binary()
    | st.text().map(lambda text: text.encode("utf-8", "surrogatepass"))
    | YAML.map(lambda y: yaml.dump(y).encode())
)
def test_any_file_loads_or_is_explained(data):
    """Whatever the file holds, it is a configuration or a list of problems, each with file and line."""
    with tempfile.NamedTemporaryFile(suffix=".yaml") as file:
        file.write(data)
        file.flush()
        found = problems_of(file.name)
        assert [problem for problem in found if not re.match(rf"{file.name}:[1-9]", problem)] == []


def problems_of(path):
    """Return the problems of a file, none when it loads."""
    try:
        load(path)
    except ConfigError as error:
        return error.problems
    return []


# ---- overrides


@pytest.mark.parametrize(
    ("store", "kind", "path"),
    [
        ("memory", "memory", "f"),
        ("sqlite", "sqlite", "f"),
        ("sqlite:/a:b", "sqlite", "/a:b"),
        ("sqlite:~/x", "sqlite", "/h/x"),
    ],
)
def test_store_override(read, monkeypatch, store, kind, path):
    """The option wins over the file, and what it does not say stays."""
    monkeypatch.setenv("HOME", "/h")
    cache = read("cache: {type: redis, path: f, maxEntries: 3}", {"store": store}).cache
    assert (cache.type, cache.path, cache.max_entries) == (kind, Path(path), 3)


def test_overrides_without_a_file():
    """Options alone configure; empty ones change nothing."""
    config = load(None, {"mode": "replay", "store": "memory"})
    assert (config.mode, config.cache.type) == ("replay", "memory")
    assert Config() == load(None, {"mode": "", "store": ""})


def test_wrong_overrides_are_named_as_such(problems):
    """A wrong option is shown as it was given, before the problems of the file."""
    found = problems("cache: {ttl: 1}", {"mode": "reply", "store": "sqlight:x"})
    assert len(found) == 3
    assert found[0].startswith("aicache_mode=reply: mode: `reply` is not known; ")
    assert found[0].endswith("did you mean `replay`?")
    assert found[1].startswith("aicache_store=sqlight:x: cache.type: ")
    assert found[2].startswith("c.yaml:1: cache.ttl: ")


def test_override_repairs_the_file(read):
    """An option stands in for the setting of the file, even for one that would be wrong."""
    assert read("mode: x", {"mode": "off"}).mode == "off"


def test_store_override_is_a_cache_block(read):
    """A4: with a store given by option, `compat: higress` has its cache."""
    assert read("compat: higress", {"store": "memory"}).compat == "higress"


# ---- what this version does not have


def at(url, **more):
    """Return the address that a URL says, with what the settings add by default."""
    return replace(parse_url(url), **{"client_name": "aicache", "timeout": 10.0, **more})


@pytest.mark.parametrize(
    ("text", "address"),
    [
        pytest.param("{type: redis, serviceName: r}", at("redis://r:6379"), id="name"),
        pytest.param("{type: redis, serviceName: r.dns}", at("redis://r:6379"), id="dns"),
        pytest.param("{type: redis, serviceName: r.static}", at("redis://r:80"), id="static"),
        pytest.param("{type: redis, serviceName: r.static, serviceHost: h}", at("redis://h:80"), id="host-and-name"),
        pytest.param("{type: redis, serviceHost: h, servicePort: 7}", at("redis://h:7"), id="host"),
        pytest.param(
            "{type: redis, serviceHost: h, username: u, password: p, database: 3, timeout: 0}",
            at("redis://u:p@h/3", timeout=None),
            id="account",
        ),
        pytest.param('{type: redis, url: "redis://u:p%40@h:7/2"}', at("redis://u:p%40@h:7/2"), id="url"),
        pytest.param('{type: redis, url: "redis://h", password: p}', at("redis://:p@h"), id="password-beside"),
        pytest.param(
            '{type: redis, url: "rediss://h", tlsCA: /ca.pem, tlsVerify: false}',
            at("rediss://h", tls=Tls(ca="/ca.pem", verify=False)),
            id="tls",
        ),
        pytest.param('{type: redis, url: "unix:///s?db=1"}', at("unix:///s?db=1"), id="unix"),
        pytest.param('{type: sqlite, url: "redis://h"}', None, id="another-type"),
    ],
)
def test_where_the_redis_is(read, text, address):
    """Higress' settings and a URL become one address, the names of its gateway's registries without their ends."""
    assert address == read(f"cache: {text}").cache.address


def test_redis_by_option(read):
    """A URL as the store of the option is all a Redis needs; a call waits less for it than for a file."""
    config = read("cache: {type: memory}", {"store": "rediss+cluster://a:1,b/"})
    assert (config.cache.type, config.cache.address) == ("redis", at("rediss+cluster://a:1,b"))
    assert (config.deadlines.store, Config().deadlines.store) == (50, 1000)


def test_no_password_of_a_url_in_messages(problems):
    """A wrong URL is shown without its credentials, wherever it comes from."""
    found = problems("", {"store": "redis://u:hush@h/x"}) + problems('cache: {type: redis, url: "redis://u:hush@h/x"}')
    assert [" cache.url: " in problem and "hush" not in problem for problem in found] == [True, True]


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        pytest.param("serviceName: r.static", ["`.static`", "r:80", "`serviceHost`"], id="static"),
        pytest.param("serviceName: r.dns, serviceHost: h", ["`.dns`", "h:6379"], id="with-host"),
        pytest.param('serviceName: r, url: "redis://h"', ["not used"], id="url-wins"),
    ],
)
def test_names_of_the_gateway_are_explained(read, text, parts):
    """A service name that only Higress' gateway could look up is a warning that says what is used for it."""
    (warning,) = read(f"cache: {{type: redis, {text}}}").warnings
    assert [part for part in parts if part not in warning] == []


def test_a_missing_threshold_is_what_is_safe(read):
    """Row A7: without `compat: higress` the embedder's own safe value stands for it."""
    assert read("vector: {type: local}\nembedding: {type: wordllama}").vector.threshold is None


def test_recordings_never_answer_a_near_question(problems):
    """A folder of recordings and semantic answers do not go together."""
    (problem,) = problems("enableSemanticCache: true\ncache: {type: cassette, path: r}")
    assert "never answers a near question" in problem


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        pytest.param(REDIS + VECTOR + EMBEDDING, True, id="A9"),
        pytest.param("compat: higress\n" + REDIS + VECTOR + EMBEDDING, False, id="A9-compat"),
        pytest.param("compat: higress\n" + VECTOR + EMBEDDING, True, id="A9-compat-no-cache"),
        pytest.param(VECTOR + EMBEDDING + "enableSemanticCache: 0", False, id="explicit-off"),
        pytest.param("enableSemanticCache: 1", True, id="explicit-on"),
        pytest.param(REDIS, False, id="no-vector"),
    ],
)
def test_semantic_flag(read, text, expected):
    """A9: semantic is on when all it needs is there, unless told otherwise or compatible."""
    assert expected == read(text).enable_semantic_cache


def test_semantic_defaults(read):
    """Vector and embedding have Higress' defaults, 0 meaning absent; but more than one neighbor is looked at."""
    config = read(VECTOR.replace("{", "{topK: 0, timeout: 0, servicePort: 0, ") + EMBEDDING)
    vector, embedding = config.vector, config.embedding
    assert (vector.service_port, vector.top_k, vector.timeout, vector.threshold) == (443, 5, 10_000, 0.9)
    assert read("compat: higress\n" + VECTOR + EMBEDDING).vector.top_k == 1
    assert (embedding.service_host, embedding.service_port, embedding.model) == ("localhost", 11434, "llama3.2")
    assert embedding.timeout == 10_000


PLACES = "vector: {type: redis, threshold: 0.9, thresholdRelation: gt, "


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        pytest.param("url: 'rediss://u:p@h:1/2'}", "rediss://h:1/2", id="url"),
        pytest.param("serviceHost: h}", "redis://h:6379", id="host"),
        pytest.param("serviceHost: h, servicePort: 7}", "redis://h:7", id="host-and-port"),
        pytest.param("}\n" + REDIS, "None", id="the-one-of-the-cache"),
    ],
)
def test_where_a_redis_keeps_vectors(read, text, expected):
    """It is a URL, a host, or without either the Redis that the cache uses."""
    assert expected == str(read(PLACES + text + "\n" + EMBEDDING).vector.address)


def test_a_threshold_of_zero_is_kept(read):
    """Zero is a threshold; Higress takes it for absent."""
    assert read(VECTOR.replace("0.9", "0") + EMBEDDING).vector.threshold == 0


# ---- old names


@pytest.mark.parametrize(
    ("text", "name", "expected", "warned"),
    [
        pytest.param(
            "redis: {serviceName: r, cacheTTL: 5}", "cache.ttl", 5, (1, "`cache:` with `type: redis`"), id="redis"
        ),
        pytest.param("redis: {serviceName: r}", "cache.type", "redis", (1, "old name"), id="redis-type"),
        pytest.param("redis: {serviceName: r}\ncacheTTL: '7'", "cache.ttl", 7, (2, "`cache.cacheTTL`"), id="A11"),
        pytest.param("redis: {serviceName: r}\ncacheTTL: 7", "cache.timeout", 10000, (1,), id="A11-timeout"),
        pytest.param(
            "redis: {serviceName: r}\ncacheKeyPrefix: p",
            "cache.key_prefix",
            "p",
            (2, "`cache.cacheKeyPrefix`"),
            id="A12",
        ),
        pytest.param("cacheKeyPrefix: ''", "cache.key_prefix", "", (1, "`cache.cacheKeyPrefix`"), id="A12-A15-empty"),
        pytest.param("cacheTTL: 7", "cache.ttl", 7, (1, "`cache.cacheTTL`"), id="ttl-without-redis"),
        pytest.param(
            "cacheTTL: 7\ncache:\n  cacheTTL: 8",
            "cache.ttl",
            8,
            (1, "the one in line 3 is used"),
            id="ttl-in-both-places",
        ),
        pytest.param(
            "cache: {type: memory, maxEntries: 9}\nredis: {serviceName: r}",
            "cache.max_entries",
            1_000_000,
            (2, "`cache:` in line 1 is ignored"),
            id="redis-replaces-cache",
        ),
        pytest.param(
            "cacheKeyFrom: {requestBody: a.b}", "cache_key_from.path", "a.b", (1, "`cacheKeyFrom: PATH`"), id="key"
        ),
        pytest.param(
            "cacheValueFrom:\n  responseBody: a.b", "cache_value_from.path", "a.b", (1, "responseBody"), id="A13"
        ),
        pytest.param(
            "cacheValueFrom: {requestBody: a}", "cache_value_from.path", "a", (1, "requestBody"), id="A13-request"
        ),
        pytest.param(
            "cacheStreamValueFrom: {responseBody: a}",
            "cache_stream_value_from.path",
            "a",
            (1, "responseBody"),
            id="A13-stream",
        ),
        pytest.param(
            "cacheValueFrom: {responseBody: ''}",
            "cache_value_from.path",
            VALUE_PATH,
            (1, "responseBody"),
            id="A13-empty",
        ),
        pytest.param(
            "returnResponseTemplate: '[%s]'",
            "response_template",
            compile_json("[%s]"),
            (1, "write `responseTemplate`"),
            id="template",
        ),
        pytest.param(
            "returnStreamResponseTemplate: 'data: %s'",
            "stream_response_template",
            compile_stream("data: %s"),
            (1, "write `streamResponseTemplate`"),
            id="stream-template",
        ),
        pytest.param(
            "returnResponseTemplate: '[%s]'\nresponseTemplate: '%s'",
            "response_template",
            compile_json("%s"),
            (1, "the one in line 2 is used"),
            id="template-twice",
        ),
        pytest.param(
            VECTOR.replace("serviceName: q.dns", "serviceDomain: a.b") + EMBEDDING,
            "vector.service_host",
            "a.b",
            (1, "write `serviceHost`"),
            id="serviceDomain",
        ),
        pytest.param(
            VECTOR.replace(", thresholdRelation: gt", "") + EMBEDDING,
            "vector.threshold_relation",
            "lt",
            (1, "distance (lt)", "thresholdRelation: gt"),
            id="A7-relation-absent",
        ),
        pytest.param(
            "cacheToolCallsFrom: choices.0.delta.content.tool_calls",
            "cache_tool_calls_from.path",
            "choices.0.delta.content.tool_calls",
            (1, f"write `{TOOL_CALLS_PATH}`"),
            id="tool-calls-of-higress",
        ),
        pytest.param(
            "streamResponseTemplate: 'data:\"%s\"\\n\\ndata:[DONE]\\n\\n'",
            "stream_response_template.tail",
            b'"\n\ndata:[DONE]\n\n',
            (1, "literal \\n"),
            id="console-template",
        ),
        pytest.param("cache: {serviceName: r}", "cache.type", "sqlite", (1, "only by redis"), id="type-forgotten"),
    ],
)
def test_old_or_risky_spelling(read, text, name, expected, warned):
    """What Higress' users have in their files means what they meant, with a warning that says how to write it."""
    config = read(text)
    assert expected == value(config, name)
    line, *parts = warned
    at_line = [warning for warning in config.warnings if f"c.yaml:{line}: " in warning]
    assert [part for part in parts if not any(part in warning for warning in at_line)] == []
    assert at_line


@pytest.mark.parametrize("name", ["ignore", "replace"])
def test_noise_is_left_out_for_recordings_alone(read, name):
    """With another store the rule does nothing, and the user is told."""
    text = "match: {ignore: [metadata.run]}" if name == "ignore" else "match: {replace: [dates]}"
    (warning,) = read(text).warnings
    assert f"match.{name}: does nothing with `cache.type: sqlite`" in warning
    assert read(text + "\ncache: {type: cassette}\nmode: cache\n").warnings == ()


def test_path_warnings_are_passed_on(read):
    """What the path compiler warns of reaches the user with file and line."""
    path = "{a,b}"
    expected = [f"c.yaml:1: cacheKeyFrom: {warning}" for warning in compile_path(path).warnings]
    assert expected == [
        re.sub(r"^.*/c\.yaml", "c.yaml", warning) for warning in read(f"cacheKeyFrom: '{path}'").warnings
    ]


def test_a_deadline_for_expired_answers_wants_expired_answers(read):
    """Without them the deadline does nothing, and the user is told."""
    (warning,) = read("deadlines: {staleIfError: 5s}").warnings
    assert "deadlines.staleIfError: does nothing without `cache.staleIfError`" in warning
