import {
  collectOutcomes,
  createTelegramMemory,
  type KeptTelegramMemory,
  TelegramDecoder,
  type TelegramOptions,
  type TelegramOutcome,
} from "@meterkeep/dlms";
import { METER_SERIAL_SETTINGS, parseSerialSettings } from "@meterkeep/dlms-node";
import { CliError, EXIT } from "../error.ts";
import { type Terminal, write } from "../terminal.ts";
import { openInputs, readWhole, type TelegramInput } from "./input.ts";
import { type KeyOptions, type KeySource, openKeys } from "./keys.ts";
import { chooseLayout, listLayouts } from "./layout-option.ts";
import { decodeLive } from "./live.ts";
import { openMemoryFile } from "./memory-file.ts";
import { Report } from "./report.ts";

/** The options of `meterkeep decode`. */
export interface DecodeOptions extends KeyOptions {
  readonly layout?: string;
  readonly listLayouts?: boolean;
  readonly json?: boolean;
  readonly remember?: string;
  readonly systemTitle?: string;
  readonly serial?: string;
}

/** Runs `meterkeep decode`; the exit status is left on the terminal. */
export async function decode(args: readonly string[], options: DecodeOptions, terminal: Terminal): Promise<void> {
  if (options.listLayouts === true) return write(terminal.stdout, listLayouts());
  const serial = options.serial === undefined ? METER_SERIAL_SETTINGS : parseSerialSettings(options.serial);
  if (serial === undefined)
    throw new CliError("option-invalid", `--serial ${options.serial}: write for instance 2400-8E1`);
  const inputs = openInputs(args, terminal, serial);
  const readsStdin = args.length === 0 || args[0] === "-";
  const keys = await openKeys(options, terminal, readsStdin);
  const file = options.remember === undefined ? undefined : openMemoryFile(options.remember);
  const decoderOptions: TelegramOptions = {
    ...chooseLayout(options.layout),
    keys: keys.ring,
    ...(options.systemTitle === undefined ? {} : { systemTitle: readTitle(options.systemTitle) }),
  };
  if (readsStdin && terminal.stdin.isTTY === true)
    await write(terminal.stderr, "Paste the telegram as hex or P1 text, then press Ctrl-D.\n");
  const report = new Report(terminal, { json: options.json === true, namesInputs: inputs.length > 1 });
  const isLive = inputs.some((input) => input.isLive);
  if (isLive) {
    const memory = file?.memory ?? createTelegramMemory();
    const context = { options: { ...decoderOptions, memory }, keys, report, save: () => file?.save(), terminal };
    await Promise.all(inputs.map((input) => decodeLive(input, context)));
  } else await decodeWhole(inputs, { options: decoderOptions, keys, report, memory: file?.memory, terminal });
  file?.save();
  terminal.exitStatus = readsStdin || !isLive ? report.status : report.telegrams > 0 ? EXIT.ok : EXIT.refused;
}

interface WholeContext {
  readonly options: TelegramOptions;
  readonly keys: KeySource;
  readonly report: Report;
  readonly memory: KeptTelegramMemory | undefined;
  readonly terminal: Terminal;
}

/** Decodes inputs that have an end; when keys are missing and somebody can be asked, once more with the answer. */
async function decodeWhole(inputs: readonly TelegramInput[], context: WholeContext): Promise<void> {
  const { options, keys, report, memory, terminal } = context;
  const parts: Part[] = [];
  for (const input of inputs) parts.push({ name: input.name, octets: await readWhole(input, terminal.interrupted) });
  // The first run must leave no trace in the memory when there may be a second.
  const scratch = () => (memory === undefined ? createTelegramMemory() : createTelegramMemory(memory.snapshot()));
  const locked = decodeParts(parts, { ...options, memory: scratch() }).some(isKeyNeeded);
  if (locked) await keys.ask();
  const outcomes = decodeParts(parts, { ...options, memory: memory ?? createTelegramMemory() });
  const length = parts.reduce((sum, { octets }) => sum + octets.length, 0);
  await report.add(collectOutcomes(outcomes, length), (offset) => placeIn(parts, offset));
}

interface Part {
  readonly name: string;
  readonly octets: Uint8Array;
}

/** One decoder for all inputs, so that a forgery in one of them is known by its sibling in another. */
function decodeParts(parts: readonly Part[], options: TelegramOptions): TelegramOutcome[] {
  const decoder = new TelegramDecoder(options);
  return parts.flatMap(({ octets }) => [...decoder.push(octets), ...decoder.end()]);
}

/** Which input an offset lies in, and where. */
function placeIn(parts: readonly Part[], offset: number): { readonly input: string; readonly offset: number } {
  let start = 0;
  for (const [index, { name, octets }] of parts.entries()) {
    if (offset < start + octets.length || index === parts.length - 1) return { input: name, offset: offset - start };
    start += octets.length;
  }
  return { input: "", offset };
}

function isKeyNeeded(outcome: TelegramOutcome): boolean {
  return outcome.kind === "refused" && outcome.refusal.code === "key-needed";
}

function readTitle(text: string): Uint8Array {
  const digits = text.replace(/[\s:-]/g, "");
  if (!/^[0-9A-Fa-f]{16}$/.test(digits)) throw new CliError("option-invalid", "--system-title must be 16 hex digits");
  return Uint8Array.from(Buffer.from(digits, "hex"));
}
