import { ACCESS_MODE } from "@meterkeep/dlms";
import type { ListedObject } from "../access/object-list.ts";

const ASSOCIATION_SN = 12;
const ASSOCIATION_LN = 15;
/** Since version 3 modes are bits; before, numbers: 1 read, 2 write, 3 both, 4 to 6 the same authenticated. */
const BITS_SINCE = 3;

/** The version of the association object, by which access modes are read; association SN is one behind: its 4 is the other's 3. */
export function versionIn(objects: readonly ListedObject[]): number {
  const found = objects.find(({ classId }) => classId === ASSOCIATION_LN || classId === ASSOCIATION_SN);
  return (found?.version ?? 0) - (found?.classId === ASSOCIATION_SN ? 1 : 0);
}

export function mayRead(version: number, mode: number): boolean {
  return version >= BITS_SINCE ? (mode & ACCESS_MODE.read) !== 0 : [1, 3, 4, 6].includes(mode);
}

export function mayWrite(version: number, mode: number): boolean {
  return version >= BITS_SINCE ? (mode & ACCESS_MODE.write) !== 0 : [2, 3, 5, 6].includes(mode);
}

export function mayCall(version: number, mode: number): boolean {
  return version >= BITS_SINCE ? (mode & ACCESS_MODE.call) !== 0 : mode > 0;
}
