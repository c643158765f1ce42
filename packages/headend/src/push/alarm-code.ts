import type { RegisterRecord } from "../reading/result.ts";

const REGISTER_1 = "0-0:97.98.0";
const REGISTER_2 = "0-0:97.98.1";
const CHANNELS = [0, 1, 2, 3] as const;

/** One bit of an alarm register. */
interface AlarmFacts {
  readonly register: string;
  readonly bit: number;
  readonly words: string;
  /** On the exclusion list: never only counted, however many come. */
  readonly always?: true;
}

const first = (bit: number, words: string, always?: true): AlarmFacts => alarmAt(REGISTER_1, bit, words, always);
const second = (bit: number, words: string, always?: true): AlarmFacts => alarmAt(REGISTER_2, bit, words, always);

function alarmAt(register: string, bit: number, words: string, always: true | undefined): AlarmFacts {
  return { register, bit, words, ...(always && { always }) };
}

/** What IDIS and DSMR mean alike. */
const COMMON: readonly AlarmFacts[] = [
  first(0, "clock invalid"),
  first(1, "battery to be replaced"),
  first(8, "program memory error"),
  first(9, "working memory error"),
  first(10, "lasting memory error"),
  first(11, "measurement error"),
  first(12, "watchdog error"),
  first(13, "attempt at fraud or a security event", true),
  ...CHANNELS.flatMap((channel) => [
    first(16 + channel, `M-Bus communication error on channel ${channel + 1}`),
    first(20 + channel, `M-Bus fraud attempt on channel ${channel + 1}`, true),
  ]),
];

const IDIS: readonly AlarmFacts[] = [
  ...COMMON,
  ...CHANNELS.flatMap((channel) => [
    first(24 + channel, `M-Bus permanent error on channel ${channel + 1}`),
    first(28 + channel, `M-Bus battery low on channel ${channel + 1}`),
    second(19 + channel, `new M-Bus device on channel ${channel + 1}`),
    second(27 + channel, `valve alarm on channel ${channel + 1}`),
  ]),
  second(0, "total power failure"),
  second(1, "power is back"),
  ...[1, 2, 3].flatMap((phase) => [
    second(1 + phase, `voltage missing in L${phase}`),
    second(4 + phase, `voltage of L${phase} is normal again`),
    second(13 + phase, `bad voltage quality in L${phase}`),
  ]),
  second(8, "missing neutral", true),
  second(9, "phases are asymmetric"),
  second(10, "current runs backwards", true),
  second(11, "wrong sequence of phases"),
  second(12, "unexpected consumption", true),
  second(13, "a key was exchanged", true),
  second(17, "external alert"),
  second(18, "an attempt to communicate locally", true),
  second(31, "disconnecting or reconnecting failed"),
];

/** What the bits mean by companion profile; of any other they are alarms of which nobody knows the meaning. */
const MEANINGS: Readonly<Record<string, readonly AlarmFacts[]>> = {
  "idis-p2": IDIS,
  "idis-p2-service": IDIS,
  "idis-p3": IDIS,
  "dsmr-5": COMMON,
};

/** An alarm that a push carries. */
export interface AlarmCode {
  /** `0-0:97.98.0/13` */
  readonly code: string;
  readonly words: string;
  /** It is told of one by one, whatever else comes. */
  readonly always: boolean;
}

const REGISTER = /^0-0:97\.98\.\d+$/;

/**
 * The alarms in what a meter of a profile pushed: the bits that are set in its alarm registers. The same bit is another alarm
 * in another companion, so an unknown one is shown by its number and never only counted.
 */
export function alarmsIn(registers: readonly RegisterRecord[], profile: string): readonly AlarmCode[] {
  const meanings = (Object.hasOwn(MEANINGS, profile) ? MEANINGS[profile] : undefined) ?? [];
  return registers.flatMap(({ obis, value }) => {
    if (!REGISTER.test(obis) || typeof value !== "number") return [];
    const bits = Array.from({ length: 32 }, (_, bit) => bit).filter((bit) => Math.floor(value / 2 ** bit) % 2 === 1);
    return bits.map((bit): AlarmCode => {
      const facts = meanings.find((one) => one.register === obis && one.bit === bit);
      return {
        code: `${obis}/${bit}`,
        words: facts?.words ?? `alarm ${obis}, bit ${bit}`,
        always: facts === undefined || facts.always === true,
      };
    });
  });
}
