import assert from "node:assert/strict";
import type { IncomingMessage } from "node:http";
import { PassThrough } from "node:stream";
import { test } from "node:test";
import { BodyBudget } from "./body-budget.ts";
import { readForm } from "./mercure-form-body.ts";

const FORM = { "content-type": "application/x-www-form-urlencoded" };

function form() {
  const sender = new PassThrough();
  return { sender, request: Object.assign(sender, { headers: FORM }) as unknown as IncomingMessage };
}

test("attack: a sender who was refused and sends on, as HTTP/2 lets it, takes nothing of the budget", async () => {
  const budget = new BodyBudget();
  budget.bytesMax = 100;
  assert.ok(budget.take(80));
  const { sender, request } = form();
  const read = readForm(request, 1000, budget);
  sender.write("x".repeat(30));
  await assert.rejects(read, { status: 503, code: "busy" });
  budget.giveBack(80);
  sender.end("x".repeat(50));
  await new Promise((resolve) => sender.once("close", resolve));
  assert.equal(budget.bytes, 0);
});

test("form: a body within its bound is read, and what it held is given back", async () => {
  const budget = new BodyBudget();
  const { sender, request } = form();
  const read = readForm(request, 1000, budget);
  sender.write("topic=/a");
  sender.end("&data=x");
  assert.equal(await read, "topic=/a&data=x");
  assert.equal(budget.bytes, 0);
});
