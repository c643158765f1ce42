import type { CustodianRequest, CustodianResponse } from "@meterkeep/api/custodian";
import { KEY_PURPOSES, MAX_PAGE_HOLDINGS } from "@meterkeep/api/custodian";
import { fromHex, systemTitle, systemTitleText } from "@meterkeep/dlms";
import type { SecretKey } from "@meterkeep/dlms-node";
import { highest } from "../records/record-check.ts";
import { FIRST_SETUP, furtherSetups, type KeyRecord, type MeterFile } from "../store/records.ts";
import type { CustodyStore } from "../store/store.ts";
import { boundData, keyPlaceData } from "../vault/key-place.ts";
import type { Vault } from "../vault/vault.ts";

/** What holdings are read with. */
export interface HoldingsDependencies {
  readonly store: Pick<CustodyStore, "loadPage" | "counterLine">;
  readonly vault: Pick<Vault, "unseal" | "checkValues" | "authenticate">;
}

/**
 * A page of what is held for each meter: every key with its state and a keyed check value bound to its place, and where
 * its counters stand. Two custodies of one vault hold the same keys where these are equal; nothing else follows.
 */
export async function holdings(
  { store, vault }: HoldingsDependencies,
  { after }: CustodianRequest<"holdings">,
): Promise<CustodianResponse<"holdings">> {
  const page = await store.loadPage([], after && systemTitleText(after), MAX_PAGE_HOLDINGS);
  const meters: CustodianResponse<"holdings">["meters"][number][] = [];
  for (const file of page) meters.push(await holdingOf(store, vault, file));
  const last = page.at(-1)?.meter.systemTitle;
  const next = page.length < MAX_PAGE_HOLDINGS || last === undefined ? {} : { next: systemTitle(fromHex(last)) };
  return { meters, ...next };
}

async function holdingOf(store: HoldingsDependencies["store"], vault: HoldingsDependencies["vault"], file: MeterFile) {
  const { meter, keys } = file;
  const { utility, island, systemTitle: title } = meter;
  const nextCounter = async (setup: number) =>
    highest((await store.counterLine({ utility, island, systemTitle: title, setup })).counters);
  const held = keys.filter(({ sealed }) => sealed.length > 0);
  const checks = await checksOf(vault, held);
  return {
    meter: systemTitle(fromHex(title)),
    nextCounter: await nextCounter(FIRST_SETUP),
    further: await Promise.all(
      furtherSetups(file).map(async (setup) => ({ setup, nextCounter: await nextCounter(setup) })),
    ),
    keys: keys.map((key) => {
      const check = checks[held.indexOf(key)];
      const { setup, purpose, version, state } = key;
      return {
        setup,
        purpose: KEY_PURPOSES[purpose] as (typeof KEY_PURPOSES)[number],
        version,
        state,
        ...(check && { check }),
      };
    }),
  };
}

/** Check values that differ for one key in two places, so that they say nothing of keys that are shared. */
async function checksOf(
  vault: HoldingsDependencies["vault"],
  keys: readonly KeyRecord[],
): Promise<readonly Uint8Array[]> {
  const placed = keys.map((key) => ({ place: { ...key, systemTitle: fromHex(key.systemTitle) }, sealed: key.sealed }));
  const secrets: SecretKey[] = await vault.unseal(placed);
  try {
    const values = await vault.checkValues(secrets);
    return await vault.authenticate(
      placed.map(({ place }, at) => boundData("meterkeep-holding-1", keyPlaceData(place), values[at] as Uint8Array)),
    );
  } finally {
    for (const secret of secrets) secret[Symbol.dispose]();
  }
}
