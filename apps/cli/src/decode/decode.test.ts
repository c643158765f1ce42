// The command as people run it: a process of its own, its exit status and what it prints.
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, describe, test } from "node:test";
import { fileURLToPath } from "node:url";
import { sharedFolder } from "../testing/shared-folder.ts";

const LAUNCHER = fileURLToPath(new URL("../../bin/meterkeep.cjs", import.meta.url));
const EXAMPLES = fileURLToPath(new URL("../../../../examples/", import.meta.url));
const CAPTURES = sharedFolder("captures");
const KEY = "3F1C9A7E5B2D48C6A1F0E3D29B8C7A65";
const AUTH_KEY = "9E4B2C7D10F5A8634CB7E1D29F3A5860";

const directory = mkdtempSync(join(tmpdir(), "meterkeep-decode-"));
after(() => rmSync(directory, { recursive: true, force: true }));

interface Outcome {
  readonly status: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

function run(args: readonly string[], input: string | Uint8Array = ""): Promise<Outcome> {
  return new Promise((resolve, reject) => {
    const child = spawn(process.execPath, [LAUNCHER, ...args], { stdio: "pipe" });
    let stdout = "";
    let stderr = "";
    child.stdout.on("data", (chunk) => (stdout += String(chunk)));
    child.stderr.on("data", (chunk) => (stderr += String(chunk)));
    child.on("error", reject);
    child.on("close", (status) => resolve({ status, stdout, stderr }));
    // A command that has read enough may have closed the pipe.
    child.stdin.on("error", () => {});
    child.stdin.end(input);
  });
}

interface Line {
  readonly meter: { readonly systemTitle: string | null };
  readonly security: { readonly authentication: string };
  readonly readings: readonly { readonly obis: string; readonly value: unknown; readonly unit: string | null }[];
  readonly warnings: readonly { readonly code: string }[];
}

const lines = ({ stdout }: Outcome): Line[] =>
  stdout
    .split("\n")
    .filter((line) => line !== "")
    .map((line) => JSON.parse(line) as Line);
const energy = (outcome: Outcome) =>
  lines(outcome).map(({ readings }) => readings.find(({ obis }) => obis === "1-0:1.8.0")?.value);
const example = (name: string) => join(EXAMPLES, name);
const octetsOf = (name: string) => Buffer.from(readFileSync(example(name), "utf8").replace(/\s/g, ""), "hex");

describe("meterkeep decode", { concurrency: 2 }, () => {
  const keys = ["--key", KEY, "--auth-key", AUTH_KEY, "--json"];

  test("takes a file of hex, and prints one JSON object a telegram", async () => {
    const outcome = await run(["decode", example("authenticated.hex"), ...keys]);
    assert.equal(outcome.status, 0, outcome.stderr);
    const [telegram] = lines(outcome);
    assert.equal(telegram?.meter.systemTitle, "4D4B5000000007E9");
    assert.equal(telegram?.security.authentication, "verified");
    assert.deepEqual(
      telegram?.readings.map(({ obis, value, unit }) => [obis, value, unit]),
      [
        ["0-0:1.0.0", "2026-03-04T12:00:00", null],
        ["0-0:96.1.0", "MKP0000002025", null],
        ["1-0:1.8.0", 1234567, "Wh"],
        ["1-0:2.8.0", 0, "Wh"],
        ["1-0:1.7.0", 412, "W"],
        ["1-0:32.7.0", 231.2, "V"],
        ["1-0:31.7.0", 1.78, "A"],
      ],
    );
  });

  test("takes hex as an argument, also in pieces", async () => {
    const text = octetsOf("authenticated.hex").toString("hex");
    assert.deepEqual(energy(await run(["decode", text, ...keys])), [1234567]);
    const pieces = octetsOf("mbus.hex").toString("hex").match(/../g) ?? [];
    assert.deepEqual(energy(await run(["decode", ...pieces, ...keys])), [1234567]);
  });

  test("takes standard input, hex and binary", async () => {
    assert.deepEqual(energy(await run(["decode", ...keys], readFileSync(example("blocks.hex")))), [1234670]);
    assert.deepEqual(energy(await run(["decode", "-", ...keys], octetsOf("authenticated-later.hex"))), [1234670]);
  });

  test("takes a binary file and P1 text", async () => {
    const path = join(directory, "plain.bin");
    writeFileSync(path, octetsOf("plain.hex"));
    assert.deepEqual(energy(await run(["decode", path, "--json"])), [1234567]);
    assert.deepEqual(energy(await run(["decode", example("p1.txt"), "--json"])), [1234.567]);
  });

  test("takes a TCP port, shows telegrams as they come and ends with the connection", async () => {
    const server = createServer((socket) => {
      socket.write(octetsOf("authenticated.hex").subarray(0, 50));
      setTimeout(() => socket.write(octetsOf("authenticated.hex").subarray(50)), 20);
      setTimeout(() => socket.end(octetsOf("authenticated-later.hex")), 40);
    });
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
    const { port } = server.address() as { port: number };
    try {
      const outcome = await run(["decode", `tcp://127.0.0.1:${port}`, ...keys]);
      assert.deepEqual([outcome.status, energy(outcome)], [0, [1234567, 1234670]], outcome.stderr);
    } finally {
      await new Promise((resolve) => server.close(resolve));
    }
    const refused = await run(["decode", `tcp://127.0.0.1:${port}`]);
    assert.equal(refused.status, 1);
    assert.match(refused.stderr, /no connection to 127\.0\.0\.1.*; check address and port.*\[connection-failed\]/);
  });

  test("takes keys from a file, by system title, and from standard input", async () => {
    const byFile = await run(["decode", example("authenticated.hex"), "--key-file", example("keys.json"), "--json"]);
    assert.equal(byFile.stderr, "", "keys that everybody knows need no warning about their file");
    assert.equal(lines(byFile)[0]?.security.authentication, "verified");
    const byInput = await run(
      ["decode", example("authenticated.hex"), "--key", "-", "--json"],
      `${KEY}\n${AUTH_KEY}\n`,
    );
    assert.equal(lines(byInput)[0]?.security.authentication, "verified");
    assert.equal((await run(["decode", "--key", "-"])).status, 2);
  });

  test("prints a table, the security facts and the warnings for people", async () => {
    const { stdout, status } = await run(["decode", example("tagless.hex"), "--key", KEY]);
    assert.equal(status, 0);
    assert.match(stdout, /1-0:1\.8\.0 +│ Active energy import +│ +1234567 │ Wh +│ 2026-03-04T12:00:00\+01:00/);
    assert.match(stdout, /Confidential only, not authenticated/);
    assert.match(stdout, /! .*\[no-authentication-tag\]/);
    assert.match(stdout, /! .*\[weak-key\]/);
    assert.ok(!stdout.includes("\u001b"), "no colour where nobody sees it");
  });

  test("says what is wrong with a code and an offset, and gives no reading", async () => {
    const cases: readonly (readonly [readonly string[], RegExp])[] = [
      [
        [example("damaged.hex")],
        /refused at octet \d+: HDLC frame check is .*; octets were changed or lost .*: capture it again, .* \[hdlc-frame-check\]/,
      ],
      [[octetsOf("plain.hex").subarray(0, 40).toString("hex")], /; capture longer: .*\[frame-truncated\]/],
      [[example("tagless.hex")], /key is needed.*--key.* \[key-needed\]/],
      [[example("tagless.hex"), "--key", AUTH_KEY], /\[key-does-not-fit\]/],
      [[example("authenticated.hex"), "--key", AUTH_KEY, "--auth-key", KEY], /exchange.* \[keys-swapped\]/],
      [[example("authenticated.hex"), "--key", KEY, "--auth-key", KEY], /\[authentication-key-does-not-fit\]/],
    ];
    for (const [args, message] of cases) {
      const outcome = await run(["decode", ...args]);
      assert.deepEqual([outcome.status, outcome.stdout], [1, ""], args.join(" "));
      assert.match(outcome.stderr, message);
      assert.ok(!outcome.stderr.toUpperCase().includes(KEY), "no key is shown");
    }
    const { stderr } = await run(["decode", example("damaged.hex"), "--json"]);
    assert.equal((JSON.parse(stderr) as { error: { code: string } }).error.code, "hdlc-frame-check");
  });

  test("is called wrongly with status 2", async () => {
    const calls = [
      ["decode", "no-such-file"],
      ["decode", "7E", "--key", "12"],
      ["decode", "7E", "--nonsense"],
      ["decode", "7E", "--layout", "none"],
    ];
    for (const args of calls) assert.equal((await run(args)).status, 2, args.join(" "));
  });

  test("says of what is no telegram what it is, and what to give instead", async () => {
    const table = join(directory, "readings.csv");
    writeFileSync(table, "time;Zählerstand\n12:00;1234567\n");
    const empty = join(directory, "empty");
    mkdirSync(empty);
    const cases: readonly (readonly [string, RegExp])[] = [
      [EXAMPLES, /is a directory: name a file in it, for instance .*\.hex, or several: .*\*\.hex \[input-unreadable\]/],
      [empty, /is a directory: name a file in it that holds a telegram/],
      [fileURLToPath(new URL("../../package.json", import.meta.url)), /package\.json is JSON and no telegram: give/],
      [example("keys.json"), /is JSON and no telegram: .*decode TELEGRAM --key-file .*keys\.json/],
      [table, /readings\.csv is text and no telegram/],
    ];
    for (const [input, message] of cases) {
      const outcome = await run(["decode", input]);
      assert.deepEqual([outcome.status, outcome.stdout], [2, ""], input);
      assert.match(outcome.stderr, message);
    }
  });

  test("finds P1 text in the middle of other text", async () => {
    const log = join(directory, "console.log");
    writeFileSync(log, `connected to the meter\n${readFileSync(example("p1.txt"), "latin1")}\nbye\n`);
    assert.deepEqual(energy(await run(["decode", log, "--json"])), [1234.567]);
  });

  test("refuses a forgery whose sibling is in the same input, whatever their order", async () => {
    for (const order of [
      ["tagless.hex", "forged.hex"],
      ["forged.hex", "tagless.hex"],
    ]) {
      const outcome = await run(["decode", ...order.map(example), "--key", KEY, "--json"]);
      assert.deepEqual([outcome.status, energy(outcome)], [1, [1234567]]);
      assert.match(outcome.stderr, /forged\.hex".*counter-reused/);
    }
  });

  test("refuses a forgery whose sibling was seen in an earlier run, and an old telegram played again", async () => {
    const seen = ["--remember", join(directory, "seen.json"), "--key", KEY, "--json"];
    assert.equal((await run(["decode", example("tagless.hex"), ...seen])).status, 0);
    const forged = await run(["decode", example("forged.hex"), ...seen]);
    assert.deepEqual([forged.status, forged.stdout], [1, ""]);
    assert.match(forged.stderr, /counter-reused/);
    assert.equal((await run(["decode", example("authenticated-later.hex"), ...seen])).status, 0);
    const replayed = await run(["decode", ...seen], readFileSync(example("tagless.hex")));
    assert.deepEqual(lines(replayed)[0]?.warnings.map(({ code }) => code)[0], "counter-repeated");
    writeFileSync(join(directory, "bad.json"), "{}");
    assert.equal((await run(["decode", example("plain.hex"), "--remember", join(directory, "bad.json")])).status, 2);
  });

  test("decodes real recordings", { skip: !existsSync(CAPTURES) }, async () => {
    for (const name of ["at-netznoe-kaifa-ma309m-real", "dk-radius-kamstrup-omnipower", "ch-iskra-am550-hdlcseg5"]) {
      const capture = JSON.parse(readFileSync(join(CAPTURES, `${name}.json`), "utf8")) as {
        readonly frames: readonly string[];
        readonly keys: { readonly guek: string | null; readonly gak: string | null };
        readonly expected: readonly { readonly obis: string; readonly value: unknown; readonly unit: string | null }[];
      };
      const { guek, gak } = capture.keys;
      const options = [...(guek === null ? [] : ["--key", guek]), ...(gak === null ? [] : ["--auth-key", gak])];
      const outcome = await run(["decode", ...options, "--json"], capture.frames.join("\n"));
      assert.equal(outcome.status, 0, outcome.stderr);
      const found = lines(outcome)[0]?.readings ?? [];
      for (const { obis, value, unit } of capture.expected) {
        const reading = found.find((one) => one.obis === obis.replace(/\.255$/, ""));
        assert.deepEqual([reading?.value, reading?.unit], [value, unit], `${name} ${obis}`);
      }
    }
  });
});

test("the files in examples/ are what examples/make.ts makes", async () => {
  const status = await new Promise((resolve) =>
    spawn(process.execPath, [join(EXAMPLES, "make.ts"), "--check"], { stdio: "inherit" }).on("close", resolve),
  );
  assert.equal(status, 0);
});
