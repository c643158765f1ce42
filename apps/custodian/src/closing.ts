import { CustodyError } from "@meterkeep/custody";

/** How long closing is waited for, in milliseconds. */
export interface ClosingTimes {
  /** It is told then what it waits for. */
  readonly told: number;
  /** It ends then, whatever it waits for. */
  readonly over: number;
}

/**
 * Closes, and says what it waits for where that takes long; in the end the process is to be ended with all that it holds. Nothing is wiped
 * before that: a step that goes on under keys that were wiped would seal under none.
 *
 * @throws CustodyError `custody-close-late`, or what `close` throws
 */
export async function closedWithin(
  { told, over }: ClosingTimes,
  close: () => Promise<void>,
  underWay: () => readonly string[],
  tell: (text: string) => void,
): Promise<void> {
  const what = (): string => underWay().join("; ") || "what it cannot name";
  const late = Promise.withResolvers<never>();
  const telling = setTimeout(() => tell(`Closing waits for ${what()}.`), told);
  const ending = setTimeout(() => {
    const text = `closing has waited ${over / 1000} s for ${what()}: it ends without`;
    late.reject(new CustodyError("custody-close-late", text));
  }, over);
  try {
    await Promise.race([close(), late.promise]);
  } finally {
    clearTimeout(telling);
    clearTimeout(ending);
  }
}
