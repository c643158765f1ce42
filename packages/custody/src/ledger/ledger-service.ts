import { MAX_PAGE_CHECKPOINTS } from "@meterkeep/api/custodian";
import {
  consistencyProof,
  inclusionProof,
  type LedgerKeeper,
  readerOf,
  type StoredCheckpoint,
  type TreeHead,
} from "@meterkeep/ledger";
import { CallRefusal } from "../calls/call-refusal.ts";
import type { CustodianService } from "../service/service.ts";
import type { CustodyStore } from "../store/store.ts";

/** The methods by which others see how the ledger is kept. */
export type LedgerService = Pick<
  CustodianService,
  "ledgerState" | "ledgerProof" | "ledgerConsistency" | "ledgerCheckpoints" | "renewLedger"
>;

/** Serves the ledger's heads and proofs. */
export function ledgerService(
  keeper: LedgerKeeper,
  { ledger, checkpoints }: Pick<CustodyStore, "ledger" | "checkpoints">,
  head: () => Promise<TreeHead>,
): LedgerService {
  const read = readerOf(ledger);
  const within = async (size: number): Promise<void> => {
    if (size > (await ledger.size()))
      throw new CallRefusal("request-malformed", `the ledger has fewer than ${size} entries`);
  };
  return {
    ledgerState: async () => {
      const { log, keys, witnesses, halt, wanted } = keeper.state;
      const stored = await checkpoints.last(await ledger.size());
      return {
        ...(await head()),
        ...(log !== undefined && { log }),
        keys: keys.map((one) => ({ ...one.keys, announcedAt: one.entry?.sequence ?? 0 })),
        ...(stored && { checkpoint: stored }),
        witnesses: witnesses.map(({ size, problem, ...rest }) => ({
          ...rest,
          ...(size !== undefined && { size }),
          ...(problem !== undefined && { problem: problem.slice(0, MOST_CHARACTERS) }),
        })),
        ...(halt && { halt: { code: halt.code, message: halt.message.slice(0, MOST_CHARACTERS) } }),
        ...(wanted && { wanted: JSON.stringify(wanted) }),
      };
    },
    ledgerProof: async ({ sequence, size }) => {
      await within(size);
      if (sequence < 1 || sequence > size)
        throw new CallRefusal("request-malformed", `entry ${sequence} is not among the first ${size}`);
      return { hashes: await inclusionProof(read, sequence - 1, size) };
    },
    ledgerConsistency: async ({ former, size }) => {
      await within(size);
      if (former < 1 || former > size)
        throw new CallRefusal("request-malformed", `${former} entries are none, or more than ${size}`);
      return { hashes: former === size ? [] : await consistencyProof(read, former, size) };
    },
    ledgerCheckpoints: async ({ from }) => {
      const page: StoredCheckpoint[] = await checkpoints.list(from, MAX_PAGE_CHECKPOINTS);
      return { checkpoints: page };
    },
    renewLedger: async () => ({ version: await keeper.rotate() }),
  };
}

const MOST_CHARACTERS = 1024;
