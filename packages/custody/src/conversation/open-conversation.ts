import { nodeRandom } from "@meterkeep/dlms-node";
import { LeavingMeters } from "../departure/leaving-meters.ts";
import { skippedAfterLoss, type UseOfCounters } from "../ledger/skipped-counters.ts";
import { ReceiveWindows } from "../protocol/receive-windows.ts";
import { SendCounters } from "../protocol/send-counters.ts";
import { MeterKeyCache } from "../push/key-cache.ts";
import type { CustodyStore } from "../store/store.ts";
import type { ConversationDependencies } from "./dependencies.ts";

/** What speaking to meters is opened with. */
export interface ConversationParts
  extends Omit<ConversationDependencies, "sendCounters" | "receiveWindows" | "leaving" | "random" | "keeping"> {
  /** To whoever decides by it. */
  readonly ledger: Pick<CustodyStore["ledger"], "ofItself" | "counted" | "foreign">;
  readonly use: UseOfCounters;
  readonly mostSessions: number;
  /** While they are open unless given. */
  readonly keeping: ConversationDependencies["keeping"] | undefined;
}

/** What everything that speaks to meters shares, and what is remembered of their keys. */
export interface OpenedConversation {
  readonly conversation: ConversationDependencies;
  readonly keyCache: MeterKeyCache;
  /** What was remembered of keys that are a meter's no more must not be taken for those that are. */
  readonly forget: (systemTitle: string) => void;
}

/** Opens what everything that speaks to meters shares: the counters of their lines, among others. */
export function openConversation(parts: ConversationParts): OpenedConversation {
  const { files, committer, bursts, vault, now, clientTitle, ledger, use, mostSessions } = parts;
  const receiveWindows = new ReceiveWindows();
  const keyCache = new MeterKeyCache({ files, vault, receiveWindows, now, foreign: ledger.foreign });
  const skip = skippedAfterLoss(ledger, now, use);
  return {
    conversation: {
      files,
      committer,
      bursts,
      vault,
      sendCounters: new SendCounters({
        committer,
        files,
        vault,
        now,
        skip,
        foreign: ledger.foreign,
        mostLines: mostSessions,
      }),
      receiveWindows,
      leaving: new LeavingMeters(),
      random: nodeRandom,
      now,
      keeping: parts.keeping ?? (() => "session"),
      clientTitle,
    },
    keyCache,
    forget: (title) => {
      keyCache.forget(title);
      receiveWindows.forget(title);
    },
  };
}
