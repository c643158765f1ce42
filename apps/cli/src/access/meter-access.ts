import { createSecretKey, type KeyObject } from "node:crypto";
import {
  type CipheringForm,
  type ClientAuthentication,
  type ClientCiphering,
  ecdsaMechanism,
  fromHex,
  hashMechanism,
  type MeterFacts,
  type MeterKeys,
  type SecuritySuiteId,
  type SystemTitle,
  systemTitle,
} from "@meterkeep/dlms";
import { nodeCiphers, nodeCurves, nodeHashes, nodeRandom } from "@meterkeep/dlms-node";
import { openKeys } from "../decode/keys.ts";
import { CliError } from "../error.ts";
import type { Terminal } from "../terminal.ts";
import type { AccessOptions } from "./access-options.ts";
import { chooseProfile, profileClient } from "./access-profile.ts";
import { type MeterAddress, parseMeterAddress } from "./meter-address.ts";
import { readSigningKeys, type SigningKeys } from "./signing-keys.ts";

/** Names that `--mechanism` takes. */
export const MECHANISM_NAMES = ["none", "low", "md5", "sha1", "gmac", "sha256", "ecdsa"] as const;
export type MechanismOption = (typeof MECHANISM_NAMES)[number];

/** How a meter is reached and who we are to it: options, profile, keys and answers put together and checked. */
export interface MeterAccess {
  readonly address: MeterAddress;
  /** A serial line instead, which an optical head opens in mode E first. */
  readonly serial?: { readonly path: string; readonly optical: boolean };
  /** What travels over the connection. */
  readonly link: "wrapper" | "hdlc";
  /** Of an HDLC address of two or four octets. */
  readonly physicalDevice: number | undefined;
  readonly profile: MeterFacts;
  readonly publicSap: number;
  readonly clientSap: number;
  readonly serverSap: number;
  readonly mechanism: MechanismOption;
  readonly secret: Uint8Array | undefined;
  /** Present with mechanism ecdsa. */
  readonly signing: SigningKeys | undefined;
  /** Present with mechanism gmac, and wherever APDUs are to be ciphered. */
  readonly keys: Required<Pick<MeterKeys, "encryptionKey" | "authenticationKey">> | undefined;
  readonly suite: SecuritySuiteId;
  readonly protection: { readonly authenticated: boolean; readonly encrypted: boolean };
  readonly form: CipheringForm;
  /** The meter that is meant; another one is not accepted. */
  readonly meter: SystemTitle | undefined;
  /** This client's title, where it was said. */
  readonly title: SystemTitle | undefined;
  readonly lowestCounter: number | undefined;
  readonly timeoutMilliseconds: number;
}

const PROTECTIONS = {
  "authenticated-encrypted": { authenticated: true, encrypted: true },
  authenticated: { authenticated: true, encrypted: false },
  encrypted: { authenticated: false, encrypted: true },
} as const;
const FORMS = [
  "global",
  "general-global",
  "dedicated",
  "general-dedicated",
] as const satisfies readonly CipheringForm[];
const MOST_SECONDS = 3_600;
const MOST_COUNTER = 0xffff_fffe;

/** Puts the options together. @throws CliError `option-invalid`, `keys-needed`, and as `openKeys` */
export async function resolveAccess(address: string, options: AccessOptions, terminal: Terminal): Promise<MeterAccess> {
  const profile = chooseProfile(options.profile);
  const parsed = parseMeterAddress(address);
  const meter = options.meter === undefined ? undefined : titleOf("--meter", options.meter);
  const given = (await openKeys(options, terminal, false)).ring(options.meter?.toUpperCase() ?? "0000000000000000");
  const secret = await secretOf(options.password, terminal);
  const byDefault = given !== undefined ? "gmac" : secret !== undefined ? "low" : "none";
  const mechanism = oneOf("--mechanism", options.mechanism ?? byDefault, MECHANISM_NAMES);
  const keys = await keysOf(given, mechanism, options, terminal);
  const signing = mechanism === "ecdsa" ? readSigningKeys(options.signingKey, options.meterSigning) : undefined;
  if (!["none", "gmac", "ecdsa"].includes(mechanism) && secret === undefined)
    throw new CliError("keys-needed", `--mechanism ${mechanism} needs a --password`);
  const suite = options.suite ?? String(signing?.suite ?? (keys?.encryptionKey.length === 32 ? 2 : 0));
  const publicSap = profileClient(profile, "public")?.sap ?? PUBLIC_SAP;
  return {
    address: parsed,
    link: oneOf("--link", options.link ?? linkOf(profile), ["wrapper", "hdlc"]),
    physicalDevice:
      options.physical === undefined ? undefined : whole("--physical", options.physical, 0, MOST_PHYSICAL_DEVICE),
    profile,
    publicSap,
    clientSap: clientSapOf(options.client ?? (mechanism === "none" ? undefined : "management"), profile, publicSap),
    serverSap: whole("--server", options.server, profile.serverSap ?? 1, 0xffff),
    mechanism,
    secret,
    signing,
    keys,
    suite: Number(oneOf("--suite", suite, ["0", "1", "2"])) as SecuritySuiteId,
    protection:
      PROTECTIONS[
        oneOf(
          "--protection",
          options.protection ?? "authenticated-encrypted",
          Object.keys(PROTECTIONS) as ProtectionName[],
        )
      ],
    form: oneOf("--form", options.form ?? formOf(profile), FORMS),
    meter,
    title: options.systemTitle === undefined ? undefined : titleOf("--system-title", options.systemTitle),
    lowestCounter: options.counter === undefined ? undefined : whole("--counter", options.counter, 0, MOST_COUNTER),
    timeoutMilliseconds: whole("--timeout", options.timeout, 10, MOST_SECONDS) * 1_000,
  };
}

const PUBLIC_SAP = 16;
const MANAGEMENT_SAP = 1;
const MOST_PHYSICAL_DEVICE = 0x3fff;

/** A client by its name in the profile, or by its address. */
function clientSapOf(text: string | undefined, profile: MeterFacts, publicSap: number): number {
  if (text === undefined) return publicSap;
  const known = profileClient(profile, text);
  if (known !== undefined) return known.sap;
  if (text === "management") return MANAGEMENT_SAP;
  if (/^\d+$/.test(text)) return whole("--client", text, publicSap, 0xffff);
  const names = (profile.clients ?? []).map(({ name }) => name);
  throw new CliError("option-invalid", `--client ${text}: an address, or one of ${names.join(", ")}`);
}

/** Over TCP: the wrapper where the meters have it. */
function linkOf({ transport }: MeterFacts): MeterAccess["link"] {
  const { kinds = ["wrapper-tcp"] } = transport ?? {};
  return kinds.includes("wrapper-tcp") ? "wrapper" : "hdlc";
}

function formOf({ ciphering }: MeterFacts): CipheringForm {
  return ciphering?.header === "general" ? "general-global" : "global";
}

type ProtectionName = keyof typeof PROTECTIONS;

/** What the association says of who we are. */
export function authenticationOf(
  { mechanism, secret = new Uint8Array(), signing }: MeterAccess,
  challenge = nodeRandom(CHALLENGE_BYTES),
): ClientAuthentication {
  switch (mechanism) {
    case "none":
      return { kind: "none" };
    case "low":
      return { kind: "lls", password: secret };
    case "gmac":
      return { kind: "gmac", challenge };
    case "ecdsa": {
      if (signing === undefined) throw new CliError("keys-needed", "mechanism ecdsa needs signing keys");
      const { own, meter, suite } = signing;
      const proof = ecdsaMechanism({ curves: nodeCurves, suite, signing: own, otherSigning: () => meter });
      return { kind: "hls", challenge, mechanism: proof };
    }
    default:
      return { kind: "hls", challenge, mechanism: hashMechanism(nodeHashes, `high-${mechanism}`, secret) };
  }
}

/** Enough for every mechanism. */
const CHALLENGE_BYTES = 32;

/** How APDUs are protected; undefined where there are no keys. */
export function cipheringOf(
  access: Pick<MeterAccess, "keys" | "suite" | "protection" | "form">,
): ClientCiphering<KeyObject> | undefined {
  const { keys, suite, protection, form } = access;
  if (keys === undefined) return undefined;
  const isDedicated = form === "dedicated" || form === "general-dedicated";
  const octets = isDedicated ? nodeRandom(keys.encryptionKey.length) : undefined;
  return {
    ciphers: nodeCiphers,
    suite,
    form,
    ...protection,
    encryptionKey: createSecretKey(keys.encryptionKey),
    authenticationKey: keys.authenticationKey,
    ...(octets === undefined ? {} : { dedicatedKey: { octets, key: createSecretKey(octets) } }),
  };
}

async function keysOf(
  given: MeterKeys | undefined,
  mechanism: MechanismOption,
  options: AccessOptions,
  terminal: Terminal,
): Promise<MeterAccess["keys"]> {
  if (given === undefined && mechanism !== "gmac") return undefined;
  let keys = given;
  if (keys?.encryptionKey === undefined) {
    const source = await openKeys({}, terminal, options.password === "-");
    keys = (await source.ask()) ? source.ring("") : undefined;
  }
  const { encryptionKey, authenticationKey } = keys ?? {};
  if (encryptionKey === undefined || authenticationKey === undefined)
    throw new CliError(
      "keys-needed",
      "encryption and authentication key are needed: --key-file, --key -, or answer the prompt",
    );
  return { encryptionKey, authenticationKey };
}

async function secretOf(password: string | undefined, { stdin }: Terminal): Promise<Uint8Array | undefined> {
  if (password === undefined) return undefined;
  let text = password;
  if (password === "-") {
    text = "";
    for await (const chunk of stdin) text += String(chunk);
    text = text.split(/\r?\n/)[0] ?? "";
  }
  if (!/^0x/i.test(text)) return new TextEncoder().encode(text);
  if (!/^0x([0-9A-F]{2})+$/i.test(text))
    throw new CliError("option-invalid", "--password 0x… must be pairs of hex digits");
  return fromHex(text.slice(2));
}

function oneOf<const Name extends string>(option: string, text: string, names: readonly Name[]): Name {
  const found = names.find((name) => name === text);
  if (found === undefined) throw new CliError("option-invalid", `${option} ${text}: one of ${names.join(", ")}`);
  return found;
}

function whole(option: string, text: string | undefined, byDefault: number, most: number): number {
  if (text === undefined) return byDefault;
  const value = Number(text);
  if (!/^\d+$/.test(text) || value > most)
    throw new CliError("option-invalid", `${option} must be a whole number from 0 to ${most}, not ${text}`);
  return value;
}

function titleOf(option: string, text: string): SystemTitle {
  const digits = text.replace(/[\s:-]/g, "");
  if (!/^[0-9A-F]{16}$/i.test(digits)) throw new CliError("option-invalid", `${option} must be 16 hex digits`);
  return systemTitle(fromHex(digits));
}
