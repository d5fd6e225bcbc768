"""`aicache doctor`: real clients through a real proxy, and what is said of store, certificate, ports and settings."""

from __future__ import annotations

import datetime as dt
import json
import os
import shutil
import socket
import sys
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from llmcache import config
from support import redis_server
from support.absent import missing
from support.command import Command


def programs(folder: Path, *names: str, curl: str = "") -> dict[str, str]:
    """Return an environment in which only the programs *names* are found; *curl*: options that curl always gets."""
    folder.mkdir()
    for name in names:
        if path := shutil.which(name):
            (folder / name).symlink_to(path)
    if curl:
        with (folder / "curl").open("x") as script:  # never through a link to the machine's own
            script.write(f'#!/bin/sh\nexec {shutil.which("curl") or missing("curl")} {curl} "$@"\n')
        (folder / "curl").chmod(0o755)
    return {"PATH": str(folder)}


def findings(aicache: Command, *args: str, **env: str) -> tuple[int, dict[str, dict[str, Any]]]:
    """Run the doctor; return its exit code and its findings by the first word of what was checked."""
    done = aicache("doctor", "--json", *args, **env)
    assert done.stderr == ""
    return done.returncode, {check["what"].partition(" ")[0].rstrip(","): check for check in json.loads(done.stdout)}


@pytest.mark.slow
def test_each_client_is_told_the_variable_that_it_needs(aicache: Command, tmp_path: Path):
    """Variables are named by trial: curl and Python trust by their own; a Node that is deaf gets a base URL."""
    if not shutil.which("curl"):
        missing("curl")
    env = programs(tmp_path / "bin", "curl", "java", "javac", "keytool")
    done = aicache("doctor", VIRTUAL_ENV=sys.prefix, **env)
    assert (done.returncode, done.stderr) == (0, ""), done.stdout
    lines = done.stdout.splitlines()
    after = {line: lines[at + 1] for at, line in enumerate(lines[:-1])}
    python = next(line for line in lines if ", requests" in line)
    curl = next(line for line in lines if " curl " in line)
    assert python.endswith("takes the proxy; trusts it by REQUESTS_CA_BUNDLE")
    assert curl.endswith("takes the proxy; trusts it by CURL_CA_BUNDLE")
    bundle = aicache.home / ".mitmproxy" / "aicache-ca-bundle.pem"
    assert after[curl].endswith(f"export CURL_CA_BUNDLE={bundle}")
    assert bundle.read_text().count("BEGIN CERTIFICATE") > 1
    if shutil.which("javac"):
        java = next(line for line in lines if " Java " in line)
        assert java.startswith("ok ")
        assert "JAVA_TOOL_OPTIONS" in after[java]
    assert lines[-1].endswith("0 failed")


def test_a_certificate_that_is_trusted_already_is_seen(aicache: Command, tmp_path: Path):
    """Who has set the variable needs only the proxy's address."""
    aicache("doctor", **programs(tmp_path / "none"))
    trusted = aicache.home / ".mitmproxy" / "mitmproxy-ca-cert.pem"
    code, found = findings(aicache, **programs(tmp_path / "bin", curl="-q"), CURL_CA_BUNDLE=str(trusted))
    assert code == 0
    assert "trusts its certificate already" in found["curl"]["found"]


def test_a_client_that_passes_the_proxy_by_gets_a_base_url(aicache: Command, tmp_path: Path):
    """Deafness is no failure, for there is a way, and the way is named."""
    code, found = findings(aicache, **programs(tmp_path / "bin", curl="--noproxy '*'"))
    assert (code, found["curl"]["state"]) == (0, "warning")
    assert "OPENAI_BASE_URL" in found["curl"]["remedy"]


def test_a_client_that_never_trusts_has_failed(aicache: Command, tmp_path: Path):
    """A client with roots of its own is told in its own words why, and the exit code is 1."""
    nothing = tmp_path / "roots"
    nothing.mkdir()
    code, found = findings(aicache, **programs(tmp_path / "bin", curl=f"--capath {nothing} --cacert /dev/null"))
    assert (code, found["curl"]["state"]) == (1, "failed")
    assert "takes the proxy, but does not get through: curl" in found["curl"]["found"]


def test_no_proxy_for_all_is_named(aicache: Command, tmp_path: Path):
    """NO_PROXY=* makes every client pass by, and is the thing to repair."""
    code, found = findings(aicache, **programs(tmp_path / "bin", curl="--noproxy '*'"), NO_PROXY="*")
    assert code == 1
    assert "NO_PROXY=*" in found["curl"]["found"]


def test_a_wrong_configuration_fails_with_file_and_line(aicache: Command, tmp_path: Path):
    """Each problem is a finding of its own, where it stands; the rest is looked at all the same."""
    path = tmp_path / "c.yaml"
    path.write_text("mode: sometimes\ncache:\n  type: floppy\n")
    done = aicache("doctor", "--no-clients", "--config", str(path))
    assert done.returncode == 1
    assert f"failed   configuration: {path}:1: mode: " in done.stdout
    assert f"failed   configuration: {path}:3: cache.type: " in done.stdout
    assert "clock" in done.stdout


def test_a_proxy_that_cannot_start_is_a_finding(aicache: Command, tmp_path: Path):
    """What keeps the proxy from starting is said in its own words."""
    (tmp_path / "file").write_text("")
    code, found = findings(aicache, "--set", f"confdir={tmp_path / 'file' / 'x'}")
    assert (code, found["proxy"]["state"]) == (1, "failed")
    assert "the certificates cannot be kept in" in found["proxy"]["found"]


def settings(**cache: str) -> config.Config:
    """Return settings with this `cache` block."""
    from llmcache.config import load

    return load(None, {"store": cache["store"]})


async def test_a_database_that_others_can_read_is_a_warning(tmp_path: Path):
    """Prompts are in it; the command that closes it is named. Closed, it is written to and read."""
    from llmcache.stores.sqlite import SqliteStore
    from verbs import _store_checks as checks

    path = tmp_path / "cache.db"
    made = settings(store=f"sqlite:{path}")
    assert [check.state for check in await checks.store(made)] == ["ok", "ok"]
    assert not path.exists()
    store = SqliteStore(path, 10, 10**6, "lru")
    await store.get("0" * 64)
    await store.close()
    path.chmod(0o644)
    found = (await checks.store(made))[-1]
    assert (found.state, found.remedy) == ("warning", f"chmod 600 {path}")
    path.chmod(0o600)
    found = (await checks.store(made))[-1]
    assert (found.state, "written and read" in found.found) == ("ok", True)


def test_what_the_store_says_meanwhile_is_a_finding(aicache: Command):
    """A damaged database is set aside by the store itself, and the doctor passes its words on."""
    aicache.store.write_bytes(b"this is no database" * 100)
    aicache.store.chmod(0o600)
    done = aicache("doctor", "--no-clients", "--store", f"sqlite:{aicache.store}")
    assert done.returncode == 0
    assert f"warning  store: {aicache.store} is damaged" in done.stdout


async def test_a_folder_of_recordings_is_read_and_never_written(tmp_path: Path):
    """A broken recording fails with its name; a folder that is not there fails only where it is to be replayed."""
    from verbs import _store_checks as checks

    folder = tmp_path / "recordings"
    made = settings(store=f"cassette:{folder}")
    assert (await checks.store(made))[-1].found == f"{folder} is not there"
    folder.mkdir()
    assert (await checks.store(made))[-1].state == "ok"
    assert list(folder.iterdir()) == []
    (folder / "broken.yaml").write_text("aicache: 1\nkey: [\n")
    found = (await checks.store(made))[-1]
    assert found.state == "failed"
    assert "broken.yaml" in found.found


@pytest.mark.skipif(os.geteuid() == 0, reason="root writes everywhere")
async def test_a_folder_that_cannot_be_written_fails(tmp_path: Path):
    """Storing would fail call by call; the doctor says so beforehand."""
    from verbs import _store_checks as checks

    tmp_path.chmod(0o500)
    assert (await checks.store(settings(store=f"sqlite:{tmp_path / 'cache.db'}")))[0].state == "failed"


async def test_a_redis_is_asked_for_what_keeps_entries(tmp_path: Path):
    """Version, eviction and clock are read; a full one that evicts nothing is a warning, one that is gone fails."""
    from verbs import _store_checks as checks

    if not redis_server.binary("redis7"):
        missing("redis-server")
    server = redis_server.Server(tmp_path, "maxmemory 100mb", "maxmemory-policy noeviction")
    made = settings(store=f"redis://127.0.0.1:{server.port}")
    assert {check.state for check in await checks.store(made)} == {"failed"}
    server.start()
    try:
        found = await checks.store(made)
    finally:
        server.stop()
    assert [check.state for check in found] == ["ok", "warning"]
    assert "allkeys-lru" in found[1].remedy


async def test_a_redis_is_asked_for_what_searches_vectors(tmp_path: Path):
    """Where vectors lie in a Redis that knows neither vector sets nor a query engine, the check says so."""
    from verbs import _store_checks as checks

    if not redis_server.binary("redis7"):
        missing("redis-server")
    path = tmp_path / "c.yaml"
    with redis_server.Server(tmp_path / "redis") as server:
        if b"redis_version:7" not in server.command("INFO", "server"):
            missing("a Redis 7")
        for engine, commands in (("auto", "VSIM or FT.SEARCH"), ("query", "FT.SEARCH"), ("vectorSets", "VSIM")):
            vector = f"vector: {{type: redis, engine: {engine}}}"
            path.write_text(f"enableSemanticCache: true\ncache: {{type: redis, url: '{server.url}'}}\n{vector}\n")
            index = (await checks.store(config.load(str(path))))[-1]
            assert (index.what, index.state) == ("index", "failed")
            assert f"does not know {commands}" in index.found


async def test_semantic_parts_are_tried(tmp_path: Path):
    """Where semantic answers are on, the model gives a vector and the index is looked at."""
    from verbs import _store_checks as checks

    path = tmp_path / "c.yaml"
    assert await checks.semantic(settings(store="memory")) == []
    path.write_text(
        "enableSemanticCache: true\nvector: {type: qdrant, url: 'http://127.0.0.1:9', collectionID: c, timeout: 500}\n"
    )
    embedder, index = await checks.semantic(config.load(str(path)))
    assert (embedder.what, embedder.state) == ("embedder", "ok")
    assert "vectors of " in embedder.found
    assert (index.what, index.state) == ("index", "failed")


def test_a_port_that_is_taken_is_a_warning():
    """`aicache serve` could not use it; the flag that chooses another is named."""
    from verbs import _checks

    with socket.create_server(("127.0.0.1", 0)) as taken:
        found = _checks.port(taken.getsockname()[1], "aicache serve --port N")
    assert (found.state, found.remedy) == ("warning", "aicache serve --port N")


@pytest.mark.parametrize(("days", "state"), [(400, "ok"), (10, "warning"), (-1, "failed")])
def test_the_end_of_the_certificate_is_told(tmp_path: Path, days: int, state: str):
    """One that has ended fails, one that ends soon is a warning; how to have a new one made is said."""
    from verbs import _checks

    now, key = dt.datetime.now(dt.UTC), ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([])
    builder = x509.CertificateBuilder().subject_name(name).issuer_name(name).public_key(key.public_key())
    builder = builder.serial_number(1).not_valid_before(now - dt.timedelta(days=30))
    made = builder.not_valid_after(now + dt.timedelta(days=days)).sign(key, hashes.SHA256())
    path = tmp_path / "mitmproxy-ca-cert.pem"
    path.write_bytes(made.public_bytes(serialization.Encoding.PEM))
    secret = path.with_name("mitmproxy-ca.pem")
    secret.write_text("")
    secret.chmod(0o644)
    first, second = _checks.certificate(tmp_path)
    assert first.state == state
    assert (state == "ok") == ("optional" in first.remedy)
    assert (second.state, second.remedy) == ("failed", f"chmod 600 {secret}")
