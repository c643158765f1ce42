import assert from "node:assert/strict";
import { fork } from "node:child_process";
import { createHash, createPublicKey, verify } from "node:crypto";
import { once } from "node:events";
import { after, describe, test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { HsmError, type HsmErrorCode } from "./errors.ts";
import { listTokens } from "./list-tokens.ts";
import type { WrappedSecret } from "./operations.ts";
import { SoftTokens, softTokenMissing } from "./testing/soft-token.ts";
import { Token } from "./token.ts";

const missing = softTokenMissing();
if (missing !== undefined) console.log(`tests of tokens are skipped: ${missing}`);

const WRAPPING = "meterkeep-wrapping";
const TRANSPORT = "meterkeep-transport";
const SPKI_P384 = "3076301006072a8648ce3d020106052b81040022036200";

const bytes = (from: string): Uint8Array => new TextEncoder().encode(from);
const hex = (octets: Uint8Array): string => Buffer.from(octets).toString("hex");
const code = (wanted: HsmErrorCode) => (error: unknown) => error instanceof HsmError && error.code === wanted;

describe("a token behind its process", { skip: missing ?? false }, () => {
  const tokens = new SoftTokens();
  const options = tokens.make("first", { sessions: 3, deadlineMs: 3_000 });
  const token = new Token(options);
  const { calls } = token;
  let secret: WrappedSecret;
  /** What the secret's MACs are, taken while nothing was wrong. */
  let truth: readonly string[];
  const texts = Array.from({ length: 20 }, (_, at) => bytes(`text ${at}`));
  const same = async (): Promise<void> => assert.deepEqual((await calls.macs(secret, texts)).map(hex), truth);

  after(async () => {
    tokens.fault({ kind: "none" });
    await token[Symbol.asyncDispose]();
    tokens[Symbol.dispose]();
  });

  test("says what it is, and makes a wrapping key once", async () => {
    const description = await calls.describe();
    assert.equal(description.label, "first");
    assert.ok(description.mechanisms.length > 10);
    await calls.ensureWrappingKey(WRAPPING);
    await calls.ensureWrappingKey(WRAPPING);
  });

  test("probing tries everything the platform asks, and leaves nothing behind", async () => {
    const trials = await calls.probe();
    const refused = trials.filter(({ refused }) => refused !== undefined);
    assert.deepEqual(refused, []);
    assert.ok(trials.length >= 9);
    assert.equal((await calls.describe()).label, "first");
    await assert.rejects(calls.sign("", "P-256", new Uint8Array(32)), code("hsm-key-missing"));
    const found = await listTokens(options.library, options.env);
    assert.ok(found.some(({ label, isInitialised }) => label === "first" && isInitialised));
    await assert.rejects(listTokens("/etc/hostname"), code("hsm-library-unusable"));
  });

  test("a secret made in it gives the same MACs in every session and after a restart, and no others", async () => {
    secret = await calls.makeSecret(WRAPPING);
    assert.equal(secret.octets.length, 40);
    truth = (await calls.macs(secret, texts)).map(hex);
    assert.equal(new Set(truth).size, texts.length);
    for (const [at, text] of texts.entries()) assert.equal(hex((await calls.macs(secret, [text]))[0]!), truth[at]);
    const other = await calls.makeSecret(WRAPPING);
    assert.notEqual(hex((await calls.macs(other, texts))[0]!), truth[0]);
    process.kill(token.pid!, "SIGKILL");
    await same();
  });

  test("no texts give no MACs", async () => {
    assert.deepEqual(await calls.macs(secret, []), []);
  });

  test("a wrapped secret changed in any way is refused, for good and by name", async () => {
    const octets = secret.octets.slice();
    octets[5]! ^= 1;
    await assert.rejects(calls.macs({ ...secret, octets }, texts), (error) => error instanceof HsmError);
    await assert.rejects(calls.macs({ ...secret, checkValue: new Uint8Array(8) }, texts), code("hsm-key-wrong"));
    await assert.rejects(calls.macs({ ...secret, wrappedUnder: "nobody" }, texts), code("hsm-key-missing"));
    await same();
  });

  test("a key pair signs, and its public half verifies", async () => {
    const point = await calls.keyPair("authority", "P-384");
    assert.deepEqual(await calls.keyPair("authority", "P-384"), point);
    const digest = createHash("sha384").update("to be signed").digest();
    const signature = await calls.sign("authority", "P-384", digest);
    const spki = Buffer.concat([Buffer.from(SPKI_P384, "hex"), Buffer.from([4]), point]);
    const key = createPublicKey({ key: spki, format: "der", type: "spki" });
    assert.ok(verify("sha384", Buffer.from("to be signed"), { key, dsaEncoding: "ieee-p1363" }, signature));
    await assert.rejects(calls.keyPair("authority", "P-256"), code("hsm-key-wrong"));
    await assert.rejects(calls.sign("nobody", "P-256", digest), code("hsm-key-missing"));
  });

  test("a secret goes to a second token in an envelope that only that one opens", async () => {
    await using second = new Token(tokens.make("second", { sessions: 1 }));
    await second.calls.ensureWrappingKey(WRAPPING);
    const envelope = await calls.exportSecret(secret, await second.calls.transportKey(TRANSPORT));
    const taken = await second.calls.importSecret(TRANSPORT, envelope, WRAPPING, secret.checkValue);
    assert.notEqual(hex(taken.octets), hex(secret.octets));
    assert.deepEqual((await second.calls.macs(taken, texts)).map(hex), truth);
    await assert.rejects(calls.macs(taken, texts), (error) => error instanceof HsmError);
    const wrong = second.calls.importSecret(TRANSPORT, envelope, WRAPPING, new Uint8Array(8));
    await assert.rejects(wrong, code("hsm-key-wrong"));
  });

  test("a device that fails for a moment, and sessions that are lost, are not felt", async () => {
    for (const kind of ["device-error", "session-lost"] as const) {
      tokens.fault({ kind, times: 3 });
      await same();
    }
  });

  test("a device that keeps failing is said to, and works again when it does", async () => {
    tokens.fault({ kind: "device-error", times: -1 });
    await assert.rejects(calls.macs(secret, texts), code("hsm-failed"));
    tokens.fault({ kind: "none" });
    await same();
  });

  test("a call that hangs costs its process, and the next one answers it", async () => {
    const former = token.pid;
    tokens.fault({ kind: "hang", times: 1 });
    await same();
    assert.notEqual(token.pid, former);
  });

  test("a process whose starter has gone ends, also while its library hangs", async () => {
    using apart = new SoftTokens();
    const { library, label, env, pin } = apart.make("apart");
    const child = fork(fileURLToPath(new URL("token/main.ts", import.meta.url)), [], {
      serialization: "advanced",
      stdio: ["ignore", "ignore", "inherit", "ipc"],
      env: { PATH: process.env["PATH"] ?? "", ...env },
      execArgv: ["--disable-warning=ExperimentalWarning"],
    });
    const ended = once(child, "exit");
    child.send({ kind: "begin", library, label, pin: await pin(), sessions: 1, allowsLastTry: false });
    assert.deepEqual(await once(child, "message"), [{ kind: "ready" }, undefined]);
    const ask = { kind: "do", id: 1, operation: "ensureWrappingKey", args: [WRAPPING] };
    child.send(ask);
    assert.deepEqual(await once(child, "message"), [{ kind: "done", id: 1, value: undefined }, undefined]);
    // Its session is open by now: the next call looks for the key, and hangs.
    apart.fault({ kind: "hang", times: 1 });
    child.send(ask);
    while (apart.left !== 0) await sleep(20);
    child.disconnect();
    await ended;
  });

  test("a library that hangs whatever is asked of it fails in time", async () => {
    tokens.fault({ kind: "hang", times: -1 });
    await assert.rejects(calls.macs(secret, texts), code("hsm-timeout"));
    tokens.fault({ kind: "none" });
    await same();
  });

  test("a token that was pulled and put back is found again by itself", async () => {
    tokens.fault({ kind: "gone", times: -1 });
    const asked = calls.macs(secret, texts);
    while (token.state.kind === "ready") await sleep(20);
    tokens.fault({ kind: "none" });
    assert.deepEqual((await asked).map(hex), truth);
  });

  test("another object behind the handle of a fresh secret is noticed before it is used", async () => {
    const others = await Promise.all([1, 2, 3].map(() => calls.makeSecret(WRAPPING)));
    for (const other of others) await calls.macs(other, texts);
    const fresh = await calls.makeSecret(WRAPPING);
    const [right] = await calls.macs(fresh, [bytes("right")]);
    process.kill(token.pid!, "SIGKILL");
    for (const other of others) await calls.macs(other, texts);
    tokens.fault({ kind: "wrong-handle", times: 1 });
    assert.deepEqual((await calls.macs(fresh, [bytes("right")]))[0], right);
  });

  test("a wrong PIN is tried once and never again by itself", async () => {
    let asked = 0;
    const pin = (): string => {
      asked += 1;
      return asked === 1 ? "wrong" : (options.pin() as string);
    };
    await using latched = new Token({ ...options, pin });
    await assert.rejects(latched.calls.describe(), code("hsm-pin-refused"));
    await sleep(300);
    await assert.rejects(latched.calls.describe(), code("hsm-pin-refused"));
    assert.equal(asked, 1);
    latched.retryPin();
    assert.equal((await latched.calls.describe()).label, "first");
  });

  test("a label that no token has, and a file that is no library, are said by name", async () => {
    await using nobody = new Token({ ...options, label: "nobody", deadlineMs: 1_500 });
    await assert.rejects(nobody.calls.describe(), /no token labelled nobody/);
    await using nothing = new Token({ ...options, library: "/etc/hostname", deadlineMs: 1_500 });
    await assert.rejects(nothing.calls.describe(), /not a PKCS#11 library/);
  });

  test("a closed token refuses, and its process is gone", async () => {
    const closed = new Token(options);
    await closed.calls.describe();
    const { pid } = closed;
    await closed[Symbol.asyncDispose]();
    await assert.rejects(closed.calls.describe(), code("hsm-closed"));
    assert.throws(() => process.kill(pid!, 0));
  });
});
