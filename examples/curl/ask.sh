#!/bin/sh
# Ask a model with curl. HTTPS_PROXY and CURL_CA_BUNDLE, which `aicache run` sets, lead it through the cache.
set -eu
curl --silent --show-error --fail-with-body https://api.openai.com/v1/chat/completions \
  --header "authorization: Bearer ${OPENAI_API_KEY:-}" \
  --header "content-type: application/json" \
  --data '{"model": "gpt-4o-mini", "messages": [{"role": "user", "content": "What is the capital of France? Answer in one word."}]}'
