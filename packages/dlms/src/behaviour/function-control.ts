import { toHex } from "../bytes.ts";
import type { Infer } from "../codec/codec.ts";
import { FunctionControl } from "../cosem/classes/function-control.ts";
import { type AccessRefusal, refuse } from "../cosem/refusal.ts";
import type { ServeContext, ServedClass } from "../cosem/served.ts";

type FunctionDefinition = Infer<typeof FunctionControl.attributes.functionList.codec>[number];

/** A function of the meter and whether it is switched on. */
export interface MeterFunction extends FunctionDefinition {
  readonly active: boolean;
}

/**
 * Functions of a meter that can be switched on and off (class 122). The objects of a function that is off are as if they
 * did not exist, unless another function that is on has them too.
 */
export class FunctionSwitch {
  #functions: readonly MeterFunction[];

  constructor(functions: readonly MeterFunction[]) {
    this.#functions = functions;
  }

  get functions(): readonly MeterFunction[] {
    return this.#functions;
  }

  /** Whether an object belongs to functions that are all off. */
  isOff(classId: number, logicalName: string): boolean {
    const having = this.#functions.filter(({ functionSpecifications }) =>
      functionSpecifications.some((one) => one.classId === classId && one.logicalName === logicalName),
    );
    return having.length > 0 && having.every(({ active }) => !active);
  }

  /** set_function_status: all of them or, where one is not known, none. */
  setStatus(
    changes: readonly { readonly functionName: Uint8Array; readonly functionStatus: boolean }[],
  ): AccessRefusal | undefined {
    if (changes.some(({ functionName }) => this.#find(functionName) === undefined)) return refuse("other-reason");
    this.#functions = this.#functions.map((one) => {
      const change = changes.find(({ functionName }) => toHex(functionName) === toHex(one.functionName));
      return change === undefined ? one : { ...one, active: change.functionStatus };
    });
    return undefined;
  }

  /** add_function: one of this name is replaced and stays as it is switched. A new one is on. */
  add(definition: FunctionDefinition): void {
    const known = this.#find(definition.functionName);
    const added = { ...definition, functionName: definition.functionName.slice(), active: known?.active ?? true };
    this.#functions = [...this.#functions.filter((one) => one !== known), added];
  }

  remove(functionName: Uint8Array): AccessRefusal | undefined {
    const known = this.#find(functionName);
    if (known === undefined) return refuse("other-reason");
    this.#functions = this.#functions.filter((one) => one !== known);
    return undefined;
  }

  #find(name: Uint8Array): MeterFunction | undefined {
    return this.#functions.find(({ functionName }) => toHex(functionName) === toHex(name));
  }
}

/** Serves class 122 from the functions of a meter. */
export function serveFunctionControl<State>(
  switchOf: (state: State, context: ServeContext) => FunctionSwitch,
): ServedClass<State> {
  return FunctionControl.serve<State>({
    get: {
      activationStatus: (state, context) =>
        switchOf(state, context).functions.map(({ functionName, active }) => ({
          functionName,
          functionStatus: active,
        })),
      functionList: (state, context) => switchOf(state, context).functions,
    },
    call: {
      setFunctionStatus: (changes, state, context) => switchOf(state, context).setStatus(changes),
      addFunction: (definition, state, context) => switchOf(state, context).add(definition),
      removeFunction: (name, state, context) => switchOf(state, context).remove(name),
    },
  });
}
