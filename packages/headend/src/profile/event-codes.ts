import type { EventCategory } from "@meterkeep/api";

/** What a code of an event log means. */
export interface EventFacts {
  readonly words: string;
  readonly category: EventCategory;
  /** From 0, which is ordinary, to 4, which is an attack. */
  readonly severity: 0 | 1 | 2 | 3 | 4;
}

/** Meanings of the codes of a family of meters; a code that has no row is shown as a number. */
export type EventCodes = Readonly<Record<number, EventFacts>>;

const event = (words: string, category: EventCategory, severity: EventFacts["severity"]): EventFacts => ({
  words,
  category,
  severity,
});

/** The same event of the phases L1 to L3, from `code` on. */
function phases(code: number, words: string): EventCodes {
  return Object.fromEntries([1, 2, 3].map((phase, at) => [code + at, event(`${words} L${phase}`, "power-quality", 0)]));
}

/** Events of M-Bus channels 1 to 4: ten codes a channel. */
const M_BUS: EventCodes = Object.fromEntries(
  [1, 2, 3, 4].flatMap((channel) => {
    const code = 90 + 10 * channel;
    const of = (words: string): string => `${words} on M-Bus channel ${channel}`;
    return [
      [code, event(of("communication failed"), "mbus", 0)],
      [code + 1, event(of("communication works again"), "mbus", 0)],
      [code + 2, event(of("battery to be replaced"), "mbus", 0)],
      [code + 3, event(of("attempt at fraud"), "mbus", 3)],
      [code + 4, event(of("clock adjusted"), "mbus", 1)],
    ];
  }),
);

/** What IDIS and DSMR agree on. */
const SHARED: EventCodes = {
  1: event("power down", "power", 0),
  2: event("power up", "power", 0),
  4: event("clock adjusted: the old time", "clock", 1),
  5: event("clock adjusted: the new time", "clock", 1),
  6: event("clock invalid", "clock", 2),
  7: event("battery to be replaced", "health", 0),
  8: event("battery low", "health", 0),
  9: event("tariff activated", "config", 1),
  10: event("error register cleared", "log-tamper", 2),
  11: event("alarm register cleared", "log-tamper", 3),
  12: event("program memory error", "health", 2),
  13: event("working memory error", "health", 2),
  14: event("lasting memory error", "health", 2),
  15: event("watchdog error", "health", 1),
  16: event("measurement error", "health", 2),
  17: event("firmware ready to be activated", "firmware", 1),
  18: event("firmware activated", "firmware", 2),
  19: event("passive tariff written", "config", 1),
  40: event("terminal cover removed", "physical", 3),
  41: event("terminal cover closed", "physical", 1),
  42: event("strong magnetic field", "physical", 3),
  43: event("no strong magnetic field any more", "physical", 1),
  44: event("meter cover removed", "physical", 3),
  45: event("meter cover closed", "physical", 1),
  46: event("authentication failed", "auth-failure", 3),
  47: event("configuration changed", "config", 2),
  ...M_BUS,
};

/** Codes of the disconnector, which IDIS has; meters of DSMR here take the same ones. */
const DISCONNECTOR: EventCodes = {
  60: event("disconnected by hand", "supply-control", 1),
  61: event("connected by hand", "supply-control", 1),
  62: event("disconnected remotely", "supply-control", 3),
  63: event("connected remotely", "supply-control", 2),
  64: event("disconnected by the meter", "supply-control", 1),
  65: event("limiter exceeded", "supply-control", 0),
  66: event("limiter held again", "supply-control", 0),
  67: event("limiter changed", "supply-control", 2),
  68: event("disconnector failed", "supply-control", 2),
};

/** Event codes by family of companion specifications. */
export const EVENT_CODES = {
  idis: {
    ...SHARED,
    ...DISCONNECTOR,
    ...phases(76, "undervoltage"),
    ...phases(79, "overvoltage"),
    ...phases(82, "no voltage"),
    ...phases(85, "voltage normal"),
    ...phases(92, "bad voltage quality"),
    59: event("ready for reconnection by hand", "supply-control", 1),
    28: event("session at the local interface began", "session", 1),
    29: event("session at the local interface ended", "session", 1),
    48: event("keys changed", "key-change", 3),
    49: event("decryption or authentication of a message failed", "crypto-failure", 3),
    50: event("replay", "replay", 4),
    51: event("firmware did not verify", "firmware", 3),
    88: event("phase sequence reversed", "power-quality", 1),
    89: event("neutral missing", "power-quality", 1),
    90: event("phases out of balance", "power-quality", 1),
    91: event("current reversed", "physical", 2),
    158: event("attempt at the local interface", "session", 2),
  },
  dsmr: {
    ...SHARED,
    ...DISCONNECTOR,
    ...phases(77, "undervoltage"),
    ...phases(86, "phase lost"),
    ...phases(90, "phase back"),
    ...phases(93, "voltage sag"),
    ...phases(96, "voltage swell"),
    21: event("communication module removed", "physical", 3),
    22: event("communication module inserted", "physical", 2),
    48: event("module cover opened", "physical", 3),
    49: event("module cover closed", "physical", 1),
    99: event("last gasp", "power", 0),
  },
  india: {
    101: event("power down", "power", 0),
    102: event("power up", "power", 0),
    151: event("clock adjusted", "clock", 1),
    155: event("configuration changed", "config", 2),
    161: event("keys changed", "key-change", 3),
    165: event("limiter exceeded", "supply-control", 0),
    205: event("authentication failed", "auth-failure", 3),
    206: event("message refused", "crypto-failure", 3),
    207: event("replay", "replay", 4),
    301: event("disconnected remotely", "supply-control", 3),
    302: event("connected remotely", "supply-control", 2),
    303: event("limiter held again", "supply-control", 0),
  },
} as const satisfies Readonly<Record<string, EventCodes>>;

/** Codes of every family by which a meter says that power went and came back. */
export const POWER_CODES = { down: [1, 101], up: [2, 102] } as const;

/** Codes of every family by which a meter says that its relay opened or closed, by whom. */
export const RELAY_CODES = {
  opened: { byHand: [60], remotely: [62, 301], byItself: [64] },
  closed: [61, 63, 302],
} as const;

/** What a code means; one that nobody knows here is ordinary and has its number for words. */
export function eventFacts(codes: EventCodes, code: number): EventFacts {
  return codes[code] ?? event(`event ${code}`, "other", 0);
}
