import { createSecretKey, type KeyObject, randomInt } from "node:crypto";
import {
  frameCountersFrom,
  localAssociator,
  openSession,
  risingCountersFrom,
  type Session,
  systemTitle,
} from "@meterkeep/dlms";
import { connectWrapper, nodeCiphers, nodeRandom } from "@meterkeep/dlms-node";
import { CLIENT_SAPS, companionProfile, type FactoryKeys, type ProductionRecord, SERVER_SAP } from "@meterkeep/meter";
import { BENCH_HOST } from "./bench-town.ts";

/** A session over TCP, closed with its connection. */
export interface TcpSession extends AsyncDisposable {
  readonly session: Session;
  /** Cuts the connection without a word. */
  cut(): Promise<void>;
}

/** Who is asked where, with which keys and from which counter on. */
export interface TcpClientOptions {
  readonly record: ProductionRecord;
  readonly port: number;
  readonly firstCounter: number;
  readonly keys?: Pick<FactoryKeys, "globalUnicastEncryptionKey" | "authenticationKey">;
  readonly responseTimeoutMilliseconds?: number;
}

const CLIENT_TITLE = systemTitle(
  Buffer.from(
    `4D4B4854${randomInt(2 ** 31)
      .toString(16)
      .padStart(8, "0")}`,
    "hex",
  ),
);

/** Opens an HLS 5 session with authenticated encryption over TCP. */
export async function openTcpSession(options: TcpClientOptions): Promise<TcpSession> {
  const { record, port, firstCounter, keys = record.keys } = options;
  const connection = await connectWrapper({
    host: BENCH_HOST,
    port,
    clientSap: CLIENT_SAPS.management,
    serverSap: SERVER_SAP,
    responseTimeoutMilliseconds: options.responseTimeoutMilliseconds ?? 20_000,
  });
  try {
    const associator = localAssociator<KeyObject>(
      {
        authentication: { kind: "gmac", challenge: nodeRandom(16) },
        systemTitle: CLIENT_TITLE,
        ciphering: {
          ciphers: nodeCiphers,
          suite: 0,
          authenticated: true,
          encrypted: true,
          form: companionProfile(record.profile).generalProtection ? "general-global" : "global",
          encryptionKey: createSecretKey(keys.globalUnicastEncryptionKey),
          authenticationKey: keys.authenticationKey,
        },
        serverSystemTitle: systemTitle(Buffer.from(record.systemTitle, "hex")),
      },
      { frameCounters: frameCountersFrom(firstCounter), receivedCounters: risingCountersFrom(0) },
    );
    const session = await openSession({ exchange: connection.exchange, associator });
    return {
      session,
      cut: () => connection[Symbol.asyncDispose](),
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
