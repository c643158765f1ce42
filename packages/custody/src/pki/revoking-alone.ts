import { createHash } from "node:crypto";
import { Turn, toHex } from "@meterkeep/dlms";
import type { LedgerReads } from "@meterkeep/ledger";
import {
  decodeCertificate,
  EXTENSIONS,
  extensionValue,
  isAuthorityProfile,
  PkiError,
  type RevocationReason,
} from "@meterkeep/pki";
import type { Changes } from "../authority/changes.ts";
import type { Caller } from "../calls/caller.ts";
import { DAY_MILLISECONDS } from "../day.ts";
import type { Pki } from "./open-pki.ts";

/**
 * So many certificates one person may revoke in 24 hours without a second: a lost technician's, a broken meter's, a worker's.
 * Beyond it a page after a page would be a whole authority.
 */
export const ALONE_CERTIFICATES_A_DAY = 200;
/** The kind of the entry for what somebody did alone, and what of it is meant here. */
const ALONE = "done-by-one";
const ACT = "revoke-certificates";
const NAMED_CERTIFICATES = 50;

/** What revoking is held against. */
export interface RevokingDependencies {
  readonly pki: Pick<Pki, "authorities" | "store" | "orders" | "sound" | "record" | "now">;
  readonly changes: Pick<Changes, "require">;
  readonly ledger: Pick<LedgerReads, "ofKinds">;
}

/** What somebody wants to revoke on the spot. */
export interface Revoking {
  readonly authority: string;
  readonly serials: readonly string[];
  readonly reason: RevocationReason;
}

/**
 * How many people it takes to revoke on the spot (ADR 0021). An authority falls in stages only, which people approve; of
 * end entities one person revokes so many a day, and more with those who approve.
 */
export class RevokingAlone {
  readonly #deps: RevokingDependencies;
  #alone: { readonly at: number; readonly certificates: number }[] | undefined;
  readonly #turn = new Turn();

  constructor(dependencies: RevokingDependencies) {
    this.#deps = dependencies;
  }

  /**
   * @throws PkiError `revocation-refused` where one of them is an authority's
   * @throws CallRefusal `approval-required` beyond what one may do in a day
   */
  require(revoking: Revoking, caller: Caller): Promise<void> {
    return this.#turn.run(() => this.#require(revoking, caller));
  }

  async #require({ authority, serials, reason }: Revoking, caller: Caller): Promise<void> {
    const { changes, pki } = this.#deps;
    const wanted = [...new Set(serials)].sort();
    await this.#refuseAuthorities(authority, wanted);
    const alone = await this.#ofToday();
    const done = alone.reduce((sum, one) => sum + one.certificates, 0) + wanted.length;
    if (done > ALONE_CERTIFICATES_A_DAY) {
      // All of them are agreed to, also those that are too many to be read out.
      const digest = createHash("sha256").update(wanted.join("\n")).digest("hex");
      const named = { certificates: wanted.slice(0, NAMED_CERTIFICATES), count: wanted.length, digest };
      await changes.require(ACT, { authority, ...named, reason }, caller);
      return;
    }
    const at = pki.now();
    // It touches no meter's keys: those are bounded for themselves.
    const said = { act: ACT, meters: 0, authority, certificates: wanted.length, done, most: ALONE_CERTIFICATES_A_DAY };
    await pki.record(ALONE, caller.name, said);
    alone.push({ at, certificates: wanted.length });
  }

  async #refuseAuthorities(authority: string, serials: readonly string[]): Promise<void> {
    const { authorities, store } = this.#deps.pki;
    const refuse = (name: string): never => {
      throw new PkiError(
        "revocation-refused",
        `${name} is an authority: everything below it would fall at once. Plan its revocation in stages (npx meterkeep pki revoke-authority)`,
      );
    };
    for (const one of await authorities.all())
      if (
        (one.parent ?? one.authority) === authority &&
        serials.includes(toHex(decodeCertificate(one.certificate).serial))
      )
        refuse(one.name);
    // One that was signed here and never adopted: a sub-CA elsewhere.
    const unread: string[] = [];
    for (const record of await store.registry.findAll(authority, serials)) {
      // What was signed says it, whatever its row says.
      const certificate = await this.#deps.pki.sound(record);
      if (certificate === undefined) unread.push(record.serial);
      else if (extensionValue(EXTENSIONS.basicConstraints, certificate.extensions)?.isAuthority === true)
        refuse(record.subject);
    }
    if (unread.length === 0) return;
    // What nobody signed, or somebody else's octets, says nothing: the ledger has what was ordered.
    for (const { serial, profile } of await this.#deps.pki.orders.ofSerials(authority, unread))
      if (isAuthorityProfile(profile)) refuse(serial);
  }

  /** As the ledger has it, so that a start gives nobody another day. */
  async #ofToday(): Promise<{ readonly at: number; readonly certificates: number }[]> {
    const { ledger, pki } = this.#deps;
    this.#alone ??= (await ledger.ofKinds([ALONE])).flatMap(({ at, body }) => {
      const { act, certificates } = JSON.parse(body) as { act: string; certificates?: number };
      return act === ACT && certificates !== undefined ? [{ at, certificates }] : [];
    });
    this.#alone = this.#alone.filter(({ at }) => pki.now() - at < DAY_MILLISECONDS);
    return this.#alone;
  }
}
