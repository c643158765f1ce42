import type { Write } from "./store.ts";

/** A security setup of whose keys a change has come to its end. */
export interface ClosedChange {
  readonly systemTitle: string;
  readonly setup: number;
  readonly at: number;
}

/** Changes of keys that came to their end in a commit: takeovers and rotations. */
export function closedIn(writes: readonly Write[]): readonly ClosedChange[] {
  return writes.flatMap((write) => {
    if (write.kind === "mark-rotation" && write.endedAt !== undefined) {
      const { systemTitle, setup } = write.place;
      return [{ systemTitle, setup, at: write.endedAt }];
    }
    if (write.kind !== "put-takeover") return [];
    const { subject, setup, systemTitle, closedAt } = write.takeover;
    return subject === undefined && closedAt !== undefined ? [{ systemTitle, setup, at: closedAt }] : [];
  });
}
