import assert from "node:assert/strict";
import { test } from "node:test";
import { fromHex, systemTitle } from "@meterkeep/dlms";
import type { ManifestHeader } from "@meterkeep/guard";
import { memoryCustodyStore } from "../store/memory-store.ts";
import { AuthorityWorld, DISCONNECT, OPERATOR, person, RECONNECT, signed } from "../testing/authority-world.ts";
import { HEAD_END, type TestCustody, withTestCustody } from "../testing/test-custody.ts";
import { TestMeter } from "../testing/test-meter.ts";

// A head-end that was taken over holds its own channel and, in most of these, the policy service's key as well.

const DISCONNECT_APDU = fromHex("c301c10046000060030aff01010f00");
const RECONNECT_APDU = fromHex("c301c10046000060030aff02010f00");
const GET_APDU = fromHex("c001c1000100002a0000ff0200");
const MINUTE = 60_000;
const HOUR = 60 * MINUTE;

function withWorld(
  body: (world: AuthorityWorld, meter: TestMeter, custody: TestCustody) => Promise<void>,
  change: Parameters<typeof withTestCustody>[2] = {},
  fleet = 1000,
): Promise<void> {
  return withTestCustody(
    async (custody) => {
      const world = await AuthorityWorld.open(custody);
      await body(world, await world.meter(7), custody);
    },
    // Most of the fleet need not be there to be counted.
    { ...memoryCustodyStore(), provenMeterCount: async () => fleet },
    change,
  );
}

async function refused(world: AuthorityWorld, meter: TestMeter, token: Uint8Array, apdu = DISCONNECT_APDU) {
  const result = await world.command(meter, apdu, token);
  assert.equal(result.kind, "refused");
  assert.equal(meter.supply, "connected");
  return world.lastRefusal();
}

test("what two people approved is done: a supply is switched off and on again, and the ledger says by whose word", () =>
  withWorld(async (world, meter, custody) => {
    const off = await world.approved(DISCONNECT, [meter.systemTitle]);
    assert.equal((await world.command(meter, DISCONNECT_APDU, world.token(off, meter.systemTitle))).kind, "sealed");
    assert.equal(meter.supply, "disconnected");
    // At once: reconnecting waits for no cap.
    const on = await world.approved(RECONNECT, [meter.systemTitle]);
    assert.equal((await world.command(meter, RECONNECT_APDU, world.token(on, meter.systemTitle))).kind, "sealed");
    assert.equal(meter.supply, "connected");
    const entries = await custody.store.ledger.read(0, 10_000);
    const story = entries.filter(({ kind }) => kind.startsWith("critical-")).map(({ kind }) => kind);
    assert.deepEqual(story, ["critical-sealed", "critical-settled", "critical-sealed", "critical-settled"]);
    const { approvedBy, manifest } = JSON.parse(entries.find(({ kind }) => kind === "critical-sealed")?.body ?? "");
    assert.deepEqual([approvedBy, manifest], [["Anna", "Ben"], off]);
    const { manifests } = await world.service.manifests({ limit: 10 }, HEAD_END);
    assert.deepEqual(
      manifests.map(({ hash, progress }) => [hash, progress.executed]),
      [
        [on, 1],
        [off, 1],
      ],
    );
  }));

test("a token that somebody else signed, that says other things, or that is none, opens nothing", () =>
  withWorld(async (world, meter) => {
    const title = meter.systemTitle;
    const hash = await world.approved(DISCONNECT, [title]);
    const forged = world.token(hash, title, {}, person("mallory", "policy"));
    assert.match(await refused(world, meter, forged), /no enrolled policy service/);
    const unknown = world.token(hash, title, { issuer: "other" });
    assert.match(await refused(world, meter, unknown), /no enrolled policy service/);
    const other = world.token(hash, title, { meter: systemTitle(fromHex("5453540000000008")) });
    assert.match(await refused(world, meter, other), /for another meter/);
    assert.match(await refused(world, meter, new Uint8Array(40)), /not a command token/);
    const spoilt = Uint8Array.from(world.token(hash, title));
    spoilt[60] = (spoilt[60] ?? 0) ^ 1;
    assert.match(await refused(world, meter, spoilt), /not a command token|no enrolled policy service/);
    const long = world.token(hash, title, { notAfter: world.custody.now + HOUR });
    assert.match(await refused(world, meter, long), /good for too long/);
    const old = world.token(hash, title);
    world.custody.now += 11 * MINUTE;
    assert.match(await refused(world, meter, old), /not good now/);
  }));

test("an approved manifest allows just its act, its meter and its window", () =>
  withWorld(async (world, meter, custody) => {
    const title = meter.systemTitle;
    const hash = await world.approved(DISCONNECT, [title], { notAfter: custody.now + 30 * MINUTE });
    const dressed = {
      reconnect: RECONNECT_APDU,
      "another parameter": fromHex("c301c10046000060030aff01010f01"),
      "another disconnector": fromHex("c301c10046000060030bff01010f00"),
      "script 0-0:10.0.106.255": fromHex("c301c1000900000a006aff0101120001"),
      "single action schedule 0-0:15.0.1.255": fromHex("c101c1001600000f0001ff04000100"),
      "twice in a list": fromHex("c303c102 0046000060030aff01 0046000060030bff01 020f000f00".replaceAll(" ", "")),
      "without asking for an answer": fromHex("c301810046000060030aff01010f00"),
      "a list with something harmless first": fromHex(
        "c303c1020008000001 0000ff06 0046000060030aff01020f000f00".replaceAll(" ", ""),
      ),
    };
    for (const [name, apdu] of Object.entries(dressed)) {
      const reason = await refused(world, meter, world.token(hash, title), apdu);
      assert.match(reason, /command-token-not-accepted|not-decodable/, name);
    }
    const never = {
      "in blocks": "c304c10046000060030aff0101000000010103",
      access: "d9000000010001030046000060030aff01010f00",
    };
    for (const [name, hex] of Object.entries(never)) {
      const result = await world.command(meter, fromHex(hex), world.token(hash, title));
      assert.equal(result.kind, "refused", name);
    }
    const second = await world.meter(8);
    assert.match(await refused(world, second, world.token(hash, second.systemTitle)), /no target of the manifest/);
    assert.match(await refused(world, meter, world.token(hash, title, { act: 1 })), /no such act/);
    custody.now += 51 * MINUTE;
    assert.match(await refused(world, meter, world.token(hash, title)), /window is over/);
  }));

test("MC-20: a token without a manifest, or with one that was changed after the approval, opens nothing", () =>
  withWorld(async (world, meter) => {
    const title = meter.systemTitle;
    assert.match(await refused(world, meter, world.token("ab".repeat(48), title)), /no manifest of that hash/);
    const { hash } = await world.submit(world.manifest(DISCONNECT, [title]));
    assert.match(await refused(world, meter, world.token(hash, title)), /0 of 1 people/);
    // The one that people saw names another meter; the approval is for its hash alone.
    const seen = await world.approved(DISCONNECT, ["5453540000000008"]);
    assert.match(await refused(world, meter, world.token(seen, title)), /no target of the manifest/);
    const { statement } = await world.service.statement(
      { decision: "approve", hash: seen, approver: "anna" },
      HEAD_END,
    );
    const moved = signed(world.anna, statement).replace(seen, hash);
    await assert.rejects(world.service.approve({ approval: moved }, HEAD_END), { code: "approval-refused" });
  }));

test("manifests that a head-end writes to suit itself are refused as a whole", () =>
  withWorld(async (world, meter) => {
    const titles = [meter.systemTitle];
    const bad = async (change: Partial<ManifestHeader>, operation: ManifestHeader["operation"] = DISCONNECT) => {
      const written = world.manifest(operation, titles, change);
      await assert.rejects(world.submit(written), { code: "manifest-refused" }, JSON.stringify(change));
    };
    await bad({ createdAt: world.custody.now - 25 * HOUR });
    await bad({ notBefore: world.custody.now - 2 * HOUR, notAfter: world.custody.now });
    await bad({ notAfter: world.custody.now + 9 * 24 * HOUR });
    const key = { classId: 64, instance: "00002b0000ff", member: 2, value: { kind: "exact", octets: "0100" } } as const;
    await bad({}, { kind: "acts", acts: [{ service: "action", ...key }] });
    const secret = { classId: 15, instance: "0000280002ff", member: 7, value: { kind: "exact", octets: "" } } as const;
    await bad({}, { kind: "acts", acts: [{ service: "get", ...secret }] });
  }));

test("MC-12: who wants many homes to go at once, without the delays of the rules, has to convince three people", () =>
  withWorld(async (world, meter) => {
    const titles = [meter.systemTitle, "5453540000000008"];
    const dispersion = { kind: "none" } as const;
    const hash = await world.approved(DISCONNECT, titles, { dispersion });
    assert.match(await refused(world, meter, world.token(hash, meter.systemTitle)), /2 of 3 people/);
    const cleo = person("Cleo", "audit");
    const { change } = await world.enrol(cleo);
    for (const who of [world.anna, world.ben]) await world.approve(change ?? "", who);
    await world.approve(hash, cleo);
    assert.equal((await world.command(meter, DISCONNECT_APDU, world.token(hash, meter.systemTitle))).kind, "sealed");
  }));

test("MC-07: who asks does not approve, nobody counts twice, two people bring two sets of roles, and a stale word is none", () =>
  withWorld(async (world, meter, custody) => {
    const titles = [meter.systemTitle, ...Array.from({ length: 11 }, (_, at) => `54535400000010${10 + at}`)];
    const notBefore = custody.now - 51 * MINUTE;
    const { hash } = await world.submit(world.manifest(DISCONNECT, titles, { requester: "Anna", notBefore }));
    await assert.rejects(world.approve(hash, world.anna), { code: "approval-refused", message: /who asks/ });
    await world.approve(hash, world.ben);
    await assert.rejects(world.approve(hash, world.ben), { code: "approval-refused", message: /already/ });
    assert.match(await refused(world, meter, world.token(hash, meter.systemTitle)), /1 of 2 people/);
    const cleo = person("Cleo", "security");
    const enrolment = await world.enrol(cleo);
    assert.equal(enrolment.enrolled, false);
    for (const who of [world.anna, world.ben]) await world.approve(enrolment.change ?? "", who);
    const same = await world.approve(hash, cleo);
    assert.match(same.missing ?? "", /same roles/);
    assert.match(await refused(world, meter, world.token(hash, meter.systemTitle)), /same roles/);
    const late = await world.submit(world.manifest(DISCONNECT, titles.slice(0, 1)));
    const { statement } = await world.service.statement(
      { decision: "approve", hash: late.hash, approver: "anna" },
      HEAD_END,
    );
    custody.now += 6 * MINUTE;
    await assert.rejects(world.service.approve({ approval: signed(world.anna, statement) }, HEAD_END), {
      code: "approval-refused",
      message: /last five minutes/,
    });
  }));

test("what a person has approved counts no more once that person has left, in one action", () =>
  withWorld(async (world, meter) => {
    const cleo = person("Cleo", "audit");
    const { change } = await world.enrol(cleo);
    for (const who of [world.anna, world.ben]) await world.approve(change ?? "", who);
    const { hash } = await world.submit(world.manifest(DISCONNECT, [meter.systemTitle]));
    assert.equal((await world.approve(hash, cleo)).missing, undefined);
    await world.change("remove-approver", { approver: "cleo" });
    assert.match(await refused(world, meter, world.token(hash, meter.systemTitle)), /0 of 1 people/);
    const other = await world.submit(world.manifest(DISCONNECT, [meter.systemTitle]));
    await assert.rejects(world.approve(other.hash, cleo), { code: "approval-refused" });
    await assert.rejects(world.plan("remove-approver", { approver: "ben" }), { message: /fewer than 2 people/ });
    await assert.rejects(world.plan("enrol-approver", { id: "cleo", name: "C", roles: ["a"], publicKey: "00" }), {
      code: "change-refused",
    });
  }));

test("MC-18: a nonce is good once and an act of a manifest is done once, also after the custodian starts anew", () =>
  withWorld(async (world, meter, custody) => {
    const hash = await world.approved(DISCONNECT, [meter.systemTitle]);
    const token = world.token(hash, meter.systemTitle);
    assert.equal((await world.command(meter, DISCONNECT_APDU, token)).kind, "sealed");
    meter.supply = "connected";
    await custody.restart();
    for (const again of [token, world.token(hash, meter.systemTitle)])
      assert.match(await refused(world, meter, again), /cap-reached/);
  }));

test("MC-01, MC-02: of a small town no floor allows more than a tenth, and one meter always", () =>
  withWorld(
    async (world, meter, custody) => {
      const second = await world.meter(8);
      const hash = await world.approved(DISCONNECT, [meter.systemTitle, second.systemTitle]);
      custody.now += 51 * MINUTE;
      const first = await world.command(meter, DISCONNECT_APDU, world.token(hash, meter.systemTitle));
      assert.equal(first.kind, "sealed");
      const beyond = await world.command(second, DISCONNECT_APDU, world.token(hash, second.systemTitle));
      assert.ok(beyond.kind === "refused" && beyond.code === "cap-reached" && /no more than 1 /.test(beyond.message));
    },
    {},
    19,
  ));

test("sealed commands that never reach a meter are counted for ever, until the meter shows that they are dead", () =>
  withWorld(async (world, meter, custody) => {
    const meters = [meter, ...(await Promise.all(Array.from({ length: 11 }, (_, at) => world.meter(100 + at))))];
    const hoard = async (which: TestMeter) => {
      const hash = await world.approved(DISCONNECT, [which.systemTitle]);
      return world.command(which, DISCONNECT_APDU, world.token(hash, which.systemTitle), false);
    };
    for (const each of meters.slice(0, 10)) assert.equal((await hoard(each)).kind, "sealed");
    const beyond = await hoard(meters[10] as TestMeter);
    assert.ok(beyond.kind === "refused" && beyond.code === "cap-reached" && /MC-02/.test(beyond.message));
    // Time alone gives nothing back, whatever the process does.
    custody.now += 400 * 24 * HOUR;
    await custody.restart();
    await world.believeClock();
    custody.now += 48 * HOUR;
    assert.equal((await hoard(meters[10] as TestMeter)).kind, "refused");
    const { counts, unsettled } = await world.service.authorityState({}, OPERATOR);
    assert.deepEqual([counts.day, counts.tenMinutes, unsettled], [10, 10, 10]);
    // A fresh association proves that the meter took a later counter. It counts for its windows from then on.
    await world.session(meter);
    custody.now += 11 * MINUTE;
    assert.equal((await hoard(meters[10] as TestMeter)).kind, "sealed");
    assert.ok(meters.every(({ supply }) => supply === "connected"));
  }));

test("a session goes in lock-step around a critical request, so that no other answer is taken for its own", () =>
  withWorld(async (world, meter) => {
    const hash = await world.approved(DISCONNECT, [meter.systemTitle]);
    const token = () => world.token(hash, meter.systemTitle);
    const { line, seal, open } = await world.session(meter);
    const [read] = await seal({ apdu: GET_APDU });
    assert.ok(read?.kind === "sealed");
    const code = async (...items: readonly { readonly apdu: Uint8Array; readonly token?: Uint8Array }[]) => {
      const [result] = await seal(...items);
      return result?.kind === "refused" ? result.code : result?.kind;
    };
    assert.equal(await code({ apdu: DISCONNECT_APDU, token: token() }), "request-out-of-turn");
    await open(line.exchange(read.apdu));
    const both = [{ apdu: DISCONNECT_APDU, token: token() }, { apdu: GET_APDU }] as const;
    assert.equal(await code(...both), "request-out-of-turn");
    // The harmless one of the two was sealed, and is to be answered as well.
    const again = await world.session(meter);
    const [critical] = await again.seal({ apdu: DISCONNECT_APDU, token: token() });
    assert.ok(critical?.kind === "sealed", JSON.stringify(critical));
    const [held] = await again.seal({ apdu: GET_APDU });
    assert.ok(held?.kind === "refused" && held.code === "request-out-of-turn");
    await again.open(again.line.exchange(critical.apdu));
    assert.equal((await again.seal({ apdu: GET_APDU }))[0]?.kind, "sealed");
    assert.equal((await world.service.authorityState({}, OPERATOR)).counts.day, 1);
    assert.equal(meter.supply, "disconnected");
  }));

test("MC-05, MC-15: a meter is not switched off again within minutes, and reconnecting is never held up", () =>
  withWorld(async (world, meter, custody) => {
    const run = async (operation: typeof DISCONNECT, apdu: Uint8Array) => {
      const hash = await world.approved(operation, [meter.systemTitle]);
      return (await world.command(meter, apdu, world.token(hash, meter.systemTitle))).kind;
    };
    assert.equal(await run(DISCONNECT, DISCONNECT_APDU), "sealed");
    assert.equal(await run(RECONNECT, RECONNECT_APDU), "sealed");
    assert.equal(await run(DISCONNECT, DISCONNECT_APDU), "refused");
    custody.now += 16 * MINUTE;
    assert.equal(await run(DISCONNECT, DISCONNECT_APDU), "sealed");
    assert.equal(await run(RECONNECT, RECONNECT_APDU), "sealed");
    custody.now += 16 * MINUTE;
    assert.equal(await run(DISCONNECT, DISCONNECT_APDU), "refused", "four times in a day are enough");
  }));

test("MC-19: one person freezes everything critical, a start anew does not thaw it, and two people do", () =>
  withWorld(async (world, meter, custody) => {
    const hash = await world.approved(DISCONNECT, [meter.systemTitle]);
    await world.service.freeze({ reason: "something is wrong" }, HEAD_END);
    assert.equal((await world.service.status({}, HEAD_END)).killSwitch, true);
    assert.match(await refused(world, meter, world.token(hash, meter.systemTitle)), /frozen/);
    await custody.restart();
    assert.match(await refused(world, meter, world.token(hash, meter.systemTitle)), /frozen/);
    // Keys are not changed either.
    const fresh = new TestMeter({ systemTitle: "5453540000000042" });
    await custody.add(fresh);
    const contact = await world.service.nextContact({ meter: systemTitle(fromHex(fresh.systemTitle)) }, HEAD_END);
    assert.equal(contact.kind, "wait");
    const since = custody.custody.authority.document.frozen?.since;
    // As two who press at once: approvals of two changes would not add up.
    const [thaw, again] = await Promise.all([world.plan("thaw", { since }), world.plan("thaw", { since })]);
    assert.equal(again, thaw);
    await world.approve(thaw, world.anna);
    assert.match(await refused(world, meter, world.token(hash, meter.systemTitle)), /frozen/);
    assert.equal((await world.approve(thaw, world.ben)).executed, true);
    await assert.rejects(world.approve(thaw, world.ben), { code: "approval-refused" });
    assert.equal((await world.command(meter, DISCONNECT_APDU, world.token(hash, meter.systemTitle))).kind, "sealed");
  }));

test("a freeze holds for a command that is under way", () =>
  withWorld(async (world, meter) => {
    const hash = await world.approved(DISCONNECT, [meter.systemTitle]);
    const { seal } = await world.session(meter);
    const sealing = seal({ apdu: DISCONNECT_APDU, token: world.token(hash, meter.systemTitle) });
    const freezing = world.service.freeze({ reason: "now" }, OPERATOR);
    const [result] = await sealing;
    await freezing;
    assert.equal(result?.kind, "refused");
  }));

test("with three people the caps are lifted for a while, loudly, and every seal still stands in the ledger", () =>
  withWorld(async (world, _meter, custody) => {
    const cleo = person("Cleo", "audit");
    const { change } = await world.enrol(cleo);
    for (const who of [world.anna, world.ben]) await world.approve(change ?? "", who);
    const tight = JSON.parse((await world.service.authorityState({}, OPERATOR)).thresholds);
    const none = { ...tight, offPerTenMinutes: { permyriad: 0, floor: 0 } };
    await world.change("tighten-thresholds", { thresholds: JSON.stringify(none) }, world.anna);
    const meter = await world.meter(9);
    const hash = await world.approved(DISCONNECT, [meter.systemTitle]);
    assert.match(await refused(world, meter, world.token(hash, meter.systemTitle)), /cap-reached/);
    const breaking = await world.plan("break-glass", { minutes: 30, reason: "the substation burns" });
    await world.approve(breaking, world.anna);
    assert.match((await world.approve(breaking, world.ben)).missing ?? "", /2 of 3/);
    assert.equal((await world.approve(breaking, cleo)).executed, true);
    assert.ok((await world.service.authorityState({}, OPERATOR)).breakGlass);
    assert.equal((await world.command(meter, DISCONNECT_APDU, world.token(hash, meter.systemTitle))).kind, "sealed");
    const sealed = (await custody.store.ledger.read(0, 10_000)).findLast(({ kind }) => kind === "critical-sealed");
    assert.equal(JSON.parse(sealed?.body ?? "{}").breakGlass, breaking);
    custody.now += 51 * MINUTE;
    assert.equal((await world.service.authorityState({}, OPERATOR)).breakGlass, undefined);
    await assert.rejects(world.plan("tighten-thresholds", { thresholds: JSON.stringify(tight) }), /allow more/);
    await world.change("loosen-thresholds", { thresholds: JSON.stringify(tight) });
    assert.deepEqual(JSON.parse((await world.service.authorityState({}, OPERATOR)).thresholds), none);
    custody.now += 24 * HOUR;
    assert.deepEqual(JSON.parse((await world.service.authorityState({}, OPERATOR)).thresholds), tight);
  }));

test("MC-08: a wall clock that is set forward opens no window and lets no cap run out", () => {
  let monotonic = 0;
  return withWorld(
    async (world, meter, custody) => {
      const tomorrow = custody.now + 20 * HOUR;
      const hash = await world.approved(DISCONNECT, [meter.systemTitle], {
        notBefore: tomorrow,
        notAfter: tomorrow + HOUR,
      });
      // The takeover's own waits have moved the test's clock: start anew with clocks that agree.
      await custody.restart();
      assert.match(await refused(world, meter, world.token(hash, meter.systemTitle)), /command-not-due/);
      custody.now = tomorrow + MINUTE;
      assert.match(await refused(world, meter, world.token(hash, meter.systemTitle)), /clock-jumped/);
      assert.equal((await world.service.authorityState({}, OPERATOR)).trouble?.code, "clock-jumped");
    },
    { monotonic: () => monotonic++ },
  );
});

test("a mass disconnect of 300 000 homes in one call switches no more than the cap", () =>
  withWorld(async (world, meter, custody) => {
    const number = (at: number) => `545355${at.toString(16).toUpperCase().padStart(10, "0")}`;
    const meters = [meter, ...(await Promise.all(Array.from({ length: 24 }, (_, at) => world.meter(200 + at))))];
    const titles = [
      ...meters.map((each) => each.systemTitle),
      ...Array.from({ length: 300_000 }, (_, at) => number(at)),
    ];
    const submitted = await world.submit(world.manifest(DISCONNECT, titles));
    assert.equal(submitted.targets, 300_025);
    await assert.rejects(world.approve(submitted.hash, person("Mallory", "security")), { code: "approval-refused" });
    // No meter before its own delay is over; then any.
    assert.match(await refused(world, meter, world.token(submitted.hash, meter.systemTitle)), /command-not-due/);
    custody.now += 51 * MINUTE;
    assert.match(await refused(world, meter, world.token(submitted.hash, meter.systemTitle)), /0 of 2 people/);
    // Even if two people were fooled.
    await world.approve(submitted.hash, world.anna);
    await world.approve(submitted.hash, world.ben);
    const kinds = [];
    for (const each of meters)
      kinds.push((await world.command(each, DISCONNECT_APDU, world.token(submitted.hash, each.systemTitle))).kind);
    assert.equal(kinds.filter((kind) => kind === "sealed").length, 10);
    assert.equal(meters.filter(({ supply }) => supply === "disconnected").length, 10);
  }));
