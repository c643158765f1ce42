import type { Write } from "./store.ts";

/** Meters of whose working keys a change came to its end in a commit: a takeover or a rotation. */
export function closedIn(writes: readonly Write[]): readonly { readonly systemTitle: string; readonly at: number }[] {
  return writes.flatMap((write) => {
    if (write.kind === "mark-rotation" && write.endedAt !== undefined && write.place.setup === 0)
      return [{ systemTitle: write.place.systemTitle, at: write.endedAt }];
    if (write.kind !== "put-takeover") return [];
    const { subject, setup, systemTitle, closedAt } = write.takeover;
    return subject === undefined && setup === 0 && closedAt !== undefined ? [{ systemTitle, at: closedAt }] : [];
  });
}
