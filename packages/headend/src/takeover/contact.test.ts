import assert from "node:assert/strict";
import { test } from "node:test";
import type { ContactAdvance, ContactEvent, NextContact, TakeoverState } from "@meterkeep/api/custodian";
import { fromHex, systemTitle } from "@meterkeep/dlms";
import { type ContactPorts, carryContact } from "./contact.ts";
import { contactRecord } from "./contact-record.ts";

const METER = {
  systemTitle: systemTitle(fromHex("4D4B560000000001")),
  route: { kind: "tcp", host: "127.0.0.1", port: 1 } as const,
};
const STATE: TakeoverState = {
  meter: METER.systemTitle,
  phase: "in-progress",
  step: "identity-check",
  grade: "none",
  verdict: "pending",
  provenAt: undefined,
  steps: [],
  holders: ["Maker"],
  sentence: "Its keys are being changed.",
};
const CONNECT: NextContact = {
  kind: "connect",
  contact: "c1",
  clientSap: 1,
  serverSap: 1,
  step: "factory-association",
  apdu: Uint8Array.of(0x60),
};
const never = new AbortController().signal;

/** A custodian that answers with a script, and a line that answers every APDU with 0x61 unless it fails. */
function scripted(next: NextContact, answers: readonly ContactAdvance[], fail?: { at: number; code: string }) {
  const events: ContactEvent[] = [];
  let sent = 0;
  let closed = 0;
  const ports: ContactPorts = {
    custodian: {
      nextContact: async () => next,
      advanceContact: async ({ event }) => {
        events.push(event);
        return answers[events.length - 1] as ContactAdvance;
      },
    },
    dial: async () => {
      if (fail?.at === 0) throw Object.assign(new Error("no"), { code: fail.code });
      return {
        exchange: async () => {
          sent += 1;
          if (fail?.at === sent) throw Object.assign(new Error("no"), { code: fail.code });
          return Uint8Array.of(0x61);
        },
        [Symbol.asyncDispose]: async () => {
          closed += 1;
        },
      };
    },
    now: () => 0,
  };
  return { ports, events, closed: () => closed };
}

const close = (next: "reconnect" | "wait" | "done", milliseconds = 0): ContactAdvance => ({
  kind: "close",
  next,
  milliseconds,
  state: STATE,
  step: "identity-check",
});

test("octets go back and forth until the custodian closes, and every one is on the ladder", async () => {
  const { ports, events, closed } = scripted(CONNECT, [
    { kind: "send", step: "identity-check", apdu: Uint8Array.of(0xc8, 1) },
    close("reconnect"),
  ]);
  const result = await carryContact(ports, METER, never);
  assert.equal(result.next, "reconnect");
  assert.deepEqual(
    result.ladder.map(({ toMeter, step, protection }) => [toMeter, step, protection]),
    [
      [true, "factory-association", "none"],
      [false, "factory-association", "none"],
      [true, "identity-check", "authenticated"],
      [false, "identity-check", "none"],
    ],
  );
  assert.deepEqual(
    events.map(({ kind }) => kind),
    ["received", "received"],
  );
  assert.equal(closed(), 1);
  assert.equal(contactRecord(result, 0, 1).outcome, "done");
});

test("nothing to do and waiting speak with nobody", async () => {
  for (const next of [
    { kind: "nothing", state: STATE },
    { kind: "wait", milliseconds: 7, state: STATE },
  ] as const) {
    const { ports, events } = scripted(next, []);
    const result = await carryContact(ports, METER, never);
    assert.deepEqual(
      [result.next, result.milliseconds, result.ladder.length],
      next.kind === "nothing" ? ["done", 0, 0] : ["wait", 7, 0],
    );
    assert.equal(events.length, 0);
  }
});

for (const [what, fail, reason] of [
  ["a meter that cannot be reached has heard nothing", { at: 0, code: "connection-failed" }, "unreachable"],
  ["an answer that does not come is timed out", { at: 1, code: "response-timeout" }, "timed-out"],
  ["a line that breaks off may have carried the octets", { at: 2, code: "connection-closed" }, "closed"],
  ["a session that is given up is abandoned", { at: 2, code: "exchange-aborted" }, "abandoned"],
] as const)
  test(`${what}: the custodian is told "${reason}" and decides`, async () => {
    const before: ContactAdvance[] =
      fail.at === 2 ? [{ kind: "send", step: "transfer-working-keys", apdu: Uint8Array.of(0xcb) }] : [];
    const { ports, events, closed } = scripted(CONNECT, [...before, close("wait", 500)], fail);
    const result = await carryContact(ports, METER, never);
    assert.deepEqual(events.at(-1), { kind: "lost", reason });
    assert.deepEqual([result.next, result.milliseconds, result.lost?.code], ["wait", 500, fail.code]);
    assert.equal(closed(), fail.at === 0 ? 0 : 1);
    assert.equal(contactRecord(result, 0, 1).outcome, "lost");
  });
