import {
  type AssociationConfig,
  BUILT_IN_PROFILES,
  Clock,
  type Data,
  DataClass,
  DecodeError,
  data,
  dateTimeAt,
  decode,
  fromHex,
  localAssociator,
  logicalNameText,
  type MeterFacts,
  numberOf,
  obisInWords,
  obisOctets,
  openSession,
  parseObis,
  plainValue,
  readCounterHint,
  remote,
  risingCountersFrom,
  type SecuritySuiteId,
  type Session,
  SessionError,
  type SoftwareKey,
  scaled,
  securityOf,
  softwareCiphers,
  softwareKey,
  systemTitle,
  timeText,
  unitSymbol,
} from "@meterkeep/dlms";
import { FieldError } from "./field-error.ts";
import type { FieldOperation, LeasedMeter, LentKeys } from "./lease.ts";
import type { ByteLine } from "./line/byte-line.ts";
import { openLink } from "./line/opened-link.ts";
import type { MeterReading } from "./meter-reading.ts";

/** Counters of a visit, one after the other. */
export interface VisitCounters {
  take(count: number): number;
}

const STANDARD: MeterFacts = { id: "standard", title: "clients of the Green Book" };
const SERVER_SAP = 1;
const PUBLIC_SAP = 16;
const MOST_PDU_BYTES = 0xffff;
const CHALLENGE_BYTES = 32;
const REGISTER = 3;
/** What fits into a visit of a few minutes and the counters of a lease. */
const MOST_REGISTERS = 40;
const OBJECT_LIST = { classId: 15, logicalName: "0.0.40.0.0.255", attributeId: 2 } as const;
const DEVICE_NAME = "0.0.42.0.0.255";
const CLOCK = "0.0.1.0.0.255";

/**
 * The last counter that a meter has taken, as it shows it to anybody: asked before each visit, since this device may have been put back
 * to an older state. Undefined where it shows none. It is plain: on the line somebody may say a higher one, which is no harm but to
 * the lease, or keep the meter's from being heard, which ends the visit.
 */
export async function readShownCounter(
  line: ByteLine,
  operation: FieldOperation,
  meter: Pick<LeasedMeter, "profile" | "clients">,
): Promise<number | undefined> {
  const profile = profileOf(meter);
  const { clients = [] } = profile;
  const own = clients.find(({ sap }) => sap === meter.clients[operation])?.counter;
  const clientSap = clients.find(({ name }) => name === "public")?.sap ?? PUBLIC_SAP;
  const link = await openLink(line, { profile, clientSap, serverSap: profile.serverSap ?? SERVER_SAP });
  try {
    const config: AssociationConfig<SoftwareKey> = {
      authentication: { kind: "none" },
      profile: securityOf(profile),
      maxReceivePduSize: MOST_PDU_BYTES,
    };
    const { signal } = new AbortController();
    const session = await openSession({
      exchange: link.exchange,
      associator: localAssociator(config, undefined),
      signal,
    });
    try {
      const code = own === undefined ? undefined : parseObis(own);
      const shown = code && (await readCounterHint(session, [...obisOctets(code)].join(".")).catch(unshown));
      return shown ?? (await readCounterHint(session).catch(unshown));
    } finally {
      await session[Symbol.asyncDispose]();
    }
  } catch (error) {
    return unshown(error);
  } finally {
    await link.close();
  }
}

/** A meter without a public client is none that cannot be read; one that does not answer at all is. */
function unshown(error: unknown): undefined {
  if (!(error instanceof SessionError || error instanceof DecodeError)) throw error;
}

/** Reads a meter, or sets its clock, as the client that the lease names for it: mechanism 5, authenticated and encrypted. */
export async function visitMeter(
  line: ByteLine,
  operation: FieldOperation,
  meter: LeasedMeter,
  client: string,
  keys: LentKeys,
  counters: VisitCounters,
): Promise<MeterReading | undefined> {
  const profile = profileOf(meter);
  const clientSap = meter.clients[operation];
  if (clientSap === undefined) throw new FieldError("The lease names no client of the meter for this.");
  const link = await openLink(line, { profile, clientSap, serverSap: profile.serverSap ?? SERVER_SAP });
  try {
    const config = configOf(meter, profile, client, keys);
    const session = await openSession({
      exchange: link.exchange,
      associator: localAssociator(config, { frameCounters: counters, receivedCounters: risingCountersFrom(0) }),
      signal: new AbortController().signal,
    });
    try {
      if (operation === "read") return await readMeter(session);
      const clock = remote(session, Clock, CLOCK);
      const before = await clock.get("time");
      await clock.set("time", dateTimeAt(Date.now(), before.deviation ?? 0));
      return undefined;
    } finally {
      await session[Symbol.asyncDispose]();
    }
  } finally {
    await link.close();
  }
}

function profileOf({ profile }: Pick<LeasedMeter, "profile">): MeterFacts {
  return BUILT_IN_PROFILES.find(({ id }) => id === profile) ?? STANDARD;
}

function configOf(
  { meter, securitySuite }: LeasedMeter,
  profile: MeterFacts,
  client: string,
  { encryptionKey, authenticationKey }: LentKeys,
): AssociationConfig<SoftwareKey> {
  return {
    authentication: { kind: "gmac", challenge: crypto.getRandomValues(new Uint8Array(CHALLENGE_BYTES)) },
    profile: securityOf(profile),
    maxReceivePduSize: MOST_PDU_BYTES,
    systemTitle: systemTitle(fromHex(client)),
    serverSystemTitle: systemTitle(fromHex(meter)),
    ciphering: {
      ciphers: softwareCiphers,
      suite: securitySuite as SecuritySuiteId,
      form: profile.ciphering?.header === "general" ? "general-global" : "global",
      authenticated: true,
      encrypted: true,
      encryptionKey: softwareKey(encryptionKey),
      authenticationKey,
    },
  };
}

/** The registers of the meter in its own units, its name and its clock. */
async function readMeter(session: Session): Promise<MeterReading> {
  const registers = await listedRegisters(session);
  const items = registers.flatMap((logicalName) =>
    [2, 3].map((attributeId) => ({ classId: REGISTER, logicalName, attributeId })),
  );
  const values = await session.getList(items);
  const valueAt = (at: number): Data | undefined => {
    const item = values[at];
    return item?.kind === "data" ? decode(data, item.value, { trailing: "ignore" }) : undefined;
  };
  const name = await remote(session, DataClass, DEVICE_NAME)
    .get("value")
    .catch(() => undefined);
  const clock = await remote(session, Clock, CLOCK)
    .get("time")
    .catch(() => undefined);
  const shownName = name === undefined ? undefined : plainValue(name);
  return {
    at: Date.now(),
    deviceName: typeof shownName === "string" ? shownName : undefined,
    clock: clock === undefined ? undefined : (timeText(clock) ?? undefined),
    registers: registers.flatMap((logicalName, at) => {
      const value = shown(valueAt(2 * at), valueAt(2 * at + 1));
      if (value === undefined) return [];
      const obis = obisOf(logicalName);
      const code = parseObis(obis);
      return [{ obis, name: code === undefined ? obis : obisInWords(code), value }];
    }),
  };
}

async function listedRegisters(session: Session): Promise<readonly string[]> {
  const list = decode(data, await session.get(OBJECT_LIST), { trailing: "ignore" });
  if (list.type !== "array") throw new FieldError("The meter shows no list of its objects.");
  const found = list.value.flatMap((element) => {
    const [classId, , name] = element.type === "structure" ? element.value : [];
    const isRegister = classId !== undefined && numberOf(classId) === REGISTER;
    return isRegister && name?.type === "octet-string" ? [logicalNameText(name.value)] : [];
  });
  return found.slice(0, MOST_REGISTERS);
}

function shown(value: Data | undefined, scale: Data | undefined): string | undefined {
  if (value === undefined) return undefined;
  const number = numberOf(value);
  const [scaler, unit] = scale?.type === "structure" ? scale.value : [];
  if (number === undefined || typeof scaler?.value !== "number" || typeof unit?.value !== "number")
    return number === undefined ? undefined : String(number);
  return `${scaled(number, scaler.value)} ${unitSymbol(unit.value) ?? ""}`.trim();
}

/** `1.0.1.8.0.255` as `1-0:1.8.0`. */
function obisOf(logicalName: string): string {
  const [a, b, c, d, e, f] = logicalName.split(".");
  return `${a}-${b}:${c}.${d}.${e}${f === "255" ? "" : `.${f}`}`;
}
