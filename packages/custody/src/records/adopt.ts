import { SecretKey } from "@meterkeep/dlms-node";
import type { Committer } from "../store/committer.ts";
import type { StoredCounter } from "../store/records.ts";
import type { CustodyStore } from "../store/store.ts";
import type { Vault } from "../vault/vault.ts";
import { counterMark, takeoverMark } from "./marks.ts";
import { withCounterMacs, withMeterMacs, withSealMacs, withTakeoverMacs, withWindowMacs } from "./record-mac.ts";

const BATCH = 500;

type Rows = Awaited<ReturnType<CustodyStore["unauthenticated"]>>;
const NONE: Rows = { takeovers: [], counters: [], meters: [], windows: [], seals: [] };

/** Which rows got their MACs together: what a former version has done is not done again for who took a MAC away since. */
const STAGES = {
  "authentic-records-1": ({ takeovers, counters }: Rows): Rows => ({ ...NONE, takeovers, counters }),
  "authentic-records-2": ({ meters, windows }: Rows): Rows => ({ ...NONE, meters, windows }),
  "authentic-records-3": ({ seals }: Rows): Rows => ({ ...NONE, seals }),
} as const;

/**
 * Gives rows from before MACs theirs, once in the life of an installation, and the ledger the mark of each that has one;
 * afterwards a row without a MAC is refused. What was changed before this day is taken as it is.
 */
export async function adoptRecords(
  store: CustodyStore,
  committer: Committer,
  vault: Vault,
  now: () => number,
): Promise<void> {
  const { installation } = store;
  for (const [stage, ofStage] of Object.entries(STAGES)) {
    const done = await installation.namedSecret(stage);
    if (done !== undefined) {
      // Opens under this vault only: a row somebody else has put there means nothing.
      (await vault.unsealNamed(stage, done))[Symbol.dispose]();
      continue;
    }
    for (;;) {
      const rows = ofStage(await store.unauthenticated(BATCH));
      if (Object.values(rows).every(({ length }) => length === 0)) break;
      const takeovers = await withTakeoverMacs(vault, rows.takeovers);
      const counters = await withCounterMacs(vault, rows.counters);
      const meters = await withMeterMacs(vault, rows.meters);
      const windows = await withWindowMacs(vault, rows.windows);
      const seals = await withSealMacs(vault, rows.seals);
      await committer.submit({
        writes: [{ kind: "adopt", takeovers, counters, meters, windows, seals }],
        entries: [
          ...takeovers.map((takeover) => takeoverMark(takeover, now())),
          ...inOrder(counters).map((counter) => counterMark(counter, now())),
        ],
      });
    }
    using secret = SecretKey.random(16);
    await installation.insertNamedSecret(stage, await vault.sealNamed(stage, secret));
  }
}

/** The highest of a setup last: its mark is the one that counts. */
function inOrder(counters: readonly StoredCounter[]): StoredCounter[] {
  return [...counters].sort((a, b) => a.next - b.next);
}
