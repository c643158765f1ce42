import assert from "node:assert/strict";
import { existsSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { type ApiClient, ownerClient } from "../src/api-client.ts";
import { approve, enrolKeyHolder } from "../src/authority.ts";
import { assertCustodyIsWhole } from "../src/custody-check.ts";
import { type Meterkeep, makeStateDirectory, startMeterkeep } from "../src/start-meterkeep.ts";
import { townControl } from "../src/town-control.ts";
import { until } from "../src/until.ts";

const METERS = 3;

describe("the root key of an installation", () => {
  let api: ApiClient;
  let state: string;
  let folder: string;
  let meterkeep: Meterkeep;
  const passphrase = () => join(folder, "passphrase");
  const start = async (...options: readonly string[]) => {
    meterkeep = await startMeterkeep({
      meters: METERS,
      stateDirectory: state,
      ...(meterkeep !== undefined && { ports: meterkeep.ports }),
      options,
    });
    api = await ownerClient(meterkeep);
  };
  const run = async (...args: readonly string[]): Promise<string> => {
    const { status, stdout, stderr } = await meterkeep.command(args);
    assert.equal(status, 0, `${stdout}${stderr}`);
    return stdout;
  };
  const counters = async () =>
    new Map(
      (await townControl(state).truth()).map(({ systemTitle, lastReceivedCounter }) => [
        systemTitle,
        lastReceivedCounter,
      ]),
    );
  const isUncopied = async (wanted: boolean) =>
    (await api.call("overview")).warnings.some(({ code }) => code === "root-key-uncopied") === wanted;
  const areReadOn = async (before: ReadonlyMap<string, number>) => {
    await until("every meter is read on", async () => {
      const now = await counters();
      return [...before].every(([title, counter]) => (now.get(title) ?? 0) > counter);
    });
    const verdicts = (await api.meters()).map(({ takeover }) => takeover);
    assert.ok(verdicts.every((takeover) => takeover === "proven" || takeover === "refused"));
  };

  before(async () => {
    state = makeStateDirectory();
    folder = mkdtempSync(join(tmpdir(), "mk-vault-"));
    writeFileSync(passphrase(), "correct horse battery staple\n", { mode: 0o600 });
    await start();
    await until("every takeover has its verdict", async () => {
      const meters = await api.meters();
      return meters.length >= METERS && meters.every(({ takeover }) => ["proven", "refused"].includes(takeover));
    });
  });

  after(async () => {
    await meterkeep?.stop();
    rmSync(folder, { recursive: true, force: true });
  });

  test("becomes a passphrase and a file again, each time with every meter read on, and not while Meterkeep runs", async () => {
    const running = await meterkeep.command(["vault", "rewrap", "--to-root-key"]);
    assert.notEqual(running.status, 0);
    await until("the root key has no copy that anybody has said of", () => isUncopied(true));
    await run("vault", "copied", "--where", "the safe");
    await until("somebody has said so", () => isUncopied(false));
    const rootKey = join(state, "custodian", "root.key");
    let before = await counters();
    await meterkeep.stop();
    const first = JSON.parse(await run("vault", "rewrap", "--to-passphrase-file", passphrase(), "--json")) as {
      readonly from: string;
      readonly to: string;
      readonly former: string;
    };
    assert.equal(existsSync(rootKey), false);
    assert.equal(first.former, `${rootKey}.former-${first.from}`);
    const { keys, failed } = JSON.parse(await run("vault", "reseal", "--passphrase-file", passphrase(), "--json")) as {
      readonly keys: number;
      readonly failed: number;
    };
    assert.ok(keys >= METERS * 3);
    assert.equal(failed, 0);
    await start("--passphrase-file", passphrase());
    await areReadOn(before);
    await until("of another root key it is asked again", () => isUncopied(true));
    const anna = await enrolKeyHolder(meterkeep, "anna", "Anna", "operations");
    const ben = await enrolKeyHolder(meterkeep, "ben", "Ben", "security");
    before = await counters();
    await meterkeep.stop();
    // From here on it takes two: planned by the first call, approved while Meterkeep runs, made by the second.
    const toRootKey = ["vault", "rewrap", "--to-root-key", "--passphrase-file", passphrase()];
    const planned = await meterkeep.command(toRootKey);
    const [, change = ""] = /Approve change ([0-9a-f]+) and ask again/.exec(planned.stderr) ?? [];
    assert.notEqual(change, "", planned.stderr);
    assert.equal(existsSync(rootKey), false);
    await start("--passphrase-file", passphrase());
    await approve(meterkeep, change, anna, ben);
    await meterkeep.stop();
    const other = join(folder, "other");
    writeFileSync(other, "incorrect horse battery staple\n", { mode: 0o600 });
    const wrong = await meterkeep.command(["vault", "rewrap", "--to-root-key", "--passphrase-file", other]);
    assert.match(wrong.stderr, new RegExp(`does not open this vault: the root key ${first.to} does`));
    const second = JSON.parse(await run(...toRootKey, "--json")) as { readonly from: string; readonly to: string };
    assert.equal(second.from, first.to);
    assert.ok(existsSync(rootKey));
    assert.deepEqual(
      readdirSync(join(state, "custodian")).filter((name) => name.endsWith(".next")),
      [],
    );
    await start();
    await areReadOn(before);
    await assertCustodyIsWhole(state, (await api.meters()).length);
  });
});
