import assert from "node:assert/strict";
import { mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { parseSettings } from "@meterkeep/api/settings";
import { GATE_CONFIG, type WorkerTicket } from "@meterkeep/api/supervisor";
import { listenForEnrolment } from "@meterkeep/custody";
import { fromHex, systemTitle, toHex } from "@meterkeep/dlms";
import { type ApduServer, listenWrapper } from "@meterkeep/dlms-node";
import {
  type Dial,
  exportedMeters,
  HEADEND_MIGRATIONS,
  INTERVALS,
  Inventory,
  LANES,
  openScope,
  parseRoute,
  postgresWorkQueue,
  townClock,
  wantedIntervals,
} from "@meterkeep/headend";
import type { MeterConnection } from "@meterkeep/meter";
import { BENCH_NOW, benchMeter } from "@meterkeep/meter/testing";
import { decodeCertificate } from "@meterkeep/pki";
import { openTestDatabase } from "@meterkeep/postgres/testing";
import { startGate } from "../../apps/server/src/gate/gate-process.ts";
import { GATE_NAME } from "../../apps/server/src/gate/streams.ts";
import { listenForWorkers } from "../../apps/server/src/switchboard.ts";
import { caller } from "../../packages/custody/src/testing/test-custody.ts";
import { OPERATOR, withWorkers } from "../../packages/custody/src/testing/worker-bench.ts";
import { testMeter } from "../../packages/headend/src/testing/database.ts";
import { processFacts } from "../src/process-facts.ts";
import { startWithTicket } from "../src/remote-worker.ts";
import { served } from "../src/served-meter.ts";
import { until } from "../src/until.ts";

const HOST = "127.0.0.1";
const FAR = "far-1";
const PLACE = { utility: "stadtwerke", island: "mainland" } as const;
const QUARTER_MS = 900_000;
/** A quarter of an hour a second. */
const FACTOR = 900;
const KILLS = 4;
const LONGEST_PAUSE_MS = 2_000;
const PATIENCE = { patienceMs: 300_000, everyMs: 200 } as const;

/** Follows a call to the meter that has made it, as the server does with a connection that it holds. */
function heldDial(meter: ApduServer<MeterConnection>): Dial {
  return async (_, { clientSap, serverSap }) => {
    const connection = meter.connect(clientSap, serverSap);
    return {
      exchange: async (apdu) => {
        const answer = meter.handle(connection, apdu);
        if (answer === undefined) throw new Error("no answer");
        return answer as Uint8Array;
      },
      [Symbol.asyncDispose]: async () => void meter.disconnect?.(connection),
    };
  };
}

test("a worker that has nothing but a ticket and TCP takes meters over and reads them, is killed at any moment without a loss, and is out when it is removed", () =>
  withWorkers(async ({ custody, authority, authorities, custodianCertificate, headEnd, enrol, socketPath }) => {
    await using stack = new AsyncDisposableStack();
    Object.defineProperty(custody, "now", { get: () => Date.now() });
    const { pki, service } = custody.custody;
    const folder = mkdtempSync(join(tmpdir(), "mk-near-"));
    stack.defer(() => rmSync(folder, { recursive: true }));
    const clock = {
      epoch: new Date(BENCH_NOW * 1_000).toISOString(),
      wallEpoch: new Date().toISOString(),
      factor: FACTOR,
    };
    const town = townClock(clock);
    writeFileSync(join(folder, "addresses.json"), JSON.stringify({ clock, meters: [] }));

    const database = stack.use(await openTestDatabase({ migrations: HEADEND_MIGRATIONS }));
    const { pool } = database;
    const scope = await openScope(pool, PLACE.utility, PLACE.island);
    const inventory = new Inventory(pool, scope);
    // One is dialled by the worker itself, the other has called somebody who holds its connection.
    const benches = ["4D4B560000000001", "4D4B560000000002"].map((title) => {
      const bench = benchMeter({ systemTitle: title });
      Object.defineProperty(bench, "now", { get: () => Math.floor(town.atSource(Date.now()) / 1_000) });
      return bench;
    });
    const [near, called] = benches.map(served);
    const listener = stack.use(await listenWrapper({ server: near! as unknown as ApduServer<never> }));
    const lines = join(folder, "lines.sock");
    stack.use(await listenForWorkers(lines, heldDial(called!)));
    for (const { record } of benches) {
      const { keys, logicalDeviceName, serialNumber, profile, securitySuite } = record;
      const factoryKeys = [
        keys.globalUnicastEncryptionKey,
        keys.globalBroadcastEncryptionKey,
        keys.authenticationKey,
        keys.keyEncryptionKey,
      ] as const;
      await custody.add(
        { systemTitle: record.systemTitle, logicalDeviceName, factoryKeys, factorySecrets: {} },
        { serialNumber, profile, securitySuite },
      );
    }
    await inventory.add(
      benches.map(({ record: { systemTitle: title, profile } }, n) => testMeter(n, { systemTitle: title, profile })),
      new Date(),
    );
    const routes = [`tcp://${HOST}:${listener.port}`, `dial-in://${benches[1]!.record.systemTitle}`];
    await inventory.setAddresses(
      "simulated",
      benches.map(({ record }, n) => ({ systemTitle: record.systemTitle, wan: parseRoute(routes[n]!) })),
    );

    const enrolment = await listenForEnrolment({
      pki,
      bursts: { record: async () => undefined },
      host: HOST,
      port: 0,
      names: [HOST],
      place: PLACE,
      onFailure: (error) => {
        throw error;
      },
    });
    stack.defer(() => enrolment.close());
    const collecting = { days: 2, everySeconds: 900, powerQuality: false };
    const own = await enrol(GATE_NAME, "tls-server", [HOST]);
    const [keyFile, headEndKeyFile] = [join(folder, "gate.key"), join(folder, "channel.key")];
    writeFileSync(keyFile, own.privateKey);
    writeFileSync(headEndKeyFile, headEnd.privateKey);
    const ready = Promise.withResolvers<number>();
    const gate = await startGate(
      parseSettings(GATE_CONFIG, {
        ...PLACE,
        stateDirectory: folder,
        exchangeDirectory: folder,
        database: database.url,
        channel: { socketPath, keyFile: headEndKeyFile, certificate: headEnd.certificate, custodianCertificate },
        host: HOST,
        port: 0,
        keyFile,
        certificate: own.certificate,
        authorities,
        switchboard: lines,
        readEvery: collecting.everySeconds,
        collectDays: collecting.days,
        powerQuality: collecting.powerQuality,
        announces: false,
        pushHost: HOST,
        pushPort: 4_059,
        pushDestinations: [],
      }),
      {
        send: (message) => {
          if (message.type === "ready") ready.resolve(Number(message.facts?.["port"]));
        },
        onMessage: () => undefined,
      },
    );
    stack.defer(() => gate.close());
    const port = await ready.promise;

    const far = stack.use(
      await startWithTicket(async (file) => {
        const subject = { kind: "named", fields: [{ field: "CN", text: FAR }] } as const;
        const order = { name: FAR, authority, profile: "worker", subject, hosts: [], endsAt: Date.now() + 3_600_000 };
        const { password } = await service.makeEnrolmentPassword(order, OPERATOR);
        const ticket: WorkerTicket = {
          format: "meterkeep-worker-1",
          name: FAR,
          gate: { host: HOST, port },
          enrolment: { host: HOST, port: enrolment.port },
          authorities,
          custodianCertificate,
          password,
        };
        writeFileSync(file, JSON.stringify(ticket));
      }),
    );
    const told = readFileSync(`${far.stateDirectory}/worker/config.json`, "utf8");
    for (const place of [folder, socketPath, database.url]) assert.ok(!told.includes(place));
    const { uid } = processFacts(far.pid()!)!;
    if (process.getuid?.() === 0) assert.ok(uid !== 0 && statSync(`${far.stateDirectory}/worker`).uid === uid);

    const queue = postgresWorkQueue(
      pool,
      scope,
      wantedIntervals(() => town, collecting),
    );
    const meters = await inventory.all();
    await queue.due(
      meters.map(({ id }) => id),
      Date.now(),
      LANES.takeover,
    );
    for (let kill = 0; kill < KILLS; kill += 1) {
      await sleep(Math.random() * LONGEST_PAUSE_MS);
      const pid = await until(
        "it lives",
        () => {
          const now = far.pid();
          return now !== undefined && processFacts(now) !== undefined && now;
        },
        PATIENCE,
      );
      process.kill(pid, "SIGKILL");
    }
    await until(
      "both meters are taken over",
      async () => {
        const asked = { meters: meters.map((one) => systemTitle(fromHex(one.title))), after: undefined };
        const { states } = await service.takeoverStates(asked as never, caller("head-end"));
        return states.length === 2 && states.every(({ verdict }) => verdict === "proven");
      },
      PATIENCE,
    );
    const killedUntil = town.atSource(Date.now());
    const window = { from: killedUntil - 2 * 86_400_000, to: killedUntil, trust: "all" } as const;
    const held = await until(
      "both meters are read up to the last kill and beyond, without a gap",
      async () => {
        const slots = new Map<string, readonly number[]>();
        for await (const { systemTitle: title, channels } of exportedMeters(INTERVALS, pool, scope, window))
          for (const { obis, values } of channels)
            slots.set(
              `${title} ${obis}`,
              values.map(({ at }) => at),
            );
        const isWhole = ([, times]: [string, readonly number[]]): boolean =>
          times.at(-1)! > killedUntil - QUARTER_MS &&
          times.every((at, n) => n === 0 || at === times[n - 1]! + QUARTER_MS);
        const titles = new Set([...slots.keys()].map((name) => name.split(" ")[0]));
        return titles.size === 2 && [...slots].every(isWhole) && slots;
      },
      PATIENCE,
    ).catch((error: Error) => {
      error.message += far.log();
      throw error;
    });
    assert.ok([...held.values()].every((times) => new Set(times).size === times.length));
    const { rows } = await pool.query("select count(*)::integer as contradicted from interval_corrections");
    assert.deepEqual(rows, [{ contradicted: 0 }]);
    const opened = (await custody.store.ledger.read(0, 100_000)).filter(({ kind }) => kind === "session-opened");
    assert.deepEqual([...new Set(opened.map(({ principal }) => principal))], [`worker:${FAR}`]);

    const octets = Buffer.from(
      readFileSync(`${far.stateDirectory}/worker/identity.pem`, "utf8").split("-----")[6]!,
      "base64",
    );
    const serials = [toHex(decodeCertificate(octets).serial)];
    await service.revokeCertificates({ authority, serials, reason: "cessationOfOperation" }, OPERATOR);
    await until("it has lost the database", async () => (await pool.query(PRESENT)).rows[0].count === 0, PATIENCE);
    const size = await custody.store.ledger.size();
    await queue.due(
      meters.map(({ id }) => id),
      Date.now(),
      LANES.onDemand,
    );
    await far.stop();
    const after = await custody.store.ledger.read(size, 1_000);
    assert.ok(after.every(({ principal }) => principal !== `worker:${FAR}`));
    assert.notEqual((await far.joinAgain()).status, 0, "its ticket is used up");
  }));

const PRESENT =
  "select count(*)::integer as count from pg_locks where locktype = 'advisory' and classid = x'776f726b'::integer and database = (select oid from pg_database where datname = current_database())";
