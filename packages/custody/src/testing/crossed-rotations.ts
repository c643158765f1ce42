import { randomBytes } from "node:crypto";
import { fromHex, systemTitle } from "@meterkeep/dlms";
import { journalOf } from "../takeover/view.ts";
import { sealMeterKeys } from "./shipment-writer.ts";
import { TestChild } from "./test-child.ts";
import { caller, carryTakeover, type TestCustody } from "./test-custody.ts";
import { type MeterFault, TestMeter } from "./test-meter.ts";

const OPERATOR = caller("operator");

/** What strikes one rotation: the custodian at a commit of its own, and the meter at an APDU. */
export interface Crossing {
  /** Counted from the beginning of the rotation, from 0. After a commit that made keys is before they are in escrow. */
  readonly commit: number;
  readonly when: "before" | "after";
  readonly fault: MeterFault;
  readonly place: number;
}

/** What an undisturbed rotation takes. */
export interface Undisturbed {
  readonly commits: number;
  readonly apdus: number;
}

const FAULTS: readonly MeterFault[] = ["dies-before", "dies-after", "says-nothing", "dies-half-applied"];

/** Every commit of ours, before and after it, crossed with every fault of the meter at every APDU. */
export function crossings({ commits, apdus }: Undisturbed): readonly Crossing[] {
  const places = (count: number) => Array.from({ length: count }, (_, at) => at);
  return places(commits).flatMap((commit) =>
    (["before", "after"] as const).flatMap((when) =>
      FAULTS.flatMap((fault) => places(apdus).map((place): Crossing => ({ commit, when, fault, place }))),
    ),
  );
}

/**
 * A meter of a kind that has everything a rotation changes (working keys, master, a device at its M-Bus channel; a password and a secret,
 * or a second security setup), taken over by a custodian as it is in service; its rotations are struck as a crossing says.
 */
export class RotatedMeter {
  readonly #custody: TestCustody;
  readonly meter: TestMeter;
  readonly child: TestChild;

  private constructor(custody: TestCustody, meter: TestMeter, child: TestChild) {
    this.#custody = custody;
    this.meter = meter;
    this.child = child;
  }

  static async open(
    custody: TestCustody,
    number: number,
    kind: "secrets" | "setups" = "secrets",
  ): Promise<RotatedMeter> {
    const child = new TestChild(new Uint8Array(randomBytes(16)));
    const title = `54535400${number.toString(16).padStart(8, "0").toUpperCase()}`;
    const secrets = { secrets: true, setupVersion: 0 } as const;
    const meter = new TestMeter({
      systemTitle: title,
      child,
      ...(kind === "secrets" ? secrets : { secondSetup: true }),
    });
    await custody.add(meter, { profile: kind === "secrets" ? "is15959" : "idis-p2-service" });
    const one = new RotatedMeter(custody, meter, child);
    await carryTakeover(custody, meter);
    const sealed = sealMeterKeys(custody.custody.recipient, title, { 11: Uint8Array.of(1, ...child.defaultKey) });
    await custody.custody.service.installChild({ meter: one.title, sealed }, OPERATOR);
    await carryTakeover(custody, meter);
    return one;
  }

  get title() {
    return systemTitle(fromHex(this.meter.systemTitle));
  }

  /** A rotation of all that it has; gives what it took. @throws Error where it strands the meter or forgets a key. */
  async rotate(crossing: Crossing | undefined): Promise<Undisturbed & { readonly crashes: number }> {
    const { meter, child } = this;
    const custody = this.#custody;
    const before = { keys: keysOf(meter), secrets: meter.secrets, child: child.own };
    custody.now += 86_400_000;
    await custody.custody.service.planRotations(
      { meters: [this.title], madeBefore: undefined, purposes: [], cause: "demand", reason: "a crossing" },
      OPERATOR,
    );
    custody.crashAt(crossing?.commit, crossing?.when ?? "before");
    const faults = crossing && [...Array<MeterFault>(crossing.place).fill("none"), crossing.fault];
    const { state, crashes, steps } = await carryTakeover(custody, meter, faults === undefined ? {} : { faults });
    const { commits } = custody;
    custody.crashAt(undefined, "before");
    const kept = Object.keys(meter.secrets).filter(
      (client) => hex(meter.secrets[client]) === hex(before.secrets[client]),
    );
    const wrong = [
      ...(state.verdict === "proven" ? [] : [`it ended as ${state.verdict}`]),
      ...keysOf(meter).flatMap((key, at) => (hex(key) === hex(before.keys[at]) ? [`key ${at} was not rotated`] : [])),
      ...(kept.length > (await this.#unproven())
        ? kept.map((client) => `the secret of ${client} was not rotated`)
        : []),
      ...(hex(child.own) === hex(before.child) ? ["the key of its device was not rotated"] : []),
      ...(hex(child.own) === hex(child.used) ? [] : ["device and meter have two keys"]),
      ...(await this.#forgotten()).map((name) => `${name} is in use and forgotten`),
      ...(new Set(meter.everSent).size === meter.everSent.length ? [] : ["a value was sent twice"]),
    ];
    if (wrong.length > 0) throw new Error(`${JSON.stringify(crossing)}: ${wrong.join("; ")}`);
    return { commits, apdus: steps.length, crashes };
  }

  /** Secrets that its journal says are not proven: of silence and refusals no more than that is promised. */
  async #unproven(): Promise<number> {
    const file = await this.#custody.store.load(this.meter.systemTitle);
    const { secrets = [] } = file === undefined ? {} : journalOf(file).journal;
    return secrets.filter(({ unproven }) => unproven !== undefined).length;
  }

  /** What is on the meter and its device, and not in custody. */
  async #forgotten(): Promise<readonly string[]> {
    const { store, vault } = this.#custody;
    const { meter, child } = this;
    const file = await store.load(meter.systemTitle);
    const records = (file?.keys ?? []).filter(({ sealed }) => sealed.length > 0);
    const secrets = await vault.unseal(
      records.map((record) => ({
        place: { ...record, systemTitle: fromHex(record.systemTitle) },
        sealed: record.sealed,
      })),
    );
    const held = new Set(
      secrets.map((secret) => {
        using own = secret;
        return own.lend(hex);
      }),
    );
    const used: readonly (readonly [string, Uint8Array | undefined])[] = [
      ...keysOf(meter).map((key, at) => [`key ${at}`, key] as const),
      ...Object.entries(meter.secrets).map(([client, secret]) => [`the secret of ${client}`, secret] as const),
      ["the key of its device", child.own],
    ];
    return used.flatMap(([name, octets]) => (held.has(hex(octets)) ? [] : [name]));
  }
}

/** The keys of each of its setups, one after the other. */
function keysOf({ setups }: TestMeter): readonly Uint8Array[] {
  return setups.flatMap(({ keys }) => keys);
}

function hex(octets: Uint8Array | undefined): string {
  return Buffer.from(octets ?? []).toString("hex");
}
