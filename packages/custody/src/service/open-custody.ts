import { join } from "node:path";
import { steadyClock } from "@meterkeep/guard";
import { DEFAULT_KEEPER_SETTINGS } from "@meterkeep/ledger";
import type { Pool } from "pg";
import { authorityService } from "../authority/authority-service.ts";
import { DocumentKeeper } from "../authority/document-keeper.ts";
import { ExecutedChanges } from "../authority/executed-changes.ts";
import { KeptDocuments } from "../authority/kept-documents.ts";
import { KeyControl } from "../authority/key-control.ts";
import { openAuthority } from "../authority/open-authority.ts";
import { Backups } from "../backup/backups.ts";
import { drillCounters } from "../backup/drill-counters.ts";
import { holdings } from "../backup/holdings.ts";
import { acknowledgeRestorations } from "../backup/restoration.ts";
import { SecondStorage } from "../backup/second-storage.ts";
import { postgresSnapshots, type SnapshotSource } from "../backup/snapshot.ts";
import { openConversation } from "../conversation/open-conversation.ts";
import { Departures } from "../departure/departures.ts";
import { senderWhenWanted } from "../departure/sender.ts";
import { agreeingWith, canAgree } from "../enrolment/agreeing-parties.ts";
import { openEnrolment } from "../enrolment/open-enrolment.ts";
import type { CustodyError } from "../errors.ts";
import { exposures } from "../exposure/exposures.ts";
import { HeadEnds } from "../head-ends/head-ends.ts";
import { LeaseContacts } from "../lease/lease-contacts.ts";
import { Leases } from "../lease/leases.ts";
import { LentMeters } from "../lease/lent-meters.ts";
import { LogContacts } from "../lease/log-contacts.ts";
import { UnreadLogs } from "../lease/unread-logs.ts";
import { ForeignWatch } from "../ledger/foreign-watch.ts";
import { gatedService } from "../ledger/gate.ts";
import { HeadEndLedgers } from "../ledger/head-end-ledgers.ts";
import { installationEntry } from "../ledger/installation-entry.ts";
import { ledgerService } from "../ledger/ledger-service.ts";
import { openLedger } from "../ledger/open-ledger.ts";
import { countersOfWindow, UNCLEAN_START, type UseOfCounters } from "../ledger/skipped-counters.ts";
import { troubleOf } from "../ledger/trouble.ts";
import { Pushes } from "../push/pushes.ts";
import { CheckedFiles } from "../records/checked-files.ts";
import { Rotations } from "../rotation/rotations.ts";
import { RefusingMeters } from "../session/refusing-meters.ts";
import { DEFAULT_SEAL_BUDGET, SealBudget } from "../session/seal-budget.ts";
import { Sessions } from "../session/sessions.ts";
import { FactoryMasters } from "../shipment/factory-masters.ts";
import { openRecipient } from "../shipment/open-recipient.ts";
import { Uploads } from "../shipment/uploads.ts";
import { becomeInstance } from "../standby/instance.ts";
import { ForeignRules } from "../store/foreign-rules.ts";
import { CUSTODY_MIGRATIONS, postgresCustodyStore } from "../store/postgres-store.ts";
import type { CustodyStore } from "../store/store.ts";
import { FIELD_PACE } from "../takeover/candidates.ts";
import { Contacts } from "../takeover/contacts.ts";
import { openVault } from "../vault/open-vault.ts";
import { resealMeterKeys } from "../vault/resealing.ts";
import { changeRoot } from "../vault/root-change.ts";
import { VaultEntries } from "../vault/vault-entries.ts";
import { VaultService } from "../vault/vault-service.ts";
import { clientTitles } from "./client-title.ts";
import { custodianService } from "./custodian-service.ts";
import type { Custody, CustodyOptions } from "./custody.ts";
import { upkeep } from "./upkeep.ts";

const MOST_SESSIONS = 200_000;

/** How a process is the custodian of its database. */
export interface InstanceSettings {
  /** Who it is, for the next one. */
  readonly holder: string;
  /** For a standby: how long the custodian may give no sign before its place is taken. */
  readonly silentMilliseconds?: number | undefined;
  readonly signal?: AbortSignal | undefined;
  /** Called once where another custodian holds the database: this one waits. */
  readonly onWaiting?: (() => void) | undefined;
  /** Called when this process has become the custodian, before anything is opened. */
  readonly onTaken?: (() => void) | undefined;
  /** Another custodian has taken over. */
  readonly onLost: (error: CustodyError) => void;
}

/** Opens custody in a migrated database of its own, as soon as this process is its custodian. */
export async function openCustody(pool: Pool, options: CustodyOptions, settings: InstanceSettings): Promise<Custody> {
  const { holder, silentMilliseconds, signal, onLost, onWaiting, onTaken } = settings;
  const instance = await becomeInstance(pool, {
    holder,
    onLost,
    ...(silentMilliseconds !== undefined && { silentMilliseconds }),
    ...(signal !== undefined && { signal }),
    ...(onWaiting !== undefined && { onWaiting }),
  });
  onTaken?.();
  try {
    const rules = await ForeignRules.of(CUSTODY_MIGRATIONS);
    await rules.require(pool);
    const store = postgresCustodyStore(pool);
    const custody = await openCustodyIn(store, options, {
      snapshots: postgresSnapshots(pool, store.ledger.foreign),
      check: () => instance.check(),
      requireOwnRules: () => rules.require(pool),
    });
    return {
      ...custody,
      close: async () => {
        try {
          await custody.close();
        } finally {
          await instance.release();
        }
      },
    };
  } catch (error) {
    await instance.release();
    throw error;
  }
}

/** What a store in a database has besides. */
export interface StoreExtras {
  readonly snapshots?: SnapshotSource;
  /** Throws while this process cannot be sure to be the custodian. */
  readonly check?: () => void;
  /** Refuses a database that can answer otherwise than by its rows. @throws LedgerError `ledger-under-rules` */
  readonly requireOwnRules?: () => Promise<void>;
}

/** Opens custody in a store. */
export async function openCustodyIn(
  plainStore: CustodyStore,
  options: CustodyOptions,
  { snapshots, check = () => undefined, requireOwnRules = async () => undefined }: StoreExtras = {},
): Promise<Custody> {
  const { onFailure, monotonic, stateFolder } = options;
  // Nothing is written by a clock that was set while this process runs.
  const now = monotonic === undefined ? options.now : steadyClock(options.now, monotonic);
  const secondStorage = await SecondStorage.open({
    directory: options.escrowFolder ?? join(stateFolder, "escrow"),
    stateFolder,
    store: plainStore,
    now,
    onFailure,
  });
  const { store, feed } = secondStorage;
  const vaultEntries = new VaultEntries(now, onFailure);
  const opened = await openVault(store, options.vault, now(), vaultEntries.hear);
  const { vault, rootKey, created } = opened;
  const ledgerParts = { store, opened, stateFolder, options: options.ledger ?? {}, now, onFailure };
  const { committer, bursts, keeper, patrol, reads: ledger, written, isClean, head } = await openLedger(ledgerParts);
  vaultEntries.begin(bursts);
  const documents = await DocumentKeeper.open({
    records: store.authority,
    committer,
    vault,
    ledger,
    kept: new KeptDocuments({ stateFolder, secondStorage: secondStorage.directory, vault, onFailure }),
    now,
    onFailure,
  });
  if (keeper.state.halt === undefined) await documents.settle();
  const executed = await ExecutedChanges.open({ ledger, readFrom: (after) => patrol.readFrom(after), now });
  await secondStorage.unlock({ vault, committer, isHalted: keeper.state.halt !== undefined });
  const { escrow } = secondStorage;
  const recipient = await openRecipient(vault, store.installation);
  const files = new CheckedFiles(store, vault, bursts, now);
  const uploads = new Uploads(join(stateFolder, "uploads"), now);
  await uploads.prepare();
  const use: UseOfCounters = {
    budget: options.sealBudget ?? DEFAULT_SEAL_BUDGET,
    settings: { ...DEFAULT_KEEPER_SETTINGS, ...options.ledger?.settings },
  };
  const mostSessions = options.mostSessions ?? MOST_SESSIONS;
  const { conversation, keyCache, forget } = openConversation({
    files,
    committer,
    bursts,
    vault,
    ledger,
    use,
    mostSessions,
    keeping: options.keeping,
    clientTitle: clientTitles(recipient.publicKeys.keyId),
    now,
  });
  const budget = new SealBudget(use.budget, bursts, now);
  await secondStorage.countSealsAgain();
  const { deciding, authority, enrolment } = await openAuthority({
    store,
    files,
    documents,
    executed,
    committer,
    vault,
    page: options.page,
    clocks: { wall: options.now, monotonic: monotonic ?? options.now, written },
    now,
  });
  const lentMeters = new LentMeters();
  const unreadLogs = new UnreadLogs();
  const foreignWatch = await ForeignWatch.open({ ledger, committer, authority, documents, now, onFailure });
  files.refuseUnmarkedWhile(() => foreignWatch.open);
  if (keeper.state.halt === undefined) {
    await authority.doubtClock();
    await foreignWatch.tend();
    await acknowledgeRestorations({ store, files, committer, vault, escrow, use, now });
  }
  const pace = options.pace ?? FIELD_PACE;
  const { pki, clientKeys, identities, enrolments, enrolmentContacts, removals } = await openEnrolment({
    conversation,
    store,
    opened,
    ledger,
    keeper,
    directory: secondStorage.directory,
    options: options.pki ?? {},
    pace,
    onFailure,
  });
  const sender = senderWhenWanted(vault, store.installation);
  const leases = new Leases({ ...conversation, store, authority, lentMeters, unreadLogs, sender });
  const logContacts = new LogContacts({ ...conversation, unreadLogs, lentMeters, leases });
  const leaseContacts = new LeaseContacts({ ...conversation, lentMeters, leases });
  const contacts = new Contacts({
    ...conversation,
    leases,
    lentMeters,
    keyCache,
    escrow,
    pace,
    rest: (title, milliseconds) => rotations.rest(title, milliseconds),
    agreeing: (file) => agreeingWith({ ...conversation, clientKeys, identities }, file),
  });
  const contactKinds = [contacts, enrolmentContacts, leaseContacts, logContacts];
  const sessions = new Sessions(
    {
      ...conversation,
      clientKeys,
      lentMeters,
      identities,
      isCut: (place) => pki.isCut(place),
      refusing: new RefusingMeters({ rotations: store.rotations, committer, now }),
      mostSessions,
    },
    budget,
    authority.seals,
  );
  files.onRefused((title) => void sessions.endOf(title, "its record was refused").catch(onFailure));
  const rotations = new Rotations({
    store,
    files,
    committer,
    vault,
    now,
    keyCache,
    canAgree: (file) => canAgree({ identities }, file),
  });
  const masters = new FactoryMasters({ ledger, committer, vault, changes: authority.changes, now });
  const departures = new Departures({
    files,
    committer,
    vault,
    changes: authority.changes,
    identities,
    leaving: conversation.leaving,
    sendCounters: conversation.sendCounters,
    end: async (title) => {
      await Promise.all(contactKinds.map(({ ends }) => ends.endOf(title)));
      await sessions.endOf(title, "the meter leaves");
    },
    sender,
    now,
    forget,
  });
  const headEnds = new HeadEnds({ ledger, committer, vault, changes: authority.changes, now });
  // Entries that cannot be read shut out the head-ends, not the meters.
  await headEnds.open().catch(onFailure);
  foreignWatch.onFound(() => headEnds.readAgain());
  const backups = new Backups({
    snapshots,
    recipients: options.recovery ?? [],
    rootKey: opened.rootId,
    committer,
    reads: store.ledger,
    checkpoints: store.checkpoints,
    keeper,
    feed,
    now,
  });
  await secondStorage.makeGood({
    ledger,
    rotations: store.rotations,
    files,
    committer,
    authority,
    documents,
    headEnds,
    departures,
    now,
  });
  await leases.open();
  const service = custodianService({
    store,
    files,
    masters,
    importing: {
      masters,
      store,
      files,
      committer,
      bursts,
      vault,
      trust: { manufacturers: options.manufacturers, recipient },
      now,
      forget,
    },
    uploads,
    sessions,
    contacts,
    rotations,
    keyControl: new KeyControl({ changes: authority.changes, ledger, committer, now }),
    departures,
    backups,
    leases,
    leaseContacts,
    logContacts,
    lentMeters,
    leaving: conversation.leaving,
    now,
    exposure: (request) => exposures({ store, files }, request),
    holdings: (request) => holdings({ store, vault }, request),
    drillCounters: (request, caller) => drillCounters(conversation, request, caller),
    enrolments,
    enrolmentContacts,
    pushes: new Pushes(conversation, keyCache),
    pki,
    headEnds,
    authority,
    authorityMethods: authorityService({ ...deciding, authority, enrolment, uploads }),
    ledgerHead: head,
    ledger: ledgerService(keeper, store, head),
    headEndLedgers: new HeadEndLedgers({ ledger, committer, now }),
    ledgerTrouble: () => troubleOf(keeper.state, foreignWatch.trouble, secondStorage.trouble),
    vaultService: await VaultService.open({ opened, ledger, committer, now }),
    refusals: () => ({ sealBudget: budget.refused, records: files.refused, entriesCounted: bursts.counted }),
    facts: {
      version: options.version,
      vault: vault.kind,
      rootKey,
      separateUser: options.separateUser,
      recipient: recipient.publicKeys,
    },
  });
  const meters = await store.meterCount();
  if (keeper.state.halt === undefined) {
    const { keyId } = recipient.publicKeys;
    const { version } = options;
    const body = { version, vault: vault.kind, rootKey, rootKeyCreated: created, recipient: keyId, meters };
    const started = installationEntry(now(), "custodian-started", "custodian", body);
    const unclean = installationEntry(now(), UNCLEAN_START, "custodian", { counters: countersOfWindow(use) });
    await committer.submit({ entries: isClean ? [started] : [unclean, started] });
    // Before the first call: what happens from here on is after something a witness has seen.
    await keeper.checkpoint();
  } else onFailure(keeper.state.halt);
  return {
    service: gatedService(service, () => {
      keeper.check();
      check();
    }),
    authority,
    enrolment,
    ledger: keeper,
    pki,
    headEnds,
    bursts,
    now,
    onFailure,
    sender,
    disputedLeases: () => leases.disputed,
    recipient: recipient.publicKeys,
    rootKeyCreated: created,
    meters,
    rewrapVault: (next, caller, reason) => {
      keeper.check();
      return changeRoot({ opened, changes: authority.changes, now }, next, caller, reason);
    },
    resealMeterKeys: (caller, onPage) => resealMeterKeys({ store, vault, committer, now }, caller, onPage),
    ...upkeep({
      opened,
      secondStorage,
      committer,
      keeper,
      bursts,
      contacts: contactKinds,
      sessions,
      uploads,
      backups,
      rotations,
      enrolments,
      pki,
      removals,
      documents,
      foreignWatch,
      patrol,
      requireOwnRules,
      leases,
      now,
    }),
  };
}
