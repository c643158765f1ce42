import { createDecipheriv, createSecretKey, generateKeyPairSync, type KeyObject, sign } from "node:crypto";
import type { Exposure, FieldReport } from "@meterkeep/api/custodian";
import {
  type AssociationConfig,
  fromHex,
  localAssociator,
  openSession,
  risingCountersFrom,
  systemTitle,
} from "@meterkeep/dlms";
import { nodeCiphers, nodeRandom } from "@meterkeep/dlms-node";
import {
  generateRecoveryKey,
  type RecoveryPrivateKey,
  recoveryPrivateKey,
  unwrapContentKey,
} from "../backup/recovery-key.ts";
import type { LeasedMeter, LeaseTerms, LentKeys } from "../lease/lease-file.ts";
import type { CustodyStore } from "../store/store.ts";
import { caller, carryTakeover, type TestCustody, withTestCustody } from "./test-custody.ts";
import { TestMeter } from "./test-meter.ts";

export const OPERATOR = caller("operator");
export const TITLES = ["5453540000000801", "5453540000000802"] as const;

export interface Handheld {
  readonly publicKey: string;
  readonly opening: RecoveryPrivateKey;
  readonly signing: KeyObject;
}

export function newHandheld(name: string): Handheld {
  const keys = generateRecoveryKey(name);
  const pair = generateKeyPairSync("ed25519");
  const signing = pair.publicKey.export({ type: "spki", format: "der" }).toString("base64");
  const publicKey = JSON.stringify({ ...(JSON.parse(keys.publicText) as object), signing });
  return { publicKey, opening: recoveryPrivateKey(keys.privateText), signing: pair.privateKey };
}

export function opened(
  file: string,
  { opening }: Handheld,
): { readonly terms: LeaseTerms; readonly keys: readonly LentKeys[] } {
  const { terms, key, sealed } = JSON.parse(file) as {
    terms: string;
    key: Parameters<typeof unwrapContentKey>[0];
    sealed: string;
  };
  using content = unwrapContentKey(key, opening);
  const octets = Buffer.from(sealed, "base64");
  const keys = content.lend((bytes) => {
    const decipher = createDecipheriv("aes-256-gcm", bytes, new Uint8Array(12));
    decipher.setAAD(Buffer.from(terms, "utf8"));
    decipher.setAuthTag(octets.subarray(-16));
    return JSON.parse(Buffer.concat([decipher.update(octets.subarray(0, -16)), decipher.final()]).toString("utf8"));
  }) as LentKeys[];
  return { terms: JSON.parse(terms) as LeaseTerms, keys };
}

export function journal({ signing }: Handheld, said: object): string {
  const text = JSON.stringify(said);
  const signature = sign(null, Buffer.from(`meterkeep-field-journal-1\n${text}`), signing).toString("base64");
  return JSON.stringify({ text, signature });
}

export async function withField(
  body: (test: TestCustody, meters: readonly [TestMeter, TestMeter], handheld: Handheld) => Promise<void>,
  store?: CustodyStore,
): Promise<void> {
  await withTestCustody(async (custody) => {
    const meters = TITLES.map((title) => new TestMeter({ systemTitle: title })) as [TestMeter, TestMeter];
    for (const meter of meters) {
      await custody.add(meter);
      await carryTakeover(custody, meter);
    }
    const handheld = newHandheld("HH-7");
    await custody.custody.service.enrolHandheld({ publicKey: handheld.publicKey, technician: "Ada" }, OPERATOR);
    await body(custody, meters, handheld);
  }, store);
}

export const titles = TITLES.map((title) => systemTitle(fromHex(title)));
export const give = ({ custody }: TestCustody, change: object = {}) =>
  custody.service.giveLease(
    { handheld: "HH-7", meters: titles, operations: ["read"], hours: 8, reason: "today's round", ...change },
    OPERATOR,
  );
export const reportOf = async ({ custody }: TestCustody) =>
  JSON.parse((await custody.service.fieldReport({}, OPERATOR)).report) as FieldReport;
export const exposureOf = async ({ custody }: TestCustody, request: object) =>
  JSON.parse(
    (await custody.service.exposure({ meter: undefined, person: undefined, from: undefined, ...request }, OPERATOR))
      .exposures,
  ) as Exposure[];

/** Lends both meters: the lease, what it says of one of them, and its counters. */
export async function lent(
  custody: TestCustody,
  handheld: Handheld,
  { systemTitle: title }: Pick<TestMeter, "systemTitle">,
) {
  const lease = opened((await give(custody)).file, handheld);
  const leased = lease.terms.meters.find(({ meter }) => meter === title) as LeasedMeter;
  return { lease, leased, counters: countersFrom(leased.first) };
}

/** The ledger's entries of a kind. */
export const entriesOf = async ({ store }: Pick<TestCustody, "store">, kind: string) =>
  (await store.ledger.read(0, 10_000)).filter((entry) => entry.kind === kind);

/** What a technician does at a meter, or whoever has the same file: an association under the lease's keys, and a read. */
export async function visit(
  meter: Pick<TestMeter, "systemTitle" | "connect">,
  { terms, keys }: ReturnType<typeof opened>,
  counters: { take(count: number): number },
): Promise<void> {
  const own = keys.find((one) => one.meter === meter.systemTitle) as LentKeys;
  const config: AssociationConfig<KeyObject> = {
    authentication: { kind: "gmac", challenge: nodeRandom(16) },
    maxReceivePduSize: 0xffff,
    systemTitle: systemTitle(fromHex(terms.client)),
    serverSystemTitle: systemTitle(fromHex(meter.systemTitle)),
    ciphering: {
      ciphers: nodeCiphers,
      suite: 0,
      form: "general-global",
      authenticated: true,
      encrypted: true,
      encryptionKey: createSecretKey(fromHex(own.encryptionKey)),
      authenticationKey: fromHex(own.authenticationKey),
    },
  };
  const line = meter.connect(1, 1);
  const session = await openSession({
    exchange: async (apdu) => line.exchange(apdu) as Uint8Array,
    associator: localAssociator(config, { frameCounters: counters, receivedCounters: risingCountersFrom(0) }),
    signal: new AbortController().signal,
  });
  await session.get({ classId: 1, logicalName: "0.0.42.0.0.255", attributeId: 2 });
  await session[Symbol.asyncDispose]();
}

/** Counters one after the other, and where they are. */
export function countersFrom(next: number): { next: number; take(count: number): number } {
  return {
    next,
    take(count) {
      this.next += count;
      return this.next - count;
    },
  };
}
