import type { FileHandle } from "node:fs/promises";

const CHUNK_OCTETS = 1 << 16;
/** Lines that are judged together. */
const AT_ONCE = 512;
/** No journal has a line so long: somebody else has written it, and it is not kept in memory. */
const MOST_LINE_OCTETS = 64 * 1024 * 1024;
/** `MAC NUMBER LINK JSON`. */
const LINE = /^(\S+) (\d{1,15}) ([A-Za-z0-9+/]{43}=) (.*)$/s;
const LINE_FEED = 0x0a;

/** A line of an authentic journal, as it stands in its file: one that is none has no MAC, no number, and says nothing. */
export interface JournalLine {
  /** From 1, of those of the file that are read. */
  readonly line: number;
  /** Its first octet in the file, and the one after its last. */
  readonly from: number;
  readonly end: number;
  readonly mac: string;
  /** What the MAC is of. */
  readonly bound: string;
  readonly json: string;
  /** Its number, from 1, and the link of the line before it. */
  readonly number: number;
  readonly previous: string;
}

/** What the MAC of a line is of. */
export function boundText(number: number, previous: string, json: string): string {
  return `${number} ${previous} ${json}`;
}

/**
 * The lines between two places of a file, in order, empty ones left out; each octet is looked at once, however long its line is.
 *
 * @param most octets of a line that are kept: a longer one has no MAC and says nothing
 */
export async function* journalLines(
  handle: FileHandle,
  from: number,
  end: number,
  most = MOST_LINE_OCTETS,
): AsyncGenerator<readonly JournalLine[]> {
  let lines: JournalLine[] = [];
  let line = 0;
  let at = from;
  let pieces: Buffer[] = [];
  let length = 0;
  const add = (piece: Buffer): void => {
    length += piece.length;
    if (length > most) pieces = [];
    else if (piece.length > 0) pieces.push(piece);
  };
  const take = (): void => {
    line += 1;
    const text = length > most ? "" : Buffer.concat(pieces).toString("utf8");
    if (length > 0) lines.push(lineOf(text, line, at, at + length));
    at += length + 1;
    [pieces, length] = [[], 0];
  };
  for (let read = from; read < end; ) {
    const chunk = Buffer.alloc(Math.min(CHUNK_OCTETS, end - read));
    const { bytesRead } = await handle.read(chunk, 0, chunk.length, read);
    if (bytesRead === 0) break;
    read += bytesRead;
    const octets = chunk.subarray(0, bytesRead);
    let begin = 0;
    for (let feed = octets.indexOf(LINE_FEED); feed >= 0; feed = octets.indexOf(LINE_FEED, begin)) {
      add(octets.subarray(begin, feed));
      take();
      begin = feed + 1;
    }
    add(octets.subarray(begin));
    if (lines.length < AT_ONCE) continue;
    yield lines;
    lines = [];
  }
  take();
  if (lines.length > 0) yield lines;
}

function lineOf(text: string, line: number, from: number, end: number): JournalLine {
  const [, mac = "", digits = "0", previous = "", json = ""] = LINE.exec(text) ?? [];
  const number = Number(digits);
  return { line, from, end, mac, number, previous, json, bound: boundText(number, previous, json) };
}
