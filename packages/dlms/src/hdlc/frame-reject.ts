import { hex } from "../link/fault.ts";
import type { NumberedFrames } from "./numbered-frames.ts";

/** Why a frame is impossible: the bits W, X, Y, Z of a frame reject (ISO/IEC 13239, 5.5.3.4). */
export const REJECTIONS = {
  "unknown-command": 0x01,
  "information-not-permitted": 0x02,
  "information-too-long": 0x04,
  "wrong-receive-number": 0x08,
} as const;
export type Rejection = keyof typeof REJECTIONS;

/** Writes the information field of an FRMR response: the control octet refused, the own numbers, the reason. */
export function frameRejectOctets(control: number, numbers: NumberedFrames | undefined, reason: Rejection): Uint8Array {
  const state = ((numbers?.receiveNumber ?? 0) << 5) | ((numbers?.sendNumber ?? 0) << 1);
  return Uint8Array.of(control, state, REJECTIONS[reason]);
}

/** Says in words what the information field of an FRMR holds. */
export function describeFrameReject(information: Uint8Array): string {
  const [control, , bits] = information;
  if (control === undefined || bits === undefined) return "without a reason";
  const reasons = Object.entries(REJECTIONS).flatMap(([name, bit]) => ((bits & bit) === 0 ? [] : [name]));
  return `of control ${hex(control)}: ${reasons.length === 0 ? "no reason given" : reasons.join(", ")}`;
}
