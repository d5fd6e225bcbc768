"""Record the examples anew, against a provider on loopback that passes for the real one: no key, no network.

`PYTHON=... python tests/support/record_examples.py`; PYTHON is one with openai and pytest. Run it when an example's
calls, or the format of recordings, have changed.
"""

from __future__ import annotations

import json
import os
import shutil
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT / name) for name in ("scripts", "addon", "tests")]

import verbs
from mitmproxy.proxy import server_hooks
from verbs import record, run

from support.certificates import Authority
from support.upstream import Asked, Script, Upstream, chat_chunks, chat_json

COMMANDS = {
    "python": ([], [os.environ.get("PYTHON", sys.executable), "-m", "pytest", "-q", "-p", "no:cacheprovider"]),
    "node": (["--base-url"], ["node", "--test"]),
    "curl": ([], ["sh", "ask.sh"]),
}
"""Folder -> options of aicache, command."""
ANSWERS = {
    "capital of France": "Paris",
    "story about a fox": "A fox who feared the dark befriended a firefly.",
    "soup was cold": '{"mood": "negative"}',
}


class Loopback:
    """An addon that leads every connection to the provider at *port*."""

    def __init__(self, port: int) -> None:
        self.port = port

    def server_connect(self, data: server_hooks.ServerConnectionHookData) -> None:
        """Turn the connection; its name for TLS stays."""
        data.server.address = ("127.0.0.1", self.port)


class Provider:
    """Answers what the examples ask; a job is done at the third question."""

    def __init__(self) -> None:
        self.polls = 0

    def __call__(self, asked: Asked) -> Script:
        """Answer one call."""
        question = asked.json["messages"][-1]["content"]
        if "done?" in question:
            self.polls += 1
            return Script(json.dumps(chat_json("yes" if self.polls % 3 == 0 else "no")).encode())
        answer = next(answer for part, answer in ANSWERS.items() if part in question)
        if asked.json.get("stream"):
            head = {"content-type": "text/event-stream"}
            return Script(chat_chunks(answer), headers=head, framing="chunked")
        return Script(json.dumps(chat_json(answer)).encode())


def main() -> int:
    """Record every example; return the first exit code that is not 0."""
    os.environ["OPENAI_API_KEY"] = "no-key-is-needed-here"
    os.environ["PYTHONDONTWRITEBYTECODE"] = "1"
    with tempfile.TemporaryDirectory() as name:
        tls = Authority(Path(name)).server("api.openai.com")
        for folder, (options, command) in COMMANDS.items():
            os.chdir(ROOT / "examples" / folder)
            shutil.rmtree("recordings", ignore_errors=True)
            with Upstream(Provider(), tls=tls) as provider:
                given = ["--config", "aicache.yaml", *options, "--set", "ssl_insecure=true", "--set", f"confdir={name}"]
                args = verbs.parser_of(record, "record").parse_args([*given, "--", *command])
                args.mode = "record"
                args.store = record.store_of(args.config)

                if code := run.main(args, (Loopback(provider.port),)):
                    return code
    return 0


if __name__ == "__main__":
    sys.exit(main())
