import assert from "node:assert/strict";
import { createCipheriv } from "node:crypto";
import { existsSync, mkdtempSync, readFileSync, rmSync, statSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import fc from "fast-check";
import { FactoryError } from "../errors.ts";
import { parseRecipient } from "../recipient.ts";
import { testRecipient, unseal } from "../testing/open-shipment.ts";
import { type Conversion, convert } from "./convert.ts";
import { csvRows } from "./csv.ts";
import { kemRows } from "./kem.ts";
import { type Mapping, parseMapping } from "./mapping.ts";
import { SourceError, type SourceRow } from "./source-row.ts";
import { parseXml } from "./xml.ts";

const MAPPING = {
  separator: ";",
  fields: {
    systemTitle: "Title",
    logicalDeviceName: "LDN",
    serialNumber: "Serial",
    model: { value: "E-450" },
    profile: { value: "idis-p2" },
    holders: "Holders",
  },
  keys: { GUEK: "EK", GBEK: "BK", GAK: "AK", KEK: "MK" },
};
const NAMES = "Title;LDN;Serial;Holders;EK;BK;AK;MK";
const hex = (octet: number) => octet.toString(16).padStart(2, "0").repeat(16);
const row = (n: number) =>
  `4C475A000000000${n};LGZ000${n};S${n};"Maker | ""The"" Reseller";${hex(n)};${hex(n + 16)};${hex(n + 32)};${hex(n + 48)}`;

async function* chunksOf(text: string, length = 7): AsyncGenerator<string> {
  for (let at = 0; at < text.length; at += length) yield text.slice(at, at + length);
}

function mappingOf(value: unknown): Mapping {
  const mapping = parseMapping(JSON.stringify(value));
  if (typeof mapping === "string") assert.fail(mapping);
  return mapping;
}

async function withConversion(
  rows: Conversion["rows"],
  change: Partial<Conversion>,
  body: (run: () => ReturnType<typeof convert>, output: string, open: () => Map<string, string>) => Promise<void>,
): Promise<void> {
  const folder = mkdtempSync(join(tmpdir(), "meterkeep-convert-"));
  const [one, two] = [testRecipient(), testRecipient()];
  const output = join(folder, "out.mks");
  const conversion: Conversion = {
    rows,
    mapping: mappingOf(MAPPING),
    recipients: [parseRecipient(one.json), parseRecipient(two.json)],
    signingDirectory: join(folder, "signing"),
    sender: { name: "Utility's migration", flag: "UMI" },
    customer: "Stadtwerke",
    kind: "delivery",
    output,
    now: () => new Date(0),
    ...change,
  };
  const open = () => {
    const lines = readFileSync(output, "utf8").trimEnd().split("\n");
    const opened = unseal(lines, two);
    assert.deepEqual(unseal(lines, one), opened, "each recipient opens the same");
    return opened;
  };
  try {
    await body(() => convert(conversion), output, open);
  } finally {
    rmSync(folder, { recursive: true });
  }
}

test("a mapped CSV becomes a shipment that each of its recipients opens", () =>
  withConversion(
    () => csvRows(chunksOf(`\uFEFF${NAMES}\r\n${row(1)}\r\n\r\n${row(2)}`), ";"),
    {},
    async (run, output, open) => {
      const converted = await run();
      assert.deepEqual([converted.meters, converted.created], [2, true]);
      const record = JSON.parse(readFileSync(output, "utf8").split("\n")[1] ?? "") as Record<string, unknown>;
      assert.deepEqual(record["holders"], ["Maker", '"The" Reseller']);
      assert.equal(record["model"], "E-450");
      assert.equal(
        open().get("4C475A0000000002"),
        [2, 18, 34, 50].map((octet, purpose) => `0${purpose}10${hex(octet)}`).join(""),
      );
      assert.equal((await run()).created, false, "the signing keys stay");
      assert.equal(statSync(join(output, "..", "signing", "signing-keys.pem")).mode & 0o777, 0o600);
    },
  ));

test("every line that cannot be taken is named, and nothing is written", () => {
  const lines = [
    NAMES,
    row(1),
    row(1),
    row(2).replace(hex(18), "00"),
    row(3).replace(hex(3), "xyz"),
    row(4).replace("4C475A", "4C47"),
    row(5).replace("LGZ0005", ""),
    row(6).replace(hex(54), ""),
  ];
  return withConversion(
    () => csvRows(chunksOf(lines.join("\n")), ";"),
    {},
    async (run, output) => {
      await assert.rejects(run(), (error) => {
        assert.ok(error instanceof FactoryError && error.code === "factory-source-refused");
        const named = [...error.message.matchAll(/^line (\d+): /gm)].map(([, line]) => Number(line));
        assert.deepEqual(named, [3, 4, 5, 6, 7, 8]);
        assert.doesNotMatch(error.message, /(?:xyz|0101)/, "no octets of a key are said");
        return true;
      });
      assert.equal(existsSync(output), false);
      assert.equal(existsSync(`${output}.part`), false);
    },
  );
});

test("a fleet in service brings what is known of it, with secrets of clients and the counters used", () => {
  const mapping = mappingOf({
    fields: { systemTitle: "T", profile: { value: "is15959" } },
    keys: { GUEK: "EK", GAK: "AK" },
    secrets: [{ client: 34, kind: "LLS", column: "PW", encoding: "text" }],
    counter: "FC",
  });
  const text = `T,EK,AK,PW,FC\n4C475A0000000001,${hex(7)},,secret,70000\n`;
  return withConversion(
    () => csvRows(chunksOf(text), ","),
    { kind: "fleet", mapping },
    async (run, _, open) => {
      await run();
      assert.equal(
        open().get("4C475A0000000001"),
        `0010${hex(7)}050722${Buffer.from("secret").toString("hex")}fe0400011170`,
      );
    },
  );
});

test("of CSV what RFC 4180 does not have is refused with its line", async () => {
  const rows = async (text: string) => {
    const read: SourceRow[] = [];
    for await (const each of csvRows(chunksOf(text, 3), ",")) read.push(each);
    return read;
  };
  const [only] = await rows('a,b\n"1,""2""\n3",\n');
  assert.deepEqual([only?.line, [...(only?.fields.values() ?? [])]], [2, ['1,"2"\n3', ""]]);
  const refused = (text: string, line: number) =>
    assert.rejects(rows(text), (error) => error instanceof SourceError && error.line === line);
  await refused("a,b\n1,2,3\n", 2);
  await refused('a,b\n1,2\n"3,4\n', 3);
  await refused('a,b\n1,x"y\n', 2);
  await refused('a,b\n"1"x,2\n', 2);
  await refused("a,a\n", 1);
  await refused(`a,b\n${"x".repeat(70_000)}`, 2);
});

test("a mapping that says something twice, strange or too little is refused", () => {
  const wrong = (value: unknown) =>
    assert.equal(typeof parseMapping(JSON.stringify(value)), "string", JSON.stringify(value));
  wrong([]);
  wrong({ ...MAPPING, seperator: ";" });
  wrong({ ...MAPPING, separator: "::" });
  wrong({ ...MAPPING, fields: {} });
  wrong({ ...MAPPING, fields: { ...MAPPING.fields, colour: "C" } });
  wrong({ ...MAPPING, fields: { systemTitle: { prefix: "4K", number: "N" } } });
  wrong({ ...MAPPING, keys: { GAK: "AK" } });
  wrong({ ...MAPPING, secrets: [{ client: 0, kind: "LLS", column: "P", encoding: "text" }] });
  assert.equal(typeof parseMapping("{"), "string");
});

const KEM_MAPPING = {
  fields: {
    systemTitle: { prefix: "4B414D45", number: "SerialNo" },
    logicalDeviceName: "MeterName",
    serialNumber: "SerialNo",
    profile: { value: "idis-p2" },
  },
  keys: { GUEK: "DEK" },
};

/** A .kem file as its format is described in public: this test makes its own. */
function kemFile(xml: string, password: string, fill: "zeros" | "count" = "count"): string {
  const key = Buffer.alloc(16);
  key.write(password);
  const plain = Buffer.from(xml, "utf8");
  const missing = 16 - (plain.length % 16);
  const padding = Buffer.alloc(missing);
  if (fill === "count") padding[missing - 1] = missing;
  const cipher = createCipheriv("aes-128-cbc", key, key).setAutoPadding(false);
  const value = Buffer.concat([cipher.update(Buffer.concat([plain, padding])), cipher.final()]).toString("base64");
  return `<?xml version="1.0" encoding="utf-8"?><EncryptedData Type="http://www.w3.org/2001/04/xmlenc#aes128-cbc"
    xmlns="http://www.w3.org/2001/04/xmlenc#"><EncryptionMethod Algorithm="http://www.w3.org/2001/04/xmlenc#aes128-cbc" />
    <CipherData><CipherValue>${value.replace(/(.{64})/g, "$1\n")}</CipherValue></CipherData></EncryptedData>`;
}

const METERS = `<?xml version="1.0"?><MetersInOrder><!-- two --><Meter><MeterNo>1</MeterNo><MeterName>OMNI &amp; Co</MeterName>
  <SerialNo>12345678</SerialNo><DEK>${hex(9)}</DEK></Meter><Meter><MeterNo>2</MeterNo><MeterName><![CDATA[<b>]]></MeterName>
  <SerialNo>12345679</SerialNo><DEK>${hex(10)}</DEK></Meter></MetersInOrder>`;

test("a .kem file becomes a shipment through the same mapping", async () => {
  for (const fill of ["zeros", "count"] as const) {
    const rows = kemRows(kemFile(METERS, "customer-4711", fill), "customer-4711");
    assert.deepEqual(
      rows.map(({ fields }) => fields.get("MeterName")),
      ["OMNI & Co", "<b>"],
    );
    await withConversion(
      () => rows,
      { kind: "fleet", mapping: mappingOf(KEM_MAPPING) },
      async (run, _, open) => {
        assert.equal((await run()).meters, 2);
        assert.equal(open().get("4B414D4500BC614E"), `0010${hex(9)}`);
      },
    );
  }
});

test("the other form of a .kem file names its fields by their path", () => {
  const xml = `<Devices><Device><SerialNumber>7</SerialNumber><Keys><Key><Value>aa</Value></Key><Key><Value>bb</Value></Key></Keys></Device></Devices>`;
  const [device] = kemRows(kemFile(xml, "p"), "p");
  assert.deepEqual(
    [...(device?.fields ?? [])],
    [
      ["SerialNumber", "7"],
      ["Keys/Key/Value", "aa"],
      ["Keys/Key/Value#2", "bb"],
    ],
  );
});

test("a .kem file with another password, in an archive, or with something else inside is refused", () => {
  const refused = (text: string, password: string, why: RegExp) =>
    assert.throws(
      () => kemRows(text, password),
      (error) => error instanceof SourceError && why.test(error.message),
    );
  refused(kemFile(METERS, "right"), "wrong", /the password is another one|well-formed/);
  refused(kemFile(METERS, "right"), "", /1 to 16 octets/);
  refused(kemFile(METERS, "right"), "x".repeat(17), /1 to 16 octets/);
  refused("PK\u0003\u0004", "p", /ZIP/);
  refused("<a/>", "p", /not a \.kem file/);
  refused(kemFile("<Orders/>", "p"), "p", /"Orders", which is not known/);
  refused("<!DOCTYPE a SYSTEM 'file:///etc/passwd'><a/>", "p", /DOCTYPE/);
});

test("whatever octets come, the readers of other people's files refuse them or read them, and nothing else", async () => {
  const pieces = fc.array(
    fc.oneof(
      fc.constantFrom("<", ">", "</", "/>", "&", ";", "a", '"', "\n", ",", "<!--", "<![CDATA[", "<a>", "</a>"),
      fc.string(),
    ),
    { maxLength: 40 },
  );
  await fc.assert(
    fc.asyncProperty(pieces, async (parts) => {
      const text = parts.join("");
      const safe = (error: unknown) => assert.ok(error instanceof SourceError, String(error));
      try {
        parseXml(text);
      } catch (error) {
        safe(error);
      }
      try {
        for await (const each of csvRows(chunksOf(text), ",")) assert.ok(each.line >= 2);
      } catch (error) {
        safe(error);
      }
      try {
        kemRows(text, "p");
      } catch (error) {
        safe(error);
      }
    }),
    { numRuns: 3000 },
  );
});
