import { type KeyName, PURPOSE, type Purpose, SECRET } from "../store/records.ts";

/** How a meter behaves that is not honest, or not able. */
export type Character =
  | "honest"
  | "keeps-all-keys"
  | "keeps-master"
  | "opens-with-both"
  | "takes-both-masters"
  | "applies-half"
  | "refuses-transfers"
  | "has-no-broadcast-key"
  | "refuses-master"
  | "applies-late"
  | "is-another"
  | "keeps-secrets"
  | "keeps-old-secrets"
  | "refuses-secrets"
  | "refuses-child-keys"
  | "keeps-policy"
  | "tells-no-clients"
  | "refuses-agreement";

/** Clients of a meter that has some. */
export const SECRETS = [
  { purpose: SECRET.LLS, client: 34, known: true },
  { purpose: SECRET.HLS, client: 48, known: true },
] as const;
/** A meter as far as its keys go: versions instead of octets. */
export class PretendMeter {
  readonly keys: Record<Purpose, number>;
  readonly character: Character;
  /** What it held at first. */
  readonly #old: Readonly<Record<Purpose, number>>;
  /** Version of each client's secret. */
  readonly secrets = new Map<number, number>(SECRETS.map(({ client }) => [client, 1]));
  /** Versions of the key of the device at its channel: what the device has, and what the meter uses; 0 the one it was made with. */
  readonly child = { device: 0, meter: 0 };
  policy = 0;
  #late: (readonly { purpose: Purpose; version: number }[])[] = [];

  constructor(character: Character, keys: Readonly<Record<Purpose, number>>) {
    this.character = character;
    this.keys = { ...keys };
    this.#old = keys;
  }

  opens(GUEK: number, GAK: number): boolean {
    const before =
      this.character === "opens-with-both" && GUEK === this.#old[PURPOSE.GUEK] && GAK === this.#old[PURPOSE.GAK];
    return before || (GUEK === this.keys[PURPOSE.GUEK] && GAK === this.keys[PURPOSE.GAK]);
  }

  opensAs({ client = 0, version }: KeyName): boolean {
    return this.secrets.get(client) === version || (this.character === "keeps-old-secrets" && version === 1);
  }

  /** Whether it says that it has taken a client's secret. */
  changeSecret({ client = 0, version }: KeyName, applied: boolean): boolean {
    if (this.character === "refuses-secrets") return false;
    if (applied && this.character !== "keeps-secrets") this.secrets.set(client, version);
    return true;
  }

  /** Whether it says that a device, or itself, has taken the key of a child. */
  giveChildKey(side: "device" | "meter", { version }: KeyName, applied: boolean): boolean {
    if (this.character === "refuses-child-keys") return false;
    if (applied) this.child[side] = version;
    return true;
  }

  /** A contact begins: what is applied late is applied at the contact after the next. */
  contacted(): void {
    for (const { purpose, version } of this.#late.shift() ?? []) this.keys[purpose] = version;
  }

  /** Whether it says that it has taken the keys; of an array a part may have been applied. */
  transfer(
    keys: readonly { purpose: Purpose; version: number }[],
    under: number,
    applied: "all" | "first" | "others",
  ): boolean {
    const master = keys.some(({ purpose }) => purpose === PURPOSE.KEK);
    const broadcast = keys.some(({ purpose }) => purpose === PURPOSE.GBEK);
    if (broadcast && this.character === "has-no-broadcast-key") return false;
    if (this.character === "refuses-transfers" || (master && this.character === "refuses-master")) return false;
    const both = this.character === "takes-both-masters" && under === this.#old[PURPOSE.KEK];
    if (under !== this.keys[PURPOSE.KEK] && !both) return false;
    if (this.character === "keeps-all-keys" || (master && this.character === "keeps-master")) return true;
    if (this.character === "applies-late" && keys.some(({ purpose }) => purpose === PURPOSE.GUEK)) {
      this.#late = [[], ...this.#late.slice(1), keys];
      return true;
    }
    const part = this.character === "applies-half" ? "first" : applied;
    const done = part === "all" ? keys : part === "first" ? keys.slice(0, 1) : keys.slice(1);
    for (const { purpose, version } of done) this.keys[purpose] = version;
    return true;
  }
}
