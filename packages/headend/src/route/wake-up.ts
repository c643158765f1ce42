import type { Scope } from "../database/scope.ts";
import { rows, type Sql } from "../database/sql.ts";
import type { Meter } from "../inventory/meter.ts";

/** Asks a network to make a meter call: by SMS, by paging, by whatever the operator's gateway does. */
export interface WakeUpGateway {
  /** Resolves when the gateway has taken it. Whether the meter calls is another matter. @throws where it has not. */
  wake(meter: Pick<Meter, "title" | "serialNumber">): Promise<void>;
}

/** How long a gateway may take to answer. */
const GATEWAY_MILLISECONDS = 10_000;

/** A gateway behind HTTP: a POST with `{"systemTitle", "serialNumber"?}`; every 2xx is a yes. `fetch` is an argument. */
export function httpWakeUpGateway(
  url: string,
  authorization: string | undefined,
  ask: (url: string, init: RequestInit) => Promise<Pick<Response, "ok" | "status">> = fetch,
): WakeUpGateway {
  return {
    wake: async ({ title, serialNumber }) => {
      const { ok, status } = await ask(url, {
        method: "POST",
        headers: { "content-type": "application/json", ...(authorization === undefined ? {} : { authorization }) },
        body: JSON.stringify({ systemTitle: title, ...(serialNumber === undefined ? {} : { serialNumber }) }),
        // It has our credential: it is not carried elsewhere.
        redirect: "error",
        signal: AbortSignal.timeout(GATEWAY_MILLISECONDS),
      });
      if (!ok) throw new Error(`the wake-up gateway answered ${status}`);
    },
  };
}

/**
 * Wakes meters within their budget (MC-23): each wake-up costs money, and battery where there is one. What was used of it is in
 * the database: a restart does not renew it.
 */
export class WakeUps {
  readonly #sql: Sql;
  readonly #scope: Scope;
  readonly #gateway: WakeUpGateway;
  readonly #now: () => number;
  readonly #perDay: () => Promise<number>;

  /** `perDay` is how many one meter may have in 24 hours, as the thresholds say now. */
  constructor(sql: Sql, scope: Scope, gateway: WakeUpGateway, now: () => number, perDay: () => Promise<number>) {
    this.#sql = sql;
    this.#scope = scope;
    this.#gateway = gateway;
    this.#now = now;
    this.#perDay = perDay;
  }

  /** Wakes a meter, unless one is under way or the day's are used up. @returns whether the gateway was asked. */
  async wake(meter: Pick<Meter, "id" | "title" | "serialNumber">, waitSeconds: number): Promise<boolean> {
    const at = new Date(this.#now());
    const perDay = await this.#perDay();
    const taken = await rows(this.#sql, TAKE, [...this.#scope.place, meter.id, at, perDay, waitSeconds]);
    if (taken.length === 0) return false;
    await this.#gateway.wake(meter);
    return true;
  }
}

const TAKE = `
  insert into wake_ups (utility_id, island_id, meter_id, at)
  select $1, $2, $3, $4::timestamptz
  where (select count(*) from wake_ups w where w.utility_id = $1 and w.island_id = $2 and w.meter_id = $3
      and w.at > $4::timestamptz - interval '24 hours') < $5
    and not exists (select from wake_ups w where w.utility_id = $1 and w.island_id = $2 and w.meter_id = $3
      and w.at > $4::timestamptz - make_interval(secs => $6))
  on conflict do nothing
  returning meter_id`;
