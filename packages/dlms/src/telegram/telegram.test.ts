import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { concatBytes, fromHex } from "../bytes.ts";
import { encode } from "../codec/codec.ts";
import { dateTime, dateTimeOctets } from "../data/date-time.ts";
import type { Data } from "../data/value.ts";
import { encodeHdlc, UNNUMBERED_INFORMATION } from "../link/hdlc.ts";
import { encodeWrapper } from "../link/wrapper.ts";
import { obis, obisOctets } from "../obis/code.ts";
import { protectApdu } from "../security/envelope.ts";
import { softwareCiphers, softwareKey } from "../security/software-aes.ts";
import { systemTitle } from "../system-title.ts";
import { dataNotification } from "../xdlms/notification.ts";
import { decodeTelegrams } from "./decode.ts";
import type { TelegramOptions } from "./decoder.ts";
import { identify } from "./identify.ts";
import { keysByTitle, keysForAll } from "./keys.ts";
import { parseLayoutFile } from "./layout-file.ts";
import type { Telegram } from "./telegram.ts";

const NOON = dateTime({
  year: 2026,
  month: 3,
  dayOfMonth: 4,
  dayOfWeek: 3,
  hour: 12,
  minute: 0,
  second: 0,
  deviation: -60,
  status: 0,
});
const TITLE = "4142430000000001";
const KEY = fromHex("5ad84121d9d20b364b7a11f3c1b5827f");
const AUTH_KEY = fromHex("afb3f93e3e7204edb3c27f96dbd51ae0");

const u32 = (value: number): Data => ({ type: "double-long-unsigned", value });
const u16 = (value: number): Data => ({ type: "long-unsigned", value });
const text = (value: string): Data => ({ type: "octet-string", value: new TextEncoder().encode(value) });
const visible = (value: string): Data => ({ type: "visible-string", value });
const code = (name: string): Data => ({ type: "octet-string", value: obisOctets(obis(name)) });
const clock = (value = NOON): Data => ({ type: "octet-string", value: encode(dateTimeOctets, value) });
const structure = (...value: Data[]): Data => ({ type: "structure", value });
const array = (...value: Data[]): Data => ({ type: "array", value });
const scaling = (scaler: number, unit: number): Data =>
  structure({ type: "integer", value: scaler }, { type: "enum", value: unit });

function notify(body: Data, sent = NOON, invokeId = 1): Uint8Array {
  const flags = { selfDescriptive: false, breakOnError: false, confirmed: false, highPriority: false };
  const invokeIdAndPriority = { ...flags, invokeId };
  return concatBytes(Uint8Array.of(0x0f), encode(dataNotification, { invokeIdAndPriority, dateTime: sent, body }));
}

function hdlc(apdu: Uint8Array): Uint8Array {
  const information = concatBytes(fromHex("e6e700"), apdu);
  return encodeHdlc({
    destination: fromHex("2b"),
    source: fromHex("21"),
    control: UNNUMBERED_INFORMATION,
    information,
  });
}

function ciphered(
  plain: Uint8Array,
  counter: number,
  options: { readonly tag?: boolean; readonly broadcast?: boolean } = {},
) {
  const { tag = true, broadcast = false } = options;
  const key = softwareKey(KEY);
  const keys = { encryption: key, broadcast: key, authentication: AUTH_KEY };
  const control = { suite: 0, authenticated: tag, encrypted: true, broadcast, compressed: false };
  const header = { form: "general-global", control, originator: systemTitle(fromHex(TITLE)), counter } as const;
  return protectApdu(softwareCiphers, keys, header, plain);
}

function only(bytes: Uint8Array, options?: TelegramOptions): Telegram {
  const { telegrams, refusals } = decodeTelegrams(bytes, options);
  assert.deepEqual(refusals, []);
  const [telegram] = telegrams;
  assert.ok(telegram !== undefined && telegrams.length === 1);
  return telegram;
}

const shown = (telegram: Telegram) => telegram.readings.map(({ obis: name, value, unit }) => [name, value, unit]);
const warned = (telegram: Telegram) => telegram.warnings.map((one) => one.code);

describe("lists of meters that no recording here shows", () => {
  const kaifa = [text("KFM_001"), text("6970631403275928"), text("MA304H3E"), ...[1000, 0, 5, 6].map(u32)];

  test("Kaifa list 3: three phases, clock and energies", () => {
    const values = [...kaifa, ...[1234, 2345, 3456, 2301, 2302, 2303].map(u32), clock(), ...[11, 22, 33, 44].map(u32)];
    const telegram = only(hdlc(notify(structure(...values))));
    assert.equal(telegram.layout.id, "no-kaifa-3");
    const readings = shown(telegram);
    assert.deepEqual(readings[7], ["1-0:31.7.0", 1.234, "A"]);
    assert.deepEqual(readings[10], ["1-0:32.7.0", 230.1, "V"]);
    assert.deepEqual(readings[13], ["0-0:1.0.0", "2026-03-04T12:00:00", null]);
    assert.deepEqual(readings[14], ["1-0:1.8.0", 11, "Wh"]);
    assert.equal(telegram.meter.maker?.name, "Kaifa");
  });

  test("Kaifa lists of one phase", () => {
    assert.equal(only(hdlc(notify(structure(...kaifa, u32(1), u32(2301))))).layout.id, "no-kaifa-2-single");
    const hourly = structure(...kaifa, u32(1), u32(2301), clock(), ...[1, 2, 3, 4].map(u32));
    assert.equal(only(hdlc(notify(hourly))).layout.id, "no-kaifa-3-single");
  });

  const kamstrup = (type: string) =>
    structure(
      visible("Kamstrup_V0001"),
      ...[code("1-1:0.0.5"), visible("5706567274389702"), code("1-1:96.1.1"), visible(type)],
      ...[code("1-1:1.7.0"), u32(1468), code("1-1:31.7.0"), u32(1027), code("1-1:32.7.0"), u16(231)],
      ...[code("0-1:1.0.0"), clock(), code("1-1:1.8.0"), u32(1_234_567)],
    );

  test("Kamstrup: the type number tells the unit of the energies, or nothing does", () => {
    const energy = (type: string) => {
      const telegram = only(hdlc(notify(kamstrup(type))));
      return [...(shown(telegram).at(-1) ?? []), warned(telegram).includes("scale-unknown")];
    };
    assert.deepEqual(energy("6841121BN243101040"), ["1-1:1.8.0", 12_345_670, "Wh", false]);
    assert.deepEqual(energy("6841131BN245101092"), ["1-1:1.8.0", 1_234_567, "Wh", false]);
    assert.deepEqual(energy("6841131BN240109999"), ["1-1:1.8.0", 1_234_567, null, true]);
  });

  test("Kamstrup: a layout that was asked for decides", () => {
    const [layout] = parseLayoutFile({
      family: "test",
      sources: ["test"],
      layouts: [{ id: "mine", title: "Mine", match: {}, scales: [{ quantity: "active-energy", scaler: 3 }] }],
    }).layouts;
    assert.ok(layout !== undefined);
    const telegram = only(hdlc(notify(kamstrup("6841131BN240109999"))), { layout });
    assert.deepEqual(shown(telegram).at(-1), ["1-1:1.8.0", 1_234_567_000, "Wh"]);
    assert.equal(telegram.layout.id, "mine");
  });

  test("codes with scaler and unit need no layout, in braces or without", () => {
    const braced = array(
      structure(code("1-0:1.8.0"), u32(12345), scaling(-1, 30)),
      structure(code("0-0:96.1.0"), visible("7359")),
    );
    assert.deepEqual(shown(only(notify(braced))), [
      ["1-0:1.8.0", 1234.5, "Wh"],
      ["0-0:96.1.0", "7359", null],
    ]);
    const flat = structure(
      clock(),
      code("1-0:1.8.0"),
      u32(12345),
      scaling(1, 30),
      code("1-0:13.7.0"),
      u16(968),
      scaling(-3, 255),
    );
    const telegram = only(notify(flat));
    assert.deepEqual(shown(telegram), [
      ["1-0:1.8.0", 123_450, "Wh"],
      ["1-0:13.7.0", 0.968, ""],
    ]);
    assert.equal(telegram.readings[0]?.time, "2026-03-04T12:00:00+01:00");
  });

  const object = (classId: number, name: string, attribute: number) =>
    structure(u16(classId), code(name), { type: "integer", value: attribute }, u16(0));

  test("an object list names its values, and may send their scaler along", () => {
    const objects = array(object(3, "1-0:1.8.0", 2), object(3, "1-0:1.8.0", 3), object(8, "0-0:1.0.0", 2));
    const telegram = only(notify(structure(objects, u32(12), scaling(3, 30), clock())));
    assert.deepEqual(shown(telegram), [
      ["1-0:1.8.0", 12_000, "Wh"],
      ["0-0:1.0.0", "2026-03-04T12:00:00", null],
    ]);
    assert.equal(telegram.layout.kind, "object-list");
  });

  test("volts in tenths are found out by their size, and said to be", () => {
    const objects = array(object(40, "0-8:25.9.0", 2), object(3, "1-0:32.7.0", 2), object(3, "1-0:52.7.0", 2));
    const volts = (first: number) => only(notify(structure(objects, u16(first), u16(0))));
    assert.deepEqual(shown(volts(231))[0], ["1-0:32.7.0", 231, "V"]);
    assert.deepEqual(shown(volts(2312))[0], ["1-0:32.7.0", 231.2, "V"]);
    assert.ok(warned(volts(2312)).includes("scale-inferred"));
    assert.ok(!warned(volts(231)).includes("scale-inferred"));
  });
});

describe("what nothing explains is shown and not guessed", () => {
  test("values without codes and without a layout are raw", () => {
    const telegram = only(notify(structure(text("METER1"), u32(7), structure(u16(1), u16(2)))));
    assert.deepEqual(telegram.readings, []);
    assert.deepEqual(
      telegram.raw.map(({ path, value }) => [path, value]),
      [
        ["[0]", "METER1"],
        ["[1]", 7],
        ["[2][0]", 1],
        ["[2][1]", 2],
      ],
    );
    assert.ok(warned(telegram).includes("layout-unknown"));
  });

  test("a number without scaler keeps its number and has no unit", () => {
    const telegram = only(notify(structure(code("1-0:1.8.0"), u32(12345))));
    assert.deepEqual(shown(telegram), [["1-0:1.8.0", 12345, null]]);
    assert.ok(warned(telegram).includes("scale-unknown"));
  });

  test("a list in which one value looks like a code is not a list of codes", () => {
    const telegram = only(notify(structure(code("1-0:1.8.0"), u32(1), u32(2), u32(3), u32(4))));
    assert.deepEqual(telegram.readings, []);
  });

  test("a layout that was asked for and does not fit is said not to", () => {
    const layout = parseLayoutFile({
      family: "test",
      sources: ["test"],
      layouts: [{ id: "mine", title: "Mine", match: {}, columns: [{ type: "boolean" }] }],
    }).layouts[0];
    assert.ok(layout !== undefined);
    assert.ok(warned(only(notify(structure(u32(1), u32(2))), { layout })).includes("layout-does-not-fit"));
  });
});

describe("however a telegram travels", () => {
  const body = structure(code("1-0:1.8.0"), u32(12345), scaling(0, 30));
  const expected = [["1-0:1.8.0", 12345, "Wh"]];

  test("in the wrapper, bare, with an LLC header, in HDLC", () => {
    const apdu = notify(body);
    for (const bytes of [encodeWrapper(1, 102, apdu), apdu, concatBytes(fromHex("e6e700"), apdu), hdlc(apdu)])
      assert.deepEqual(shown(only(bytes)), expected);
  });

  test("in HDLC segments, and not when one is missing or another telegram begins between them", () => {
    const information = concatBytes(fromHex("e6e700"), notify(body));
    const segment = (start: number, end: number, segmented: boolean) =>
      encodeHdlc({
        destination: fromHex("2b"),
        source: fromHex("21"),
        control: 3,
        segmented,
        information: information.subarray(start, end),
      });
    const parts = [segment(0, 15, true), segment(15, 25, true), segment(25, information.length, false)] as const;
    assert.deepEqual(shown(only(concatBytes(...parts))), expected);
    const codes = (bytes: Uint8Array) => decodeTelegrams(bytes).refusals.map((refusal) => refusal.code);
    assert.deepEqual(codes(concatBytes(parts[0], parts[2])), ["apdu-malformed"]);
    assert.deepEqual(codes(concatBytes(parts[1], parts[2])), ["segment-missing", "segment-missing"]);
    assert.deepEqual(codes(concatBytes(parts[0], parts[1])), ["segment-missing"]);
    const interrupted = decodeTelegrams(concatBytes(parts[0], hdlc(notify(body))));
    assert.deepEqual(
      interrupted.refusals.map((refusal) => refusal.code),
      ["segment-missing"],
    );
    assert.equal(interrupted.telegrams.length, 1);
  });

  const blocks = (apdu: Uint8Array, size: number, from = 1): Uint8Array[] => {
    const count = Math.ceil(apdu.length / size);
    return Array.from({ length: count }, (_, index) => {
      const data = apdu.subarray(index * size, (index + 1) * size);
      const last = index === count - 1;
      const header = Uint8Array.of(0xe0, last ? 0xc0 : 0x40, 0, index + from, 0, 0, data.length);
      const information = concatBytes(index === 0 ? fromHex("e6e700") : new Uint8Array(0), header, data);
      return encodeHdlc({
        destination: fromHex("ceff"),
        source: fromHex("03"),
        control: UNNUMBERED_INFORMATION,
        information,
      });
    });
  };

  test("in blocks: in order, repeated, reordered; and not with one missing or changed", () => {
    const parts = blocks(notify(body), 10);
    assert.equal(parts.length, 4);
    const send = (list: readonly Uint8Array[], ...order: number[]) =>
      concatBytes(...order.map((at) => list[at] ?? KEY));
    const codes = (bytes: Uint8Array) => decodeTelegrams(bytes).refusals.map((refusal) => refusal.code);
    for (const order of [
      [0, 1, 2, 3],
      [0, 0, 1, 1, 2, 3],
      [0, 2, 1, 3],
      [0, 3, 1, 2],
    ])
      assert.deepEqual(shown(only(send(parts, ...order))), expected, order.join());
    assert.deepEqual(codes(send(parts, 0, 1, 3)), ["block-missing"]);
    assert.deepEqual(codes(send(parts, 1, 2)), ["block-missing", "block-missing"]);
    const others = blocks(notify(structure(code("1-0:2.8.0"), u32(99), scaling(0, 30))), 10);
    const conflicting = concatBytes(send(parts, 0, 1, 2), send(others, 2));
    assert.deepEqual(codes(conflicting), ["block-conflict"]);
    assert.deepEqual(decodeTelegrams(conflicting).telegrams, []);
  });

  test("at the end of one telegram and the beginning of the next, nothing is mixed", () => {
    const first = blocks(notify(body), 10);
    const second = blocks(notify(structure(code("1-0:1.8.0"), u32(777), scaling(0, 30)), NOON, 2), 10);
    const { telegrams, refusals } = decodeTelegrams(concatBytes(...first.slice(2), ...second));
    assert.equal(telegrams.length, 1);
    assert.deepEqual(shown(telegrams[0] as Telegram), [["1-0:1.8.0", 777, "Wh"]]);
    assert.ok(refusals.every((refusal) => refusal.code === "block-missing"));
  });
});

describe("ciphered telegrams", () => {
  const plain = notify(structure(code("1-0:1.8.0"), u32(1), scaling(0, 30)));
  const keys = keysForAll({ encryptionKey: KEY, authenticationKey: AUTH_KEY });

  test("are verified with both keys", () => {
    const telegram = only(encodeWrapper(1, 102, ciphered(plain, 7)), { keys });
    assert.equal(telegram.security.authentication, "verified");
    assert.equal(telegram.security.invocationCounter, 7);
    assert.deepEqual(warned(telegram), []);
  });

  test("that stand together in one frame are all decoded", () => {
    const second = notify(structure(code("1-0:1.8.0"), u32(2), scaling(0, 30)));
    const both = concatBytes(ciphered(plain, 7), fromHex("e6e700"), ciphered(second, 8), fromHex("0000"));
    const { telegrams, refusals } = decodeTelegrams(hdlc(both), { keys });
    assert.deepEqual([telegrams.map((one) => one.readings[0]?.value), refusals], [[1, 2], []]);
    const { refusals: bad } = decodeTelegrams(hdlc(concatBytes(ciphered(plain, 7), fromHex("55"))), { keys });
    assert.deepEqual(
      bad.map((one) => one.code),
      ["apdu-unknown"],
    );
  });

  test("of a broadcast key open with it", () => {
    const bytes = ciphered(plain, 7, { broadcast: true });
    const telegram = only(bytes, { keys: keysForAll({ broadcastKey: KEY, authenticationKey: AUTH_KEY }) });
    assert.equal(telegram.security.keySet, "broadcast");
  });

  test("find their keys by system title", () => {
    const ring = keysByTitle({
      [TITLE.toLowerCase()]: { encryptionKey: KEY },
      "4142430000000002": { encryptionKey: AUTH_KEY },
    });
    assert.equal(only(ciphered(plain, 7), { keys: ring }).meter.systemTitle, TITLE);
    assert.throws(() => keysForAll({ encryptionKey: KEY.subarray(1) }), { code: "wrong-length" });
  });

  test("behind a counter that was seen are refused as replays", () => {
    const { telegrams, refusals } = decodeTelegrams(concatBytes(ciphered(plain, 9), ciphered(plain, 8)), { keys });
    assert.equal(telegrams.length, 1);
    assert.deepEqual(
      refusals.map((refusal) => refusal.code),
      ["counter-replayed"],
    );
  });

  test("whose content is malformed are told from those whose key does not fit", () => {
    const malformed = plain.subarray(0, -3);
    const codes = decodeTelegrams(ciphered(malformed, 7), { keys }).refusals.map((refusal) => refusal.code);
    assert.deepEqual(codes, ["apdu-malformed"]);
    const tagless = decodeTelegrams(ciphered(malformed, 7, { tag: false }), { keys });
    assert.deepEqual(
      tagless.refusals.map((refusal) => refusal.code),
      ["apdu-malformed"],
    );
  });

  test("that do not name their meter need its system title", () => {
    const named = ciphered(plain, 7);
    const nameless = concatBytes(fromHex("db00"), named.subarray(10));
    assert.deepEqual(
      decodeTelegrams(nameless, { keys }).refusals.map((refusal) => refusal.code),
      ["system-title-needed"],
    );
    assert.equal(only(nameless, { keys, systemTitle: fromHex(TITLE) }).security.authentication, "verified");
  });
});

test("what a telegram is can be told without a key", () => {
  const apdu = notify(structure(u32(1)));
  assert.deepEqual(identify(hdlc(apdu)), { framing: "hdlc", content: "notification", offset: 0 });
  assert.deepEqual(identify(encodeWrapper(1, 102, ciphered(apdu, 1))), {
    framing: "wrapper",
    content: "ciphered",
    offset: 0,
  });
  assert.deepEqual(identify(concatBytes(fromHex("55"), hdlc(fromHex("e04000010000010f")))), {
    framing: "hdlc",
    content: "block",
    offset: 1,
  });
  const damaged = identify(hdlc(apdu).map((octet, at) => (at === 20 ? octet ^ 1 : octet)));
  assert.equal(damaged !== undefined && "fault" in damaged ? damaged.fault.code : undefined, "hdlc-frame-check");
  assert.equal(identify(fromHex("55aa")), undefined);
});

test("nothing is nothing", () => {
  assert.deepEqual(
    decodeTelegrams(new Uint8Array(0)).refusals.map((refusal) => refusal.code),
    ["nothing-recognised"],
  );
  assert.deepEqual(
    decodeTelegrams(fromHex("55aa55")).refusals.map((refusal) => refusal.code),
    ["nothing-recognised"],
  );
});
