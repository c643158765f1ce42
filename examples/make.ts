/**
 * Makes the telegrams of this folder: `node examples/make.ts`. The same octets come out every time, and a test compares
 * them with the files: `node examples/make.ts --check`.
 *
 * The meter is invented, and so are its keys. They are published here, so they protect nothing.
 */
import { readFileSync, writeFileSync } from "node:fs";
import {
  apdu,
  concatBytes,
  type Data,
  dateTime,
  dateTimeOctets,
  encode,
  encodeBlocks,
  encodeHdlc,
  encodeMbus,
  encodeP1,
  encodeWrapper,
  fromHex,
  obis,
  obisOctets,
  protectApdu,
  softwareCiphers,
  softwareKey,
  systemTitle,
  toHex,
  UNNUMBERED_INFORMATION,
  unitNumber,
} from "../packages/dlms/src/index.ts";

/** Test keys: everybody who reads this has them. */
const ENCRYPTION_KEY = fromHex("3F1C9A7E5B2D48C6A1F0E3D29B8C7A65");
const AUTHENTICATION_KEY = fromHex("9E4B2C7D10F5A8634CB7E1D29F3A5860");
/** MKP is no maker; 000007E9 is the serial number 2025. */
const TITLE = systemTitle(fromHex("4D4B5000000007E9"));
const METER_NUMBER = "MKP0000002025";

interface Moment {
  readonly hour: number;
  readonly minute: number;
}

/** One push of the meter on 4 March 2026. */
interface Push {
  readonly at: Moment;
  readonly energyWh: number;
  readonly powerW: number;
  /** What the clock among the values says; the same year as everywhere unless given. */
  readonly capturedYear?: number;
}

const NOON: Push = { at: { hour: 12, minute: 0 }, energyWh: 1_234_567, powerW: 412 };
const QUARTER_PAST: Push = { at: { hour: 12, minute: 15 }, energyWh: 1_234_670, powerW: 398 };

const clock = ({ hour, minute }: Moment, year = 2026) =>
  dateTime({
    ...{ year, month: 3, dayOfMonth: 4, dayOfWeek: 3, hour, minute, second: 0, hundredths: 0 },
    ...{ deviation: -60, status: 0 },
  });
const octets = (value: Uint8Array): Data => ({ type: "octet-string", value });
const code = (text: string): Data => octets(obisOctets(obis(text)));
const scaling = (scaler: number, unit: string): Data => ({
  type: "structure",
  value: [
    { type: "integer", value: scaler },
    { type: "enum", value: unitNumber(unit) ?? 255 },
  ],
});
const long = (value: number): Data => ({ type: "double-long-unsigned", value });
const short = (value: number): Data => ({ type: "long-unsigned", value });

/** A push in which every value carries its code, scaler and unit, so that no layout is needed to read it. */
function notification({ at, energyWh, powerW, capturedYear }: Push, invokeId: number): Uint8Array {
  const body: Data = {
    type: "structure",
    value: [
      ...[code("0-0:1.0.0"), octets(encode(dateTimeOctets, clock(at, capturedYear)))],
      ...[code("0-0:96.1.0"), octets(new TextEncoder().encode(METER_NUMBER))],
      ...[code("1-0:1.8.0"), long(energyWh), scaling(0, "Wh")],
      ...[code("1-0:2.8.0"), long(0), scaling(0, "Wh")],
      ...[code("1-0:1.7.0"), long(powerW), scaling(0, "W")],
      ...[code("1-0:32.7.0"), short(2312), scaling(-1, "V")],
      ...[code("1-0:31.7.0"), short(178), scaling(-2, "A")],
    ],
  };
  const flags = { selfDescriptive: false, breakOnError: false, confirmed: false, highPriority: false };
  const value = { invokeIdAndPriority: { invokeId, ...flags }, dateTime: clock(at), body };
  return encode(apdu, { kind: "data-notification", value });
}

function seal(plain: Uint8Array, counter: number, authenticated: boolean): Uint8Array {
  const keys = { encryption: softwareKey(ENCRYPTION_KEY), authentication: AUTHENTICATION_KEY };
  const control = { suite: 0, authenticated, encrypted: true, broadcast: false, compressed: false };
  return protectApdu(softwareCiphers, keys, { form: "general-global", control, originator: TITLE, counter }, plain);
}

function hdlc(apdu: Uint8Array, llc = true): Uint8Array {
  const information = llc ? concatBytes(fromHex("E6E700"), apdu) : apdu;
  return encodeHdlc({
    destination: fromHex("CEFF"),
    source: fromHex("03"),
    control: UNNUMBERED_INFORMATION,
    information,
  });
}

/**
 * What anybody can do to a telegram without a tag, keys unknown: flip bits of the ciphertext and of the plaintext
 * behind them, which are known or guessed. The forger keeps the counter and the clock of the notification.
 */
function forge(sealed: Uint8Array, plain: Uint8Array, forged: Uint8Array): Uint8Array {
  const start = sealed.length - plain.length;
  return sealed.map((octet, at) => (at < start ? octet : octet ^ (plain[at - start] ?? 0) ^ (forged[at - start] ?? 0)));
}

const P1_LINES = [
  ...["1-3:0.2.8(50)", "0-0:1.0.0(260304120000W)", `0-0:96.1.0(${toHex(new TextEncoder().encode(METER_NUMBER))})`],
  ...["1-0:1.8.0(001234.567*kWh)", "1-0:2.8.0(000000.000*kWh)", "1-0:1.7.0(00.412*kW)", "1-0:32.7.0(231.2*V)"],
];

/** The files of this folder by name. */
export function makeExamples(): Readonly<Record<string, Uint8Array | string>> {
  const noon = notification(NOON, 1);
  const tagless = seal(noon, 1001, false);
  const wanted = notification({ ...NOON, energyWh: 234_567, capturedYear: 2025 }, 1);
  const blocks = encodeBlocks(seal(notification(QUARTER_PAST, 2), 1002, true), 64);
  const flipped = hdlc(noon).map((octet, at) => (at === 60 ? octet ^ 0x10 : octet));
  return {
    "plain.hex": asText(hdlc(noon)),
    "authenticated.hex": asText(hdlc(seal(noon, 1001, true))),
    "authenticated-later.hex": asText(encodeWrapper(1, 102, seal(notification(QUARTER_PAST, 2), 1002, true))),
    "tagless.hex": asText(hdlc(tagless)),
    "forged.hex": asText(hdlc(forge(tagless, noon, wanted))),
    "mbus.hex": asText(encodeMbus(tagless)),
    "blocks.hex": asText(concatBytes(...blocks.map((block, index) => hdlc(block, index === 0)))),
    "damaged.hex": asText(flipped),
    "p1.txt": encodeP1("MKP5invented", P1_LINES),
    "keys.json": `${JSON.stringify({ meters: { [toHex(TITLE).toUpperCase()]: { key: toHex(ENCRYPTION_KEY), authKey: toHex(AUTHENTICATION_KEY) } } }, undefined, 2)}\n`,
  };
}

/** Hex as it is read best: 32 octets a line. */
function asText(bytes: Uint8Array): string {
  const text = toHex(bytes).toUpperCase();
  return `${text.match(/.{1,64}/g)?.join("\n") ?? ""}\n`;
}

function isSame(name: string, content: Uint8Array | string): boolean {
  const file = readFileSync(new URL(name, import.meta.url));
  return file.equals(Buffer.from(content));
}

const entries = Object.entries(makeExamples());
if (process.argv.includes("--check")) {
  const stale = entries.filter(([name, content]) => !isSame(name, content)).map(([name]) => name);
  for (const name of stale) console.error(`examples/${name} is not what examples/make.ts makes`);
  process.exitCode = stale.length === 0 ? 0 : 1;
} else for (const [name, content] of entries) writeFileSync(new URL(name, import.meta.url), content);
