import type { LedgerState } from "@meterkeep/api";
import { CustodianCallError } from "@meterkeep/api/custodian";
import { toHex } from "@meterkeep/dlms";
import type { Handlers } from "../http/mount.ts";
import { ProblemError } from "../http/problem-error.ts";
import type { Context } from "./context.ts";

type LedgerRoutes = "ledgerState" | "ledgerProof" | "ledgerConsistency" | "ledgerCheckpoints";

/** How the custodian's ledger is kept, and proofs of what is in it; all of it can be checked without trusting this server. */
export function ledgerHandlers({ custodian }: Pick<Context, "custodian">): Pick<Handlers, LedgerRoutes> {
  return {
    ledgerState: async () => stateOf(await custodian.ledgerState({})),
    ledgerProof: async ({ query }) => hashesOf(custodian.ledgerProof(query)),
    ledgerConsistency: async ({ query }) => hashesOf(custodian.ledgerConsistency(query)),
    ledgerCheckpoints: async ({ query }) => {
      const { checkpoints } = await custodian.ledgerCheckpoints(query);
      return { checkpoints: checkpoints.map((one) => ({ ...one, cosignatures: [...one.cosignatures] })) };
    },
  };
}

async function hashesOf(answer: Promise<{ readonly hashes: readonly Uint8Array[] }>): Promise<{ hashes: string[] }> {
  try {
    return { hashes: (await answer).hashes.map(toHex) };
  } catch (error) {
    if (error instanceof CustodianCallError && error.code === "request-malformed")
      throw new ProblemError("body-invalid", error.message);
    throw error;
  }
}

function stateOf(state: Awaited<ReturnType<Context["custodian"]["ledgerState"]>>): LedgerState {
  const { log, size, root, keys, checkpoint, witnesses, halt, wanted } = state;
  return {
    ...(log !== undefined && { log }),
    size,
    root: toHex(root),
    keys: keys.map(({ ecdsa, mldsa, version, announcedAt }) => ({
      version,
      ecdsa: ecdsa.map(base64),
      mldsa: base64(mldsa),
      announcedAt,
    })),
    ...(checkpoint && { checkpoint: { ...checkpoint, cosignatures: [...checkpoint.cosignatures] } }),
    witnesses: witnesses.map(({ name, kind, state: is, since, size: seen, problem }) => ({
      name,
      kind,
      state: is,
      since: new Date(since).toISOString(),
      ...(seen !== undefined && { size: seen }),
      ...(problem !== undefined && { problem }),
    })),
    ...(halt && { halt }),
    ...(wanted !== undefined && { wanted }),
  };
}

function base64(octets: Uint8Array): string {
  return Buffer.from(octets).toString("base64");
}
