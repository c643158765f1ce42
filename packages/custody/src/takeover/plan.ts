import type { MeterFile, RotationRecord } from "../store/records.ts";

/** The newest rotation of a meter, where one was ever planned. */
export function rotationOf(file: MeterFile, setup = 0): RotationRecord | undefined {
  return file.rotations.find((rotation) => rotation.setup === setup);
}

/** The rotation that is planned or under way. */
export function openRotation(file: MeterFile): RotationRecord | undefined {
  const rotation = rotationOf(file);
  return rotation?.endedAt === undefined ? rotation : undefined;
}
