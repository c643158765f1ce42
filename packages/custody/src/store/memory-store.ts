import { ForeignEntries, memoryCheckpointStore, memoryLedgerStore } from "@meterkeep/ledger";
import { memoryPkiStore } from "@meterkeep/pki";
import { applyAuthority, authorityOf, copyOfAuthority, noAuthority } from "../authority/store/memory-authority.ts";
import { CustodyError } from "../errors.ts";
import { pkiLedgerOfEntries } from "../pki/pki-ledger.ts";
import { enrolmentsOf, markEnrolment, planEnrolment } from "./memory-enrolments.ts";
import { fileOf, marksOf } from "./memory-file.ts";
import type { Held } from "./memory-held.ts";
import { conflict, setupName } from "./memory-names.ts";
import { destroyKey, markRotation, planSuccessors, rotationsOf } from "./memory-rotations.ts";
import { memoryVault } from "./memory-vault.ts";
import {
  type CounterMark,
  FIRST_SETUP,
  type KeyRecord,
  PURPOSE,
  type SetupPlace,
  type ShipmentRecord,
  type StoredCounter,
  type StoredTakeover,
} from "./records.ts";
import type { CustodyStore, ReserveCounters, StageConflict, StagedMeter, Write } from "./store.ts";

const MAX_COUNTER = 0xffffffff;

/** Custody that lasts as long as the process: for tests. It keeps the rules that the database keeps. */
export function memoryCustodyStore(): CustodyStore {
  let held: Held = {
    meters: new Map(),
    keys: new Map(),
    checkValues: new Map(),
    counters: new Map(),
    windows: new Map(),
    takeovers: new Map(),
    rotations: new Map(),
    enrolments: new Map(),
    changed: new Map(),
    shipments: new Map(),
    authority: noAuthority(),
    ledger: [],
  };
  const foreign = new ForeignEntries();
  const ledger = memoryLedgerStore(foreign);
  const counting = (): Held =>
    foreign.findings.length === 0
      ? held
      : { ...held, ledger: held.ledger.filter(({ sequence }) => !foreign.has(sequence)) };
  const vault = memoryVault(() => held.meters.size > 0 || held.ledger.length > 0);
  return {
    commit: async (writes, growth) => {
      const draft = copyOf(held);
      checkStatesOnce(writes);
      for (const write of writes) apply(draft, write);
      const rewrap = vault.rewrap(writes);
      planSuccessors(draft, writes);
      if (growth !== undefined) {
        await ledger.append(growth);
        draft.ledger.push(...growth.entries);
      }
      rewrap?.();
      held = draft;
    },
    load: async (systemTitle) => fileOf(counting(), systemTitle),
    loadPage: async (titles, after, limit) => {
      const all = titles.length > 0 ? [...titles] : [...held.meters.keys()].filter((title) => title > (after ?? ""));
      return all
        .sort()
        .slice(0, limit)
        .flatMap((title) => fileOf(counting(), title) ?? []);
    },
    counterLine: async (place) => ({
      counters: countersOf(held, place),
      mark: marksOf<CounterMark>(counting(), "counters-reserved", place.systemTitle).find(
        ({ setup }) => setup === place.setup,
      ),
      markedAt: counting().ledger.findLast(
        ({ kind, meter, body }) =>
          kind === "counters-reserved" &&
          meter === place.systemTitle &&
          (JSON.parse(body) as CounterMark).setup === place.setup,
      )?.sequence,
    }),
    entriesBehind: async (titles) => {
      const { ledger: entries, meters } = counting();
      const there = titles.filter((title) => meters.has(title));
      return new Map(there.map((title) => [title, entries.filter(({ meter }) => meter === title)]));
    },
    meterCount: async (utility) =>
      [...held.meters.values()].filter(
        (meter) => meter.standing === undefined && (utility === undefined || meter.utility === utility),
      ).length,
    provenMeterCount: async (utility) => provenMeters(held, utility).length,
    provenMeterSample: async (meters) => provenMeters(held).slice(0, meters),
    shipmentMeters: async ({ utility, island, shipment }, from, limit) =>
      [...held.meters.values()]
        .filter((meter) => meter.utility === utility && meter.island === island && meter.shipment?.id === shipment)
        .filter((meter) => (meter.shipment?.line ?? 0) > from)
        .sort((a, b) => (a.shipment?.line ?? 0) - (b.shipment?.line ?? 0))
        .slice(0, limit),
    stageShipment: async () => {
      const draft = copyOf(held);
      return {
        knows: async (manufacturerKey, shipment) => held.shipments.has(`${manufacturerKey}/${shipment}`),
        add: async (meters) => {
          const setAside = meters.flatMap((staged) => setAsideFor(draft, staged));
          for (const staged of meters) {
            const conflict = conflictOf(draft, staged);
            if (conflict !== undefined) return { conflict, setAside };
            addMeter(draft, staged);
          }
          return { conflict: undefined, setAside };
        },
        left: async (titles) =>
          titles.filter((title) => {
            const { standing } = held.meters.get(title) ?? {};
            return standing === "transferred" || standing === "returned";
          }),
        commit: async (shipment) => {
          if (held.shipments.has(shipmentName(shipment))) throw imported(shipment);
          addShipment(draft, shipment);
          held = { ...draft, ledger: held.ledger };
        },
        drop: async () => {},
      };
    },
    ledger,
    rotations: rotationsOf(
      () => held,
      (change) => {
        const draft = copyOf(held);
        change(draft);
        held = draft;
      },
    ),
    enrolments: enrolmentsOf(
      () => held,
      (change) => {
        const draft = copyOf(held);
        change(draft);
        held = draft;
      },
    ),
    authority: authorityOf(counting),
    checkpoints: memoryCheckpointStore(),
    pki: memoryPkiStore(),
    pkiLedger: pkiLedgerOfEntries(() => ledger.counted(0, Number.MAX_SAFE_INTEGER)),
    restorations: { list: async () => [] },
    vaultKeys: vault.vaultKeys,
    vaultSecrets: vault.vaultSecrets,
    installation: vault.installation,
  };
}

/** One statement changes all states of a commit: it would change a key once. */
function checkStatesOnce(writes: readonly Write[]): void {
  const names = writes.flatMap((write) =>
    write.kind === "set-key-state" ? [setupName(write.place, write.purpose, write.version)] : [],
  );
  if (new Set(names).size !== names.length) throw conflict("the state of a key is written twice");
}

function apply(draft: Held, write: Write): void {
  switch (write.kind) {
    case "reserve-counters":
      reserve(draft, write);
      return;
    case "rewrap-vault":
      return;
    case "reseal-keys":
      for (const { former, sealed, ...place } of write.keys) {
        const name = setupName(place, place.purpose, place.version);
        const key = draft.keys.get(name);
        if (key !== undefined && Buffer.from(key.sealed).equals(former)) draft.keys.set(name, { ...key, sealed });
      }
      return;
    case "put-windows":
      for (const window of write.windows) {
        const name = setupName(window, window.keyVersion);
        if ((draft.windows.get(name)?.highest ?? 0) <= window.highest) draft.windows.set(name, window);
      }
      return;
    case "add-keys":
      addKeys(draft, write.keys, write.checkValues);
      return;
    case "set-key-state": {
      const name = setupName(write.place, write.purpose, write.version);
      const key = draft.keys.get(name);
      const hasGone = key?.state.startsWith("destroyed") || (key?.state === "compromised" && write.state !== key.state);
      if (key === undefined || hasGone) throw conflict(`no key ${name}, or one that is compromised or destroyed since`);
      draft.keys.set(name, { ...key, state: write.state, provenAt: write.provenAt ?? key.provenAt });
      draft.changed.set(name, write.at);
      checkOneActive(draft, key);
      return;
    }
    case "set-standing": {
      const meter = draft.meters.get(write.meter.systemTitle);
      if (meter === undefined || meter.standing !== undefined)
        throw conflict("a meter that was to leave is not in service");
      draft.meters.set(meter.systemTitle, { ...meter, standing: write.standing });
      return;
    }
    case "readmit-meter": {
      const { standing } = draft.meters.get(write.meter.systemTitle) ?? {};
      if (standing !== "transferred" && standing !== "returned")
        throw conflict("a meter that was to come back has not been given away");
      draft.meters.set(write.meter.systemTitle, write.meter);
      return;
    }
    case "add-shipment":
      addShipment(draft, write.shipment);
      return;
    case "destroy-key":
      destroyKey(draft, write);
      return;
    case "plan-enrolment":
      planEnrolment(draft, write);
      return;
    case "mark-enrolment":
      markEnrolment(draft, write);
      return;
    case "mark-rotation":
      markRotation(draft, write);
      return;
    case "put-takeover": {
      const name = journalName(write.takeover);
      const before = draft.takeovers.get(name)?.revision ?? 0;
      if (write.takeover.revision !== before + 1) throw conflict(`takeover ${name} is at revision ${before}`);
      draft.takeovers.set(name, write.takeover);
      const open = [...draft.takeovers.values()].filter(
        (other) =>
          setupName(other) === setupName(write.takeover) &&
          other.subject === write.takeover.subject &&
          other.closedAt === undefined,
      );
      if (open.length > 1) throw conflict(`two takeovers are open for ${setupName(write.takeover)}`);
      return;
    }
    case "add-meter": {
      const problem = conflictOf(draft, write);
      if (problem !== undefined) throw conflict(`meter ${write.meter.systemTitle}: ${problem.problem}`);
      addMeter(draft, write);
      return;
    }
    default:
      applyAuthority(draft.authority, write);
  }
}

function shipmentName({ manufacturerKey, shipment }: ShipmentRecord): string {
  return `${manufacturerKey}/${shipment}`;
}

function imported({ shipment }: ShipmentRecord): CustodyError {
  return conflict(`shipment ${shipment} has been imported`);
}

function addShipment(draft: Held, shipment: ShipmentRecord): void {
  if (draft.shipments.has(shipmentName(shipment))) throw imported(shipment);
  draft.shipments.set(shipmentName(shipment), shipment);
}

function reserve(draft: Held, { from, counter }: ReserveCounters): void {
  if (countersOf(draft, counter).some(({ next }) => next > from))
    throw conflict(`counters of ${setupName(counter)} from ${from} on are reserved already`);
  if (counter.next > MAX_COUNTER)
    throw new CustodyError("counter-line-exhausted", `no counters are left for ${setupName(counter)}`);
  draft.counters.set(setupName(counter, counter.keyVersion), counter);
}

function countersOf(held: Held, place: SetupPlace): StoredCounter[] {
  return [...held.counters.values()].filter((counter) => setupName(counter) === setupName(place));
}

/** Takes out what was added by hand under the title, or with a key, of a shipped meter. */
function setAsideFor(draft: Held, { meter, checkValues }: StagedMeter): string[] {
  if (meter.origin !== "shipped") return [];
  const owners = checkValues.map((value) => draft.checkValues.get(hex(value)) ?? "");
  const titles = [...new Set([meter.systemTitle, ...owners])].filter(
    (title) => draft.meters.get(title)?.origin === "added",
  );
  for (const title of titles) {
    draft.meters.delete(title);
    for (const map of [draft.keys, draft.windows])
      for (const [name, { systemTitle }] of map) if (systemTitle === title) map.delete(name);
    for (const [value, owner] of draft.checkValues) if (owner === title) draft.checkValues.delete(value);
  }
  return titles;
}

function conflictOf(draft: Held, { meter, checkValues }: StagedMeter): StageConflict | undefined {
  const { systemTitle } = meter;
  const stored = draft.meters.get(systemTitle);
  if (stored !== undefined) {
    const sameFile = stored.shipment !== undefined && stored.shipment.id === meter.shipment?.id;
    return { systemTitle, problem: sameFile ? "in-file" : "in-custody" };
  }
  const shared = checkValues.some((value) => (draft.checkValues.get(hex(value)) ?? systemTitle) !== systemTitle);
  return shared ? { systemTitle, problem: "key-shared" } : undefined;
}

function provenMeters(held: Held, utility?: string): string[] {
  const masters = [...held.keys.values()].filter(
    ({ purpose, setup, provenAt }) => purpose === PURPOSE.KEK && setup === FIRST_SETUP && provenAt !== undefined,
  );
  const proven = new Set(masters.map(({ systemTitle }) => systemTitle));
  return [...held.meters.values()]
    .filter(({ standing, origin }) => standing === undefined && origin === "shipped")
    .filter((meter) => proven.has(meter.systemTitle) && (utility === undefined || meter.utility === utility))
    .map(({ systemTitle }) => systemTitle);
}

function addMeter(draft: Held, { meter, keys, checkValues }: StagedMeter): void {
  draft.meters.set(meter.systemTitle, meter);
  addKeys(draft, keys, checkValues);
}

function addKeys(draft: Held, keys: readonly KeyRecord[], checkValues: readonly Uint8Array[]): void {
  for (const key of keys) {
    const name = setupName(key, key.purpose, key.version);
    if (draft.keys.has(name)) throw conflict(`key ${name} is there`);
    draft.keys.set(name, key);
    checkOneActive(draft, key);
  }
  for (const value of checkValues) {
    const owner = keys[0]?.systemTitle ?? "";
    if ((draft.checkValues.get(hex(value)) ?? owner) !== owner) throw conflict("two meters would share a key");
    draft.checkValues.set(hex(value), owner);
  }
}

function checkOneActive(draft: Held, key: KeyRecord): void {
  const prefix = `${setupName(key, key.purpose)}/`;
  const active = [...draft.keys].filter(([name, { state }]) => name.startsWith(prefix) && state === "active");
  if (active.length > 1) throw conflict(`two active keys at ${prefix}`);
}

function journalName(record: StoredTakeover): string {
  return `${setupName(record, record.takeover)}/${record.subject ?? "keys"}`;
}

function copyOf(held: Held): Held {
  return {
    meters: new Map(held.meters),
    keys: new Map(held.keys),
    checkValues: new Map(held.checkValues),
    counters: new Map(held.counters),
    windows: new Map(held.windows),
    takeovers: new Map(held.takeovers),
    rotations: new Map(held.rotations),
    enrolments: new Map(held.enrolments),
    changed: new Map(held.changed),
    shipments: new Map(held.shipments),
    authority: copyOfAuthority(held.authority),
    ledger: [...held.ledger],
  };
}

function hex(octets: Uint8Array): string {
  return Buffer.from(octets).toString("hex");
}
