import { fromHex, sealApdu, systemTitle } from "@meterkeep/dlms";
import { SecretKey } from "@meterkeep/dlms-node";
import { classify } from "@meterkeep/guard";
import { getRequest } from "../src/protocol/requests.ts";
import { SessionKeys } from "../src/session/session-keys.ts";
import { memoryCustodyStore } from "../src/store/memory-store.ts";
import { type KeyRecord, PURPOSE } from "../src/store/records.ts";
import { softwareVault } from "../src/vault/software-vault.ts";
import { perSecond } from "./figures.ts";
import { bareSeals } from "./seal.ts";

const METERS = 100_000;

/**
 * Decoding, judging and sealing in this process, for meters drawn uniformly over 100 000, both keys of each unsealed and
 * wiped again for every seal.
 */
export async function benchUnwrapping(seconds: number): Promise<void> {
  const vault = softwareVault(SecretKey.random(32), memoryCustodyStore().vaultKeys);
  const meters: KeyRecord[][] = [];
  for (let n = 0; n < METERS; n += 1) {
    const title = `545354${n.toString(16).toUpperCase().padStart(10, "0")}`;
    const place = { utility: "utility", island: "island", systemTitle: fromHex(title), setup: 0, version: 1 };
    const purposes = [PURPOSE.GUEK, PURPOSE.GAK] as const;
    const sealed = await vault.seal(
      purposes.map((purpose) => ({ place: { ...place, purpose }, key: SecretKey.random(16) })),
    );
    meters.push(
      purposes.map((purpose, at) => ({
        ...place,
        systemTitle: title,
        purpose,
        state: "active",
        origin: "generated",
        sealed: sealed[at] as Uint8Array,
        createdAt: 0,
        provenAt: undefined,
      })),
    );
  }
  const request = getRequest({ classId: 3, logicalName: "1.0.1.8.0.255", attributeId: 2 });
  const client = systemTitle(fromHex("4D4B430000000001"));
  const bare = bareSeals(request, seconds);
  let count = 0;
  const [began, cpu] = [performance.now(), process.cpuUsage()];
  for (const end = began + seconds * 1000; performance.now() < end; count += 1) {
    const records = meters[Math.floor(Math.random() * METERS)] as KeyRecord[];
    if (classify(request).kind !== "allowed") throw new Error("refused");
    const keys = await SessionKeys.open(vault, records, { GUEK: 1, GAK: 1 }, "call");
    await keys.use((own) =>
      sealApdu(
        {
          client,
          ciphering: { ...own, suite: 0, authenticated: true, encrypted: true, form: "general-global" },
        },
        request,
        count,
      ),
    );
  }
  const { user, system } = process.cpuUsage(cpu);
  const rate = (count * 1000) / (performance.now() - began);
  const ofCore = (count * 1e6) / (user + system);
  console.log(
    `100 000 meters, unsealed each time  ${perSecond(rate)} seals a second, ${perSecond(ofCore)} a core second, ${(bare / rate).toFixed(1)} times slower than bare`,
  );
}
