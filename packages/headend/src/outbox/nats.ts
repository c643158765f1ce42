import {
  AckPolicy,
  DeliverPolicy,
  JetStreamApiError,
  type JetStreamClient,
  type JetStreamManager,
  jetstream,
  jetstreamManager,
  StorageType,
} from "@nats-io/jetstream";
import { connect, type NatsConnection, nanos } from "@nats-io/transport-node";
import { HeadEndError } from "../errors.ts";
import { DAY_MILLISECONDS } from "../time/day.ts";
import type { Carrier, Consignment, Hearing } from "./carrier.ts";
import { parseConsignment } from "./consignment-json.ts";
import { OUTBOX_DAYS } from "./outbox.ts";

/** How NATS is reached. */
export interface NatsPlace {
  /** `nats://host:port` or `tls://host:port`, with user and password or a token where they are wanted. */
  readonly url: string;
  /** The JetStream domain of that server, where it has one: a leaf node's. */
  readonly domain?: string | undefined;
}

/** The stream that keeps what islands tell, on leaf nodes and on the hub. */
export const NATS_STREAM = "METERKEEP";
const SUBJECTS = "meterkeep.announced.>";
const KEPT_MILLISECONDS = OUTBOX_DAYS * DAY_MILLISECONDS;
/** A consignment that was handed over and not known to be is recognised within this. */
const DUPLICATE_MILLISECONDS = 3_600_000;
const STREAM = {
  name: NATS_STREAM,
  storage: StorageType.File,
  max_age: nanos(KEPT_MILLISECONDS),
  duplicate_window: nanos(DUPLICATE_MILLISECONDS),
};
/** What a server says of a stream that it does not have. */
const STREAM_NOT_FOUND = 10059;
const ACK_MILLISECONDS = 10_000;
/** Who takes longer than this to take one in gets it again. */
const TAKE_MILLISECONDS = 30_000;
const AGAIN_MILLISECONDS = 1_000;
const LOOK_MILLISECONDS = 2_000;

/** An island's line to NATS: it hands over what the island tells, and hears what others tell. */
export interface NatsLine extends Carrier, Hearing, AsyncDisposable {}

/**
 * Connects to NATS with JetStream and makes the stream that keeps announcements. The connection comes back by itself; while
 * it is away, handing over fails and is tried again by who does it.
 *
 * @throws HeadEndError `nats-unreachable`
 */
export async function openNats({ url, domain }: NatsPlace, name: string): Promise<NatsLine> {
  let connection: NatsConnection | undefined;
  try {
    connection = await connect({ ...serverOf(url), name, maxReconnectAttempts: -1 });
    const options = { timeout: ACK_MILLISECONDS, ...(domain !== undefined && { domain }) };
    const manager = await jetstreamManager(connection, options);
    await ensureStream(manager);
    return new Line(connection, jetstream(connection, options), manager, name);
  } catch (cause) {
    await connection?.close();
    throw new HeadEndError("nats-unreachable", `there is no JetStream at ${addressOf(url)}: ${messageOf(cause)}`, {
      cause,
    });
  }
}

/**
 * Makes the hub's stream, which gathers what the streams of leaf nodes keep and goes on where it stopped when a leaf node was
 * away. @param domains of the leaf nodes
 */
export async function gatherNats({ url, domain }: NatsPlace, domains: readonly string[]): Promise<void> {
  const connection = await connect(serverOf(url));
  try {
    const manager = await jetstreamManager(connection, domain === undefined ? {} : { domain });
    const sources = domains.map((leaf) => ({
      name: NATS_STREAM,
      external: { api: `$JS.${leaf}.API`, deliver: "" },
    }));
    if (await isThere(manager)) await manager.streams.update(NATS_STREAM, { ...STREAM, sources });
    else await manager.streams.add({ ...STREAM, sources });
  } finally {
    await connection.close();
  }
}

/**
 * States: *open*, *closed*. NATS keeps a consignment as one message, and the next is handed over when it is kept: so those of
 * one origin stay in order.
 */
class Line implements NatsLine {
  readonly #connection: NatsConnection;
  readonly #jetstream: JetStreamClient;
  readonly #manager: JetStreamManager;
  readonly #name: string;

  constructor(connection: NatsConnection, client: JetStreamClient, manager: JetStreamManager, name: string) {
    this.#connection = connection;
    this.#jetstream = client;
    this.#manager = manager;
    this.#name = name;
  }

  async carry(consignment: Consignment): Promise<void> {
    const { origin, announcements } = consignment;
    const [first, last] = [announcements[0]?.sequence, announcements.at(-1)?.sequence];
    await this.#jetstream.publish(subjectOf(origin), JSON.stringify(consignment), {
      msgID: `${origin} ${first}-${last}`,
      timeout: ACK_MILLISECONDS,
    });
  }

  async hear(take: (consignment: Consignment) => Promise<void>, signal: AbortSignal): Promise<void> {
    const durable = durableOf(this.#name);
    await this.#manager.consumers.add(NATS_STREAM, {
      durable_name: durable,
      ack_policy: AckPolicy.Explicit,
      ack_wait: nanos(TAKE_MILLISECONDS),
      deliver_policy: DeliverPolicy.All,
      // One at a time: what is not taken in holds up what comes after it.
      max_ack_pending: 1,
    });
    const consumer = await this.#jetstream.consumers.get(NATS_STREAM, durable);
    while (!signal.aborted) {
      const message = await consumer.next({ expires: LOOK_MILLISECONDS });
      if (message === null) continue;
      const consignment = parseConsignment(message.data);
      if (consignment === undefined) {
        message.term("it is no consignment");
        continue;
      }
      try {
        await take(consignment);
      } catch (error) {
        message.nak(AGAIN_MILLISECONDS);
        throw error;
      }
      await message.ackAck();
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#connection.close();
  }
}

/** A stream that is there stays as it is: it may be the hub's, which gathers. */
async function ensureStream(manager: JetStreamManager): Promise<void> {
  if (!(await isThere(manager))) await manager.streams.add({ ...STREAM, subjects: [SUBJECTS] });
}

/** @throws what is not an answer: a server that is still coming up does not say that the stream is not there */
async function isThere(manager: JetStreamManager): Promise<boolean> {
  try {
    await manager.streams.info(NATS_STREAM);
    return true;
  } catch (error) {
    if (error instanceof JetStreamApiError && error.code === STREAM_NOT_FOUND) return false;
    throw error;
  }
}

/** `utility/island/run` as tokens of a subject, in which neither dots nor spaces may stand. */
function subjectOf(origin: string): string {
  const tokens = origin.split("/").map((token) => token.replaceAll(/[^A-Za-z0-9_-]/g, "_"));
  return `meterkeep.announced.${tokens.join(".")}`;
}

function durableOf(name: string): string {
  return name.replaceAll(/[^A-Za-z0-9_-]/g, "_");
}

function serverOf(url: string) {
  const { protocol, host, username, password } = new URL(url);
  const [user, pass] = [decodeURIComponent(username), decodeURIComponent(password)];
  return {
    servers: host,
    ...(protocol === "tls:" && { tls: {} }),
    ...(user !== "" && (pass === "" ? { token: user } : { user, pass })),
  };
}

function addressOf(url: string): string {
  return URL.canParse(url) ? new URL(url).host : url;
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
