import { createReadStream, createWriteStream, existsSync } from "node:fs";
import { truncate } from "node:fs/promises";
import { createInterface } from "node:readline";
import { finished } from "node:stream/promises";
import { type Custodian, type CustodianRequest, MAX_PAGE_CERTIFICATES } from "@meterkeep/api/custodian";
import { DlmsError, systemTitleText, toHex } from "@meterkeep/dlms";
import { keyIdentifier, openRequest, PkiError, PROFILES } from "@meterkeep/pki";
import { CliError, EXIT } from "../error.ts";
import { asOperator } from "../keys/operator.ts";
import { openFile } from "../named-file.ts";
import type { OperatorOptions } from "../operator/options.ts";
import { type Terminal, type TerminalOutput, write } from "../terminal.ts";
import { hexFrom, titleFrom } from "./options.ts";

interface Line {
  readonly systemTitle: string;
  readonly profile: string;
  readonly request: string;
  /** The type of the device, where its profile names it. */
  readonly hwType?: string;
}

type Item = CustodianRequest<"issueCertificates">["items"][number];

/** Pages under way at a time: the custodian signs one while the next is read. */
const UNDER_WAY = 2;

/**
 * `meterkeep pki batch`: a production line's requests in, certificates out, in their order, a page in memory at a time.
 * What one line lacks is said in its place; the others get their certificates. With `resume` a run that was cut goes on
 * behind the last whole line of its output. What the custodian had certified of the pages that were under way then is in no
 * output: it is found again by its key, so that no key is certified twice.
 */
export async function batch(
  authorityText: string,
  from: string,
  to: string,
  options: OperatorOptions & { readonly resume?: boolean },
  terminal: Terminal,
): Promise<void> {
  const authority = hexFrom(authorityText, "the authority");
  const answered = options.resume === true ? await wholeLines(to) : 0;
  const input = from === "-" ? terminal.stdin : (await openFile(from)).createReadStream();
  const flags = options.resume === true ? "a" : "w";
  const output: TerminalOutput = to === "-" ? terminal.stdout : createWriteStream(to, { mode: 0o644, flags });
  const counts = { issued: 0, refused: 0 };
  await asOperator(options.state, terminal, async (custodian) => {
    const pages: Promise<string>[] = [];
    let pagesToSeek = options.resume === true ? UNDER_WAY : 0;
    const drain = async (most: number): Promise<void> => {
      while (pages.length > most) await write(output, await pages.shift()!);
    };
    let page: Line[] = [];
    const send = (): void => {
      if (page.length > 0) {
        const answered = certified(custodian, authority, page, counts, pagesToSeek > 0);
        pagesToSeek -= 1;
        // Awaited in its turn; what fails before that is not a failure that nobody hears of.
        answered.catch(() => undefined);
        pages.push(answered);
      }
      page = [];
    };
    let [number, lines] = [0, 0];
    for await (const text of createInterface({ input, crlfDelay: Number.POSITIVE_INFINITY })) {
      number += 1;
      if (text.trim() === "") continue;
      lines += 1;
      if (lines <= answered) continue;
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

/**
 * Certifies a page: what was answered, a line each, in the order of the page.
 *
 * @param isSought whether some of it may have been certified by a run before, whose output does not have it
 */
export async function certified(
  custodian: Pick<Custodian, "issueCertificates" | "searchCertificates">,
  authority: string,
  page: readonly Line[],
  counts: { issued: number; refused: number },
  isSought = false,
): Promise<string> {
  const asked: (Item | Found | { readonly message: string })[] = page.map(itemOf);
  if (isSought)
    for (const [at, one] of asked.entries())
      if ("profile" in one) asked[at] = (await certifiedBefore(custodian, authority, one)) ?? one;
  const items = asked.flatMap((one) => ("profile" in one ? [one] : []));
  const { results } =
    items.length === 0 ? { results: [] } : await custodian.issueCertificates({ authority, items, hosts: [] });
  let next = 0;
  return asked
    .map((one, at) => {
      const result =
        "profile" in one ? results[next++]! : "certificate" in one ? one : { kind: "refused" as const, ...one };
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

interface Found {
  readonly kind: "issued";
  readonly certificate: Uint8Array;
}

/** The certificate that a run before had of this authority for the same key, device and profile; undefined where there is none. */
async function certifiedBefore(
  custodian: Pick<Custodian, "searchCertificates">,
  authority: string,
  { request, profile, subject }: Item,
): Promise<Found | undefined> {
  const kind = PROFILES.get(profile);
  const key = kind && keyOf(request, kind.keyIdentifier);
  if (key === undefined || subject.kind !== "device") return undefined;
  const title = systemTitleText(subject.systemTitle);
  // Subjects in subjectAltName alone are in the registry by their system title as well.
  const all = { utility: undefined, serial: undefined, subject: undefined, endsBefore: undefined, after: undefined };
  const query = { ...all, authority, systemTitle: title, keyIdentifier: key, state: "valid", limit: 10 } as const;
  const { certificates } = await custodian.searchCertificates(query);
  const found = certificates.find((one) => one.profile === profile)?.certificate;
  return found && { kind: "issued", certificate: found };
}

/** The identifier of the key in a request; undefined where it is none, which the custodian will say. */
function keyOf(request: Uint8Array, form: Parameters<typeof keyIdentifier>[1]): string | undefined {
  try {
    return toHex(keyIdentifier(openRequest(request).publicKey, form));
  } catch (error) {
    if (error instanceof DlmsError || error instanceof PkiError) return undefined;
    throw error;
  }
}

/** Lines of the output of a run that was cut; the one that it was cut in is taken away. @throws CliError `option-invalid` */
export async function wholeLines(path: string): Promise<number> {
  if (path === "-") throw new CliError("option-invalid", "--resume goes on in a file, not in the standard output");
  if (!existsSync(path)) return 0;
  let [count, end, at] = [0, 0, 0];
  for await (const chunk of createReadStream(path) as AsyncIterable<Buffer>) {
    for (let found = chunk.indexOf(10); found >= 0; found = chunk.indexOf(10, found + 1)) {
      count += 1;
      end = at + found + 1;
    }
    at += chunk.length;
  }
  await truncate(path, end);
  return count;
}

/** What is ordered by a line; what is wrong with it where that shows here. */
function itemOf({ systemTitle, profile, request, hwType }: Line): Item | { readonly message: string } {
  try {
    const subject = { kind: "device", systemTitle: titleFrom(systemTitle), hwType } as const;
    return { request: new Uint8Array(Buffer.from(request, "base64")), profile, subject };
  } catch (error) {
    if (!(error instanceof CliError)) throw error;
    return { message: error.message };
  }
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
