import assert from "node:assert/strict";
import { describe, test } from "node:test";
import fc from "fast-check";
import { concatBytes, fromHex, toHex } from "../bytes.ts";
import { captureBytes, readCaptures } from "../telegram/capture-set.test.ts";
import { frameCheck, p1Check } from "./crc.ts";
import { encodeHdlc, UNNUMBERED_INFORMATION } from "./hdlc.ts";
import { LinkScanner, type ScanEvent } from "./scanner.ts";
import { encodeWrapper } from "./wrapper.ts";

const ascii = (text: string) => new TextEncoder().encode(text);

function scan(bytes: Uint8Array, chunk = bytes.length): ScanEvent[] {
  const scanner = new LinkScanner();
  const events: ScanEvent[] = [];
  for (let at = 0; at < bytes.length; at += chunk) events.push(...scanner.push(bytes.subarray(at, at + chunk)));
  events.push(...scanner.pause());
  return events;
}

/** Events as plain data that can be compared: octets as hex. */
function plain(events: readonly ScanEvent[]): unknown {
  return JSON.parse(
    JSON.stringify(events, (_, value: unknown) => (value instanceof Uint8Array ? toHex(value) : value)),
  );
}

function kinds(events: readonly ScanEvent[]): string[] {
  return events.map((event) =>
    event.kind === "frame" ? event.frame.link : event.kind === "damaged" ? event.fault.code : event.kind,
  );
}

const hdlc = (information: string, segmented = false) =>
  encodeHdlc({
    destination: fromHex("CEFF"),
    source: fromHex("03"),
    control: UNNUMBERED_INFORMATION,
    segmented,
    information: fromHex(information),
  });

/** A wired M-Bus long frame around a segment. */
function mbus(information: string, controlInformation = 0x10): Uint8Array {
  const data = concatBytes(Uint8Array.of(0x53, 0xff, controlInformation, 0x01, 0x67), fromHex(information));
  const sum = data.reduce((total, octet) => (total + octet) & 0xff, 0);
  const length = data.length & 0xff;
  return concatBytes(Uint8Array.of(0x68, length, length, 0x68), data, Uint8Array.of(sum, 0x16));
}

function p1(body: string): Uint8Array {
  const text = `/ABC5test\r\n\r\n${body}\r\n!`;
  const check = p1Check(ascii(text)).toString(16).toUpperCase().padStart(4, "0");
  return ascii(`${text}${check}\r\n`);
}

const PUSH = "e6e7000f00000001000600000001";

test("the checks are those of the standards", () => {
  const digits = ascii("123456789");
  assert.equal(frameCheck(digits), 0x906e);
  assert.equal(p1Check(digits), 0xbb3d);
});

describe("frames are found", () => {
  test("with noise before, between and after them", () => {
    const stream = concatBytes(fromHex("00ff13"), hdlc(PUSH), fromHex("aa55"), mbus("0f01"), fromHex("0102"));
    assert.deepEqual(kinds(scan(stream)), ["noise", "hdlc", "noise", "wired-mbus", "noise"]);
  });

  test("when they share a flag, have two between them, or have lost their flags", () => {
    const frame = hdlc(PUSH);
    const inner = frame.subarray(1, -1);
    const flag = Uint8Array.of(0x7e);
    assert.deepEqual(kinds(scan(concatBytes(flag, inner, flag, inner, flag))), ["hdlc", "hdlc"]);
    assert.deepEqual(kinds(scan(concatBytes(frame, frame))), ["hdlc", "hdlc"]);
    assert.deepEqual(kinds(scan(inner)), ["hdlc"]);
    assert.deepEqual(kinds(scan(concatBytes(inner, inner))), ["hdlc", "hdlc"]);
  });

  test("when the stream begins in the middle of one", () => {
    const frame = hdlc(PUSH);
    for (let cut = 1; cut < frame.length; cut += 1) {
      const events = scan(concatBytes(frame.subarray(cut), frame));
      const whole = events.filter((event) => event.kind === "frame");
      assert.ok(whole.length >= 1, `cut at ${cut}`);
      const last = whole.at(-1);
      assert.equal(last?.offset, cut === 1 ? frame.length - 1 : frame.length - cut, `cut at ${cut}`);
    }
  });

  test("when a flag occurs inside a frame", () => {
    assert.deepEqual(kinds(scan(hdlc("e6e7000f7e7ea07e7e"))), ["hdlc"]);
  });

  test("in the wrapper, where a frame must begin and not elsewhere", () => {
    const wrapped = encodeWrapper(1, 102, fromHex("0f000000010006000000010f"));
    assert.deepEqual(kinds(scan(concatBytes(wrapped, wrapped))), ["wrapper", "wrapper"]);
    assert.deepEqual(kinds(scan(concatBytes(fromHex("aa"), wrapped))), ["noise"]);
  });

  test("when an M-Bus length has overflowed", () => {
    const long = mbus("0f".padEnd(2 * 252, "1"));
    assert.equal(long[1], 1);
    const [event] = scan(long);
    assert.ok(event?.kind === "frame" && event.frame.link === "wired-mbus");
    assert.equal(event.frame.lengthOverflowed, true);
    assert.equal(event.frame.information.length, 252);
  });

  test("as P1 text, with a checksum, without one, and with changed line ends", () => {
    const telegram = p1("1-0:1.8.0(000317.695*kWh)");
    const checksum = (bytes: Uint8Array) => {
      const [event] = scan(bytes);
      assert.ok(event?.kind === "frame" && event.frame.link === "p1", JSON.stringify(event));
      return event.frame.checksum;
    };
    const text = new TextDecoder().decode(telegram);
    assert.equal(checksum(telegram), "valid");
    assert.equal(checksum(ascii(text.trimEnd())), "valid");
    assert.equal(checksum(ascii(text.replaceAll("\r", ""))), "valid-with-crlf");
    assert.equal(checksum(ascii(text.replaceAll("\r", "").replace("317", "318"))), "unverifiable");
    assert.equal(checksum(ascii(text.replace(/![0-9A-F]{4}/, "!"))), "absent");
    assert.deepEqual(kinds(scan(ascii(text.replace("317", "318")))), ["p1-checksum"]);
  });

  test("as ciphered APDUs back to back, also after noise when the title names a maker", () => {
    const apdu = fromHex("db08414243000000000107200000000101020f");
    const whole = concatBytes(apdu.subarray(0, 10), fromHex("07"), fromHex("20000000010203"));
    assert.deepEqual(kinds(scan(concatBytes(whole, whole))), ["apdu", "apdu"]);
    assert.deepEqual(kinds(scan(concatBytes(fromHex("55aa"), whole))), ["noise", "apdu"]);
  });

  test("as one bare APDU that takes the whole input", () => {
    assert.deepEqual(kinds(scan(fromHex("0f000000010006000000017e"))), ["apdu"]);
    assert.deepEqual(kinds(scan(fromHex("e6e7000f00000001000600000001"))), ["apdu"]);
  });
});

describe("damage is named", () => {
  test("a wrong frame check and a wrong header check are told apart", () => {
    const frame = hdlc(PUSH);
    const flip = (at: number) => frame.map((octet, index) => (index === at ? octet ^ 4 : octet));
    const [body] = scan(flip(12));
    assert.ok(body?.kind === "damaged");
    assert.deepEqual([body.fault.code, body.fault.offset], ["hdlc-frame-check", frame.length - 3]);
    const [header] = scan(flip(6));
    assert.ok(header?.kind === "damaged");
    assert.deepEqual([header.fault.code, header.fault.offset], ["hdlc-header-check", 7]);
    assert.match(header.fault.message, /header check is [0-9A-F]{4}, computed [0-9A-F]{4}/);
  });

  test("a frame that ends early is truncated, and reported once", () => {
    assert.deepEqual(kinds(scan(hdlc(PUSH).subarray(0, 15))), ["frame-truncated"]);
    assert.deepEqual(kinds(scan(mbus("0f01").subarray(0, 8))), ["frame-truncated"]);
  });

  test("a wrong M-Bus checksum names both sums", () => {
    const frame = mbus("0f01020304");
    frame[12] = 0xff;
    const [event] = scan(frame);
    assert.ok(event?.kind === "damaged");
    assert.equal(event.fault.code, "mbus-checksum");
    assert.equal(event.fault.offset, frame.length - 2);
  });

  test("what lies inside a damaged frame is not taken for a telegram", () => {
    const frame = hdlc("e6e700db08414243000000000107200000000102030405");
    frame[frame.length - 4] = frame[frame.length - 4]! ^ 1;
    assert.deepEqual(kinds(scan(frame)), ["hdlc-frame-check"]);
  });

  test("a frame behind a damaged one is found, also where octets were lost", () => {
    const frame = hdlc(PUSH);
    const lossy = concatBytes(frame.subarray(0, 12), frame.subarray(14));
    assert.deepEqual(kinds(scan(concatBytes(lossy, frame))), ["hdlc-frame-check", "hdlc"]);
  });
});

describe("however the octets arrive", () => {
  test("the captures give the same events in chunks of any size", () => {
    for (const capture of readCaptures()) {
      const bytes = captureBytes(capture);
      const whole = plain(scan(bytes));
      for (const chunk of [1, 7, 64]) assert.deepEqual(plain(scan(bytes, chunk)), whole, `${capture.name} by ${chunk}`);
    }
  });

  test("a frame with a damaged header is told from noise by its closing flag, whenever that arrives", () => {
    const damaged = fromHex(`7ea0${toHex(p1("1-0:1.8.0(1*kWh)"))}00000000007e0000${toHex(hdlc(PUSH))}`);
    assert.deepEqual(plain(scan(damaged, 1)), plain(scan(damaged)));
  });

  test("random octets mixed with frames give the same events in chunks of any size", () => {
    const part = fc.oneof(
      fc.uint8Array({ maxLength: 40 }),
      fc.constantFrom(hdlc(PUSH), hdlc(PUSH, true), mbus("0f01"), mbus("0f".padEnd(504, "1")), p1("1-0:1.8.0(1*kWh)")),
      fc.constantFrom(...["7e", "7ea0", "68", "680303", "2f4142433564", "db08", "0001000100"].map(fromHex)),
    );
    fc.assert(
      fc.property(fc.array(part, { maxLength: 8 }), fc.integer({ min: 1, max: 50 }), (parts, chunk) => {
        const bytes = concatBytes(...parts);
        assert.deepEqual(plain(scan(bytes, chunk)), plain(scan(bytes)));
      }),
      { numRuns: 300 },
    );
  });

  test("every octet is accounted for at most once, and offsets rise", () => {
    fc.assert(
      fc.property(
        fc.array(fc.oneof(fc.uint8Array({ maxLength: 30 }), fc.constant(hdlc(PUSH))), { maxLength: 6 }),
        (parts) => {
          const bytes = concatBytes(...parts);
          let last = -1;
          for (const event of scan(bytes)) {
            assert.ok(event.offset > last);
            last = event.kind === "damaged" ? event.offset : event.offset + event.length - 1;
            assert.ok(last < bytes.length);
          }
        },
      ),
      { numRuns: 200 },
    );
  });
});
