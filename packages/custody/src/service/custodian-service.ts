import type {
  CustodianLedgerEntry,
  CustodianStatus,
  ImportedMeter,
  NextContact,
  ShipmentOutcome,
} from "@meterkeep/api/custodian";
import { MAX_PAGE_ENTRIES, MAX_PAGE_METERS, MAX_PAGE_STATES } from "@meterkeep/api/custodian";
import { fromHex, type SystemTitle, systemTitle, systemTitleText } from "@meterkeep/dlms";
import type { LedgerEntry, TreeHead } from "@meterkeep/ledger";
import type { Authority } from "../authority/authority.ts";
import type { AuthorityService } from "../authority/authority-service.ts";
import { isFounding } from "../authority/document.ts";
import type { KeyControl } from "../authority/key-control.ts";
import type { Backups } from "../backup/backups.ts";
import { CallRefusal } from "../calls/call-refusal.ts";
import type { Caller } from "../calls/caller.ts";
import { islandCut } from "../calls/required-right.ts";
import { installChild } from "../child/install-child.ts";
import type { Departures } from "../departure/departures.ts";
import type { LeavingMeters } from "../departure/leaving-meters.ts";
import type { EnrolmentContacts } from "../enrolment/contacts.ts";
import { enrolmentService } from "../enrolment/enrolment-service.ts";
import type { Enrolments } from "../enrolment/enrolments.ts";
import type { HeadEnds } from "../head-ends/head-ends.ts";
import { isOfChild, isSecret, purposeName } from "../keys/purposes.ts";
import type { LeaseContacts } from "../lease/lease-contacts.ts";
import type { Leases } from "../lease/leases.ts";
import type { LentMeters } from "../lease/lent-meters.ts";
import type { LogContacts } from "../lease/log-contacts.ts";
import type { HeadEndLedgers } from "../ledger/head-end-ledgers.ts";
import type { LedgerService } from "../ledger/ledger-service.ts";
import type { Pki } from "../pki/open-pki.ts";
import { pkiService } from "../pki/pki-service.ts";
import type { Pushes } from "../push/pushes.ts";
import type { CheckedFiles } from "../records/checked-files.ts";
import { requireRepeatable } from "../rotation/repeats.ts";
import type { Rotations } from "../rotation/rotations.ts";
import type { Sessions } from "../session/sessions.ts";
import { addSingleMeter, type MeterToApprove } from "../shipment/added-meter.ts";
import type { FactoryMasters } from "../shipment/factory-masters.ts";
import { type ImportDependencies, importShipment, type ShipmentToApprove } from "../shipment/import.ts";
import type { TrustedManufacturer } from "../shipment/manufacturer.ts";
import { ShipmentRefusal } from "../shipment/refusal.ts";
import { takeMaster } from "../shipment/take-master.ts";
import type { Uploads } from "../shipment/uploads.ts";
import { FIRST_SETUP, type KeyRecord, type MeterRecord } from "../store/records.ts";
import type { CustodyStore } from "../store/store.ts";
import type { Contacts } from "../takeover/contacts.ts";
import { takeoverStateOf } from "../takeover/meter-state.ts";
import { compromisedInTurn } from "../takeover/turns.ts";
import type { VaultService } from "../vault/vault-service.ts";
import { contactService } from "./contact-service.ts";
import type { CustodianService } from "./service.ts";

/** The parts a custodian is made of. */
export interface CustodianParts {
  readonly store: Pick<CustodyStore, "meterCount" | "shipmentMeters" | "ledger">;
  readonly files: CheckedFiles;
  readonly importing: ImportDependencies;
  readonly uploads: Uploads;
  readonly sessions: Sessions;
  readonly contacts: Contacts;
  readonly rotations: Rotations;
  readonly keyControl: KeyControl;
  readonly departures: Departures;
  readonly leaving: Pick<LeavingMeters, "during">;
  readonly masters: FactoryMasters;
  readonly backups: Backups;
  readonly holdings: CustodianService["holdings"];
  readonly leases: Leases;
  readonly leaseContacts: LeaseContacts;
  readonly logContacts: LogContacts;
  readonly lentMeters: Pick<LentMeters, "leftOf">;
  readonly now: () => number;
  readonly exposure: CustodianService["exposure"];
  readonly drillCounters: CustodianService["drillCounters"];
  readonly enrolments: Enrolments;
  readonly enrolmentContacts: EnrolmentContacts;
  readonly pushes: Pushes;
  readonly authority: Pick<Authority, "isFrozen" | "capsLifted" | "changes" | "document">;
  readonly authorityMethods: AuthorityService;
  readonly pki: Pki;
  readonly headEnds: HeadEnds;
  readonly ledgerHead: () => Promise<TreeHead>;
  readonly ledger: LedgerService;
  readonly headEndLedgers: Pick<HeadEndLedgers, "note">;
  readonly ledgerTrouble: () => CustodianStatus["ledgerTrouble"];
  readonly vaultService: VaultService;
  readonly refusals: () => CustodianStatus["refusals"];
  /** What never changes while it runs. */
  readonly facts: Pick<CustodianStatus, "version" | "vault" | "rootKey" | "separateUser" | "recipient">;
}

/** How long a meter is left alone while everything critical is frozen. */
const FROZEN_MILLISECONDS = 60_000;
/** How long a meter that is lent is left alone at once: it may be handed back before its time. */
const LENT_MILLISECONDS = 60_000;

/** A meter that is lent keeps its keys until the lease is over: what cannot wait is what somebody else may have. */
async function waitForLease(
  { files, lentMeters, now }: Pick<CustodianParts, "files" | "lentMeters" | "now">,
  meter: SystemTitle,
): Promise<NextContact | undefined> {
  const title = systemTitleText(meter);
  const left = lentMeters.leftOf(title, now());
  const file = left === 0 ? undefined : await files.load(title);
  if (file === undefined || compromisedInTurn(file).length > 0) return undefined;
  return { kind: "wait", milliseconds: Math.min(left, LENT_MILLISECONDS), state: takeoverStateOf(file) };
}

/** The custodian, as its channel serves it. */
export function custodianService(parts: CustodianParts): CustodianService {
  const { store, files, importing, uploads, sessions, rotations, pushes, headEnds, facts } = parts;
  const contacting = contactService(parts);
  return {
    status: async () => {
      const meters = await store.meterCount();
      const ledgerHead = await parts.ledgerHead();
      const trouble = parts.ledgerTrouble();
      const { isFrozen, capsLifted, document } = parts.authority;
      return {
        ...facts,
        rootKeyCopied: parts.vaultService.isRootKeyCopied,
        ledgerHead,
        ...(trouble && { ledgerTrouble: trouble }),
        meters,
        killSwitch: isFrozen,
        founding: isFounding(document),
        ...(capsLifted && { capsLifted }),
        refusals: parts.refusals(),
      };
    },
    noteRootKeyCopy: parts.vaultService.noteRootKeyCopy,
    retryPin: parts.vaultService.retryPin,
    beginShipment: async (place, caller) => ({ upload: await uploads.begin(place, caller) }),
    shipmentChunk: async ({ upload, bytes }, caller) => ({ received: await uploads.append(upload, bytes, caller) }),
    commitShipment: ({ upload }, caller) =>
      uploads.finish(upload, caller, (chunks, place) =>
        shipmentOutcome(parts, { ...place, principal: caller.name }, chunks, caller),
      ),
    shipmentMeters: async ({ utility, island, shipment, from }) => {
      const meters = await store.shipmentMeters({ utility, island, shipment }, from, MAX_PAGE_METERS);
      return { meters: meters.map((meter) => importedMeter(meter, importing.trust.manufacturers)) };
    },
    addMeter: async ({ utility, island, systemTitle: title, sealed }, caller) => {
      const place = { utility, island, principal: caller.name };
      try {
        const approveMeter = async (about: MeterToApprove) => {
          await parts.authority.changes.require("add-meter", { ...about }, caller, `meter ${about.meter}`);
        };
        const warnings = await addSingleMeter({ ...importing, approveMeter }, place, systemTitleText(title), sealed);
        return { kind: "added", warnings };
      } catch (error) {
        if (error instanceof ShipmentRefusal) return refused(error);
        throw error;
      }
    },
    ...contacting,
    nextContact: async (request, caller) => {
      await requireNotCut(parts, request.meter);
      // Keys are critical as well: what is under way goes on where it stands, once it is thawed.
      const file = parts.authority.isFrozen ? await files.load(systemTitleText(request.meter)) : undefined;
      if (file !== undefined) return { kind: "wait", milliseconds: FROZEN_MILLISECONDS, state: takeoverStateOf(file) };
      const lent = await waitForLease(parts, request.meter);
      if (lent !== undefined) return lent;
      return contacting.nextContact(request, caller);
    },
    planRotations: async (request, caller) => {
      requireRepeatable(request);
      await parts.keyControl.plan(request, caller);
      return rotations.plan(request, caller);
    },
    rotationStates: (request) => rotations.states(request),
    exposedMeters: (request) => rotations.exposed(request),
    compromisedSince: (request) => rotations.compromisedSince(request),
    keyLife: () => rotations.report(),
    setKeyPolicy: (request, caller) =>
      rotations.setPolicy(request, caller, () => parts.keyControl.policy(request, caller)),
    changeKeyState: async (request, caller) => {
      await rotations.change(request, caller, () => parts.keyControl.state(request, caller));
      return {};
    },
    departMeters: (request, caller) => parts.departures.depart(request, caller),
    keyHygiene: (request, caller) => rotations.hygiene(request, caller),
    takeoverStates: async ({ meters, after }) => {
      const titles = meters.map(systemTitleText);
      const page = await files.loadPage(titles, after && systemTitleText(after), MAX_PAGE_STATES);
      return { states: page.map((file) => takeoverStateOf(file)) };
    },
    openSession: (request, caller) => sessions.open(request, caller),
    advanceSession: (request, caller) => sessions.advance(request, caller),
    seal: (request, caller) => sessions.seal(request, caller),
    open: (request, caller) => sessions.openApdus(request, caller),
    releaseSession: (request, caller) => sessions.release(request, caller),
    closeSession: (request, caller) => sessions.close(request, caller),
    enrolHeadEnd: async (request, caller) => {
      await headEnds.enrol(request, caller);
      return {};
    },
    removeHeadEnd: async (request, caller) => {
      await headEnds.remove(request, caller);
      return {};
    },
    headEnds: async () => headEnds.list(),
    openPush: (request, caller) => pushes.open(request, caller),
    describeKeys: async ({ meter }) => {
      const title = systemTitleText(meter);
      const file = await files.load(title);
      if (file === undefined) throw new CallRefusal("unknown-meter", `meter ${title} is not in custody`);
      return { keys: file.keys.map(keyDescription) };
    },
    ledgerEntries: async ({ after, limit }) => {
      const entries = await store.ledger.read(after, Math.min(limit, MAX_PAGE_ENTRIES));
      return { entries: within(entries.map(ledgerEntry), PAGE_BYTES) };
    },
    beginBackup: (_, caller) => parts.backups.begin(caller),
    backupChunk: (request, caller) => parts.backups.chunk(request, caller),
    finishBackup: (request, caller) => parts.backups.finish(request, caller),
    holdings: parts.holdings,
    enrolHandheld: (request, caller) => parts.leases.enrol(request, caller),
    giveLease: (request, caller) => parts.leases.give(request, caller),
    returnLease: (request, caller) => parts.leases.return(request, caller),
    installChild: (request, caller) =>
      parts.leaving.during([systemTitleText(request.meter)], () =>
        installChild(
          {
            ...importing,
            files,
            rotations,
            recipient: importing.trust.recipient,
            agreed: (child) => parts.keyControl.child(child, caller),
          },
          request,
          caller,
        ),
      ),
    takeFactoryMaster: (request, caller) =>
      takeMaster({ ...importing, masters: parts.masters, changes: parts.authority.changes }, request, caller),
    factoryMasters: async () => ({ masters: [...(await parts.masters.list())] }),
    changeMasterState: (request, caller) => parts.masters.change(request, caller),
    loseHandheld: (request, caller) => parts.leases.lose(request, caller),
    fieldReport: () => parts.leases.report(),
    exposure: parts.exposure,
    drillCounters: parts.drillCounters,
    ...parts.authorityMethods,
    ...enrolmentService(parts.enrolments, parts.keyControl),
    ...parts.ledger,
    noteHeadEndLedger: (request, caller) => parts.headEndLedgers.note(request, caller),
    ...pkiService(parts.pki, parts.authority.changes),
  };
}

/** @throws CallRefusal `island-cut` */
async function requireNotCut({ pki, files }: Pick<CustodianParts, "pki" | "files">, meter: SystemTitle): Promise<void> {
  if (!pki.isAnyCut()) return;
  const title = systemTitleText(meter);
  const file = await files.load(title);
  if (file !== undefined && pki.isCut(file.meter)) throw islandCut(file.meter);
}

/** Entries of one page together, so that a page of long ones fits a frame. */
const PAGE_BYTES = 512 * 1024;

function within(entries: readonly CustodianLedgerEntry[], bytes: number): readonly CustodianLedgerEntry[] {
  let left = bytes;
  const end = entries.findIndex(({ body }) => {
    left -= body.length * 3 + 256;
    return left < 0;
  });
  return end < 0 ? entries : entries.slice(0, Math.max(end, 1));
}

async function shipmentOutcome(
  { store, importing, authority: { changes } }: CustodianParts,
  place: Parameters<typeof importShipment>[1],
  chunks: AsyncIterable<Uint8Array>,
  caller: Caller,
): Promise<ShipmentOutcome> {
  try {
    const approve = async (about: ShipmentToApprove) => {
      await changes.require("import-shipment", { ...about }, caller, `shipment ${about.shipment}`);
    };
    const { shipment, count, warnings } = await importShipment({ ...importing, approve }, place, chunks);
    const { utility, island } = place;
    const meters = await store.shipmentMeters({ utility, island, shipment }, 0, MAX_PAGE_METERS);
    return {
      kind: "imported",
      shipment,
      count,
      meters: meters.map((meter) => importedMeter(meter, importing.trust.manufacturers)),
      warnings,
    };
  } catch (error) {
    if (error instanceof ShipmentRefusal) return refused(error);
    throw error;
  }
}

function refused({ code, line, systemTitle: title, message }: ShipmentRefusal) {
  const meter = title === undefined ? {} : { systemTitle: systemTitle(fromHex(title)) };
  return { kind: "refused", code, line, ...meter, message } as const;
}

/** A meter is virtual when everybody says so who is trusted under its manufacturer's name: in doubt it is real. */
function importedMeter(meter: MeterRecord, trusted: readonly TrustedManufacturer[]): ImportedMeter {
  const { flag, name } = meter.manufacturer;
  const makers = trusted.filter((maker) => maker.flag === flag && maker.name === name);
  return {
    systemTitle: systemTitle(fromHex(meter.systemTitle)),
    logicalDeviceName: meter.logicalDeviceName,
    serialNumber: meter.serialNumber,
    model: meter.model,
    hardwareRevision: meter.hardwareRevision,
    firmware: meter.firmware,
    profile: meter.profile,
    securitySuite: meter.securitySuite,
    manufacturer: meter.manufacturer,
    simulated: makers.length > 0 && makers.every(({ simulated }) => simulated),
    holders: meter.holders,
  };
}

function keyDescription({ purpose, setup, version, state, origin, createdAt, provenAt }: KeyRecord) {
  const proven = provenAt === undefined ? {} : { provenAt };
  const further = setup === FIRST_SETUP ? {} : { setup };
  const where = isSecret(purpose) ? { client: setup } : isOfChild(purpose) ? { channel: setup } : further;
  return { purpose: purposeName(purpose), version, state, origin, createdAt, ...where, ...proven };
}

function ledgerEntry(entry: LedgerEntry): CustodianLedgerEntry {
  const { sequence, at, kind, principal, utility, island, meter, body, leaf } = entry;
  const of = meter === undefined ? {} : { meter };
  return { sequence, at, kind, principal, utility, island, ...of, body, leaf };
}
