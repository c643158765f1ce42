import { NO_BYTES } from "../bytes.ts";
import { type BareFrame, recogniseBlock, recogniseCiphered, startsApdu } from "./apdu.ts";
import type { Fault } from "./fault.ts";
import { HDLC_FLAG, type HdlcFrame, recogniseHdlc } from "./hdlc.ts";
import { Opening } from "./opening.ts";
import { finishP1, type P1Frame, type P1Header, recogniseP1 } from "./p1.ts";
import type { Place, Recognition } from "./scan.ts";
import { type MbusFrame, recogniseMbus } from "./wired-mbus.ts";
import { recogniseWrapper, type WrapperFrame } from "./wrapper.ts";

export type LinkFrame = HdlcFrame | MbusFrame | WrapperFrame | P1Frame | BareFrame;

/** What the scanner found; offsets count from the beginning of the stream. */
export type ScanEvent =
  | { readonly kind: "frame"; readonly frame: LinkFrame; readonly offset: number; readonly length: number }
  /** Something that was meant to be a frame, and fails a check. */
  | { readonly kind: "damaged"; readonly fault: Fault; readonly offset: number }
  /** Octets that belong to no frame; `suspect` is the first thing in them that begins like one. */
  | { readonly kind: "noise"; readonly offset: number; readonly length: number; readonly suspect: Fault | undefined };

/** The most octets the scanner ever holds: the longest wrapper frame. */
export const SCANNER_LONGEST_BYTES = 65_543;

/**
 * Finds frames of any link in a stream that may begin in the middle of one, carry noise and lose octets.
 *
 * States: the scanner stands at an octet and holds what has arrived after it. It asks the recognisers of all links what
 * stands there. A frame is handed out and skipped; a fault moves it on by one octet, so that a frame behind a broken
 * length is still found; an incomplete frame makes it wait, and never for more than the frame's own length.
 *
 * Links with checksums are looked for everywhere. Wrapper and bare APDUs have none: they count only where a frame must
 * begin (at the start, after a frame, after a pause), so that the inside of a damaged frame is not taken for one.
 */
export class LinkScanner {
  #bytes: Uint8Array = NO_BYTES;
  /** Offset in the stream of the first octet held. */
  #base = 0;
  /** Index of the octet the scanner stands at. */
  #at = 0;
  #end = 0;
  /** Whether a frame must begin here. */
  #aligned = true;
  /** Whether a link with checksums has been seen: bare APDUs amid noise would be its debris. */
  #checkedLink = false;
  /** Up to here (stream offset) lie the remains of a damaged frame that has been reported. */
  #quietUntil = 0;
  #noise: { offset: number; length: number; suspect: Fault | undefined } | undefined;
  /** The octets (stream offset) without which nothing new can be said. */
  #wanted = 0;
  /** How far the last attempt at a P1 telegram has read (stream offset). */
  #p1ReadUpTo = 0;
  /** What has arrived since the beginning or the last pause, while nothing was found in it. */
  #opening = new Opening();

  /** Takes the next octets and gives what can be said now. */
  push(chunk: Uint8Array): ScanEvent[] {
    const events: ScanEvent[] = [];
    this.#opening.append(chunk);
    // Pieces keep the buffer small whatever a caller hands over at once.
    for (let start = 0; start < chunk.length; start += SCANNER_LONGEST_BYTES) {
      this.#hold(chunk.subarray(start, start + SCANNER_LONGEST_BYTES));
      if (this.#base + this.#end >= this.#wanted) this.#scan(events, false);
    }
    return events;
  }

  /**
   * Says that the sender pauses, or that the input is over: what waits for more octets will not get them, and a new
   * frame begins with the next octet.
   */
  pause(): ScanEvent[] {
    const events: ScanEvent[] = [];
    this.#scan(events, true);
    const bare = this.#opening.octets;
    const offset = this.#base + this.#end - (bare?.length ?? 0);
    if (bare === undefined) this.#endNoise(events);
    else {
      const frame: BareFrame = { link: "apdu", information: bare, informationOffset: offset };
      events.push({ kind: "frame", frame, offset, length: bare.length });
    }
    this.#base += this.#end;
    this.#bytes = NO_BYTES;
    this.#at = 0;
    this.#end = 0;
    this.#aligned = true;
    this.#wanted = 0;
    this.#quietUntil = 0;
    this.#noise = undefined;
    this.#opening = new Opening();
    return events;
  }

  /** Like {@link pause}, and what comes next may travel over another link: the next file, the next connection. */
  end(): ScanEvent[] {
    const events = this.pause();
    this.#checkedLink = false;
    return events;
  }

  #hold(chunk: Uint8Array): void {
    const kept = this.#end - this.#at;
    if (this.#end + chunk.length > this.#bytes.length) {
      // Views of former octets may be in use: the octets kept are moved into a new buffer, never within the old one.
      const grown = new Uint8Array(Math.max(2 * (kept + chunk.length), 1024));
      grown.set(this.#bytes.subarray(this.#at, this.#end));
      this.#bytes = grown;
      this.#base += this.#at;
      this.#at = 0;
      this.#end = kept;
    }
    this.#bytes.set(chunk, this.#end);
    this.#end += chunk.length;
  }

  #scan(events: ScanEvent[], over: boolean): void {
    while (this.#at < this.#end) {
      const found = this.#recognise(over);
      if (found?.kind === "more" && !over && found.need <= SCANNER_LONGEST_BYTES) {
        this.#wanted = this.#base + this.#at + found.need;
        return;
      }
      if (found?.kind === "frame") this.#accept(found.frame, found.length, events);
      else if (found?.kind === "more") this.#refuse(found.fault, this.#end - this.#at, found.certain, events);
      else if (found?.kind === "damaged") this.#refuse(found.fault, found.length, found.certain, events);
      else this.#skip(undefined);
    }
    this.#wanted = 0;
  }

  #recognise(over: boolean): Recognition<LinkFrame | P1Header> | undefined {
    const place: Place = { bytes: this.#bytes, at: this.#at, end: this.#end, base: this.#base };
    const first = place.bytes[place.at] as number;
    const offset = this.#base + this.#at;
    if (first === HDLC_FLAG && place.at + 1 === place.end && over) return undefined;
    if (first === HDLC_FLAG || first >> 4 === 0xa) {
      const found = recogniseHdlc(place);
      // Without a flag, one octet in sixteen begins like a frame: only the checks make it one, or make it suspect.
      const isSure = found?.kind === "frame" || found?.certain === true || (found?.kind === "more" && !over);
      if (found !== undefined && (first === HDLC_FLAG || isSure)) return found;
    }
    if (first === 0x68) return recogniseMbus(place);
    if (offset < this.#quietUntil) return undefined;
    if (first === 0x2f) {
      const found = recogniseP1(place, this.#p1ReadUpTo - this.#base);
      this.#p1ReadUpTo = found?.kind === "more" ? this.#base + this.#end : 0;
      return found?.kind === "more" && over ? (finishP1(place) ?? found) : found;
    }
    return this.#recogniseUnchecked(place);
  }

  #recogniseUnchecked(place: Place): Recognition<LinkFrame> | undefined {
    const wrapped = this.#aligned ? recogniseWrapper(place, startsApdu) : undefined;
    if (wrapped !== undefined) return wrapped;
    if (this.#aligned && !this.#checkedLink) return recogniseCiphered(place, true) ?? recogniseBlock(place);
    // Where a frame must begin, or in a stream that shows no other link, the name of a maker is enough.
    const mayStandAlone = this.#aligned || (!this.#checkedLink && this.#noise?.suspect === undefined);
    return mayStandAlone ? recogniseCiphered(place, false) : undefined;
  }

  #accept(frame: LinkFrame | P1Header, length: number, events: ScanEvent[]): void {
    const offset = this.#base + this.#at;
    this.#endNoise(events);
    this.#opening.giveUp();
    if (frame.link !== "p1-header") events.push({ kind: "frame", frame, offset, length });
    if (frame.link === "hdlc" || frame.link === "wired-mbus") this.#checkedLink = true;
    this.#at += length;
    this.#aligned = true;
    this.#quietUntil = 0;
  }

  #refuse(fault: Fault, length: number, certain: boolean, events: ScanEvent[]): void {
    if (!certain) {
      this.#skip(fault);
      return;
    }
    const offset = this.#base + this.#at;
    this.#endNoise(events);
    this.#opening.giveUp();
    events.push({ kind: "damaged", fault, offset });
    this.#quietUntil = Math.max(this.#quietUntil, offset + length);
    this.#aligned = false;
    // Behind its flag the same frame would be recognised, and reported, again.
    this.#at += this.#bytes[this.#at] === HDLC_FLAG ? 2 : 1;
  }

  #skip(suspect: Fault | undefined): void {
    const offset = this.#base + this.#at;
    const octet = this.#bytes[this.#at] as number;
    this.#at += 1;
    // Flags and line ends between frames are the silence of their links.
    const isFill = octet === HDLC_FLAG || octet === 0x0a || octet === 0x0d;
    if (suspect === undefined && this.#noise === undefined && isFill) return;
    this.#aligned = false;
    if (offset < this.#quietUntil) return;
    this.#noise ??= { offset, length: 0, suspect: undefined };
    this.#noise.length = offset + 1 - this.#noise.offset;
    this.#noise.suspect ??= suspect;
  }

  #endNoise(events: ScanEvent[]): void {
    if (this.#noise !== undefined) events.push({ kind: "noise", ...this.#noise });
    this.#noise = undefined;
  }
}
