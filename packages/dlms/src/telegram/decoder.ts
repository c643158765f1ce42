import { DecodeError } from "../errors.ts";
import { llcLength } from "../link/apdu.ts";
import { Assembler, type Delivery, type LinkFacts } from "../link/assembler.ts";
import type { Fault } from "../link/fault.ts";
import { joinPieces, locate, type Piece, withoutFirst } from "../link/pieces.ts";
import { LinkScanner } from "../link/scanner.ts";
import { BUILT_IN_LAYOUTS } from "./built-in-layouts.ts";
import { type CipheredApdu, isCiphered, readCiphered, titleText } from "./ciphered.ts";
import { type Content, readContent } from "./content.ts";
import { openCiphered, SOFTWARE_TELEGRAM_CIPHERS, type TelegramCiphers } from "./decipher.ts";
import { clocksDisagree, interpretNotification, interpretP1, type TelegramContext } from "./interpret.ts";
import type { KeyRing } from "./keys.ts";
import type { Layout } from "./layout.ts";
import { createTelegramMemory, type Observation, type TelegramMemory } from "./memory.ts";
import type { Refusal, TelegramErrorCode } from "./refusal.ts";
import { UNPROTECTED } from "./security-facts.ts";
import type { Telegram } from "./telegram.ts";
import { type TelegramWarning, warning } from "./warning.ts";

/** What a decoder may be given; all of it may be left out for telegrams in the clear. */
export interface TelegramOptions {
  /** Finds the keys of a meter: `keysForAll`, `keysByTitle`, or a function of yours. */
  readonly keys?: KeyRing;
  /** AES-GCM; the one of this package, which is slow and runs anywhere, unless given. */
  readonly ciphers?: TelegramCiphers;
  /** Layouts to choose from, in order; those of the package unless given. */
  readonly layouts?: readonly Layout[];
  /** The layout to use, whatever the telegram looks like. */
  readonly layout?: Layout;
  /** System title of the meter, for the few that do not send theirs. */
  readonly systemTitle?: Uint8Array;
  /** What is known of earlier telegrams; one that lasts as long as the decoder unless given. */
  readonly memory?: TelegramMemory;
}

/** What came out of a stretch of the stream. */
export type TelegramOutcome =
  | { readonly kind: "telegram"; readonly telegram: Telegram }
  | { readonly kind: "refused"; readonly refusal: Refusal }
  /** Octets that belong to no telegram; `suspect` is the first thing in them that begins like one. */
  | { readonly kind: "noise"; readonly offset: number; readonly length: number; readonly suspect: Fault | undefined };

/**
 * Decodes a stream of octets as it arrives: gives telegrams as they complete, refusals for what was meant to be one, and
 * what lay between. It never throws on what it is fed and holds a bounded number of octets.
 *
 * Call `push` for every chunk; `pause` when the line has been silent for longer than between two octets of a frame, so
 * that telegrams without a length of their own end there; `end` when no more will come.
 */
export class TelegramDecoder {
  readonly #scanner = new LinkScanner();
  readonly #assembler = new Assembler();
  readonly #options: TelegramOptions;
  readonly #memory: TelegramMemory;

  constructor(options: TelegramOptions = {}) {
    this.#options = options;
    this.#memory = options.memory ?? createTelegramMemory();
  }

  push(chunk: Uint8Array): TelegramOutcome[] {
    return this.#scanner.push(chunk).flatMap((event) => this.#deliver(this.#assembler.take(event)));
  }

  pause(): TelegramOutcome[] {
    return this.#scanner.pause().flatMap((event) => this.#deliver(this.#assembler.take(event)));
  }

  /** Gives up what is incomplete. The decoder may go on with another input; its offsets and its memory go on too. */
  end(): TelegramOutcome[] {
    const last = this.#scanner.end().flatMap((event) => this.#deliver(this.#assembler.take(event)));
    return [...last, ...this.#deliver(this.#assembler.end())];
  }

  #deliver(deliveries: readonly Delivery[]): TelegramOutcome[] {
    return deliveries.flatMap((delivery): readonly TelegramOutcome[] => {
      switch (delivery.kind) {
        case "fault":
          return [{ kind: "refused", refusal: delivery.fault }];
        case "noise":
          return [delivery];
        case "text":
          return [this.#interpretText(delivery)];
        case "apdu":
          return this.#decodeApdu(delivery.pieces, delivery.offset, delivery.link);
        default:
          return delivery satisfies never;
      }
    });
  }

  #interpretText({ frame, offset, link }: Extract<Delivery, { kind: "text" }>): TelegramOutcome {
    return { kind: "telegram", telegram: interpretP1(frame, this.#context(offset, link)) };
  }

  #decodeApdu(pieces: readonly Piece[], offset: number, link: LinkFacts): TelegramOutcome[] {
    const apdu = joinPieces(pieces);
    try {
      if (!isCiphered(apdu[0])) return this.#interpret(readContent(apdu), this.#context(offset, link));
      const ciphered = readCiphered(apdu);
      const outcomes = this.#decodeCiphered(ciphered, apdu.subarray(0, ciphered.length), offset, link);
      return [...outcomes, ...this.#decodeRest(withoutFirst(pieces, ciphered.length), link)];
    } catch (error) {
      if (!(error instanceof DecodeError)) throw error;
      const isUnknown = error.code === "unknown-tag" && error.offset === 0;
      return [refused(isUnknown ? "apdu-unknown" : "apdu-malformed", locate(pieces, error.offset), error.message)];
    }
  }

  /** What stands behind a ciphered APDU in the same frame: nothing, padding, or another APDU with a header of its own. */
  #decodeRest(pieces: readonly Piece[], link: LinkFacts): TelegramOutcome[] {
    const octets = joinPieces(pieces);
    if (octets.every((octet) => octet === 0)) return [];
    const next = withoutFirst(pieces, llcLength(octets));
    return this.#decodeApdu(next, next[0]?.offset ?? 0, link);
  }

  #decodeCiphered(ciphered: CipheredApdu, apdu: Uint8Array, offset: number, link: LinkFacts): TelegramOutcome[] {
    const { ciphers = SOFTWARE_TELEGRAM_CIPHERS, keys } = this.#options;
    const systemTitle = ciphered.systemTitle.length > 0 ? ciphered.systemTitle : this.#options.systemTitle;
    if (systemTitle === undefined)
      return [refused("system-title-needed", offset, "the telegram is ciphered and does not name its meter")];
    const title = titleText(systemTitle);
    const opened = openCiphered(ciphered, systemTitle, keys?.(title) ?? {}, ciphers);
    if (opened.kind === "refused") return [refused(opened.code, offset, opened.message)];

    const context = { ...this.#context(offset, link), security: opened.facts, systemTitle, warnings: opened.warnings };
    const outcomes = this.#interpret(opened.content, context);
    const inDoubt = outcomes.some((outcome) => outcome.kind === "telegram" && clocksDisagree(outcome.telegram));
    return this.#judge(outcomes, { systemTitle: title, counter: ciphered.invocationCounter, apdu, inDoubt }, offset);
  }

  /** Lets a ciphered telegram pass that the memory has nothing against. */
  #judge(outcomes: TelegramOutcome[], observation: Observation, offset: number): TelegramOutcome[] {
    const { systemTitle, counter } = observation;
    const which = `counter ${counter} of meter ${systemTitle}`;
    const known = this.#memory.recall(observation);
    switch (known.kind) {
      case "new":
        this.#memory.remember(observation);
        return outcomes;
      case "repeated":
        return withWarning(outcomes, warning("counter-repeated", `this very telegram (${which}) has been seen before`));
      case "passed": {
        const message = `${which} is behind ${known.highest}: an old telegram was played again`;
        return [refused("counter-replayed", offset, message)];
      }
      case "conflict": {
        if (!known.inDoubt || observation.inDoubt) {
          const message = `${which} belongs to another telegram that was seen before: this one is a forgery made of it`;
          return [refused("counter-reused", offset, message)];
        }
        this.#memory.remember(observation);
        const message = `another telegram with ${which} was seen before, and its clocks disagreed: that one was a forgery`;
        return withWarning(outcomes, warning("sibling-was-forged", message));
      }
      default:
        return known satisfies never;
    }
  }

  #interpret(content: Content, context: TelegramContext): TelegramOutcome[] {
    switch (content.kind) {
      case "damaged":
        return [refused(content.fault.code, context.offset, content.fault.message)];
      case "p1":
        return [{ kind: "telegram", telegram: interpretP1(content.frame, context) }];
      case "value":
        return [{ kind: "telegram", telegram: interpretNotification(content, context) }];
      case "notifications":
        return content.notifications.map((one) => ({
          kind: "telegram",
          telegram: interpretNotification(one, context),
        }));
      default:
        return content satisfies never;
    }
  }

  #context(offset: number, link: LinkFacts): TelegramContext {
    const { layouts = BUILT_IN_LAYOUTS, layout } = this.#options;
    return {
      offset,
      link,
      security: UNPROTECTED,
      systemTitle: undefined,
      warnings: UNPROTECTED_WARNINGS,
      layouts,
      chosen: layout,
    };
  }
}

const UNPROTECTED_WARNINGS: readonly TelegramWarning[] = [
  warning("not-encrypted", "anybody on the line can read this telegram"),
  warning("no-authentication-tag", "the telegram has no tag: whoever can write to the line can change what it says"),
];

function refused(code: TelegramErrorCode, offset: number, message: string): TelegramOutcome {
  return { kind: "refused", refusal: { code, offset, message } };
}

function withWarning(outcomes: readonly TelegramOutcome[], about: TelegramWarning): TelegramOutcome[] {
  return outcomes.map((outcome) =>
    outcome.kind === "telegram"
      ? { kind: "telegram", telegram: { ...outcome.telegram, warnings: [about, ...outcome.telegram.warnings] } }
      : outcome,
  );
}
