import assert from "node:assert/strict";
import { createHash, generateKeyPairSync, type KeyObject, randomBytes, sign } from "node:crypto";
import type { CustodianRequest, SealResult } from "@meterkeep/api/custodian";
import { fromHex, systemTitle } from "@meterkeep/dlms";
import {
  approval,
  type CommandToken,
  delayOf,
  directionOf,
  type ManifestHeader,
  type ManifestTarget,
  NO_DOCUMENT,
  type Operation,
  parseJson,
  planWaves,
  signedPartOf,
  takesOff,
  writeCanonical,
  writeManifest,
  writeToken,
} from "@meterkeep/guard";
import { sha384 } from "../authority/manifests.ts";
import type { Caller } from "../calls/caller.ts";
import { caller, carryTakeover, HEAD_END, type TestCustody } from "./test-custody.ts";
import { TestMeter } from "./test-meter.ts";

export const OPERATOR: Caller = caller("operator");
export const DISCONNECT: Operation = { kind: "disconnect", instance: "000060030aff" };
export const RECONNECT: Operation = { kind: "reconnect", instance: "000060030aff" };

/** The delays that the rules want (MC-12): who waits for half an hour has seen the last of them. */
const APART = { kind: "geometric", meanSeconds: 300, capSeconds: 1800, seed: "5e".repeat(32) } as const;

/** How long a wave is watched (MC-13). */
const SOAK_SECONDS = 600;

/** Somebody with a key file. */
export interface Person {
  readonly id: string;
  readonly name: string;
  readonly roles: readonly string[];
  readonly key: KeyObject;
  readonly publicKey: Uint8Array;
}

export function person(name: string, ...roles: readonly string[]): Person {
  const { privateKey, publicKey } = generateKeyPairSync("ec", { namedCurve: "P-384" });
  const spki = new Uint8Array(publicKey.export({ format: "der", type: "spki" }));
  return { id: name.toLowerCase(), name, roles, key: privateKey, publicKey: spki };
}

/** A statement of a person as the custodian words it, with the proof. */
export function signed({ key }: Pick<Person, "key">, statement: string): string {
  const octets = sign("sha384", Buffer.from(statement), { key, dsaEncoding: "ieee-p1363" });
  return writeCanonical(approval, {
    statement: parseJson(statement) as never,
    proof: { kind: "signature", signature: octets.toString("hex") },
  });
}

/** The authority of a test: Anna and Ben have been enrolled, and a policy service. */
export class AuthorityWorld {
  readonly custody: TestCustody;
  readonly anna = person("Anna", "operations");
  readonly ben = person("Ben", "security");
  readonly policy = person("policy", "policy");

  private constructor(custody: TestCustody) {
    this.custody = custody;
  }

  /** Where nobody has been enrolled yet. */
  static unfounded(custody: TestCustody): AuthorityWorld {
    return new AuthorityWorld(custody);
  }

  static async open(custody: TestCustody): Promise<AuthorityWorld> {
    const world = new AuthorityWorld(custody);
    assert.deepEqual(await world.enrol(world.anna), { enrolled: true });
    assert.deepEqual(await world.enrol(world.ben), { enrolled: true });
    const publicKey = Buffer.from(world.policy.publicKey).toString("hex");
    await world.change("enrol-policy-service", { name: "policy", publicKey });
    return world;
  }

  get service() {
    return this.custody.custody.service;
  }

  async enrol({ id, name, roles, key, publicKey }: Person) {
    const { statement } = await this.service.statement({ decision: "enrol", hash: "", approver: id }, OPERATOR);
    const request = { id, name, roles: [...roles], publicKey, approval: signed({ key }, statement) };
    return this.service.enrolApprover(request, OPERATOR);
  }

  /** Anna and Ben let somebody more approve. */
  enrolFurther({ id, name, roles, publicKey }: Omit<Person, "key">): Promise<string> {
    const key = { keyKind: "signature", publicKey: Buffer.from(publicKey).toString("hex") };
    return this.change("enrol-approver", { id, name, roles: [...roles], ...key });
  }

  async approve(hash: string, who: Person) {
    const { statement } = await this.service.statement({ decision: "approve", hash, approver: who.id }, OPERATOR);
    return this.service.approve({ approval: signed(who, statement) }, HEAD_END);
  }

  async plan(kind: string, body: unknown, requester = "Rita"): Promise<string> {
    const request = { kind, body: JSON.stringify(body), requester, reason: "a test" };
    return (await this.service.planChange(request, OPERATOR)).hash;
  }

  /** Plans a change and has Anna and Ben approve it. */
  async change(kind: string, body: unknown, ...by: readonly Person[]): Promise<string> {
    const hash = await this.plan(kind, body);
    for (const who of by.length > 0 ? by : [this.anna, this.ben]) await this.approve(hash, who);
    return hash;
  }

  /** Anna and Ben say that time has passed while nobody ran. */
  async believeClock(): Promise<{ readonly written: number; readonly found: number }> {
    const entries = await this.custody.store.ledger.read(0, 100_000);
    const doubted = entries.findLast(({ kind }) => kind === "clock-doubted");
    const { written, found } = JSON.parse(doubted?.body ?? "{}") as { written: number; found: number };
    await this.change("trust-clock", { found });
    return { written, found };
  }

  /** Asks for what takes two people, has Anna and Ben approve it, and asks again. */
  async agreed<T>(ask: () => Promise<T>): Promise<T> {
    const hash = await ask().then(
      () => assert.fail("it went without approval"),
      (error: { code?: string; message: string }) => {
        assert.equal(error.code, "approval-required", error.message);
        return /change ([0-9a-f]{96})/.exec(error.message)?.[1] as string;
      },
    );
    for (const who of [this.anna, this.ben]) await this.approve(hash, who);
    return ask();
  }

  /** A manifest as an honest head-end writes it: several meters are switched off apart and in waves, anything else is done at once. */
  manifest(
    operation: Operation,
    titles: readonly string[],
    change: Partial<ManifestHeader> = {},
    target: (title: string, at: number) => Partial<ManifestTarget> = () => ({}),
  ): Uint8Array {
    const { now } = this.custody;
    const dispersion =
      change.dispersion ?? (takesOff(directionOf(operation)) && titles.length > 1 ? APART : { kind: "none" });
    const waves =
      change.waves ??
      (takesOff(directionOf(operation)) && dispersion.kind === "geometric"
        ? planWaves(titles.length, titles.length, Number.POSITIVE_INFINITY, SOAK_SECONDS)
        : [{ targets: titles.length, soakSeconds: 0 }]);
    const waveOf = waves.flatMap(({ targets: size }, wave) => Array.from({ length: size }, () => wave));
    const targets = titles.map((title, at): ManifestTarget => {
      const delaySeconds = dispersion.kind === "listed" ? 0 : delayOf(dispersion, title, sha384);
      const base = {
        systemTitle: title,
        wave: waveOf[at] ?? 0,
        delaySeconds,
        feeder: "F1",
        transformer: "T1",
        loadW: 400,
      };
      return { ...base, ...target(title, at) };
    });
    return writeManifest(
      {
        format: "meterkeep-manifest-1",
        utility: "stadtwerke",
        island: "mainland",
        operation,
        targets: titles.length,
        loadAtRiskW: titles.length * 400,
        notBefore: now,
        notAfter: now + 3_600_000,
        requester: "Rita",
        reason: "safety: RC1",
        workOrder: "WO-1",
        createdAt: now,
        dispersion,
        waves: [...waves],
        doubted: undefined,
        nonce: randomBytes(16).toString("hex"),
        ...change,
      },
      targets,
    );
  }

  async submit(manifest: Uint8Array, by: Caller = HEAD_END) {
    return this.service.submitManifest({ upload: await this.upload(manifest, by) }, by);
  }

  /** Offers a shipment file. */
  async offer(file: Uint8Array) {
    return this.service.commitShipment({ upload: await this.upload(file, HEAD_END) }, HEAD_END);
  }

  private async upload(octets: Uint8Array, by: Caller) {
    const { upload } = await this.service.beginShipment({ utility: "stadtwerke", island: "mainland" }, by);
    for (let at = 0; at < octets.length; at += 500_000)
      await this.service.shipmentChunk({ upload, bytes: octets.subarray(at, at + 500_000) }, by);
    return upload;
  }

  /** A manifest that Anna and Ben have approved; gives its hash. */
  async approved(operation: Operation, titles: readonly string[], change: Partial<ManifestHeader> = {}) {
    const { hash } = await this.submit(this.manifest(operation, titles, change));
    await this.approve(hash, this.anna);
    await this.approve(hash, this.ben);
    return hash;
  }

  token(hash: string, title: string, change: Partial<CommandToken> = {}, by: Person = this.policy): Uint8Array {
    const token: CommandToken = {
      issuer: "policy",
      manifest: fromHex(hash),
      meter: systemTitle(fromHex(title)),
      act: 0,
      notBefore: this.custody.now - 1000,
      notAfter: this.custody.now + 10 * 60_000,
      nonce: new Uint8Array(randomBytes(16)),
      ...change,
    };
    const signature = sign("sha384", signedPartOf(token), { key: by.key, dsaEncoding: "ieee-p1363" });
    return writeToken(token, signature);
  }

  async meter(number: number): Promise<TestMeter> {
    const title = `545354${number.toString(16).toUpperCase().padStart(10, "0")}`;
    const meter = new TestMeter({ systemTitle: title });
    await this.custody.add(meter);
    await carryTakeover(this.custody, meter);
    return meter;
  }

  /** A session with a meter, established. */
  async session(meter: TestMeter, ciphering?: "global" | "dedicated") {
    const { service } = this;
    const title = systemTitle(fromHex(meter.systemTitle));
    const opened = await service.openSession({ meter: title, purpose: "configure", ciphering }, HEAD_END);
    const { session } = opened;
    const line = meter.connect(opened.clientSap, opened.serverSap);
    for (let send = opened.apdu; ; ) {
      const received = line.exchange(send) as Uint8Array;
      const advance = await service.advanceSession({ session, received }, HEAD_END);
      if (advance.kind === "established") break;
      assert.ok(advance.kind === "send", JSON.stringify(advance));
      send = advance.apdu;
    }
    const seal = async (...items: CustodianRequest<"seal">["items"]) => service.seal({ session, items }, HEAD_END);
    const open = async (answer: Uint8Array | undefined) =>
      (await service.open({ session, apdus: [answer as Uint8Array] }, HEAD_END))[0];
    return { session, line, seal, open };
  }

  /** Seals one request in a session of its own and, where it was sealed, carries it to the meter and its answer back. */
  async command(meter: TestMeter, apdu: Uint8Array, token: Uint8Array, carried = true): Promise<SealResult> {
    const { session, line, seal, open } = await this.session(meter);
    const [result] = await seal({ apdu, token });
    assert.ok(result !== undefined);
    if (carried && result.kind === "sealed") await open(line.exchange(result.apdu));
    await this.service.closeSession({ session, outcome: "completed" }, HEAD_END);
    return result;
  }

  /** The reason of the newest refusal in the ledger. */
  async lastRefusal(): Promise<string> {
    await this.custody.custody.sweep();
    const entry = (await this.custody.store.ledger.read(0, 100_000)).findLast(({ kind }) => kind === "seal-refused");
    const body = JSON.parse(entry?.body ?? "{}") as { code?: string; detail?: string };
    return `${body.code}: ${body.detail ?? ""}`;
  }
}

/** The digest that a passkey of a test would sign. */
export const sha256 = (octets: Uint8Array): Uint8Array => new Uint8Array(createHash("sha256").update(octets).digest());
export { NO_DOCUMENT };
