import { SecretKey } from "@meterkeep/dlms-node";
import type { Committer } from "../store/committer.ts";
import type { StoredCounter } from "../store/records.ts";
import type { CustodyStore } from "../store/store.ts";
import type { Vault } from "../vault/vault.ts";
import { counterMark, takeoverMark } from "./marks.ts";
import { withCounterMacs, withTakeoverMacs } from "./record-mac.ts";

const DONE = "authentic-records-1";
const BATCH = 500;

/**
 * Gives rows from before MACs theirs, once in the life of an installation, and the ledger the mark of each; afterwards a
 * row without one is refused. What was changed before this day is taken as it is.
 */
export async function adoptRecords(
  store: CustodyStore,
  committer: Committer,
  vault: Vault,
  now: () => number,
): Promise<void> {
  const { installation } = store;
  const done = await installation.namedSecret(DONE);
  if (done !== undefined) {
    // Opens under this vault only: a row somebody else has put there means nothing.
    (await vault.unsealNamed(DONE, done))[Symbol.dispose]();
    return;
  }
  for (;;) {
    const rows = await store.unauthenticated(BATCH);
    if (rows.takeovers.length === 0 && rows.counters.length === 0) break;
    const takeovers = await withTakeoverMacs(vault, rows.takeovers);
    const counters = await withCounterMacs(vault, rows.counters);
    await committer.submit({
      writes: [{ kind: "adopt", takeovers, counters }],
      entries: [
        ...takeovers.map((takeover) => takeoverMark(takeover, now())),
        ...inOrder(counters).map((counter) => counterMark(counter, now())),
      ],
    });
  }
  using secret = SecretKey.random(16);
  await installation.insertNamedSecret(DONE, await vault.sealNamed(DONE, secret));
}

/** The highest of a setup last: its mark is the one that counts. */
function inOrder(counters: readonly StoredCounter[]): StoredCounter[] {
  return [...counters].sort((a, b) => a.next - b.next);
}
