import { existsSync, readFileSync } from "node:fs";
import { mkdir, open, rename, unlink } from "node:fs/promises";
import { dirname, join } from "node:path";
import { acquireLock } from "@meterkeep/postgres";
import { CliError } from "../error.ts";
import { asOperator } from "../keys/operator.ts";
import { fileOctets } from "../named-file.ts";
import { type Terminal, write } from "../terminal.ts";
import {
  aborted,
  begin,
  type Ceremony,
  finished,
  handedOut,
  joinSecret,
  type ShareFile,
  shareFor,
  stateOf,
  transcriptOf,
  verified,
} from "./ceremony.ts";

export interface BeginOptions {
  readonly folder: string;
  readonly purpose: string;
  readonly shares: string;
  readonly threshold: string;
}

export interface FinishOptions {
  readonly folder: string;
  readonly state?: string;
  readonly record?: true;
  readonly requester: string;
}

const FILE = "ceremony.json";
const MOST_SECRET_BYTES = 4096;
const now = (): string => new Date().toISOString();

/** `meterkeep ceremony begin` */
export async function beginCeremony(secretFile: string, options: BeginOptions, terminal: Terminal): Promise<void> {
  const { folder, purpose } = options;
  await mkdir(folder, { recursive: true, mode: 0o700 });
  using _ = alone(folder);
  if (existsSync(join(folder, FILE))) throw new CliError("option-invalid", `there is a ceremony in ${folder} already`);
  const secret = fileOctets(secretFile);
  if (secret.length === 0 || secret.length > MOST_SECRET_BYTES)
    throw new CliError("input-unreadable", `${secretFile} has no secret of at most ${MOST_SECRET_BYTES} octets`);
  const [shares, threshold] = [Number(options.shares), Number(options.threshold)];
  const ceremony = begin(secret, { purpose, shares, threshold }, now());
  secret.fill(0);
  await keep(folder, ceremony);
  await tell(terminal, ceremony, `Hand out each share: npx meterkeep ceremony share 1 --folder ${folder} --to FILE`);
}

/** `meterkeep ceremony share` */
export async function handOut(
  index: string,
  { folder, to, person }: { readonly folder: string; readonly to: string; readonly person: string },
  terminal: Terminal,
): Promise<void> {
  using _ = alone(folder);
  const ceremony = read(folder);
  const share = shareFor(ceremony, Number(index));
  // Durable with its person before it is forgotten here; what was interrupted is handed out once more.
  await put(to, `${JSON.stringify(share)}\n`);
  const next = handedOut(ceremony, share.index, person, now());
  await keep(folder, next);
  await tell(terminal, next, `${to} has share ${share.index}.`);
}

/** `meterkeep ceremony verify` */
export async function verifyShares(
  files: readonly string[],
  { folder }: { readonly folder: string },
  terminal: Terminal,
): Promise<void> {
  using _ = alone(folder);
  const next = verified(read(folder), files.map(readShare), now());
  await keep(folder, next);
  await tell(terminal, next, `Proven so far: ${next.proven.join(", ")}.`);
}

/** `meterkeep ceremony finish` */
export async function finishCeremony(
  { folder, state, record, requester }: FinishOptions,
  terminal: Terminal,
): Promise<void> {
  using _ = alone(folder);
  const before = read(folder);
  // Ended before, and interrupted: what follows is done again.
  const ceremony = stateOf(before) === "finished" ? before : finished(before, now());
  await keep(folder, ceremony);
  const { text, hash } = transcriptOf(ceremony);
  await put(join(folder, "transcript.json"), text);
  await tell(terminal, ceremony, `transcript.json has what happened; its SHA-384 is ${hash}.`);
  if (record !== true) return;
  const body = JSON.stringify({ ceremony: ceremony.id, purpose: ceremony.purpose, transcript: hash });
  const planned = await asOperator(state, terminal, (custodian) =>
    custodian.planChange({ kind: "ceremony", body, requester, reason: "the transcript of a ceremony" }),
  );
  await write(terminal.stdout, `Who was there signs it into the ledger: npx meterkeep approve ${planned.hash}\n`);
}

/** `meterkeep ceremony abort` */
export async function abortCeremony({ folder }: { readonly folder: string }, terminal: Terminal): Promise<void> {
  using _ = alone(folder);
  const next = aborted(read(folder), now());
  await keep(folder, next);
  await tell(terminal, next, "Nothing old may be removed.");
}

/** `meterkeep ceremony restore` */
export async function restoreSecret(
  files: readonly string[],
  { folder, to }: { readonly folder: string; readonly to: string },
  terminal: Terminal,
): Promise<void> {
  const secret = joinSecret(read(folder), files.map(readShare));
  await put(to, secret);
  secret.fill(0);
  await write(terminal.stdout, `${to} has the secret.\n`);
}

/** One step at a time, whoever takes it: two that start from one state would forget each other's. @throws PostgresError `already-running` */
function alone(folder: string): Disposable {
  const lock = acquireLock(join(folder, "ceremony.lock"), `the ceremony in ${folder}`);
  return { [Symbol.dispose]: lock.release };
}

/**
 * The secret of a ceremony that is finished, from enough of its shares, and who had them. It is in memory only; whoever
 * asks for it zeroes it.
 *
 * @throws CliError `option-invalid`, `input-unreadable`
 */
export function secretOfHolders(
  folder: string,
  files: readonly string[],
): { readonly secret: Uint8Array; readonly holders: readonly string[] } {
  const ceremony = read(folder);
  if (stateOf(ceremony) !== "finished")
    throw new CliError("option-invalid", `the ceremony in ${folder} is ${stateOf(ceremony)}: finish it first`);
  const shares = files.map(readShare);
  const secret = joinSecret(ceremony, shares);
  const holders = shares.map(({ index }) => {
    const handed = ceremony.transcript.findLast((one) => one.step === "handed-out" && one.index === index);
    return handed?.step === "handed-out" ? handed.to : `share ${index}`;
  });
  return { secret, holders };
}

function read(folder: string): Ceremony {
  try {
    const ceremony = JSON.parse(readFileSync(join(folder, FILE), "utf8")) as Ceremony;
    if (ceremony.format === "meterkeep-ceremony-1") return ceremony;
  } catch (cause) {
    throw new CliError("input-unreadable", `there is no ceremony in ${folder}`, { cause });
  }
  throw new CliError("input-unreadable", `${folder}/${FILE} is no ceremony`);
}

function readShare(file: string): ShareFile {
  try {
    const share = JSON.parse(readFileSync(file, "utf8")) as ShareFile;
    if (share.format === "meterkeep-share-1" && /^[0-9a-f]+$/.test(share.octets)) return share;
  } catch (cause) {
    throw new CliError("input-unreadable", `${file} is no share`, { cause });
  }
  throw new CliError("input-unreadable", `${file} is no share`);
}

const keep = (folder: string, ceremony: Ceremony): Promise<void> =>
  put(join(folder, FILE), `${JSON.stringify(ceremony)}\n`);

/** Whole or not at all, and durable. A draft may hold shares: what somebody left who was killed goes with the next one. */
async function put(path: string, content: string | Uint8Array): Promise<void> {
  const draft = `${path}.draft`;
  await unlink(draft).catch(() => undefined);
  const file = await open(draft, "wx", 0o600);
  try {
    await file.writeFile(content);
    await file.sync();
  } catch (error) {
    await unlink(draft).catch(() => undefined);
    throw error;
  } finally {
    await file.close();
  }
  await rename(draft, path);
  const folder = await open(dirname(path), "r");
  await folder.sync();
  await folder.close();
}

async function tell(terminal: Terminal, ceremony: Ceremony, text: string): Promise<void> {
  const { id, threshold, shares } = ceremony;
  await write(terminal.stdout, `Ceremony ${id}, ${threshold} of ${shares}: ${stateOf(ceremony)}. ${text}\n`);
}
