import type { FieldSet, ObjectOf } from "../canonical/field.ts";
import type { AllowedAct } from "./allowed-act.ts";
import type { Direction } from "./direction.ts";

/** A kind of operation: its parameters, the acts that it allows, and what people read. */
export interface OperationKind<F extends FieldSet> {
  readonly fields: F;
  readonly acts: (parameters: ObjectOf<F>) => readonly AllowedAct[];
  readonly words: (parameters: ObjectOf<F>) => string;
  readonly direction: Direction;
  /** What is wrong with parameters that have the right form. */
  readonly problem?: (parameters: ObjectOf<F>) => string | undefined;
}

export function operationKind<const F extends FieldSet>(kind: OperationKind<F>): OperationKind<F> {
  return kind;
}
