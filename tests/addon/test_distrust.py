"""A real client that does not trust a real mitmdump's certificate."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

from support.absent import missing
from support.clients import environment
from support.proxy import Mitmdump

URL = "https://provider.invalid/v1/models"
URLLIB = "import sys, urllib.request; urllib.request.urlopen(sys.argv[1], timeout=10)"


def test_the_log_names_the_remedy_of_the_client_that_distrusts_once(tmp_path: Path):
    """A curl is told of CURL_CA_BUNDLE, a Python of SSL_CERT_FILE, with our certificate's file; each once."""
    curl = shutil.which("curl") or missing("curl")
    with Mitmdump(tmp_path) as proxy:
        for _ in range(2):
            done = subprocess.run([str(curl), "-sS", "--proxy", proxy.url, URL], capture_output=True, check=False)
            assert done.returncode == 60, done.stderr
        env = environment(HTTPS_PROXY=proxy.url)
        done = subprocess.run([sys.executable, "-c", URLLIB, URL], capture_output=True, env=env, check=False)
        assert b"CERTIFICATE_VERIFY_FAILED" in done.stderr
        proxy.wait_for("does not trust the proxy's certificate for provider.invalid; ", 2)
        lines = [line for line in proxy.lines if "certificate for provider.invalid; " in line]
    assert len(lines) == 2
    assert "curl/" in lines[0]
    assert "CURL_CA_BUNDLE=" in lines[0]
    assert "NODE_EXTRA_CA_CERTS" not in lines[0]
    assert "SSL_CERT_FILE=" in lines[1]
    assert all(str(proxy.ca) in line for line in lines)
