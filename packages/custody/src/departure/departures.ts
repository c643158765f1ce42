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
import { FIRST_COUNTER } from "../protocol/send-counters.ts";
import type { CheckedFiles } from "../records/checked-files.ts";
import { publicKeysOf, type RecipientPublicKeys } from "../shipment/recipient.ts";
import type { Committer } from "../store/committer.ts";
import { CHILD, type KeyName, type MeterFile, PURPOSE } from "../store/records.ts";
import type { Write } from "../store/store.ts";
import { candidates } from "../takeover/candidates.ts";
import { newestDefaults } from "../takeover/child-requests.ts";
import { isFinal, type Journal } from "../takeover/journal.ts";
import { openRotation } from "../takeover/plan.ts";
import { journalOf } from "../takeover/view.ts";
import type { Vault } from "../vault/vault.ts";
import { credentialsOf, endings } from "./endings.ts";
import type { Sender } from "./sender.ts";
import { type DepartingMeter, transferFile } from "./transfer-file.ts";

/** The entry of a meter that has left. */
export const DEPARTED = "meter-departed";

type Request = CustodianRequest<"departMeters">;

/** What departures need. */
export interface DepartureDependencies {
  readonly files: CheckedFiles;
  readonly committer: Committer;
  readonly vault: Vault;
  readonly changes: Pick<Changes, "require">;
  /** Has the certificates of meters that leave revoked. */
  readonly identities: Pick<MeterAuthority, "left">;
  /** Ends what is under way with a meter: its sessions and its contact. */
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
   * `request-malformed`.
   */
  async depart(request: Request, caller: Caller): Promise<CustodianResponse<"departMeters">> {
    const { how, reason, requester } = request;
    const files = await this.#wanted(request);
    // Keys that are gone strand their meters: a head-end that was taken over must find two people first, always.
    const asked = { requester, always: caller.role === "head-end" };
    const titles = files.map(({ meter }) => meter.systemTitle);
    if (how === "retired") {
      await this.#dependencies.changes.require("retire-meter", { meter: titles }, caller, reason, asked);
      await this.#commit(files, request, caller, {});
      return { departed: files.length };
    }
    const recipient = recipientOf(request);
    const body = { meters: titles, recipient: recipient.keyId, to: request.recipient?.name ?? "", how };
    const { approvedBy } = await this.#dependencies.changes.require("export-keys", body, caller, reason, asked);
    const sender = await this.#dependencies.sender();
    // Before the counters are told that were used.
    for (const title of titles) await this.#dependencies.end(title);
    const { shipment, text } = await this.#sealed(files, request, recipient, sender);
    // Durable before it is given out: nobody has the keys of a meter that we still take for ours.
    await this.#commit(files, request, caller, {
      shipment,
      recipient: recipient.keyId,
      to: request.recipient?.name ?? "",
      approvedBy,
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

  /** The meters asked for, each known to the version of every key. */
  async #wanted({ meters, how }: Request): Promise<readonly MeterFile[]> {
    const titles = [...new Set(meters.map(systemTitleText))];
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
    { sender: from, recipient: to }: Request,
    recipient: RecipientPublicKeys,
    sender: Sender,
  ) {
    const { vault, now } = this.#dependencies;
    const departing: DepartingMeter[] = [];
    try {
      for (const file of files) {
        const names = namesOn(file);
        const secrets = await unsealKeys(vault, file.keys, names);
        const keys = names.map(({ purpose, client }, at) => ({
          purpose,
          client,
          key: secrets[at] as (typeof secrets)[0],
        }));
        departing.push({ meter: file.meter, keys, counter: await this.#usedUpTo(file) });
      }
      const header = { sender: from, customer: to?.name ?? "", created: new Date(now()) };
      return transferFile(header, departing, recipient, sender);
    } finally {
      for (const { keys } of departing) for (const { key } of keys) key[Symbol.dispose]();
    }
  }

  async #usedUpTo({ meter: { utility, island, systemTitle, counterFloor = 0 } }: MeterFile): Promise<number> {
    const { counters } = await this.#dependencies.files.counterLine({ utility, island, systemTitle, setup: 0 });
    return Math.max(FIRST_COUNTER, counterFloor, ...counters.map(({ next }) => next - 1));
  }

  async #commit(
    files: readonly MeterFile[],
    { how, reason, requester }: Pick<Request, "how" | "reason"> & Partial<Pick<Request, "requester">>,
    caller: Caller,
    more: object,
  ): Promise<void> {
    const { committer, now, forget, end, identities, vault } = this.#dependencies;
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
    for (const { meter } of files) {
      forget(meter.systemTitle);
      await end(meter.systemTitle);
    }
  }
}

function requireSettled(file: MeterFile): void {
  const { journal, record } = journalOf(file);
  const { belief } = journal;
  const isKnown = candidates(journal).length === 1 && belief[PURPOSE.KEK].length === 1;
  const isOver = isFinal(journal.verdict) && record?.closedAt !== undefined && openRotation(file) === undefined;
  if (isKnown && isOver && file.meter.origin === "shipped") return;
  throw new CallRefusal(
    "keys-unsettled",
    `it is not settled which keys meter ${file.meter.systemTitle} has: its takeover or rotation comes first`,
  );
}

/** The keys that are on a meter, in the order of a key block. */
function namesOn(file: MeterFile): KeyName[] {
  const { journal }: { journal: Journal } = journalOf(file);
  const setup = ([0, 1, 2, 3] as const).map((purpose) => ({ purpose, version: journal.belief[purpose][0] as number }));
  const secrets = (journal.secrets ?? []).flatMap(({ purpose, client, belief: [version] }) =>
    version === undefined ? [] : [{ purpose, client, version }],
  );
  // The next owner gives its devices keys of his own, under the ones that they were made with.
  const defaults = newestDefaults(file.keys).map(({ setup: client, version }) => ({
    purpose: CHILD.default,
    client,
    version,
  }));
  return [...setup, ...secrets.sort((one, other) => one.client - other.client), ...defaults];
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
