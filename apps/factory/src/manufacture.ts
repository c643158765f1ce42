import { createHash, randomBytes } from "node:crypto";
import {
  closeSync,
  existsSync,
  fsyncSync,
  mkdirSync,
  openSync,
  readFileSync,
  renameSync,
  rmSync,
  writeSync,
} from "node:fs";
import { join } from "node:path";
import { companionProfile, type FactoryKeys, productionLine, seedOf } from "@meterkeep/meter";
import { derivedKeys, masterFile, openFactoryMaster } from "./factory-master.ts";
import { FLAG, identityOf, reserveSerials } from "./identity.ts";
import { type PlannedFeeder, type PlannedMeter, planTown } from "./layout.ts";
import { writeDurably } from "./private-file.ts";
import { parseProfileMix } from "./profile-mix.ts";
import { orderedAnchors, parseRecipient } from "./recipient.ts";
import { type ClientSecret, ShipmentWriter } from "./shipment-writer.ts";
import type { SigningKeys } from "./signing-keys.ts";

/** One order of meters. */
export interface Order {
  readonly stateDirectory: string;
  readonly exchangeDirectory: string;
  readonly productionFile: string;
  readonly manufacturerName: string;
  readonly customer: string;
  readonly utility: string;
  readonly island: string;
  readonly homes: number;
  readonly seed: string;
  /** `idis-p2=3,metcom-mcs301=1`; the usual mix where absent. */
  readonly profiles?: string | undefined;
  /** Where keys come from: the system's generator, or the factory's master; the generator where absent. */
  readonly factoryKeys?: "random" | "derived" | undefined;
}

/** What an order gave. */
export interface Delivery {
  readonly shipment: string;
  readonly meters: number;
  /** Path of the shipment file. */
  readonly file: string;
}

/** Octets of a key in each security suite. */
const KEY_BYTES = { 0: 16, 1: 16, 2: 32 } as const;
const SECRET_BYTES = 16;
/** In the exchange directory, where keys are derived. */
const MASTER_FILE = "factory-master.json";

/**
 * Makes the meters of an order: identities, keys from the system's generator, shipment, production file and grid.
 *
 * All files are made in an outbox first, and delivered once it is complete. After a crash the next call delivers the complete outbox, or makes everything
 * anew and throws the incomplete one away: never a shipment without its meters.
 */
export function manufacture(order: Order, signing: SigningKeys): Delivery {
  const outbox = join(order.stateDirectory, "outbox");
  rmSync(`${outbox}-delivered`, { recursive: true, force: true });
  if (!existsSync(join(outbox, "complete"))) {
    rmSync(outbox, { recursive: true, force: true });
    mkdirSync(outbox, { mode: 0o700 });
    fillOutbox(outbox, order, signing);
  }
  return deliver(outbox, order);
}

function fillOutbox(outbox: string, order: Order, signing: SigningKeys): void {
  const recipient = parseRecipient(readFileSync(join(order.exchangeDirectory, "recipient.json"), "utf8"));
  const anchors = orderedAnchors(join(order.exchangeDirectory, "trust-anchors.json"));
  const mix = order.profiles === undefined ? undefined : parseProfileMix(order.profiles);
  const feeders = planTown(order.homes, seedOf(order.seed), anchors.length > 0, mix);
  const count = order.homes + feeders.length;
  let serial = reserveSerials(order.stateDirectory, count);
  const master = order.factoryKeys === "derived" ? openFactoryMaster(order.stateDirectory) : undefined;
  const details = {
    manufacturer: { flag: FLAG, name: order.manufacturerName },
    customer: order.customer,
    created: new Date().toISOString(),
  };
  const shipment = new ShipmentWriter(
    join(outbox, "shipment.mks"),
    { ...details, count, master: master?.id },
    [recipient],
    signing,
  );
  const production = openSync(join(outbox, "production.json-lines"), "wx", 0o600);
  const make = (feeder: PlannedFeeder, meter: PlannedMeter): string => {
    const identity = identityOf(meter, serial++);
    const { securitySuite } = meter;
    const keysOf = (setup?: number): FactoryKeys =>
      master === undefined
        ? freshKeys(securitySuite)
        : derivedKeys(master, identity.systemTitle, KEY_BYTES[securitySuite], setup);
    const keys = keysOf();
    const setups = (companionProfile(meter.profile).furtherSetups ?? []).map(({ setup }) => ({
      setup,
      keys: keysOf(setup),
    }));
    const secrets = freshSecrets(meter.profile);
    const common = { ...identity, profile: meter.profile, securitySuite } as const;
    const signed = securitySuite === 0 || anchors.length === 0 ? {} : { anchors: anchors.map(anchorName) };
    shipment.add({ ...common, holders: [order.manufacturerName], ...signed }, keys, { secrets, setups });
    const line = productionLine({
      ...common,
      keys,
      ...(setups.length === 0 ? {} : { setups }),
      ...(securitySuite === 0 ? {} : { trustAnchors: anchors }),
      firmwareKey: Buffer.from(signing.ecdsaPublicKey).toString("base64"),
      ...(secrets.length === 0 ? {} : { secrets: secretTexts(secrets) }),
      role: meter.role,
      phases: meter.phases,
      seed: meter.seed,
      feeder: feeder.id,
      position: meter.position,
      ratedKva: meter.role === "transformer" ? feeder.ratedKva : 0,
      depot: feeder.path === "depot",
      keyFault: meter.keyFault,
      pushProtection: meter.pushProtection,
    });
    writeSync(production, line);
    for (const own of [keys, ...setups.map((one) => one.keys)]) for (const key of Object.values(own)) key.fill(0);
    for (const { octets } of secrets) octets.fill(0);
    return identity.systemTitle;
  };
  try {
    const grid = {
      utility: order.utility,
      island: order.island,
      substation: { id: "S1", name: "Substation Mühlbach" },
      feeders: feeders.map((feeder) => ({
        id: feeder.id,
        name: feeder.name,
        path: feeder.path,
        transformer: {
          id: `T${feeder.id.slice(1)}`,
          meter: make(feeder, feeder.transformer),
          ratedKva: feeder.ratedKva,
        },
        homes: feeder.homes.map((home) => ({ meter: make(feeder, home), label: home.label, phase: home.phase })),
      })),
    };
    shipment.finish();
    fsyncSync(production);
    if (master !== undefined)
      writeDurably(join(outbox, MASTER_FILE), masterFile(master, details, recipient, signing), 0o644);
    writeDurably(join(outbox, "grid.json"), JSON.stringify(grid), 0o644);
    writeDurably(join(outbox, "complete"), JSON.stringify({ shipment: shipment.shipment, meters: count }), 0o600);
  } catch (error) {
    shipment.abandon();
    throw error;
  } finally {
    closeSync(production);
    master?.octets.fill(0);
  }
}

/** The secret of each client that opens without keys; those of passwords are letters and digits, as hand-held units have them. */
function freshSecrets(profile: string): readonly (ClientSecret & { readonly name: string })[] {
  return companionProfile(profile).secretClients.map(({ name, clientSap, authentication }) => ({
    name,
    client: clientSap,
    purpose: authentication === "lls" ? 5 : 6,
    octets:
      authentication === "lls"
        ? Uint8Array.from(randomBytes(SECRET_BYTES / 2).toString("hex"), (digit) => digit.charCodeAt(0))
        : new Uint8Array(randomBytes(SECRET_BYTES)),
  }));
}

function secretTexts(secrets: ReturnType<typeof freshSecrets>): Record<string, string> {
  return Object.fromEntries(secrets.map(({ name, octets }) => [name, Buffer.from(octets).toString("hex")]));
}

/** Copies everything in a complete outbox to its place. Nothing leaves the outbox before all of it has arrived, so a crash on the way is made good by doing it again. */
function deliver(outbox: string, order: Order): Delivery {
  const { shipment, meters } = JSON.parse(readFileSync(join(outbox, "complete"), "utf8")) as Pick<
    Delivery,
    "shipment" | "meters"
  >;
  const shipments = join(order.exchangeDirectory, "shipments");
  mkdirSync(shipments, { recursive: true, mode: 0o755 });
  const file = join(shipments, `${shipment}.mks`);
  writeDurably(order.productionFile, readFileSync(join(outbox, "production.json-lines")), 0o600);
  writeDurably(join(order.exchangeDirectory, "grid.json"), readFileSync(join(outbox, "grid.json")), 0o644);
  const master = join(outbox, MASTER_FILE);
  if (existsSync(master)) writeDurably(join(order.exchangeDirectory, MASTER_FILE), readFileSync(master), 0o644);
  writeDurably(file, readFileSync(join(outbox, "shipment.mks")), 0o644);
  // One rename ends it; what is left of the removal is swept by the next call.
  renameSync(outbox, `${outbox}-delivered`);
  rmSync(`${outbox}-delivered`, { recursive: true });
  return { shipment, meters, file };
}

/** How a signed line names a trust anchor: SHA-256 over its DER. */
function anchorName(certificate: string): string {
  return createHash("sha256").update(Buffer.from(certificate, "base64")).digest("hex");
}

/** Independent random keys from the system's generator: nothing derives one meter's keys from another's, or from a seed. */
function freshKeys(securitySuite: keyof typeof KEY_BYTES): FactoryKeys {
  const bytes = KEY_BYTES[securitySuite];
  const octets = randomBytes(4 * bytes);
  const key = (n: number): Uint8Array => Uint8Array.from(octets.subarray(n * bytes, (n + 1) * bytes));
  const keys = {
    globalUnicastEncryptionKey: key(0),
    globalBroadcastEncryptionKey: key(1),
    authenticationKey: key(2),
    keyEncryptionKey: key(3),
  };
  octets.fill(0);
  return keys;
}
