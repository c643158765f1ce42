import type { Infer } from "../codec/codec.ts";
import { encode } from "../codec/codec.ts";
import { ScriptTable } from "../cosem/classes/script-table.ts";
import { refuse } from "../cosem/refusal.ts";
import type { ServeContext, ServedClass } from "../cosem/served.ts";
import type { ScriptReference } from "../cosem/structures.ts";
import { data } from "../data/data.ts";
import type { ObjectTree } from "./object-tree.ts";

/** Scripts as attribute 2 has them (Blue Book 4.5.2). */
export type Scripts = Infer<typeof ScriptTable.attributes.scripts.codec>;

/** Scripts that run each other end here. */
const MOST_NESTED = 8;

/**
 * Runs the scripts of a meter's tables (class 9): each writes attributes and calls methods, in order. A script that calls
 * another one through its table runs it, up to eight deep, so that a loop of scripts ends.
 */
export class ScriptRunner<State> {
  readonly #tables: (logicalName: string) => Scripts | undefined;
  readonly #tree: () => ObjectTree<State>;
  #depth = 0;

  constructor(tables: (logicalName: string) => Scripts | undefined, tree: () => ObjectTree<State>) {
    this.#tables = tables;
    this.#tree = tree;
  }

  /** Runs a script; false where there is none of this number, or one of its actions failed. All its actions are tried. */
  run({ scriptLogicalName, scriptSelector }: ScriptReference): boolean {
    // Number 0 and the empty name stand for "nothing".
    if (scriptSelector === 0 || scriptLogicalName === "0.0.0.0.0.0") return true;
    const script = this.#tables(scriptLogicalName)?.find(({ scriptIdentifier }) => scriptIdentifier === scriptSelector);
    if (script === undefined || this.#depth >= MOST_NESTED) return false;
    this.#depth += 1;
    try {
      return script.actions.map((action) => this.#act(action)).every((done) => done);
    } finally {
      this.#depth -= 1;
    }
  }

  #act({ serviceId, classId, logicalName, index, parameter }: Scripts[number]["actions"][number]): boolean {
    const octets = encode(data, parameter);
    const result =
      serviceId === "write"
        ? this.#tree().write({ classId, logicalName, attributeIndex: index }, octets)
        : this.#tree().call(classId, logicalName, index, octets);
    return result === "success";
  }
}

/** Serves class 9 from tables that the meter keeps; without `setScripts` they cannot be changed. */
export function serveScriptTable<State>(ports: {
  readonly scripts: (state: State, context: ServeContext) => Scripts;
  readonly setScripts?: (scripts: Scripts, state: State, context: ServeContext) => void;
  readonly run: (script: ScriptReference, state: State) => boolean;
}): ServedClass<State> {
  const { setScripts } = ports;
  return ScriptTable.serve<State>({
    get: { scripts: ports.scripts },
    ...(setScripts === undefined ? {} : { set: { scripts: setScripts } }),
    call: {
      execute: (scriptSelector, state, context) =>
        ports.run({ scriptLogicalName: context.logicalName, scriptSelector }, state)
          ? undefined
          : refuse("other-reason"),
    },
  });
}
