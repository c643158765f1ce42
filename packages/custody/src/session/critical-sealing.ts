import type { SealResult } from "@meterkeep/api/custodian";
import type { Verdict } from "@meterkeep/guard";
import type { CriticalRefusal, CriticalSeals } from "../authority/critical-seals.ts";
import type { Caller } from "../calls/caller.ts";
import { answerNameOf } from "../conversation/answer-name.ts";
import { transactionIdOf } from "../conversation/transaction-id.ts";
import type { SealedCritical } from "./critical-turn.ts";
import type { SealBudget } from "./seal-budget.ts";
import { outOfTurn } from "./seal-refusals.ts";
import type { Session } from "./session.ts";

const DEDICATED =
  "nothing critical is sealed under a dedicated key: no later association shows that the meter can no longer do it";
const NOT_ALONE =
  "somebody else has taken a counter of this meter since the session began, so that no answer would be its own for certain: open another session";
const DOUBTFUL =
  "the counters of the meter's proof were not new, so that an old answer may look new: open another session, and where that is no better change its keys";

/** What sealing critical requests needs of sessions. */
export interface CriticalSealingDependencies {
  readonly budget: Pick<SealBudget, "spend">;
  readonly critical: Pick<CriticalSeals, "judge" | "record" | "isFrozen">;
  /** A counter of the session's line. */
  readonly counter: (session: Session) => Promise<number> | number;
  /** Writes down a refusal before the caller hears of it. */
  readonly refused: (session: Session, caller: Caller, refusal: CriticalRefusal) => Promise<void>;
}

/** A request with the token that came with it. */
export interface CriticalRequest {
  readonly apdu: Uint8Array;
  readonly token: Uint8Array;
}

type NeedsToken = Extract<Verdict, { kind: "needs-token" }>;

/** Why a session is in no state to seal anything critical; undefined where it is. */
function unfitness(session: Session, verdict: NeedsToken): CriticalRefusal | undefined {
  // The answer to what is signed names its transaction, whoever else speaks to the meter.
  if (session.association.signs) return undefined;
  if (session.isDedicated) return outOfTurn(verdict, DEDICATED);
  if (session.line.isDoubtful) return outOfTurn(verdict, DOUBTFUL);
  return session.line.isAlone ? undefined : outOfTurn(verdict, NOT_ALONE);
}

/** Seals what people have approved: judged, counted and written to the ledger before its octets are made. */
export async function sealCritical(
  { budget, critical, counter: counterOf, refused }: CriticalSealingDependencies,
  session: Session,
  { apdu, token }: CriticalRequest,
  verdict: NeedsToken,
  caller: Caller,
): Promise<SealResult> {
  const { place, keyVersion, turn, association } = session;
  const refuse = async (refusal: CriticalRefusal): Promise<SealResult> => {
    session.refused += 1;
    await refused(session, caller, refusal);
    const { detail: _, ...told } = refusal;
    return { kind: "refused", ...told };
  };
  const unfit = unfitness(session, verdict);
  if (unfit !== undefined) return refuse(unfit);
  if (!turn.begin()) return refuse(outOfTurn(verdict));
  let sealed: SealedCritical | undefined;
  try {
    const permit = await critical.judge(place, verdict, token);
    if ("code" in permit) return await refuse(permit);
    const beyond = await budget.spend(session, 1);
    if (beyond !== undefined) {
      session.refused += 1;
      return { kind: "refused", ...beyond };
    }
    const counter = await counterOf(session);
    const isSigned = association.signs;
    const refusal = await critical.record(place, { keyVersion, counter, isSigned }, permit, caller);
    if (refusal !== undefined) return await refuse(refusal);
    // Somebody may have thrown the switch while it was written down.
    if (critical.isFrozen(verdict)) {
      const { effect } = verdict.gravest;
      return await refuse({ code: "frozen", effect, message: "everything critical is frozen" });
    }
    const transactionId = isSigned ? transactionIdOf(counter) : undefined;
    const octets =
      transactionId === undefined
        ? ((await association.seal([{ apdu, counter }])) as [Uint8Array])[0]
        : await association.sealSigned({ apdu, counter }, transactionId);
    sealed = { nonce: permit.nonce, counter, transactionId, answer: answerNameOf(apdu) };
    session.evidence.sent(octets);
    return { kind: "sealed", apdu: octets };
  } finally {
    turn.decided(sealed);
  }
}
