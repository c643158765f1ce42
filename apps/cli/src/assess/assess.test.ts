import assert from "node:assert/strict";
import { createSecretKey } from "node:crypto";
import { describe, test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { buildPush, dateTimeAt, equalBytes, frameCountersFrom, fromHex, systemTitle } from "@meterkeep/dlms";
import { nodeCiphers, nodeRandom } from "@meterkeep/dlms-node";
import { resolveAccess } from "../access/meter-access.ts";
import { scratchTerminal } from "../testing/scratch-terminal.ts";
import { type Result, runCheck } from "./assessment.ts";
import type { BenchParts, SeenPush } from "./bench.ts";
import { CHECKS } from "./checks.ts";
import { LOGICAL_NAME_REQUESTS } from "./requests.ts";
import { type Misbehaviour, NO_POLICY } from "./testing/misbehaviour.ts";
import { type SampleMeter, startSampleMeter } from "./testing/sample-meter.ts";

const hex = (octets: Uint8Array): string => Buffer.from(octets).toString("hex");

async function partsFor(meter: SampleMeter, changes: Partial<BenchParts> = {}): Promise<BenchParts> {
  const options = {
    key: hex(meter.keys.encryptionKey),
    authKey: hex(meter.keys.authenticationKey),
    client: "1",
    timeout: "1",
  };
  return {
    access: await resolveAccess(meter.address, options, scratchTerminal()),
    title: systemTitle(fromHex("4D4B430000000001")),
    counters: frameCountersFrom(10),
    random: nodeRandom,
    now: () => performance.now(),
    pause: (milliseconds) => sleep(milliseconds),
    signal: new AbortController().signal,
    requests: LOGICAL_NAME_REQUESTS,
    pushes: undefined,
    patienceMilliseconds: 0,
    ...changes,
  };
}

const check = (id: string) => CHECKS.find((one) => one.id === id)!;

async function found(id: string, wrong: Misbehaviour, changes: Partial<BenchParts> = {}, keys?: SampleMeter["keys"]) {
  await using meter = await startSampleMeter(wrong, keys);
  return await runCheck(check(id), await partsFor(meter, changes));
}

/** A push as the sample meter would send it. */
function push(meter: Pick<SampleMeter, "keys" | "title">, authenticated: boolean): SeenPush {
  const keys = {
    globalUnicastEncryptionKey: createSecretKey(meter.keys.encryptionKey),
    authenticationKey: meter.keys.authenticationKey,
    keyEncryptionKey: createSecretKey(nodeRandom(16)),
  };
  const setup = {
    suite: 0,
    systemTitle: meter.title,
    keys: { current: () => keys, install: () => false },
    counters: { next: () => 7, lowestAcceptable: () => 0, accept: () => undefined },
  } as const;
  const apdu = buildPush(
    {
      invokeIdAndPriority: {
        invokeId: 1,
        selfDescriptive: false,
        breakOnError: false,
        confirmed: false,
        highPriority: false,
      },
      dateTime: dateTimeAt(0),
      body: { type: "unsigned", value: 1 },
    },
    { ciphers: nodeCiphers, setup: { ...setup, policy: NO_POLICY }, authenticated, encrypted: true },
  );
  return { from: "a test", apdu };
}

describe("the checks on a meter that does all right", () => {
  test("pass, each of them, with octets that show it and no key in them", async () => {
    await using meter = await startSampleMeter({ locksMilliseconds: 1_200 });
    const pushes = [push(meter, true)];
    const parts = await partsFor(meter, { pushes: async () => pushes, patienceMilliseconds: 5_000 });
    const results: Result[] = [];
    for (const one of CHECKS) results.push(await runCheck(one, parts));
    assert.deepEqual(
      results
        .filter(({ verdict }) => verdict !== "pass")
        .map(({ id, verdict, sentence }) => `${id} ${verdict}: ${sentence}`),
      [],
    );
    assert.ok(results.length >= 12);
    const octets = results.flatMap(({ evidence }) => evidence.map((step) => step.octets)).join(" ");
    for (const key of Object.values(meter.keys)) assert.ok(!octets.includes(hex(key)), "no key in the report");
    for (const { id, evidence } of results) assert.ok(evidence.length > 0, id);
    assert.ok(equalBytes(meter.state.name, new TextEncoder().encode("MKS0001")), "nothing was changed");
  });
});

/** Every check with what it has to find. */
const FAILURES: readonly (readonly [id: string, wrong: Misbehaviour, sentence: RegExp])[] = [
  ["replayed-request", { takesOldCounters: true }, /same octets a second time/],
  ["lowered-counter", { takesOldCounters: true }, /after a higher one/],
  ["dedicated-key", { policy: NO_POLICY }, /without a tag under a dedicated key/],
  ["replayed-association", { takesOldCounters: true, forgetsChallenges: true }, /believed a recorded proof/],
  ["policy-downgrade", { policy: NO_POLICY }, /encrypted without a tag, and one that was authenticated without/],
  ["plaintext-request", { policy: NO_POLICY }, /plain GET in a ciphered association/],
  ["context-downgrade", { policy: NO_POLICY }, /granted the plain context/],
  ["response-protection", { answersInClear: true }, /came in clear/],
  ["public-rights", { publicMayAll: true }, /Anybody may write .*call .*read the measured values/],
  ["public-writes", { publicMayAll: true }, /Anybody may write 0\.0\.42\.0\.0\.255\/2/],
  ["clock-without-rights", { publicMayAll: true }, /Anybody may set the clock/],
  ["clock-without-rights", { servesUnassociated: true }, /without an association/],
  ["readable-secrets", { showsSecret: true }, /secret of 0\.0\.40\.0\.0\.255 can be read by the public client/],
  ["unassociated-request", { servesUnassociated: true }, /served 0\.0\.42\.0\.0\.255 without an association/],
  ["challenge-quality", { challenge: () => new Uint8Array(4) }, /has 4 octets/],
  ["echoed-challenge", { echoesChallenge: true }, /our own challenge back/],
  ["request-before-proof", { servesBeforeProof: true }, /plain GET before the client had proven/],
  ["forged-counter", { takesForgedCounters: true }, /counter of a forged request was taken/],
  ["malformed-input", { stopsAtGarbage: true }, /did not answer any more/],
  ["mechanism-downgrade", { letsInWithoutProof: true }, /let in without authentication/],
  ["wrong-proof", { believesAnyProof: true }, /believed a wrong answer/],
  ["reflected-challenge", { answersStrangers: true }, /answered our challenge although/],
  ["reflected-challenge", { takesOwnTitle: true }, /its own system title/],
  ["error-oracle", { oracle: "words" }, /tells a wrong key .* from an unknown client/],
  ["error-oracle", { oracle: "time" }, /times are not: .* sooner than an unknown client/],
  ["lock-out", {}, /took 20 wrong proofs in a row/],
  ["lock-out", { locksMilliseconds: 600_000 }, /right keys too/],
];

describe("a meter that does wrong", () => {
  for (const [id, wrong, sentence] of FAILURES)
    test(`${id} finds ${Object.keys(wrong).join(" and ") || "that it does not lock"}`, async () => {
      const result = await found(id, wrong);
      assert.equal(result.verdict, "fail", result.sentence);
      assert.match(result.sentence, sentence);
      assert.ok(result.evidence.length > 0);
    });

  test("weak-keys finds a published key that was given, and one that opens the meter", async () => {
    const published = {
      encryptionKey: fromHex("000102030405060708090A0B0C0D0E0F"),
      authenticationKey: fromHex("D0D1D2D3D4D5D6D7D8D9DADBDCDDDEDF"),
    };
    const given = await found("weak-keys", {}, {}, published);
    assert.match(`${given.verdict} ${given.sentence}`, /^fail The encryption key is the example key/);
    await using meter = await startSampleMeter({}, published);
    const { access, ...parts } = await partsFor(meter);
    const opened = await runCheck(check("weak-keys"), { ...parts, access: { ...access, keys: undefined } });
    assert.match(`${opened.verdict} ${opened.sentence}`, /^fail The meter associates under the keys of the Green Book/);
  });

  test("tagless-push finds a push without a tag, one in clear, and one of another key", async () => {
    const keys = { encryptionKey: nodeRandom(16), authenticationKey: nodeRandom(16) };
    const title = systemTitle(fromHex("4D4B530000000001"));
    const other = { title, keys: { encryptionKey: nodeRandom(16), authenticationKey: nodeRandom(16) } };
    const cases: readonly (readonly [SeenPush, RegExp])[] = [
      [push({ keys, title }, false), /has no tag \(security control 20\)/],
      [{ from: "a test", apdu: fromHex("0F00000001001101") }, /not protected at all/],
      [push(other, true), /does not open/],
    ];
    for (const [seen, sentence] of cases) {
      const { verdict, sentence: said } = await found("tagless-push", {}, { pushes: async () => [seen] }, keys);
      assert.equal(verdict, "fail");
      assert.match(said, sentence);
    }
    assert.equal((await found("tagless-push", {}, { pushes: async () => [] })).verdict, "not-testable");
    assert.equal((await found("tagless-push", {})).verdict, "not-testable");
  });

  test("every check has been seen failing", () => {
    const seen = new Set([...FAILURES.map(([id]) => id), "weak-keys", "tagless-push"]);
    assert.deepEqual(
      CHECKS.map(({ id }) => id).filter((id) => !seen.has(id)),
      [],
    );
  });
});

test("without keys a check that needs them is not testable, and says what it needs", async () => {
  await using meter = await startSampleMeter();
  const { access, ...parts } = await partsFor(meter);
  const results = [];
  for (const one of CHECKS.filter(({ onRequest }) => onRequest !== true))
    results.push(await runCheck(one, { ...parts, access: { ...access, keys: undefined } }));
  assert.deepEqual(
    results.filter(({ verdict }) => verdict === "fail"),
    [],
  );
  assert.match(results.find(({ id }) => id === "replayed-request")!.sentence, /needs the meter's keys/);
  assert.ok(results.filter(({ verdict }) => verdict === "pass").length >= 6);
});
