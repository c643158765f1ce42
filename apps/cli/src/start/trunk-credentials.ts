import { generateKeyPairSync, X509Certificate } from "node:crypto";
import { existsSync, readFileSync } from "node:fs";
import type { AuthorityView, Custodian } from "@meterkeep/api/custodian";
import { type ConcentratorConfig, concentratorIdentityFile, type OperatorConfig } from "@meterkeep/api/supervisor";
import { decode, fromHex, systemTitle } from "@meterkeep/dlms";
import { localSigner, makeRequestWith, publicKey, toPem } from "@meterkeep/pki";
import { operatorClient } from "../operator/custodian.ts";
import type { StoredCredential } from "./credentials.ts";
import { writePrivate } from "./directories.ts";
import { StartError } from "./error.ts";
import type { ProcessUser } from "./users.ts";

/** Certificates of the utility's own PKI for the connections between head-end, concentrators and meters that call. */
export interface TrunkCredentials {
  /** What the head-end connects with. */
  readonly headEnd: StoredCredential & { readonly name: string };
  /** What it listens with. */
  readonly callListener: StoredCredential;
  /** What it lets workers of other machines in with, where there is a gate. */
  readonly gate: StoredCredential | undefined;
  /** Who the concentrators are, with a one-time password for each that has not enrolled yet. */
  concentrators(): Promise<ConcentratorConfig["concentrators"]>;
  /** The roots, PEM. */
  readonly authorities: string;
}

/** Whose key and certificate are kept where. */
interface Keeping {
  readonly directory: string;
  readonly user: ProcessUser | undefined;
}

interface TrunkSources {
  /** How many concentrators there are. */
  readonly count: number;
  /** System titles of the meters that call over TLS, 16 upper-case hex digits. */
  readonly callers: readonly string[];
  readonly callHosts: readonly string[];
  /** By which hosts the gate is reached; undefined where there is none. */
  readonly gateHosts: readonly string[] | undefined;
  readonly place: { readonly utility: string; readonly island: string };
  readonly operator: OperatorConfig["channel"];
  readonly headEnd: Keeping;
  /** Their directory: each keeps its identity there. */
  readonly concentrators: string;
  readonly meters: Keeping;
  readonly now: number;
}

/** The name of the head-end in its certificate. */
export const HEAD_END = "head-end";
/** The name of the gate in its certificate: workers compare it. */
const GATE = "gate";
const DAY_MS = 86_400_000;
const RENEW_BEFORE_DAYS = 30;

/**
 * Opens the credentials that are there, and has the custodian's PKI certify keys where there are none, or where they end
 * soon.
 *
 * @throws {StartError} `trunk-credential-refused`
 */
export async function openTrunkCredentials(sources: TrunkSources): Promise<TrunkCredentials> {
  const { operator, place, count, callers, gateHosts, now } = sources;
  const custodian = operatorClient(operator);
  try {
    const { authorities } = await custodian.authorities({});
    const above = lineTo(authorities, place);
    const chain = above.filter(({ parent }) => parent !== undefined);
    const root = above.find(({ parent }) => parent === undefined);
    if (above[0] === undefined || root === undefined)
      throw new StartError("trunk-credential-refused", "the PKI has no issuing authority on P-256 for this island");
    const open = async (request: Certified, { directory, user }: Keeping) => {
      const { name, file = name } = request;
      const [keyFile, certificateFile] = [`${directory}/${file}.trunk.key`, `${directory}/${file}.trunk.crt`];
      const stored = { name, keyFile };
      if (existsSync(keyFile) && existsSync(certificateFile)) {
        const certificate = readFileSync(certificateFile, "utf8");
        const left = Date.parse(new X509Certificate(certificate).validTo) - now;
        if (left > RENEW_BEFORE_DAYS * DAY_MS) return { ...stored, certificate };
      }
      const { key, own } = await certify(custodian, above[0] as AuthorityView, request);
      const certificate = [own, ...chain.map((one) => one.certificate)]
        .map((octets) => toPem("CERTIFICATE", octets))
        .join("");
      writePrivate(keyFile, key, user);
      // Its presence says that the key is there, too.
      writePrivate(certificateFile, certificate, user);
      return { ...stored, certificate };
    };
    const listener = { name: HEAD_END, file: "calls", profile: "tls-server", hosts: sources.callHosts };
    const headEnd = await open({ name: HEAD_END, profile: "tls-client" }, sources.headEnd);
    const callListener = await open(listener, sources.headEnd);
    const gate = gateHosts && (await open({ name: GATE, profile: "tls-server", hosts: gateHosts }, sources.headEnd));
    const names = Array.from({ length: count }, (_, at) => `dc-${at + 1}`);
    const concentrators = () =>
      Promise.all(
        names.map(async (name) =>
          existsSync(`${sources.concentrators}/${concentratorIdentityFile(name)}`)
            ? { name }
            : { name, password: await enrolmentPassword(sources, above[0] as AuthorityView, name) },
        ),
      );
    const roots = toPem("CERTIFICATE", root.certificate);
    if (callers.length > 0) writePrivate(`${sources.meters.directory}/authorities.pem`, roots, sources.meters.user);
    for (const title of callers) await open({ name: title, profile: "dlms-suite-1-tls" }, sources.meters);
    return { headEnd, callListener, gate, concentrators, authorities: roots };
  } finally {
    await custodian.close();
  }
}

/** A password with which a concentrator of the town enrols, once. */
async function enrolmentPassword(
  { operator }: Pick<TrunkSources, "operator">,
  { authority }: AuthorityView,
  name: string,
): Promise<string> {
  const custodian = operatorClient(operator);
  try {
    const { password } = await custodian.makeEnrolmentPassword({
      name,
      authority,
      profile: "concentrator",
      subject: { kind: "named", fields: [{ field: "CN", text: name }], entity: undefined },
      hosts: ["127.0.0.1"],
      endsAt: Date.now() + DAY_MS,
    });
    return password;
  } finally {
    await custodian.close();
  }
}

/** The meters that call, as the town says in addresses.json. */
export function callersOf(exchangeDirectory: string): readonly string[] {
  const { meters } = JSON.parse(readFileSync(`${exchangeDirectory}/addresses.json`, "utf8")) as {
    readonly meters: readonly { readonly systemTitle: string; readonly route?: string }[];
  };
  return meters.flatMap(({ systemTitle, route }) => (route?.startsWith("dial-in:") === true ? [systemTitle] : []));
}

/** The authority that issues for an island, and those above it up to the root. */
export function lineTo(
  authorities: readonly AuthorityView[],
  { utility, island }: TrunkSources["place"],
): AuthorityView[] {
  const line: AuthorityView[] = [];
  let next = authorities.find(
    (one) =>
      one.profile === "issuing-p256" && one.utility === utility && one.island === island && one.state === "standing",
  );
  while (next !== undefined) {
    line.push(next);
    const { parent } = next;
    next = parent === undefined ? undefined : authorities.find(({ authority }) => authority === parent);
  }
  return line;
}

/** Who is to be certified: a device by the system title that is its name, or anybody else by a common name. */
interface Certified {
  readonly name: string;
  readonly profile: string;
  readonly hosts?: readonly string[];
  /** What its files are called, where that is not its name. */
  readonly file?: string;
}

async function certify(
  custodian: Pick<Custodian, "issueCertificates">,
  { authority }: AuthorityView,
  { name, profile, hosts = [] }: Certified,
): Promise<{ readonly key: string; readonly own: Uint8Array }> {
  const pair = generateKeyPairSync("ec", { namedCurve: "P-256" });
  const point = decode(publicKey, new Uint8Array(pair.publicKey.export({ type: "spki", format: "der" })));
  const request = await makeRequestWith(localSigner(pair.privateKey, point), name);
  const subject = profile.startsWith("dlms-")
    ? ({ kind: "device", systemTitle: systemTitle(fromHex(name)), hwType: undefined } as const)
    : ({ kind: "named", fields: [{ field: "CN", text: name }], entity: undefined } as const);
  const { results } = await custodian.issueCertificates({
    authority,
    items: [{ request, profile, subject }],
    hosts: [...hosts],
  });
  const [result] = results;
  if (result?.kind !== "issued")
    throw new StartError("trunk-credential-refused", `no certificate for ${name}: ${result?.message ?? "no answer"}`);
  return { key: pair.privateKey.export({ type: "pkcs8", format: "pem" }).toString(), own: result.certificate };
}
