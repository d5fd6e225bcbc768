"""Whose path is it: every documented path belongs to one dialect, and what belongs to none is left alone.

A dialect that is added appends its rows; `None` names paths near to ours that nobody may claim.
"""

from __future__ import annotations

import pytest
from llmcache import wire

V1 = "/v1/projects/p/locations/global/publishers/"
PATHS: list[tuple[str, str, str | None]] = [
    ("POST", "/v1/chat/completions", "openai-chat"),
    ("POST", "/v1/messages", "anthropic"),
    ("POST", "/anthropic/v1/messages", "anthropic"),
    ("POST", "/api/v1/messages", "anthropic"),
    ("POST", V1 + "anthropic/models/claude-sonnet-4-5%4020250929:rawPredict", "anthropic"),
    ("POST", V1 + "anthropic/models/claude-sonnet-4-5@20250929:streamRawPredict", "anthropic"),
    ("POST", "/v1/messages/batches", "anthropic"),
    ("GET", "/v1/messages/batches/msgbatch_1/results", "anthropic"),
    ("POST", "/v1/messages/batches/msgbatch_1/cancel", "anthropic"),
    ("POST", "/v1/messages/count_tokens", "anthropic-count-tokens"),
    ("POST", "/anthropic/v1/messages/count_tokens", "anthropic-count-tokens"),
    ("POST", V1 + "anthropic/models/count-tokens:rawPredict", "anthropic-count-tokens"),
    ("POST", V1 + "mistralai/models/mistral-small-2503:rawPredict", None),
    ("GET", "/v1/messages", None),
    ("GET", "/v1/models", None),
    ("POST", "/v1/threads/t/messages", None),
    ("POST", "/v1/complete", None),
    ("POST", "/v1beta/models/gemini-2.5-flash:generateContent", "google"),
    ("POST", "/v1/models/gemini-2.5-flash:streamGenerateContent", "google"),
    ("POST", "/google/v1beta/models/gemini-2.5-flash:generateContent", "google"),
    ("POST", "/v1beta/tunedModels/mine-1:generateContent", "google"),
    ("POST", "/v1beta/models/gemini-embedding-001:embedContent", "google"),
    ("POST", "/v1beta/models/gemini-embedding-001:batchEmbedContents", "google"),
    ("POST", "/v1beta/models/gemini-2.5-flash:countTokens", "google"),
    ("POST", "/v1beta/models/gemini-2.5-flash:batchGenerateContent", "google"),
    ("POST", "/v1/publishers/google/models/gemini-2.5-flash:generateContent", "google"),
    ("POST", V1 + "google/models/gemini-2.5-flash:streamGenerateContent", "google"),
    ("POST", V1.replace("v1", "v1beta1", 1) + "google/models/gemini-2.5-flash:countTokens", "google"),
    ("POST", V1 + "google/models/text-embedding-005:predict", "google"),
    ("POST", "/v1/projects/p/locations/l/endpoints/42:generateContent", "google"),
    ("POST", "/v1/projects/p/locations/l/endpoints/42:predict", None),
    ("GET", "/v1beta/models/gemini-2.5-flash:generateContent", None),
    ("GET", "/v1beta/models/gemini-2.5-flash", None),
    ("POST", "/v1beta/cachedContents", None),
    ("POST", "/upload/v1beta/files", None),
    ("GET", "/ws/google.ai.generativelanguage.v1beta.GenerativeService.BidiGenerateContent", None),
    ("POST", "/v1beta/openai/chat/completions", "openai-chat"),
    ("POST", "/api/chat", "ollama"),
    ("POST", "/ollama/api/chat", "ollama"),
    ("POST", "/api/generate", "ollama"),
    ("POST", "/api/embed", "ollama"),
    ("POST", "/api/embeddings", "ollama"),
    ("POST", "/api/show", None),
    ("POST", "/api/pull", None),
    ("GET", "/api/tags", None),
    ("POST", "/model/us.amazon.nova-micro-v1%3A0/converse", "bedrock-converse"),
    ("POST", "/model/arn%3Aaws%3Abedrock%3Aus-east-1%3A1%3Ainference-profile%2Fp/converse-stream", "bedrock-converse"),
    ("POST", "/gateway/model/arn:aws:bedrock:us-east-1:1:inference-profile/p/converse", "bedrock-converse"),
    ("POST", "/model/anthropic.claude-opus-4-8/invoke", "bedrock-invoke"),
    ("POST", "/model/anthropic.claude-opus-4-8/invoke-with-response-stream", "bedrock-invoke"),
    ("POST", "/model/anthropic.claude-opus-4-8/count-tokens", "bedrock-invoke"),
    ("POST", "/model/amazon.nova-reel-v1%3A0/async-invoke", None),
    ("POST", "/model/amazon.nova-sonic-v1%3A0/invoke-with-bidirectional-stream", None),
    ("POST", "/guardrail/g/version/1/apply", None),
    ("GET", "/model/anthropic.claude-opus-4-8/invoke", None),
    ("POST", "/converse", None),
    ("POST", "/v2/chat", "cohere"),
    ("POST", "/v2/embed", "cohere"),
    ("POST", "/v1/embed", "cohere"),
    ("POST", "/v2/rerank", "cohere"),
    ("POST", "/v1/tokenize", "cohere"),
    ("POST", "/v1/detokenize", "cohere"),
    ("POST", "/v1/chat", None),
    ("POST", "/v1/generate", None),
    ("POST", "/v1/embed-jobs", None),
    ("POST", "/api/v1/services/aigc/text-generation/generation", "dashscope"),
    ("POST", "/api/v1/services/aigc/multimodal-generation/generation", "dashscope"),
    ("POST", "/api/v1/services/embeddings/text-embedding/text-embedding", "dashscope"),
    ("POST", "/api/v1/services/embeddings/multimodal-embedding/multimodal-embedding", "dashscope"),
    ("POST", "/api/v1/services/rerank/text-rerank/text-rerank", "dashscope"),
    ("POST", "/api/v1/services/aigc/text2image/image-synthesis", None),
    ("GET", "/api/v1/tasks/t", None),
    ("POST", "/compatible-mode/v1/chat/completions", "openai-chat"),
]


@pytest.mark.parametrize(("method", "path", "name"), PATHS, ids=str)
def test_a_path_belongs_to_one_dialect(method: str, path: str, name: str | None) -> None:
    """The dialect named claims the request line; if several would, the first of `DIALECTS` is the right one."""
    found = wire.find(method, path)
    assert name == (found.NAME if found else None)
    assert ([name] if name else []) == [each.NAME for each in wire.DIALECTS if each.matches(method, path)]
