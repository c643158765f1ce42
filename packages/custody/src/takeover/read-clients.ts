import { apdu, type Data, decode } from "@meterkeep/dlms";
import type { AttributeName } from "../protocol/requests.ts";
import { type KeyRecord, SECRET, type SecretPurpose } from "../store/records.ts";
import type { FoundClient } from "./client-search.ts";

/**
 * The association objects that a meter may have beside the present one (0-0:40.0.e.255): companion profiles and the meters
 * of two vendors have them at 1 to 7 and at 128.
 */
const INSTANCES = [1, 2, 3, 4, 5, 6, 7, 128] as const;
const PARTNERS = 3;
const MECHANISM = 6;
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

/** The questions to a meter about its clients, one after the other, and what came of them. */
export class ClientsRead {
  readonly #keys: readonly KeyRecord[];
  /** Objects that the profile names: what is to be known of them is known. */
  readonly #known: readonly string[];
  readonly #clients: FoundClient[] = [];
  readonly #hidden: string[] = [];
  #at = 0;
  /** The client of the object that is being asked for its mechanism. */
  #client: number | undefined;

  constructor(keys: readonly KeyRecord[], known: readonly string[]) {
    this.#keys = keys;
    this.#known = known;
    this.#skipKnown();
  }

  /** What is to be asked next; nothing at the end. */
  get next(): AttributeName | undefined {
    const logicalName = this.#object;
    if (logicalName === undefined) return undefined;
    return { classId: 15, logicalName, attributeId: this.#client === undefined ? PARTNERS : MECHANISM };
  }

  get clients(): readonly FoundClient[] {
    return this.#clients;
  }

  /** What a meter has and does not tell enough of, in words. */
  get hidden(): readonly string[] {
    return this.#hidden;
  }

  /** Takes the plain answer to what was asked. @throws DecodeError */
  take(plain: Uint8Array): this {
    const object = this.#object as string;
    const answer = decode(apdu, plain);
    const result =
      answer.kind === "get-response" && answer.value.kind === "normal" ? answer.value.value.result : undefined;
    if (result?.kind !== "data") {
      if (this.#client !== undefined) this.#judge(object, this.#client, undefined);
      // Of a group that is for associations alone: class 12 names neither its client nor its mechanism (Blue Book, 4.4.3).
      else if (result?.value === "object-class-inconsistent")
        this.#hidden.push(
          `the association object ${object} is one of short names: its secret, where it has one, stays`,
        );
      else if (!isAbsent(result?.value)) this.#hidden.push(`the association object ${object} does not tell its client`);
      this.#onward();
      return this;
    }
    if (this.#client === undefined) {
      const client = clientOf(result.value);
      if (client !== undefined) this.#client = client;
      else {
        this.#hidden.push(`the association object ${object} does not tell its client`);
        this.#onward();
      }
      return this;
    }
    this.#judge(object, this.#client, mechanismOf(result.value));
    this.#onward();
    return this;
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
    this.#client = undefined;
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

/** The last arc of authentication_mechanism_name, as an object identifier's octets or as a structure of its arcs. */
function mechanismOf({ type, value }: Data): number | undefined {
  if (type === "octet-string") return (value as Uint8Array).at(-1);
  const last = type === "structure" ? (value as readonly Data[]).at(-1)?.value : undefined;
  return typeof last === "number" ? last : undefined;
}
