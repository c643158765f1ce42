import assert from "node:assert/strict";
import { test } from "node:test";
import type { NumberedAnnouncement } from "../outbox/announcement.ts";
import type { Carrier, Consignment, Hearing } from "../outbox/carrier.ts";

/** A fresh line, and what hears what is handed over to it. */
export interface CarrierUnderTest extends AsyncDisposable {
  readonly carrier: Carrier;
  readonly hearing: Hearing;
}

/** Announcements `from` to `to` of an origin. */
export function consignment(origin: string, from: number, to: number): Consignment {
  const announcements = Array.from(
    { length: to - from + 1 },
    (_, n): NumberedAnnouncement => ({
      sequence: from + n,
      at: 1_700_000_000_000 + n,
      kind: "trust",
      meter: "4D4B560000000001",
      body: JSON.stringify({ number: from + n }),
    }),
  );
  return { origin, announcements };
}

/** What every adapter of `Carrier` and `Hearing` does. */
export function carrierContract(name: string, open: () => Promise<CarrierUnderTest>): void {
  test(`${name}: one origin's consignments are heard in their order, each of them, as they were handed over`, async () => {
    await using under = await open();
    const told = [
      consignment("u/a/00000001", 1, 3),
      consignment("u/b/00000002", 1, 1),
      consignment("u/a/00000001", 4, 9),
    ];
    for (const one of told) await under.carrier.carry(one);
    const heard = await hearUntil(under.hearing, (all) => all.length >= told.length);
    const of = (origin: string, all: readonly Consignment[]) => all.filter((one) => one.origin === origin);
    for (const origin of ["u/a/00000001", "u/b/00000002"]) assert.deepEqual(of(origin, heard), of(origin, told));
  });

  test(`${name}: what is not taken in comes again, and what comes after it waits`, async () => {
    await using under = await open();
    for (let n = 1; n <= 3; n += 1) await under.carrier.carry(consignment("u/a/00000001", n, n));
    const tried: number[] = [];
    let fails = 2;
    const signal = new AbortController();
    while (!signal.signal.aborted)
      await under.hearing
        .hear(async ({ announcements: [first] }) => {
          tried.push(first?.sequence ?? 0);
          if (first?.sequence === 2 && fails > 0) {
            fails -= 1;
            throw new Error("the database is away");
          }
          if (first?.sequence === 3) signal.abort();
        }, signal.signal)
        .catch((error: unknown) => assert.match(String(error), /away/));
    assert.deepEqual(tried, [1, 2, 2, 2, 3]);
  });
}

/** Hears until the condition holds. */
export async function hearUntil(
  hearing: Hearing,
  isEnough: (heard: readonly Consignment[]) => boolean,
): Promise<readonly Consignment[]> {
  const heard: Consignment[] = [];
  const enough = new AbortController();
  await hearing.hear(async (one) => {
    heard.push(one);
    if (isEnough(heard)) enough.abort();
  }, enough.signal);
  return heard;
}
