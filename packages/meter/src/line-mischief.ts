import { MeterError } from "./errors.ts";

/** What can go wrong with an answer on its way, by chance. */
export const MISCHIEF = ["drop", "delay", "reorder", "duplicate", "truncate", "reset"] as const;
export type Mischief = (typeof MISCHIEF)[number];

/** How often each goes wrong, in per cent of the answers. */
export type MischiefPlan = Readonly<Partial<Record<Mischief, number>>>;

/** What mischief is done with. */
export interface MischiefLine {
  send(apdu: Uint8Array): void;
  sendRaw(octets: Uint8Array): void;
  drop(): void;
}

const DELAY_MILLISECONDS = 1000;
/** What is left of an answer that is cut: the wrapper's header and no more than this. */
const TRUNCATED_BYTES = 6;

/**
 * Reads a plan: `drop=10,delay=5` drops every tenth answer and delays every twentieth.
 *
 * @throws MeterError `meter-mischief-unknown`
 */
export function parseMischief(text: string): MischiefPlan {
  const entries = text.split(",").map((part): readonly [Mischief, number] => {
    const [name = "", share = "100"] = part.split("=");
    const kind = MISCHIEF.find((one) => one === name);
    const percent = Number(share);
    if (kind === undefined || !(percent >= 0 && percent <= 100))
      throw new MeterError(
        "meter-mischief-unknown",
        `"${part}" is no misbehaviour: write one of ${MISCHIEF.join(", ")} and how many per cent of the answers, as in drop=10.`,
      );
    return [kind, percent];
  });
  return Object.fromEntries(entries);
}

/** Stands between a meter and its line and does what the plan says. `random` is from 0 to 1. */
export function mischief(
  plan: MischiefPlan,
  ports: { readonly random: () => number; readonly later: (work: () => void, milliseconds: number) => void },
): (apdu: Uint8Array, line: MischiefLine) => void {
  let held: Uint8Array | undefined;
  return (apdu, line) => {
    switch (draw(plan, ports.random())) {
      case "drop":
        return;
      case "delay":
        ports.later(() => line.send(apdu), DELAY_MILLISECONDS);
        return;
      case "reorder":
        held = apdu;
        return;
      case "duplicate":
        line.send(apdu);
        break;
      case "truncate":
        // A header that promises more than comes.
        line.sendRaw(Uint8Array.of(0, 1, 0, 1, 0, 16, 0, apdu.length & 0xff, ...apdu.subarray(0, TRUNCATED_BYTES)));
        line.drop();
        return;
      case "reset":
        line.drop();
        return;
      default:
    }
    line.send(apdu);
    if (held !== undefined) line.send(held);
    held = undefined;
  };
}

/** Which mischief this answer suffers, if any. */
function draw(plan: MischiefPlan, random: number): Mischief | undefined {
  let at = random * 100;
  for (const kind of MISCHIEF) {
    at -= plan[kind] ?? 0;
    if (at < 0) return kind;
  }
  return undefined;
}
