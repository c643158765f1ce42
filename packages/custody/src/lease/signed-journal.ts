import { CallRefusal } from "../calls/call-refusal.ts";
import { type Handheld, isSignedBy } from "./handheld.ts";
import type { PassedCounters } from "./reconciliation.ts";

/** What a handheld says that it did under a lease. */
export interface Journal {
  readonly lease: string;
  readonly used: readonly { readonly meter: string; readonly next: number }[];
  /** Counters that meters had taken before it used them: it does not know who did. */
  readonly passed: readonly PassedCounters[];
  readonly text: string;
}

/** One at each visit of a lease is more than anybody makes. */
const MOST_PASSED = 1000;

/** A journal that its handheld has signed. @throws CallRefusal `lease-refused` */
export function journalIn(signed: string, handheldFor: (lease: string) => Handheld | undefined): Journal {
  try {
    const { text, signature } = JSON.parse(signed) as { readonly text: string; readonly signature: string };
    const { lease, used, passed } = JSON.parse(text) as Journal;
    const handheld = handheldFor(lease);
    const isRight =
      used.every(({ meter, next }) => isTitle(meter) && Number.isSafeInteger(next)) &&
      passed.length <= MOST_PASSED &&
      passed.every(({ meter, first, next }) => isTitle(meter) && [first, next].every(Number.isSafeInteger));
    if (handheld !== undefined && isRight && isSignedBy(handheld, text, signature))
      return { lease, used, passed, text };
  } catch (cause) {
    throw new CallRefusal("lease-refused", "this is no journal of a handheld", { cause });
  }
  throw new CallRefusal("lease-refused", "the journal is not signed by the handheld of its lease");
}

function isTitle(meter: string): boolean {
  return /^[0-9A-F]{16}$/.test(meter);
}
