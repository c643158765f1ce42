import { actsOf, type Operation as CommandDocument, classify, differenceOf } from "@meterkeep/guard";
import type { TokenFor } from "../session/custodian-associator.ts";
import { sha384 } from "./sha384.ts";

/** Gives tokens for the acts of the one manifest under which an operation runs on one meter. */
export interface CommandTokens {
  /** A fresh token for the act of that number in `actsOf` the manifest's operation. @throws where none is given any more */
  token(act: number): Promise<Uint8Array>;
}

/**
 * Finds the token that a request needs: the one for the act that it is, octet for octet. What is no act of the command
 * gets none, and the custodian refuses it.
 */
export function commandSeal(
  command: CommandDocument,
  tokens: CommandTokens,
  meter: string,
  now: () => number,
): TokenFor {
  const acts = actsOf(command);
  const on = { meter, sha384 };
  return async (apdu) => {
    const verdict = classify(apdu);
    if (verdict.kind !== "needs-token") return undefined;
    const [asked, ...others] = verdict.acts;
    if (asked === undefined || others.length > 0) return undefined;
    const act = acts.findIndex((allowed) => differenceOf(allowed, asked, { ...on, now: now() }) === undefined);
    return act === -1 ? undefined : tokens.token(act);
  };
}
