import assert from "node:assert/strict";
import { type ChildProcess, fork, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { after, before, describe, test } from "node:test";
import { fileURLToPath } from "node:url";

const supervised = JSON.stringify(fileURLToPath(new URL("supervised.ts", import.meta.url)));

describe("a process under a supervisor", () => {
  let directory: string;
  before(() => {
    directory = mkdtempSync(`${tmpdir()}/supervised-`);
    writeFileSync(`${directory}/config.json`, '{"name":"n"}');
  });
  after(() => rmSync(directory, { recursive: true }));

  /** Starts an app whose `start` has this body, with `config` and `supervisor` in scope. */
  function app(name: string, body: string, config = `${directory}/config.json`): ChildProcess {
    const file = `${directory}/${name}.ts`;
    writeFileSync(
      file,
      `import { runSupervised } from ${supervised};
       const SETTINGS = { name: { kind: "text", description: "" } } as const;
       await runSupervised(SETTINGS, async (config, supervisor) => { ${body} });`,
    );
    // Without our own options: `--test` would make it a test runner, which ends on SIGINT.
    return fork(file, { env: { ...process.env, METERKEEP_CONFIG: config }, execArgv: [], silent: true });
  }

  async function messages(child: ChildProcess): Promise<{ readonly all: unknown[]; readonly status: number | null }> {
    const all: unknown[] = [];
    child.on("message", (message) => all.push(message));
    // What was said before the end may arrive after it; the channel closes last.
    const [[status]] = (await Promise.all([once(child, "exit"), once(child, "disconnect")])) as [
      [number | null],
      unknown,
    ];
    return { all, status };
  }

  const LONG = `const timer = setInterval(() => {}, 1000);
    supervisor.send({ type: "ready", facts: { name: config.name } });
    return { close: () => { clearInterval(timer); supervisor.send({ type: "step", text: "closed" }); } };`;

  test("it gets its configuration, closes on stop, and exits with status 0", async () => {
    const child = app("stop", LONG);
    child.once("message", () => child.send({ type: "stop" }));
    const { all, status } = await messages(child);
    assert.deepEqual(all, [
      { type: "ready", facts: { name: "n" } },
      { type: "step", text: "closed" },
    ]);
    assert.equal(status, 0);
  });

  test("SIGTERM is a stop, SIGINT is left to the supervisor", async () => {
    const child = app("signals", LONG);
    child.once("message", () => {
      child.kill("SIGINT");
      setTimeout(() => child.kill("SIGTERM"), 50);
    });
    const { all, status } = await messages(child);
    assert.deepEqual([all.at(-1), status], [{ type: "step", text: "closed" }, 0]);
  });

  test("it ends at once when its supervisor is gone", async () => {
    const child = app("lost", LONG);
    child.once("message", () => child.disconnect());
    const { status } = await messages(child);
    assert.equal(status, 1);
  });

  test("what goes wrong at the start or later reaches the supervisor with its code", async () => {
    const early = await messages(app("early", `throw Object.assign(new Error("no"), { code: "not-today" });`));
    assert.deepEqual(early, { all: [{ type: "failed", code: "not-today", message: "no" }], status: 1 });
    const late = await messages(app("late", `setTimeout(() => { throw new Error("oh") }, 5); return { close() {} };`));
    assert.deepEqual(late, { all: [{ type: "failed", code: "internal-error", message: "oh" }], status: 1 });
  });

  test("a configuration that does not fit is named", async () => {
    writeFileSync(`${directory}/wrong.json`, '{"nome":"n"}');
    const { all, status } = await messages(app("wrong", LONG, `${directory}/wrong.json`));
    assert.deepEqual(all, [{ type: "failed", code: "setting-unknown", message: "config.nome: is not a setting" }]);
    assert.equal(status, 1);
  });

  test("an app that has done its work when it has started exits with status 0", async () => {
    assert.deepEqual(await messages(app("once", "return undefined;")), { all: [], status: 0 });
  });

  test("started by hand, it prints what it would have told the supervisor", async () => {
    app("hand", `supervisor.send({ type: "ready" }); return undefined;`).kill();
    const child = spawn(process.execPath, [`${directory}/hand.ts`], {
      env: { ...process.env, METERKEEP_CONFIG: `${directory}/config.json` },
      stdio: ["ignore", "pipe", "inherit"],
    });
    let output = "";
    child.stdout.setEncoding("utf8").on("data", (text: string) => {
      output += text;
    });
    await once(child, "close");
    assert.equal(output, '{"type":"ready"}\n');
  });
});
