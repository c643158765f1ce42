import assert from "node:assert/strict";
import { createCipheriv, createSecretKey } from "node:crypto";
import { test } from "node:test";
import {
  CUSTODIAN_METHODS,
  type CustodianMethod,
  type CustodianRequest,
  type CustodianResponse,
  frame,
} from "@meterkeep/api/custodian";
import { type Codec, decode, encode, fromHex, type Shape, systemTitle } from "@meterkeep/dlms";
import { nodeKeyWrap } from "@meterkeep/dlms-node";
import fc from "fast-check";
import type { Caller } from "../calls/caller.ts";
import { answer } from "../channel/dispatch.ts";
import { clientTitles } from "../service/client-title.ts";
import { AuthorityWorld, OPERATOR } from "../testing/authority-world.ts";
import { caller, DEPOT, HEAD_END, type TestCustody, withTestCustody } from "../testing/test-custody.ts";
import type { TestMeter } from "../testing/test-meter.ts";

// What a head-end would need to speak for the custodian: the tag, the keystream or the wrap of something that it chose. It asks
// every method that it has, with what it would have protected wherever octets go in, and with the meter in its pay.

/** A disconnection as a plain APDU, as the data of one, and other things that are worth a tag. */
const WANTED: readonly Uint8Array[] = [
  fromHex("c301c10046000060030aff01010f00"),
  fromHex("c301c10046000060030aff01010f0000"),
  fromHex("01000000065f1f0400001e1dffff"),
  fromHex("c001c1000f0000280000ff0200"),
  new Uint8Array(16),
];
/** With a tag and nothing else, with the key-set bit of a broadcast, with both. */
const CONTROLS = [0x10, 0x50, 0x30, 0x70] as const;
const TAG_BYTES = 12;

interface Pool {
  readonly octets: readonly Uint8Array[];
  readonly texts: readonly string[];
}

/** Values of a shape, with what the attacker has wherever they fit. */
function valuesOf(shape: Shape, pool: Pool): fc.Arbitrary<unknown> {
  switch (shape.type) {
    case "unsigned":
    case "integer": {
      const whole = fc.constantFrom(0, 1, 5, 100);
      return shape.bytes === 8 ? whole.map(BigInt) : whole;
    }
    case "boolean":
      return fc.boolean();
    case "bytes":
      return fc.constantFrom(...pool.octets);
    case "text":
      return fc.constantFrom(...pool.texts);
    case "enumeration":
      return fc.constantFrom(...Object.keys(shape.values));
    case "optional":
    case "default":
    case "nullable":
      return fc.oneof({ weight: 3, arbitrary: valuesOf(shape.of, pool) }, fc.constant(undefined));
    case "sequence":
      return fc.array(valuesOf(shape.of, pool), { maxLength: 3 });
    case "struct":
      return fc.record(
        Object.fromEntries(shape.fields.map(({ name, shape: of }) => [name, valuesOf(of, pool)])),
      ) as fc.Arbitrary<unknown>;
    case "choice":
      return fc.oneof(
        ...shape.variants.map(({ kind, shape: of }) =>
          valuesOf(of, pool).map((value) => ({ ...(value as object), kind, value })),
        ),
      );
    case "mapped":
      if (/whole number|milliseconds/.test(shape.name)) return fc.constantFrom(0, 1, 1_795_000_000_000);
      return valuesOf(shape.of, pool);
    case "framed":
    case "tagged":
      return valuesOf(shape.of, pool);
    default:
      return fc.constant(undefined);
  }
}

/** All that must be in no answer: tags over what is wanted, keystream, wraps, and keys, as hex. */
function secretsOf(
  keys: readonly (readonly Uint8Array[])[],
  client: Uint8Array,
  counters: number,
): { readonly length: number; readonly hex: ReadonlySet<string> }[] {
  const [tags, blocks, wraps, plain] = [new Set<string>(), new Set<string>(), new Set<string>(), new Set<string>()];
  const hex = (octets: Uint8Array) => Buffer.from(octets).toString("hex");
  for (const [GUEK, , GAK, KEK] of keys as readonly (readonly [Uint8Array, Uint8Array, Uint8Array, Uint8Array])[])
    for (let counter = 0; counter < counters; counter += 1) {
      const vector = Buffer.concat([client, Uint8Array.of(0, 0, counter >> 8, counter & 0xff)]);
      const stream = createCipheriv("aes-128-gcm", GUEK, vector);
      blocks.add(hex(stream.update(new Uint8Array(16))));
      for (const control of CONTROLS)
        for (const wanted of WANTED) {
          const cipher = createCipheriv("aes-128-gcm", GUEK, vector, { authTagLength: TAG_BYTES });
          cipher.setAAD(Buffer.concat([Uint8Array.of(control), GAK, wanted])).final();
          tags.add(hex(cipher.getAuthTag()));
        }
      if (counter > 0) continue;
      for (const set of keys)
        for (const key of set) {
          plain.add(hex(key));
          wraps.add(hex(nodeKeyWrap.wrap(createSecretKey(KEK), key)));
        }
    }
  return [
    { length: TAG_BYTES, hex: tags },
    { length: 16, hex: blocks },
    { length: 24, hex: wraps },
    { length: 16, hex: plain },
  ];
}

/** Calls through the channel, octet by octet, and keeps what comes back. */
class Listening {
  readonly heard: Uint8Array[] = [];
  readonly succeeded = new Set<CustodianMethod>();
  readonly #custody: TestCustody;

  constructor(custody: TestCustody) {
    this.#custody = custody;
  }

  /** @throws DlmsError where the request is none */
  async call<M extends CustodianMethod>(
    name: M,
    request: CustodianRequest<M>,
    by: Caller,
  ): Promise<CustodianResponse<M> | undefined> {
    const method = CUSTODIAN_METHODS[name];
    const payload = encode(method.request as Codec<unknown>, request);
    const asked = encode(frame, { kind: "request", correlation: 1, method: method.number, payload });
    const answered = decode(frame, await answer(asked, by, this.#custody.custody));
    this.heard.push(Uint8Array.from(answered.payload));
    if (answered.kind !== "response") return undefined;
    this.succeeded.add(name);
    return decode(method.response as Codec<unknown>, answered.payload) as CustodianResponse<M>;
  }

  /** What of it is a secret. */
  leaks(secrets: ReturnType<typeof secretsOf>): string[] {
    const found: string[] = [];
    for (const octets of this.heard) {
      const text = Buffer.from(octets).toString("hex");
      for (const { length, hex } of secrets)
        for (let at = 0; at + 2 * length <= text.length; at += 2)
          if (hex.has(text.slice(at, at + 2 * length))) found.push(text.slice(at, at + 2 * length));
    }
    return found;
  }
}

test("whatever a head-end asks of any method, with the meter in its pay, nothing comes back that is the tag, the keystream or the wrap of what it chose, or a key", () =>
  withTestCustody(async (custody) => {
    const world = await AuthorityWorld.open(custody);
    const meter = await world.meter(7);
    const title = systemTitle(fromHex(meter.systemTitle));
    const listening = new Listening(custody);
    const sessions: string[] = [];
    const open = async (ciphering?: "dedicated") => {
      const opened = await listening.call("openSession", { meter: title, purpose: "configure", ciphering }, HEAD_END);
      if (opened !== undefined) sessions.push(opened.session);
      return opened;
    };
    // The meter sends what the attacker wants answered, in place of a challenge, to sessions and to a change of keys.
    for (const wanted of WANTED) {
      meter.challenges = { current: wanted };
      for (const ciphering of [undefined, "dedicated"] as const) {
        const opened = await open(ciphering);
        if (opened === undefined) continue;
        const line = meter.connect(opened.clientSap, opened.serverSap);
        let received = line.exchange(opened.apdu);
        for (let step = 0; step < 3 && received !== undefined; step += 1) {
          const advanced = await listening.call("advanceSession", { session: opened.session, received }, HEAD_END);
          if (advanced?.kind !== "send") break;
          received = line.exchange(advanced.apdu);
        }
      }
    }
    meter.challenges = {};
    await custody.custody.service.planRotations(
      { meters: [title], madeBefore: undefined, purposes: [], cause: "demand", reason: "a test" },
      OPERATOR,
    );
    await carried(listening, custody, meter);
    custody.now += 86_400_000;
    await custody.custody.service.planRotations(
      { meters: [title], madeBefore: undefined, purposes: [], cause: "demand", reason: "again" },
      OPERATOR,
    );
    const contact = await listening.call("nextContact", { meter: title }, HEAD_END);
    const session = await world.session(meter);
    const dedicated = await world.session(meter, "dedicated");
    const [sealed] = await session.seal({ apdu: fromHex("c001c1000100002a0000ff0200"), token: undefined });
    const pool: Pool = {
      octets: [
        ...WANTED,
        fromHex("c001c1000100002a0000ff0200"),
        fromHex(meter.systemTitle),
        sealed?.kind === "sealed" ? sealed.apdu : new Uint8Array(0),
        contact?.kind === "connect" ? contact.apdu : new Uint8Array(0),
        meter.push("authenticated"),
      ],
      texts: [
        session.session,
        dedicated.session,
        ...sessions,
        contact?.kind === "connect" ? contact.contact : "none",
        "stadtwerke",
        "mainland",
        "",
      ],
    };
    const callers = [HEAD_END, DEPOT, caller("operator")];
    let asked = 0;
    for (const [name, { request, roles }] of Object.entries(CUSTODIAN_METHODS)) {
      const by = callers.filter(({ role }) => (roles as readonly string[]).includes(role) && role !== "operator");
      if (by.length === 0) continue;
      for (const value of fc.sample(valuesOf(request.shape, pool), { numRuns: 20, seed: 7 }))
        for (const one of by) {
          custody.now += 1000;
          try {
            await listening.call(name as CustodianMethod, value as never, one);
            asked += 1;
          } catch {
            // What the contract cannot carry nobody can ask.
          }
        }
    }
    assert.ok(asked > 300, `${asked} requests`);
    for (const method of ["seal", "open", "openSession", "openPush", "nextContact"] as const)
      assert.ok(listening.succeeded.has(method), `${method} never did anything: this asks for too little`);
    const client = clientTitles(custody.custody.recipient.keyId)("stadtwerke");
    const sets = await setsOf(custody, meter.systemTitle);
    const secrets = secretsOf(sets, client, meter.lowestCounter + 200);
    assert.deepEqual(listening.leaks(secrets), []);
    // The net would have caught one: what is looked for is what the meter would take.
    listening.heard.splice(0, listening.heard.length, fromHex([...(secrets[0]?.hex ?? [])][3] as string));
    assert.equal(listening.leaks(secrets).length, 1);
  }));

/** A whole rotation, whose every octet the head-end carries. */
async function carried(listening: Listening, custody: TestCustody, meter: TestMeter): Promise<void> {
  const title = systemTitle(fromHex(meter.systemTitle));
  for (let contacts = 0; contacts < 20; contacts += 1) {
    const next = await listening.call("nextContact", { meter: title }, HEAD_END);
    if (next?.kind === "wait") custody.now += next.milliseconds;
    if (next?.kind !== "connect") {
      if (next?.kind === "wait") continue;
      return;
    }
    const line = meter.connect(next.clientSap, next.serverSap);
    for (let { apdu } = next; ; ) {
      custody.now += 10;
      const event = { kind: "received", apdu: line.exchange(apdu) as Uint8Array } as const;
      const advanced = await listening.call("advanceContact", { contact: next.contact, event }, HEAD_END);
      if (advanced?.kind !== "send") {
        custody.now += advanced?.milliseconds ?? 0;
        break;
      }
      ({ apdu } = advanced);
    }
  }
}

/** Every combination of working keys and masters that a meter has had, by purpose. */
async function setsOf(custody: TestCustody, title: string): Promise<Uint8Array[][]> {
  const file = await custody.store.load(title);
  const held = new Map<number, Uint8Array[]>();
  for (const record of file?.keys ?? []) {
    const place = { ...record, systemTitle: fromHex(record.systemTitle) };
    const [key] = await custody.vault.unseal([{ place, sealed: record.sealed }]);
    const octets = key?.lend((bytes) => Uint8Array.from(bytes)) as Uint8Array;
    held.set(record.purpose, [...(held.get(record.purpose) ?? []), octets]);
  }
  const versions = Math.max(...[0, 1, 2, 3].map((purpose) => held.get(purpose)?.length ?? 0));
  // A key may have changed alone, the others of its set stay as they were.
  const at = (purpose: number, version: number) => held.get(purpose)?.[version] ?? held.get(purpose)?.at(-1);
  return Array.from({ length: versions }, (_, version) =>
    [0, 1, 2, 3].map((purpose) => at(purpose, version) as Uint8Array),
  );
}
