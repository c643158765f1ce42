import { DlmsError, toHex } from "@meterkeep/dlms";
import type { Authorities } from "../authority/authorities.ts";
import type { LedgeredOrder, LedgeredOrders } from "../authority/ledgered-orders.ts";
import { PkiError } from "../errors.ts";
import type { RevocationPlan } from "../registry/pki-store.ts";
import type { CertificateRecord, Registry } from "../registry/registry.ts";
import { type Certificate, decodeCertificate } from "../x509/certificate.ts";
import { isSignedBy } from "../x509/signature.ts";
import type { RevocationReason } from "./reasons.ts";

/** Orders that are looked at together. */
const BATCH = 500;

/** What trust is taken with. */
export interface RefuseDependencies {
  readonly authorities: Pick<Authorities, "recordOf" | "revoke" | "revokeAll">;
  readonly registry: Pick<Registry, "findAll" | "isRevoked">;
  readonly orders: Pick<LedgeredOrders, "page">;
  readonly now: () => number;
}

/** How far one look at all orders has come. */
interface Pass {
  /** Authorities that are left. */
  readonly left: string[];
  /** The serial number after which the first goes on. */
  after: string | undefined;
  /** Whether it has revoked anything. */
  hasRevoked: boolean;
}

/**
 * The stage of a revocation that takes trust: first the authority falls and each below it, where the one above can say so, by
 * its own record and not by a row of its certificate; then, for those who look no further, every certificate that they were
 * ever ordered to sign and that has not ended, by the ledger, whatever rows say, and whether they have any. Looked at from the
 * beginning until nothing is found: an order may have been under way while the revocation was planned.
 */
export class RefuseStage {
  readonly #deps: RefuseDependencies;
  /** By plan; of a process that died, the next begins anew and passes over what was revoked. */
  readonly #passes = new Map<string, Pass>();

  constructor(dependencies: RefuseDependencies) {
    this.#deps = dependencies;
  }

  /** Does the next batch. @param below the authority and every one below it */
  async batch(
    plan: RevocationPlan,
    below: readonly string[],
  ): Promise<{ readonly isDone: boolean; readonly finished: number }> {
    const { authorities } = this.#deps;
    const reason = plan.reason as RevocationReason;
    let { finished } = plan;
    const failures: unknown[] = [];
    const begun = this.#passes.get(plan.id);
    const isAtEnd = begun?.left.length === 0;
    for (const authority of begun === undefined || isAtEnd ? below : [])
      try {
        const { parent, certificate } = await authorities.recordOf(authority);
        if (parent === undefined) continue;
        const serial = toHex(decodeCertificate(certificate).serial);
        const isNew = await authorities.revoke(parent, serial, reason, plan.plannedBy);
        if (isNew && authority !== plan.authority) finished += 1;
      } catch (error) {
        // The others fall all the same; the stage does not end without it.
        failures.push(error);
      }
    const pass = begun ?? { left: [...below], after: undefined, hasRevoked: false };
    this.#passes.set(plan.id, pass);
    const [authority] = pass.left;
    if (authority !== undefined) {
      const page = await this.#deps.orders.page(authority, pass.after, BATCH);
      const serials = await this.#standing(authority, page);
      const revoked = await authorities.revokeAll(authority, serials, reason, plan.plannedBy);
      pass.hasRevoked ||= revoked > 0;
      pass.after = page.at(-1)?.serial;
      if (page.length < BATCH) {
        pass.left.shift();
        pass.after = undefined;
      }
      return { isDone: false, finished: finished + revoked };
    }
    if (pass.hasRevoked) {
      this.#passes.delete(plan.id);
      return { isDone: false, finished };
    }
    if (failures.length > 0) throw new AggregateError(failures, `${failures.length} authorities could not be revoked`);
    this.#passes.delete(plan.id);
    return { isDone: true, finished };
  }

  /** What was ordered, is not revoked, and has not ended: of what has, its row must have what its authority signed. */
  async #standing(authority: string, page: readonly LedgeredOrder[]): Promise<readonly string[]> {
    const { registry, authorities, now } = this.#deps;
    const serials: string[] = [];
    for (const { serial } of page) if (!(await registry.isRevoked(authority, serial))) serials.push(serial);
    if (serials.length === 0) return serials;
    const issuer = decodeCertificate((await authorities.recordOf(authority)).certificate);
    const rows = await registry.findAll(authority, serials);
    const ended = new Set(rows.filter((row) => hasEnded(row, issuer, now())).map(({ serial }) => serial));
    return serials.filter((serial) => !ended.has(serial));
  }
}

/** Whether what its authority signed says that it has ended: the date of its row does not. */
function hasEnded({ serial, notAfter, octets }: CertificateRecord, issuer: Certificate, at: number): boolean {
  if (notAfter >= at || octets === undefined) return false;
  try {
    const { signatureAlgorithm, toBeSigned, signature, ...own } = decodeCertificate(octets);
    const isItself = toHex(own.serial) === serial && own.validity.notAfter.getTime() < at;
    return isItself && isSignedBy(issuer.publicKey, signatureAlgorithm, toBeSigned, signature);
  } catch (error) {
    if (error instanceof DlmsError || error instanceof PkiError) return false;
    throw error;
  }
}
