import type { SelectiveAccessDescriptor } from "../cosem/selective-access.ts";
import { DlmsError } from "../errors.ts";
import type { ConformanceBit } from "../xdlms/conformance.ts";
import type { AttributeWithSelection } from "../xdlms/descriptors.ts";
import type { InvokeIdAndPriority } from "../xdlms/invoke-id.ts";
import type { DataNotification } from "../xdlms/notification.ts";
import type { DataAccessResult } from "../xdlms/results.ts";
import type { Unsolicited } from "../xdlms/unsolicited.ts";
import { type AccessItem, type AccessOptions, type AccessResult, askAccess } from "./access-transfer.ts";
import { type ActionItem, callList, callOne, callOneRequest } from "./action-transfer.ts";
import {
  type AttributeAddress,
  attributeDescriptorOf,
  attributeText,
  type MethodAddress,
  methodDescriptorOf,
  methodText,
  type RequestScope,
  withSelection,
} from "./ask.ts";
import { type Conversation, converse, type SessionOptions } from "./conversation.ts";
import { getEach } from "./get-each.ts";
import { type GetTarget, getList, getListRequest, getOne, getParts, type ListItem } from "./get-transfer.ts";
import type { Negotiated } from "./ports.ts";
import { requireSettable, setList, setOne, setOneRequest } from "./set-transfer.ts";

/** One attribute to read or write, with the part of it that is meant. */
export interface GetItem extends AttributeAddress {
  readonly selection?: SelectiveAccessDescriptor | undefined;
}

/**
 * Associates, and gives the session to read and write with.
 *
 * @throws SessionError when the server refuses or does not prove itself; what the exchange throws.
 */
export async function openSession(options: SessionOptions): Promise<Session> {
  return new Session(await converse(options));
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
  readonly #conversation: Conversation;
  #listsRefused = false;

  constructor(conversation: Conversation) {
    this.#conversation = conversation;
    this.negotiated = conversation.negotiated;
  }

  /**
   * Reads an attribute: encoded Data. Some meters let octets follow that are none of it, so decode the first value only.
   *
   * @throws SessionError `data-access-refused` with the server's reason, and others
   */
  get(address: AttributeAddress, selection?: SelectiveAccessDescriptor): Promise<Uint8Array> {
    return this.#conversation.run(() => getOne(this.#context("get"), targetOf(address, selection)));
  }

  /**
   * Reads an attribute piece by piece as the blocks come, so that memory stays flat however long it is. Other
   * requests wait until the stream is read to its end or given up: await none of them in between.
   */
  async *getStream(address: AttributeAddress, selection?: SelectiveAccessDescriptor): AsyncGenerator<Uint8Array> {
    const pass = await this.#conversation.takeTurn();
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
    return this.#conversation.run(async () => {
      const targets = items.map((item) => targetOf(item, item.selection));
      if (this.#listsRefused || items.length < 2 || !this.#conversation.agreed("multiple-references"))
        return this.#getEach(targets);
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

  /** Writes an attribute, or the part of it that `selection` names, from encoded Data. @throws SessionError `data-access-refused` */
  set(address: AttributeAddress, value: Uint8Array, selection?: SelectiveAccessDescriptor): Promise<void> {
    return this.#conversation.run(() => {
      const blocks = this.#conversation.divides("block-transfer-with-set-or-write");
      return setOne(this.#context("set"), writeTarget({ ...address, selection }), value, blocks);
    });
  }

  /** Asks whether this session can write so long a value, of the server nothing. @throws SessionError `request-too-long` as `set` */
  requireSettable(address: AttributeAddress, value: Uint8Array): void {
    const blocks = this.#conversation.divides("block-transfer-with-set-or-write");
    requireSettable(this.#context("set"), writeTarget(address), value, blocks);
  }

  /** Writes several attributes with one request; the results are in their order. */
  setList(items: readonly (GetItem & { readonly value: Uint8Array })[]): Promise<readonly DataAccessResult[]> {
    return this.#conversation.run(() => {
      this.#conversation.require("multiple-references");
      const blocks = this.#conversation.divides("block-transfer-with-set-or-write");
      const values = items.map(({ value }) => value);
      return setList(this.#context("set"), items.map(writeTarget), values, blocks);
    });
  }

  /** Calls a method; parameter and result are encoded Data. @throws SessionError `action-refused` */
  call(address: MethodAddress, parameter?: Uint8Array): Promise<Uint8Array | undefined> {
    return this.#conversation.run(() => {
      const blocks = this.#conversation.divides("block-transfer-with-action");
      return callOne(this.#context("action"), methodDescriptorOf(address), parameter, blocks);
    });
  }

  /** Calls several methods with one request. */
  callList(items: readonly (MethodAddress & { readonly parameter: Uint8Array })[]): Promise<readonly ActionItem[]> {
    return this.#conversation.run(() => {
      this.#conversation.require("multiple-references");
      const blocks = this.#conversation.divides("block-transfer-with-action");
      const parameters = items.map(({ parameter }) => parameter);
      return callList(this.#context("action"), items.map(methodDescriptorOf), parameters, blocks);
    });
  }

  /** As `set`, without asking how it went. @throws SessionError `line-missing`, `request-too-long` */
  setUnconfirmed(address: AttributeAddress, value: Uint8Array, selection?: SelectiveAccessDescriptor): Promise<void> {
    return this.#conversation.run(() => {
      const { id } = this.#context("set");
      const request = setOneRequest(unconfirmed(id), writeTarget({ ...address, selection }), value);
      return this.#conversation.tell(request, `set ${textOf(address)}`);
    });
  }

  /** Calls a method without asking how it went. @throws SessionError `line-missing`, `request-too-long` */
  callUnconfirmed(address: MethodAddress, parameter?: Uint8Array): Promise<void> {
    return this.#conversation.run(() => {
      const { id } = this.#context("action");
      const request = callOneRequest(unconfirmed(id), methodDescriptorOf(address), parameter);
      return this.#conversation.tell(request, `call ${textOf(address)}`);
    });
  }

  /**
   * Does several things with one ACCESS request: what fails says so in its result, the others are done all the same,
   * unless `breakOnError` is set.
   */
  access(items: readonly AccessItem[], options: AccessOptions = {}): Promise<readonly AccessResult[]> {
    return this.#conversation.run(() => askAccess(this.#context("access"), items, options));
  }

  /**
   * Releases the association. The session is closed whatever comes back.
   *
   * @throws SessionError when the server refuses: after a key change some do.
   */
  release(): Promise<void> {
    return this.#conversation.release();
  }

  /** Releases, and takes it as released whatever the server or the line says. */
  async [Symbol.asyncDispose](): Promise<void> {
    try {
      await this.release();
    } catch {
      // The association ends with its line; there is nobody left to tell.
    }
  }

  /** Opens what the server said unasked in this association (`onUnsolicited` of a connection). @throws as for responses */
  openUnsolicited(octets: Uint8Array): Promise<Unsolicited> {
    return this.#conversation.run(() => this.#conversation.openUnsolicited(octets));
  }

  /** Confirms a data-notification that wants to be. @throws SessionError `line-missing` */
  confirm(notification: DataNotification): Promise<void> {
    return this.#conversation.run(() => this.#conversation.confirm(notification));
  }

  /** Sends one plain APDU, protected, and gives the plain answer. For services that have no method here. */
  request(plain: Uint8Array, step: string): Promise<Uint8Array> {
    return this.#conversation.run(() => this.#conversation.ask(plain, step));
  }

  async #getEach(targets: readonly GetTarget[]): Promise<readonly ListItem[]> {
    return getEach(targets, {
      context: () => this.#context("get"),
      askAll: (plains, steps) => this.#conversation.askAll(plains, steps),
    });
  }

  #context(service: ConformanceBit): RequestScope {
    const conversation = this.#conversation;
    conversation.require(service);
    return {
      ask: (plain, step) => conversation.ask(plain, step),
      id: conversation.nextId(),
      maxRequestBytes: conversation.maxRequestBytes(REQUEST_BLOCKS[service]),
      maxResponseBytes: conversation.maxResponseBytes,
      requestBlocks: conversation.requestBlocks,
    };
  }
}

/** The blocks that long requests of a service may go in. */
const REQUEST_BLOCKS: { readonly [Service in ConformanceBit]?: ConformanceBit } = {
  set: "block-transfer-with-set-or-write",
  action: "block-transfer-with-action",
};

function unconfirmed(id: InvokeIdAndPriority): InvokeIdAndPriority {
  return { ...id, confirmed: false };
}

function textOf(address: AttributeAddress | MethodAddress): string {
  return "methodId" in address
    ? methodText(methodDescriptorOf(address))
    : attributeText(attributeDescriptorOf(address));
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

function writeTarget(item: GetItem): AttributeWithSelection {
  return withSelection(attributeDescriptorOf(item), item.selection);
}

function targetOf(address: AttributeAddress, selection: SelectiveAccessDescriptor | undefined): GetTarget {
  return { attribute: attributeDescriptorOf(address), access: selection };
}
