/** Octets as a hex dump: 16 a line, the offset before, printable ASCII after. */

export interface DumpLine {
  readonly offset: string;
  readonly hex: string;
  readonly text: string;
}

const PER_LINE = 16;

export function hexDump(hex: string): readonly DumpLine[] {
  const octets = hex.match(/../g) ?? [];
  const lines: DumpLine[] = [];
  for (let at = 0; at < octets.length; at += PER_LINE) {
    const part = octets.slice(at, at + PER_LINE);
    lines.push({
      offset: at.toString(16).toUpperCase().padStart(4, "0"),
      hex: part.join(" "),
      text: part.map((octet) => printable(Number.parseInt(octet, 16))).join(""),
    });
  }
  return lines;
}

function printable(octet: number): string {
  return octet >= 0x20 && octet < 0x7f ? String.fromCharCode(octet) : "·";
}
