import { MeterError } from "./errors.ts";
import { COMPANION_PROFILES, companionProfile } from "./profile/companion-profiles.ts";

/** Keys of a meter as the factory burns them in, by purpose. The octets are the meter's own; nobody else reads them from here. */
export interface FactoryKeys {
  readonly globalUnicastEncryptionKey: Uint8Array;
  readonly globalBroadcastEncryptionKey: Uint8Array;
  readonly authenticationKey: Uint8Array;
  readonly keyEncryptionKey: Uint8Array;
}

/** Keys of a security setup beside the first, by the `e` of 0-0:43.0.e.255. */
export interface FactorySetup {
  readonly setup: number;
  readonly keys: FactoryKeys;
}

/** Ways in which a meter may misbehave about its keys, fixed at the factory. */
export const KEY_FAULTS = ["none", "keepKeys", "keepMaster"] as const;
/** `keepKeys` acknowledges key_transfer and keeps all keys; `keepMaster` changes all but the master key. */
export type KeyFault = (typeof KEY_FAULTS)[number];

/** The meter's own side of its making: one line of the production file. */
export interface ProductionRecord {
  /** 16 upper-case hex digits. */
  readonly systemTitle: string;
  readonly logicalDeviceName: string;
  readonly serialNumber: string;
  readonly model: string;
  readonly hardwareRevision: string;
  readonly firmware: string;
  readonly profile: string;
  readonly securitySuite: 0 | 1 | 2;
  readonly keys: FactoryKeys;
  /** The security setups beside the first; absent where the profile has none. */
  readonly setups?: readonly FactorySetup[];
  /** The certificates that it trusts by themselves, for as long as it lives: DER, base64. None in suite 0. */
  readonly trustAnchors?: readonly string[];
  /** The maker's public key that firmware is signed with: SPKI in base64. A meter without one takes no firmware. */
  readonly firmwareKey?: string;
  /** Secrets of clients as hex, by the name of their association; absent where the profile has none. */
  readonly secrets?: Readonly<Record<string, string>>;
  readonly role: "home" | "transformer";
  readonly phases: 1 | 3;
  /** Seed of its load; never of keys. */
  readonly seed: number;
  readonly feeder: string;
  /** Place along the feeder, 0 next to the transformer to 1; 0 for the transformer meter. */
  readonly position: number;
  /** Rated power of the transformer; 0 for homes. */
  readonly ratedKva: number;
  /** Whether it is commissioned in the depot before it appears in the field. */
  readonly depot: boolean;
  readonly keyFault: KeyFault;
  /** Whether its pushes are authenticated and encrypted, or encrypted without a tag as some fielded meters do. */
  readonly pushProtection: "authenticated-encrypted" | "encrypted";
}

const KEY_NAMES = [
  "globalUnicastEncryptionKey",
  "globalBroadcastEncryptionKey",
  "authenticationKey",
  "keyEncryptionKey",
] as const satisfies readonly (keyof FactoryKeys)[];

/** Writes one line of the production file, with its line end. */
export function productionLine(record: ProductionRecord): string {
  const texts = (keys: FactoryKeys) => Object.fromEntries(KEY_NAMES.map((name) => [name, hex(keys[name])]));
  const setups = record.setups?.map(({ setup, keys }) => ({ setup, keys: texts(keys) }));
  return `${JSON.stringify({ ...record, keys: texts(record.keys), setups })}\n`;
}

/** Reads one line of the production file. Throws `meter-production-malformed` with the line's number and what is wrong in it. */
export function parseProductionLine(text: string, lineNumber: number): ProductionRecord {
  const bad = (what: string): never => {
    throw new MeterError(
      "meter-production-malformed",
      `Line ${lineNumber} of the production file: ${what}. The factory wrote this file; run it again.`,
    );
  };
  let parsed: unknown;
  try {
    parsed = JSON.parse(text);
  } catch {
    return bad("it is not JSON");
  }
  if (typeof parsed !== "object" || parsed === null) return bad("it is not an object");
  const fields = parsed as Readonly<Record<string, unknown>>;
  const string = (name: string): string => {
    const value = fields[name];
    return typeof value === "string" && value.length > 0 && value.length <= 64
      ? value
      : bad(`${name} is not a short text`);
  };
  const number = (name: string): number => {
    const value = fields[name];
    return typeof value === "number" && Number.isFinite(value) ? value : bad(`${name} is not a number`);
  };
  const oneOf = <T extends string | number | boolean>(name: string, values: readonly T[]): T =>
    values.find((value) => value === fields[name]) ?? bad(`${name} is none of ${values.join(", ")}`);
  const keys = fields["keys"];
  const anchors = fields["trustAnchors"] ?? [];
  const isAnchor = (one: unknown): one is string =>
    typeof one === "string" && one.length <= 4096 && /^[A-Za-z0-9+/]+=*$/.test(one);
  if (!Array.isArray(anchors) || anchors.length > 4 || !anchors.every(isAnchor))
    return bad("trustAnchors are not up to four certificates in base64");
  const keysIn = (from: unknown): FactoryKeys => {
    const key = (name: keyof FactoryKeys): Uint8Array => {
      const value = typeof from === "object" && from !== null ? (from as Record<string, unknown>)[name] : undefined;
      return typeof value === "string" && /^([0-9a-f]{32}|[0-9a-f]{64})$/.test(value)
        ? octets(value)
        : bad(`key ${name} is missing or malformed`);
    };
    return {
      globalUnicastEncryptionKey: key("globalUnicastEncryptionKey"),
      globalBroadcastEncryptionKey: key("globalBroadcastEncryptionKey"),
      authenticationKey: key("authenticationKey"),
      keyEncryptionKey: key("keyEncryptionKey"),
    };
  };
  const profile = oneOf("profile", Object.keys(COMPANION_PROFILES));
  const setups = (): { readonly setups?: readonly FactorySetup[] } => {
    const given = fields["setups"] ?? [];
    const wanted = companionProfile(profile).furtherSetups ?? [];
    if (
      !Array.isArray(given) ||
      given.length !== wanted.length ||
      given.some((one, at) => one?.setup !== wanted[at]?.setup)
    )
      return bad(`setups are not those that meters of ${profile} have beside the first`);
    if (wanted.length === 0) return {};
    return { setups: wanted.map(({ setup }, at) => ({ setup, keys: keysIn(given[at].keys) })) };
  };
  const firmwareKey = (): { readonly firmwareKey?: string } => {
    const given = fields["firmwareKey"];
    if (given === undefined) return {};
    return isAnchor(given) ? { firmwareKey: given } : bad("firmwareKey is no public key in base64");
  };
  const secrets = (): { readonly secrets?: Readonly<Record<string, string>> } => {
    const given = fields["secrets"];
    if (given === undefined) return {};
    const isText = (value: unknown) => typeof value === "string" && /^([0-9a-f]{2}){1,64}$/.test(value);
    if (typeof given !== "object" || given === null || !Object.values(given).every(isText))
      return bad("secrets are not hex");
    return { secrets: given as Readonly<Record<string, string>> };
  };
  const systemTitle = string("systemTitle");
  if (!/^[0-9A-F]{16}$/.test(systemTitle)) return bad("systemTitle is not 16 upper-case hex digits");
  return {
    systemTitle,
    logicalDeviceName: string("logicalDeviceName"),
    serialNumber: string("serialNumber"),
    model: string("model"),
    hardwareRevision: string("hardwareRevision"),
    firmware: string("firmware"),
    profile,
    securitySuite: oneOf("securitySuite", [0, 1, 2] as const),
    keys: keysIn(keys),
    ...setups(),
    ...(anchors.length === 0 ? {} : { trustAnchors: anchors as readonly string[] }),
    ...firmwareKey(),
    ...secrets(),
    role: oneOf("role", ["home", "transformer"] as const),
    phases: oneOf("phases", [1, 3] as const),
    seed: number("seed"),
    feeder: string("feeder"),
    position: number("position"),
    ratedKva: number("ratedKva"),
    depot: oneOf("depot", [true, false] as const),
    keyFault: oneOf("keyFault", KEY_FAULTS),
    pushProtection: oneOf("pushProtection", ["authenticated-encrypted", "encrypted"] as const),
  };
}

function hex(bytes: Uint8Array): string {
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");
}

function octets(text: string): Uint8Array {
  return Uint8Array.from({ length: text.length / 2 }, (_, i) => Number.parseInt(text.slice(2 * i, 2 * i + 2), 16));
}
