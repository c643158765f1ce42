import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { concatBytes, fromHex } from "../bytes.ts";
import { LINK_ERROR_CODES } from "../link/fault.ts";
import { SCANNER_LONGEST_BYTES } from "../link/scanner.ts";
import { captureBytes, readCaptures } from "./capture-set.test.ts";
import { decodeTelegrams } from "./decode.ts";
import { TelegramDecoder, type TelegramOptions } from "./decoder.ts";
import { keysForAll } from "./keys.ts";
import { TELEGRAM_ERROR_CODES } from "./refusal.ts";
import { TELEGRAM_WARNING_CODES } from "./warning.ts";

const CODES: ReadonlySet<string> = new Set([...LINK_ERROR_CODES, ...TELEGRAM_ERROR_CODES]);
const WARNINGS: ReadonlySet<string> = new Set(TELEGRAM_WARNING_CODES);
const captures = readCaptures();
const skip = captures.length === 0;

function optionsOf(guek: string | null): TelegramOptions {
  return guek === null ? {} : { keys: keysForAll({ encryptionKey: fromHex(guek) }) };
}

/** Whatever comes in, what comes out is telegrams and refusals with known codes and offsets inside the input. */
function assertSane(bytes: Uint8Array, options: TelegramOptions): void {
  const { telegrams, refusals } = decodeTelegrams(bytes, options);
  assert.ok(telegrams.length + refusals.length > 0);
  for (const { code, offset, message } of refusals) {
    assert.ok(CODES.has(code), code);
    assert.ok(offset >= 0 && offset <= bytes.length, `${code} at ${offset} of ${bytes.length}`);
    assert.ok(message.length > 0 && !message.includes("undefined") && !message.includes("NaN"), message);
  }
  for (const telegram of telegrams) {
    for (const { code } of telegram.warnings) assert.ok(WARNINGS.has(code), code);
    for (const { value, unit } of telegram.readings) assert.ok(value !== undefined && unit !== undefined);
    JSON.stringify(telegram);
  }
}

const mutation = fc.record({
  at: fc.nat(4000),
  kind: fc.constantFrom("flip", "drop", "insert", "cut", "repeat"),
  octet: fc.integer({ min: 0, max: 255 }),
  length: fc.integer({ min: 1, max: 12 }),
});

type Mutation = typeof mutation extends fc.Arbitrary<infer T> ? T : never;

function mutate(bytes: Uint8Array, { at, kind, octet, length }: Mutation): Uint8Array {
  const here = bytes.length === 0 ? 0 : at % bytes.length;
  const before = bytes.subarray(0, here);
  const after = bytes.subarray(here);
  switch (kind) {
    case "flip":
      return bytes.map((value, index) => (index === here ? octet : value));
    case "drop":
      return concatBytes(before, after.subarray(length));
    case "insert":
      return concatBytes(before, new Uint8Array(length).fill(octet), after);
    case "cut":
      return before;
    default:
      return concatBytes(before, after, after);
  }
}

test("damaged recordings give telegrams or refusals, and never an exception", { skip }, () => {
  fc.assert(
    fc.property(
      fc.constantFrom(...captures),
      fc.array(mutation, { minLength: 1, maxLength: 3 }),
      (capture, mutations) => {
        assertSane(mutations.reduce(mutate, captureBytes(capture)), optionsOf(capture.keys.guek));
      },
    ),
    { numRuns: 600 },
  );
});

test("damaged plaintexts, which no check guards, give telegrams or refusals", { skip }, () => {
  const plaintexts = captures.map(({ plaintextApdu }) => plaintextApdu).filter((text) => text !== null);
  fc.assert(
    fc.property(
      fc.constantFrom(...plaintexts),
      fc.array(mutation, { minLength: 1, maxLength: 4 }),
      (hex, mutations) => {
        assertSane(mutations.reduce(mutate, fromHex(hex)), {});
      },
    ),
    { numRuns: 600 },
  );
});

test("random octets give refusals", () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 400 }), (bytes) => assertSane(bytes, {})),
    { numRuns: 300 },
  );
});

test("one octet changed in a frame with checksums never changes a reading", { skip }, () => {
  const framed = captures.filter(({ kind, frames }) => /push$/.test(kind) && /^(7E|68)/.test(frames[0] ?? ""));
  fc.assert(
    fc.property(fc.constantFrom(...framed), fc.nat(4000), fc.integer({ min: 1, max: 255 }), (capture, at, change) => {
      const bytes = captureBytes(capture);
      const options = optionsOf(capture.keys.guek);
      const genuine = new Set(decodeTelegrams(bytes, options).telegrams.map((one) => JSON.stringify(one.readings)));
      const here = at % bytes.length;
      const changed = bytes.map((value, index) => (index === here ? value ^ change : value));
      for (const telegram of decodeTelegrams(changed, options).telegrams)
        assert.ok(
          genuine.has(JSON.stringify(telegram.readings)),
          `${capture.name}, octet ${here} changed by ${change}`,
        );
    }),
    { numRuns: 300 },
  );
});

test("a hostile stream costs bounded work for every octet, and the longest false promises are waited for no longer", () => {
  // Each of these makes the decoder expect much: a frame, a telegram, a transfer that never comes.
  const lures = [
    "7ea7ff",
    "7eafff0321138517",
    "68ffff68",
    "6801016853ff",
    "2f4142433564",
    "db0841424300000000008300ffff2000",
    "0f00000001000282ffff",
    "000100010001ffff0f",
    "e04000010000820fff",
    "7e7e7e7e",
    "e6e700e0400001000000",
  ].map(fromHex);
  for (const lure of lures) {
    const stream = concatBytes(...Array.from({ length: Math.ceil(200_000 / lure.length) }, () => lure));
    const decoder = new TelegramDecoder();
    let outcomes = 0;
    for (let at = 0; at < stream.length; at += 4096) outcomes += decoder.push(stream.subarray(at, at + 4096)).length;
    outcomes += decoder.end().length;
    assert.ok(outcomes <= stream.length, `${outcomes} outcomes`);
  }
  assert.ok(SCANNER_LONGEST_BYTES < 100_000);
});
