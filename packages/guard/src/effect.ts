import type { Data } from "@meterkeep/dlms";

/**
 * What a request can do to a meter and the home behind it, and how grave that is: C0 reads, C1 configures, C2 touches
 * security, firmware or communication, C3 can change the supply or what is paid for it.
 *
 * Everything but C0 needs a command token.
 */
export const EFFECTS = {
  read: { class: "C0", words: "reads" },
  clock: { class: "C1", words: "corrects the clock" },
  "clock-move": { class: "C2", words: "can move the clock by more than a minute" },
  configuration: { class: "C1", words: "changes the configuration" },
  records: { class: "C2", words: "erases or rewrites records" },
  communication: { class: "C2", words: "changes how the meter is reached" },
  "push-destination": { class: "C2", words: "changes where the meter sends its data" },
  access: { class: "C2", words: "changes who may do what" },
  key: { class: "C2", words: "changes a key or a secret" },
  firmware: { class: "C2", words: "changes the firmware" },
  schedule: { class: "C3", words: "plans actions that run later by themselves" },
  script: { class: "C3", words: "runs a script, which can do anything the meter can" },
  credit: { class: "C3", words: "changes credit, charges or tokens, on which the supply depends" },
  supply: { class: "C3", words: "can switch or limit the supply" },
  unknown: { class: "C3", words: "does something that is not known here" },
} as const;

export type Effect = keyof typeof EFFECTS;
export type CommandClass = (typeof EFFECTS)[Effect]["class"];

/** One row: which members of which class have which effect. The first row that fits decides. */
export interface EffectRow {
  readonly classId: number;
  /** Only objects of this logical name, six octets as hex; any object when absent. */
  readonly logicalName?: string;
  /** Only this method or attribute; any when absent. */
  readonly method?: number;
  readonly attribute?: number;
  readonly effect: Exclude<Effect, "read">;
  /** What the standard calls it, for people. */
  readonly name: string;
}

/**
 * The table of effects. What no row names is `unknown`, and as grave as the gravest: makers' own classes, arrays that an array
 * manager rewrites, and Data objects, behind which anything can stand. A row lowers that for what is known to do less.
 */
export const EFFECT_TABLE: readonly EffectRow[] = [
  { classId: 70, method: 1, effect: "supply", name: "remote_disconnect" },
  { classId: 70, method: 2, effect: "supply", name: "remote_reconnect" },
  { classId: 70, effect: "supply", name: "disconnect control" },
  { classId: 71, effect: "supply", name: "limiter" },
  { classId: 68, effect: "supply", name: "arbitrator" },
  { classId: 9, logicalName: "00000a006aff", effect: "supply", name: "disconnect script table" },
  { classId: 9, method: 1, effect: "script", name: "execute" },
  { classId: 9, effect: "script", name: "script table" },
  { classId: 22, logicalName: "00000f0001ff", effect: "supply", name: "disconnect control scheduler" },
  { classId: 22, logicalName: "00000f0002ff", effect: "firmware", name: "image activation scheduler" },
  { classId: 22, effect: "schedule", name: "single action schedule" },
  { classId: 10, effect: "schedule", name: "schedule" },
  { classId: 11, effect: "schedule", name: "special days table" },
  { classId: 20, effect: "schedule", name: "activity calendar" },
  { classId: 21, effect: "schedule", name: "register monitor" },
  { classId: 65, effect: "schedule", name: "parameter monitor" },
  { classId: 67, effect: "schedule", name: "sensor manager" },
  { classId: 111, effect: "credit", name: "account" },
  { classId: 112, effect: "credit", name: "credit" },
  { classId: 113, effect: "credit", name: "charge" },
  { classId: 115, effect: "credit", name: "token gateway" },
  { classId: 64, method: 1, effect: "access", name: "security_activate" },
  { classId: 64, method: 2, effect: "key", name: "key_transfer" },
  { classId: 64, method: 3, effect: "key", name: "key_agreement" },
  { classId: 64, method: 4, effect: "key", name: "generate_key_pair" },
  { classId: 64, method: 6, effect: "key", name: "import_certificate" },
  { classId: 64, method: 8, effect: "key", name: "remove_certificate" },
  { classId: 64, effect: "key", name: "security setup" },
  { classId: 15, method: 2, effect: "key", name: "change_HLS_secret" },
  { classId: 15, attribute: 7, effect: "key", name: "secret" },
  { classId: 15, effect: "access", name: "association LN" },
  { classId: 12, effect: "access", name: "association SN" },
  { classId: 17, effect: "access", name: "SAP assignment" },
  { classId: 30, effect: "key", name: "data protection" },
  { classId: 72, method: 7, effect: "key", name: "set_encryption_key" },
  { classId: 72, method: 8, effect: "key", name: "transfer_key" },
  // Any telegram to a gas or water meter: some have valves.
  { classId: 72, method: 6, effect: "supply", name: "data_send" },
  { classId: 72, effect: "configuration", name: "M-Bus client" },
  { classId: 122, effect: "access", name: "function control" },
  { classId: 124, effect: "access", name: "communication port protection" },
  { classId: 18, effect: "firmware", name: "image transfer" },
  { classId: 40, effect: "push-destination", name: "push setup" },
  { classId: 28, effect: "communication", name: "auto answer" },
  { classId: 29, effect: "communication", name: "auto connect" },
  { classId: 23, effect: "communication", name: "IEC HDLC setup" },
  { classId: 27, effect: "communication", name: "modem configuration" },
  { classId: 41, effect: "communication", name: "TCP-UDP setup" },
  { classId: 42, effect: "communication", name: "IPv4 setup" },
  { classId: 43, effect: "communication", name: "MAC address setup" },
  { classId: 44, effect: "communication", name: "PPP setup" },
  { classId: 45, effect: "communication", name: "GPRS modem setup" },
  { classId: 46, effect: "communication", name: "SMTP setup" },
  { classId: 48, effect: "communication", name: "IPv6 setup" },
  { classId: 19, effect: "communication", name: "IEC local port setup" },
  { classId: 25, effect: "communication", name: "M-Bus slave port setup" },
  { classId: 47, effect: "communication", name: "GSM diagnostic" },
  { classId: 73, effect: "communication", name: "wireless mode Q channel" },
  { classId: 74, effect: "communication", name: "M-Bus master port setup" },
  { classId: 80, effect: "communication", name: "61334-4-32 LLC SSCS setup" },
  { classId: 81, effect: "communication", name: "PRIME physical layer counters" },
  { classId: 82, effect: "communication", name: "PRIME MAC setup" },
  { classId: 83, effect: "communication", name: "PRIME MAC functional parameters" },
  { classId: 84, effect: "communication", name: "PRIME MAC counters" },
  { classId: 85, effect: "communication", name: "PRIME MAC network administration" },
  { classId: 86, effect: "communication", name: "PRIME applications identification" },
  { classId: 90, effect: "communication", name: "G3-PLC MAC layer counters" },
  { classId: 91, effect: "communication", name: "G3-PLC MAC setup" },
  { classId: 92, effect: "communication", name: "G3-PLC adaptation layer setup" },
  { classId: 3, effect: "records", name: "register" },
  { classId: 4, effect: "records", name: "extended register" },
  { classId: 5, effect: "records", name: "demand register" },
  { classId: 7, effect: "records", name: "profile generic" },
  { classId: 62, effect: "records", name: "compact data" },
  { classId: 66, effect: "records", name: "measurement data monitoring" },
  { classId: 6, effect: "configuration", name: "register activation" },
  { classId: 63, effect: "configuration", name: "status mapping" },
  // Who says what time it is decides which tariff holds and which intervals are missing.
  { classId: 100, effect: "clock", name: "NTP setup" },
  { classId: 8, attribute: 2, effect: "clock-move", name: "time" },
  { classId: 8, method: 1, effect: "clock-move", name: "adjust_to_quarter" },
  { classId: 8, method: 2, effect: "clock-move", name: "adjust_to_measuring_period" },
  { classId: 8, method: 4, effect: "clock-move", name: "adjust_to_preset_time" },
  { classId: 8, method: 5, effect: "clock-move", name: "preset_adjusting_time" },
  { classId: 8, effect: "clock", name: "clock" },
];

/** Up to so much a clock has drifted and is put right; whoever moves it further moves the times of readings and tariffs. */
export const MOST_CLOCK_SECONDS = 60;
/** Blue Book 4.5.1. */
const CLOCK = { classId: 8, shiftTime: 6 } as const;

/** The effect of calling a method with these parameters: a clock is shifted by no more than it drifts, or it is moved. */
export function effectOfCall(
  target: { readonly classId: number; readonly instanceId: Uint8Array; readonly method: number },
  parameters: Data | undefined,
): ReturnType<typeof effectOf> {
  const { effect, name } = effectOf(target);
  const isShift = target.classId === CLOCK.classId && target.method === CLOCK.shiftTime;
  const isSmall = parameters?.type === "long" && Math.abs(parameters.value) <= MOST_CLOCK_SECONDS;
  return { effect: isShift && !isSmall ? "clock-move" : effect, name };
}

/** Attributes that hold a password or another secret in clear, by class. Some meters let them be read. */
const SECRETS: Readonly<Record<number, readonly number[]>> = {
  // association LN, secret: who has the password of another client associates without the custodian
  15: [7],
  // IEC local port setup, pass_p1, pass_p2, pass_w5
  19: [7, 8, 9],
  // modem configuration, initialization_strings: they hold PINs
  27: [3],
  // PPP setup, PPP_authentication
  44: [5],
  // GPRS modem setup, PIN_code
  45: [3],
  // SMTP setup, login_password
  46: [4],
  // G3-PLC MAC setup, mac_key_table
  91: [5],
  // NTP setup, authentication_keys, client_key
  100: [6, 7],
  // ZigBee SAS startup, link and network keys
  101: [10, 11],
};

/** Whether reading an attribute may give a secret away. Attribute 0 (and below, for its kin) stands for all of them. */
export function holdsSecret(classId: number, attributeId: number): boolean {
  const secrets = SECRETS[classId];
  return secrets !== undefined && (secrets.includes(attributeId) || attributeId <= 0);
}

/** The effect of setting an attribute or calling a method, and what the standard calls the object. */
export function effectOf(
  target: { readonly classId: number; readonly instanceId: Uint8Array } & (
    | { readonly attribute: number }
    | { readonly method: number }
  ),
): { readonly effect: Exclude<Effect, "read">; readonly name: string } {
  const logicalName = Array.from(target.instanceId, (octet) => octet.toString(16).padStart(2, "0")).join("");
  const row = EFFECT_TABLE.find(
    (candidate) =>
      candidate.classId === target.classId &&
      (candidate.logicalName === undefined || candidate.logicalName === logicalName) &&
      (candidate.method === undefined || ("method" in target && candidate.method === target.method)) &&
      (candidate.attribute === undefined || ("attribute" in target && candidate.attribute === target.attribute)),
  );
  return row === undefined
    ? { effect: "unknown", name: `class ${target.classId}` }
    : { effect: row.effect, name: row.name };
}
