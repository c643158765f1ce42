import { CallRefusal } from "../calls/call-refusal.ts";
import { type Handheld, isSignedBy } from "./handheld.ts";

/** What a handheld says that it did under a lease. */
export interface Journal {
  readonly lease: string;
  readonly used: readonly { readonly meter: string; readonly next: number }[];
  readonly text: string;
}

/** A journal that its handheld has signed. @throws CallRefusal `lease-refused` */
export function journalIn(signed: string, handheldFor: (lease: string) => Handheld | undefined): Journal {
  try {
    const { text, signature } = JSON.parse(signed) as { readonly text: string; readonly signature: string };
    const { lease, used } = JSON.parse(text) as Journal;
    const handheld = handheldFor(lease);
    const isRight = used.every(({ meter, next }) => /^[0-9A-F]{16}$/.test(meter) && Number.isSafeInteger(next));
    if (handheld !== undefined && isRight && isSignedBy(handheld, text, signature)) return { lease, used, text };
  } catch (cause) {
    throw new CallRefusal("lease-refused", "this is no journal of a handheld", { cause });
  }
  throw new CallRefusal("lease-refused", "the journal is not signed by the handheld of its lease");
}
