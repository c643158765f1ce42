import { equalBytes } from "../bytes.ts";
import type { Infer } from "../codec/codec.ts";
import { RegisterActivation } from "../cosem/classes/register-activation.ts";
import { refuse } from "../cosem/refusal.ts";
import type { ServeContext, ServedClass } from "../cosem/served.ts";
import type { ObjectReference } from "../cosem/structures.ts";

/** A set of registers that count together, by their places in the assignment, from 1. */
export type RegisterMask = Infer<typeof RegisterActivation.attributes.maskList.codec>[number];

/** How the registers of a group of tariffs are set up. */
export interface RegisterAssignment {
  readonly registers: readonly ObjectReference[];
  readonly masks: readonly RegisterMask[];
  /** The name of the mask in force. */
  readonly activeMask: Uint8Array;
}

/**
 * A register activation (class 6): says which registers count while a tariff is in force.
 *
 * State: the registers it governs, its masks, and the name of the mask in force, which a script of the activity calendar
 * writes (Blue Book 4.3.5).
 */
export class TariffRegisters {
  #assignment: RegisterAssignment;

  constructor(assignment: RegisterAssignment) {
    this.#assignment = assignment;
  }

  get assignment(): RegisterAssignment {
    return this.#assignment;
  }

  /** Whether a register counts now: one that is not assigned here always does. */
  counts({ classId, logicalName }: ObjectReference): boolean {
    const { registers } = this.#assignment;
    const place = registers.findIndex((one) => one.classId === classId && one.logicalName === logicalName) + 1;
    return place === 0 || this.#maskOf(this.#assignment.activeMask)?.indexList.includes(place) === true;
  }

  /** add_register: behind those that are there, so that masks keep their meaning; one that is there stays where it is. */
  addRegister(register: ObjectReference): void {
    const { registers } = this.#assignment;
    if (registers.some((one) => one.classId === register.classId && one.logicalName === register.logicalName)) return;
    this.#assignment = { ...this.#assignment, registers: [...registers, register] };
  }

  /** add_mask: takes the place of the mask of that name. False where it names a register that is not assigned. */
  addMask(mask: RegisterMask): boolean {
    const { registers, masks } = this.#assignment;
    if (mask.indexList.some((place) => place < 1 || place > registers.length)) return false;
    const others = masks.filter(({ maskName }) => !equalBytes(maskName, mask.maskName));
    this.#assignment = { ...this.#assignment, masks: [...others, mask] };
    return true;
  }

  /** delete_mask: false for the mask in force, and for one that is not there. */
  deleteMask(name: Uint8Array): boolean {
    const { masks, activeMask } = this.#assignment;
    if (equalBytes(name, activeMask) || this.#maskOf(name) === undefined) return false;
    this.#assignment = { ...this.#assignment, masks: masks.filter(({ maskName }) => !equalBytes(maskName, name)) };
    return true;
  }

  /** Puts a mask in force; false where there is none of this name. */
  activate(name: Uint8Array): boolean {
    if (this.#maskOf(name) === undefined) return false;
    this.#assignment = { ...this.#assignment, activeMask: name };
    return true;
  }

  #maskOf(name: Uint8Array): RegisterMask | undefined {
    return this.#assignment.masks.find(({ maskName }) => equalBytes(maskName, name));
  }
}

/** Serves class 6 from the tariff registers of a meter. */
export function serveRegisterActivation<State>(
  registersOf: (state: State, context: ServeContext) => TariffRegisters,
): ServedClass<State> {
  const orRefuse = (done: boolean) => (done ? undefined : refuse("other-reason"));
  return RegisterActivation.serve<State>({
    get: {
      registerAssignment: (state, context) => registersOf(state, context).assignment.registers,
      maskList: (state, context) => registersOf(state, context).assignment.masks,
      activeMask: (state, context) => registersOf(state, context).assignment.activeMask,
    },
    set: { activeMask: (name, state, context) => orRefuse(registersOf(state, context).activate(name.slice())) },
    call: {
      addRegister: (register, state, context) => registersOf(state, context).addRegister(register),
      addMask: (mask, state, context) =>
        orRefuse(registersOf(state, context).addMask({ ...mask, maskName: mask.maskName.slice() })),
      deleteMask: (name, state, context) => orRefuse(registersOf(state, context).deleteMask(name)),
    },
  });
}
