import type { DecodedTelegrams, Refusal } from "@meterkeep/dlms";
import { EXIT, type ExitStatus } from "../error.ts";
import { mayColour, type Terminal, write } from "../terminal.ts";
import { refusalAsJson, refusalAsText, telegramAsJson, telegramAsText } from "./print.ts";

/** Where in which input something stood. */
export type Placing = (offset: number) => { readonly input: string; readonly offset: number };

/** Prints what was decoded, telegrams to standard output and refusals to standard error, and counts both. */
export class Report {
  readonly #terminal: Terminal;
  readonly #json: boolean;
  readonly #namesInputs: boolean;
  #telegrams = 0;
  #refusals = 0;

  constructor(terminal: Terminal, options: { readonly json: boolean; readonly namesInputs: boolean }) {
    this.#terminal = terminal;
    this.#json = options.json;
    this.#namesInputs = options.namesInputs;
  }

  /** Telegrams printed so far. */
  get telegrams(): number {
    return this.#telegrams;
  }

  /** 0 when everything was decoded, 1 when something was refused. */
  get status(): ExitStatus {
    return this.#refusals === 0 ? EXIT.ok : EXIT.refused;
  }

  async add({ telegrams, refusals, noise }: DecodedTelegrams, placing: Placing): Promise<void> {
    const { stdout, stderr } = this.#terminal;
    this.#telegrams += telegrams.length;
    this.#refusals += refusals.length;
    for (const telegram of telegrams) {
      const { input, offset } = placing(telegram.link.offset);
      const placed = { ...telegram, link: { ...telegram.link, offset } };
      const name = this.#namesInputs ? input : undefined;
      const text = this.#json
        ? telegramAsJson(placed, name)
        : telegramAsText(placed, name, mayColour(this.#terminal, stdout));
      await write(stdout, text);
    }
    for (const refusal of refusals) await write(stderr, this.#refusalText(refusal, placing));
    const skipped = noise.reduce((sum, { length }) => sum + length, 0);
    if (skipped > 0 && !this.#json && telegrams.length > 0)
      await write(stderr, `meterkeep: ${skipped} octets belong to no telegram and were skipped\n`);
  }

  #refusalText(refusal: Refusal, placing: Placing): string {
    const { input, offset } = placing(refusal.offset);
    const placed = { ...refusal, offset };
    const name = this.#namesInputs ? input : undefined;
    return this.#json ? refusalAsJson(placed, name) : refusalAsText(placed, name);
  }
}
