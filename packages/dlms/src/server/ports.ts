import type { Infer } from "../codec/codec.ts";
import type { CertificateInfo, certificateByEntity, certificateBySerial } from "../cosem/classes/security-setup.ts";
import type { LogicalName } from "../cosem/logical-name.ts";
import type { HlsMechanism } from "../security/hls-mechanisms.ts";
import type { AsymmetricKeys } from "../security/message-key.ts";
import type { Ciphers, KeyWrap, RandomOctets, SecurityPlatform } from "../security/ports.ts";
import type { SecurityProfile } from "../security/profile.ts";
import type { SecuritySuiteId } from "../security/suites.ts";
import type { SystemTitle } from "../system-title.ts";

/** The keys of a security setup by purpose, as `key_id` of key_transfer tells them apart. */
export type KeyPurpose =
  | "globalUnicastEncryptionKey"
  | "globalBroadcastEncryptionKey"
  | "authenticationKey"
  | "keyEncryptionKey";

/** A set of keys as it was when it was asked for. The object must not change afterwards: a change makes a new one. */
export interface KeySet<Key> {
  readonly globalUnicastEncryptionKey: Key;
  readonly globalBroadcastEncryptionKey?: Key | undefined;
  /** Travels as additional data, so it is octets here; see `ProtectionKeys`. */
  readonly authenticationKey: Uint8Array;
  /** The master key, under which new keys come wrapped. */
  readonly keyEncryptionKey: Key;
}

/** The live keys of one security setup. */
export interface SecuritySetupKeys<Key> {
  /** The keys in force. The same object as long as none has changed. */
  current(): KeySet<Key>;
  /**
   * Takes new keys into use, in the order given. False refuses them all: the call is then answered `other-reason`.
   *
   * The octets are the port's to keep.
   */
  install(keys: readonly { readonly purpose: KeyPurpose; readonly octets: Uint8Array }[]): boolean;
}

/** Invocation counters of one security setup. Durable: no counter may be used or accepted twice under one key. */
export interface InvocationCounters {
  /** The next counter for an APDU that this meter protects. */
  next(): number;
  /** The lowest counter that is still acceptable from the client. */
  lowestAcceptable(): number;
  /** Remembers that `counter` was used. Called after the APDU has proven authentic, where it can be. */
  accept(counter: number): void;
}

/** Protection that a security setup demands (class 64, security_policy). */
export interface SecurityPolicy {
  readonly authenticatedRequest: boolean;
  readonly encryptedRequest: boolean;
  readonly authenticatedResponse: boolean;
  readonly encryptedResponse: boolean;
  /** Signatures, by general-signing; not asked for unless given. */
  readonly signedRequest?: boolean;
  readonly signedResponse?: boolean;
}

/** What general-ciphering with fresh keys and general-signing need of a security setup. */
export interface GeneralProtectionPort<Key> {
  readonly platform: SecurityPlatform<Key>;
  /** How the APDUs are made; `STANDARD_SECURITY` unless given. */
  readonly profile?: SecurityProfile | undefined;
  /** The meter's private keys, and the client's public ones from the certificates that the meter holds. */
  keysFor(client: SystemTitle | undefined): AsymmetricKeys<Key>;
  /**
   * Remembers a transaction id of this client and says whether it is new. Durable: it is all that tells a replay where
   * a key was made for one APDU, or where an APDU is only signed.
   */
  acceptTransaction(client: SystemTitle | undefined, transactionId: Uint8Array): boolean;
}

/** What a key pair or a certificate is for (class 64). */
export type KeyPairUse = "digitalSignature" | "keyAgreement" | "tls";

/** Which certificate is meant: by whose it is, or by its serial number and issuer. */
export type CertificateIdentification =
  | ({ readonly kind: "byEntity" } & Infer<typeof certificateByEntity>)
  | ({ readonly kind: "bySerial" } & Infer<typeof certificateBySerial>);

/**
 * The key pairs and certificates of a meter. Certificates and requests are octets in DER: whether a certificate is one to
 * be believed is for this port to judge. False and undefined refuse: the call is then answered `other-reason`.
 */
export interface CertificateStore {
  /** What the meter holds, its trust anchors included. */
  list(): readonly CertificateInfo[];
  /** Makes a new pair. The one in use stays until a certificate of the new one is imported. */
  generateKeyPair(use: KeyPairUse): boolean;
  /** A PKCS #10 request for the newest pair, signed by it. */
  certificateRequest(use: KeyPairUse): Uint8Array | undefined;
  /** Takes a certificate that trust anchors of the meter vouch for; never an anchor itself. */
  import(certificate: Uint8Array): boolean;
  export(which: CertificateIdentification): Uint8Array | undefined;
  /** Removes a certificate, and destroys the private key with the meter's own one. Never a trust anchor. */
  remove(which: CertificateIdentification): boolean;
  /** The meter's certificate for signatures, which its AARE carries with mechanism 7; undefined sends none. */
  ownSigning(): Uint8Array | undefined;
}

/** One security setup (class 64) as the server needs it. */
export interface SecuritySetupPort<Key> {
  readonly suite: SecuritySuiteId;
  /** Read for each request, since `security_activate` may raise it. */
  readonly policy: SecurityPolicy;
  /** The meter's own system title. */
  readonly systemTitle: SystemTitle;
  /** The client's title where no AARQ tells it: pre-established associations. */
  readonly clientSystemTitle?: SystemTitle | undefined;
  readonly keys: SecuritySetupKeys<Key>;
  readonly counters: InvocationCounters;
  /** Counters of what came under the broadcast key; without them nothing under it is taken. */
  readonly broadcastCounters?: Pick<InvocationCounters, "lowestAcceptable" | "accept"> | undefined;
  /** Absent where the meter has neither key pairs nor wrapped keys. */
  readonly general?: GeneralProtectionPort<Key> | undefined;
  /** Absent where the meter has no key pairs. */
  readonly certificates?: CertificateStore | undefined;
  /** Takes a stronger policy into use (security_activate); false or absent refuses it. */
  activate?(policy: SecurityPolicy): boolean;
}

/** A user of an association (Blue Book 4.4.4, user_list). */
export interface AssociationUser {
  readonly userId: number;
  readonly userName: string;
}

/**
 * What clients have changed about associations: objects taken out of the list, and users. One a meter, durable. Each
 * change says false where the meter will not have it.
 */
export interface AssociationEdits {
  /** Whether the object was taken out of the association's list: it is then as if it did not exist. */
  hidden(association: string, classId: number, logicalName: LogicalName): boolean;
  setHidden(association: string, classId: number, logicalName: LogicalName, hidden: boolean): boolean;
  users(association: string): readonly AssociationUser[];
  setUsers(association: string, users: readonly AssociationUser[]): boolean;
}

/** What one meter lends its server: one small object a meter; everything large is shared through the model. */
export interface Device<Key, State = unknown> {
  /** Given to every handler. */
  readonly state: State;
  readonly ciphers: Ciphers<Key>;
  readonly keyWrap: KeyWrap<Key>;
  /** Turns the octets of a dedicated key into a key of the platform. */
  readonly importKey: (octets: Uint8Array) => Key;
  /** For challenges: a cryptographic source, or a seeded one where a test has to repeat itself. */
  readonly random: RandomOctets;
  /** The security setup of this logical name; undefined when the meter has none there. */
  securitySetup(logicalName: LogicalName): SecuritySetupPort<Key> | undefined;
  /** Whether `password` opens an LLS association. Compares in constant time. */
  checkPassword(association: string, password: Uint8Array): boolean;
  /** The mechanism of an association of kind `hls`, with the secret or the keys that it needs. */
  readonly hlsMechanism?: ((association: string) => HlsMechanism | undefined) | undefined;
  /** How strictly a client's challenge is judged; `STANDARD_SECURITY` unless given. */
  readonly securityProfile?: SecurityProfile | undefined;
  /**
   * Whether this association is locked out now, for failed attempts (class 124) or for good: an AARQ is then refused before
   * anything of it is looked at. Failures are told by `onEvent`. Absent where nothing locks.
   */
  lockedOut?(association: string): boolean;
  /** Takes a new password (attribute 7 of association LN, LLS); false refuses it. */
  setPassword(association: string, password: Uint8Array): boolean;
  /** Absent where object lists and users are as they were made. */
  readonly associationEdits?: AssociationEdits | undefined;
  /** Hears of what happened; must not throw. Nothing of it goes to the client. */
  readonly onEvent?: ((event: ServerEvent) => void) | undefined;
}

/** Something the server met that its owner may want to know. */
export type ServerEvent =
  | { readonly kind: "associated"; readonly association: string; readonly clientSystemTitle: SystemTitle | undefined }
  | { readonly kind: "association-refused"; readonly association: string; readonly reason: string }
  | { readonly kind: "released"; readonly association: string }
  /** The client confirms a push: its long invoke id. */
  | { readonly kind: "push-confirmed"; readonly association: string; readonly invokeId: number }
  | {
      readonly kind: "request-refused";
      readonly association: string;
      readonly reason: RefusedRequest;
      /** What a port of the meter threw, for `failed`. */
      readonly error?: unknown;
    }
  | { readonly kind: "handler-failed"; readonly logicalName: LogicalName; readonly error: unknown };

/** Why a request was answered with an exception-response. */
export type RefusedRequest =
  | "locked-out"
  | "not-associated"
  | "not-authentic"
  | "counter-too-low"
  | "not-protected-enough"
  | "keys-changed"
  | "not-decodable"
  | "not-supported"
  | "too-long"
  | "failed";
