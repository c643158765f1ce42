import assert from "node:assert/strict";
import { once } from "node:events";
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { createServer } from "node:http";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { run } from "../program.ts";
import { scratchTerminal } from "../testing/scratch-terminal.ts";

const WINDOW = ["--from", "2026-11-20T00:00:00Z", "--to", "2026-11-21T00:00:00Z"];
const OCTETS = Buffer.from([0x50, 0x41, 0x52, 0x31, 0xff, 0xfe, 0x00, 0x50, 0x41, 0x52, 0x31]);

/** A head-end on a socket: Parquet is whole, CIM breaks off, and another form is refused. */
async function headEnd() {
  const state = mkdtempSync(join(tmpdir(), "export-"));
  const adminSocket = join(state, "admin.sock");
  const asked: URL[] = [];
  const server = createServer((request, response) => {
    const url = new URL(request.url ?? "", "http://localhost");
    asked.push(url);
    const format = url.searchParams.get("format");
    if (format === "parquet") response.end(OCTETS);
    else if (format === "cim") response.write("<MeterReadings>", () => response.destroy());
    else if (format === "csv") response.end("meter,obis\r\n");
    else response.writeHead(400).end(JSON.stringify({ code: "body-invalid", detail: "querystring/format: not that" }));
  });
  server.listen(adminSocket);
  await once(server, "listening");
  mkdirSync(join(state, "operator"));
  const channel = { socketPath: "/nowhere", certificate: "c", keyFile: "k", custodianCertificate: "c" };
  writeFileSync(
    join(state, "operator", "config.json"),
    JSON.stringify({ channel, exchangeDirectory: state, adminSocket, address: "http://localhost" }),
  );
  return {
    state,
    asked,
    [Symbol.asyncDispose]: async () => {
      server.close();
      await once(server, "close");
      rmSync(state, { recursive: true });
    },
  };
}

test("an export goes octet for octet into a new file, and one that is there is not written over", async () => {
  await using served = await headEnd();
  const out = join(served.state, "registers.parquet");
  const args = ["export", "registers", ...WINDOW, "--format", "parquet", "--out", out, "--state", served.state];
  const terminal = scratchTerminal();
  assert.equal(await run(terminal, [...args, "--meter", "4d4b560000000001", "--trust", "all"]), 0, terminal.err());
  assert.deepEqual(readFileSync(out), OCTETS);
  assert.equal(served.asked[0]?.pathname, "/api/v1/export/registers");
  assert.deepEqual(Object.fromEntries(served.asked[0]?.searchParams ?? []), {
    format: "parquet",
    from: WINDOW[1],
    to: WINDOW[3],
    trust: "all",
    meter: "4D4B560000000001",
  });
  assert.equal(await run(scratchTerminal(), args), 2);
  assert.deepEqual(readFileSync(out), OCTETS);
});

test("without a file an export goes to standard output, of intervals and events too", async () => {
  await using served = await headEnd();
  const terminal = scratchTerminal();
  assert.equal(await run(terminal, ["export", "intervals", ...WINDOW, "--state", served.state]), 0);
  assert.equal(terminal.out(), "meter,obis\r\n");
  assert.equal(served.asked[0]?.pathname, "/api/v1/export/intervals");
  assert.equal(served.asked[0]?.searchParams.get("trust"), "trusted");
  assert.equal(await run(scratchTerminal(), ["export", "events", ...WINDOW, "--state", served.state]), 0);
  assert.equal(served.asked[1]?.pathname, "/api/v1/export/events");
});

test("octets that are no text are not written to a terminal, and nobody is asked for them", async () => {
  await using served = await headEnd();
  const args = ["export", "registers", ...WINDOW, "--state", served.state, "--format"];
  const terminal = scratchTerminal();
  Object.assign(terminal.stdout, { isTTY: true });
  assert.equal(await run(terminal, [...args, "parquet"]), 2);
  assert.match(terminal.err(), /--out.*\[option-invalid\]/);
  assert.deepEqual(served.asked, []);
  assert.equal(await run(terminal, [...args, "csv"]), 0);
  assert.equal(terminal.out(), "meter,obis\r\n");
});

test("an export that breaks off leaves no file that could be taken for a whole one, and a refusal makes none", async () => {
  await using served = await headEnd();
  for (const [format, words] of [
    ["cim", /not whole.*\[server-refused\]/],
    ["xlsx", /not that \(body-invalid\) \[server-refused\]/],
  ] as const) {
    const out = join(served.state, `registers.${format}`);
    const terminal = scratchTerminal();
    const args = ["export", "registers", ...WINDOW, "--format", format, "--out", out, "--state", served.state];
    assert.equal(await run(terminal, args), 1);
    assert.match(terminal.err(), words);
    assert.equal(existsSync(out), false);
  }
});
