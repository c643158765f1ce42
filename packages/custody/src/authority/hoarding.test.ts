import assert from "node:assert/strict";
import { test } from "node:test";
import { fromHex, systemTitle } from "@meterkeep/dlms";
import { LARGEST_BLOCK } from "../protocol/send-counters.ts";
import { memoryCustodyStore } from "../store/memory-store.ts";
import { AuthorityWorld, DISCONNECT, OPERATOR } from "../testing/authority-world.ts";
import { TestCertificates } from "../testing/test-certificates.ts";
import { Crash, carryTakeover, HEAD_END, type TestCustody, withTestCustody } from "../testing/test-custody.ts";
import { TestMeter } from "../testing/test-meter.ts";

// A head-end that was taken over hoards sealed commands: it withholds them, and tries to have them counted as done or dead.

const DISCONNECT_APDU = fromHex("c301c10046000060030aff01010f00");
const GET_APDU = fromHex("c001c1000100002a0000ff0200");
/** The next block of an action's answer, under the number that the command bears as well. */
const NEXT_BLOCK_APDU = fromHex("c302c100000001");
/** Refused: it takes a token. */
const SET_APDU = fromHex("c101c1001600000f0001ff04000100");
const MONTH = 32 * 24 * 3_600_000;

type World = AuthorityWorld;
type Open = Awaited<ReturnType<World["session"]>>;

function withWorld(
  body: (world: World, custody: TestCustody) => Promise<void>,
  change: Parameters<typeof withTestCustody>[2] = {},
): Promise<void> {
  return withTestCustody(
    async (custody) => body(await AuthorityWorld.open(custody), custody),
    // Most of the fleet need not be there to be counted.
    { ...memoryCustodyStore(), provenMeterCount: async () => 1000 },
    change,
  );
}

/** A meter of suite 1 that proves itself by signature. */
async function signingMeter(custody: TestCustody): Promise<TestMeter> {
  const title = "5453540000000077";
  const root = (await custody.custody.pki.authorities.all()).find(({ profile }) => profile === "root");
  const certificates = new TestCertificates(fromHex(title), root?.certificate ?? new Uint8Array());
  const meter = new TestMeter({ systemTitle: title, certificates });
  await custody.add(meter, { profile: "idis-p3", securitySuite: 1 });
  await carryTakeover(custody, meter);
  custody.now += 10_000;
  await custody.custody.service.contactsDue({ limit: 10 }, HEAD_END);
  await carryTakeover(custody, meter);
  return meter;
}

async function tokenFor(world: World, meter: TestMeter): Promise<Uint8Array> {
  return world.token(await world.approved(DISCONNECT, [meter.systemTitle]), meter.systemTitle);
}

/** What a session seals, kept from the meter. */
async function sealed({ seal }: Open, apdu: Uint8Array, token?: Uint8Array): Promise<Uint8Array> {
  const [result] = await seal({ apdu, ...(token !== undefined && { token }) });
  assert.ok(result?.kind === "sealed", JSON.stringify(result));
  return result.apdu;
}

async function refusalOf({ seal }: Open, apdu: Uint8Array, token: Uint8Array): Promise<string> {
  const [result] = await seal({ apdu, token });
  return result?.kind === "refused" ? `${result.code}: ${result.message}` : "sealed";
}

function rotationOf(title: ReturnType<typeof systemTitle>) {
  return { meters: [title], madeBefore: undefined, purposes: [], cause: "demand", reason: "a test" } as const;
}

async function unsettled(world: World): Promise<readonly number[]> {
  const { counts, unsettled } = await world.service.authorityState({}, OPERATOR);
  return [counts.day, unsettled];
}

test("an answer from another session of the meter settles nothing, and what was withheld counts for ever", () =>
  withWorld(async (world, custody) => {
    const meter = await world.meter(7);
    const [reading, commanding] = [await world.session(meter), await world.session(meter)];
    const off = await sealed(commanding, DISCONNECT_APDU, await tokenFor(world, meter));
    // The other session's answer is authentic for both: they are under the same key.
    const answer = reading.line.exchange(await sealed(reading, GET_APDU));
    assert.equal((await commanding.open(answer))?.kind, "opened");
    assert.deepEqual(await unsettled(world), [1, 1]);
    custody.now += MONTH;
    assert.deepEqual(await unsettled(world), [1, 1]);
    // The meter has taken a later counter since, but nobody here has proof of when: only a fresh association is one.
    assert.equal(commanding.line.exchange(off)?.[0], 0xd8);
    await world.session(meter);
    assert.deepEqual(await unsettled(world), [1, 0]);
    custody.now += MONTH;
    assert.deepEqual(await unsettled(world), [0, 0]);
    assert.equal(meter.supply, "connected");
  }));

const kindsOf = (results: Awaited<ReturnType<Open["seal"]>>) =>
  results.map((result) => (result.kind === "refused" ? result.code : result.kind));

for (const { waitsFor, items } of [
  { waitsFor: "the ledger", items: [{ apdu: SET_APDU }, { apdu: NEXT_BLOCK_APDU }] },
  { waitsFor: "counters", items: new Array<{ apdu: Uint8Array }>(LARGEST_BLOCK / 8).fill({ apdu: NEXT_BLOCK_APDU }) },
])
  test(`a harmless call that waits for ${waitsFor} lets no critical one pass, whose answer its own would be taken for`, () =>
    withWorld(async (world) => {
      const meter = await world.meter(7);
      const session = await world.session(meter);
      const token = await tokenFor(world, meter);
      const waiting = session.seal(...items);
      const [critical] = await session.seal({ apdu: DISCONNECT_APDU, token });
      assert.equal(critical?.kind === "refused" ? critical.code : "sealed", "request-out-of-turn");
      const harmless = (await waiting).filter((result) => result.kind === "sealed");
      assert.equal(harmless.length, items.filter(({ apdu }) => apdu === NEXT_BLOCK_APDU).length);
      for (const { apdu } of harmless) await session.open(session.line.exchange(apdu));
      // Each was answered once, and nothing was there that the answers could settle.
      const off = await sealed(session, DISCONNECT_APDU, token);
      assert.deepEqual(await unsettled(world), [1, 1]);
      assert.equal((await session.open(session.line.exchange(off)))?.kind, "opened");
      assert.deepEqual([await unsettled(world), meter.supply], [[1, 0], "disconnected"]);
    }));

test("a critical call that waits lets no harmless one pass", () =>
  withWorld(async (world) => {
    const meter = await world.meter(7);
    const session = await world.session(meter);
    const critical = session.seal({ apdu: DISCONNECT_APDU, token: await tokenFor(world, meter) });
    const harmless = await session.seal({ apdu: SET_APDU }, { apdu: NEXT_BLOCK_APDU });
    assert.deepEqual(kindsOf(harmless), ["command-token-missing", "request-out-of-turn"]);
    assert.deepEqual(kindsOf(await critical), ["sealed"]);
    assert.deepEqual(await unsettled(world), [1, 1]);
  }));

test("a harmless call whose waiting fails holds nothing critical back: it has sealed nothing", () =>
  withWorld(async (world, custody) => {
    const meter = await world.meter(7);
    const session = await world.session(meter);
    const token = await tokenFor(world, meter);
    custody.crashAt(0, "before");
    await assert.rejects(session.seal({ apdu: SET_APDU }, { apdu: GET_APDU }), Crash);
    assert.deepEqual(kindsOf(await session.seal({ apdu: DISCONNECT_APDU, token })), ["sealed"]);
  }));

test("a harmless call that waited is refused where something critical has begun all the same", () =>
  withWorld(
    async (world, custody) => {
      const meter = await signingMeter(custody);
      const [session, other] = [await world.session(meter), await world.session(meter)];
      const answer = other.line.exchange(await sealed(other, GET_APDU));
      const token = await tokenFor(world, meter);
      const waiting = session.seal({ apdu: SET_APDU }, { apdu: GET_APDU });
      // Another session's answer is authentic here as well, and taken for that of what waits.
      assert.equal((await session.open(answer))?.kind, "opened");
      assert.deepEqual(kindsOf(await session.seal({ apdu: DISCONNECT_APDU, token })), ["sealed"]);
      assert.deepEqual(kindsOf(await waiting), ["command-token-missing", "request-out-of-turn"]);
      assert.match(await world.lastRefusal(), /^request-out-of-turn/);
    },
    { pki: { developmentTree: { utility: "stadtwerke", island: "mainland" } } },
  ));

test("a session in which others have had a turn seals nothing critical: no answer would be its own for certain", () =>
  withWorld(async (world) => {
    const meter = await world.meter(7);
    const [commanding, reading] = [await world.session(meter), await world.session(meter)];
    const asked = await sealed(reading, GET_APDU);
    assert.match(
      await refusalOf(commanding, DISCONNECT_APDU, await tokenFor(world, meter)),
      /^request-out-of-turn: somebody else/,
    );
    // The answer is taken once, whichever session it is shown to.
    const answer = reading.line.exchange(asked);
    assert.equal((await commanding.open(answer))?.kind, "opened");
    assert.equal((await reading.open(answer))?.kind, "refused");
  }));

test("the answer of an earlier session does not come after a later one's association, and settles nothing there", () =>
  withWorld(async (world) => {
    const meter = await world.meter(7);
    const reading = await world.session(meter);
    const answer = reading.line.exchange(await sealed(reading, GET_APDU));
    const commanding = await world.session(meter);
    await sealed(commanding, DISCONNECT_APDU, await tokenFor(world, meter));
    assert.equal((await commanding.open(answer))?.kind, "refused");
    assert.deepEqual(await unsettled(world), [1, 1]);
  }));

test("a contact's answers settle nothing in a session, though they bear the name of what it waits for", () =>
  withWorld(async (world, custody) => {
    const meter = await world.meter(7);
    const title = systemTitle(fromHex(meter.systemTitle));
    const commanding = await world.session(meter);
    await sealed(commanding, DISCONNECT_APDU, await tokenFor(world, meter));
    await world.service.planRotations(rotationOf(title), OPERATOR);
    const next = await world.service.nextContact({ meter: title }, HEAD_END);
    assert.ok(next.kind === "connect");
    const line = meter.connect(next.clientSap, next.serverSap);
    let { step, apdu } = next;
    let taken = 0;
    while (step !== "release") {
      const received = line.exchange(apdu) as Uint8Array;
      // The answer to a key transfer is an action-response with the invoke-id that the command has as well.
      const opened = await commanding.open(received);
      if (opened?.kind === "opened" && opened.authenticated && opened.apdu[0] === 0xc7) taken += 1;
      assert.deepEqual(await unsettled(world), [1, 1]);
      const event = { kind: "received", apdu: received } as const;
      const advanced = await world.service.advanceContact({ contact: next.contact, event }, HEAD_END);
      if (advanced.kind === "close") break;
      ({ step, apdu } = advanced);
    }
    assert.ok(taken > 0);
    // The wait is over and void: only a fresh association shows that it is dead.
    assert.deepEqual(await unsettled(world), [1, 1]);
    await carryTakeover(custody, meter);
    await world.session(meter);
    assert.deepEqual(await unsettled(world), [1, 0]);
    assert.equal(meter.supply, "connected");
  }));

test("a proof that was shown elsewhere first makes a session that nothing critical rests on", () =>
  withWorld(async (world, custody) => {
    const meter = await world.meter(7);
    const spying = await world.session(meter);
    const opened = await world.service.openSession(
      { meter: systemTitle(fromHex(meter.systemTitle)), purpose: "configure" },
      HEAD_END,
    );
    const { session } = opened;
    const line = meter.connect(opened.clientSap, opened.serverSap);
    for (let send = opened.apdu; ; ) {
      const received = line.exchange(send) as Uint8Array;
      await spying.open(received);
      const advance = await world.service.advanceSession({ session, received }, HEAD_END);
      if (advance.kind === "established") break;
      assert.ok(advance.kind === "send");
      send = advance.apdu;
    }
    const seal = (items: Parameters<World["service"]["seal"]>[0]["items"]) =>
      world.service.seal({ session, items }, HEAD_END);
    const [refused] = await seal([{ apdu: DISCONNECT_APDU, token: await tokenFor(world, meter) }]);
    assert.match(refused?.kind === "refused" ? refused.message : "sealed", /were not new/);
    const push = meter.push("authenticated");
    const pushed = async () =>
      (await world.service.openPush({ items: [{ apdu: push, transport: "tcp" }] }, HEAD_END))[0]?.kind;
    assert.equal(await pushed(), "opened");
    const open = async (apdu: Uint8Array) => (await world.service.open({ session, apdus: [apdu] }, HEAD_END))[0]?.kind;
    assert.equal(await open(push), "refused");
    assert.equal(await pushed(), "refused");
    const [read] = await seal([{ apdu: GET_APDU }]);
    assert.ok(read?.kind === "sealed");
    assert.equal(await open(line.exchange(read.apdu) as Uint8Array), "opened");
    await custody.custody.sweep();
    const kinds = (await custody.store.ledger.read(0, 10_000)).map(({ kind }) => kind);
    assert.ok(kinds.includes("receive-counter-not-new"));
  }));

test("a contact believes no answer once another has had a turn on the meter's line", () =>
  withWorld(async (world, custody) => {
    const meter = await world.meter(7);
    const title = systemTitle(fromHex(meter.systemTitle));
    await world.service.planRotations(rotationOf(title), OPERATOR);
    const next = await world.service.nextContact({ meter: title }, HEAD_END);
    assert.ok(next.kind === "connect");
    const line = meter.connect(next.clientSap, next.serverSap);
    let { step, apdu } = next;
    while (step !== "transfer-working-keys") {
      const event = { kind: "received", apdu: line.exchange(apdu) as Uint8Array } as const;
      const advanced = await world.service.advanceContact({ contact: next.contact, event }, HEAD_END);
      assert.ok(advanced.kind === "send", step);
      ({ step, apdu } = advanced);
    }
    const answer = line.exchange(apdu) as Uint8Array;
    await world.service.openSession({ meter: title, purpose: "read" }, HEAD_END).catch(() => undefined);
    const advanced = await world.service.advanceContact(
      { contact: next.contact, event: { kind: "received", apdu: answer } },
      HEAD_END,
    );
    assert.equal(advanced.kind, "close");
    // It finds out by itself what the meter has.
    assert.equal((await carryTakeover(custody, meter)).state.verdict, "proven");
  }));

test("what was signed is dead neither by time nor by a later association, and is by a later transaction", () =>
  withWorld(
    async (world, custody) => {
      const meter = await signingMeter(custody);
      const hoarding = await world.session(meter);
      const off = await sealed(hoarding, DISCONNECT_APDU, await tokenFor(world, meter));
      const later = await world.session(meter);
      assert.deepEqual(await unsettled(world), [1, 1]);
      custody.now += MONTH;
      await custody.restart();
      assert.deepEqual(await unsettled(world), [1, 1]);
      assert.notEqual(later.line, hoarding.line);
      // An ordinary request goes signed while one is open, and its answer shows that the meter has left the other behind.
      const reading = await world.session(meter);
      const asked = await sealed(reading, GET_APDU);
      assert.equal(asked[0], 0xdd);
      assert.deepEqual(await unsettled(world), [1, 1]);
      assert.equal((await reading.open(reading.line.exchange(asked)))?.kind, "opened");
      assert.deepEqual(await unsettled(world), [1, 0]);
      reading.line.exchange(off);
      assert.equal(meter.supply, "connected", "the transaction is over");
      // From then on nothing is signed that need not be.
      assert.notEqual((await sealed(reading, GET_APDU))[0], 0xdd);
    },
    { pki: { developmentTree: { utility: "stadtwerke", island: "mainland" } } },
  ));

test("a signed command is settled by its own answer", () =>
  withWorld(
    async (world, custody) => {
      const meter = await signingMeter(custody);
      const session = await world.session(meter);
      const off = await sealed(session, DISCONNECT_APDU, await tokenFor(world, meter));
      assert.equal((await session.open(session.line.exchange(off)))?.kind, "opened");
      assert.equal(meter.supply, "disconnected");
      assert.deepEqual(await unsettled(world), [1, 0]);
    },
    { pki: { developmentTree: { utility: "stadtwerke", island: "mainland" } } },
  ));

test("nothing critical is sealed under a dedicated key, which no later association kills", () =>
  withWorld(async (world) => {
    const meter = await world.meter(7);
    const dedicated = await world.session(meter, "dedicated");
    assert.match(
      await refusalOf(dedicated, DISCONNECT_APDU, await tokenFor(world, meter)),
      /^request-out-of-turn: nothing critical is sealed under a dedicated key/,
    );
    assert.deepEqual(await unsettled(world), [0, 0]);
    const read = await sealed(dedicated, GET_APDU);
    assert.equal((await dedicated.open(dedicated.line.exchange(read)))?.kind, "opened");
  }));

for (const ciphering of ["global", "dedicated"] as const)
  test(`a push is taken once: by whoever opens pushes, or by a session (${ciphering} keys), never by both`, () =>
    withWorld(async (world) => {
      const meter = await world.meter(7);
      const session = await world.session(meter, ciphering);
      const pushed = async (apdu: Uint8Array) =>
        (await world.service.openPush({ items: [{ apdu, transport: "tcp" }] }, HEAD_END))[0]?.kind;
      const [one, other] = [meter.push("authenticated"), meter.push("authenticated")];
      assert.equal(await pushed(one), "opened");
      assert.equal((await session.open(one))?.kind, "refused");
      assert.equal((await session.open(other))?.kind, "opened");
      assert.equal(await pushed(other), "refused");
      // An answer behind them is still taken, and once.
      const answer = session.line.exchange(await sealed(session, GET_APDU));
      assert.equal((await session.open(answer))?.kind, "opened");
      assert.equal((await session.open(answer))?.kind, "refused");
    }));

test("a push that a session has taken is not taken again after the custodian starts anew", () =>
  withWorld(async (world, custody) => {
    const meter = await world.meter(7);
    const session = await world.session(meter);
    const push = meter.push("authenticated");
    assert.equal((await session.open(push))?.kind, "opened");
    await custody.restart();
    const [result] = await world.service.openPush({ items: [{ apdu: push, transport: "tcp" }] }, HEAD_END);
    assert.equal(result?.kind, "refused");
  }));
