import { SecretKey } from "@meterkeep/dlms-node";
import { withTestDatabase } from "@meterkeep/postgres/testing";
import { EntryBursts } from "../src/evidence/entry-bursts.ts";
import { importShipment } from "../src/shipment/import.ts";
import { generateRecipientSecret, recipientOf } from "../src/shipment/recipient.ts";
import { GroupCommitter } from "../src/store/committer.ts";
import { CUSTODY_MIGRATIONS, postgresCustodyStore } from "../src/store/postgres-store.ts";
import { fileOf, testManufacturer, testMeters, writeShipment } from "../src/testing/shipment-writer.ts";
import { softwareVault } from "../src/vault/software-vault.ts";

// How long a shipment takes to import into PostgreSQL: `--meters N`, 5 000 unless given. The database of the bench is not
// durable; an import is one transaction, so that is one flush in any case.

const at = process.argv.indexOf("--meters");
const count = at < 0 ? 5000 : Number(process.argv[at + 1]);
const maker = testManufacturer();
const recipient = recipientOf(generateRecipientSecret());
const file = fileOf(writeShipment(maker, recipient.publicKeys, testMeters(count)));
const chunks = Array.from({ length: Math.ceil(file.length / 65_536) }, (_, n) =>
  file.subarray(n * 65_536, (n + 1) * 65_536),
);

await withTestDatabase({ migrations: CUSTODY_MIGRATIONS }, async ({ pool }) => {
  const store = postgresCustodyStore(pool);
  const vault = softwareVault(SecretKey.random(32), store.vaultKeys);
  const trust = { manufacturers: [maker.trusted], recipient };
  const [committer, now] = [new GroupCommitter(store), () => Date.now()];
  const bursts = new EntryBursts(committer, now);
  const custody = { store, committer, bursts, vault, trust, now, forget: () => undefined };
  const began = performance.now();
  await importShipment(custody, { utility: "u", island: "i", principal: "bench" }, chunks);
  const seconds = (performance.now() - began) / 1000;
  console.log(
    `${count.toLocaleString("en")} meters (${(file.length / 1e6).toFixed(1)} MB) imported in ${seconds.toFixed(2)} s`,
  );
  console.log(`${Math.round(count / seconds).toLocaleString("en")} meters a second`);
});
