import type { OpenResult } from "@meterkeep/api/custodian";
import { DlmsError, type OpenedResponse, protectionFormOf } from "@meterkeep/dlms";
import type { Shown } from "./critical-turn.ts";
import type { Session } from "./session.ts";

const DATA_NOTIFICATION = 0x0f;
const NOT_AUTHENTIC = { kind: "refused", code: "not-authentic" } as const;
const REPLAYED = { kind: "refused", code: "replayed" } as const;

/** What came of APDUs of the meter. */
export interface Heard {
  readonly results: readonly OpenResult[];
  /** What they have shown of critical requests. */
  readonly shown: readonly Shown[];
  /** Whether a push was among them: its counter must be durable before it is given out, since it opens elsewhere as well. */
  readonly hasPush: boolean;
}

/** Whether an APDU of the meter has to be signed: what was signed is answered signed, or not at all. */
export function mustBeSigned({ turn }: Session, octets: Uint8Array): boolean {
  if (turn.isSigned) return true;
  if (!turn.isProbing) return false;
  const form = protectionFormOf(octets[0] ?? 0);
  return form === "general-ciphering" || form === "general-signing";
}

/** Takes what was opened in a session, in order: each counter once, over everybody who speaks to the meter. */
export function hear(
  session: Session,
  apdus: readonly Uint8Array[],
  opened: readonly (OpenedResponse | DlmsError)[],
): Heard {
  const shown: Shown[] = [];
  let hasPush = false;
  const results = opened.map((response, at): OpenResult => {
    const octets = apdus[at] as Uint8Array;
    session.evidence.received(octets);
    if (response instanceof DlmsError) return NOT_AUTHENTIC;
    const { plain, counter, transactionId } = response;
    if (counter === undefined) {
      // A refusal of what could not be deciphered: it comes in clear, and is never data.
      if (transactionId === undefined)
        return { kind: "opened", apdu: plain, authenticated: false, encrypted: false, counter: 0 };
      const answer = session.turn.heardSigned(plain, transactionId);
      if (answer === undefined) return REPLAYED;
      shown.push(answer);
      return { kind: "opened", apdu: plain, authenticated: true, encrypted: true, counter: answer.counter };
    }
    const { line, turn } = session;
    const isDedicated = session.isDedicated && isUnderDedicatedKey(octets);
    const isPush = plain[0] === DATA_NOTIFICATION && !isDedicated;
    if (isPush && line.isDoubtful) return REPLAYED;
    if (!(isDedicated ? line.acceptDedicated(counter) : line.accept(counter))) return REPLAYED;
    hasPush ||= isPush;
    const answer = turn.heard(plain, line);
    if (answer !== undefined) shown.push(answer);
    return { kind: "opened", apdu: plain, authenticated: true, encrypted: true, counter };
  });
  return { results, shown, hasPush };
}

function isUnderDedicatedKey(octets: Uint8Array): boolean {
  const form = protectionFormOf(octets[0] ?? 0);
  return form === "dedicated" || form === "general-dedicated";
}
