import { createReadStream, createWriteStream } from "node:fs";
import { createInterface } from "node:readline";
import { finished } from "node:stream/promises";
import { type Custodian, MAX_PAGE_CERTIFICATES } from "@meterkeep/api/custodian";
import { CliError, EXIT } from "../error.ts";
import { asOperator } from "../keys/operator.ts";
import type { OperatorOptions } from "../operator/commands.ts";
import { type Terminal, type TerminalOutput, write } from "../terminal.ts";
import { hexFrom, titleFrom } from "./options.ts";

interface Line {
  readonly systemTitle: string;
  readonly profile: string;
  readonly request: string;
}

/** Pages under way at a time: the custodian signs one while the next is read. */
const UNDER_WAY = 2;

/**
 * `meterkeep pki batch`: a production line's requests in, certificates out, in their order, a page in memory at a time.
 * What one line lacks is said in its place; the others get their certificates.
 */
export async function batch(
  authorityText: string,
  from: string,
  to: string,
  options: OperatorOptions,
  terminal: Terminal,
): Promise<void> {
  const authority = hexFrom(authorityText, "the authority");
  const input = from === "-" ? terminal.stdin : createReadStream(from);
  const output: TerminalOutput = to === "-" ? terminal.stdout : createWriteStream(to, { mode: 0o644 });
  const counts = { issued: 0, refused: 0 };
  await asOperator(options.state, terminal, async (custodian) => {
    const pages: Promise<string>[] = [];
    const drain = async (most: number): Promise<void> => {
      while (pages.length > most) await write(output, await pages.shift()!);
    };
    let page: Line[] = [];
    const send = (): void => {
      if (page.length > 0) pages.push(certified(custodian, authority, page, counts));
      page = [];
    };
    let number = 0;
    for await (const text of createInterface({ input, crlfDelay: Number.POSITIVE_INFINITY })) {
      number += 1;
      if (text.trim() === "") continue;
      page.push(lineOf(text, number));
      if (page.length < MAX_PAGE_CERTIFICATES) continue;
      send();
      await drain(UNDER_WAY - 1);
    }
    send();
    await drain(0);
  });
  if (output !== terminal.stdout) {
    output.end();
    await finished(output);
  }
  await write(terminal.stderr, `${counts.issued} certificates issued, ${counts.refused} requests refused\n`);
  if (counts.refused > 0) terminal.exitStatus = EXIT.refused;
}

async function certified(
  custodian: Pick<Custodian, "issueCertificates">,
  authority: string,
  page: readonly Line[],
  counts: { issued: number; refused: number },
): Promise<string> {
  const items = page.map(({ systemTitle, profile, request }) => ({
    request: new Uint8Array(Buffer.from(request, "base64")),
    profile,
    subject: { kind: "device", systemTitle: titleFrom(systemTitle) } as const,
  }));
  const { results } = await custodian.issueCertificates({ authority, items, hosts: [] });
  return results
    .map((result, at) => {
      const { systemTitle, profile } = page[at]!;
      if (result.kind === "issued") {
        counts.issued += 1;
        const certificate = Buffer.from(result.certificate).toString("base64");
        return `${JSON.stringify({ systemTitle, profile, certificate })}\n`;
      }
      counts.refused += 1;
      return `${JSON.stringify({ systemTitle, profile, refused: result.message })}\n`;
    })
    .join("");
}

function lineOf(text: string, number: number): Line {
  try {
    const line = JSON.parse(text) as Partial<Line>;
    if (typeof line.systemTitle === "string" && typeof line.profile === "string" && typeof line.request === "string")
      return line as Line;
  } catch {
    // Said below, with the number of the line.
  }
  throw new CliError("input-unreadable", `line ${number} is no {"systemTitle", "profile", "request"}`);
}
