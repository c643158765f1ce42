import { join } from "node:path";
import type { RecipientKey } from "@meterkeep/api/custodian";
import { nodeRandom } from "@meterkeep/dlms-node";
import { OwnTime, steadyClock } from "@meterkeep/guard";
import { countingReads, DEFAULT_KEEPER_SETTINGS, type LedgerDraft, type LedgerKeeper } from "@meterkeep/ledger";
import type { Pool } from "pg";
import { Authority, freshCode } from "../authority/authority.ts";
import { authorityService } from "../authority/authority-service.ts";
import type { SealDependencies } from "../authority/critical-seals.ts";
import { DocumentKeeper } from "../authority/document-keeper.ts";
import { Enrolment } from "../authority/enrolment.ts";
import { KeyControl } from "../authority/key-control.ts";
import { OpenManifests } from "../authority/manifests.ts";
import type { RelyingParty } from "../authority/people/passkey.ts";
import { Backups } from "../backup/backups.ts";
import { drillCounters } from "../backup/drill-counters.ts";
import { holdings } from "../backup/holdings.ts";
import type { RecoveryRecipient } from "../backup/recovery-key.ts";
import { acknowledgeRestorations } from "../backup/restoration.ts";
import { SecondStorage } from "../backup/second-storage.ts";
import { postgresSnapshots, type SnapshotSource } from "../backup/snapshot.ts";
import type { Caller } from "../calls/caller.ts";
import type { BucketSize } from "../calls/token-bucket.ts";
import type { ConversationDependencies } from "../conversation/dependencies.ts";
import { Departures } from "../departure/departures.ts";
import { openSender, type Sender } from "../departure/sender.ts";
import { agreeingWith } from "../enrolment/agreeing-parties.ts";
import { compromisedAnchors } from "../enrolment/anchor.ts";
import { ClientKeys } from "../enrolment/client-keys.ts";
import { EnrolmentContacts } from "../enrolment/contacts.ts";
import { Enrolments } from "../enrolment/enrolments.ts";
import { ENROLMENT_REQUESTER, MeterAuthority } from "../enrolment/meter-authority.ts";
import { enrolmentPace } from "../enrolment/pace.ts";
import { Removals } from "../enrolment/removals.ts";
import type { CustodyError } from "../errors.ts";
import { EntryBursts } from "../evidence/entry-bursts.ts";
import { exposures } from "../exposure/exposures.ts";
import { HeadEnds } from "../head-ends/head-ends.ts";
import { Leases } from "../lease/leases.ts";
import { LentMeters } from "../lease/lent-meters.ts";
import { ForeignWatch } from "../ledger/foreign-watch.ts";
import { gatedService } from "../ledger/gate.ts";
import { HeadEndLedgers } from "../ledger/head-end-ledgers.ts";
import { installationEntry } from "../ledger/installation-entry.ts";
import { ledgerService } from "../ledger/ledger-service.ts";
import { signingKeys } from "../ledger/ledger-signer.ts";
import { keeperIn, type LedgerOptions, storedHead, troubleOf } from "../ledger/open-keeper.ts";
import { OwnEnds } from "../ledger/own-ends.ts";
import {
  countersOfWindow,
  endedWithStop,
  skippedAfterLoss,
  UNCLEAN_START,
  type UseOfCounters,
} from "../ledger/skipped-counters.ts";
import { openPki, type Pki, type PkiOptions } from "../pki/open-pki.ts";
import { openTrustJournal } from "../pki/trust-journal.ts";
import { ReceiveWindows } from "../protocol/receive-windows.ts";
import { SendCounters } from "../protocol/send-counters.ts";
import { MeterKeyCache } from "../push/key-cache.ts";
import { Pushes } from "../push/pushes.ts";
import { adoptRecords } from "../records/adopt.ts";
import { CheckedFiles } from "../records/checked-files.ts";
import { Rotations } from "../rotation/rotations.ts";
import { RefusingMeters } from "../session/refusing-meters.ts";
import { DEFAULT_SEAL_BUDGET, SealBudget } from "../session/seal-budget.ts";
import type { KeepingOf } from "../session/session-keys.ts";
import { Sessions } from "../session/sessions.ts";
import { FactoryMasters } from "../shipment/factory-masters.ts";
import type { TrustedManufacturer } from "../shipment/manufacturer.ts";
import { openRecipient } from "../shipment/open-recipient.ts";
import { Uploads } from "../shipment/uploads.ts";
import { becomeInstance } from "../standby/instance.ts";
import { GroupCommitter } from "../store/committer.ts";
import { gatheringFor } from "../store/gathering.ts";
import { postgresCustodyStore } from "../store/postgres-store.ts";
import type { CustodyStore } from "../store/store.ts";
import { FIELD_PACE, type Pace } from "../takeover/candidates.ts";
import { Contacts } from "../takeover/contacts.ts";
import { openVault, type VaultSource } from "../vault/open-vault.ts";
import { type Resealed, resealMeterKeys } from "../vault/resealing.ts";
import { changeRoot, type RootChanged } from "../vault/root-change.ts";
import type { RootKeySource } from "../vault/root-key.ts";
import { VaultService } from "../vault/vault-service.ts";
import { clientTitles } from "./client-title.ts";
import { custodianService } from "./custodian-service.ts";
import type { CustodianService } from "./service.ts";

/** What custody is opened with. */
export interface CustodyOptions {
  /** What the vault is opened with. */
  readonly vault: VaultSource;
  readonly manufacturers: readonly TrustedManufacturer[];
  /** A folder of the custodian's own; it makes `uploads` in it. */
  readonly stateFolder: string;
  /**
   * A folder on other storage than the database, where every new key is kept before it is sent; `escrow` in the state
   * folder unless given, which survives the loss of the database only.
   */
  readonly escrowFolder?: string | undefined;
  readonly version: string;
  readonly separateUser: boolean;
  /** How often meters are tried with keys they may not hold; `FIELD_PACE` unless given. */
  readonly pace?: Pace;
  /** How long sessions have the keys of a meter in clear; while they are open unless given. */
  readonly keeping?: KeepingOf | undefined;
  /** What a principal may use up of a meter's counters; `DEFAULT_SEAL_BUDGET` unless given. */
  readonly sealBudget?: BucketSize | undefined;
  /** Sessions open at once, over all callers, each of which takes up to 4 KiB; 200 000 unless given. */
  readonly mostSessions?: number | undefined;
  /** Witnesses and pace of the ledger; a file in the state folder, and the defaults, unless given. */
  readonly ledger?: LedgerOptions | undefined;
  /** How the authorities of the PKI are kept; none are made unless told. */
  readonly pki?: PkiOptions | undefined;
  /** Who can open backups; none are made without. */
  readonly recovery?: readonly RecoveryRecipient[];
  readonly now: () => number;
  /** Milliseconds of a clock that nobody sets, from anywhere; the wall clock unless given, which nobody is then held against. */
  readonly monotonic?: (() => number) | undefined;
  /** Where people sign with passkeys: the custodian's own page. None unless given: user keys only. */
  readonly page?: RelyingParty | undefined;
  /** Hears of what should not happen. */
  readonly onFailure: (error: unknown) => void;
}

/** Custody, open. */
export interface Custody {
  /** Who may have it do what is dangerous. */
  readonly authority: Authority;
  readonly enrolment: Enrolment;
  readonly service: CustodianService;
  /** For entries that a caller can cause as often as it likes. */
  readonly bursts: EntryBursts;
  readonly now: () => number;
  /** Hears of what should not happen. */
  readonly onFailure: (error: unknown) => void;
  readonly recipient: RecipientKey;
  /** Who signs leases and shipments of ours. */
  readonly sender: () => Promise<Pick<Sender, "keyId">>;
  readonly rootKeyCreated: boolean;
  readonly meters: number;
  /** How the ledger is kept. */
  readonly ledger: LedgerKeeper;
  /** The authorities of the PKI. */
  readonly pki: Pki;
  /** Head-ends of other vendors, for the key service. */
  readonly headEnds: HeadEnds;
  /** Gives the vault another root key, as the owner of the schema: for a process that serves nobody. */
  rewrapVault(next: RootKeySource, caller: Caller, reason: string): Promise<RootChanged>;
  /** Seals meter keys anew that lie under former vault keys; as the owner of the schema as well. */
  resealMeterKeys(caller: Caller, onPage?: (done: Resealed) => void): Promise<Resealed>;
  /** Closes at once what a caller has left open that is known to have gone. */
  gone(name: string): Promise<void>;
  /** Closes what was left open by callers that went away; to be called every few seconds. */
  sweep(): Promise<void>;
  /** Ends what is open and waits until everything is written. */
  close(): Promise<void>;
}

/** What opens and ends sessions by the hundred a second shares a commit with what comes within this: each is five statements and a write to the feed. */
const GATHER_MILLISECONDS = 20;
const MOST_SESSIONS = 200_000;
/** No page: no passkey is taken. */
const NO_PAGE: RelyingParty = { id: "", origins: [] };

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
    const custody = await openCustodyIn(postgresCustodyStore(pool), options, {
      snapshots: postgresSnapshots(pool),
      check: () => instance.check(),
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
}

/** Opens custody in a store. */
export async function openCustodyIn(
  plainStore: CustodyStore,
  options: CustodyOptions,
  { snapshots, check = () => undefined }: StoreExtras = {},
): Promise<Custody> {
  const { onFailure, monotonic } = options;
  // Nothing is written by a clock that was set while this process runs.
  const now = monotonic === undefined ? options.now : steadyClock(options.now, monotonic);
  const secondStorage = await SecondStorage.open({
    directory: options.escrowFolder ?? join(options.stateFolder, "escrow"),
    stateFolder: options.stateFolder,
    store: plainStore,
    now,
    onFailure,
  });
  const { store, feed } = secondStorage;
  const committer: GroupCommitter = new GroupCommitter(store, {
    check: () => keeper.check(),
    bind: (head) => ends.bind(head),
    examine: (stored, ours) => ends.examine(stored, ours),
    onGrowth: () => void keeper.tick().catch(onFailure),
    onForeign: (error) => keeper.halt(error),
    gather: gatheringFor(GATHER_MILLISECONDS),
  });
  const bursts = new EntryBursts(committer, now);
  // A token may be away when the vault is opened: nothing can be written down before there is a ledger to write it in.
  let early: LedgerDraft[] | undefined = [];
  const opened = await openVault(store, options.vault, now(), (kind, body) => {
    const entry = installationEntry(now(), kind, "custodian", body);
    if (early !== undefined) early.push(entry);
    else bursts.record([entry]).catch(onFailure);
  });
  const { vault, rootKey, created } = opened;
  const ends = new OwnEnds({
    ledger: store.ledger,
    checkpoints: store.checkpoints,
    vault,
    keys: () => signingKeys(vault, store.installation, opened.signing),
    stateFolder: options.stateFolder,
    now,
  });
  // Before anything is read to decide by it.
  await committer.edge();
  const ledger = countingReads(store.ledger);
  // Before this start writes anything itself, by its own clock.
  const written = await lastWritten(ledger);
  const keeper = await keeperIn(store, {
    ...opened,
    now,
    stateFolder: options.stateFolder,
    options: options.ledger ?? {},
    head: () => committer.head(),
    append: (...entries) => committer.submit({ entries }),
  });
  const isClean = await endedWithStop(ledger);
  await keeper.open();
  if (early.length > 0) bursts.record(early).catch(onFailure);
  early = undefined;
  await secondStorage.unlock({ vault, committer, isHalted: keeper.state.halt !== undefined });
  const { escrow } = secondStorage;
  // A halted ledger is shown as it is stored, which is not what was written.
  const ledgerHead = () => (keeper.state.halt === undefined ? committer.head() : storedHead(store.ledger));
  const recipient = await openRecipient(vault, store.installation);
  await adoptRecords(store, committer, vault, now);
  const files = new CheckedFiles(store, vault, bursts, now);
  const uploads = new Uploads(join(options.stateFolder, "uploads"), now);
  await uploads.prepare();
  const receiveWindows = new ReceiveWindows();
  const keyCache = new MeterKeyCache(files, vault, receiveWindows, now);
  // What was remembered of keys that are a meter's no more must not be taken for those that are.
  const forget = (title: string) => {
    keyCache.forget(title);
    receiveWindows.forget(title);
  };
  const use: UseOfCounters = {
    budget: options.sealBudget ?? DEFAULT_SEAL_BUDGET,
    settings: { ...DEFAULT_KEEPER_SETTINGS, ...options.ledger?.settings },
  };
  const mostSessions = options.mostSessions ?? MOST_SESSIONS;
  const conversation: ConversationDependencies = {
    files,
    committer,
    bursts,
    vault,
    sendCounters: new SendCounters({
      committer,
      files,
      vault,
      now,
      skip: skippedAfterLoss(ledger, use),
      mostLines: mostSessions,
    }),
    receiveWindows,
    random: nodeRandom,
    now,
    keeping: options.keeping ?? (() => "session"),
    clientTitle: clientTitles(recipient.publicKeys.keyId),
  };
  const budget = new SealBudget(use.budget, bursts, now);
  await secondStorage.countSealsAgain();
  const deciding: SealDependencies = {
    records: store.authority,
    store,
    files,
    documents: await DocumentKeeper.open({ records: store.authority, committer, vault, now }),
    manifests: new OpenManifests(store.authority),
    party: options.page ?? NO_PAGE,
    committer,
    vault,
    time: new OwnTime(options.now, monotonic ?? options.now, await store.authority.lived(), written),
    now,
  };
  const authority = await Authority.open(deciding);
  const enrolment = new Enrolment(deciding.documents, authority.changes, deciding.party, now, freshCode);
  const clientKeys = new ClientKeys(vault, store.installation);
  const lentMeters = new LentMeters();
  const { documents } = deciding;
  const foreignWatch = await ForeignWatch.open({ ledger, committer, authority, documents, now, onFailure });
  if (keeper.state.halt === undefined) {
    await authority.doubtClock();
    await foreignWatch.tend();
    await acknowledgeRestorations({ store, files, committer, vault, escrow, use, now });
  }
  const { developmentTree, ...kept } = options.pki ?? {};
  const pki = await openPki({
    store: store.pki,
    installation: store.installation,
    opened,
    committer,
    ledger,
    orders: store.pkiLedger,
    journal: await openTrustJournal(secondStorage.directory, opened.vault),
    options: {
      ...kept,
      // The policy of enrolment bounds how many there are.
      limits: { [ENROLMENT_REQUESTER]: Number.MAX_SAFE_INTEGER, ...kept.limits },
      // A halted ledger takes no entry.
      ...(keeper.state.halt === undefined ? { developmentTree } : {}),
    },
    now,
    pace: () => enrolmentPace(store.enrolments, now()),
    onFailure,
  });
  const meterAuthority = new MeterAuthority(pki, clientKeys, conversation.clientTitle);
  const contacts = new Contacts({
    ...conversation,
    keyCache,
    escrow,
    pace: options.pace ?? FIELD_PACE,
    agreeing: (file) => agreeingWith({ ...conversation, clientKeys, identities: meterAuthority }, file),
  });
  const sessions = new Sessions(
    {
      ...conversation,
      clientKeys,
      lentMeters,
      identities: meterAuthority,
      refusing: new RefusingMeters({ rotations: store.rotations, committer, now }),
      mostSessions,
    },
    budget,
    authority.seals,
  );
  const enrolments = new Enrolments({
    store,
    files,
    committer,
    compromisedAnchors: () => compromisedAnchors(store.pki.plans, pki.authorities),
    now,
  });
  const removals = new Removals({
    revocations: pki.revocations,
    plans: store.pki.plans,
    files,
    enrolments,
    now,
  });
  const enrolmentContacts = new EnrolmentContacts({
    ...conversation,
    clientKeys,
    authority: meterAuthority,
    pace: options.pace ?? FIELD_PACE,
  });
  const rotations = new Rotations({ store, files, committer, vault, now, keyCache });
  const masters = new FactoryMasters({ ledger, committer, vault, changes: authority.changes, now });
  let opening: ReturnType<typeof openSender> | undefined;
  const sender = () => {
    opening ??= openSender(vault, store.installation);
    return opening;
  };
  const departures = new Departures({
    files,
    committer,
    vault,
    changes: authority.changes,
    identities: meterAuthority,
    end: async (title) => {
      contacts.endOf(title);
      enrolmentContacts.endOf(title);
      await sessions.endOf(title);
    },
    sender,
    now,
    forget,
  });
  const headEnds = new HeadEnds({ ledger, committer, vault, changes: authority.changes, now });
  // Entries that are not ours shut out the head-ends, not the meters.
  await headEnds.open().catch(onFailure);
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
  const leases = new Leases({ ...conversation, store, authority, lentMeters, sender });
  await secondStorage.makeGood({
    ledger,
    rotations: store.rotations,
    files,
    committer,
    authority,
    documents: deciding.documents,
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
    lentMeters,
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
    ledgerHead,
    ledger: ledgerService(keeper, store, ledgerHead),
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
  const { keyId } = recipient.publicKeys;
  const body = {
    version: options.version,
    vault: vault.kind,
    rootKey,
    rootKeyCreated: created,
    recipient: keyId,
    meters,
  };
  if (keeper.state.halt === undefined) {
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
    recipient: recipient.publicKeys,
    rootKeyCreated: created,
    meters,
    rewrapVault: (next, caller, reason) => {
      keeper.check();
      return changeRoot({ opened, changes: authority.changes, now }, next, caller, reason);
    },
    resealMeterKeys: (caller, onPage) => resealMeterKeys({ store, vault, committer, now }, caller, onPage),
    gone: async (name) => {
      contacts.endOfCaller(name);
      enrolmentContacts.endOfCaller(name);
      await sessions.endOfCaller(name);
    },
    sweep: async () => {
      contacts.sweep();
      enrolmentContacts.sweep();
      await sessions.sweep();
      await uploads.sweep();
      await bursts.sweep();
      await rotations.sweep();
      await enrolments.sweep();
      if (keeper.state.halt === undefined) {
        await pki.tend();
        await removals.sweep();
      }
      await backups.sweep();
      if (keeper.state.halt === undefined) {
        await foreignWatch.tend();
        await leases.sweep();
        await secondStorage.tend();
      }
      await opened.tend();
    },
    close: async () => {
      // Whatever cannot be written any more, because the database is away, all is let go.
      await using closing = new AsyncDisposableStack();
      closing.defer(() => opened.close());
      closing.defer(() => secondStorage.close());
      closing.defer(() => committer.close());
      contacts.closeAll();
      enrolmentContacts.closeAll();
      await sessions.closeAll();
      await uploads.closeAll();
      await backups.closeAll();
      if (keeper.state.halt === undefined) {
        await bursts.sweep(true);
        await secondStorage.finish();
        await committer.submit({ entries: [installationEntry(now(), "custodian-stopped", "custodian", {})] });
        await keeper.checkpoint();
      }
    },
  };
}

/** When the newest entry of the ledger was written; 0 where there is none. */
async function lastWritten(ledger: Pick<CustodyStore["ledger"], "size" | "read">): Promise<number> {
  const [last] = await ledger.read((await ledger.size()) - 1, 1);
  return last?.at ?? 0;
}
