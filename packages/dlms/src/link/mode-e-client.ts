import { LineError } from "./line-error.ts";
import {
  acknowledgementOctets,
  BAUD_RATES,
  type BaudCharacter,
  hdlcLine,
  type LineSettings,
  OPENING_LINE,
  OpeningLines,
  type PortIdentification,
  readAcknowledgement,
  readIdentification,
  signOnOctets,
} from "./mode-e.ts";

export interface ModeEClientOptions {
  /** The device on a shared port; any unless given. */
  readonly deviceAddress?: string;
  /** The highest speed that this side can do; 19 200 unless given. The meter's own is chosen when it is lower. */
  readonly maxBaudRate?: number;
  /** Asks for HDLC although the identification does not offer it: some meters have it and do not say so. */
  readonly assumesModeE?: boolean;
  /** Milliseconds to wait for the identification; 3 000 unless given. */
  readonly responseTimeoutMilliseconds?: number;
  /** How often the sign-on is repeated; 2 unless given. */
  readonly retries?: number;
  /** Milliseconds to wait for the meter's acknowledgement, which some do not send; 1 500 unless given. */
  readonly acknowledgeMilliseconds?: number;
}

export type ModeEClientEvent =
  | { readonly kind: "start" }
  | { readonly kind: "octets"; readonly octets: Uint8Array }
  /** `deadline` has passed. */
  | { readonly kind: "time" };

export type ModeEClientAction =
  /** Sets the line, after all that was sent has left. */
  | { readonly kind: "line"; readonly settings: LineSettings }
  | { readonly kind: "transmit"; readonly octets: Uint8Array }
  /** The line speaks HDLC from here on. */
  | { readonly kind: "opened"; readonly identification: PortIdentification; readonly baudRate: number }
  | { readonly kind: "failed"; readonly error: LineError };

type State =
  | { readonly kind: "idle" }
  | { readonly kind: "identifying" }
  | { readonly kind: "acknowledging"; readonly identification: PortIdentification; readonly baud: BaudCharacter }
  | { readonly kind: "over" };

const DEFAULTS = { maxBaudRate: 19_200, responseTimeoutMilliseconds: 3000, retries: 2, acknowledgeMilliseconds: 1500 };
const START_OF_TEXT = 0x02;

/**
 * The reader's side of the opening of an optical port for HDLC (IEC 62056-21, mode E; Green Book 8.3): sign-on,
 * identification, acknowledgement, change of speed.
 *
 * States: *idle*; *identifying* (sign-on sent at 300 baud); *acknowledging* (HDLC and a speed chosen; the meter repeats
 * them, or says nothing); *over*: opened or failed. Optical heads that return what is sent do not disturb it.
 */
export class ModeEClient {
  readonly #options: ModeEClientOptions & typeof DEFAULTS;
  readonly #lines = new OpeningLines();
  #state: State = { kind: "idle" };
  #due: number | undefined;
  #left: number;

  constructor(options: ModeEClientOptions = {}) {
    this.#options = { ...DEFAULTS, ...options };
    this.#left = this.#options.retries;
  }

  /** When the next `time` event is due; undefined when it is over. */
  get deadline(): number | undefined {
    return this.#due;
  }

  /** Takes an event and gives what to do, in order. */
  step(event: ModeEClientEvent, now: number): readonly ModeEClientAction[] {
    switch (event.kind) {
      case "start":
        return [{ kind: "line", settings: OPENING_LINE }, this.#signOn(now)];
      case "octets":
        return this.#receive(event.octets, now);
      case "time":
        return this.#due !== undefined && now >= this.#due ? this.#timeOut(now) : [];
      default:
        return event satisfies never;
    }
  }

  #signOn(now: number): ModeEClientAction {
    this.#state = { kind: "identifying" };
    this.#due = now + this.#options.responseTimeoutMilliseconds;
    return { kind: "transmit", octets: signOnOctets(this.#options.deviceAddress) };
  }

  #receive(octets: Uint8Array, now: number): readonly ModeEClientAction[] {
    const actions: ModeEClientAction[] = [];
    for (const line of this.#lines.push(octets)) {
      if (this.#state.kind === "identifying") actions.push(...this.#identified(line, now));
      else if (this.#state.kind === "acknowledging") actions.push(...this.#acknowledged(line, this.#state));
    }
    const isReadout =
      this.#state.kind === "acknowledging" && this.#lines.rest.includes(String.fromCharCode(START_OF_TEXT));
    if (isReadout) actions.push(this.#fail("opening-refused", "the meter answers with a readout: it keeps to mode C"));
    return actions;
  }

  #identified(line: string, now: number): readonly ModeEClientAction[] {
    // What an optical head returns of our own sign-on.
    if (line === "" || line.startsWith("/?")) return [];
    const identification = readIdentification(line);
    if (identification === undefined)
      return [this.#fail("opening-malformed", `"${printable(line)}" is no identification of IEC 62056-21`)];
    const { manufacturer, baudCharacter, offersModeE } = identification;
    if (!offersModeE && this.#options.assumesModeE !== true) {
      const mode = baudCharacter === undefined ? "A or B" : "C";
      const message = `meter ${manufacturer} offers mode ${mode} only: its identification has no \\2 for HDLC`;
      return [this.#fail("opening-refused", message)];
    }
    const baud = this.#speed(baudCharacter ?? "0");
    this.#state = { kind: "acknowledging", identification, baud };
    this.#due = now + this.#options.acknowledgeMilliseconds;
    return [{ kind: "transmit", octets: acknowledgementOctets(baud) }];
  }

  #acknowledged(line: string, state: Extract<State, { kind: "acknowledging" }>): readonly ModeEClientAction[] {
    if (line === "") return [];
    const chosen = readAcknowledgement(line);
    if (chosen === state.baud) return this.#opened(state);
    const message = `the meter answers "${printable(line)}" to the choice of HDLC at ${BAUD_RATES[state.baud]} baud`;
    return [this.#fail("opening-refused", message)];
  }

  #opened({ identification, baud }: Extract<State, { kind: "acknowledging" }>): readonly ModeEClientAction[] {
    this.#state = { kind: "over" };
    this.#due = undefined;
    const baudRate = BAUD_RATES[baud];
    return [
      { kind: "line", settings: hdlcLine(baudRate) },
      { kind: "opened", identification, baudRate },
    ];
  }

  #timeOut(now: number): readonly ModeEClientAction[] {
    // Not every meter repeats the acknowledgement; whether it has changed to HDLC, the first SNRM will show.
    if (this.#state.kind === "acknowledging") return this.#opened(this.#state);
    if (this.#left > 0) {
      this.#left -= 1;
      return [this.#signOn(now)];
    }
    const { responseTimeoutMilliseconds, retries } = this.#options;
    const heard = this.#lines.rest === "" ? "" : `; "${printable(this.#lines.rest)}" was heard`;
    const asked = `within ${responseTimeoutMilliseconds} ms, asked ${retries + 1} times${heard}`;
    return [this.#fail("line-silent", `no identification at the optical port ${asked}`)];
  }

  #speed(offered: BaudCharacter): BaudCharacter {
    const most = Math.min(BAUD_RATES[offered], this.#options.maxBaudRate);
    const fitting = Object.entries(BAUD_RATES).filter(([, baudRate]) => baudRate <= most);
    return (fitting.at(-1)?.[0] ?? "0") as BaudCharacter;
  }

  #fail(code: LineError["code"], message: string): ModeEClientAction {
    this.#state = { kind: "over" };
    this.#due = undefined;
    return { kind: "failed", error: new LineError(code, message) };
  }
}

function printable(text: string): string {
  return text.replace(/[^\x20-\x7e]/g, "?").slice(0, 48);
}
