import { createSecretKey, type KeyObject } from "node:crypto";
import {
  type CipheringForm,
  type ClientGeneralProtection,
  type Conformance,
  type Exchange,
  frameCountersFrom,
  type HlsMechanism,
  localAssociator,
  openSession,
  risingCountersFrom,
  type Session,
  systemTitle,
} from "@meterkeep/dlms";
import { nodeCiphers, nodeRandom } from "@meterkeep/dlms-node";
import { CLIENT_SAPS } from "../meter-model.ts";
import type { FactoryKeys } from "../production.ts";
import { SERVER_SAP } from "../well-known.ts";
import type { BenchMeter } from "./bench.ts";

/** How the client on the bench speaks to the meter. */
export interface BenchClientOptions {
  /** The factory keys unless given. */
  readonly keys?: Pick<FactoryKeys, "globalUnicastEncryptionKey" | "authenticationKey">;
  readonly clientSap?: number;
  /** The security setup that the client opens it under: its own counters are gone on with. The first unless given. */
  readonly setup?: number;
  /** From afar unless given. */
  readonly way?: "remote" | "local";
  /** The form that the meter's companion profile uses unless given. */
  readonly form?: CipheringForm;
  /** The next one that the meter accepts unless given. */
  readonly firstCounter?: number;
  /** What every client proposes unless given. */
  readonly conformance?: Conformance;
  /** Mechanism 5 unless given. */
  readonly mechanism?: HlsMechanism;
  readonly general?: ClientGeneralProtection<KeyObject>;
}

export const CLIENT_TITLE = systemTitle(Buffer.from("4D4B480000000001", "hex"));

/** Carries octets to the meter on the bench; what it answers has been committed before, as on a real line. */
export function benchExchange(bench: BenchMeter, clientSap: number, way: "remote" | "local" = "remote"): Exchange {
  const connection = bench.meter.connect(clientSap, SERVER_SAP, way);
  return async (apdu) => {
    const { response, fault } = bench.meter.serve(connection, apdu);
    bench.memory.commit();
    if (response === undefined || fault !== undefined) throw new Error(`no answer (${fault?.kind ?? "none wanted"})`);
    return response;
  };
}

/** Opens an HLS 5 session with authenticated encryption. */
export function openBenchSession(bench: BenchMeter, options: BenchClientOptions = {}): Promise<Session> {
  const clientSap = options.clientSap ?? CLIENT_SAPS.management;
  const keys = options.keys ?? bench.record.keys;
  const { security: first, setups } = bench.meter;
  const security = options.setup === undefined ? first : setups.get(options.setup);
  const counters = {
    frameCounters: frameCountersFrom(options.firstCounter ?? (security?.lastReceived ?? 0) + 1),
    receivedCounters: risingCountersFrom(0),
  };
  const associator = localAssociator<KeyObject>(
    {
      authentication:
        options.mechanism === undefined
          ? { kind: "gmac", challenge: nodeRandom(16) }
          : { kind: "hls", challenge: nodeRandom(32), mechanism: options.mechanism },
      systemTitle: CLIENT_TITLE,
      ciphering: {
        ciphers: nodeCiphers,
        suite: bench.record.securitySuite,
        authenticated: true,
        encrypted: true,
        form: options.form ?? (bench.meter.profile.generalProtection ? "general-global" : "global"),
        encryptionKey: createSecretKey(keys.globalUnicastEncryptionKey),
        authenticationKey: keys.authenticationKey,
        ...(options.general === undefined ? {} : { general: options.general }),
      },
      maxReceivePduSize: 1024,
      ...(options.conformance === undefined ? {} : { conformance: options.conformance }),
    },
    counters,
  );
  return openSession({ exchange: benchExchange(bench, clientSap, options.way), associator });
}

/** Opens a session as the public client. */
export function openPublicSession(bench: BenchMeter): Promise<Session> {
  const associator = localAssociator<KeyObject>({ authentication: { kind: "none" } });
  return openSession({ exchange: benchExchange(bench, CLIENT_SAPS.public), associator });
}
