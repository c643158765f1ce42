import { TelegramDecoder, type TelegramOptions, type TelegramOutcome } from "./decoder.ts";
import type { Refusal } from "./refusal.ts";
import type { Telegram } from "./telegram.ts";

/** Everything in some octets. */
export interface DecodedTelegrams {
  readonly telegrams: readonly Telegram[];
  readonly refusals: readonly Refusal[];
  /** Octets that belong to nothing. */
  readonly noise: readonly { readonly offset: number; readonly length: number }[];
}

/**
 * Decodes all telegrams in `bytes`, whatever their framing: HDLC with segments, wired M-Bus, the wrapper, P1, general
 * block transfer, bare APDUs.
 *
 * Never throws on bad octets: what cannot be decoded is a refusal with code and offset, and when nothing at all is
 * found, that is a refusal too.
 *
 * ```ts
 * const { telegrams, refusals } = decodeTelegrams(fromHex("7EA0…"), { keys: keysForAll({ encryptionKey }) });
 * for (const { obis, value, unit } of telegrams[0].readings) console.log(obis, value, unit);
 * ```
 */
export function decodeTelegrams(bytes: Uint8Array, options: TelegramOptions = {}): DecodedTelegrams {
  const decoder = new TelegramDecoder(options);
  return collectOutcomes([...decoder.push(bytes), ...decoder.end()], bytes.length);
}

/**
 * Sums up the outcomes of a whole input. Where a later telegram proves an earlier one to be a forgery, the earlier one
 * becomes a refusal; where nothing was found, the first thing that looked like a frame is named.
 */
export function collectOutcomes(outcomes: readonly TelegramOutcome[], inputBytes: number): DecodedTelegrams {
  const telegrams: Telegram[] = [];
  const refusals: Refusal[] = [];
  const noise: { offset: number; length: number }[] = [];
  let suspect: Refusal | undefined;
  for (const outcome of outcomes) {
    if (outcome.kind === "refused") refusals.push(outcome.refusal);
    else if (outcome.kind === "noise") {
      noise.push({ offset: outcome.offset, length: outcome.length });
      suspect ??= outcome.suspect;
    } else {
      const { telegram } = outcome;
      if (telegram.warnings.some(({ code }) => code === "sibling-was-forged"))
        retractForgeries(telegrams, refusals, telegram);
      telegrams.push(telegram);
    }
  }
  if (telegrams.length === 0 && refusals.length === 0) {
    const message = inputBytes === 0 ? "there is nothing to decode" : "nothing here begins like a telegram of a meter";
    refusals.push(suspect ?? { code: "nothing-recognised", offset: 0, message });
  }
  return { telegrams, refusals, noise };
}

function retractForgeries(telegrams: Telegram[], refusals: Refusal[], genuine: Telegram): void {
  for (const [index, one] of [...telegrams.entries()].reverse()) {
    const isSibling =
      one.meter.systemTitle === genuine.meter.systemTitle &&
      one.security.invocationCounter === genuine.security.invocationCounter;
    if (!isSibling) continue;
    telegrams.splice(index, 1);
    const { offset } = one.link;
    const message = `counter ${one.security.invocationCounter} of meter ${one.meter.systemTitle} belongs to another telegram that came later: this one is a forgery made of it`;
    refusals.push({ code: "counter-reused", offset, message });
  }
}
