import type { LedgerEvent } from "@meterkeep/api";
import type { Context } from "./context.ts";

const SENTENCES: Readonly<Record<string, string>> = {
  "signed-in": "signed in",
  "token-created": "made a machine token",
  "person-admitted": "admitted a person",
  "roles-changed": "gave a person other roles",
  "login-renewed": "replaced a person's login",
  "person-dismissed": "let a person go",
  "stepped-up": "showed a passkey again",
  "token-withdrawn": "withdrew a machine token",
  "login-recovered": "replaced the administrator's login",
  "passkey-added": "added a passkey",
  "meter-attached": "attached a meter",
  "drill-started": "started a drill",
  "handheld-reported-lost": "reported a handheld as lost",
  "departure-asked": "asked for meters to leave",
  "kill-switch-on": "froze everything critical",
  "dispute-settled": "settled what was in dispute",
  "site-protected": "put a site on the register of protected sites",
};

/** Writes an act of a person or machine to the head-end's ledger, before the act (house invariant 8), and tells watchers. */
export async function record(
  context: Pick<Context, "ledger" | "scope" | "now"> & { readonly hub: Pick<Context["hub"], "publish"> },
  kind: string,
  principal: string,
  body: unknown,
  meter?: string,
  words?: { readonly sentence: string; readonly severity: "notice" | "warning" },
): Promise<void> {
  const [entry] = await context.ledger.append({
    at: context.now(),
    kind,
    principal,
    utility: context.scope.utility,
    island: context.scope.island,
    ...(meter === undefined ? {} : { meter }),
    body,
  });
  if (entry === undefined) return;
  const sentence = words?.sentence ?? `${principal} ${SENTENCES[kind] ?? kind.replaceAll("-", " ")}.`;
  const event: LedgerEvent = {
    source: "head-end",
    sequence: entry.sequence,
    at: new Date(entry.at).toISOString(),
    kind,
    ...(meter === undefined ? {} : { meter }),
    sentence,
  };
  context.hub.publish("ledger", event, {
    sentence,
    ...(meter === undefined ? {} : { meter }),
    severity: words?.severity ?? "notice",
  });
}
