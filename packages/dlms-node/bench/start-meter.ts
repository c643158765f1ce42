import { type ChildProcess, spawn } from "node:child_process";
import { createSecretKey, type KeyObject } from "node:crypto";
import { createInterface, type Interface } from "node:readline";
import { fileURLToPath } from "node:url";
import {
  type AssociationConfig,
  frameCountersFrom,
  fromHex,
  localAssociator,
  openSession,
  type Session,
  SessionError,
  type SessionOptions,
  systemTitle,
} from "@meterkeep/dlms";
import { connectWrapper, nodeCiphers, nodeRandom, type WrapperConnection } from "@meterkeep/dlms-node";

/** The keys and the title of the client: those that the examples of other stacks have, so that these can be put beside. */
export const ENCRYPTION_KEY = fromHex("000102030405060708090a0b0c0d0e0f");
export const AUTHENTICATION_KEY = fromHex("d0d1d2d3d4d5d6d7d8d9dadbdcdddedf");
export const CLIENT = systemTitle(fromHex("4d4b480000000001"));
export const CIPHERING = {
  ciphers: nodeCiphers,
  suite: 0,
  authenticated: true,
  encrypted: true,
  form: "global",
  encryptionKey: createSecretKey(ENCRYPTION_KEY),
  authenticationKey: AUTHENTICATION_KEY,
} as const;

/** More than any association needs before its first request. */
const COUNTERS_OF_ASSOCIATING = 100;

/** A server to measure, ours or another's. */
export interface ServerAddress {
  readonly host: string;
  readonly port: number;
  readonly clientSap: number;
}

/** How many GETs of its register the meter has answered since it was asked last, and how fast the later half went. */
export interface Served {
  readonly trips: number;
  readonly perSecond: number;
}

/** The meter of the benches, in a process of its own. */
export interface BenchMeter extends AsyncDisposable {
  readonly address: ServerAddress;
  served(): Promise<Served>;
}

export async function startBenchMeter(): Promise<BenchMeter> {
  const meter = spawn(process.execPath, [fileURLToPath(new URL("loopback-meter.ts", import.meta.url))], {
    stdio: ["pipe", "pipe", "inherit"],
  });
  const lines = createInterface(meter.stdout);
  const port = Number(await nextLine(meter, lines));
  return {
    address: { host: "127.0.0.1", port, clientSap: 1 },
    served: async () => {
      const line = nextLine(meter, lines);
      meter.stdin.write("\n");
      return JSON.parse(await line) as Served;
    },
    [Symbol.asyncDispose]: async () => {
      meter.stdin.end();
    },
  };
}

function nextLine(meter: ChildProcess, lines: Interface): Promise<string> {
  return new Promise((resolve, reject) => {
    const ended = (): void => reject(new Error("the meter of the bench ended"));
    meter.once("exit", ended);
    lines.once("line", (line) => {
      meter.off("exit", ended);
      resolve(line);
    });
  });
}

/** An association with mechanism 5, everything authenticated and encrypted, and the counter its requests go on from. */
export interface SecuredSession extends AsyncDisposable {
  readonly line: WrapperConnection;
  readonly session: Session;
  readonly nextCounter: number;
}

export interface AssociateOptions
  extends Pick<SessionOptions, "blockTransfer" | "maxResponseBytes">,
    Pick<AssociationConfig<KeyObject>, "conformance"> {
  /** The counter to begin with; where the server has seen higher ones and says so, what it says. */
  readonly counter?: number;
}

/** Associates with mechanism 5. */
export async function associate(
  { host, port, clientSap }: ServerAddress,
  options: AssociateOptions = {},
): Promise<SecuredSession> {
  const { conformance, counter: first = 1, ...rest } = options;
  const config: AssociationConfig<KeyObject> = {
    authentication: { kind: "gmac", challenge: nodeRandom(16) },
    systemTitle: CLIENT,
    ciphering: CIPHERING,
    // Some servers refuse a client that names no limit.
    maxReceivePduSize: 0xffff,
    ...(conformance === undefined ? {} : { conformance }),
  };
  let counter = first;
  for (;;) {
    const line = await connectWrapper({ host, port, clientSap, serverSap: 1 });
    // Some servers begin anew at 0 with every association.
    const receivedCounters = { accept: () => true };
    const associator = localAssociator(config, { frameCounters: frameCountersFrom(counter), receivedCounters });
    try {
      const session = await openSession({ exchange: line.exchange, line: line.line, associator, ...rest });
      const dispose = () => line[Symbol.asyncDispose]();
      return { line, session, nextCounter: counter + COUNTERS_OF_ASSOCIATING, [Symbol.asyncDispose]: dispose };
    } catch (error) {
      await line[Symbol.asyncDispose]();
      const expected = error instanceof SessionError ? error.expectedInvocationCounter : undefined;
      if (expected === undefined || expected <= counter) throw error;
      counter = expected;
    }
  }
}
