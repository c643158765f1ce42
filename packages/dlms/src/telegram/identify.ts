import { llcLength, UNSOLICITED } from "../link/apdu.ts";
import type { LinkFacts } from "../link/assembler.ts";
import type { Fault } from "../link/fault.ts";
import { type LinkFrame, LinkScanner } from "../link/scanner.ts";
import { isCiphered } from "./ciphered.ts";

/** What some octets are, found out without any key. */
export interface Identification {
  readonly framing: LinkFacts["framing"];
  /** What the first frame carries. */
  readonly content: "ciphered" | "notification" | "block" | "p1" | "other";
  /** Where the first frame begins. */
  readonly offset: number;
}

/**
 * Says what telegram begins first in `bytes`: its framing and what it carries. Where there is none, the first thing that
 * begins like a frame and fails a check; undefined when there is nothing of the kind.
 */
export function identify(bytes: Uint8Array): Identification | { readonly fault: Fault } | undefined {
  const scanner = new LinkScanner();
  for (const event of [...scanner.push(bytes), ...scanner.end()]) {
    if (event.kind === "damaged") return { fault: event.fault };
    if (event.kind === "frame")
      return { framing: framingOf(event.frame), content: contentOf(event.frame), offset: event.offset };
    if (event.suspect !== undefined) return { fault: event.suspect };
  }
  return undefined;
}

function framingOf({ link }: LinkFrame): LinkFacts["framing"] {
  return link === "apdu" ? "none" : link;
}

function contentOf(frame: LinkFrame): Identification["content"] {
  if (frame.link === "p1") return "p1";
  const tag = frame.information[llcLength(frame.information)];
  if (isCiphered(tag)) return "ciphered";
  if (tag === UNSOLICITED.dataNotification) return "notification";
  return tag === UNSOLICITED.generalBlockTransfer ? "block" : "other";
}
