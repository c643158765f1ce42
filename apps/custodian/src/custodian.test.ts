import assert from "node:assert/strict";
import { type ChildProcess, fork } from "node:child_process";
import { randomBytes } from "node:crypto";
import { once } from "node:events";
import { chmodSync, mkdirSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { request } from "node:http";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { fileURLToPath } from "node:url";
import type { RecipientFile } from "@meterkeep/api/custodian";
import { custodianClient } from "@meterkeep/api/custodian-channel";
import type { CustodianConfig, ProcessMessage } from "@meterkeep/api/supervisor";
import { CUSTODY_MIGRATIONS } from "@meterkeep/custody";
import { createChannelCredential } from "@meterkeep/pki";
import { freePort, withTestDatabase } from "@meterkeep/postgres/testing";
import { VERSION } from "./version.ts";

const MAIN = fileURLToPath(new URL("main.ts", import.meta.url));

const credential = (name: string) =>
  createChannelCredential({
    name,
    serial: randomBytes(16),
    notBefore: new Date("2026-01-01T00:00:00Z"),
    notAfter: new Date("2056-01-01T00:00:00Z"),
  });

interface Running {
  readonly child: ChildProcess;
  readonly messages: readonly ProcessMessage[];
  readonly ended: Promise<number | null>;
  /** Resolves with the first message of that type. */
  until<T extends ProcessMessage["type"]>(type: T): Promise<Extract<ProcessMessage, { type: T }>>;
}

interface Bench {
  readonly config: CustodianConfig;
  readonly folder: string;
  start(change?: Partial<CustodianConfig>): Running;
  client(): ReturnType<typeof custodianClient>;
}

async function withBench(body: (bench: Bench) => Promise<void>): Promise<void> {
  const folder = mkdtempSync(join(tmpdir(), "meterkeep-custodian-"));
  const [own, headEnd] = [credential("custodian"), credential("head-end")];
  const children: ChildProcess[] = [];
  try {
    await withTestDatabase({ migrations: CUSTODY_MIGRATIONS, version: VERSION }, async ({ url }) => {
      for (const name of ["state", "exchange"]) mkdirSync(join(folder, name), { mode: 0o700 });
      writeFileSync(join(folder, "state/channel.key"), own.privateKey, { mode: 0o600 });
      const config: CustodianConfig = {
        stateDirectory: join(folder, "state"),
        exchangeDirectory: join(folder, "exchange"),
        database: url,
        utility: "stadtwerke",
        island: "mainland",
        socketPath: join(folder, "channel.sock"),
        keyFile: join(folder, "state/channel.key"),
        certificate: own.certificate,
        rootKeyFile: join(folder, "state/root.key"),
        separateUser: false,
        principals: [{ name: "head-end", role: "head-end", certificate: headEnd.certificate }],
        manufacturers: [],
      };
      try {
        await body({
          config,
          folder,
          start: (change = {}) => {
            const file = join(folder, "state/config.json");
            writeFileSync(file, JSON.stringify({ ...config, ...change }), { mode: 0o600 });
            const running = startProcess(file);
            children.push(running.child);
            return running;
          },
          client: () =>
            custodianClient({ socketPath: config.socketPath, ...headEnd, custodianCertificate: own.certificate }),
        });
      } finally {
        // Before the database goes from under them.
        for (const child of children) {
          if (child.exitCode !== null || child.signalCode !== null) continue;
          child.kill("SIGKILL");
          await once(child, "exit");
        }
      }
    });
  } finally {
    rmSync(folder, { recursive: true });
  }
}

function startProcess(configFile: string): Running {
  const child = fork(MAIN, [], {
    env: { ...process.env, METERKEEP_CONFIG: configFile },
    stdio: "ignore",
    execArgv: [],
  });
  const messages: ProcessMessage[] = [];
  child.on("message", (message) => messages.push(message as ProcessMessage));
  const ended = once(child, "exit").then(([status]) => status as number | null);
  return {
    child,
    messages,
    ended,
    until: async (type) => {
      for (;;) {
        const found = messages.find((message) => message.type === type);
        if (found !== undefined) return found as never;
        const next = await Promise.race([once(child, "message"), ended]);
        if (!Array.isArray(next) && messages.every((message) => message.type !== type))
          throw new Error(`the process ended with ${next}: ${JSON.stringify(messages)}`);
      }
    },
  };
}

test("the custodian makes its root key, says so, tells the world its public keys, answers, and stops when told", () =>
  withBench(async ({ config, folder, start, client }) => {
    const first = start();
    await first.until("ready");
    const steps = first.messages.flatMap((message) => (message.type === "step" ? [message.text] : []));
    assert.match(steps.join("\n"), /root key in .*root\.key\. Whoever has it has every key/);
    assert.equal(statSync(config.rootKeyFile).mode & 0o777, 0o600);
    const recipient = JSON.parse(readFileSync(join(folder, "exchange/recipient.json"), "utf8")) as RecipientFile;
    const headEnd = client();
    const status = await headEnd.status({});
    assert.deepEqual([status.recipient.keyId, status.rootKeyCopied], [recipient.keyId, false]);
    await headEnd.close();
    first.child.send({ type: "stop" });
    assert.equal(await first.ended, 0);
    const second = start();
    await second.until("ready");
    assert.equal(
      second.messages.some(({ type }) => type === "step"),
      false,
    );
    const again = client();
    assert.equal((await again.status({})).recipient.keyId, recipient.keyId);
    const kinds = (await again.ledgerEntries({ after: 0, limit: 10 })).entries.map(({ kind }) => kind);
    assert.deepEqual(kinds, [
      "ledger-key-announced",
      "ledger-witnesses",
      "withdrawals-begun",
      "withdrawals-noted",
      "custodian-started",
      "custodian-stopped",
      "custodian-started",
    ]);
    await again.close();
  }));

test("a root key that others can read is a reason not to start", () =>
  withBench(async ({ config, start }) => {
    const first = start();
    await first.until("ready");
    first.child.send({ type: "stop" });
    await first.ended;
    chmodSync(config.rootKeyFile, 0o644);
    const second = start();
    const failed = await second.until("failed");
    assert.equal(failed.code, "root-key-permissions");
    assert.equal(await second.ended, 1);
  }));

test("when the supervisor is gone the custodian goes too", () =>
  withBench(async ({ start }) => {
    const running = start();
    await running.until("ready");
    running.child.disconnect();
    assert.equal(await running.ended, 1);
  }));

test("a passphrase of one's own opens the vault instead of a file", () =>
  withBench(async ({ folder, start, client }) => {
    const passphraseFile = join(folder, "state/passphrase");
    writeFileSync(passphraseFile, "correct horse battery staple\n", { mode: 0o600 });
    const first = start({ passphraseFile });
    await first.until("ready");
    const headEnd = client();
    assert.equal((await headEnd.status({})).rootKey, "passphrase");
    await headEnd.close();
    first.child.send({ type: "stop" });
    await first.ended;
    writeFileSync(passphraseFile, "another\n", { mode: 0o600 });
    assert.equal((await start({ passphraseFile }).until("failed")).code, "root-key-wrong");
  }));

test("the technicians' page answers the origin that stands before it, and takes a journal from there alone", () =>
  withBench(async ({ folder, start }) => {
    const directory = join(folder, "page");
    mkdirSync(directory);
    writeFileSync(join(directory, "index.html"), "<!doctype html><title>Field</title>");
    const port = await freePort();
    const origin = "https://field.example";
    await start({ field: { port, directory, origin } }).until("ready");
    const page = (host: string, init: RequestOptions = {}, body?: string) => ask(port, { host, ...init }, body);
    const shown = await page("field.example");
    assert.deepEqual([shown.status, shown.text], [200, "<!doctype html><title>Field</title>"]);
    assert.match(shown.policy, /default-src 'none'/);
    // Whoever reaches the port itself, or by a name of their own, gets nothing.
    for (const host of [`localhost:${port}`, "field.example.evil"]) assert.equal((await page(host)).status, 421, host);
    const journal = { method: "POST", path: "/api/return" };
    const json = { "content-type": "application/json" };
    const handed = (from: string) =>
      page("field.example", { ...journal, headers: { ...json, origin: from } }, JSON.stringify({ journal: "{}" }));
    assert.equal((await handed(`http://localhost:${port}`)).status, 404);
    const refused = await handed(origin);
    assert.equal(refused.status, 409, "the custodian judges it: no handheld has signed it");
    assert.match(refused.text, /lease-refused|request-malformed/);
  }));

interface RequestOptions {
  readonly method?: string;
  readonly path?: string;
  readonly headers?: Readonly<Record<string, string>>;
}

/** A request under a name that is not where it goes. */
function ask(port: number, { host, headers, ...init }: RequestOptions & { readonly host: string }, body?: string) {
  return new Promise<{ readonly status: number; readonly policy: string; readonly text: string }>((resolve, reject) => {
    const sent = request({ ...init, hostname: "127.0.0.1", port, headers: { ...headers, host } }, (answer) => {
      let text = "";
      answer.setEncoding("utf8").on("data", (part: string) => {
        text += part;
      });
      const policy = String(answer.headers["content-security-policy"] ?? "");
      answer.on("end", () => resolve({ status: answer.statusCode ?? 0, policy, text }));
    });
    sent.on("error", reject).end(body);
  });
}
