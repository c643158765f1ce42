import assert from "node:assert/strict";
import { test } from "node:test";
import type { ContactAdvance, RotationState, TakeoverState } from "@meterkeep/api/custodian";
import { fromHex, systemTitle } from "@meterkeep/dlms";
import type { MeterDirectory } from "../inventory/directory.ts";
import type { Meter, MeterId } from "../inventory/meter.ts";
import type { OnDemand } from "../work/lease.ts";
import { carryRotation, type RotationPorts } from "./rotation.ts";
import { queueRotationContacts } from "./rotation-contacts.ts";

const title = systemTitle(fromHex("4D4B560000000001"));
const METER = { systemTitle: title, route: { kind: "tcp", host: "127.0.0.1", port: 1 } as const };
const TAKEOVER: TakeoverState = {
  meter: title,
  phase: "done",
  step: "done",
  grade: "exposed",
  verdict: "proven",
  steps: [],
  holders: [],
  sentence: "",
};
const rotation = (phase: RotationState["phase"]): RotationState => ({
  meter: title,
  rotation: 1,
  cause: "demand",
  purposes: ["GUEK"],
  risk: 1,
  phase,
  plannedAt: 0,
  plannedBy: "operator",
  unproven: [],
  sentence: `It is ${phase}.`,
});
const never = new AbortController().signal;

/** A custodian whose contacts end one after the other as told; `lost` is a line that fails. */
function scripted(
  ends: readonly ("reconnect" | "wait" | "done" | "lost" | "nothing")[],
  phase: RotationState["phase"],
) {
  let at = 0;
  const close = (next: "reconnect" | "wait" | "done"): ContactAdvance => ({
    kind: "close",
    next,
    milliseconds: 0,
    state: TAKEOVER,
    step: "release",
  });
  const ports: RotationPorts = {
    custodian: {
      nextContact: async () =>
        ends[at] === "nothing" || at >= ends.length
          ? { kind: "nothing", state: TAKEOVER }
          : {
              kind: "connect",
              contact: "c",
              clientSap: 1,
              serverSap: 1,
              step: "current-keys-association",
              apdu: Uint8Array.of(0x60),
            },
      advanceContact: async () => {
        const end = ends[at] as "reconnect" | "wait" | "done" | "lost";
        at += 1;
        return close(end === "lost" ? "reconnect" : end);
      },
      rotationStates: async () => ({ states: [rotation(phase)] }),
      enrolmentStates: async () => ({ states: [] }),
    },
    dial: async () => ({
      exchange: async () => {
        if (ends[at] === "lost") throw Object.assign(new Error("no"), { code: "response-timeout" });
        return Uint8Array.of(0x61);
      },
      [Symbol.asyncDispose]: async () => undefined,
    }),
    now: () => 0,
  };
  return { ports, contacts: () => at };
}

test("the contacts of a rotation follow each other as long as the custodian wants the next, and are one session", async () => {
  const { ports, contacts } = scripted(["reconnect", "reconnect", "done"], "retired");
  const session = await carryRotation(ports, METER, never);
  assert.equal(contacts(), 3);
  assert.deepEqual([session?.purpose, session?.outcome, session?.sentence], ["rotate", "done", "It is retired."]);
  assert.equal(session?.ladder.length, 6);
});

test("a lost line ends the session; the custodian asks for the meter again", async () => {
  const { ports, contacts } = scripted(["reconnect", "lost", "done"], "unknown");
  const session = await carryRotation(ports, METER, never);
  assert.equal(contacts(), 2);
  assert.deepEqual([session?.outcome, session?.code], ["lost", "response-timeout"]);
  assert.match(session?.sentence ?? "", /^The line was lost at current-keys-association\. It is unknown\.$/);
});

test("a meter that will not change its keys makes a session that was refused", async () => {
  const { ports } = scripted(["done"], "failed");
  assert.equal((await carryRotation(ports, METER, never))?.outcome, "refused");
});

test("where nothing is to be done nobody is spoken to", async () => {
  const { ports } = scripted(["nothing"], "retired");
  assert.equal(await carryRotation(ports, METER, never), undefined);
});

test("a custodian that wants contacts without end gets eight in a row", async () => {
  const { ports, contacts } = scripted(Array(20).fill("reconnect"), "unknown");
  await carryRotation(ports, METER, never);
  assert.equal(contacts(), 8);
});

test("meters that the custodian asks for are made due for their keys; strangers are left out", async () => {
  const asked: { meters: readonly MeterId[]; onDemand: OnDemand | undefined }[] = [];
  const stranger = systemTitle(fromHex("4D4B560000000002"));
  const queued = await queueRotationContacts({
    custodian: { contactsDue: async () => ({ meters: [title, stranger] }) },
    directory: {
      find: ((wanted: Uint8Array) =>
        wanted === title ? ({ id: 7 } as unknown as Meter) : undefined) as MeterDirectory["find"],
    },
    queue: {
      due: async (meters, _, __, onDemand) => {
        asked.push({ meters, onDemand });
      },
    },
    now: () => 0,
  });
  assert.equal(queued, 1);
  assert.deepEqual(asked, [{ meters: [7 as MeterId], onDemand: "rotate" }]);
});
