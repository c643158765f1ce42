import { apdu, type Data, decode } from "@meterkeep/dlms";
import { securitySetupName } from "../protocol/meter-facts.ts";
import type { AttributeName } from "../protocol/requests.ts";
import { type KeyRecord, SECRET, type SecretPurpose } from "../store/records.ts";
import type { FoundClient } from "./client-search.ts";

/**
 * The association objects that a meter may have beside the present one (0-0:40.0.e.255): companion profiles and the meters
 * of two vendors have them at 1 to 7 and at 128.
 */
const INSTANCES = [1, 2, 3, 4, 5, 6, 7, 128] as const;
/** What is asked of an association object, in this order. */
const ASKED = { partners: 3, mechanism: 6, setup: 9 } as const;
/** security_suite: every version of the class has it. */
const SUITE = 3;
/** More security setups than any companion specification has. */
const MOST_SETUPS = 8;
/** Clients have SAPs of one octet, and 0 is nobody. */
const MOST_SAP = 127;

/** Mechanisms that compute with a secret of the client's own: what each is here, and which of them we can open with. */
const MECHANISMS: Readonly<
  Record<number, { readonly purpose: SecretPurpose; readonly mechanism: FoundClient["mechanism"] } | string>
> = {
  1: { purpose: SECRET.LLS, mechanism: "low" },
  2: { purpose: SECRET.HLS, mechanism: "high" },
  3: "MD5",
  4: "SHA-1",
  6: { purpose: SECRET.HLS, mechanism: "high-sha256" },
};
/** Nobody's, the security setup's keys, and signatures: no secret of the client's own. */
const WITHOUT_SECRET: readonly number[] = [0, 5, 7];
/** Those that a security setup's keys, or its certificates, open. */
const OF_SETUP: readonly number[] = [5, 7];

/**
 * The questions to a meter about its clients and security setups, one after the other, and what came of them. A client's association object
 * names its security setup (class 15 from version 1 on, security_setup_reference); and the setups themselves are asked for, each of them, since an
 * object of a client may be hidden from the one who asks, and one that is not there need not be the last. Who does not tell of one tells of no
 * other.
 */
export class ClientsRead {
  readonly #keys: readonly KeyRecord[];
  /** Objects that the profile names: what is to be known of them is known. */
  readonly #known: readonly string[];
  readonly #clients: FoundClient[] = [];
  readonly #hidden: string[] = [];
  readonly #setups = new Set<number>();
  #at = 0;
  #asked: keyof typeof ASKED = "partners";
  /** The client of the object that is being asked, and its mechanism, once it has told them. */
  #client = 0;
  #mechanism: number | undefined;
  /** The security setup that is asked for next, after the objects. */
  #setup = 1;

  constructor(keys: readonly KeyRecord[], known: readonly string[]) {
    this.#keys = keys;
    this.#known = known;
    this.#skipKnown();
  }

  /** What is to be asked next; nothing at the end. */
  get next(): AttributeName | undefined {
    const logicalName = this.#object;
    if (logicalName !== undefined) return { classId: 15, logicalName, attributeId: ASKED[this.#asked] };
    if (this.#setup > MOST_SETUPS) return undefined;
    return { classId: 64, logicalName: securitySetupName(this.#setup), attributeId: SUITE };
  }

  get clients(): readonly FoundClient[] {
    return this.#clients;
  }

  /** What a meter has and does not tell enough of, in words. */
  get hidden(): readonly string[] {
    return this.#hidden;
  }

  /** Security setups that it has beside the first, by the `e` of 0-0:43.0.e.255. */
  get setups(): readonly number[] {
    return [...this.#setups].sort((one, other) => one - other);
  }

  /** Takes the plain answer to what was asked. @throws DecodeError */
  take(plain: Uint8Array): this {
    const answer = decode(apdu, plain);
    const result =
      answer.kind === "get-response" && answer.value.kind === "normal" ? answer.value.value.result : undefined;
    const value = result?.kind === "data" ? result.value : undefined;
    const refusal = result?.kind === "data" ? undefined : result?.value;
    const object = this.#object;
    if (object === undefined) this.#takeSetup(value, refusal);
    else if (this.#asked === "partners") this.#takePartners(object, value, refusal);
    else if (this.#asked === "mechanism") {
      this.#mechanism = value && mechanismOf(value);
      this.#judge(object, this.#client, this.#mechanism);
      this.#asked = "setup";
    } else this.#takeReference(object, value);
    return this;
  }

  #takePartners(object: string, value: Data | undefined, refusal: unknown): void {
    const client = value && clientOf(value);
    if (client !== undefined) {
      this.#client = client;
      this.#asked = "mechanism";
      return;
    }
    // Of a group that is for associations alone: class 12 names neither its client nor its mechanism (Blue Book, 4.4.3).
    if (refusal === "object-class-inconsistent")
      this.#hidden.push(`the association object ${object} is one of short names: its secret, where it has one, stays`);
    else if (!isAbsent(refusal)) this.#hidden.push(`the association object ${object} does not tell its client`);
    this.#onward();
  }

  /** A client that the keys of a setup open must say of which; of the others, and of objects of version 0, it may be nobody's. */
  #takeReference(object: string, value: Data | undefined): void {
    const setup = value && setupOf(value);
    if (setup !== undefined && setup > 0) this.#setups.add(setup);
    if (setup === undefined && this.#mechanism !== undefined && OF_SETUP.includes(this.#mechanism))
      this.#hidden.push(`the association object ${object} does not tell the security setup of client ${this.#client}`);
    this.#onward();
  }

  #takeSetup(value: Data | undefined, refusal: unknown): void {
    if (value !== undefined) this.#setups.add(this.#setup);
    else if (!isAbsent(refusal) && refusal !== "object-class-inconsistent") {
      this.#hidden.push(`whether it has a security setup ${this.#setup} it does not tell (${String(refusal)})`);
      this.#setup = MOST_SETUPS;
    }
    this.#setup += 1;
  }

  #judge(object: string, client: number, id: number | undefined): void {
    if (id !== undefined && WITHOUT_SECRET.includes(id)) return;
    const mechanism = id === undefined ? undefined : MECHANISMS[id];
    if (typeof mechanism !== "object") {
      const name = mechanism ?? (id === undefined ? "that it does not tell" : String(id));
      this.#hidden.push(`client ${client} opens by a mechanism (${name}) that is not spoken here: its secret stays`);
      return;
    }
    if (this.#clients.some((one) => one.client === client && one.purpose === mechanism.purpose)) return;
    const known = this.#keys.some(
      ({ purpose, setup, version }) => purpose === mechanism.purpose && setup === client && version === 1,
    );
    this.#clients.push({ ...mechanism, client, object, known });
  }

  get #object(): string | undefined {
    const instance = INSTANCES[this.#at];
    return instance === undefined ? undefined : `0.0.40.0.${instance}.255`;
  }

  #onward(): void {
    this.#asked = "partners";
    this.#mechanism = undefined;
    this.#at += 1;
    this.#skipKnown();
  }

  #skipKnown(): void {
    while (this.#object !== undefined && this.#known.includes(this.#object)) this.#at += 1;
  }
}

/** What a meter says that has no such object. */
function isAbsent(said: unknown): boolean {
  return said === "object-undefined" || said === "object-unavailable";
}

/** client_SAP of associated_partners_id. */
function clientOf({ type, value }: Data): number | undefined {
  const [client] = type === "structure" ? (value as readonly Data[]) : [];
  const sap = client?.value;
  return typeof sap === "number" && Number.isInteger(sap) && sap >= 1 && sap <= MOST_SAP ? sap : undefined;
}

/** The security setup that an association refers to; 0 for the first as for none, undefined where it says neither. */
function setupOf({ type, value }: Data): number | undefined {
  if (type !== "octet-string") return undefined;
  const octets = value as Uint8Array;
  if (octets.length !== 6) return undefined;
  const name = octets.join(".");
  const setup = octets[4] as number;
  return name === "0.0.0.0.0.0" || name === securitySetupName(setup) ? setup : undefined;
}

/** The last arc of authentication_mechanism_name, as an object identifier's octets or as a structure of its arcs. */
function mechanismOf({ type, value }: Data): number | undefined {
  if (type === "octet-string") return (value as Uint8Array).at(-1);
  const last = type === "structure" ? (value as readonly Data[]).at(-1)?.value : undefined;
  return typeof last === "number" ? last : undefined;
}
