import assert from "node:assert/strict";
import { createPublicKey } from "node:crypto";
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { after, describe, test } from "node:test";
import { fileURLToPath } from "node:url";
import { nodeCurves, nodeRandom } from "@meterkeep/dlms-node";
import { run } from "../program.ts";
import { scratchTerminal } from "../testing/scratch-terminal.ts";
import type { Assessment } from "./assessment.ts";
import { CHECKS } from "./checks.ts";
import { assessmentHtml } from "./report/html.ts";
import { NO_POLICY } from "./testing/misbehaviour.ts";
import { type SampleMeter, startSampleMeter } from "./testing/sample-meter.ts";

const directory = mkdtempSync(`${tmpdir()}/mk-assess-`);
after(() => rmSync(directory, { recursive: true }));

const hex = (octets: Uint8Array): string => Buffer.from(octets).toString("hex");
const keysOf = ({ keys }: SampleMeter): string[] => [
  ...["--key", hex(keys.encryptionKey), "--auth-key", hex(keys.authenticationKey)],
  ...["--timeout", "1"],
];

async function meterkeep(...args: readonly string[]) {
  const terminal = scratchTerminal({ XDG_STATE_HOME: directory });
  const status = await run(terminal, args);
  return { status, out: terminal.out(), err: terminal.err() };
}

describe("meterkeep assess", () => {
  test("of a good meter fails nothing, and says what it did not do", async () => {
    await using meter = await startSampleMeter();
    const { status, out, err } = await meterkeep("assess", meter.address, ...keysOf(meter));
    assert.equal(status, 0, err + out);
    assert.match(out, /pass replayed-request +A request that was recorded is refused/);
    assert.match(out, /– +lock-out .*\n +Not done: it may lock the meter for a while\. Ask for it with --lock-out/);
    assert.match(out, new RegExp(`${CHECKS.length - 2} passed, 0 failed, 2 not testable`));
  });

  test("of a bad one gives status 1 and reports as HTML and JSON that show the octets and no key", async () => {
    await using meter = await startSampleMeter({ policy: NO_POLICY, publicMayAll: true });
    const [html, json] = [`${directory}/sample.html`, `${directory}/sample.json`];
    const reports = ["--report", html, "--report", json];
    const { status, out } = await meterkeep("assess", meter.address, ...keysOf(meter), ...reports);
    assert.equal(status, 1);
    assert.match(out, /FAIL policy-downgrade .*\(critical\)/);
    const assessment = JSON.parse(readFileSync(json, "utf8")) as Assessment;
    assert.equal(assessment.format, "meterkeep-assessment-1");
    assert.equal(assessment.meter.systemTitle, "4D4B530000000001");
    const failed = assessment.results.filter(({ verdict }) => verdict === "fail");
    assert.equal(failed.length, assessment.counts.fail);
    assert.deepEqual(failed.map(({ id }) => id).sort(), [
      "clock-without-rights",
      "context-downgrade",
      "dedicated-key",
      "plaintext-request",
      "policy-downgrade",
      "public-rights",
      "public-writes",
    ]);
    const page = readFileSync(html, "utf8");
    for (const { id, evidence } of failed) {
      assert.match(page, new RegExp(`id="${id}"`));
      assert.ok(evidence.some(({ octets }) => octets.length > 0));
    }
    assert.equal(page.match(/<details open>/g)?.length, failed.length);
    for (const text of [page, readFileSync(json, "utf8"), out])
      for (const key of Object.values(meter.keys))
        assert.ok(!text.toLowerCase().replaceAll("<wbr>", "").includes(hex(key)));
  });

  test("that is stopped says so and writes no report", async () => {
    await using meter = await startSampleMeter();
    const stopping = new AbortController();
    const terminal = { ...scratchTerminal({ XDG_STATE_HOME: directory }), interrupted: stopping.signal };
    terminal.stdout.on("data", () => stopping.abort());
    const report = `${directory}/stopped.html`;
    assert.equal(await run(terminal, ["assess", meter.address, ...keysOf(meter), "--report", report]), 1);
    assert.match(terminal.err(), /stopped before the end: no report was written \[interrupted\]/);
    assert.ok(!existsSync(report));
  });

  test("works over HDLC as well", async () => {
    await using meter = await startSampleMeter({ policy: NO_POLICY }, undefined, "hdlc");
    const { status, out, err } = await meterkeep("assess", meter.address, "--link", "hdlc", ...keysOf(meter), "--json");
    assert.equal(err, "");
    assert.equal(status, 1);
    const failed = (JSON.parse(out) as Assessment).results.filter(({ verdict }) => verdict === "fail");
    assert.deepEqual(failed.map(({ id }) => id).sort(), [
      "context-downgrade",
      "dedicated-key",
      "plaintext-request",
      "policy-downgrade",
    ]);
  });

  test("proves itself by mechanism 7 where it is given key pairs", async () => {
    const [ours, theirs] = [nodeCurves.generate("P-256"), nodeCurves.generate("P-256")];
    const files = { own: `${directory}/own.pem`, meter: `${directory}/meter.pem` };
    writeFileSync(files.own, ours.privateKey.export({ type: "pkcs8", format: "pem" }));
    writeFileSync(files.meter, createPublicKey(theirs.privateKey).export({ type: "spki", format: "pem" }));
    const signing = { own: theirs.privateKey, client: ours.publicKey };
    await using meter = await startSampleMeter(
      {},
      { encryptionKey: nodeRandom(16), authenticationKey: nodeRandom(16), signing },
    );
    const signed = ["--mechanism", "ecdsa", "--signing-key", files.own, "--meter-signing", files.meter];
    const read = await meterkeep("read", meter.address, ...keysOf(meter), ...signed);
    assert.equal(read.status, 0, read.err);
    assert.match(read.out, /mechanism ecdsa; authenticated and encrypted, suite 1/);
    const { status, out, err } = await meterkeep("assess", meter.address, ...keysOf(meter), ...signed, "--json");
    assert.equal(status, 0, err + out);
    const { results } = JSON.parse(out) as Assessment;
    assert.deepEqual(
      results.filter(({ verdict }) => verdict !== "pass").map(({ id }) => id),
      ["tagless-push", "lock-out"],
    );
    const missing = await meterkeep("read", meter.address, ...keysOf(meter), "--mechanism", "ecdsa");
    assert.match(missing.err, /needs --signing-key and --meter-signing/);
    const wrong = [...signed.slice(0, 5), fileURLToPath(import.meta.url)];
    const { err: refused } = await meterkeep("read", meter.address, ...keysOf(meter), ...wrong);
    assert.match(refused, /--meter-signing .*\[option-invalid\]/);
  });

  test("speaks by short names where the profile says so", async () => {
    const profile = `${directory}/short.json`;
    const profiles = [
      { id: "short", title: "By short names", services: { shortNames: true }, transport: { kinds: ["wrapper-tcp"] } },
    ];
    writeFileSync(profile, JSON.stringify({ family: "Old", sources: ["a test"], profiles }));
    await using good = await startSampleMeter({ shortNames: true });
    const passed = await meterkeep("assess", good.address, ...keysOf(good), "--profile", profile, "--json");
    assert.equal(passed.status, 0, passed.err + passed.out);
    assert.deepEqual(
      (JSON.parse(passed.out) as Assessment).results.filter(({ verdict }) => verdict !== "pass").map(({ id }) => id),
      ["readable-secrets", "tagless-push", "lock-out"],
    );
    await using bad = await startSampleMeter({ shortNames: true, policy: NO_POLICY, publicMayAll: true });
    const { out } = await meterkeep("assess", bad.address, ...keysOf(bad), "--profile", profile, "--json");
    const failed = (JSON.parse(out) as Assessment).results.filter(({ verdict }) => verdict === "fail");
    assert.deepEqual(failed.map(({ id }) => id).sort(), [
      "clock-without-rights",
      "context-downgrade",
      "dedicated-key",
      "plaintext-request",
      "policy-downgrade",
      "public-rights",
      "public-writes",
    ]);
  });

  test("the guide has a row for every check, and README their number", () => {
    const read = (path: string) => readFileSync(fileURLToPath(new URL(`../../../../${path}`, import.meta.url)), "utf8");
    const guide = read("docs/guides/acceptance.md");
    assert.deepEqual(
      [...guide.matchAll(/^\| `([a-z][a-z-]+)` \| /gm)].map(([, id]) => id).sort(),
      CHECKS.map(({ id }) => id).sort(),
    );
    assert.match(read("README.md"), new RegExp(`tries ${CHECKS.length} attacks`));
  });

  test("runs the checks that are named, prints JSON, and lists them", async () => {
    await using meter = await startSampleMeter();
    const only = ["--check", "replayed-request", "echoed-challenge", "--json"];
    const { out } = await meterkeep("assess", meter.address, ...keysOf(meter), ...only);
    assert.deepEqual(
      (JSON.parse(out) as Assessment).results.map(({ id, verdict }) => [id, verdict]),
      [
        ["replayed-request", "pass"],
        ["echoed-challenge", "pass"],
      ],
    );
    const { out: list } = await meterkeep("assess", "--list-checks");
    assert.equal(list.trim().split("\n").length, CHECKS.length);
  });

  test("is called wrongly with status 2, and does not begin with keys that do not fit", async () => {
    await using meter = await startSampleMeter();
    assert.equal((await meterkeep("assess")).status, 2);
    assert.equal((await meterkeep("assess", meter.address, "--check", "nonsense")).status, 2);
    assert.equal((await meterkeep("assess", meter.address, "--report", "report.pdf")).status, 2);
    assert.equal((await meterkeep("assess", meter.address, "--report", `${directory}/none/report.html`)).status, 2);
    const wrong = ["--key", "5D0E8B7741F2C39A06D4B81EC7532FA9", "--auth-key", "B18F02D94C6E7A3350AD91FC27E6480B"];
    const { status, err } = await meterkeep("assess", meter.address, ...wrong);
    assert.equal(status, 1);
    assert.match(err, /\[exception-response\]/);
  });
});

test("what a meter says of itself is text in the report, and never part of the page", () => {
  const page = assessmentHtml({
    format: "meterkeep-assessment-1",
    program: "test",
    meter: { address: "tcp://a:1", systemTitle: null, deviceName: '<img src=x onerror="alert(1)">' },
    client: "client 1",
    begun: "",
    ended: "",
    counts: { pass: 0, fail: 0, "not-testable": 0 },
    results: [],
  });
  assert.ok(!page.includes("<img"));
  assert.ok(!/<script|https?:\/\//.test(page), "nothing runs and nothing is loaded");
});
