import { readFile } from "node:fs/promises";
import type { TLSSocket } from "node:tls";
import type { Custodian } from "@meterkeep/api/custodian";
import type { ServerConfig } from "@meterkeep/api/supervisor";
import type { GatewayAddress } from "@meterkeep/dlms";
import { connectTls, type Listener, listenTcp, listenTls, type TlsIdentity } from "@meterkeep/dlms-node";
import {
  type ArrivedPush,
  CALL_LIMITS,
  type CallCertificate,
  Calls,
  type ConcentratorPlace,
  Concentrators,
  type Dial,
  type Meter,
  type MeterDirectory,
  NETWORKS,
  type NetworkFacts,
  networkOf,
  routeDial,
  routeText,
  type WakeUps,
} from "@meterkeep/headend";
import type { Logger } from "pino";
import type { OpenConnection } from "./handlers/context.ts";
import { standing } from "./standing.ts";

export interface WaysPorts {
  readonly config: Pick<ServerConfig, "trunk" | "pushHost" | "callPort" | "callTls">;
  readonly custodian: Pick<Custodian, "searchCertificates">;
  readonly directory: Pick<MeterDirectory, "find">;
  /** Undefined where nobody can wake a meter. */
  readonly wakeUps: Pick<WakeUps, "wake"> | undefined;
  /** Takes what came unasked. */
  take(push: ArrivedPush): void;
  /** A meter has called, and has proven that it is the one, or has a certificate that says so. */
  onCall(meter: Meter): void;
  readonly logger: Logger;
  now(): number;
}

/** The ways to meters that this head-end has. */
export interface Ways extends AsyncDisposable {
  readonly dial: Dial;
  /** Undefined where this head-end has no certificate to show to concentrators. */
  readonly concentrators: Concentrators | undefined;
  /** Connections to concentrators that are up, as they were negotiated. */
  open(): readonly OpenConnection[];
  /** Lets meters call, where the configuration says so. */
  listen(): Promise<void>;
}

/** Puts the ways together. Nothing is connected to before the first session. */
export async function openWays(ports: WaysPorts): Promise<Ways> {
  const { config, take } = ports;
  const open = new Map<string, OpenConnection>();
  const concentrators = await openConcentrators(ports, open);
  const onCall = (title: string): void => {
    const meter = ports.directory.find(title);
    // Who is reached otherwise has only said something.
    if (meter?.route?.kind === "dial-in") ports.onCall(meter);
  };
  const calls = new Calls({
    take: ({ apdu, address, authenticated }) => take({ apdu, transport: "tcp", address, authenticated }),
    onClaimed: onCall,
    onBound: onCall,
    onWanted: (title) => wake(ports, title),
    networkOf: (title) => networkFacts(ports, title),
  });
  const listeners: Listener[] = [];
  return {
    dial: routeDial({ calls, ...(concentrators === undefined ? {} : { concentrators }) }),
    concentrators,
    open: () => [...open.values()],
    listen: async () => {
      const { pushHost: host, callPort, callTls } = config;
      const maxConnections = CALL_LIMITS.bound + CALL_LIMITS.unknown;
      if (callPort !== undefined)
        listeners.push(await listenTcp({ host, port: callPort, maxConnections }, (socket) => calls.accept(socket)));
      if (callTls === undefined) return;
      const onConnection = (socket: TLSSocket, peer: string): void =>
        calls.accept(socket, meterCertificate(ports.custodian, socket, peer));
      const identity = await identityOf(callTls);
      listeners.push(await listenTls({ ...identity, host, port: callTls.port, maxConnections, onConnection }));
    },
    [Symbol.asyncDispose]: async () => {
      calls[Symbol.dispose]();
      for (const listener of listeners) await listener[Symbol.asyncDispose]();
      await concentrators?.[Symbol.asyncDispose]();
    },
  };
}

/**
 * Where push set-ups of meters may point to: the push port's own address, loopback where it listens on all, and what the
 * configuration names.
 */
export function ownDestinations(
  { pushHost, pushDestinations }: Pick<ServerConfig, "pushHost" | "pushDestinations">,
  port: number,
): readonly string[] {
  const isAny = pushHost === "0.0.0.0" || pushHost === "::";
  const own = isAny
    ? [`127.0.0.1:${port}`, `[::1]:${port}`]
    : [pushHost.includes(":") ? `[${pushHost}]:${port}` : `${pushHost}:${port}`];
  return [...own, ...pushDestinations];
}

function wake({ wakeUps, directory, logger }: WaysPorts, title: string): void {
  const meter = directory.find(title);
  if (wakeUps === undefined || meter === undefined) return;
  void wakeUps.wake(meter, networkFacts({ directory }, title).wakeSeconds).catch((error: unknown) => {
    logger.warn({ meter: title, reason: (error as Error).message }, "the meter could not be woken");
  });
}

/** Where something came from that a concentrator brought: as the route to that device is written. */
function placeBehind(concentrator: string, device: GatewayAddress | undefined): string {
  if (device === undefined) return `concentrator://${concentrator}/`;
  // It comes as it was read, with the kind of its prefix beside the address.
  const { networkId, physicalAddress } = device;
  return routeText({ kind: "concentrator", concentrator, networkId, physicalAddress });
}

function networkFacts({ directory }: Pick<WaysPorts, "directory">, title: string): NetworkFacts {
  return NETWORKS[networkOf(directory.find(title)?.route ?? { kind: "dial-in", title })];
}

async function identityOf(own: NonNullable<ServerConfig["trunk"]>): Promise<TlsIdentity> {
  const { keyFile, certificate, authorities } = own;
  return { privateKey: await readFile(keyFile, "utf8"), certificate, authorities };
}

async function openConcentrators(
  { config: { trunk }, custodian, take, logger, now }: WaysPorts,
  open: Map<string, OpenConnection>,
): Promise<Concentrators | undefined> {
  if (trunk === undefined) return undefined;
  const identity = await identityOf(trunk);
  return new Concentrators({
    connect: async (place, signal) => {
      const { negotiated, ...link } = await connect(custodian, identity, place, signal);
      open.set(place.name, { name: place.name, ...negotiated, since: now() });
      return link;
    },
    onUnsolicited: (name, apdu, device) => take({ apdu, transport: "tcp", address: placeBehind(name, device) }),
    onState: (name, error) => {
      if (error === undefined) return logger.info({ concentrator: name }, "connected to the concentrator");
      open.delete(name);
      return logger.warn({ concentrator: name, reason: error.message }, "the concentrator is not connected");
    },
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
  const negotiated = {
    protocol: stream.getProtocol() ?? "",
    cipher: stream.getCipher().name,
    group: (stream.getEphemeralKeyInfo() as { readonly name?: string } | null)?.name ?? "",
  };
  return { stream, stands: standing(custodian, stream, isConcentrator), negotiated };
}

/** What a caller's certificate says: a TLS certificate of a device, by the profile, names its system title. */
function meterCertificate(custodian: WaysPorts["custodian"], socket: TLSSocket, title: string): CallCertificate {
  return { title, stands: standing(custodian, socket, isMeterTls) };
}

const isConcentrator = (profile: string): boolean => profile === "concentrator";
const isMeterTls = (profile: string): boolean => /^dlms-suite-[12]-tls$/.test(profile);
