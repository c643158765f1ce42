import type { Reader } from "../codec/reader.ts";
import type { Writer } from "../codec/writer.ts";
import type { LogicalName } from "./logical-name.ts";
import type { RefusalReason } from "./refusal.ts";
import type { SelectiveAccessDescriptor } from "./selective-access.ts";

/** How a read, a write or a call went. */
export type ServedResult = "success" | RefusalReason;

/** Who asks, and for which object: given to every handler. */
export interface ServeContext {
  /** The object's logical name, for handlers that serve many objects. */
  readonly logicalName: LogicalName;
  /** The name of the association the request came through. */
  readonly association: string;
  /** The client's service access point: 16 is the public client, 1 the management client. */
  readonly clientSap: number;
}

/** An attribute on the server's side, as octets: the typed handlers of `InterfaceClass.serve` are folded into these. */
export interface ServedAttribute<State> {
  readonly index: number;
  readonly readable: boolean;
  readonly writable: boolean;
  /** The access selectors it knows. */
  readonly selectors: readonly number[];
  /** Writes the value as Data and returns `success`; after another result nothing that was written counts. */
  read(
    writer: Writer,
    state: State,
    context: ServeContext,
    selection: SelectiveAccessDescriptor | undefined,
  ): ServedResult;
  /** Takes one Data value from the reader. */
  write(reader: Reader, state: State, context: ServeContext): ServedResult;
  /** Takes the Data of the part that a selection names; absent where parts cannot be written. */
  writePart?(reader: Reader, state: State, context: ServeContext, selection: SelectiveAccessDescriptor): ServedResult;
}

/** A method on the server's side. */
export interface ServedMethod<State> {
  readonly index: number;
  readonly callable: boolean;
  /** Runs the method; return parameters, where there are any, are written as Data. */
  invoke(parameter: Reader | undefined, writer: Writer, state: State, context: ServeContext): ServedResult;
}

/** A class with its handlers, before it has a logical name. Shared by any number of objects and meters. */
export interface ServedClass<State> {
  readonly classId: number;
  readonly version: number;
  /** By index; holes where the class has no such attribute. */
  readonly attributes: readonly (ServedAttribute<State> | undefined)[];
  readonly methods: readonly (ServedMethod<State> | undefined)[];
  /** What is added to the base name for method 1 with short-name referencing; see `ClassDeclaration`. */
  readonly methodOffset?: number | undefined;
}
