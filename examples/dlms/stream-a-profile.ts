/**
 * Reads a load profile with keys, row by row as its blocks come, so that a profile of any length needs the same memory:
 * `node examples/dlms/stream-a-profile.ts [PORT]`.
 */
import { createSecretKey } from "node:crypto";
import {
  DataClass,
  dateTimeAt,
  frameCountersFrom,
  localAssociator,
  openSession,
  remote,
  risingCountersFrom,
  SessionError,
  streamProfileRange,
} from "@meterkeep/dlms";
import { connectWrapper, nodeCiphers, nodeRandom } from "@meterkeep/dlms-node";
import {
  AUTHENTICATION_KEY,
  CLIENT_TITLE,
  ENCRYPTION_KEY,
  INVOCATION_COUNTER,
  LOAD_PROFILE,
  MANAGEMENT_CLIENT,
  PUBLIC_CLIENT,
} from "./keys.ts";

const port = Number(process.argv[2] ?? 4059);
const config = {
  authentication: { kind: "gmac", challenge: nodeRandom(16) },
  systemTitle: CLIENT_TITLE,
  ciphering: {
    ciphers: nodeCiphers,
    suite: 0,
    form: "global",
    authenticated: true,
    encrypted: true,
    encryptionKey: createSecretKey(ENCRYPTION_KEY),
    authenticationKey: AUTHENTICATION_KEY,
  },
} as const;

try {
  // The meter refuses a counter that it has seen. Whoever has not kept the last one asks the meter, without keys.
  const frameCounters = frameCountersFrom(await lowestCounter());
  const associator = localAssociator(config, { frameCounters, receivedCounters: risingCountersFrom(0) });
  await using line = await connectWrapper({ host: "127.0.0.1", port, clientSap: MANAGEMENT_CLIENT, serverSap: 1 });
  await using session = await openSession({ exchange: line.exchange, associator });

  let rows = 0;
  let first = Number.NaN;
  let last = Number.NaN;
  const range = { from: dateTimeAt(Date.UTC(2026, 9, 10)), to: dateTimeAt(Date.UTC(2026, 9, 20)) };
  const way = await streamProfileRange(session, LOAD_PROFILE, range, (row) => {
    if (rows === 0) first = row.number(1);
    last = row.number(1);
    rows += 1;
  });
  console.log(`${rows} rows by ${way}: ${last - first} Wh from 10 to 20 October`);
} catch (error) {
  if (!(error instanceof SessionError)) throw error;
  // Every failure has a code that a program can act on; docs/errors.md says what to do.
  console.error(`${error.code}: ${error.message}`);
  process.exitCode = 1;
}

async function lowestCounter(): Promise<number> {
  await using line = await connectWrapper({ host: "127.0.0.1", port, clientSap: PUBLIC_CLIENT, serverSap: 1 });
  const associator = localAssociator({ authentication: { kind: "none" } });
  await using session = await openSession({ exchange: line.exchange, associator });
  return Number((await remote(session, DataClass, INVOCATION_COUNTER).get("value")).value);
}
