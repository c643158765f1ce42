import { readFile } from "node:fs/promises";
import type { Custodian } from "@meterkeep/api/custodian";
import type { ServerConfig } from "@meterkeep/api/supervisor";
import { connectTls, type Listener, listenTcp, type TlsIdentity } from "@meterkeep/dlms-node";
import {
  type ArrivedPush,
  CALL_LIMITS,
  Calls,
  type ConcentratorPlace,
  Concentrators,
  type Dial,
  type Meter,
  type MeterDirectory,
  NETWORKS,
  routeDial,
  type WakeUps,
} from "@meterkeep/headend";
import type { Logger } from "pino";

export interface WaysPorts {
  readonly config: Pick<ServerConfig, "trunk" | "pushHost" | "callPort">;
  readonly custodian: Pick<Custodian, "searchCertificates">;
  readonly directory: Pick<MeterDirectory, "find">;
  /** Undefined where nobody can wake a meter. */
  readonly wakeUps: Pick<WakeUps, "wake"> | undefined;
  /** Takes what came unasked. */
  take(push: ArrivedPush): void;
  /** A meter has called, and proven that it is the one. */
  onCall(meter: Meter): void;
  readonly logger: Logger;
  now(): number;
}

/** The ways to meters that this head-end has. */
export interface Ways extends AsyncDisposable {
  readonly dial: Dial;
  /** Undefined where this head-end has no certificate to show to concentrators. */
  readonly concentrators: Concentrators | undefined;
  /** Lets meters call, where the configuration says so. */
  listen(): Promise<void>;
}

/** Certificates of one concentrator that are looked through: it has few. */
const MOST_CERTIFICATES = 200;

/** Puts the ways together. Nothing is connected to before the first session. */
export async function openWays(ports: WaysPorts): Promise<Ways> {
  const { config, take } = ports;
  const concentrators = await openConcentrators(ports);
  const calls = new Calls({
    take: ({ apdu, address, authenticated }) => take({ apdu, transport: "tcp", address, authenticated }),
    onBound: (title) => {
      const meter = ports.directory.find(title);
      // Who is reached otherwise has only said something.
      if (meter?.route?.kind === "dial-in") ports.onCall(meter);
    },
    onWanted: (title) => wake(ports, title),
  });
  let listener: Listener | undefined;
  return {
    dial: routeDial({ calls, ...(concentrators === undefined ? {} : { concentrators }) }),
    concentrators,
    listen: async () => {
      if (config.callPort === undefined) return;
      listener = await listenTcp(
        {
          host: config.pushHost,
          port: config.callPort,
          maxConnections: CALL_LIMITS.bound + CALL_LIMITS.unknown,
        },
        (socket) => calls.accept(socket),
      );
    },
    [Symbol.asyncDispose]: async () => {
      calls[Symbol.dispose]();
      await listener?.[Symbol.asyncDispose]();
      await concentrators?.[Symbol.asyncDispose]();
    },
  };
}

/** What push set-ups of meters may say of a push port: its own address, and loopback where it listens on all. */
export function ownDestinations(host: string, port: number): readonly string[] {
  const isAny = host === "0.0.0.0" || host === "::";
  return isAny
    ? [`127.0.0.1:${port}`, `[::1]:${port}`]
    : [host.includes(":") ? `[${host}]:${port}` : `${host}:${port}`];
}

function wake({ wakeUps, directory, logger }: WaysPorts, title: string): void {
  const meter = directory.find(title);
  if (wakeUps === undefined || meter === undefined) return;
  const { wakeSeconds } = NETWORKS[meter.route?.network ?? "cellular"];
  void wakeUps.wake(meter, wakeSeconds).catch((error: unknown) => {
    logger.warn({ meter: title, reason: (error as Error).message }, "the meter could not be woken");
  });
}

async function openConcentrators({
  config: { trunk },
  custodian,
  take,
  logger,
  now,
}: WaysPorts): Promise<Concentrators | undefined> {
  if (trunk === undefined) return undefined;
  const identity: TlsIdentity = {
    privateKey: await readFile(trunk.keyFile, "utf8"),
    certificate: trunk.certificate,
    authorities: trunk.authorities,
  };
  return new Concentrators({
    connect: (place, signal) => connect(custodian, identity, place, signal),
    onUnsolicited: (name, apdu) => take({ apdu, transport: "tcp", address: `concentrator ${name}` }),
    onState: (name, error) =>
      error === undefined
        ? logger.info({ concentrator: name }, "connected to the concentrator")
        : logger.warn({ concentrator: name, reason: error.message }, "the concentrator is not connected"),
    now,
  });
}

async function connect(
  custodian: WaysPorts["custodian"],
  identity: TlsIdentity,
  { name, host, port }: ConcentratorPlace,
  signal: AbortSignal,
) {
  const stream = await connectTls({ ...identity, host, port, peer: name, signal });
  const proven = stream.getPeerCertificate().raw;
  const stands = async (): Promise<boolean> => {
    const { certificates } = await custodian.searchCertificates({
      utility: undefined,
      authority: undefined,
      serial: undefined,
      systemTitle: undefined,
      keyIdentifier: undefined,
      subject: `CN=${name}`,
      state: "valid",
      endsBefore: undefined,
      limit: MOST_CERTIFICATES,
      after: undefined,
    });
    return certificates.some(
      ({ profile, certificate }) =>
        profile === "concentrator" && certificate !== undefined && proven.equals(certificate),
    );
  };
  return { stream, stands };
}
