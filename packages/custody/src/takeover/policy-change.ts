/** Where the raising of security_policy stands (class 64): what the meter says of it, under its keys, settles it. */
export interface PolicyChange {
  readonly state: "wanted" | "settled";
  /** How often it was asked for. */
  readonly asked: number;
  /** It refused the bits of version 1: its security setup may be of version 0. */
  readonly bitsRefused?: boolean | undefined;
  /** As it said last. */
  readonly value?: number | undefined;
  /** Why it is not as it should be, once nothing more is tried. */
  readonly unproven?: string | undefined;
}
