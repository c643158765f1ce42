import { readFile } from "node:fs/promises";
import type { Custodian } from "@meterkeep/api/custodian";
import type { ServerConfig } from "@meterkeep/api/supervisor";
import { connectTls, type TlsIdentity } from "@meterkeep/dlms-node";
import { type ArrivedPush, type ConcentratorPlace, Concentrators, type Dial, routeDial } from "@meterkeep/headend";
import type { Logger } from "pino";

export interface WaysPorts {
  readonly trunk: ServerConfig["trunk"];
  readonly custodian: Pick<Custodian, "searchCertificates">;
  /** Takes what came unasked. */
  take(push: ArrivedPush): void;
  readonly logger: Logger;
  now(): number;
}

/** The ways to meters that this head-end has. */
export interface Ways extends AsyncDisposable {
  readonly dial: Dial;
  /** Undefined where this head-end has no certificate to show to concentrators. */
  readonly concentrators: Concentrators | undefined;
}

/** Certificates of one concentrator that are looked through: it has few, and the newest come first or last. */
const MOST_CERTIFICATES = 200;

/** Puts the ways together. Nothing is connected to before the first session. */
export async function openWays(ports: WaysPorts): Promise<Ways> {
  const { trunk, take, logger, now } = ports;
  const identity: TlsIdentity | undefined = trunk && {
    privateKey: await readFile(trunk.keyFile, "utf8"),
    certificate: trunk.certificate,
    authorities: trunk.authorities,
  };
  const concentrators =
    identity &&
    new Concentrators({
      connect: (place, signal) => connect(ports, identity, place, signal),
      onUnsolicited: (name, apdu) => take({ apdu, transport: "tcp", address: `concentrator ${name}` }),
      onState: (name, error) =>
        error === undefined
          ? logger.info({ concentrator: name }, "connected to the concentrator")
          : logger.warn({ concentrator: name, reason: error.message }, "the concentrator is not connected"),
      now,
    });
  return {
    dial: routeDial(concentrators === undefined ? {} : { concentrators }),
    concentrators,
    [Symbol.asyncDispose]: async () => concentrators?.[Symbol.asyncDispose](),
  };
}

async function connect(
  { custodian }: Pick<WaysPorts, "custodian">,
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
