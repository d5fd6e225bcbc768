// The openai SDK for Node as the tests drive it: one call for each line of JSON on stdin, one line of JSON back.
// A line: {"base_url", "api_key", "env", "method": create|parse|stream or a resource, "call": {...}}; the answer is as in openai_sdk.py.
// Node 20's fetch knows no proxy: where HTTPS_PROXY is given, undici's agent for it is handed to the SDK.
import { createInterface } from "node:readline";
import OpenAI from "openai";
import { fetch, ProxyAgent } from "undici";

const SUM = {
  name: "Sum",
  strict: true,
  schema: {
    type: "object",
    properties: { left: { type: "integer" }, right: { type: "integer" }, total: { type: "integer" } },
    required: ["left", "right", "total"],
    additionalProperties: false,
  },
};

function options({ HTTPS_PROXY }) {
  if (!HTTPS_PROXY) return {};
  return { fetch, fetchOptions: { dispatcher: new ProxyAgent({ uri: HTTPS_PROXY }) } };
}

async function objects(client, method, call) {
  const completions = client.chat.completions;
  if (method === "parse") {
    return [await completions.parse({ ...call, response_format: { type: "json_schema", json_schema: SUM } })];
  }
  if (method === "stream") return [await completions.stream(call).finalChatCompletion()];
  const made = await (method === "create" ? completions : client[method]).create(call);
  if (!call.stream) return [made];
  const chunks = [];
  for await (const chunk of made) chunks.push(chunk);
  return chunks;
}

for await (const line of createInterface({ input: process.stdin })) {
  const { base_url, api_key, env = {}, method, call } = JSON.parse(line);
  const proxied = options(env);
  const client = new OpenAI({ baseURL: base_url, apiKey: api_key, ...proxied });
  let result;
  try {
    result = { objects: await objects(client, method, call) };
  } catch (error) {
    const message = `${error.message} ${error.cause ?? ""}`;
    result = { error: error.constructor.name, status: error.status ?? null, message };
  }
  await proxied.fetchOptions?.dispatcher.close();
  console.log(JSON.stringify(result));
}
