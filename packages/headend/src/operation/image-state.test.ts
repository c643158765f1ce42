import assert from "node:assert/strict";
import { test } from "node:test";
import { type Data, data, encode } from "@meterkeep/dlms";
import { findMeterProfile } from "../profile/meter-profile.ts";
import { imageFact, runningFact } from "./image-state.ts";
import type { OperationSession } from "./operation.ts";

const WANTED = { identifier: "I120-250", imageBytes: 5 };

/** A session with a meter that answers every GET so. */
function saying(answer: Data): OperationSession {
  return {
    session: { get: async () => encode(data, answer) },
    profile: findMeterProfile("idis-p3"),
    begin: () => undefined,
    evidence: () => ({}),
  } as unknown as OperationSession;
}

function image(identification: Uint8Array): OperationSession {
  const fields: Data[] = [
    { type: "double-long-unsigned", value: 5 },
    { type: "octet-string", value: identification },
    { type: "octet-string", value: Uint8Array.of(0xab) },
  ];
  return saying({ type: "array", value: [{ type: "structure", value: fields }] });
}

const octets = (text: string) => new TextEncoder().encode(text);

test("the image to activate holds by its very octets, and is shown without what no database takes", async () => {
  const right = await imageFact(image(octets("I120-250")), WANTED);
  assert.deepEqual([right.found, right.holds], ["I120-250 of 5 octets", true]);
  const spoilt = await imageFact(image(octets("I120-250\u0000\u001b")), WANTED);
  assert.deepEqual([spoilt.found, spoilt.holds], ["I120-250?? of 5 octets", false]);
  // A byte order mark, which no decoder shows, and a control that is shown as what was approved.
  const marked = await imageFact(image(octets("\ufeffI120-250")), WANTED);
  assert.equal(marked.holds, false);
  const alike = await imageFact(image(octets("I120\u0000")), { ...WANTED, identifier: "I120?" });
  assert.deepEqual([alike.found, alike.holds], ["I120? of 5 octets", false]);
});

test("the firmware that runs is kept without what no database takes, and runs only if it is just the one wanted", async () => {
  for (const type of ["visible-string", "utf8-string"] as const) {
    const { fact, running } = await runningFact(saying({ type, value: "I120-2.5\u0000" }), "I120-2.5?");
    assert.deepEqual([running, fact.found, fact.holds], ["I120-2.5?", "I120-2.5?", false]);
  }
  const { fact } = await runningFact(saying({ type: "visible-string", value: "I120-2.5" }), "I120-2.5");
  assert.equal(fact.holds, true);
});
