import type { ProtectionGrade } from "@meterkeep/api";
import { concatBytes, type ExchangeEvent, obisInWords, parseObis } from "@meterkeep/dlms";
import type { EvidenceRecord } from "../reading/result.ts";
import { apduName } from "../takeover/words.ts";
import type { ProtectionRecord } from "./custodian-associator.ts";
import { evidenceHash, type LadderEntry } from "./ladder.ts";

/** Writes down what travels in a session: the ladder, and the octets that values rest on. */
export class SessionRecorder {
  readonly #grades: ProtectionRecord;
  readonly #now: () => number;
  readonly #ladder: LadderEntry[] = [];
  #mark = 0;

  constructor(grades: ProtectionRecord, now: () => number) {
    this.#grades = grades;
    this.#now = now;
  }

  /** Takes one event of the session. */
  readonly observe = (event: ExchangeEvent): void => {
    const toMeter = event.direction === "sent";
    this.#ladder.push({
      at: this.#now(),
      toMeter,
      step: event.step,
      summary: summaryOf(event.step, toMeter, event.wire),
      octets: event.wire,
      plain: event.plain === event.wire ? undefined : event.plain,
      protection: this.#grades.get(event.wire) ?? gradeOfTag(event.wire),
    });
  };

  now(): number {
    return this.#now();
  }

  get ladder(): readonly LadderEntry[] {
    return this.#ladder;
  }

  /** Marks the beginning of an exchange whose answer values will rest on. */
  begin(): void {
    this.#mark = this.#ladder.length;
  }

  /** The evidence for what was received since `begin`: the answers as they came, one after the other. */
  evidence(): EvidenceRecord {
    const received = this.#ladder.slice(this.#mark).filter((entry) => !entry.toMeter);
    const octets = concatBytes(...received.map((entry) => entry.octets));
    const plain = concatBytes(...received.map((entry) => entry.plain ?? entry.octets));
    const hash = evidenceHash(octets);
    for (let at = this.#mark; at < this.#ladder.length; at += 1) {
      const entry = this.#ladder[at] as LadderEntry;
      if (!entry.toMeter) this.#ladder[at] = { ...entry, evidence: hash };
    }
    return { hash, octets, plain, protection: worst(received), receivedAt: received.at(-1)?.at ?? this.#now() };
  }
}

function worst(entries: readonly LadderEntry[]): ProtectionGrade {
  if (entries.some((entry) => entry.protection === "none")) return "none";
  return entries.some((entry) => entry.protection === "confidential") ? "confidential" : "authenticated";
}

/** Of octets that nobody has opened: what we send ciphered is authenticated too, the rest goes in clear. */
function gradeOfTag(octets: Uint8Array): ProtectionGrade {
  const tag = octets[0] ?? 0;
  return (tag >= 0xc8 && tag <= 0xd7) || tag === 0xdb || tag === 0xdc ? "authenticated" : "none";
}

/** What attributes of a register and of a profile are, beside the value itself. */
const REGISTER_PARTS: Readonly<Record<string, string>> = { "3": ": scaler and unit" };
const PROFILE_PARTS: Readonly<Record<string, string>> = { "7": ": how many rows it holds" };

const STEP_WORDS: Readonly<Record<string, readonly [string, string]>> = {
  associate: ["Asks to associate", "Answers, with its challenge"],
  authenticate: ["Answers the meter's challenge", "Answers ours: it holds its keys"],
  release: ["Releases the association", "Confirms the release"],
};

function summaryOf(step: string, toMeter: boolean, octets: Uint8Array): string {
  const words = STEP_WORDS[step];
  const text = words === undefined ? requestWords(step, toMeter) : words[toMeter ? 0 : 1];
  return `${text} (${apduName(octets)}, ${octets.length} octets)`;
}

/** `get 1.0.1.8.0.255/2` in words. */
function requestWords(step: string, toMeter: boolean): string {
  const several = /^get (\d+) attributes(?: block (\d+))?$/.exec(step);
  if (several !== null) {
    const block = several[2] === undefined ? "" : `, block ${several[2]}`;
    // The clock, the relay and what is missing of the load profile among them: more than the values that are read of it.
    return `${toMeter ? "Asks for" : "Gives"} ${several[1]} attributes${block}`;
  }
  const match = /^get ([\d.]+)\/(\d+)(?: block (\d+))?$/.exec(step);
  const code = match?.[1] === undefined ? undefined : parseObis(match[1]);
  if (code === undefined) return toMeter ? `Asks: ${step}` : `Answers: ${step}`;
  const block = match?.[3] === undefined ? "" : `, block ${match[3]}`;
  const isProfile = code.a === 1 && code.c === 99;
  const what = isProfile ? "the load profile" : obisInWords(code);
  const part = isProfile ? PROFILE_PARTS[match?.[2] ?? ""] : REGISTER_PARTS[match?.[2] ?? ""];
  return `${toMeter ? "Asks for" : "Gives"} ${what}${part ?? ""}${block}`;
}
