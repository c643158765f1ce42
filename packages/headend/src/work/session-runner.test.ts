import assert from "node:assert/strict";
import { randomUUID } from "node:crypto";
import { test } from "node:test";
import { CustodianCallError } from "@meterkeep/api/custodian";
import { Ledger, memoryLedgerStore } from "@meterkeep/ledger";
import { ChannelTable } from "../reading/channels.ts";
import { SESSION_LIMITS } from "../session/line.ts";
import { ScalerTable } from "../session/scaler-table.ts";
import { openHeadEndDatabase } from "../testing/database.ts";
import { WALL_SOURCE_CLOCK } from "../time/source-clock.ts";
import { meterSummaries } from "../view/meter-summary.ts";
import { LANES } from "./lease.ts";
import { postgresWorkQueue } from "./postgres-queue.ts";
import { Results } from "./results.ts";
import { SessionRunner, type SessionRunnerPorts } from "./session-runner.ts";

const NOW = Date.parse("2026-11-21T12:00:00Z");

test("a meter whose record the custodian refuses is quarantined once, with the reason in the ledger", async () => {
  await using database = await openHeadEndDatabase(1);
  const { pool, scope, inventory } = database;
  const [{ title, id }] = database.meters as [(typeof database.meters)[number]];
  await inventory.setAddresses("simulated", [{ systemTitle: title, wan: { host: "127.0.0.1", port: 1 } }]);
  const queue = postgresWorkQueue(pool, scope);
  const ledger = new Ledger(memoryLedgerStore());
  const refuse = () => Promise.reject(new CustodianCallError("record-refused", `meter ${title}: record-put-back`));
  const sentences: string[] = [];
  const runner = new SessionRunner(
    {
      custodian: { nextContact: refuse } as unknown as SessionRunnerPorts["custodian"],
      dial: () => assert.fail("nobody is dialled"),
      scalers: new ScalerTable(),
      results: new Results(pool, scope, new ChannelTable(pool, scope)),
      ledger,
      scope,
      events: { publish: (_type, _data, line) => sentences.push(line?.sentence ?? "") },
      clockOf: () => WALL_SOURCE_CLOCK,
      now: () => NOW,
      random: () => 0,
      onChange: () => undefined,
      onRecordAccepted: () => assert.fail("it was not accepted"),
      onSession: () => assert.fail("there was none"),
    },
    { limits: SESSION_LIMITS, collecting: { everySeconds: 0 } },
  );
  for (let turn = 0; turn < 2; turn += 1) {
    await queue.due([id], NOW, LANES.onDemand, "read");
    const [lease] = await queue.lease(randomUUID(), 1, NOW + 3_600_000, 60);
    await runner.run(lease!, new AbortController().signal);
  }
  const [line] = await meterSummaries(pool, scope, () => WALL_SOURCE_CLOCK, NOW);
  assert.equal(line?.trust, "quarantined");
  assert.match(line?.trustSentence ?? "", /refuses its record/);
  const entries = await ledger.read(0, 9);
  assert.deepEqual(
    entries.map(({ kind, meter, body }) => [kind, meter, (JSON.parse(body) as { reason: string }).reason]),
    [["trust-changed", title, "record-refused"]],
  );
  assert.match(sentences.join(), /is quarantined now/);
});
