/** What a concentrator may do to what passes through it. */
export const MISCHIEF_KINDS = ["drop", "delay", "lie", "swap", "replay", "substitute", "double", "invent"] as const;

/**
 * To answers, and to pushes alike: `drop` withholds answers; `delay` holds them back; `lie` changes one octet of each; `swap` gives a meter's answer in the
 * name of the one that was asked before; `replay` sends an old answer behind each; `substitute` sends an old one instead;
 * `double` sends each request twice; `invent` sends a request that nobody has made, as it was overheard.
 */
export type MischiefKind = (typeof MISCHIEF_KINDS)[number];

/** What is to be done, and how often; 0 times ends it. */
export interface Mischief {
  readonly kind: MischiefKind;
  readonly times: number;
  /** Of `delay`. */
  readonly milliseconds: number;
  /** One meter by its address in hex; all when absent. */
  readonly meter?: string;
  /** Whether it is done to pushes, or to what was asked for. */
  readonly to: "answers" | "pushes";
}

/** What is sent on, and when. */
export interface Passed {
  readonly apdus: readonly Uint8Array[];
  readonly delayMilliseconds: number;
}

/** Answers and requests of each meter that are remembered. */
const REMEMBERED = 32;

/** Stands between the two sides of a concentrator: honest, until it is told otherwise. */
export class Passage {
  readonly #sent: Record<Mischief["to"], { readonly heard: Map<string, Uint8Array[]>; last: Uint8Array | undefined }> =
    {
      answers: { heard: new Map(), last: undefined },
      pushes: { heard: new Map(), last: undefined },
    };
  readonly #requests = new Map<string, Uint8Array[]>();
  #mischief: Mischief | undefined;
  #done = 0;

  /** How often it has misbehaved. */
  get done(): number {
    return this.#done;
  }

  tell(mischief: Mischief | undefined): void {
    this.#mischief = mischief;
  }

  /** What goes to a meter where the head-end sent `apdu`. */
  toMeter(meter: string, apdu: Uint8Array): Passed {
    const overheard = remember(this.#requests, meter, apdu);
    const kind = this.#strikes(meter, ["double", "invent"]);
    if (kind === "double") return honest(apdu, apdu);
    return kind === "invent" ? honest(...overheard, apdu) : honest(apdu);
  }

  /** What goes to the head-end where a meter sent `apdu`, asked or unasked. */
  toHeadEnd(meter: string, apdu: Uint8Array, of: Mischief["to"] = "answers"): Passed {
    const { heard, last } = this.#sent[of];
    const old = remember(heard, meter, apdu);
    const swapped = last ?? apdu;
    this.#sent[of].last = apdu;
    const kind = this.#strikes(meter, ["drop", "delay", "lie", "swap", "replay", "substitute"], of);
    switch (kind) {
      case "drop":
        return honest();
      case "delay":
        return { apdus: [apdu], delayMilliseconds: this.#mischief?.milliseconds ?? 0 };
      case "lie":
        return honest(altered(apdu));
      case "swap":
        return honest(swapped);
      case "replay":
        return honest(apdu, ...old);
      case "substitute":
        return honest(old.at(-1) ?? altered(apdu));
      default:
        return honest(apdu);
    }
  }

  #strikes(meter: string, kinds: readonly MischiefKind[], of: Mischief["to"] = "answers"): MischiefKind | undefined {
    const mischief = this.#mischief;
    if (mischief === undefined || mischief.times <= 0 || mischief.to !== of || !kinds.includes(mischief.kind))
      return undefined;
    if (mischief.meter !== undefined && mischief.meter !== meter) return undefined;
    this.#mischief = { ...mischief, times: mischief.times - 1 };
    this.#done += 1;
    return mischief.kind;
  }
}

function honest(...apdus: readonly Uint8Array[]): Passed {
  return { apdus, delayMilliseconds: 0 };
}

/** Remembers one, and gives those before it. */
function remember(memory: Map<string, Uint8Array[]>, meter: string, apdu: Uint8Array): readonly Uint8Array[] {
  const before = memory.get(meter) ?? [];
  memory.set(meter, [...before, Uint8Array.from(apdu)].slice(-REMEMBERED));
  return before;
}

/** One octet in the middle is another. */
function altered(apdu: Uint8Array): Uint8Array {
  const copy = Uint8Array.from(apdu);
  const at = copy.length >> 1;
  copy[at] = (copy[at] as number) ^ 0x10;
  return copy;
}
