import { ShipmentRefusal } from "./refusal.ts";

/** The longest line taken, in octets: a trailer has about 4 700. */
export const MAX_LINE_BYTES = 16 * 1024;

const NEWLINE = 0x0a;

/**
 * Cuts octets into lines without their `\n`, one at a time whatever the chunks.
 *
 * @throws ShipmentRefusal `shipment-line-too-long`, and `shipment-truncated` when the octets do not end with `\n`.
 */
export async function* linesOf(chunks: AsyncIterable<Uint8Array> | Iterable<Uint8Array>): AsyncGenerator<Uint8Array> {
  let held: Uint8Array = new Uint8Array(0);
  let line = 0;
  for await (const chunk of chunks) {
    let rest = chunk;
    for (let end = rest.indexOf(NEWLINE); end >= 0; end = rest.indexOf(NEWLINE)) {
      yield whole(held, rest.subarray(0, end), line);
      held = new Uint8Array(0);
      rest = rest.subarray(end + 1);
      line += 1;
    }
    if (rest.length > 0) held = whole(held, rest, line).slice();
  }
  if (held.length > 0)
    throw new ShipmentRefusal("shipment-truncated", line, `line ${line} does not end: the file is cut off`);
}

function whole(held: Uint8Array, more: Uint8Array, line: number): Uint8Array {
  if (held.length + more.length > MAX_LINE_BYTES)
    throw new ShipmentRefusal("shipment-line-too-long", line, `line ${line} is over ${MAX_LINE_BYTES} octets`);
  return held.length === 0 ? more : Buffer.concat([held, more]);
}
