import { DecodeError } from "../errors.ts";
import type { LinkFacts } from "../link/assembler.ts";
import { BUILT_IN_LAYOUTS } from "./built-in-layouts.ts";
import { readContent } from "./content.ts";
import { interpretNotification, interpretP1, type TelegramContext } from "./interpret.ts";
import type { Layout } from "./layout.ts";
import type { Refusal } from "./refusal.ts";
import type { SecurityFacts } from "./security-facts.ts";
import type { Telegram } from "./telegram.ts";

/** An APDU that somebody else has opened (a custodian, who alone holds the keys), and what is known of it. */
export interface OpenedApdu {
  /** In clear. */
  readonly apdu: Uint8Array;
  readonly systemTitle: Uint8Array;
  readonly security: SecurityFacts;
  readonly link?: LinkFacts;
  /** Layouts to choose from, in order; those of the package unless given. */
  readonly layouts?: readonly Layout[];
  /** The layout to use, whatever the telegram looks like. */
  readonly layout?: Layout;
}

const NO_LINK: LinkFacts = {
  framing: "none",
  frames: 1,
  blocks: 0,
  source: undefined,
  destination: undefined,
  lengthOverflowed: false,
  checksum: undefined,
};

/** The telegrams in an opened APDU, or why there are none. Judging counters is the opener's. */
export function readOpenedTelegrams(opened: OpenedApdu): readonly Telegram[] | Refusal {
  const context: TelegramContext = {
    offset: 0,
    link: opened.link ?? NO_LINK,
    security: opened.security,
    systemTitle: opened.systemTitle,
    warnings: [],
    layouts: opened.layouts ?? BUILT_IN_LAYOUTS,
    chosen: opened.layout,
  };
  try {
    const content = readContent(opened.apdu);
    switch (content.kind) {
      case "damaged":
        return { code: content.fault.code, offset: 0, message: content.fault.message };
      case "p1":
        return [interpretP1(content.frame, context)];
      case "value":
        return [interpretNotification(content, context)];
      case "notifications":
        return content.notifications.map((one) => interpretNotification(one, context));
      default:
        return content satisfies never;
    }
  } catch (error) {
    if (!(error instanceof DecodeError)) throw error;
    return { code: "apdu-malformed", offset: error.offset, message: error.message };
  }
}
