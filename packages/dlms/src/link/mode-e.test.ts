import assert from "node:assert/strict";
import { describe, test } from "node:test";
import fc from "fast-check";
import { readIdentification } from "./mode-e.ts";
import { ModeEClient, type ModeEClientAction, type ModeEClientOptions } from "./mode-e-client.ts";
import { ModeEServer, type ModeEServerAction, type ModeEServerOptions } from "./mode-e-server.ts";

const ascii = (text: string) => Uint8Array.from(text, (character) => character.charCodeAt(0));
const text = (octets: Uint8Array) => String.fromCharCode(...octets);

function inWords(actions: readonly (ModeEClientAction | ModeEServerAction)[]): string[] {
  return actions.map((action) => {
    if (action.kind === "transmit") return JSON.stringify(text(action.octets));
    if (action.kind === "line") return `${action.settings.baudRate} ${action.settings.dataBits}`;
    return action.kind === "failed" ? action.error.code : `opened ${action.baudRate}`;
  });
}

const octets = (value: string | Uint8Array) =>
  ({ kind: "octets", octets: typeof value === "string" ? ascii(value) : value }) as const;

function open(
  clientOptions: ModeEClientOptions,
  serverOptions: Partial<ModeEServerOptions> = {},
  echo = false,
): string[] {
  const client = new ModeEClient(clientOptions);
  const server = new ModeEServer({ manufacturer: "MKP", identification: "meterkeep", ...serverOptions });
  const said: string[] = [];
  let pending = client.step({ kind: "start" }, 0);
  for (let turn = 0; turn < 10 && pending.length > 0; turn += 1) {
    said.push(...inWords(pending));
    const next: ModeEClientAction[] = [];
    for (const action of pending) {
      if (action.kind !== "transmit") continue;
      if (echo) next.push(...client.step(octets(action.octets), 0));
      for (const answer of server.step(octets(action.octets), 0)) {
        said.push(...inWords([answer]).map((word) => `meter ${word}`));
        if (answer.kind === "transmit") next.push(...client.step(octets(answer.octets), 0));
      }
    }
    pending = next;
  }
  return said;
}

const ACKNOWLEDGED = JSON.stringify("\u0006252\r\n");

test("the port is opened at 300 baud and goes over to HDLC at the speed of the meter", () => {
  assert.deepEqual(open({}), [
    ...["300 7", '"/?!\\r\\n"', 'meter "/MKP5\\\\2meterkeep\\r\\n"'],
    ...[ACKNOWLEDGED, `meter ${ACKNOWLEDGED}`, "meter 9600 8", "meter opened 9600", "9600 8", "opened 9600"],
  ]);
});

test("at the reader's highest speed, where that is lower", () => {
  assert.equal(open({ maxBaudRate: 2400 }).at(-1), "opened 2400");
  assert.equal(open({ maxBaudRate: 5000 }, { baudRate: 19_200 }).at(-1), "opened 4800");
});

test("an optical head that returns what it is sent does not disturb the opening", () => {
  assert.equal(open({}, {}, true).at(-1), "opened 9600");
});

test("only the device that is named answers", () => {
  assert.equal(open({ deviceAddress: "00004711" }, { deviceAddress: "4711" }).at(-1), "opened 9600");
  assert.deepEqual(open({ deviceAddress: "4712" }, { deviceAddress: "4711" }), ["300 7", '"/?4712!\\r\\n"']);
});

describe("identifications of real meters", () => {
  const cases = [
    ["/LGZ5\\2ZMD3104407.B32", "LGZ", "5", true],
    ["/ISk5\\2MT382-1000", "ISk", "5", true],
    ["/EST5\\253710D03", "EST", "5", true],
    ["/GEC59033100113DM4", "GEC", "5", false],
    ["/ABBAEL", "ABB", undefined, false],
  ] as const;
  for (const [line, manufacturer, baudCharacter, offersModeE] of cases)
    test(line, () => {
      const read = readIdentification(line);
      assert.deepEqual(
        [read?.manufacturer, read?.baudCharacter, read?.offersModeE],
        [manufacturer, baudCharacter, offersModeE],
      );
    });
});

describe("what does not lead to HDLC", () => {
  const started = (options: ModeEClientOptions = {}) => {
    const client = new ModeEClient(options);
    client.step({ kind: "start" }, 0);
    return client;
  };

  test("a meter that speaks mode C only is named as such", () => {
    const [failed] = started().step(octets("/GEC59033100113DM4\r\n"), 0);
    assert.ok(failed?.kind === "failed" && failed.error.code === "opening-refused");
    assert.match(failed.error.message, /GEC offers mode C only/);
    const assumed = started({ assumesModeE: true }).step(octets("/GEC59033100113DM4\r\n"), 0);
    assert.deepEqual(inWords(assumed), [ACKNOWLEDGED]);
  });

  test("a meter that falls back to its readout, or keeps another speed", () => {
    for (const answer of ["\u00020.0.0(1234)", "\u0006050\r\n", "\u0006232\r\n"]) {
      const client = started();
      client.step(octets("/LGZ5\\2ZMD\r\n"), 0);
      assert.deepEqual(inWords(client.step(octets(answer), 0)), ["opening-refused"], answer);
    }
  });

  test("what is no identification", () => {
    const [failed] = started().step(octets("hello\r\n"), 0);
    assert.ok(failed?.kind === "failed" && failed.error.code === "opening-malformed");
  });

  test("silence, after three sign-ons", () => {
    const client = started({ responseTimeoutMilliseconds: 100 });
    assert.deepEqual(inWords(client.step({ kind: "time" }, 100)), ['"/?!\\r\\n"']);
    assert.deepEqual(inWords(client.step({ kind: "time" }, 200)), ['"/?!\\r\\n"']);
    assert.deepEqual(inWords(client.step({ kind: "time" }, 300)), ["line-silent"]);
    assert.equal(client.deadline, undefined);
  });

  test("a meter that does not repeat the acknowledgement is taken at its word", () => {
    const client = started({ acknowledgeMilliseconds: 500 });
    client.step(octets("/LGZ4\\2ZMD\r\n"), 10);
    assert.equal(client.deadline, 510);
    assert.deepEqual(inWords(client.step({ kind: "time" }, 510)), ["4800 8", "opened 4800"]);
  });
});

test("the meter waits for a sign-on again after silence, another choice, or the end of HDLC", () => {
  const server = new ModeEServer({ manufacturer: "MKP", identification: "m", acknowledgeMilliseconds: 100 });
  const say = (line: string, now = 0) => inWords(server.step(octets(line), now));
  assert.equal(say("/?!\r\n").length, 1);
  server.step({ kind: "time" }, 100);
  assert.deepEqual(say("\u0006252\r\n"), []);
  assert.equal(say("/?!\r\n").length, 1);
  assert.deepEqual(say("\u0006050\r\n"), []);
  assert.deepEqual(say("\u0006252\r\n"), []);
  assert.equal(say("/?!\r\n").length, 1);
  assert.deepEqual(say("\u0006262\r\n"), []);
  assert.equal(say("\u0000\u0000/?!\r\n").length, 1);
  assert.equal(say("\u0006242\r\n").at(-1), "opened 4800");
  assert.deepEqual(say("/?!\r\n"), []);
  assert.deepEqual(inWords(server.step({ kind: "close" }, 0)), ["300 7"]);
  assert.equal(say("/?!\r\n").length, 1);
  assert.throws(() => new ModeEServer({ manufacturer: "M1P", identification: "m" }), { code: "out-of-range" });
});

test("whatever comes, neither side throws, and parity bits do not matter", () => {
  const part = fc.oneof(
    fc.uint8Array({ maxLength: 20 }),
    fc.constantFrom("/?!\r\n", "/MKP5\\2x\r\n", "\u0006252\r\n", "/", "\r\n").map(ascii),
  );
  fc.assert(
    fc.property(fc.array(part, { maxLength: 20 }), (parts) => {
      const client = new ModeEClient();
      const server = new ModeEServer({ manufacturer: "MKP", identification: "m" });
      client.step({ kind: "start" }, 0);
      for (const [now, one] of parts.entries()) {
        client.step(octets(one), now);
        server.step(octets(one), now);
      }
    }),
  );
  const even = (octet: number) => (((((octet ^ (octet >> 4)) * 0x1111) & 0x8421) % 15) & 1 ? octet | 0x80 : octet);
  const client = new ModeEClient();
  client.step({ kind: "start" }, 0);
  assert.deepEqual(inWords(client.step(octets(ascii("/LGZ5\\2ZMD\r\n").map(even)), 0)), [ACKNOWLEDGED]);
});
