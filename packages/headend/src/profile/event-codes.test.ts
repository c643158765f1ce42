import assert from "node:assert/strict";
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { fileURLToPath } from "node:url";
import { EVENT_CODES, type EventCodes, eventFacts } from "./event-codes.ts";

const SHARED = process.env["METERKEEP_SHARED"] ?? fileURLToPath(new URL("../../../../../shared", import.meta.url));
const CODES = join(SHARED, "data/dlms-events.json");

interface SharedEvent {
  readonly profile: string;
  readonly code: number;
  readonly category: string;
  readonly severity: number;
  readonly ambiguous: boolean;
}

const FAMILIES: Readonly<Record<string, EventCodes>> = { IDIS: EVENT_CODES.idis, "DSMR-SMR": EVENT_CODES.dsmr };

for (const [family, codes] of Object.entries(FAMILIES))
  test(`event codes of ${family} mean what real meters mean by them`, { skip: !existsSync(CODES) }, () => {
    const events = (JSON.parse(readFileSync(CODES, "utf8")) as { events: readonly SharedEvent[] }).events;
    const known = Map.groupBy(
      events.filter(({ profile }) => profile === family),
      ({ code }) => code,
    );
    const strange = Object.entries(codes).filter(([code, { category, severity }]) => {
      const meanings = known.get(Number(code)) ?? [];
      // Some codes nobody has listed for the family: nothing contradicts them.
      return meanings.length > 0 && !meanings.some((each) => each.category === category && each.severity === severity);
    });
    assert.deepEqual(strange, []);
    const listed = Object.keys(codes).filter((code) => known.has(Number(code)));
    assert.ok(listed.length >= 60, `${listed.length} codes were compared`);
  });

test("a code that nobody knows is shown as a number", () => {
  assert.deepEqual(eventFacts(EVENT_CODES.idis, 9999), { words: "event 9999", category: "other", severity: 0 });
});
