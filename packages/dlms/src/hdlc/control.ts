/** Control octets of unnumbered frames without their poll/final bit (IEC 62056-46, 6.4.3). */
const UNNUMBERED = { SNRM: 0x83, DISC: 0x43, UA: 0x63, DM: 0x0f, FRMR: 0x87, UI: 0x03 } as const;
/** Control octets of supervisory frames without poll/final bit and receive number. */
const SUPERVISORY = { RR: 0x01, RNR: 0x05, REJ: 0x09 } as const;

type UnnumberedKind = keyof typeof UNNUMBERED;
type SupervisoryKind = keyof typeof SUPERVISORY;

const POLL_FINAL = 0x10;
const UNNUMBERED_BY_OCTET: ReadonlyMap<number, UnnumberedKind> = byOctet(UNNUMBERED);
const SUPERVISORY_BY_OCTET: ReadonlyMap<number, SupervisoryKind> = byOctet(SUPERVISORY);

/**
 * The control field (IEC 62056-46, 6.4.3). `pollFinal` asks for an answer in a command, and in a response says that the
 * answer ends with this frame.
 */
export type HdlcControl = NumberedControl | Unnumbered[UnnumberedKind];

/** The control field of a frame with a receive number. */
export type NumberedControl =
  | { readonly kind: "I"; readonly sendNumber: number; readonly receiveNumber: number; readonly pollFinal: boolean }
  | Supervisory[SupervisoryKind];

type Supervisory = {
  [K in SupervisoryKind]: { readonly kind: K; readonly receiveNumber: number; readonly pollFinal: boolean };
};
type Unnumbered = { [K in UnnumberedKind]: { readonly kind: K; readonly pollFinal: boolean } };

/** Reads a control octet; undefined for commands and responses that DLMS does not use. */
export function readControl(octet: number): HdlcControl | undefined {
  const pollFinal = (octet & POLL_FINAL) !== 0;
  const receiveNumber = octet >> 5;
  if ((octet & 1) === 0) return { kind: "I", sendNumber: (octet >> 1) & 7, receiveNumber, pollFinal };
  const supervisory = SUPERVISORY_BY_OCTET.get(octet & 0x0f);
  if (supervisory !== undefined) return { kind: supervisory, receiveNumber, pollFinal };
  const unnumbered = UNNUMBERED_BY_OCTET.get(octet & ~POLL_FINAL);
  return unnumbered === undefined ? undefined : { kind: unnumbered, pollFinal };
}

/** Writes a control octet. */
export function controlOctet(control: HdlcControl): number {
  const bit = control.pollFinal ? POLL_FINAL : 0;
  if (control.kind === "I") return (control.receiveNumber << 5) | bit | (control.sendNumber << 1);
  if ("receiveNumber" in control) return (control.receiveNumber << 5) | bit | SUPERVISORY[control.kind];
  return UNNUMBERED[control.kind] | bit;
}

function byOctet<K extends string>(table: Readonly<Record<K, number>>): ReadonlyMap<number, K> {
  return new Map((Object.entries(table) as [K, number][]).map(([kind, octet]) => [octet, kind]));
}
