"""`aicache run`: the command's own behavior is kept, its calls go through the cache, and the end is told."""

from __future__ import annotations

import contextlib
import json
import os
import pty
import select
import signal
import sys
from pathlib import Path

import pytest
from support.certificates import Authority
from support.command import AICACHE, ASK, Command
from support.upstream import Upstream

PRINT_ENVIRONMENT = "import json, os; print(json.dumps(dict(os.environ)))"


def environment_of(done) -> dict[str, str]:
    """Return the environment that a command printed."""
    return json.loads(done.stdout)


# ---- the command's own behavior


@pytest.mark.parametrize(
    ("code", "expected"),
    [
        ("raise SystemExit(0)", 0),
        ("raise SystemExit(3)", 3),
        ("import os; os.kill(os.getpid(), 9)", 137),
        ("import os; os.kill(os.getpid(), 15)", 143),
    ],
    ids=["success", "failure", "killed", "terminated"],
)
def test_the_exit_code_is_the_commands(aicache: Command, code: str, expected: int):
    """What the command returns is returned; a signal that ended it counts as 128 and its number."""
    assert aicache.run("-q", "--", sys.executable, "-c", code).returncode == expected


def test_a_command_that_is_not_there_is_127_and_said(aicache: Command):
    """A command that is not found gives 127, at once and with its name."""
    done = aicache.run("--", "no-such-command-here")
    assert (done.returncode, done.stderr) == (127, "aicache: no-such-command-here: command not found\n")


@pytest.mark.parametrize(
    ("content", "mode", "expected"),
    [("x", 0o644, 126), ("#!/no/such/interpreter\n", 0o755, 127)],
    ids=["mode", "shebang"],
)
def test_a_command_that_cannot_be_executed_is_told_from_one_that_is_not_there(
    aicache: Command, tmp_path: Path, content: str, mode: int, expected: int
):
    """126 for a file that is not executable, 127 for a script without its interpreter, as in a shell."""
    script = tmp_path / "script"
    script.write_text(content)
    script.chmod(mode)
    done = aicache.run("--", str(script))
    assert done.returncode == expected
    assert done.stderr.startswith(f"aicache: {script}: ")


def test_no_command_is_a_mistake_in_usage(aicache: Command):
    """Without a command the exit code is 2 and the message shows how it is written."""
    done = aicache.run()
    assert done.returncode == 2
    assert "aicache run -- python app.py" in done.stderr


def test_input_and_output_are_the_commands_own(aicache: Command):
    """What goes in and comes out is untouched, bytes for bytes; the summary is on stderr."""
    code = "import sys; sys.stdout.write(sys.stdin.read().upper()); sys.stderr.write('its own words\\n')"
    done = aicache("run", "--store", "memory", "--", sys.executable, "-c", code, stdin="some input\n")
    assert done.stdout == "SOME INPUT\n"
    assert done.stderr.startswith("its own words\n")
    assert "no LLM call came through" in done.stderr


def test_options_of_the_command_are_not_ours(aicache: Command):
    """Everything behind the dashes belongs to the command, even what looks like our options."""
    done = aicache.run("-q", "--", sys.executable, "-c", "import sys; print(sys.argv[1:])", "--mode", "-q", "--", "x")
    assert done.stdout == "['--mode', '-q', '--', 'x']\n"


@pytest.mark.parametrize(
    "number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGUSR1], ids=lambda it: it.name
)
def test_signals_reach_the_command_once(aicache: Command, number: signal.Signals):
    """A signal sent to aicache is the command's to answer, and its answer is the exit code."""
    code = (
        "import os, signal, sys, time\n"
        "def end(number, _): print('got', number, flush=True); os._exit(42)\n"
        f"signal.signal({int(number)}, end)\n"
        "print('ready', flush=True)\n"
        "time.sleep(60)"
    )
    with aicache.start("run", "-q", "--store", "memory", "--", sys.executable, "-c", code) as started:
        started.read_until("ready")
        started.process.send_signal(number)
        assert started.end() == 42
        assert started.output.count("got") == 1


def test_ctrl_c_on_a_terminal_reaches_the_command_once(aicache: Command):
    """The terminal sends the signal to both; a second one from us would break into the command's cleaning up."""
    code = (
        "import os, signal\n"
        "signal.signal(signal.SIGUSR1, lambda *_: os._exit(42))\n"
        "signal.signal(signal.SIGINT, lambda *_: print('got', flush=True))\n"
        "print('ready', flush=True)\n"
        "while True: signal.pause()"
    )
    command = [sys.executable, str(AICACHE), "run", "-q", "--store", "memory", "--", sys.executable, "-c", code]
    child, terminal = pty.fork()
    if not child:
        os.chdir(aicache.folder)
        os.execve(command[0], command, aicache.environment())
    shown = read_until(terminal, b"ready")
    os.write(terminal, b"\x03")
    shown = read_until(terminal, b"got")
    os.kill(child, signal.SIGUSR1)  # passed on in order, so a second Ctrl-C would have been answered before it
    shown += read_to_end(terminal)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 42
    assert shown.count(b"got") == 1


def read_until(terminal: int, text: bytes) -> bytes:
    """Return what a terminal shows up to *text*."""
    shown = b""
    while text not in shown:
        assert select.select([terminal], [], [], 60)[0], shown
        shown += os.read(terminal, 1000)
    return shown


def read_to_end(terminal: int) -> bytes:
    """Return what a terminal still shows; Linux ends it with an error."""
    shown = b""
    with contextlib.suppress(OSError):
        while more := os.read(terminal, 1000):
            shown += more
    return shown


# ---- what the environment says


def test_every_common_variable_is_set(aicache: Command, tmp_path: Path):
    """Proxy variables in both cases, the user's NO_PROXY with loopback added, and a certificate for every client."""
    done = aicache.run("-q", "--", sys.executable, "-c", PRINT_ENVIRONMENT, NO_PROXY="intern.example", KEPT="1")
    env = environment_of(done)
    assert env["http_proxy"] == env["HTTP_PROXY"] == env["https_proxy"] == env["HTTPS_PROXY"]
    assert env["HTTP_PROXY"].startswith("http://127.0.0.1:")
    assert env["NO_PROXY"] == env["no_proxy"] == "intern.example,localhost,127.0.0.1,::1"
    bundle = {env[name] for name in ("SSL_CERT_FILE", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "AWS_CA_BUNDLE")}
    assert len(bundle) == 1
    assert env["NODE_EXTRA_CA_CERTS"].endswith("mitmproxy-ca-cert.pem")
    assert (env["NODE_USE_ENV_PROXY"], env["KEPT"]) == ("1", "1")
    assert "OPENAI_BASE_URL" not in env
    assert not Path(bundle.pop()).exists(), "the bundle is temporary"


def test_the_bundle_holds_the_users_roots_and_the_proxys(aicache: Command, home: Path, tmp_path: Path):
    """A client keeps trusting what it trusted before."""
    own = Authority(tmp_path / "own").path
    code = "import os; print(open(os.environ['SSL_CERT_FILE']).read())"
    done = aicache.run("-q", "--", sys.executable, "-c", code, REQUESTS_CA_BUNDLE=str(own))
    assert own.read_text().strip() in done.stdout
    assert (home / ".mitmproxy" / "mitmproxy-ca-cert.pem").read_text().strip() in done.stdout


@pytest.mark.parametrize(
    ("mode", "key", "expected"),
    [("replay", "", "aicache-replay"), ("replay", "sk-own", "sk-own"), ("cache", "", None)],
    ids=["replay", "replay-own-key", "cache"],
)
def test_replay_needs_no_key(aicache: Command, mode: str, key: str, expected: str | None):
    """In replay mode an SDK finds a key to start with, but never another than the user's."""
    env = {"OPENAI_API_KEY": key} if key else {}
    done = aicache.run("-q", "--mode", mode, "--", sys.executable, "-c", PRINT_ENVIRONMENT, **env)
    assert environment_of(done).get("OPENAI_API_KEY") == expected
    assert ("scope: shared" in done.stderr) == (expected == "aicache-replay"), "recordings belong to a key"


# ---- calls


def test_the_second_run_is_answered_from_the_first_with_nothing_upstream(aicache: Command):
    """A miss and its hit through the proxy, with the summary of each; the hit needs no provider."""
    with Upstream() as upstream:
        base = f"{upstream.url}/v1"
        first = aicache.ask("hello", "--proxy-localhost", base=base)
        assert len(upstream.calls) == 1
    second = aicache.ask("hello", "--proxy-localhost", base=base)
    assert first.stdout.startswith("200 aicache; fwd=miss ")
    assert second.stdout.startswith("200 aicache; hit; detail=exact ")
    assert first.stdout.partition("{")[2] == second.stdout.partition("{")[2]
    assert first.stderr.splitlines() == [
        "aicache: calls:      1 (1 miss)",
        "aicache: misses:     unknown 1",
        "aicache: stored:     1",
    ]
    assert second.stderr.startswith(
        "aicache: calls:      1 (1 hit)\naicache: hits:       exact 1\naicache: saved:      21 tokens"
    )


def test_verbose_has_a_line_for_each_call_and_quiet_nothing(aicache: Command, upstream: Upstream):
    """-v adds a line for each call, -q takes the summary away; neither touches stdout."""
    verbose = aicache.ask("hello", "-v", "--proxy-localhost", base=f"{upstream.url}/v1")
    quiet = aicache.ask("hello", "-q", "--proxy-localhost", base=f"{upstream.url}/v1")
    assert "aicache: miss unknown, stored: openai-chat gpt-4o-mini @ 127.0.0.1" in verbose.stderr
    assert quiet.stderr == ""
    assert quiet.stdout.startswith("200 aicache; hit")


def test_calls_to_this_machine_bypass_the_proxy_unless_asked(aicache: Command, upstream: Upstream):
    """Without --proxy-localhost a provider on loopback is reached directly, and the summary says what to do."""
    done = aicache.ask("hello", base=f"{upstream.url}/v1")
    assert done.stdout.startswith("200 None ")
    assert "--proxy-localhost" in done.stderr


def test_replay_refuses_what_is_not_recorded_and_contacts_nobody(aicache: Command, upstream: Upstream):
    """An unknown call in replay mode is a 424, is counted as a refusal, and nothing leaves."""
    done = aicache.ask("hello", "--mode", "replay", "--proxy-localhost", base=f"{upstream.url}/v1")
    assert done.stdout.startswith("424 ")
    assert "1 refusal" in done.stderr
    assert upstream.calls == []


@pytest.mark.parametrize("given", ["option", "environment"])
def test_a_base_url_serves_clients_that_know_no_proxy(aicache: Command, upstream: Upstream, given: str):
    """OPENAI_BASE_URL leads to a port of ours; the path of the base URL that was given is kept."""
    base = f"{upstream.url}/api/v1"
    options, env = (["--base-url", base], {}) if given == "option" else (["--base-url"], {"OPENAI_BASE_URL": base})
    first = aicache.ask("hello", *options, **env)
    second = aicache.ask("hello", *options, **env)
    assert first.stdout.startswith("200 aicache; fwd=miss ")
    assert second.stdout.startswith("200 aicache; hit; detail=exact ")
    assert [asked.path for asked in upstream.calls] == ["/api/v1/chat/completions"]


def test_a_recording_through_the_proxy_is_a_hit_through_the_base_url(aicache: Command, upstream: Upstream):
    """Which way a call comes in does not matter."""
    base = f"{upstream.url}/v1"
    aicache.ask("hello", "-q", "--proxy-localhost", base=base)
    done = aicache.ask("hello", "--base-url", base)
    assert done.stdout.startswith("200 aicache; hit; detail=exact ")


def test_tls_is_intercepted_and_the_client_trusts_the_bundle(aicache: Command, tmp_path: Path):
    """A client on https gets its answer by SSL_CERT_FILE alone, and an option of mitmproxy is passed through."""
    authority = Authority(tmp_path / "authority")
    with Upstream(tls=authority.server("127.0.0.1")) as upstream:
        trust = f"ssl_verify_upstream_trusted_ca={authority.path}"
        options = ("--proxy-localhost", "--set", trust)
        first = aicache.ask("hello", *options, base=f"{upstream.url}/v1")
    second = aicache.ask("hello", *options, base=f"{upstream.url}/v1")
    assert first.stdout.startswith("200 aicache; fwd=miss ")
    assert second.stdout.startswith("200 aicache; hit; detail=exact ")


def test_an_upstream_that_nobody_vouches_for_is_not_trusted(aicache: Command, tmp_path: Path):
    """The proxy verifies the provider's certificate although the client cannot."""
    with Upstream(tls=Authority(tmp_path / "authority").server("127.0.0.1")) as upstream:
        done = aicache.ask("hello", "--proxy-localhost", base=f"{upstream.url}/v1")
        assert done.stdout.startswith("502 ")
        assert upstream.calls == []


def test_a_proxy_that_the_user_is_behind_stays_in_use(aicache: Command, upstream: Upstream, tmp_path: Path):
    """Calls go out through the HTTPS_PROXY that was set before, here another aicache, which looks names up."""
    with aicache.start("serve", "--store", "memory", "--port", "0", "--base-url", f"{upstream.url}/v1@0") as outer:
        proxy = outer.read_until("  proxy ").split()[-1]
        done = aicache.ask("hello", base="http://no-such-host.invalid/v1", HTTPS_PROXY=proxy)
        assert done.stdout.startswith("502 ")
        outer.read_until("no-such-host.invalid")


def test_two_first_runs_at_once_share_one_authority(tmp_path: Path):
    """Certificates that two processes make at the same time in a fresh home are one and whole."""
    fresh = Command(tmp_path / "home", tmp_path)
    code = "import os; print(open(os.environ['NODE_EXTRA_CA_CERTS']).read())"
    args = ("run", "-q", "--store", "memory", "--", sys.executable, "-c", code)
    with fresh.start(*args) as one, fresh.start(*args) as other:
        assert [one.end(60), other.end(60)] == [0, 0]
    assert "END CERTIFICATE" in one.output
    assert one.output == other.output


# ---- mistakes


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--config", "/no/such/file.yaml"], "the configuration cannot be read"),
        (["--set", "ssl_insecur=true"], "did you mean ssl_insecure?"),
        (["--set", "ssl_insecure=perhaps"], "ssl_insecure"),
        (["--store", "papyrus"], "papyrus"),
        (["--base-url", "not a url"], "neither an http(s) URL nor one of"),
        (["--base-url", "openai", "--proxy-localhost"], "not allowed with argument"),
    ],
    ids=["config", "unknown-option", "wrong-value", "store", "base-url", "both-ways"],
)
def test_a_wrong_option_ends_before_the_command_starts(aicache: Command, options: list[str], said: str):
    """The command does not run, the mistake is named, and no stack is shown."""
    done = aicache("run", *options, "--", sys.executable, "-c", "print('ran')")
    assert done.returncode in (1, 2)
    assert done.stdout == ""
    assert said in done.stderr
    assert "Traceback" not in done.stderr


def test_a_reply_that_has_just_arrived_when_the_command_ends_is_stored(aicache: Command, upstream: Upstream):
    """A command that leaves in the middle of its last word loses nothing that was complete."""
    leave = ASK + "\nimport os; os._exit(0)"
    for expected in ("fwd=miss", "hit"):
        options = ("-q", "--proxy-localhost", "--", sys.executable, "-c", leave, "bye", f"{upstream.url}/v1")
        assert f"aicache; {expected}" in aicache.run(*options).stdout
