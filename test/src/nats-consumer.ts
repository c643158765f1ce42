import { setTimeout as sleep } from "node:timers/promises";
import type { Consignment, openNats } from "@meterkeep/headend";
import type { ApiClient } from "./api-client.ts";

/** What a consumer at NATS hears of islands: each number once, in order, however often it came. */
export class NatsConsumer {
  readonly heard = new Map<string, { last: number; readonly bodies: string[] }>();
  gaps = 0;
  again = 0;

  /** Hears until it is aborted, also when the server is away for a while. */
  async hear(line: Awaited<ReturnType<typeof openNats>>, signal: AbortSignal): Promise<void> {
    while (!signal.aborted)
      // Whoever hears comes again.
      await line.hear((one) => this.#take(one), signal).catch(() => sleep(500));
  }

  async #take({ origin, announcements }: Consignment): Promise<void> {
    const head = this.heard.get(origin) ?? { last: 0, bodies: [] };
    this.heard.set(origin, head);
    for (const { sequence, body } of announcements) {
      if (sequence <= head.last) {
        this.again += 1;
        continue;
      }
      this.gaps += sequence - head.last - 1;
      head.last = sequence;
      head.bodies.push(body);
    }
  }
}

/** Everything that an island tells over HTTP, page by page, up to a number. @throws Error where a number is left out */
export async function toldOverHttp(api: ApiClient, origin: string, last: number): Promise<readonly unknown[]> {
  const bodies: unknown[] = [];
  for (let after = 0; after < last; ) {
    const query = { origin, after, limit: 500 };
    const { announcements } = await api.call("announcements", { query });
    if (announcements.length === 0) throw new Error(`${origin} tells nothing after ${after} of ${last}`);
    for (const { sequence, body } of announcements) {
      if (sequence !== after + 1) throw new Error(`${origin} tells ${sequence} after ${after}`);
      after = sequence;
      bodies.push(body);
    }
  }
  return bodies.slice(0, last);
}
