import type { OperationView } from "@meterkeep/api";
import { type Operation as CommandDocument, Wrong } from "@meterkeep/guard";
import { HeadEndError } from "../errors.ts";
import type { Operation } from "../operation/operation.ts";
import { meterOperations, type OperationWorld, parametersOf } from "../operation/operations.ts";
import { findMeterProfile, METER_PROFILES } from "../profile/meter-profile.ts";
import { canonicalText } from "./canonical-text.ts";
import { SUPPLY_OPERATIONS } from "./supply.ts";

/** Operations by name. */
export type CommandOperations = ReadonlyMap<string, Operation>;

/** All that a campaign can run: operations on meters, and what switches a supply. */
export function commandOperations(world: OperationWorld): CommandOperations {
  return new Map([
    ...meterOperations(world),
    ...SUPPLY_OPERATIONS.map((each): [string, Operation] => [each.name, each as Operation]),
  ]);
}

/** An operation with its parameters, read. */
export interface Commanded {
  readonly operation: Operation;
  readonly parameters: unknown;
}

/** Finds an operation by name and reads its parameters. @throws HeadEndError `operation-invalid` */
export function commanded(operations: CommandOperations, name: string, parameters: unknown): Commanded {
  const operation = operations.get(name);
  if (operation === undefined)
    throw new HeadEndError(
      "operation-invalid",
      `there is no operation "${name}": ${[...operations.keys()].join(", ")}`,
    );
  return { operation, parameters: parametersOf(operation, parameters) };
}

/** All that can be asked for, as people see it: not what nobody can ask for here, as where no push destination is ours. */
export function operationViews(operations: CommandOperations): readonly OperationView[] {
  return [...operations.values()].flatMap((operation) => {
    const { name, example } = operation;
    const parameters = operation.parameters(example);
    if (parameters instanceof Wrong) return [];
    const commands = Object.keys(METER_PROFILES).map(
      (profile) => [profile, commandFor({ operation, parameters }, profile)] as const,
    );
    const able = commands.filter(([, command]) => command !== "unknown");
    return {
      name,
      words: operation.words(parameters),
      changes: able.some(([, command]) => command !== "reads"),
      profiles: able.map(([profile]) => profile),
      example: { ...example },
      // Whatever it reads is an object of fields, each of which says what it wants.
      shape: operation.parameters.shape ?? { kind: "object", fields: [] },
    };
  });
}

/** What meters of a profile must be allowed; `unknown` where they have nothing for it. */
export function commandFor(
  { operation, parameters }: Commanded,
  profile: string,
): CommandDocument | "reads" | "unknown" {
  const known = findMeterProfile(profile);
  if (known === undefined) return "unknown";
  try {
    return operation.command(parameters, known) ?? "reads";
  } catch (error) {
    if (error instanceof HeadEndError && error.code === "operation-not-offered") return "unknown";
    throw error;
  }
}

/** Whether two commands are the same octets in a manifest. */
export function isSameCommand(one: CommandDocument, other: CommandDocument): boolean {
  return canonicalText(one) === canonicalText(other);
}
