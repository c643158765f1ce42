import { createPublicKey } from "node:crypto";
import type { CustodianRequest, CustodianResponse } from "@meterkeep/api/custodian";
import { systemTitleText } from "@meterkeep/dlms";
import type { LedgerDraft } from "@meterkeep/ledger";
import type { Changes } from "../authority/changes.ts";
import { CallRefusal } from "../calls/call-refusal.ts";
import type { Caller } from "../calls/caller.ts";
import type { MeterAuthority } from "../enrolment/meter-authority.ts";
import { mayBecome } from "../keys/key-transition.ts";
import { unsealKeys } from "../protocol/meter-keys.ts";
import type { SendCounters } from "../protocol/send-counters.ts";
import type { CheckedFiles } from "../records/checked-files.ts";
import { publicKeysOf, type RecipientPublicKeys } from "../shipment/recipient.ts";
import type { Committer } from "../store/committer.ts";
import {
  CHILD,
  FIRST_SETUP,
  furtherSetups,
  inSetup,
  type KeyName,
  type MeterFile,
  PURPOSE,
  setupsOf,
} from "../store/records.ts";
import type { Write } from "../store/store.ts";
import { candidates } from "../takeover/candidates.ts";
import { newestDefaults } from "../takeover/child-requests.ts";
import { isFinal, isUntouched } from "../takeover/journal.ts";
import { openRotation } from "../takeover/plan.ts";
import { journalOf, keysCameWith } from "../takeover/view.ts";
import type { Vault } from "../vault/vault.ts";
import { credentialsOf, endings } from "./endings.ts";
import type { LeavingMeters } from "./leaving-meters.ts";
import type { Sender } from "./sender.ts";
import { type DepartingMeter, transferFile } from "./transfer-file.ts";

/** The entry of a meter that has left. */
export const DEPARTED = "meter-departed";

type Request = CustodianRequest<"departMeters">;

/** Has meters leave: `used` are the highest counters that may have been used with each, in any of its security setups. */
type Left<T> = (files: readonly MeterFile[], used: readonly number[]) => Promise<T>;

/** What departures need. */
export interface DepartureDependencies {
  readonly files: CheckedFiles;
  readonly committer: Committer;
  readonly vault: Vault;
  readonly changes: Pick<Changes, "require">;
  /** Has the certificates of meters that leave revoked. */
  readonly identities: Pick<MeterAuthority, "left">;
  readonly leaving: Pick<LeavingMeters, "leave">;
  readonly sendCounters: Pick<SendCounters, "end">;
  /** Ends what is open with a meter: its sessions and its contact. */
  readonly end: (systemTitle: string) => Promise<void>;
  readonly sender: () => Promise<Sender>;
  readonly now: () => number;
  /** What memory has of a meter's keys is void. */
  readonly forget: (systemTitle: string) => void;
}

/**
 * Meters that leave: retired for good, given to another owner, given back to who made them.
 *
 * Its keys are used no more from then on, for whatever; they are kept as long as those that a rotation has replaced, and
 * destroyed. Who gets a meter gets the keys that are on it, sealed to it alone, and replaces them by a takeover of its own: that
 * we had them is then a part of its taint. A transfer that got lost on the way is made anew for the same meters.
 */
export class Departures {
  readonly #dependencies: DepartureDependencies;

  constructor(dependencies: DepartureDependencies) {
    this.#dependencies = dependencies;
  }

  /**
   * @throws CallRefusal `unknown-meter`, `meter-left`, `keys-unsettled`, `approval-required`, `too-many-open`,
   * `request-malformed`, `meter-leaving`.
   */
  async depart(request: Request, caller: Caller): Promise<CustodianResponse<"departMeters">> {
    const { how, reason, requester } = request;
    const files = await this.#wanted(request);
    // Keys that are gone strand their meters: a head-end that was taken over must find two people first, always.
    const asked = { requester, always: caller.role === "head-end" };
    const titles = files.map(({ meter }) => meter.systemTitle);
    if (how === "retired") {
      await this.#dependencies.changes.require("retire-meter", { meter: titles }, caller, reason, asked);
      await this.#leave(request, (leaving) => this.#commit(leaving, request, caller, {}));
      return { departed: files.length };
    }
    const recipient = recipientOf(request);
    const body = { meters: titles, recipient: recipient.keyId, to: request.recipient?.name ?? "", how };
    const { approvedBy } = await this.#dependencies.changes.require("export-keys", body, caller, reason, asked);
    const sender = await this.#dependencies.sender();
    const { shipment, text } = await this.#leave(request, async (leaving, used) => {
      const sealed = await this.#sealed(leaving, used, request, recipient, sender);
      // Durable before it is given out: nobody has the keys of a meter that we still take for ours.
      await this.#commit(leaving, request, caller, {
        shipment: sealed.shipment,
        recipient: recipient.keyId,
        to: request.recipient?.name ?? "",
        approvedBy,
      });
      return sealed;
    });
    const { ecdsaPublicKey, mldsaPublicKey } = sender;
    return {
      departed: files.length,
      transfer: { shipment, file: Buffer.from(text, "utf8"), ecdsaPublicKey, mldsaPublicKey },
    };
  }

  /** A meter that had left leaves again, where the database was put back to before. @returns whether it was here */
  async hadLeft(title: string, how: Request["how"], reason: string): Promise<boolean> {
    const file = await this.#dependencies.files.load(title);
    if (file === undefined || file.meter.standing !== undefined) return false;
    await this.#commit([file], { how, reason }, { name: "custodian", role: "operator" }, { restored: true });
    return true;
  }

  /** Has the meters leave when all that was under way with them is over, and nothing can begin until they have left or stay. */
  async #leave<T>(request: Request, left: Left<T>): Promise<T> {
    const { leaving, sendCounters, end } = this.#dependencies;
    const titles = titlesOf(request);
    using _ = await leaving.leave(titles);
    for (const title of titles) await end(title);
    // Anew: while people agreed to it, or a token was asked, a meter may have begun to change its keys.
    const files = await this.#wanted(request);
    // Until it is committed that they are gone: no counter is used above those that their next owner is told.
    using ended = new DisposableStack();
    const used: number[] = [];
    for (const file of files) {
      const { utility, island, systemTitle } = file.meter;
      let highest = 0;
      for (const setup of setupsOf(file)) {
        const line = ended.use(await sendCounters.end({ utility, island, systemTitle, setup }));
        highest = Math.max(highest, line.used);
      }
      used.push(highest);
    }
    return await left(files, used);
  }

  /** The meters asked for, each known to the version of every key. */
  async #wanted(request: Request): Promise<readonly MeterFile[]> {
    const { how } = request;
    const titles = titlesOf(request);
    const loaded = await this.#dependencies.files.loadPage(titles, undefined, titles.length);
    return titles.map((title) => {
      const file = loaded.find(({ meter }) => meter.systemTitle === title);
      if (file === undefined) throw new CallRefusal("unknown-meter", `meter ${title} is not in custody`);
      const { standing } = file.meter;
      // A transfer whose file was lost is made anew; otherwise nobody leaves twice.
      if (standing !== undefined && (standing !== how || how === "retired"))
        throw new CallRefusal("meter-left", `meter ${title} has left: it is ${standing}`);
      if (how !== "retired") requireSettled(file);
      return file;
    });
  }

  async #sealed(
    files: readonly MeterFile[],
    used: readonly number[],
    { sender: from, recipient: to }: Request,
    recipient: RecipientPublicKeys,
    sender: Sender,
  ) {
    const { vault, now } = this.#dependencies;
    const departing: DepartingMeter[] = [];
    try {
      for (const [at, file] of files.entries()) {
        const names = namesOn(file);
        const secrets = await unsealKeys(vault, file.keys, names);
        const keys = names.map(({ purpose, client, setup }, nth) => ({
          purpose,
          client,
          setup,
          key: secrets[nth] as (typeof secrets)[0],
        }));
        const { meter } = file;
        departing.push({ meter, keys, counter: Math.max(meter.counterFloor ?? 0, used[at] as number) });
      }
      const header = { sender: from, customer: to?.name ?? "", created: new Date(now()) };
      return transferFile(header, departing, recipient, sender);
    } finally {
      for (const { keys } of departing) for (const { key } of keys) key[Symbol.dispose]();
    }
  }

  async #commit(
    files: readonly MeterFile[],
    { how, reason, requester }: Pick<Request, "how" | "reason"> & Partial<Pick<Request, "requester">>,
    caller: Caller,
    more: object,
  ): Promise<void> {
    const { committer, now, forget, identities, vault } = this.#dependencies;
    // Before the commit, since again is as good as once: what is left half done is a meter that nobody reads.
    for (const credential of files.flatMap(credentialsOf)) await identities.left(credential);
    const writes: Write[] = [];
    const entries: LedgerDraft[] = [];
    const at = now();
    for (const file of files) {
      const { meter, keys } = file;
      const { utility, island, systemTitle } = meter;
      const body = { how, reason, again: meter.standing !== undefined, ...(requester && { requester }), ...more };
      entries.push({ at, kind: DEPARTED, principal: caller.name, utility, island, meter: systemTitle, body });
      if (meter.standing !== undefined) continue;
      writes.push({ kind: "set-standing", meter: { utility, island, systemTitle }, standing: how, at });
      const ended = await endings(vault, file, at);
      writes.push(...ended.writes);
      entries.push(...ended.entries);
      for (const { setup, purpose, version, state } of keys)
        if (mayBecome(state, "deactivated"))
          writes.push({
            kind: "set-key-state",
            place: { utility, island, systemTitle, setup },
            purpose,
            version,
            state: "deactivated",
            at,
          });
    }
    await committer.submit({ writes, entries });
    for (const { meter } of files) forget(meter.systemTitle);
  }
}

function titlesOf({ meters }: Request): string[] {
  return [...new Set(meters.map(systemTitleText))];
}

/** Each setup's keys are known to the version, or are those that came with the meter. */
function requireSettled(file: MeterFile): void {
  const open = setupsOf(file).find((setup) => !isSettled(file, setup));
  if (open === undefined && file.meter.origin === "shipped") return;
  const of = open === undefined || open === FIRST_SETUP ? "" : ` in its security setup ${open}`;
  throw new CallRefusal(
    "keys-unsettled",
    `it is not settled which keys meter ${file.meter.systemTitle} has${of}: its takeover or rotation comes first`,
  );
}

function isSettled(file: MeterFile, setup: number): boolean {
  const { journal, record } = journalOf(file, setup);
  // Nobody has ever sent it anything: nothing opens it, or nobody answers.
  if (setup !== FIRST_SETUP && (record === undefined || isUntouched(journal))) return true;
  const isKnown = candidates(journal).length === 1 && journal.belief[PURPOSE.KEK].length === 1;
  return (
    isKnown && isFinal(journal.verdict) && record?.closedAt !== undefined && openRotation(file, setup) === undefined
  );
}

/** The keys that are on a meter, in the order of a key block; where one is gone, none is given. */
function namesOn(file: MeterFile): KeyName[] {
  const { secrets = [] } = journalOf(file).journal;
  const told = secrets.flatMap(({ purpose, client, belief: [version] }) =>
    version === undefined ? [] : [{ purpose, client, version }],
  );
  // The next owner gives its devices keys of his own, under the ones that they were made with.
  const defaults = newestDefaults(file.keys).map(({ setup: client, version }) => ({
    purpose: CHILD.default,
    client,
    version,
  }));
  return [
    ...namesOf(file, FIRST_SETUP),
    ...told.sort((one, other) => one.client - other.client),
    ...defaults,
    ...furtherSetups({ ...file, keys: keysCameWith(file) }).flatMap((setup) => namesOf(file, setup)),
  ];
}

/** The keys of one setup, as its journal believes in them. */
function namesOf(file: MeterFile, setup: number): KeyName[] {
  const { belief } = journalOf(file, setup).journal;
  return ([0, 1, 2, 3] as const).map((purpose) => inSetup({ purpose, version: belief[purpose][0] as number }, setup));
}

function recipientOf({ recipient }: Request): RecipientPublicKeys {
  if (recipient === undefined)
    throw new CallRefusal("request-malformed", "who gets the meters is missing: the public keys of its custodian");
  const { ecdhPublicKey, mlkemPublicKey } = recipient;
  try {
    const ecdh = createPublicKey({ key: Buffer.from(ecdhPublicKey), format: "der", type: "spki" });
    const mlkem = createPublicKey({ key: Buffer.from(mlkemPublicKey), format: "der", type: "spki" });
    if (ecdh.asymmetricKeyDetails?.namedCurve === "secp384r1" && mlkem.asymmetricKeyType === "ml-kem-768")
      return publicKeysOf(ecdhPublicKey, mlkemPublicKey);
  } catch (cause) {
    throw new CallRefusal("request-malformed", "the recipient's keys are not public keys (SPKI)", { cause });
  }
  throw new CallRefusal("request-malformed", "the recipient's keys are not P-384 and ML-KEM-768");
}
