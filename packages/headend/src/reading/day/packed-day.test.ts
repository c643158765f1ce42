import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { HeadEndError } from "../../errors.ts";
import { type ChannelDay, type MeterDay, NO_STATUS, type Provenance, packDay, unpackDay } from "./packed-day.ts";

const TRUSTED: Provenance = { evidence: 7, protection: "authenticated", trustAtCapture: "trusted" };

function channelOf(values: readonly number[], more: Partial<ChannelDay> = {}): ChannelDay {
  const slots = values.map((_, at) => at + 1);
  return {
    channel: 1,
    periodSeconds: 900,
    slots,
    values,
    status: values.map(() => 0),
    provenance: values.map(() => 0),
    ...more,
  };
}

/** Plain lists, so that typed arrays and lists compare. */
function plain(day: MeterDay): unknown {
  return {
    provenances: day.provenances,
    channels: day.channels.map((one) => ({
      ...one,
      slots: Array.from(one.slots),
      values: Array.from(one.values),
      status: Array.from(one.status),
      provenance: Array.from(one.provenance),
    })),
  };
}

const channel = fc
  .record({
    channel: fc.nat(65_535),
    periodSeconds: fc.constantFrom(60, 300, 900, 1800, 3600, 86_400),
    values: fc.oneof(
      fc.array(fc.nat(2_000), { maxLength: 96 }),
      fc.array(
        fc.integer({ min: -9_999_999, max: 9_999_999 }).map((value) => value / 1000),
        { maxLength: 96 },
      ),
      fc.array(fc.double(), { maxLength: 12 }),
      fc.array(fc.maxSafeInteger(), { maxLength: 12 }),
    ),
    gaps: fc.array(fc.nat(3), { minLength: 96, maxLength: 96 }),
    status: fc.array(fc.oneof(fc.constantFrom(0, NO_STATUS, 2 ** 32 - 1), fc.nat(255)), {
      minLength: 96,
      maxLength: 96,
    }),
    provenance: fc.array(fc.nat(1), { minLength: 96, maxLength: 96 }),
  })
  .map(({ channel, periodSeconds, values, gaps, status, provenance }): ChannelDay => {
    const slots: number[] = [];
    for (let at = 0, slot = 0; at < values.length; at += 1) {
      slot += 1 + (gaps[at] as number);
      if (slot <= 86_400 / periodSeconds) slots.push(slot);
    }
    const count = slots.length;
    return {
      channel,
      periodSeconds,
      slots,
      values: values.slice(0, count),
      status: status.slice(0, count),
      provenance: provenance.slice(0, count),
    };
  });

const day = fc.array(channel, { maxLength: 4 }).map(
  (channels): MeterDay => ({
    provenances: [TRUSTED, { evidence: Number.MAX_SAFE_INTEGER, protection: "none", trustAtCapture: "held" }],
    channels,
  }),
);

test("what is unpacked is what was packed, to the last bit, whatever values, gaps and statuses a day has", () => {
  fc.assert(
    fc.property(day, (one) => {
      assert.deepEqual(plain(unpackDay(packDay(one))), plain(one));
    }),
    { numRuns: 500 },
  );
});

test("an ordinary day of a home on two channels takes under two octets an interval", () => {
  const draws = Array.from({ length: 96 }, (_, at) => 40 + ((at * 7919) % 97) + (at > 68 && at < 88 ? 260 : 0));
  let energy = 1_204_511;
  const totals = draws.map((value) => (energy += value));
  const packed = packDay({ provenances: [TRUSTED], channels: [channelOf(totals), channelOf(draws, { channel: 2 })] });
  assert.ok(packed.length < 2 * 192, `${packed.length} octets`);
});

test("tenths and thousandths stay what they are, and need no eight octets", () => {
  const values = [0.1, 0.2, 0.3, 230.4, 229.957];
  const packed = packDay({ provenances: [TRUSTED], channels: [channelOf(values)] });
  assert.deepEqual(Array.from(unpackDay(packed).channels[0]?.values ?? []), values);
  assert.ok(packed.length < 5 * 8);
});

test("a day that cannot be is refused before an octet is written", () => {
  const pack = (more: Partial<ChannelDay>) => () =>
    packDay({ provenances: [TRUSTED], channels: [channelOf([1, 2], more)] });
  assert.throws(pack({ slots: [2, 1] }), RangeError);
  assert.throws(pack({ slots: [0, 1] }), RangeError);
  assert.throws(pack({ slots: [96, 97] }), RangeError);
  assert.throws(pack({ periodSeconds: 7 }), RangeError);
  assert.throws(pack({ values: [1] }), RangeError);
  assert.throws(pack({ provenance: [0, 1] }), RangeError);
  assert.throws(pack({ status: [-1, 0] }), RangeError);
});

test("octets that are no whole day are an error that names the offset, never a reading", () => {
  const packed = packDay({ provenances: [TRUSTED], channels: [channelOf([5, 6, 7])] });
  for (let length = 0; length < packed.length; length += 1)
    assert.throws(() => unpackDay(packed.subarray(0, length)), { code: "packed-day-invalid", message: /at octet \d+/ });
  assert.throws(() => unpackDay(Uint8Array.of(...packed, 0)), { code: "packed-day-invalid", message: /left over/ });
  assert.throws(() => unpackDay(Uint8Array.of(2, 0, 0)), { code: "packed-day-invalid" });
});

test("whatever octets come, unpacking gives a day that can be packed again or the one error", () => {
  const seeds = [packDay({ provenances: [TRUSTED], channels: [channelOf([5, 6, 7]), channelOf([0.5, 1.5])] })];
  fc.assert(
    fc.property(
      fc.oneof(fc.uint8Array({ maxLength: 60 }), fc.constantFrom(...seeds)),
      fc.array(fc.tuple(fc.nat(80), fc.nat(255)), { maxLength: 3 }),
      (seed, changes) => {
        const octets = Uint8Array.from(seed);
        for (const [at, value] of changes) if (octets.length > 0) octets[at % octets.length] = value;
        try {
          packDay(unpackDay(octets));
        } catch (error) {
          assert.ok(error instanceof HeadEndError && error.code === "packed-day-invalid", String(error));
        }
      },
    ),
    { numRuns: 3_000 },
  );
});
