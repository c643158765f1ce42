import {
  type Exchange,
  HdlcClient,
  type HdlcClientOptions,
  hdlcOptionsOf,
  type MeterFacts,
  ModeEClient,
  WRAPPER_HEADER_BYTES,
  writeWrapper,
} from "@meterkeep/dlms";
import { FieldError } from "../field-error.ts";
import { joined, type Octets } from "../octets.ts";
import type { ByteLine } from "./byte-line.ts";

/** A link over which APDUs are exchanged. */
export interface OpenedLink {
  readonly exchange: Exchange;
  close(): Promise<void>;
}

/** Whom a link is to. */
export interface LinkParties {
  readonly profile: MeterFacts;
  readonly clientSap: number;
  readonly serverSap: number;
}

const ANSWER_MILLISECONDS = 10_000;
const FRAME_MILLISECONDS = 5000;

/** Opens a link over a line: an optical port in mode E, then HDLC; or the wrapper. @throws FieldError, LineError */
export async function openLink(line: ByteLine, parties: LinkParties): Promise<OpenedLink> {
  if (line.link === "wrapper") return openWrapper(line, parties);
  if (line.isOptical) await openPort(line, parties.profile.hdlc?.assumesModeE === true);
  const { profile, clientSap, serverSap } = parties;
  const { server, ...options } = hdlcOptionsOf(profile, clientSap);
  return openHdlc(line, {
    ...options,
    server: { ...server, logicalDevice: serverSap },
    frameTimeoutMilliseconds: FRAME_MILLISECONDS,
    retries: 1,
  });
}

/** What the machines of the library have in common: octets and time go in, actions come out. */
interface Machine<Event, Action> {
  readonly deadline: number | undefined;
  step(event: Event | { kind: "octets"; octets: Uint8Array } | { kind: "time" }, now: number): readonly Action[];
}

/** Feeds a machine and performs what it says, one after the other: a line takes time to be set. */
function drive<Event, Action extends { readonly kind: string }>(
  machine: Machine<Event, Action>,
  perform: (action: Action) => Promise<void> | void,
  fail: (error: unknown) => void,
): { tell(event: Event): void; take(octets: Uint8Array): void; stop(): void } {
  let timer: ReturnType<typeof setTimeout> | undefined;
  let performed: Promise<void> = Promise.resolve();
  let isOver = false;
  const step = (event: Parameters<typeof machine.step>[0]): void => {
    if (isOver) return;
    const actions = machine.step(event, performance.now());
    clearTimeout(timer);
    const { deadline } = machine;
    if (deadline !== undefined)
      timer = setTimeout(() => step({ kind: "time" }), Math.max(0, deadline - performance.now()));
    performed = performed.then(async () => {
      for (const action of actions) await perform(action);
    });
    performed.catch(fail);
  };
  return {
    tell: step,
    take: (octets) => step({ kind: "octets", octets }),
    stop: () => {
      isOver = true;
      clearTimeout(timer);
    },
  };
}

async function openPort(line: ByteLine, assumesModeE: boolean): Promise<void> {
  const { promise, resolve, reject } = Promise.withResolvers<void>();
  const driver = drive(
    new ModeEClient({ assumesModeE }),
    async (action) => {
      if (action.kind === "transmit") await line.write(action.octets);
      else if (action.kind === "line") await line.set(action.settings);
      else if (action.kind === "opened") resolve();
      else reject(action.error);
    },
    reject,
  );
  line.listen(driver.take, (why) => reject(gone(why)));
  driver.tell({ kind: "start" });
  try {
    await promise;
  } finally {
    driver.stop();
  }
}

async function openHdlc(line: ByteLine, options: HdlcClientOptions): Promise<OpenedLink> {
  const connected = Promise.withResolvers<void>();
  const disconnected = Promise.withResolvers<void>();
  let waiting: PromiseWithResolvers<Uint8Array> | undefined;
  const fail = (error: unknown): void => {
    connected.reject(error);
    waiting?.reject(error);
    disconnected.resolve();
  };
  const driver = drive(
    new HdlcClient(options),
    async (action) => {
      if (action.kind === "transmit") await line.write(action.octets);
      else if (action.kind === "connected") connected.resolve();
      else if (action.kind === "apdu") waiting?.resolve(action.apdu);
      else if (action.kind === "disconnected") disconnected.resolve();
      else if (action.kind === "failed") fail(action.error);
    },
    fail,
  );
  line.listen(driver.take, (why) => fail(gone(why)));
  driver.tell({ kind: "connect" });
  await connected.promise;
  return {
    exchange: (apdu, signal) => {
      waiting = answerIn(signal);
      driver.tell({ kind: "send", apdu });
      return waiting.promise;
    },
    close: async () => {
      driver.tell({ kind: "disconnect" });
      await Promise.race([disconnected.promise, new Promise((resolve) => setTimeout(resolve, FRAME_MILLISECONDS))]);
      driver.stop();
    },
  };
}

function openWrapper(line: ByteLine, { clientSap, serverSap }: LinkParties): OpenedLink {
  let pending: Octets = new Uint8Array(0);
  let waiting: PromiseWithResolvers<Uint8Array> | undefined;
  let lost: FieldError | undefined;
  const take = (octets: Uint8Array): void => {
    pending = joined(pending, octets);
    while (pending.length >= WRAPPER_HEADER_BYTES) {
      const view = new DataView(pending.buffer);
      const end = WRAPPER_HEADER_BYTES + view.getUint16(6);
      if (view.getUint16(0) !== 1) waiting?.reject(new FieldError("What answers there is no meter."));
      if (pending.length < end || view.getUint16(0) !== 1) return;
      const isOurs = view.getUint16(2) === serverSap && view.getUint16(4) === clientSap;
      const apdu = pending.slice(WRAPPER_HEADER_BYTES, end);
      pending = pending.slice(end);
      if (isOurs) waiting?.resolve(apdu);
    }
  };
  line.listen(take, (why) => {
    lost = gone(why);
    waiting?.reject(lost);
  });
  return {
    exchange: async (apdu, signal) => {
      if (lost !== undefined) throw lost;
      const frame = new Uint8Array(WRAPPER_HEADER_BYTES + apdu.length);
      writeWrapper(clientSap, serverSap, apdu, frame);
      waiting = answerIn(signal);
      const { promise } = waiting;
      await line.write(frame);
      return promise;
    },
    close: async () => {},
  };
}

/** The place of an answer, which fails when it takes too long or nobody wants it any more. */
function answerIn(signal: Parameters<Exchange>[1]): PromiseWithResolvers<Uint8Array> {
  const waiting = Promise.withResolvers<Uint8Array>();
  const late = setTimeout(() => waiting.reject(new FieldError("The meter does not answer.")), ANSWER_MILLISECONDS);
  const cancelled = () => waiting.reject(new FieldError("The visit was broken off."));
  signal.addEventListener("abort", cancelled, { once: true });
  waiting.promise
    .catch(() => {})
    .finally(() => {
      clearTimeout(late);
      signal.removeEventListener("abort", cancelled);
    });
  return waiting;
}

function gone(why: string): FieldError {
  return new FieldError(`The line to the meter is gone: ${why}.`);
}
