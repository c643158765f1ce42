import { createReadStream, createWriteStream, mkdtempSync, rmSync, statSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Readable } from "node:stream";
import { pipeline } from "node:stream/promises";
import { withTestDatabase } from "@meterkeep/postgres/testing";
import { EntryBursts } from "../src/evidence/entry-bursts.ts";
import { CheckedFiles } from "../src/records/checked-files.ts";
import { importShipment } from "../src/shipment/import.ts";
import { GroupCommitter } from "../src/store/committer.ts";
import { CUSTODY_MIGRATIONS, postgresCustodyStore } from "../src/store/postgres-store.ts";
import { manyMeters, shipmentLines, testManufacturer } from "../src/testing/shipment-writer.ts";
import { testRecipient } from "../src/testing/test-recipient.ts";
import { freshRootKeys, RootKeyRing } from "../src/vault/root-keys.ts";
import { softwareVault } from "../src/vault/software-vault.ts";

// How long a shipment takes to import into PostgreSQL, and how much memory: `--meters N`, 20 000 unless given. The database of
// the bench is not durable; an import is one transaction, so that is one flush in any case.

const at = process.argv.indexOf("--meters");
const count = at < 0 ? 20_000 : Number(process.argv[at + 1]);
const maker = testManufacturer();
const recipient = testRecipient();
const folder = mkdtempSync(join(tmpdir(), "meterkeep-import-"));
const file = join(folder, "shipment.mks");

function* pieces(): Generator<string> {
  let held: string[] = [];
  for (const line of shipmentLines(maker, recipient.publicKeys, manyMeters(count), count)) {
    if (held.push(`${line}\n`) < 500) continue;
    yield held.join("");
    held = [];
  }
  yield held.join("");
}

try {
  await pipeline(Readable.from(pieces()), createWriteStream(file));
  await withTestDatabase({ migrations: CUSTODY_MIGRATIONS }, async ({ pool }) => {
    const store = postgresCustodyStore(pool);
    const vault = softwareVault(new RootKeyRing(freshRootKeys()), store.vaultKeys);
    const trust = { manufacturers: [maker.trusted], recipient };
    const [committer, now] = [new GroupCommitter(store), () => Date.now()];
    const bursts = new EntryBursts(committer, now);
    const files = new CheckedFiles(store, vault, bursts, now);
    const custody = {
      store,
      files,
      committer,
      bursts,
      vault,
      masters: { stateOf: async () => undefined },
      trust,
      now,
      forget: () => undefined,
    };
    globalThis.gc?.();
    const before = process.memoryUsage.rss();
    let most = before;
    const watch = setInterval(() => {
      most = Math.max(most, process.memoryUsage.rss());
    }, 250);
    const began = performance.now();
    const busy = process.cpuUsage();
    await importShipment(custody, { utility: "u", island: "i", principal: "bench" }, createReadStream(file));
    const seconds = (performance.now() - began) / 1000;
    clearInterval(watch);
    const { user, system } = process.cpuUsage(busy);
    const megabytes = (octets: number) => `${Math.round(octets / 1e6)} MB`;
    console.log(
      `meters      ${count.toLocaleString("en")} (${megabytes(statSync(file).size)}) in ${seconds.toFixed(1)} s`,
    );
    console.log(`rate        ${Math.round(count / seconds).toLocaleString("en")} meters a second`);
    console.log(
      `processor   ${((user + system) / 1e6 / seconds).toFixed(2)} cores of this process; the rest is PostgreSQL`,
    );
    console.log(`memory      ${megabytes(before)} before, ${megabytes(most)} at most`);
  });
} finally {
  rmSync(folder, { recursive: true });
}
