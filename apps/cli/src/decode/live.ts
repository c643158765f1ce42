import { collectOutcomes, TelegramDecoder, type TelegramOptions, type TelegramOutcome } from "@meterkeep/dlms";
import type { Terminal } from "../terminal.ts";
import type { TelegramInput } from "./input.ts";
import type { KeySource } from "./keys.ts";
import type { Report } from "./report.ts";

/** A line that is silent for this long has sent a whole telegram. */
const PAUSE_MILLISECONDS = 700;

/** What decoding a live input works with. */
export interface LiveContext {
  readonly options: TelegramOptions;
  readonly keys: KeySource;
  readonly report: Report;
  /** Keeps what was seen: called after every batch of telegrams, since nobody knows when a live input ends. */
  save(): void;
  readonly terminal: Terminal;
}

/**
 * Decodes an input as it arrives, until it ends or the command is interrupted.
 *
 * What a push brings forth is printed at once, save telegrams that may still be found to be forgeries of one that
 * follows in the same burst: a burst ends where the line pauses.
 */
export async function decodeLive(input: TelegramInput, context: LiveContext): Promise<void> {
  const { options, keys, report, save, terminal } = context;
  const decoder = new TelegramDecoder(options);
  let burst: TelegramOutcome[] = [];
  let octets = 0;
  let hasPrinted = false;

  const print = async (outcomes: readonly TelegramOutcome[]): Promise<void> => {
    hasPrinted ||= outcomes.some(({ kind }) => kind !== "noise");
    await report.add(collectOutcomes(outcomes, octets), (offset) => ({ input: input.name, offset }));
    save();
    if (outcomes.some((one) => one.kind === "refused" && one.refusal.code === "key-needed")) await keys.ask();
  };
  const endBurst = async (): Promise<void> => {
    const outcomes = burst;
    burst = [];
    // Noise alone is nothing to report while the line may still bring a telegram.
    if (outcomes.some(({ kind }) => kind !== "noise")) await print(outcomes);
  };

  for await (const chunk of withPauses(input.chunks(terminal.interrupted), PAUSE_MILLISECONDS)) {
    if (chunk === "pause") {
      burst.push(...decoder.pause());
      await endBurst();
    } else {
      octets += chunk.length;
      burst.push(...decoder.push(chunk));
      if (burst.length >= LARGEST_BURST) await endBurst();
    }
  }
  burst.push(...decoder.end());
  if (hasPrinted) await endBurst();
  else if (!terminal.interrupted.aborted) await print(burst);
}

/** A line that never pauses is printed after so many outcomes. */
const LARGEST_BURST = 16;

/** The chunks, with `"pause"` wherever none came for a while. */
async function* withPauses(
  chunks: AsyncIterable<Uint8Array>,
  milliseconds: number,
): AsyncIterable<Uint8Array | "pause"> {
  const iterator = chunks[Symbol.asyncIterator]();
  let next = iterator.next();
  let mayPause = false;
  for (;;) {
    const timer = Promise.withResolvers<"pause">();
    const timeout = mayPause ? setTimeout(() => timer.resolve("pause"), milliseconds) : undefined;
    const first = await (mayPause ? Promise.race([next, timer.promise]) : next).finally(() => clearTimeout(timeout));
    if (first === "pause") {
      mayPause = false;
      yield first;
      continue;
    }
    if (first.done === true) return;
    mayPause = true;
    yield first.value;
    next = iterator.next();
  }
}
