import type { SelectiveAccessDescriptor } from "../cosem/selective-access.ts";
import { DlmsError } from "../errors.ts";
import type { ConformanceBit } from "../xdlms/conformance.ts";
import type { InvokeIdAndPriority } from "../xdlms/invoke-id.ts";
import type { DataAccessResult } from "../xdlms/results.ts";
import { type ActionItem, callList, callOne } from "./action-transfer.ts";
import {
  type AttributeAddress,
  attributeDescriptorOf,
  type MethodAddress,
  methodDescriptorOf,
  type RequestScope,
} from "./ask.ts";
import { getEach } from "./get-each.ts";
import { type GetTarget, getList, getListRequest, getOne, getParts, type ListItem } from "./get-transfer.ts";
import type { Associator, Cancellation, Exchange, ExchangeEvent, Negotiated, Protection } from "./ports.ts";
import { refusalOf } from "./refusal.ts";
import { SessionError } from "./session-error.ts";
import { setList, setOne } from "./set-transfer.ts";
import { Turn } from "./turn.ts";

/** What a session is made of: who carries octets, and who holds the keys. */
export interface SessionOptions {
  readonly exchange: Exchange;
  readonly associator: Associator;
  /** Ends the session's waiting; time-outs are the exchange's business. */
  readonly signal?: Cancellation;
  /** Sees every APDU that travels; must not throw. */
  readonly onExchange?: (event: ExchangeEvent) => void;
  /** Octets that a response in blocks may grow to; 16 MiB unless given. */
  readonly maxResponseBytes?: number;
  /** Gives the invoke id and priority of each request; 1 to 15 in turn with high priority unless given. */
  readonly invokeIds?: () => InvokeIdAndPriority;
}

/** One attribute to read, with the part of it that is wanted. */
export interface GetItem extends AttributeAddress {
  readonly selection?: SelectiveAccessDescriptor | undefined;
}

const DEFAULT_MAX_RESPONSE_BYTES = 16 * 1024 * 1024;
/** What ciphering in its longest form adds to an APDU: tag, title, length, security control, counter, tag. */
const PROTECTION_BYTES = 30;
const NO_LIMIT_BYTES = 65_535;
const HIGHEST_INVOKE_ID = 15;

/**
 * Associates, and gives the session to read and write with.
 *
 * @throws SessionError when the server refuses or does not prove itself; what the exchange throws.
 */
export async function openSession(options: SessionOptions): Promise<Session> {
  const { associator, exchange, onExchange, signal = NEVER } = options;
  let step = await associator.start();
  for (let name = "associate"; step.kind === "send"; name = "authenticate") {
    const { apdu, plain } = step;
    onExchange?.({ direction: "sent", step: name, plain: plain ?? undefined, wire: apdu });
    const received = await exchange(apdu, signal);
    onExchange?.({ direction: "received", step: name, plain: undefined, wire: received });
    step = await associator.next(received);
  }
  return new Session(options, step.protection, step.negotiated);
}

/**
 * An association with a server, from `openSession` to `release`.
 *
 * States: open, with at most one request under way (others wait for their turn); closed, by `release`. After an error
 * of the exchange the line decides: requests fail until it is made anew.
 *
 * Values are encoded Data; `remote` gives them types.
 */
export class Session implements AsyncDisposable {
  readonly negotiated: Negotiated;
  readonly #options: SessionOptions;
  readonly #protection: Protection;
  readonly #turn = new Turn();
  #invokeId = 0;
  #listsRefused = false;
  #closed = false;

  constructor(options: SessionOptions, protection: Protection, negotiated: Negotiated) {
    this.#options = options;
    this.#protection = protection;
    this.negotiated = negotiated;
  }

  /**
   * Reads an attribute: encoded Data. Some meters let octets follow that are none of it, so decode the first value only.
   *
   * @throws SessionError `data-access-refused` with the server's reason, and others
   */
  get(address: AttributeAddress, selection?: SelectiveAccessDescriptor): Promise<Uint8Array> {
    return this.#turn.run(() => getOne(this.#context("get"), targetOf(address, selection)));
  }

  /**
   * Reads an attribute piece by piece as the blocks come, so that memory stays flat however long it is. Other
   * requests wait until the stream is read to its end or given up: await none of them in between.
   */
  async *getStream(address: AttributeAddress, selection?: SelectiveAccessDescriptor): AsyncGenerator<Uint8Array> {
    const pass = await this.#turn.take();
    try {
      yield* getParts(this.#context("get"), targetOf(address, selection));
    } finally {
      pass();
    }
  }

  /**
   * Reads several attributes; what could not be read says so in its item.
   *
   * With one request as far as it fits, where the server takes lists; else with a request each, sealed and opened
   * together. A server that agrees on lists and then refuses one is not asked for lists again.
   */
  getList(items: readonly GetItem[]): Promise<readonly ListItem[]> {
    return this.#turn.run(async () => {
      const targets = items.map((item) => targetOf(item, item.selection));
      if (this.#listsRefused || items.length < 2 || !this.#agreed("multiple-references")) return this.#getEach(targets);
      const results: ListItem[] = [];
      let rest = targets;
      while (rest.length > 0) {
        const context = this.#context("get");
        const chunk = rest.slice(0, listLength(context, rest));
        try {
          results.push(...(await getList(context, chunk)));
        } catch (error) {
          if (!isRefusal(error)) throw error;
          this.#listsRefused = true;
          return [...results, ...(await this.#getEach(rest))];
        }
        rest = rest.slice(chunk.length);
      }
      return results;
    });
  }

  /** Writes an attribute from encoded Data. @throws SessionError `data-access-refused` */
  set(address: AttributeAddress, value: Uint8Array): Promise<void> {
    return this.#turn.run(() => {
      const blocks = this.#agreed("block-transfer-with-set-or-write");
      return setOne(this.#context("set"), attributeDescriptorOf(address), value, blocks);
    });
  }

  /** Writes several attributes with one request; the results are in their order. */
  setList(items: readonly (AttributeAddress & { readonly value: Uint8Array })[]): Promise<readonly DataAccessResult[]> {
    return this.#turn.run(() => {
      this.#require("multiple-references");
      const blocks = this.#agreed("block-transfer-with-set-or-write");
      const values = items.map(({ value }) => value);
      return setList(this.#context("set"), items.map(attributeDescriptorOf), values, blocks);
    });
  }

  /** Calls a method; parameter and result are encoded Data. @throws SessionError `action-refused` */
  call(address: MethodAddress, parameter?: Uint8Array): Promise<Uint8Array | undefined> {
    return this.#turn.run(() => {
      const blocks = this.#agreed("block-transfer-with-action");
      return callOne(this.#context("action"), methodDescriptorOf(address), parameter, blocks);
    });
  }

  /** Calls several methods with one request. */
  callList(items: readonly (MethodAddress & { readonly parameter: Uint8Array })[]): Promise<readonly ActionItem[]> {
    return this.#turn.run(() => {
      this.#require("multiple-references");
      const parameters = items.map(({ parameter }) => parameter);
      return callList(this.#context("action"), items.map(methodDescriptorOf), parameters);
    });
  }

  /**
   * Releases the association. The session is closed whatever comes back.
   *
   * @throws SessionError when the server refuses: after a key change some do.
   */
  release(): Promise<void> {
    return this.#turn.run(async () => {
      if (this.#closed) return;
      this.#closed = true;
      const { associator } = this.#options;
      const request = await associator.release();
      const response = await this.#carry("release", request, request);
      this.#options.onExchange?.({ direction: "received", step: "release", plain: response, wire: response });
      await associator.released(response);
    });
  }

  /** Releases, and takes it as released whatever the server or the line says. */
  async [Symbol.asyncDispose](): Promise<void> {
    try {
      await this.release();
    } catch {
      // The association ends with its line; there is nobody left to tell.
    }
  }

  /** Sends one plain APDU, protected, and gives the plain answer. For services that have no method here. */
  request(plain: Uint8Array, step: string): Promise<Uint8Array> {
    return this.#turn.run(() => this.#ask(plain, step));
  }

  async #getEach(targets: readonly GetTarget[]): Promise<readonly ListItem[]> {
    return getEach(targets, {
      context: () => this.#context("get"),
      askAll: (plains, steps) => this.#askAll(plains, steps),
    });
  }

  #context(service: ConformanceBit): RequestScope {
    this.#require(service);
    return {
      ask: (plain, step) => this.#ask(plain, step),
      id: this.#nextId(),
      maxRequestBytes: (this.negotiated.maxReceivePduSize ?? NO_LIMIT_BYTES) - PROTECTION_BYTES,
      maxResponseBytes: this.#options.maxResponseBytes ?? DEFAULT_MAX_RESPONSE_BYTES,
    };
  }

  #nextId(): InvokeIdAndPriority {
    const { invokeIds } = this.#options;
    if (invokeIds !== undefined) return invokeIds();
    this.#invokeId = (this.#invokeId % HIGHEST_INVOKE_ID) + 1;
    return { invokeId: this.#invokeId, confirmed: true, highPriority: true };
  }

  #agreed(service: ConformanceBit): boolean {
    return this.negotiated.conformance.includes(service);
  }

  #require(service: ConformanceBit): void {
    if (this.#closed) throw new SessionError("not-associated", "the session was released");
    if (!this.#agreed(service))
      throw new SessionError("service-not-negotiated", `the association did not agree on "${service}"`);
  }

  async #ask(plain: Uint8Array, step: string): Promise<Uint8Array> {
    const [sealed] = await this.#protection.seal([plain]);
    if (sealed === undefined) throw new SessionError("not-associated", `${step}: nothing was sealed`);
    const wire = await this.#carry(step, plain, sealed);
    const [opened] = await this.#open([wire], [step]);
    const refusal = opened === undefined ? undefined : refusalOf(opened);
    if (refusal !== undefined) throw refusal;
    return opened as Uint8Array;
  }

  /** Seals all, sends one after the other, opens all. Refusals of whole requests stay in the answers. */
  async #askAll(plains: readonly Uint8Array[], steps: readonly string[]): Promise<readonly Uint8Array[]> {
    const sealed = await this.#protection.seal(plains);
    const wires: Uint8Array[] = [];
    for (const [at, octets] of sealed.entries())
      wires.push(await this.#carry(steps[at] as string, plains[at] as Uint8Array, octets));
    return this.#open(wires, steps);
  }

  async #carry(step: string, plain: Uint8Array, wire: Uint8Array): Promise<Uint8Array> {
    const { exchange, onExchange, signal = NEVER } = this.#options;
    onExchange?.({ direction: "sent", step, plain, wire });
    return exchange(wire, signal);
  }

  async #open(wires: readonly Uint8Array[], steps: readonly string[]): Promise<readonly Uint8Array[]> {
    const { onExchange } = this.#options;
    let plains: readonly Uint8Array[] = [];
    try {
      plains = await this.#protection.open(wires);
      return plains;
    } finally {
      for (const [at, wire] of wires.entries())
        onExchange?.({ direction: "received", step: steps[at] as string, plain: plains[at], wire });
    }
  }
}

/** As many of the targets as one request holds, at least one. */
function listLength({ id, maxRequestBytes }: RequestScope, targets: readonly GetTarget[]): number {
  let count = Math.min(targets.length, MOST_OF_A_LIST);
  while (count > 1 && getListRequest(id, targets.slice(0, count)).length > maxRequestBytes)
    count = Math.ceil(count / 2);
  return count;
}

/** Beyond this many items servers tend to run out of memory rather than to say so. */
const MOST_OF_A_LIST = 64;

/** Whether the server understood and will not: worth another form of request. */
function isRefusal(error: unknown): boolean {
  if (!(error instanceof DlmsError)) return false;
  return error.code === "exception-response" || error.code === "service-error" || error.code === "data-access-refused";
}

function targetOf(address: AttributeAddress, selection: SelectiveAccessDescriptor | undefined): GetTarget {
  return { attribute: attributeDescriptorOf(address), access: selection };
}

const NEVER: Cancellation = { aborted: false, addEventListener: () => {}, removeEventListener: () => {} };
