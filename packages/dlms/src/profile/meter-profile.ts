import { GBCS_SECURITY, type SecurityProfile, STANDARD_SECURITY } from "../security/profile.ts";

/** How a client of a meter proves who it is. */
export type ProfileAuthentication =
  | "none"
  | "lls"
  | "hls-proprietary"
  | "hls-md5"
  | "hls-sha1"
  | "hls-gmac"
  | "hls-sha256"
  | "hls-ecdsa";

/** One client that a kind of meter knows. */
export interface ProfileClient {
  /** `public`, `management`, `reading` … */
  readonly name: string;
  /** Its service access point. */
  readonly sap: number;
  readonly authentication: ProfileAuthentication;
  /** Associated from the start, without AARQ. */
  readonly preEstablished?: boolean;
  /** The security setup that protects it: OBIS code. */
  readonly securitySetup?: string;
  /** Where the last counter that the meter accepted from it is read: OBIS code, by the client `counterReader`. */
  readonly counter?: string;
  /** The client that may read `counter`; `public` unless given. */
  readonly counterReader?: string;
  /** A word about it for people. */
  readonly note?: string;
}

/** Services and options beyond GET, SET and ACTION of one item. */
export interface ProfileServices {
  /** Lists in GET, SET and ACTION; at most so many items where it is a number. */
  readonly lists?: boolean | number;
  /** How a part of a profile can be asked for. */
  readonly selectiveAccess?: readonly ("range" | "entry")[];
  readonly generalBlockTransfer?: boolean;
  readonly access?: boolean;
  readonly shortNames?: boolean;
}

/** How APDUs are ciphered. */
export interface ProfileCiphering {
  /** Suites that the meters have. */
  readonly suites: readonly (0 | 1 | 2)[];
  /** The header of ciphered services. */
  readonly header: "service-specific" | "general";
  readonly dedicatedKey?: boolean;
  /** Keys that one key_transfer may carry. */
  readonly keysPerTransfer?: number;
}

/** How the meters are reached. */
export interface ProfileTransport {
  readonly kinds: readonly ("wrapper-tcp" | "wrapper-udp" | "hdlc" | "hdlc-tcp" | "mode-e" | "m-bus")[];
  readonly port?: number;
  /** The longest APDU that the meters take, octets. */
  readonly maxPduBytes?: number;
  readonly responseTimeoutSeconds?: number;
  /** Seconds to wait between two associations; some meters need it. */
  readonly pauseSeconds?: number;
  /** Connections that the meter holds at once. */
  readonly connections?: number;
}

/** HDLC with these meters: how they are addressed, what to propose, and where they depart from the standard. */
export interface ProfileHdlc {
  /** Octets of the server address; the shortest that holds it unless given. */
  readonly addressBytes?: 1 | 2 | 4;
  readonly physicalDevice?: number;
  /** What to propose when connecting; the defaults of the standard unless given. */
  readonly maxTransmitBytes?: number;
  readonly maxReceiveBytes?: number;
  readonly windowTransmit?: number;
  readonly windowReceive?: number;
  /** Octets of the first frame of a long APDU, and of the others, where the meters take less than they promise. */
  readonly firstSegmentBytes?: number;
  readonly furtherSegmentBytes?: number;
  /** Responses carry the LLC header of a command. */
  readonly answersWithCommandLlc?: boolean;
  /** Some responses carry no LLC header. */
  readonly omitsLlc?: boolean;
  /** The meters never count our frames in N(R). */
  readonly neverAcknowledges?: boolean;
  /** An optical port opens in mode E although its identification does not say so. */
  readonly assumesModeE?: boolean;
}

/** Deviations from the standard that a client has to live with. */
export interface ProfileQuirks {
  /** Octets after the value of a response are ignored. */
  readonly octetsAfterValue?: boolean;
  /** The release response has wrong lengths. */
  readonly wrongReleaseLengths?: boolean;
  /** Counters begin with 0 and not 1. */
  readonly firstCounterZero?: boolean;
  /** The AARE's diagnostic does not say that authentication is required, although it is. */
  readonly missingAuthenticationRequired?: boolean;
  /** Exception responses come without protection in a ciphered association. */
  readonly plainExceptions?: boolean;
  /** Pushes are encrypted without a tag. */
  readonly pushWithoutTag?: boolean;
  /** M-Bus identification numbers are binary and not BCD. */
  readonly binaryMbusIdentification?: boolean;
}

/** Objects by what they are for: OBIS codes. */
export type ProfileObjects = Readonly<Record<string, string>>;

/** How to talk to one kind of meter: facts as data (docs/formats/layouts.md). */
export interface MeterFacts {
  readonly id: string;
  readonly title: string;
  /** Another profile whose facts hold where this one says nothing. */
  readonly extends?: string;
  /** FLAG ids. */
  readonly makers?: readonly string[];
  readonly clients?: readonly ProfileClient[];
  /** The management logical device; 1 unless given. */
  readonly serverSap?: number;
  readonly transport?: ProfileTransport;
  readonly hdlc?: ProfileHdlc;
  readonly services?: ProfileServices;
  readonly ciphering?: ProfileCiphering;
  /** Where protection differs from the current editions. */
  readonly security?: Partial<SecurityProfile> & { readonly edition?: "standard" | "gbcs" };
  readonly quirks?: ProfileQuirks;
  readonly objects?: ProfileObjects;
  /** Ids of the layouts of its pushes. */
  readonly layouts?: readonly string[];
  /** What in it nobody has verified, or people must know. */
  readonly note?: string;
}

/** What protection is like with these meters: the current editions but for what the profile says. */
export function securityOf({ security }: Pick<MeterFacts, "security">): SecurityProfile {
  const { edition = "standard", ...fields } = security ?? {};
  return { ...(edition === "gbcs" ? GBCS_SECURITY : STANDARD_SECURITY), ...fields };
}

/** The client of a name; undefined where the meters have none. */
export function clientOf(facts: MeterFacts, name: string): ProfileClient | undefined {
  return facts.clients?.find((client) => client.name === name);
}
