import type { KeyObject } from "node:crypto";
import {
  type AssociationConfig,
  type AssociatorCounters,
  DataClass,
  type ExchangeEvent,
  localAssociator,
  obisOctets,
  openSession,
  openShortNameSession,
  parseObis,
  remote,
  risingCountersFrom,
  type Session,
  SessionError,
  type ShortNameSession,
  type SystemTitle,
  securityOf,
} from "@meterkeep/dlms";
import { profileClient } from "./access-profile.ts";
import { connectMeter } from "./connection.ts";
import type { KeptCounters } from "./kept-counters.ts";
import { authenticationOf, cipheringOf, type MeterAccess } from "./meter-access.ts";

/** A session with a meter and the line it is on. */
export interface OpenMeter extends AsyncDisposable {
  readonly session: Session | ShortNameSession;
}

/** What opening a meter needs beside the access. */
export interface OpenContext {
  readonly counters: KeptCounters;
  readonly signal: AbortSignal;
  readonly onExchange?: (event: ExchangeEvent) => void;
}

/** Mechanisms whose proofs cover the titles. */
const TITLED: ReadonlySet<string> = new Set(["sha256", "ecdsa"]);
/** As good as no limit, which some servers take for too little when it is said as 0. */
export const MOST_PDU_BYTES = 0xffff;

/** Where most meters show the counter of the management client. */
const COMMON_COUNTERS = ["0-0:43.1.0", "0-0:43.1.1"] as const;

/**
 * Connects and associates. Where keys are used, the counter goes on from the highest of what this machine has used, what
 * `--counter` says, and what the meter shows; a meter that asks for a higher one is believed once. One that knows no
 * logical names is asked by short names, unless the profile says which it has.
 *
 * @throws TransportError, LineError, SessionError
 */
export async function openMeter(access: MeterAccess, context: OpenContext): Promise<OpenMeter> {
  const { profile } = access;
  try {
    return await openReferenced(access, context);
  } catch (error) {
    if (profile.services?.shortNames !== undefined || !refusesContext(error)) throw error;
    const byShortNames = { ...access, profile: { ...profile, services: { ...profile.services, shortNames: true } } };
    try {
      return await openReferenced(byShortNames, context);
    } catch (second) {
      // A server without this context either: what it said to the first is what helps.
      throw refusesContext(second) ? error : second;
    }
  }
}

function refusesContext(error: unknown): boolean {
  return error instanceof SessionError && error.reason === "application-context-name-not-supported";
}

async function openReferenced(access: MeterAccess, context: OpenContext): Promise<OpenMeter> {
  if (access.keys === undefined) return await associate(access, context, 0);
  const shown = await readShownCounter(access, context);
  const lowest = Math.max(access.lowestCounter ?? 0, shown === undefined ? 0 : shown + 1);
  try {
    return await associate(access, context, lowest);
  } catch (error) {
    const expected = error instanceof SessionError ? error.expectedInvocationCounter : undefined;
    if (expected === undefined || expected <= lowest) throw error;
    return await associate(access, context, expected);
  }
}

/** Looks at the counter objects as the public client, the only one who needs no counter. */
export async function readShownCounter(access: MeterAccess, context: OpenContext): Promise<number | undefined> {
  const { profile, clientSap, publicSap } = access;
  const { counter } = profileClient(profile, clientSap) ?? {};
  const publicly = { ...access, clientSap: publicSap, mechanism: "none", keys: undefined } as const;
  try {
    await using meter = await associate(publicly, context, 0);
    for (const code of new Set([...(counter === undefined ? [] : [counter]), ...COMMON_COUNTERS])) {
      const value = await remote(meter.session, DataClass, logicalNameOf(code))
        .get("value")
        .catch(() => undefined);
      if (value?.type === "double-long-unsigned") return value.value;
    }
  } catch (error) {
    // A meter without a public client is none that cannot be read; one that does not answer at all is.
    if (!(error instanceof SessionError)) throw error;
  }
  return undefined;
}

/** `0-0:43.1.0` as `0.0.43.1.0.255`. */
function logicalNameOf(code: string): string {
  const parsed = parseObis(code);
  return parsed === undefined ? code : [...obisOctets(parsed)].join(".");
}

async function associate(
  access: MeterAccess,
  { counters, signal, onExchange }: OpenContext,
  lowest: number,
): Promise<OpenMeter> {
  const { clientSap, keys, meter, profile } = access;
  const title: SystemTitle = access.title ?? counters.title;
  const ciphering = cipheringOf(access);
  const isShort = profile.services?.shortNames === true;
  const config: AssociationConfig<KeyObject> = {
    authentication: authenticationOf(access),
    profile: securityOf(profile),
    maxReceivePduSize: MOST_PDU_BYTES,
    ...(ciphering === undefined && !TITLED.has(access.mechanism) ? {} : { systemTitle: title }),
    ...(ciphering === undefined ? {} : { ciphering }),
    ...(meter === undefined ? {} : { serverSystemTitle: meter }),
    ...(isShort ? { referencing: "short-name" } : {}),
  };
  const drawn: AssociatorCounters | undefined =
    keys === undefined
      ? undefined
      : { frameCounters: counters.of(keys.encryptionKey, title, lowest), receivedCounters: risingCountersFrom(0) };
  const connection = await connectMeter(access, clientSap, signal);
  try {
    const { exchange, line } = connection;
    const options = {
      exchange,
      line,
      associator: localAssociator(config, drawn),
      signal,
      ...(onExchange === undefined ? {} : { onExchange }),
    };
    const session = isShort ? await openShortNameSession(options) : await openSession(options);
    return {
      session,
      [Symbol.asyncDispose]: async () => {
        await session[Symbol.asyncDispose]();
        await connection[Symbol.asyncDispose]();
      },
    };
  } catch (error) {
    await connection[Symbol.asyncDispose]();
    throw error;
  }
}
