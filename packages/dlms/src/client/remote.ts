import { decode, encode } from "../codec/codec.ts";
import type { AttributeSelection, AttributeValue, MethodParameter, MethodResult } from "../cosem/class-declaration.ts";
import type { InterfaceClass } from "../cosem/interface-class.ts";
import { type SelectiveAccessTable, selectionToDescriptor } from "../cosem/selective-access.ts";
import { d } from "../data/d.ts";
import type { AttributeAddress } from "./ask.ts";
import { dataAccessRefused } from "./get-transfer.ts";
import type { Session } from "./session.ts";

type Names<T> = keyof T & string;

/** An object of a meter, typed by its class. */
export interface Remote<C extends InterfaceClass> {
  /** Reads an attribute, or the part of it that `selection` names. */
  get<N extends Names<C["attributes"]>>(
    name: N,
    selection?: AttributeSelection<C["attributes"][N]>,
  ): Promise<AttributeValue<C["attributes"][N]>>;
  /** Reads several attributes, in one request where the meter takes lists. One that cannot be read fails them all. */
  getAll<const N extends readonly Names<C["attributes"]>[]>(
    ...names: N
  ): Promise<{ readonly [K in N[number]]: AttributeValue<C["attributes"][K]> }>;
  /** Writes an attribute, or the part of it that `selection` names. */
  set<N extends Names<C["attributes"]>>(
    name: N,
    value: AttributeValue<C["attributes"][N]>,
    selection?: AttributeSelection<C["attributes"][N]>,
  ): Promise<void>;
  call<N extends Names<C["methods"]>>(
    name: N,
    ...parameter: undefined extends MethodParameter<C["methods"][N]>
      ? []
      : [parameter: MethodParameter<C["methods"][N]>]
  ): Promise<MethodResult<C["methods"][N]>>;
}

/**
 * A typed client of one object.
 *
 * ```ts
 * const setup = remote(session, SecuritySetup, "0.0.43.0.0.255");
 * const suite = await setup.get("securitySuite"); // "suite0" | "suite1" | "suite2"
 * ```
 *
 * Works over logical and short names alike: a session of short names looks the object up in the meter's list.
 *
 * Values that do not fit the class throw a DecodeError; refusals throw a SessionError.
 */
export function remote<C extends InterfaceClass>(
  session: Pick<Session, "get" | "getList" | "set" | "call">,
  declared: C,
  logicalName: string,
): Remote<C> {
  const { id: classId, attributes, methods, methodOffset } = declared as InterfaceClass;
  const attributeOf = (name: string) => named(attributes, name, "attribute");
  const addressOf = (name: string): AttributeAddress => ({
    classId,
    logicalName,
    attributeId: attributeOf(name).index,
  });
  const untyped = {
    async get(name: string, selection?: Selection) {
      const { codec, selection: table } = attributeOf(name);
      const value = await session.get(addressOf(name), descriptorOf(table, selection));
      return decode(codec, value, { trailing: "ignore" });
    },
    async getAll(...names: readonly string[]) {
      const items = await session.getList(names.map(addressOf));
      const values = items.map((item, at) => {
        const name = names[at] as string;
        if (item.kind === "refused") throw dataAccessRefused(`get ${logicalName} ${name}`, item.reason);
        return [name, decode(attributeOf(name).codec, item.value, { trailing: "ignore" })] as const;
      });
      return Object.fromEntries(values);
    },
    async set(name: string, value: unknown, selection?: Selection) {
      const { codec, selection: table } = attributeOf(name);
      await session.set(addressOf(name), encode(codec, value), descriptorOf(table, selection));
    },
    async call(name: string, parameter?: unknown) {
      const { index, parameter: codec, result } = named(methods, name, "method");
      const returned = await session.call(
        { classId, logicalName, methodId: index, methodOffset },
        encode(codec, parameter),
      );
      if (result === undefined) return undefined;
      return decode(result, returned ?? encode(d.null, null), { trailing: "ignore" });
    },
  };
  // The names and types were tied together by the signature; inside they are plain look-ups.
  return untyped as unknown as Remote<C>;
}

interface Selection {
  readonly kind: PropertyKey;
  readonly value: unknown;
}

function descriptorOf(table: SelectiveAccessTable, selection: Selection | undefined) {
  return selection === undefined ? undefined : selectionToDescriptor(table, selection);
}

function named<T>(table: Readonly<Record<string, T>>, name: string, what: string): T {
  const found = table[name];
  if (found === undefined) throw new TypeError(`the class has no ${what} "${name}"`);
  return found;
}
