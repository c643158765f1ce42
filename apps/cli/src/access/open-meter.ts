import type { KeyObject } from "node:crypto";
import {
  type AssociationConfig,
  DataClass,
  type ExchangeEvent,
  localAssociator,
  openSession,
  remote,
  risingCountersFrom,
  type Session,
  SessionError,
  type SystemTitle,
} from "@meterkeep/dlms";
import { connectWrapper, type WrapperConnection } from "@meterkeep/dlms-node";
import type { KeptCounters } from "./kept-counters.ts";
import { authenticationOf, cipheringOf, type MeterAccess } from "./meter-access.ts";

/** A session with a meter and the line it is on. */
export interface OpenMeter extends AsyncDisposable {
  readonly session: Session;
  /** The counter that the meter showed to the public client; undefined where nobody asked or it shows none. */
  readonly shownCounter: number | undefined;
}

/** What opening a meter needs beside the access. */
export interface OpenContext {
  readonly counters: Pick<KeptCounters, "title" | "of">;
  readonly signal: AbortSignal;
  readonly onExchange?: (event: ExchangeEvent) => void;
}

/**
 * Connects and associates. Where keys are used, the counter goes on from the highest of what this machine has used, what
 * `--counter` says, and what the meter shows; a meter that asks for a higher one is believed once.
 *
 * @throws TransportError, SessionError
 */
export async function openMeter(access: MeterAccess, context: OpenContext): Promise<OpenMeter> {
  if (access.keys === undefined) return await associate(access, context, 0, undefined);
  const shown = await readShownCounter(access, context);
  const lowest = Math.max(access.lowestCounter ?? 0, shown === undefined ? 0 : shown + 1);
  try {
    return await associate(access, context, lowest, shown);
  } catch (error) {
    const expected = error instanceof SessionError ? error.expectedInvocationCounter : undefined;
    if (expected === undefined || expected <= lowest) throw error;
    return await associate(access, context, expected, shown);
  }
}

/** Looks at the counter objects as the public client, the only one who needs no counter. */
export async function readShownCounter(access: MeterAccess, context: OpenContext): Promise<number | undefined> {
  const publicly = { ...access, clientSap: access.profile.publicSap, mechanism: "none", keys: undefined } as const;
  try {
    await using meter = await associate(publicly, context, 0, undefined);
    for (const name of access.profile.counterObjects) {
      const value = await remote(meter.session, DataClass, name)
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

async function associate(
  access: MeterAccess,
  { counters, signal, onExchange }: OpenContext,
  lowest: number,
  shownCounter: number | undefined,
): Promise<OpenMeter> {
  const { address, clientSap, serverSap, timeoutMilliseconds, keys, meter } = access;
  const title: SystemTitle = access.title ?? counters.title;
  const ciphering = cipheringOf(access);
  const config: AssociationConfig<KeyObject> = {
    authentication: authenticationOf(access),
    ...(ciphering === undefined && access.mechanism !== "sha256" ? {} : { systemTitle: title }),
    ...(ciphering === undefined ? {} : { ciphering }),
    ...(meter === undefined ? {} : { serverSystemTitle: meter }),
  };
  const associator = localAssociator(
    config,
    keys === undefined
      ? undefined
      : { frameCounters: counters.of(keys.encryptionKey, title, lowest), receivedCounters: risingCountersFrom(0) },
  );
  const line: WrapperConnection = await connectWrapper({
    ...address,
    clientSap,
    serverSap,
    responseTimeoutMilliseconds: timeoutMilliseconds,
    connectTimeoutMilliseconds: timeoutMilliseconds,
    signal,
  });
  try {
    const session = await openSession({
      exchange: line.exchange,
      line: line.line,
      associator,
      signal,
      ...(onExchange === undefined ? {} : { onExchange }),
    });
    return {
      session,
      shownCounter,
      [Symbol.asyncDispose]: async () => {
        await session[Symbol.asyncDispose]();
        await line[Symbol.asyncDispose]();
      },
    };
  } catch (error) {
    await line[Symbol.asyncDispose]();
    throw error;
  }
}
