import assert from "node:assert/strict";
import { once } from "node:events";
import { rmSync } from "node:fs";
import { connect } from "node:net";
import { networkInterfaces } from "node:os";
import { after, before, describe, test } from "node:test";
import type { Problem } from "@meterkeep/api";
import { freePort } from "@meterkeep/postgres/testing";
import { type ApiClient, ask, signIn } from "../src/api-client.ts";
import { inShell, type NpmStart, npmStart } from "../src/npm-start.ts";
import { makeStateDirectory } from "../src/start-meterkeep.ts";
import { until } from "../src/until.ts";

const HOMES = 8;
const METERS = HOMES + 4;

/** What a start says, in the order in which it can be true. */
const STEPS = [
  /^PostgreSQL \d+\.\d+\S* \(embedded, user \S+, new\) {2}\d+\.\d s$/,
  /^Custodian: Made the vault's root key in \/\S+\/custodian\/root\.key\. Whoever has it has every key/,
  /^Custodian ready/,
  /^Factory: 12 meters were made and shipped, sealed to the custodian$/,
  /^Town ready \(meters 12, factor 60\)/,
  /^Console (built|up to date|copied)/,
  /^Head-end ready \(address http:\/\/localhost:\d+, push 127\.0\.0\.1:\d+\)/,
];

const linesAfter = (text: string, mark: string): string[] =>
  text
    .split("\n")
    .filter((line) => line.startsWith(`  ${mark} `))
    .map((line) => line.slice(4));

/** The commands under "Try next", without what stands beside them. */
const suggested = (text: string): string[] =>
  /Try next.*:\n((?: {2}\S.*\n)+)/
    .exec(text)![1]!
    .trimEnd()
    .split("\n")
    .map((line) => line.trim().split(/ {2,}/)[0]!);

/** Why a machine's start may warn though nothing is wrong with it. */
const OF_THE_MACHINE = /PostgreSQL runs as nobody|state is in/;
const warnings = (text: string): string[] => linesAfter(text, "!").filter((line) => !OF_THE_MACHINE.test(line));

describe("npm start", () => {
  const stateDirectory = makeStateDirectory();
  let ports: { readonly http: number; readonly push: number; readonly approvals: number };
  let running: NpmStart;
  let link: string;
  let api: ApiClient;

  const start = (...more: readonly string[]): Promise<NpmStart> =>
    npmStart([
      ...["--state", stateDirectory, "--port", String(ports.http), "--push-port", String(ports.push)],
      ...["--approvals-port", String(ports.approvals)],
      ...more,
    ]);

  before(async () => {
    ports = { http: await freePort(), push: await freePort(), approvals: await freePort() };
    running = await start("--meters", String(HOMES));
  });
  after(async () => {
    await running.interrupt();
    rmSync(stateDirectory, { recursive: true, force: true });
  });

  test("its steps are said as they happen, with nothing to warn of", () => {
    const steps = linesAfter(running.text(), "✓");
    const places = STEPS.map((step) => steps.findIndex((line) => step.test(line)));
    assert.ok(!places.includes(-1), `${STEPS[places.indexOf(-1)]} in ${steps.join("\n")}`);
    const [postgres, rootKey, custodian, factory, town, , headEnd] = places as [number, ...number[]];
    const order = [postgres, rootKey, custodian, factory, town, headEnd];
    assert.deepEqual(
      order,
      order.toSorted((a, b) => a! - b!),
      steps.join("\n"),
    );
    assert.deepEqual(warnings(running.text()), []);
    assert.match(
      running.text(),
      new RegExp(`^Meterkeep runs at http://localhost:${ports.http} after \\d+\\.\\d s$`, "m"),
    );
  });

  test("the link is of localhost on the port that was asked for, works once, and is worthless then", async () => {
    link = /http:\/\/localhost:\d+\/sign-in#\S+/.exec(running.text())![0];
    assert.equal(new URL(link).port, String(ports.http));
    api = await signIn(link);
    assert.equal((await api.call("me")).kind, "person");
    await assert.rejects(signIn(link), { status: 401, code: "sign-in-refused" });
  });

  test("each of the three commands to try next does what it says when it is typed as printed", async () => {
    await until("all meters are taken over and read", async () => {
      const meters = await api.meters();
      return meters.length === METERS && meters.every((one) => one.takeover === "proven" && one.powerW !== undefined);
    });
    const commands = suggested(running.text());
    assert.equal(commands.length, 3);
    const directory = /Try next, in another terminal \(in (.+)\):/.exec(running.text())![1]!;
    const outcomes = new Map<string, string>();
    for (const command of commands) {
      const { status, stdout, stderr } = await inShell(command, directory);
      assert.equal(status, 0, `${command}: ${stderr}`);
      outcomes.set(command.split(" ")[2]!, stdout);
    }
    assert.match(outcomes.get("drill")!, /\d+ asked, 0 sealed, 0 homes dark/);
    assert.equal(outcomes.get("meter")!.match(/[0-9A-F]{16}/g)!.length, METERS);
    assert.match(outcomes.get("decode")!, /1-0:1\.8\.0.*1234567.*Wh/);
  });

  test("without a session every route of the OpenAPI document is 401, on every address", async () => {
    const origin = `http://localhost:${ports.http}`;
    // Who came by a link has shown no passkey, which is not enough to make a token.
    await assert.rejects(api.call("createToken", { body: { name: "walker" } }), { code: "step-up-required" });
    const made = await inShell(`npx meterkeep token create walker --json --state ${stateDirectory}`);
    const { token } = JSON.parse(made.stdout) as { readonly token: string };
    const document = await ask(`${origin}/api/openapi.json`, { headers: { authorization: `Bearer ${token}` } });
    const { paths } = JSON.parse(document.text) as {
      readonly paths: Readonly<Record<string, Readonly<Record<string, { readonly security?: readonly object[] }>>>>;
    };
    const routes = Object.entries(paths).flatMap(([path, methods]) =>
      Object.entries(methods).map(([method, { security }]) => ({ path, method: method.toUpperCase(), security })),
    );
    assert.ok(routes.length > 20);
    const named = ({ method, path }: { readonly method: string; readonly path: string }) => `${method} ${path}`;
    const open = routes.filter(({ security }) => security?.length === 0).map(named);
    assert.deepEqual(open.sort(), [
      "GET /api/v1/healthz",
      "GET /api/v1/sign-in",
      "POST /api/v1/sign-in",
      "POST /api/v1/sign-in/organisation",
      "POST /api/v1/sign-in/organisation/options",
      "POST /api/v1/sign-in/passkey",
      "POST /api/v1/sign-in/passkey/options",
    ]);
    const guarded = [
      ...routes.filter((route) => !open.includes(named(route))),
      ...["/metrics", "/api/docs", "/api/docs/json", "/api/openapi.json", "/api/v1/nothing"].map((path) => ({
        path,
        method: "GET",
      })),
    ];
    for (const host of ["127.0.0.1", ...(hasIpv6() ? ["[::1]"] : []), "localhost"])
      for (const { path, method } of guarded) {
        const filled = path
          .replaceAll("{systemTitle}", "4D4B560000000001")
          .replace("{hash}", "0".repeat(64))
          .replace(/\{\w+\}/, "x");
        const answer = await ask(`http://${host}:${ports.http}${filled}`, {
          method,
          ...(method !== "POST" ? {} : { headers: { "content-type": "application/json" }, body: "{}" }),
        });
        assert.equal(answer.status, 401, `${method} ${host} ${path}`);
        assert.match(String(answer.headers["content-type"]), /^application\/problem\+json/, path);
        assert.equal((JSON.parse(answer.text) as Problem).code, "sign-in-required", path);
      }
  });

  test("the page itself holds nothing of the installation, and no other address of the machine answers", async () => {
    const titles = (await api.meters()).map(({ systemTitle }) => systemTitle);
    const page = await ask(`http://localhost:${ports.http}/`);
    assert.equal(page.status, 200);
    const assets = [...page.text.matchAll(/(?:src|href)="(\/assets\/[^"]+)"/g)].map(([, path]) => path!);
    assert.ok(assets.length > 0);
    for (const path of ["/", "/meters", ...assets]) {
      const { text } = await ask(`http://localhost:${ports.http}${path}`);
      for (const title of titles) assert.ok(!text.includes(title), path);
    }
    const outside = Object.values(networkInterfaces())
      .flatMap((list) => list ?? [])
      .filter(({ internal, scopeid }) => !internal && !scopeid);
    for (const { address } of outside)
      for (const port of Object.values(ports)) assert.equal(await connects(address, port), false, `${address}:${port}`);
  });

  test("a second instance is refused with the holder's name, by directory and by port, and harms nothing", async () => {
    const same = await start();
    assert.equal(await same.interrupt(), 1);
    assert.match(
      same.text(),
      /meterkeep: the state directory \S+ is in use by process \d+: stop that one first .*\[already-running\]/,
    );
    const elsewhere = makeStateDirectory();
    try {
      const other = await npmStart([
        "--state",
        elsewhere,
        "--port",
        String(ports.http),
        "--push-port",
        String(await freePort()),
        "--approvals-port",
        String(await freePort()),
      ]);
      assert.equal(await other.interrupt(), 1);
      assert.match(
        other.text(),
        new RegExp(
          `TCP 127\\.0\\.0\\.1:${ports.http} \\(console\\) is held by .*process \\d+\\): stop it, or choose another port with --port \\[port-in-use\\]`,
        ),
      );
      assert.deepEqual(linesAfter(other.text(), "✓"), []);
    } finally {
      rmSync(elsewhere, { recursive: true, force: true });
    }
    assert.equal((await api.meters()).length, METERS);
  });

  test("a second start prints no link but how to get one, warns of options that come too late, and of nothing else", async () => {
    await running.interrupt();
    assert.match(running.text(), /✓ Everything is closed/);
    running = await start();
    assert.deepEqual(warnings(running.text()), []);
    assert.ok(!running.text().includes("/sign-in#"));
    const recover = /without a session or passkey: (npx meterkeep admin recover.*) \(it ends/.exec(running.text())![1]!;
    const { stdout } = await inShell(`${recover} --yes`);
    api = await signIn(/http:\S+\/sign-in#\S+/.exec(stdout)![0]);
    assert.equal((await api.call("me")).kind, "person");
    await running.interrupt();
    running = await start("--meters", "99");
    assert.deepEqual(warnings(running.text()), [`ignored --meters 99 (this state directory was made with ${HOMES})`]);
  });
});

function hasIpv6(): boolean {
  return Object.values(networkInterfaces()).some((list) => list?.some(({ address }) => address === "::1"));
}

async function connects(host: string, port: number): Promise<boolean> {
  const socket = connect({ host, port, timeout: 5_000 });
  try {
    await Promise.race([
      once(socket, "connect"),
      once(socket, "timeout").then(() => Promise.reject(new Error("timeout"))),
    ]);
    return true;
  } catch {
    return false;
  } finally {
    socket.destroy();
  }
}
