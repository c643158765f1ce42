import type { SessionSummary } from "@meterkeep/api";
import { IconCheck, IconLoader, IconPlugOff, IconX } from "@tabler/icons-react";

const LOOKS = {
  running: { Icon: IconLoader, word: "under way", tone: "held" },
  done: { Icon: IconCheck, word: "done", tone: "trusted" },
  lost: { Icon: IconPlugOff, word: "line lost", tone: "degraded" },
  refused: { Icon: IconX, word: "refused", tone: "quarantined" },
  failed: { Icon: IconX, word: "failed", tone: "quarantined" },
} as const satisfies Record<SessionSummary["outcome"], unknown>;

export function OutcomeMark({ outcome }: { outcome: SessionSummary["outcome"] }) {
  const { Icon, word, tone } = LOOKS[outcome];
  return (
    <span className={`outcome tone-${tone}`}>
      <Icon size={15} aria-hidden /> {word}
    </span>
  );
}
