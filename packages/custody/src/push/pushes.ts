import type { CustodianRequest, PushRefusalCode, PushResult } from "@meterkeep/api/custodian";
import {
  apdu as anyApdu,
  type Ciphers,
  DecodeError,
  DlmsError,
  decode,
  equalBytes,
  fromHex,
  type ProtectedApdu,
  parseProtectedApdu,
  protectionFormOf,
  systemTitle,
  systemTitleText,
  type Unprotected,
  unprotectApdu,
} from "@meterkeep/dlms";
import { nodeCiphers } from "@meterkeep/dlms-node";
import type { LedgerDraft } from "@meterkeep/ledger";
import type { Caller } from "../calls/caller.ts";
import { beyondRights, isPermitted } from "../calls/required-right.ts";
import type { ConversationDependencies } from "../conversation/dependencies.ts";
import { type CipherKey, withTokens } from "../conversation/token-ciphers.ts";
import { EvidenceHash } from "../evidence/evidence-hash.ts";
import type { HeldWindow } from "../protocol/receive-windows.ts";
import { keepWindows } from "../records/kept-windows.ts";
import { TokenKey } from "../vault/vault.ts";
import type { MeterKeyCache } from "./key-cache.ts";
import type { PushKeyRing, PushKeySet } from "./key-ring.ts";

/** A push out of its protection and the version of the key, or why not. */
type Found = { readonly unprotected: Unprotected; readonly unicastVersion: number } | PushRefusalCode;

const DATA_NOTIFICATION = "data-notification";

/** An item that names its meter. */
interface Addressed {
  readonly at: number;
  readonly parsed: ProtectedApdu;
  /** 16 upper-case hex digits. */
  readonly title: string;
}

/**
 * Opens what meters send unasked: authenticates it, refuses what was seen before, and says plainly where nothing was
 * authenticated. Its counters are durable before anything is given out.
 */
export class Pushes {
  readonly #dependencies: ConversationDependencies;
  readonly #cache: MeterKeyCache;

  constructor(dependencies: ConversationDependencies, cache: MeterKeyCache) {
    this.#dependencies = dependencies;
    this.#cache = cache;
  }

  async open({ items }: CustodianRequest<"openPush">, caller: Caller): Promise<PushResult[]> {
    const results: PushResult[] = [];
    const addressed: Addressed[] = [];
    for (const [at, { apdu }] of items.entries()) {
      const parsed = parse(apdu);
      if (typeof parsed === "string") results[at] = { kind: "refused", code: parsed };
      else addressed.push({ at, ...parsed });
    }
    // A token is asked with them, which takes as long as it takes: they are not wiped meanwhile.
    using borrowed = await this.#cache.borrow(
      addressed.map(({ title }) => title),
      (place) => isPermitted(caller, place, "verify"),
    );
    const { rings } = borrowed;
    const evidence = new EvidenceHash();
    const windows = new Map<string, HeldWindow>();
    using held = new DisposableStack();
    held.defer(() => {
      for (const window of windows.values()) window[Symbol.dispose]();
    });
    const found = await this.#unprotectAll(addressed, rings);
    const beyond: LedgerDraft[] = [];
    let opened = 0;
    for (const { at, parsed, title } of addressed) {
      const ring = rings.get(title);
      if (ring === undefined) {
        const place = borrowed.beyond.get(title);
        if (place !== undefined) beyond.push(beyondRights(caller, place, "verify", this.#dependencies.now()));
        results[at] = { kind: "refused", code: "unknown-meter" };
        continue;
      }
      evidence.received((items[at] as { apdu: Uint8Array }).apdu);
      const result = this.#openOne(found.get(parsed) ?? "not-authentic", title, ring, windows);
      if (result.kind === "opened") opened += 1;
      results[at] = result;
    }
    if (beyond.length > 0) await this.#dependencies.bursts.record(beyond);
    if (evidence.summary().fromMeter > 0) await this.#commit(caller, rings, opened, evidence, windows.values());
    return results;
  }

  /** What each comes to under the keys of its meter; tokens are asked for all of theirs together. */
  async #unprotectAll(
    addressed: readonly Addressed[],
    rings: ReadonlyMap<string, PushKeyRing>,
  ): Promise<ReadonlyMap<ProtectedApdu, Found>> {
    const work = (ciphers: Ciphers<CipherKey>) =>
      new Map(addressed.map(({ parsed, title }) => [parsed, unprotect(ciphers, parsed, rings.get(title)?.sets ?? [])]));
    const asksTokens = [...rings.values()].some(({ sets }) =>
      sets.some(({ keys }) => keys.encryption instanceof TokenKey),
    );
    return asksTokens ? withTokens(work) : work(nodeCiphers as Ciphers<CipherKey>);
  }

  #openOne(found: Found, title: string, { place }: PushKeyRing, windows: Map<string, HeldWindow>): PushResult {
    const { clientTitle, receiveWindows } = this.#dependencies;
    const meter = systemTitle(fromHex(title));
    const refused = (code: PushRefusalCode): PushResult => ({ kind: "refused", code, meter });
    // What we have sealed ourselves must not come back to be opened.
    if (equalBytes(meter, clientTitle(place.utility))) return refused("wrong-originator");
    if (typeof found === "string") return refused(found);
    const { unprotected, unicastVersion } = found;
    const authenticated = unprotected.tag === "verified";
    const line = authenticated ? unicastVersion : -unicastVersion;
    if (!receiveWindows.accept(place, line, unprotected.counter)) return refused("replayed");
    const name = `${title}/${line}`;
    if (!windows.has(name)) windows.set(name, receiveWindows.hold(place, line));
    return {
      kind: "opened",
      meter,
      apdu: unprotected.plain,
      authenticated,
      encrypted: unprotected.control.encrypted,
      counter: unprotected.counter,
    };
  }

  /** The ledger's entry for the keys that were used, and the counters, in one commit. */
  async #commit(
    caller: Caller,
    rings: ReadonlyMap<string, PushKeyRing>,
    opened: number,
    evidence: EvidenceHash,
    windows: Iterable<HeldWindow>,
  ): Promise<void> {
    const { bursts, now } = this.#dependencies;
    const [first] = rings.values();
    const places = [...rings.values()].map(({ place }) => `${place.utility}/${place.island}`);
    const one = new Set(places).size === 1 && first !== undefined;
    const { fromMeter, sha256 } = evidence.summary();
    const entry = {
      at: now(),
      kind: "pushes-opened",
      principal: caller.name,
      utility: one ? first.place.utility : "*",
      island: one ? first.place.island : "*",
      body: { opened, refused: fromMeter - opened, sha256 },
    };
    // As they are by now: others have taken counters of the same windows meanwhile, and may have made them durable.
    const records = [...windows].map((window) => window.record()).filter((record) => record !== undefined);
    await keepWindows(this.#dependencies, records, { entries: bursts.admit([entry]) });
  }
}

function parse(octets: Uint8Array): Pick<Addressed, "parsed" | "title"> | PushRefusalCode {
  const form = protectionFormOf(octets[0] ?? 0);
  if (form === undefined) return octets[0] === 0x0f ? "not-protected" : "not-a-notification";
  try {
    const parsed = parseProtectedApdu(octets);
    return parsed.originator === undefined
      ? "not-a-notification"
      : { parsed, title: systemTitleText(parsed.originator) };
  } catch (error) {
    if (error instanceof DlmsError) return "not-decodable";
    throw error;
  }
}

/** Tries the sets in turn; the first whose tag fits, or whose text makes sense where there is no tag, is right. */
function unprotect(ciphers: Ciphers<CipherKey>, parsed: ProtectedApdu, sets: readonly PushKeySet[]): Found {
  let failure: PushRefusalCode = "not-authentic";
  for (const { keys, unicastVersion } of sets) {
    try {
      // Without an authentication key a tag cannot be checked: such a push is confidential at most.
      const options = { unverified: keys.authentication === undefined };
      const unprotected = unprotectApdu(ciphers, keys, parsed, undefined, options);
      const notification = kindOf(unprotected.plain) === DATA_NOTIFICATION;
      if (notification) return { unprotected, unicastVersion };
      if (unprotected.tag === "verified") return "not-a-notification";
      failure = "not-decodable";
    } catch (error) {
      if (!(error instanceof DlmsError)) throw error;
      if (error instanceof DecodeError) failure = "not-decodable";
    }
  }
  return failure;
}

function kindOf(plain: Uint8Array): string | undefined {
  try {
    return decode(anyApdu, plain).kind;
  } catch (error) {
    if (error instanceof DlmsError) return undefined;
    throw error;
  }
}
