import { DlmsError } from "../errors.ts";
import {
  acknowledgementOctets,
  BAUD_RATES,
  type BaudCharacter,
  hdlcLine,
  identificationOctets,
  type LineSettings,
  OPENING_LINE,
  OpeningLines,
  readAcknowledgement,
  readIdentification,
  readSignOn,
} from "./mode-e.ts";

export interface ModeEServerOptions {
  /** Three letters. */
  readonly manufacturer: string;
  /** What follows them and the speed; printable, at most 16 characters (IEC 62056-21, 6.3.14 item 14). */
  readonly identification: string;
  /** The highest speed offered; 9 600 unless given. */
  readonly baudRate?: (typeof BAUD_RATES)[BaudCharacter];
  /** The address that a sign-on may name; one without address is always answered. */
  readonly deviceAddress?: string;
  /** Milliseconds to wait for the acknowledgement after the identification; 2 500 unless given. */
  readonly acknowledgeMilliseconds?: number;
}

export type ModeEServerEvent =
  | { readonly kind: "octets"; readonly octets: Uint8Array }
  /** `deadline` has passed. */
  | { readonly kind: "time" }
  /** HDLC is over on this line: the next reader begins with a sign-on. */
  | { readonly kind: "close" };

export type ModeEServerAction =
  /** Sets the line, after all that was sent has left. */
  | { readonly kind: "line"; readonly settings: LineSettings }
  | { readonly kind: "transmit"; readonly octets: Uint8Array }
  /** The line speaks HDLC from here on. */
  | { readonly kind: "opened"; readonly baudRate: number };

/**
 * The meter's side of the opening of an optical port for HDLC (IEC 62056-21, mode E).
 *
 * States: *waiting* for a sign-on at 300 baud; *identified*, waiting for the choice of HDLC and a speed; *opened*, until
 * `close`. Another choice (mode C, a speed beyond what was offered) or silence leads back to *waiting*.
 */
export class ModeEServer {
  readonly #options: ModeEServerOptions;
  readonly #baud: BaudCharacter;
  #lines = new OpeningLines();
  #state: "waiting" | "identified" | "opened" = "waiting";
  #due: number | undefined;

  /** @throws DlmsError `out-of-range` for an identification that cannot be sent. */
  constructor(options: ModeEServerOptions) {
    this.#options = options;
    const { manufacturer, identification, baudRate = 9600 } = options;
    const baud = Object.entries(BAUD_RATES).find(([, rate]) => rate === baudRate)?.[0] as BaudCharacter | undefined;
    const isReadable = readIdentification(`/${manufacturer}5${identification}`)?.identification === identification;
    if (baud === undefined || !isReadable || identification.length > 16)
      throw new DlmsError(
        "out-of-range",
        `"${manufacturer}", "${identification}" at ${baudRate} baud: no identification`,
      );
    this.#baud = baud;
  }

  /** When the next `time` event is due. */
  get deadline(): number | undefined {
    return this.#due;
  }

  /** Takes an event and gives what to do, in order. Octets after `opened` are not for this machine. */
  step(event: ModeEServerEvent, now: number): readonly ModeEServerAction[] {
    switch (event.kind) {
      case "octets":
        return this.#lines.push(event.octets).flatMap((line) => this.#take(line, now));
      case "time":
        if (this.#due !== undefined && now >= this.#due) this.#wait();
        return [];
      case "close":
        this.#wait();
        return [{ kind: "line", settings: OPENING_LINE }];
      default:
        return event satisfies never;
    }
  }

  #take(line: string, now: number): readonly ModeEServerAction[] {
    if (this.#state === "opened") return [];
    const asked = readSignOn(line);
    if (asked !== undefined) return this.#identify(asked, now);
    if (this.#state !== "identified") return [];
    const chosen = readAcknowledgement(line);
    if (chosen === undefined || BAUD_RATES[chosen] > BAUD_RATES[this.#baud]) {
      this.#wait();
      return [];
    }
    this.#state = "opened";
    this.#due = undefined;
    const baudRate = BAUD_RATES[chosen];
    return [
      { kind: "transmit", octets: acknowledgementOctets(chosen) },
      { kind: "line", settings: hdlcLine(baudRate) },
      { kind: "opened", baudRate },
    ];
  }

  #identify(asked: string, now: number): readonly ModeEServerAction[] {
    const { deviceAddress, manufacturer, identification, acknowledgeMilliseconds = 2500 } = this.#options;
    // Leading zeros of an address mean nothing (IEC 62056-21, 6.3.14 item 22).
    const isOurs = asked === "" || (deviceAddress !== undefined && withoutZeros(asked) === withoutZeros(deviceAddress));
    if (!isOurs) {
      this.#wait();
      return [];
    }
    this.#state = "identified";
    this.#due = now + acknowledgeMilliseconds;
    return [{ kind: "transmit", octets: identificationOctets(manufacturer, this.#baud, identification) }];
  }

  #wait(): void {
    this.#state = "waiting";
    this.#due = undefined;
    this.#lines = new OpeningLines();
  }
}

function withoutZeros(address: string): string {
  return address.replace(/^0+/, "");
}
