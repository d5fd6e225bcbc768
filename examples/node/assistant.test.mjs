import assert from "node:assert/strict";
import test from "node:test";
import { capital, story } from "./assistant.mjs";

test("a call with a JSON answer", async () => {
  assert.equal(await capital("France"), "Paris");
});

test("a stream comes back with its chunks", async () => {
  const pieces = [];
  for await (const piece of story("a fox")) pieces.push(piece);
  assert.ok(pieces.length > 1);
  assert.match(pieces.join(""), /fox/);
});
