import { decode, encode } from "../codec/codec.ts";
import { AssociationSn, type ShortNameListElement } from "../cosem/classes/association-sn.ts";
import { type LogicalName, logicalNameOctets, logicalNameText } from "../cosem/logical-name.ts";
import type { SelectiveAccessDescriptor } from "../cosem/selective-access.ts";
import { d } from "../data/d.ts";
import type { DataNotification } from "../xdlms/notification.ts";
import type { VariableAccess } from "../xdlms/read.ts";
import { ASSOCIATION_BASE_NAME, attributeShortName, methodShortName } from "../xdlms/referencing.ts";
import type { DataAccessResult } from "../xdlms/results.ts";
import type { Unsolicited } from "../xdlms/unsolicited.ts";
import type { AttributeAddress, MethodAddress } from "./ask.ts";
import { type Conversation, converse, type SessionOptions } from "./conversation.ts";
import { dataAccessRefused, type ListItem } from "./get-transfer.ts";
import type { Negotiated } from "./ports.ts";
import { readParts, readVariables, type ShortNameScope, writeRequest, writeVariables } from "./read-transfer.ts";
import type { GetItem } from "./session.ts";
import { SessionError } from "./session-error.ts";

/** The selector of a method call, which has no other use for it. */
const CALL_SELECTOR = 1;
const { index: OBJECT_LIST, codec: objectListCodec } = AssociationSn.attributes.objectList;

/** Options of a session under short names. */
export interface ShortNameSessionOptions extends SessionOptions {
  /** The meter's object list, where it is known; read from the meter when it is first needed unless given. */
  readonly objects?: readonly ShortNameListElement[];
}

/**
 * Associates under short names (the associator's configuration says `referencing: "short-name"`).
 *
 * @throws SessionError when the server refuses or does not prove itself; what the exchange throws.
 */
export async function openShortNameSession(options: ShortNameSessionOptions): Promise<ShortNameSession> {
  return new ShortNameSession(await converse(options), options.objects);
}

/**
 * An association with a server that names its objects by numbers, from `openShortNameSession` to `release`.
 *
 * `read` and `write` take short names as they are; `get`, `set` and `call` take logical names and look them up in the
 * association's object list, so that `remote` works as under logical names.
 */
export class ShortNameSession implements AsyncDisposable {
  readonly negotiated: Negotiated;
  readonly #conversation: Conversation;
  #baseNames: ReadonlyMap<string, number> | undefined;

  constructor(conversation: Conversation, objects?: readonly ShortNameListElement[]) {
    this.#conversation = conversation;
    this.negotiated = conversation.negotiated;
    if (objects !== undefined) this.#baseNames = baseNamesOf(objects);
  }

  /** Reads variables with one request; what cannot be read says so in its item. */
  read(variables: readonly VariableAccess[]): Promise<readonly ListItem[]> {
    return this.#conversation.run(() => this.#read(variables, `read ${variables.map(textOf).join(", ")}`));
  }

  /** Writes variables with one request; the results are in their order. */
  write(
    items: readonly { readonly variable: VariableAccess; readonly value: Uint8Array }[],
  ): Promise<readonly DataAccessResult[]> {
    const step = `write ${items.map(({ variable }) => textOf(variable)).join(", ")}`;
    return this.#conversation.run(() => writeVariables(this.#scope("write", items.length), step, items));
  }

  /** Writes variables without asking how it went. @throws SessionError `line-missing` */
  writeUnconfirmed(items: readonly { readonly variable: VariableAccess; readonly value: Uint8Array }[]): Promise<void> {
    return this.#conversation.run(async () => {
      this.#conversation.require("unconfirmed-write");
      await this.#conversation.tell(writeRequest(items, "unconfirmed"), `write ${items.length} variables`);
    });
  }

  /** The objects of the association, by which logical names are looked up. */
  async objects(): Promise<readonly ShortNameListElement[]> {
    const baseName = this.negotiated.associationBaseName ?? ASSOCIATION_BASE_NAME;
    const name = attributeShortName(baseName, OBJECT_LIST);
    return decode(objectListCodec, await this.#readOne({ kind: "variable-name", value: name }), { trailing: "ignore" });
  }

  /** Reads an attribute: encoded Data. @throws SessionError `data-access-refused`, `object-unknown` */
  async get(address: AttributeAddress, selection?: SelectiveAccessDescriptor): Promise<Uint8Array> {
    return this.#readOne(await this.#variableOf(address, selection));
  }

  /** Reads an attribute piece by piece as the blocks come; see `Session.getStream`. */
  async *getStream(address: AttributeAddress, selection?: SelectiveAccessDescriptor): AsyncGenerator<Uint8Array> {
    const variable = await this.#variableOf(address, selection);
    const pass = await this.#conversation.takeTurn();
    try {
      yield* readParts(this.#scope("read", 1), `read ${textOf(variable)}`, variable);
    } finally {
      pass();
    }
  }

  /** Reads several attributes: with one request where the server takes lists, else with a request each. */
  async getList(items: readonly GetItem[]): Promise<readonly ListItem[]> {
    const variables: VariableAccess[] = [];
    for (const item of items) variables.push(await this.#variableOf(item, item.selection));
    if (this.#conversation.agreed("multiple-references")) return this.read(variables);
    const results: ListItem[] = [];
    for (const variable of variables) results.push(...(await this.read([variable])));
    return results;
  }

  /** Writes an attribute, or a part of it, from encoded Data. @throws SessionError `data-access-refused`, `object-unknown` */
  async set(address: AttributeAddress, value: Uint8Array, selection?: SelectiveAccessDescriptor): Promise<void> {
    const [result] = await this.write([{ variable: await this.#variableOf(address, selection), value }]);
    if (result !== "success") throw dataAccessRefused(`write ${nameOf(address)}`, result ?? "other-reason");
  }

  /**
   * Calls a method: read with its parameter as parameterized access, since that is the way on which something comes
   * back; written where the association did not agree on it.
   *
   * @throws SessionError `action-refused`, `object-unknown`
   */
  async call(address: MethodAddress, parameter: Uint8Array = NO_PARAMETER): Promise<Uint8Array | undefined> {
    const { methodOffset, methodId } = address;
    if (methodOffset === undefined)
      throw new SessionError("object-unknown", `call ${nameOf(address)}: where the class has its methods is not known`);
    const value = methodShortName(await this.#baseName(address), methodOffset, methodId);
    if (this.#conversation.agreed("parameterized-access")) {
      const access = { variableName: value, selector: CALL_SELECTOR, parameter };
      const [item] = await this.read([{ kind: "parameterized-access", value: access }]);
      if (item?.kind === "data") return item.value;
      throw actionRefused(address, item?.reason ?? "other-reason");
    }
    const [result] = await this.write([{ variable: { kind: "variable-name", value }, value: parameter }]);
    if (result !== "success") throw actionRefused(address, result ?? "other-reason");
    return undefined;
  }

  /** Opens what the server said unasked in this association (`onUnsolicited` of a connection). @throws as for responses */
  openUnsolicited(octets: Uint8Array): Promise<Unsolicited> {
    return this.#conversation.run(() => this.#conversation.openUnsolicited(octets));
  }

  /** Confirms a data-notification that wants to be. @throws SessionError `line-missing` */
  confirm(notification: DataNotification): Promise<void> {
    return this.#conversation.run(() => this.#conversation.confirm(notification));
  }

  /** Releases the association. The session is closed whatever comes back. @throws SessionError when the server refuses */
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

  async #readOne(variable: VariableAccess): Promise<Uint8Array> {
    const [item] = await this.read([variable]);
    if (item?.kind === "data") return item.value;
    throw dataAccessRefused(`read ${textOf(variable)}`, item?.reason ?? "other-reason");
  }

  #read(variables: readonly VariableAccess[], step: string): Promise<readonly ListItem[]> {
    if (variables.some(({ kind }) => kind === "parameterized-access"))
      this.#conversation.require("parameterized-access");
    return readVariables(this.#scope("read", variables.length), step, variables);
  }

  #scope(service: "read" | "write", variables: number): ShortNameScope {
    const conversation = this.#conversation;
    conversation.require(service);
    if (variables > 1) conversation.require("multiple-references");
    const blocks = service === "read" ? "block-transfer-with-get-or-read" : "block-transfer-with-set-or-write";
    return {
      ask: (plain, step) => conversation.ask(plain, step),
      maxRequestBytes: conversation.maxRequestBytes(blocks),
      maxResponseBytes: conversation.maxResponseBytes,
      requestBlocks: conversation.agreed(blocks),
    };
  }

  async #variableOf(
    address: AttributeAddress,
    selection: SelectiveAccessDescriptor | undefined,
  ): Promise<VariableAccess> {
    const value = attributeShortName(await this.#baseName(address), address.attributeId);
    if (selection === undefined) return { kind: "variable-name", value };
    const { selector, parameters } = selection;
    return { kind: "parameterized-access", value: { variableName: value, selector, parameter: parameters } };
  }

  async #baseName({ classId, logicalName }: Pick<AttributeAddress, "classId" | "logicalName">): Promise<number> {
    this.#baseNames ??= baseNamesOf(await this.objects());
    const found = this.#baseNames.get(keyOf(classId, canonical(logicalName)));
    if (found === undefined)
      throw new SessionError("object-unknown", `the meter's list has no ${logicalName} of class ${classId}`);
    return found;
  }
}

const NO_PARAMETER = encode(d.integer, 0);

function baseNamesOf(objects: readonly ShortNameListElement[]): ReadonlyMap<string, number> {
  return new Map(objects.map(({ classId, logicalName, baseName }) => [keyOf(classId, logicalName), baseName]));
}

function keyOf(classId: number, logicalName: string): string {
  return `${classId} ${logicalName}`;
}

function canonical(logicalName: string): LogicalName {
  return logicalNameText(logicalNameOctets(logicalName));
}

function textOf(variable: VariableAccess): string {
  const name = variable.kind === "variable-name" ? variable.value : undefined;
  const parameterized = variable.kind === "parameterized-access" ? variable.value.variableName : undefined;
  const number = name ?? parameterized;
  return number === undefined ? variable.kind : `0x${number.toString(16).padStart(4, "0")}`;
}

function nameOf(address: AttributeAddress | MethodAddress): string {
  return "methodId" in address
    ? `${address.logicalName}/${address.methodId}()`
    : `${address.logicalName}/${address.attributeId}`;
}

function actionRefused(address: MethodAddress, reason: DataAccessResult): SessionError {
  return new SessionError("action-refused", `call ${nameOf(address)}: ${reason}`, { reason: String(reason) });
}
