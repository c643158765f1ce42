const LINE_FEED = 0x0a;

/**
 * Cuts octets into lines. Each line comes with one octet before it, which is its own to write to: so that a leaf can be
 * hashed behind its 0x00 without being copied.
 */
export async function* linesOf(chunks: AsyncIterable<Uint8Array> | Iterable<Uint8Array>): AsyncGenerator<Buffer[]> {
  let rest = Buffer.alloc(1);
  for await (const chunk of chunks) {
    const octets = Buffer.concat([rest, chunk]);
    const lines: Buffer[] = [];
    let before = 0;
    for (;;) {
      const end = octets.indexOf(LINE_FEED, before + 1);
      if (end < 0) break;
      lines.push(octets.subarray(before, end));
      before = end;
    }
    rest = octets.subarray(before);
    if (rest.length > MOST_OCTETS) throw new RangeError(`a line is longer than ${MOST_OCTETS} octets`);
    if (lines.length > 0) yield lines;
  }
  if (rest.length > 1) yield [rest];
}

/** The longest line: an entry's body has at most 64 KiB, a checkpoint's notes less than a mebibyte. */
const MOST_OCTETS = 1024 * 1024;
