"""boto3's client of Amazon Bedrock as the tests drive it: one call for each line of JSON on stdin, one line back.

A line: {"base_url", "api_key", "env", "method", "call": {...}}; the method is one of the client's, the key an access
key, or `bearer ` and a bearer key. The answer: {"objects": [...]} without `ResponseMetadata`, the bodies and chunks of
invoked models as text, or {"error", "code", "status", "retries", "message"}.
It imports nothing of ours (.venv-clients).
"""

from __future__ import annotations

import json
import os
import sys

import boto3
from botocore.exceptions import BotoCoreError, ClientError, EventStreamError


def client(order):
    """Return a client with the order's credentials and nothing of this machine's."""
    os.environ.pop("AWS_BEARER_TOKEN_BEDROCK", None)
    key, url = order["api_key"], order["base_url"]
    if key.startswith("bearer "):  # boto3 sends a bearer key over TLS only; the proxy speaks both on one port
        os.environ["AWS_BEARER_TOKEN_BEDROCK"] = key.removeprefix("bearer ")
        url = url.replace("http:", "https:")
    session = boto3.session.Session(aws_access_key_id=key, aws_secret_access_key="s", region_name="us-east-1")
    return session.client("bedrock-runtime", endpoint_url=url, verify=os.environ["SSL_CERT_FILE"])


def perform(order):
    """Do what one line asks for."""
    os.environ.update({name: value for name, value in order.get("env", {}).items() if value})
    call = order["call"]
    if "body" in call:
        call = call | {"body": json.dumps(call["body"])}
    found = getattr(client(order), order["method"])(**call)
    match order["method"]:
        case "converse_stream":
            objects = list(found["stream"])
        case "invoke_model_with_response_stream":
            objects = [event["chunk"]["bytes"].decode() for event in found["body"]]
        case "invoke_model":
            objects = [found["body"].read().decode()]
        case _:
            objects = [{name: value for name, value in found.items() if name != "ResponseMetadata"}]
    return {"objects": objects}


for line in sys.stdin:
    try:
        result = perform(json.loads(line))
    except (ClientError, EventStreamError) as error:
        said, meta = error.response["Error"], error.response.get("ResponseMetadata", {})
        result = {"error": type(error).__name__, "code": said["Code"], "message": said["Message"]}
        result |= {"status": meta.get("HTTPStatusCode"), "retries": meta.get("RetryAttempts")}
    except BotoCoreError as error:
        result = {"error": type(error).__name__, "message": str(error)}
    sys.stdout.write(json.dumps(result, default=repr) + "\n")
    sys.stdout.flush()
