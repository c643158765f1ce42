import type { Verdict } from "@meterkeep/guard";
import type { SealRefusal } from "./seal-budget.ts";
import type { Session } from "./session.ts";

const LOCK_STEP =
  "a critical request is sealed alone, when all earlier ones of the session were answered, and nothing is until it was";

/** Why a request that asks for no more than reading, or brings no token, is not sealed; undefined where it is. */
export function refusalOf(
  verdict: Verdict,
  hasToken: boolean,
  session: Pick<Session, "caller" | "purpose" | "turn">,
): SealRefusal | undefined {
  switch (verdict.kind) {
    case "allowed":
      return session.turn.isFree ? undefined : outOfTurn(verdict);
    case "refused":
      return { code: verdict.code, effect: "none", message: verdict.message };
    case "needs-token": {
      const { effect, summary } = verdict.gravest;
      return (
        purposeRefusal(verdict, session) ??
        (hasToken
          ? outOfTurn(verdict)
          : {
              code: "command-token-missing",
              effect,
              message: `${summary}: that needs a command token, and none came with it`,
            })
      );
    }
    default:
      return verdict satisfies never;
  }
}

/** Another vendor's head-end says what it opens a session for, and is held to it. */
export function purposeRefusal(
  { gravest: { effect, summary } }: Extract<Verdict, { kind: "needs-token" }>,
  { caller, purpose }: Pick<Session, "caller" | "purpose">,
): SealRefusal | undefined {
  return caller.rights !== undefined && purpose === "read"
    ? { code: "purpose-exceeded", effect, message: `${summary}: the session was opened to read` }
    : undefined;
}

/** Why it is not this request's turn. */
export function outOfTurn(verdict: Exclude<Verdict, { kind: "refused" }>, message = LOCK_STEP): SealRefusal {
  const effect = verdict.kind === "needs-token" ? verdict.gravest.effect : "read";
  return { code: "request-out-of-turn", effect, message };
}
