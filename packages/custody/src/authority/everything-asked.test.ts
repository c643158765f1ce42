import assert from "node:assert/strict";
import { test } from "node:test";
import { CUSTODIAN_METHODS, type CustodianMethod, callError, frame, MAX_BATCH } from "@meterkeep/api/custodian";
import { apdu, type Data, decode, encode, fromHex, logicalNameOctets, systemTitle } from "@meterkeep/dlms";
import fc from "fast-check";
import { answer } from "../channel/dispatch.ts";
import { memoryCustodyStore } from "../store/memory-store.ts";
import { AuthorityWorld, DISCONNECT } from "../testing/authority-world.ts";
import { caller, HEAD_END, type TestCustody, withTestCustody } from "../testing/test-custody.ts";

// A head-end that was taken over, with one approved command in its hands, asks for everything there is.

/** Classes by which something is switched, planned, keyed or sent elsewhere, each at the object that does it. */
const DANGEROUS: Readonly<Record<number, readonly string[]>> = {
  1: ["0.0.96.3.10.255"],
  9: ["0.0.10.0.106.255", "0.0.10.0.100.255", "0.0.10.0.107.255"],
  10: ["0.0.12.0.0.255"],
  15: ["0.0.40.0.0.255", "0.0.40.0.2.255"],
  18: ["0.0.44.0.0.255"],
  20: ["0.0.13.0.0.255"],
  21: ["0.0.16.0.1.255"],
  22: ["0.0.15.0.1.255", "0.0.15.0.2.255"],
  30: ["0.0.43.2.0.255"],
  40: ["0.0.25.9.0.255"],
  64: ["0.0.43.0.0.255"],
  65: ["0.0.16.2.0.255"],
  68: ["0.0.96.3.20.255"],
  70: ["0.0.96.3.10.255", "0.1.96.3.10.255"],
  71: ["0.0.17.0.0.255"],
  72: ["0.1.24.1.0.255"],
  111: ["0.0.19.0.0.255"],
  112: ["0.0.19.10.0.255"],
  113: ["0.0.19.20.0.255"],
  115: ["0.0.19.40.0.255"],
  122: ["0.0.44.1.0.255"],
  123: ["0.0.18.0.0.255"],
};
const MEMBERS = Array.from({ length: 14 }, (_, at) => at + 1);
const VALUES: readonly Data[] = [
  { type: "integer", value: 0 },
  { type: "long-unsigned", value: 1 },
];
const HARMLESS = { classId: 8, instanceId: logicalNameOctets("0.0.1.0.0.255"), methodId: 1 };
const THE_ACT = fromHex("c301c10046000060030aff01010f00");

/** Every way to call a method or set an attribute in a request that decodes. */
function* waysTo(classId: number, logicalName: string, member: number): Generator<Uint8Array> {
  const instanceId = logicalNameOctets(logicalName);
  const [method, attribute] = [
    { classId, instanceId, methodId: member },
    { classId, instanceId, attributeId: member },
  ];
  for (const confirmed of [true, false])
    for (const value of VALUES) {
      const invokeIdAndPriority = { invokeId: 1, confirmed, highPriority: true };
      const action = { invokeIdAndPriority, method, parameters: value };
      yield encode(apdu, { kind: "action-request", value: { kind: "normal", value: action } });
      const set = { invokeIdAndPriority, attribute, value };
      yield encode(apdu, { kind: "set-request", value: { kind: "normal", value: set } });
      const list = { invokeIdAndPriority, methods: [HARMLESS, method], parameters: [value, value] };
      yield encode(apdu, { kind: "action-request", value: { kind: "with-list", value: list } });
    }
}

/** Requests of other shapes: short names, ACCESS, blocks, what is protected already, what opens or ends an association. */
const SHAPES: Readonly<Record<string, string>> = {
  "read by short name": "0501022000",
  "write by short name": "0601022000010300",
  "unconfirmed write by short name": "1601022000010300",
  access: "d9000000010001030046000060030aff01010f00",
  "access of many": "d9000000010002030046000060030aff01030046000060030aff02020f000f00",
  "set, first block": "c102c10046000060030aff0400000000000102 1601",
  "set, next block": "c103c101000000020216 01",
  "action, first block": "c304c10046000060030aff0101000000010103",
  "action, next block": "c306c1010000000203010f00",
  "general block transfer": "e081000100000fc301c10046000060030aff01010f00",
  "general block transfer, streaming": "e0c1000100000fc301c10046000060030aff01010f00",
  "global action": "cb12300000000141 1312ff935a47566827c467bc",
  "dedicated action": "d312300000000141 1312ff935a47566827c467bc",
  "global write": "26123000000001411312ff935a47566827c467bc",
  "general global ciphering": "db084d4b5600000000011230000000014113 12ff935a47566827c467bc",
  "general dedicated ciphering": "dc084d4b560000000001123000000001411312ff935a47566827c467bc",
  "general ciphering under an agreed key": "dd00084d4b56000000000108545354000000000700000112300000000141131200",
  "general signing": "df00084d4b560000000001085453540000000007000003c0010000",
  "an initiate request": "01000000065f1f0400001e1dffff",
  "an association": "601da109060760857405080101be10040e01000000065f1f0400001e1dffff",
  "a release": "6200",
  "a notification": "0f00000001000300",
  "an event": "c200000300010100010800ff020600000001",
  "a response": "c701c10000",
  "an exception": "d80101",
  nothing: "",
  "a plain get and more": "c001c1000100002a0000ff0200c301c10046000060030aff01010f00",
};

function inBatches(all: readonly Uint8Array[]): { readonly apdu: Uint8Array }[][] {
  const batches = Array.from({ length: Math.ceil(all.length / MAX_BATCH) }, (_, at) =>
    all.slice(at * MAX_BATCH, (at + 1) * MAX_BATCH),
  );
  return batches.map((batch) => batch.map((octets) => ({ apdu: octets })));
}

function withWorld(body: (world: AuthorityWorld, custody: TestCustody) => Promise<void>): Promise<void> {
  const unlimited = { burst: Number.MAX_SAFE_INTEGER, perSecond: Number.MAX_SAFE_INTEGER };
  return withTestCustody(
    async (custody) => body(await AuthorityWorld.open(custody), custody),
    { ...memoryCustodyStore(), provenMeterCount: async () => 1000 },
    { sealBudget: unlimited },
  );
}

test("whatever is asked for with a token for one command in hand, that command is sealed and nothing else, in any shape", () =>
  withWorld(async (world) => {
    const meter = await world.meter(7);
    const hash = await world.approved(DISCONNECT, [meter.systemTitle]);
    const { session, line, seal, open } = await world.session(meter);
    const asked = [
      ...Object.entries(DANGEROUS).flatMap(([classId, names]) =>
        names.flatMap((name) => MEMBERS.flatMap((member) => [...waysTo(Number(classId), name, member)])),
      ),
      ...Object.values(SHAPES).map((hex) => fromHex(hex.replaceAll(" ", ""))),
    ].filter((octets) => !Buffer.from(octets).equals(THE_ACT));
    assert.ok(asked.length > 2000);
    const token = world.token(hash, meter.systemTitle);
    const without = (await Promise.all(inBatches(asked).map((batch) => seal(...batch)))).flat();
    for (const [at, octets] of asked.entries()) {
      const [result] = await seal({ apdu: octets, token });
      const told = Buffer.from(octets).toString("hex");
      assert.deepEqual([without[at]?.kind, result?.kind], ["refused", "refused"], told);
    }
    // Beside others, a token opens nothing either.
    const beside = await seal({ apdu: THE_ACT, token }, { apdu: asked[0] as Uint8Array, token });
    assert.deepEqual(
      beside.map(({ kind }) => kind),
      ["refused", "refused"],
    );
    assert.equal(meter.supply, "connected");
    const [sealed] = await seal({ apdu: THE_ACT, token });
    assert.ok(sealed?.kind === "sealed", JSON.stringify(sealed));

    // What was sealed is opened for nobody, by no way.
    const { service } = world;
    assert.equal((await open(sealed.apdu))?.kind, "refused");
    const pushes = await service.openPush({ items: [{ apdu: sealed.apdu, transport: "tcp" }] }, HEAD_END);
    assert.equal(pushes[0]?.kind, "refused");
    const title = systemTitle(fromHex(meter.systemTitle));
    const other = await service.openSession({ meter: title, purpose: "read" }, HEAD_END);
    for (const received of [sealed.apdu, other.apdu]) {
      const advance = await service
        .advanceSession({ session: other.session, received }, HEAD_END)
        .catch(({ code }: { readonly code: string }) => ({ kind: code }));
      assert.ok(["failed", "session-unknown"].includes(advance.kind), advance.kind);
    }
    await open(line.exchange(sealed.apdu));
    assert.equal(meter.supply, "disconnected");
    await service.closeSession({ session, outcome: "completed" }, HEAD_END);
  }));

test("of the custodian's methods each answers its roles alone, and whatever is sent to it, by name: none fails", () =>
  withWorld(async (world, custody) => {
    await world.meter(7);
    const ask = async (role: "head-end" | "depot" | "operator", number: number, payload: Uint8Array) => {
      const request = encode(frame, { kind: "request", correlation: 1, method: number, payload });
      const octets = await answer(request, caller(role), custody.custody);
      const answered = decode(frame, octets);
      return answered.kind === "error" ? decode(callError, answered.payload).code : answered.kind;
    };
    const byNumber = new Map(Object.values(CUSTODIAN_METHODS).map(({ number, roles }) => [number as number, roles]));
    for (let number = 1; number < 256; number += 1)
      for (const role of ["head-end", "depot", "operator"] as const) {
        const roles: readonly string[] | undefined = byNumber.get(number);
        if (roles?.includes(role)) continue;
        // Judged before a single octet of it is looked at.
        const code = await ask(role, number, Uint8Array.of(0xff, 0xff));
        assert.equal(code, roles === undefined ? "method-not-offered" : "method-not-permitted", `${role} ${number}`);
      }
    const names = Object.keys(CUSTODIAN_METHODS) as CustodianMethod[];
    await fc.assert(
      fc.asyncProperty(fc.constantFrom(...names), fc.uint8Array({ maxLength: 60 }), async (name, payload) => {
        const { number, roles } = CUSTODIAN_METHODS[name];
        const code = await ask(roles[0] as "head-end", number, payload);
        assert.notEqual(code, "custodian-failed", name);
      }),
      { numRuns: 1500 },
    );
  }));
