import assert from "node:assert/strict";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { after, describe, test } from "node:test";
import { startSampleMeter } from "../assess/testing/sample-meter.ts";
import { PASSWORD } from "../assess/testing/sample-model.ts";
import { run } from "../program.ts";
import { scratchTerminal } from "../testing/scratch-terminal.ts";
import type { MeterRead } from "./meter-read.ts";

const state = mkdtempSync(`${tmpdir()}/mk-read-`);
after(() => rmSync(state, { recursive: true }));

const hex = (octets: Uint8Array): string => Buffer.from(octets).toString("hex");

async function meterkeep(...args: readonly string[]) {
  const terminal = scratchTerminal({ XDG_STATE_HOME: state });
  const status = await run(terminal, args);
  return { status, out: terminal.out(), err: terminal.err() };
}

describe("meterkeep read", () => {
  test("as the public client shows what everybody may read, and that nothing protects it", async () => {
    await using meter = await startSampleMeter();
    const { status, out } = await meterkeep("read", meter.address, "--json");
    assert.equal(status, 0);
    const read = JSON.parse(out) as MeterRead;
    assert.equal(read.meter.deviceName, "MKS0001");
    assert.match(read.association, /client 16, mechanism none; nothing is protected/);
    assert.deepEqual(
      read.readings.map(({ obis, value }) => [obis, value]),
      [
        ["0-0:42.0.0", "MKS0001"],
        ["0-0:1.0.0", "2026-11-21T12:00:00+00:00"],
        ["0-0:43.1.0", 0],
      ],
    );
  });

  test("with keys finds every object, scales its readings, names its profiles, and goes on where its counter was", async () => {
    await using meter = await startSampleMeter();
    const keys = ["--key", hex(meter.keys.encryptionKey), "--auth-key", hex(meter.keys.authenticationKey)];
    const { status, out, err } = await meterkeep("read", meter.address, ...keys, "--json");
    assert.equal(status, 0, err);
    const read = JSON.parse(out) as MeterRead;
    assert.equal(read.meter.systemTitle, "4D4B530000000001");
    const energy = read.readings.find(({ obis }) => obis === "1-0:1.8.0");
    assert.deepEqual([energy?.value, energy?.unit, energy?.name], [1234.567, "Wh", "Active energy import"]);
    assert.deepEqual(read.profiles, [
      {
        obis: "1-0:99.1.0",
        name: read.profiles[0]?.name,
        columns: [
          { obis: "0-0:1.0.0", attribute: 2, name: "Clock", unit: null },
          { obis: "1-0:1.8.0", attribute: 2, name: "Active energy import", unit: "Wh" },
        ],
        capturePeriodSeconds: 900,
        entries: 0,
        rows: [],
      },
    ]);
    assert.ok(read.objects.some(({ classId, class: name }) => classId === 64 && name !== null));
    const again = await meterkeep("read", meter.address, ...keys, "--objects");
    assert.equal(again.status, 0, again.err);
    assert.match(again.out, /1-0:1\.8\.0 +│ Active energy import +│ +1234\.567 │ Wh/);
    assert.match(again.out, /client 1, mechanism gmac; authenticated and encrypted, suite 0, global/);
    assert.ok(!readFileSync(`${state}/meterkeep/client.json`, "utf8").includes(hex(meter.keys.encryptionKey)));
  });

  test("speaks HDLC over the same connection where it is told to, and short names where the profile says so", async () => {
    await using hdlc = await startSampleMeter({}, undefined, "hdlc");
    const keys = ["--key", hex(hdlc.keys.encryptionKey), "--auth-key", hex(hdlc.keys.authenticationKey)];
    const { status, out, err } = await meterkeep("read", hdlc.address, "--link", "hdlc", ...keys, "--json");
    assert.equal(status, 0, err);
    assert.equal((JSON.parse(out) as MeterRead).readings.find(({ obis }) => obis === "1-0:1.8.0")?.value, 1234.567);
    await using short = await startSampleMeter({ shortNames: true });
    const profile = `${state}/short.json`;
    const profiles = [
      { id: "short", title: "By short names", services: { shortNames: true }, transport: { kinds: ["wrapper-tcp"] } },
    ];
    writeFileSync(profile, JSON.stringify({ family: "Old", sources: ["a test"], profiles }));
    const read = await meterkeep("read", short.address, "--profile", profile, "--json");
    assert.equal(read.status, 0, read.err);
    assert.equal((JSON.parse(read.out) as MeterRead).meter.deviceName, "MKS0001");
  });

  test("is let in by a password, and by a hash over both challenges", async () => {
    await using meter = await startSampleMeter();
    for (const options of [
      ["--client", "17", "--password", PASSWORD],
      ["--client", "18", "--mechanism", "sha1", "--password", `0x${hex(new TextEncoder().encode(PASSWORD))}`],
    ]) {
      const { status, out, err } = await meterkeep("read", meter.address, ...options, "--json");
      assert.equal(status, 0, err);
      const read = JSON.parse(out) as MeterRead;
      assert.equal(read.readings.find(({ obis }) => obis === "1-0:1.8.0")?.value, 1234.567);
      assert.match(read.association, /nothing is protected/);
    }
    const wrong = await meterkeep("read", meter.address, "--client", "17", "--password", "guess");
    assert.match(wrong.err, /authentication-failure \[association-rejected\]/);
  });

  test("says why a meter does not let it in, with the code, and never a key", async () => {
    await using meter = await startSampleMeter();
    const wrong = ["--key", "5D0E8B7741F2C39A06D4B81EC7532FA9", "--auth-key", "B18F02D94C6E7A3350AD91FC27E6480B"];
    const keys = await meterkeep("read", meter.address, ...wrong);
    assert.equal(keys.status, 1);
    assert.match(keys.err, /^meterkeep: .*deciphering-error.* \[exception-response\]/);
    assert.ok(!keys.err.includes("5D0E8B77"));
    const password = await meterkeep("read", meter.address, "--password", "1234");
    assert.match(password.err, /rejects the association: rejected-permanent/);
    const other = ["--key", hex(meter.keys.encryptionKey), "--auth-key", hex(meter.keys.authenticationKey)];
    const title = await meterkeep("read", meter.address, ...other, "--meter", "4D4B530000000002");
    assert.match(title.err, /another meter answers/);
    const nobody = await meterkeep("read", "tcp://127.0.0.1:1");
    assert.match(nobody.err, /no connection to 127\.0\.0\.1:1.*; check address and port.*\[connection-failed\]/);
    assert.equal((await meterkeep("read", "127.0.0.1:1")).status, 2);
  });
});
