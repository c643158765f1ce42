import { randomBytes } from "node:crypto";
import { fromHex } from "@meterkeep/dlms";
import { SecretKey } from "@meterkeep/dlms-node";
import type { LedgerDraft } from "@meterkeep/ledger";
import { purposeName } from "../keys/purposes.ts";
import { growthMacs } from "../ledger/entry-macs.ts";
import { takeoverMark } from "../records/marks.ts";
import { withMeterMacs, withTakeoverMacs } from "../records/record-mac.ts";
import { GroupCommitter } from "../store/committer.ts";
import type { KeyRecord, MeterFile, MeterRecord } from "../store/records.ts";
import type { CustodyStore } from "../store/store.ts";
import type { Vault } from "../vault/vault.ts";

const METERS_A_COMMIT = 1000;
const PURPOSES = 4;
const KEY_BYTES = 16;
const SHIPMENT = "5e".repeat(16);

/**
 * Writes meters whose keys are settled, as the custodian would have: like one that was taken over, each with keys of its own,
 * sealed for its place, MACs of its own and its journal's mark in the ledger. While no custodian runs over the store: it
 * would find a ledger that it has not written.
 */
export async function addSettledMeters(
  store: Pick<CustodyStore, "commit" | "ledger">,
  vault: Vault,
  like: MeterFile,
  titles: readonly string[],
  at: number,
): Promise<void> {
  const committer = new GroupCommitter(store, { bind: (growth) => growthMacs(vault, growth) });
  const template = {
    ...like,
    keys: like.keys.filter(({ state }) => state === "active"),
    takeovers: like.takeovers.map((takeover) => ({ ...takeover, revision: 1 })),
  };
  for (let from = 0; from < titles.length; from += METERS_A_COMMIT) {
    const files: MeterFile[] = [];
    for (const [number, title] of titles.slice(from, from + METERS_A_COMMIT).entries()) {
      const octets = Array.from({ length: PURPOSES }, () => new Uint8Array(randomBytes(KEY_BYTES)));
      const meter = { ...template.meter, shipment: { id: SHIPMENT, line: from + number + 1 } };
      files.push(await settledFile(vault, { ...template, meter }, title, octets));
    }
    await committer.submit({
      writes: files.flatMap(({ meter, keys, takeovers }) => [
        { kind: "add-meter" as const, meter, keys, checkValues: [] },
        ...takeovers.map((takeover) => ({ kind: "put-takeover" as const, takeover })),
      ]),
      entries: files.flatMap(({ meter, keys, takeovers }) => [
        statesEntry(meter, keys, at),
        ...takeovers.map((takeover) => takeoverMark(takeover, at)),
      ]),
    });
  }
}

/** What the ledger says of keys that are active, and proven where their rows say so. */
function statesEntry(
  { utility, island, systemTitle }: MeterRecord,
  keys: readonly KeyRecord[],
  at: number,
): LedgerDraft {
  const changes = keys.map(({ purpose, setup, version, provenAt }) => ({
    purpose: purposeName(purpose),
    setup,
    version,
    to: "active",
    proven: provenAt !== undefined,
  }));
  const body = { changes };
  return { at, kind: "key-states-changed", principal: "custodian", utility, island, meter: systemTitle, body };
}

/** The file of a meter that was taken over, made again for another title with keys of its own, by purpose. */
export async function settledFile(
  vault: Vault,
  template: MeterFile,
  title: string,
  octets: readonly Uint8Array[],
): Promise<MeterFile> {
  const keys = template.keys.map((record): KeyRecord => ({ ...record, systemTitle: title }));
  const sealed = await vault.seal(
    keys.map((record) => ({
      place: { ...record, systemTitle: fromHex(title) },
      key: SecretKey.copy(octets[record.purpose] as Uint8Array),
    })),
  );
  const [meter] = (await withMeterMacs(vault, [{ ...template.meter, systemTitle: title }])) as [MeterRecord];
  const takeovers = await withTakeoverMacs(
    vault,
    template.takeovers.map((journal) => ({ ...journal, systemTitle: title })),
  );
  const marks = takeovers.map(({ setup, takeover, revision, mac }) => ({
    setup,
    takeover,
    revision,
    mac: Buffer.from(mac ?? []).toString("hex"),
  }));
  return {
    ...template,
    meter,
    keys: keys.map((record, at) => ({ ...record, sealed: sealed[at] as Uint8Array })),
    takeovers,
    marks,
    windows: [],
  };
}
