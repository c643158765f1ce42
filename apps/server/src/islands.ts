import type { ServerConfig } from "@meterkeep/api/supervisor";
import {
  DAY_MILLISECONDS,
  gatherNats,
  Inbox,
  type NatsLine,
  OUTBOX_DAYS,
  type Outbox,
  openNats,
  relay,
  type Scope,
  type SqlPool,
} from "@meterkeep/headend";
import { pause, repeat } from "./repeat.ts";

const RELAY_MILLISECONDS = 500;
const FORGET_MILLISECONDS = 3_600_000;
const AGAIN_MILLISECONDS = 5_000;

export interface IslandsPorts {
  readonly pool: SqlPool;
  readonly scope: Scope;
  readonly outbox: Outbox;
  readonly nats: NonNullable<ServerConfig["nats"]>;
  now(): number;
  onError(error: unknown): void;
}

/** Tells over NATS what this island tells, and takes in what others tell, until it is disposed of. NATS may come later, and go. */
export function joinIslands(ports: IslandsPorts): AsyncDisposable {
  const closing = new AbortController();
  const running = run(ports, closing.signal);
  return {
    [Symbol.asyncDispose]: async () => {
      closing.abort();
      await running;
    },
  };
}

async function run(ports: IslandsPorts, signal: AbortSignal): Promise<void> {
  const { nats, outbox, onError } = ports;
  while (!signal.aborted) {
    try {
      const { origin } = await outbox.head();
      const place = { url: nats.url, domain: nats.domain };
      if (nats.gathers !== undefined) await gatherNats(place, nats.gathers);
      await using line = await openNats(place, origin);
      const relaying = repeat(
        RELAY_MILLISECONDS,
        signal,
        async () => void (await relay(outbox, line, signal)),
        onError,
      );
      const hearing = nats.hears ? hear(ports, line, origin, signal) : undefined;
      await Promise.all([relaying, hearing]);
    } catch (error) {
      onError(error);
      await pause(AGAIN_MILLISECONDS, signal);
    }
  }
}

async function hear(
  { pool, scope, now, onError }: IslandsPorts,
  line: NatsLine,
  own: string,
  signal: AbortSignal,
): Promise<void> {
  const inbox = new Inbox(pool, scope);
  const hearing = repeat(
    AGAIN_MILLISECONDS,
    signal,
    () =>
      line.hear(async (consignment) => {
        if (consignment.origin !== own) await inbox.take(consignment);
      }, signal),
    onError,
  );
  const forgetting = repeat(
    FORGET_MILLISECONDS,
    signal,
    async () => void (await inbox.forget(new Date(now() - OUTBOX_DAYS * DAY_MILLISECONDS))),
    onError,
  );
  await Promise.all([hearing, forgetting]);
}
