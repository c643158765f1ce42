import type { MeterEvent } from "./profile/companion-profile.ts";
import type { UnixSeconds } from "./time/calendar.ts";

/** What the log of local sessions needs of its meter. */
export interface LocalOwner {
  now(): UnixSeconds;
  log(event: MeterEvent, at: UnixSeconds): void;
}

/** What a meter writes of its local interface: a session from its association to its end, and who was not let in. */
export class LocalSessions {
  readonly #owner: LocalOwner;
  readonly #connections = new WeakSet<object>();

  constructor(owner: LocalOwner) {
    this.#owner = owner;
  }

  /** Somebody speaks on the spot, over this connection. */
  begin(connection: object): void {
    this.#connections.add(connection);
  }

  /** A connection stood so, and stands so now; nothing is written of one from afar. */
  moved(connection: object, before: string, after: string, isRefused: boolean): void {
    if (!this.#connections.has(connection)) return;
    if (before === "associated" && after !== "associated") this.#write("localSessionEnded");
    if (before !== "associated" && after === "associated") this.#write("localSessionStarted");
    if (isRefused) this.#write("localAttempt");
  }

  #write(event: MeterEvent): void {
    this.#owner.log(event, this.#owner.now());
  }
}
