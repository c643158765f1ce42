import { fromHex, systemTitle } from "@meterkeep/dlms";
import { memoryLedgerStore } from "@meterkeep/ledger";
import type { Caller } from "../src/calls/caller.ts";
import type { CustodianService } from "../src/service/service.ts";
import type { MeterFile } from "../src/store/records.ts";
import type { CustodyStore } from "../src/store/store.ts";
import { settledFile } from "../src/testing/settled-fleet.ts";
import { TestMeter } from "../src/testing/test-meter.ts";
import type { Vault } from "../src/vault/vault.ts";

// Meters by the hundred thousand whose keys are settled: the file of one that was taken over, made again for each title with
// keys of its own, sealed for its place, and MACs of its own.

/** The system title of the meter of that number. */
export function titleOf(number: number): string {
  return `545354${(number + 0x1000).toString(16).toUpperCase().padStart(10, "0")}`;
}

/** A store that has such meters as well, made when they are asked for; of what is written, the ledger alone is kept. */
export function withFleet(store: CustodyStore) {
  let template: MeterFile | undefined;
  let vault: Vault | undefined;
  const keysOf = new Map<string, readonly Uint8Array[]>();
  const ledger = memoryLedgerStore();
  const fleetStore: CustodyStore = {
    ...store,
    ledger,
    commit: async (writes, growth) => {
      if (template === undefined) await store.commit(writes, growth);
      if (growth !== undefined) await ledger.append(growth);
    },
    load: async (title) => {
      const keys = keysOf.get(title);
      if (template === undefined || vault === undefined || keys === undefined) return store.load(title);
      return settledFile(vault, template, title, keys);
    },
    counterLine: async (place) =>
      keysOf.has(place.systemTitle) ? { counters: [], mark: undefined, markedAt: undefined } : store.counterLine(place),
  };
  return {
    store: fleetStore,
    /** From now on there are meters like this one. */
    begin: (like: MeterFile, own: Vault): void => {
      template = like;
      vault = own;
    },
    /** Opens a session with a meter of its own keys, which are forgotten but for what the session keeps sealed. */
    open: async (service: CustodianService, title: string, caller: Caller): Promise<string> => {
      const meter = new TestMeter({ systemTitle: title });
      keysOf.set(title, meter.factoryKeys);
      // A challenge that reads as an APDU is not answered, and one in some thousands does.
      let session: string | undefined;
      while (session === undefined) session = await associate(service, meter, caller);
      keysOf.delete(title);
      return session;
    },
  };
}

async function associate(service: CustodianService, meter: TestMeter, caller: Caller): Promise<string | undefined> {
  const title = systemTitle(fromHex(meter.systemTitle));
  const { session, clientSap, serverSap, apdu } = await service.openSession({ meter: title, purpose: "read" }, caller);
  const line = meter.connect(clientSap, serverSap);
  for (let send: Uint8Array | undefined = apdu; send !== undefined; ) {
    const advance = await service.advanceSession({ session, received: line.exchange(send) as Uint8Array }, caller);
    if (advance.kind === "failed") return undefined;
    send = advance.kind === "send" ? advance.apdu : undefined;
  }
  return session;
}
