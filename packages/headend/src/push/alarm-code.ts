import type { RegisterRecord } from "../reading/result.ts";

/** One bit of an alarm register. */
interface AlarmFacts {
  readonly register: string;
  readonly bit: number;
  readonly words: string;
  /** On the exclusion list: never only counted, however many come. */
  readonly always?: true;
}

/** Alarm registers 1 and 2 as IDIS package 2 has them; bits that have no row are alarms all the same. */
const ALARMS: readonly AlarmFacts[] = [
  { register: "0-0:97.98.0", bit: 0, words: "clock invalid" },
  { register: "0-0:97.98.0", bit: 1, words: "battery to be replaced" },
  { register: "0-0:97.98.0", bit: 8, words: "program memory error" },
  { register: "0-0:97.98.0", bit: 9, words: "working memory error" },
  { register: "0-0:97.98.0", bit: 10, words: "lasting memory error" },
  { register: "0-0:97.98.0", bit: 11, words: "measurement error" },
  { register: "0-0:97.98.0", bit: 12, words: "watchdog error" },
  { register: "0-0:97.98.0", bit: 13, words: "attempt at fraud or a security event", always: true },
  ...[0, 1, 2, 3].flatMap((channel): AlarmFacts[] => [
    { register: "0-0:97.98.0", bit: 16 + channel, words: `M-Bus communication error on channel ${channel + 1}` },
    {
      register: "0-0:97.98.0",
      bit: 20 + channel,
      words: `M-Bus fraud attempt on channel ${channel + 1}`,
      always: true,
    },
  ]),
  { register: "0-0:97.98.1", bit: 0, words: "total power failure" },
  { register: "0-0:97.98.1", bit: 1, words: "power is back" },
];

/** An alarm that a push carries. */
export interface AlarmCode {
  /** `0-0:97.98.0/13` */
  readonly code: string;
  readonly words: string;
  /** It is told of one by one, whatever else comes. */
  readonly always: boolean;
}

const REGISTER = /^0-0:97\.98\.\d+$/;

/** The alarms in what was pushed: the bits that are set in its alarm registers. An unknown bit is never only counted. */
export function alarmsIn(registers: readonly RegisterRecord[]): readonly AlarmCode[] {
  return registers.flatMap(({ obis, value }) => {
    if (!REGISTER.test(obis) || typeof value !== "number") return [];
    const bits = Array.from({ length: 32 }, (_, bit) => bit).filter((bit) => Math.floor(value / 2 ** bit) % 2 === 1);
    return bits.map((bit): AlarmCode => {
      const facts = ALARMS.find((one) => one.register === obis && one.bit === bit);
      return {
        code: `${obis}/${bit}`,
        words: facts?.words ?? `alarm ${obis}, bit ${bit}`,
        always: facts === undefined || facts.always === true,
      };
    });
  });
}
