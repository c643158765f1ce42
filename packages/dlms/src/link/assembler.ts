import { DecodeError } from "../errors.ts";
import { llcLength, startsApdu, UNSOLICITED } from "./apdu.ts";
import { BlockTransfer, LONGEST_TRANSFER_BYTES, readBlock } from "./block-transfer.ts";
import type { Fault } from "./fault.ts";
import type { HdlcFrame } from "./hdlc.ts";
import type { P1Checksum, P1Frame } from "./p1.ts";
import { joinPieces, lengthOf, type Piece, withoutFirst } from "./pieces.ts";
import type { LinkFrame, ScanEvent } from "./scanner.ts";
import type { MbusFrame } from "./wired-mbus.ts";

/** How a telegram travelled. */
export interface LinkFacts {
  readonly framing: "hdlc" | "wired-mbus" | "wrapper" | "p1" | "none";
  /** Frames it took. */
  readonly frames: number;
  /** Blocks of a general block transfer it took, 0 without one. */
  readonly blocks: number;
  /** Addresses as on the wire: HDLC octets in hex, M-Bus selectors or wrapper ports as numbers. */
  readonly source: string | undefined;
  readonly destination: string | undefined;
  /** The length field of an M-Bus frame said 256 less than there was. */
  readonly lengthOverflowed: boolean;
  /** What the checksum of a P1 telegram says. */
  readonly checksum: P1Checksum | undefined;
}

/** Octets that a link has delivered whole. */
export type Delivery =
  | { readonly kind: "apdu"; readonly pieces: readonly Piece[]; readonly offset: number; readonly link: LinkFacts }
  | { readonly kind: "text"; readonly frame: P1Frame; readonly offset: number; readonly link: LinkFacts }
  | { readonly kind: "fault"; readonly fault: Fault }
  | {
      readonly kind: "noise";
      readonly offset: number;
      readonly length: number;
      readonly suspect: Fault | undefined;
    };

interface Pending {
  readonly facts: LinkFacts;
  readonly pieces: Piece[];
  readonly offset: number;
  frames: number;
  octets: number;
}

interface Transfer {
  readonly blocks: BlockTransfer;
  frames: number;
  offset: number;
}

/** Senders whose block transfers are followed at once: more than that on one line is an attack on memory. */
const MOST_TRANSFERS = 8;

/**
 * Turns frames into whole APDUs: joins HDLC and M-Bus segments, strips LLC headers, and puts block transfers together.
 *
 * Segments carry no number that tells a gap (HDLC) or only a small one (M-Bus), so anything between two segments that is
 * not a frame ends the series; blocks are numbered, so a transfer survives noise.
 */
export class Assembler {
  #segments: Pending | undefined;
  #nextSequence = 0;
  readonly #transfers = new Map<string, Transfer>();

  take(event: ScanEvent): Delivery[] {
    switch (event.kind) {
      case "damaged":
        this.#segments = undefined;
        return [{ kind: "fault", fault: event.fault }];
      case "noise":
        return [...this.#endSegments(`${event.length} octets of noise came between`), event];
      case "frame":
        return this.#takeFrame(event.frame, event.offset);
      default:
        return event satisfies never;
    }
  }

  /** Gives up what is incomplete: the input is over. */
  end(): Delivery[] {
    const deliveries = this.#endSegments("the input ended");
    for (const transfer of this.#transfers.values()) {
      const fault = transfer.blocks.abandon();
      if (fault !== undefined) deliveries.push({ kind: "fault", fault });
    }
    this.#transfers.clear();
    return deliveries;
  }

  #takeFrame(frame: LinkFrame, offset: number): Delivery[] {
    switch (frame.link) {
      case "p1":
        return [{ kind: "text", frame, offset, link: facts({ framing: "p1", checksum: frame.checksum }) }];
      case "hdlc":
        return this.#takeHdlc(frame, offset);
      case "wired-mbus":
        return this.#takeMbus(frame, offset);
      case "wrapper": {
        const link = facts({
          framing: "wrapper",
          source: String(frame.source),
          destination: String(frame.destination),
        });
        return this.#deliver([pieceOf(frame)], offset, link);
      }
      case "apdu":
        return this.#deliver([pieceOf(frame)], offset, facts({ framing: "none" }));
      default:
        return frame satisfies never;
    }
  }

  #takeHdlc(frame: HdlcFrame, offset: number): Delivery[] {
    if (frame.information.length === 0) return [];
    const link = facts({ framing: "hdlc", source: frame.source, destination: frame.destination });
    const begins = llcLength(frame.information) > 0;
    const deliveries = begins ? this.#endSegments("another telegram began") : [];
    const isContinued =
      this.#segments?.facts.framing === "hdlc" &&
      this.#segments.facts.source === link.source &&
      this.#segments.facts.destination === link.destination;
    if (!isContinued && !begins) {
      deliveries.push(...this.#endSegments("a frame of another sender came"));
      if (frame.segmented || !startsApdu(frame.information[0]!)) {
        const message = `the HDLC frame at ${offset} continues a telegram whose beginning is not there`;
        return [...deliveries, { kind: "fault", fault: { code: "segment-missing", offset, message } }];
      }
    }
    return [...deliveries, ...this.#addSegment(pieceOf(frame), offset, link, !frame.segmented)];
  }

  #takeMbus(frame: MbusFrame, offset: number): Delivery[] {
    const link = facts({
      framing: "wired-mbus",
      source: String(frame.source),
      destination: String(frame.destination),
      lengthOverflowed: frame.lengthOverflowed,
    });
    const deliveries = frame.sequence === 0 ? this.#endSegments("another telegram began") : [];
    const expected = this.#segments === undefined ? 0 : this.#nextSequence;
    if (frame.sequence !== expected) {
      const message = `M-Bus segment ${frame.sequence} came where segment ${expected} should be`;
      this.#segments = undefined;
      return [...deliveries, { kind: "fault", fault: { code: "segment-missing", offset, message } }];
    }
    this.#nextSequence = (frame.sequence + 1) & 0x0f;
    return [...deliveries, ...this.#addSegment(pieceOf(frame), offset, link, frame.last)];
  }

  #addSegment(piece: Piece, offset: number, link: LinkFacts, last: boolean): Delivery[] {
    const pending = this.#segments ?? { facts: link, pieces: [], offset, frames: 0, octets: 0 };
    pending.pieces.push(piece);
    pending.frames += 1;
    pending.octets += piece.octets.length;
    if (pending.octets > LONGEST_TRANSFER_BYTES) {
      this.#segments = undefined;
      const message = `more than ${LONGEST_TRANSFER_BYTES} octets in segments`;
      return [{ kind: "fault", fault: { code: "transfer-too-long", offset: pending.offset, message } }];
    }
    this.#segments = last ? undefined : pending;
    if (!last) return [];
    const lengthOverflowed = pending.facts.lengthOverflowed || link.lengthOverflowed;
    return this.#deliver(pending.pieces, pending.offset, { ...link, frames: pending.frames, lengthOverflowed });
  }

  #endSegments(why: string): Delivery[] {
    const pending = this.#segments;
    this.#segments = undefined;
    if (pending === undefined) return [];
    const message = `the telegram that began at ${pending.offset} is incomplete after ${pending.frames} frames: ${why}`;
    return [{ kind: "fault", fault: { code: "segment-missing", offset: pending.offset, message } }];
  }

  /** Hands an APDU on, or a block of one to its transfer. */
  #deliver(whole: readonly Piece[], offset: number, link: LinkFacts): Delivery[] {
    const pieces = withoutFirst(whole, llcLength(joinPieces(whole)));
    if (pieces[0]?.octets[0] !== UNSOLICITED.generalBlockTransfer) return [{ kind: "apdu", pieces, offset, link }];
    const deliveries: Delivery[] = [];
    let rest: readonly Piece[] = pieces;
    while (rest[0]?.octets[0] === UNSOLICITED.generalBlockTransfer) {
      const before = lengthOf(rest);
      try {
        const block = readBlock(rest);
        deliveries.push(...this.#takeBlock(block, rest === pieces ? offset : rest[0].offset, link));
        rest = withoutFirst(rest, before - block.rest);
        rest = withoutFirst(rest, llcLength(joinPieces(rest)));
      } catch (error) {
        if (!(error instanceof DecodeError)) throw error;
        const message = `the block at ${rest[0]?.offset} is malformed: ${error.message}`;
        return [...deliveries, { kind: "fault", fault: { code: "block-malformed", offset, message } }];
      }
    }
    return deliveries;
  }

  #takeBlock(block: ReturnType<typeof readBlock>, offset: number, link: LinkFacts): Delivery[] {
    const sender = `${link.framing} ${link.source} ${link.destination}`;
    const transfer = this.#transfers.get(sender) ?? this.#openTransfer(sender);
    if (block.number === 1) {
      transfer.frames = 0;
      transfer.offset = offset;
    }
    transfer.frames += link.frames;
    const deliveries: Delivery[] = [];
    for (const step of transfer.blocks.take(block, offset)) {
      if (step.kind === "fault") deliveries.push({ kind: "fault", fault: step.fault });
      if (step.kind === "complete") {
        const whole = { ...link, frames: transfer.frames, blocks: step.blocks };
        deliveries.push({ kind: "apdu", pieces: step.pieces, offset: transfer.offset, link: whole });
      }
    }
    return deliveries;
  }

  #openTransfer(sender: string): Transfer {
    const oldest = this.#transfers.size >= MOST_TRANSFERS ? this.#transfers.keys().next().value : undefined;
    if (oldest !== undefined) this.#transfers.delete(oldest);
    const transfer = { blocks: new BlockTransfer(), frames: 0, offset: 0 };
    this.#transfers.set(sender, transfer);
    return transfer;
  }
}

function pieceOf(frame: { readonly information: Uint8Array; readonly informationOffset: number }): Piece {
  return { octets: frame.information, offset: frame.informationOffset };
}

function facts(known: Partial<LinkFacts> & Pick<LinkFacts, "framing">): LinkFacts {
  return {
    frames: 1,
    blocks: 0,
    source: undefined,
    destination: undefined,
    lengthOverflowed: false,
    checksum: undefined,
    ...known,
  };
}
