import { FIRST_SETUP, type MeterFile, type RotationRecord } from "../store/records.ts";

/** The newest rotation of a security setup, where one was ever planned. */
export function rotationOf(
  { rotations }: Pick<MeterFile, "rotations">,
  setup = FIRST_SETUP,
): RotationRecord | undefined {
  return rotations.find((rotation) => rotation.setup === setup);
}

/** The rotation of a security setup that is planned or under way. */
export function openRotation(file: Pick<MeterFile, "rotations">, setup = FIRST_SETUP): RotationRecord | undefined {
  const rotation = rotationOf(file, setup);
  return rotation?.endedAt === undefined ? rotation : undefined;
}
