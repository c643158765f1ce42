import type { ProtectionGrade } from "@meterkeep/api";
import type { OpenedSession } from "@meterkeep/api/custodian";
import type { AssociationStep, Associator, Negotiated, Protection } from "@meterkeep/dlms";
import { HeadEndError } from "../errors.ts";
import type { MeterLine } from "./line.ts";
import type { SessionCustodian } from "./session-custodian.ts";
import type { SessionEnd } from "./session-end.ts";

/** How received octets turned out to be protected, by the octets themselves. */
export type ProtectionRecord = WeakMap<Uint8Array, ProtectionGrade>;

/** Keeps grades, and tells a line of the first answer that was authenticated. */
export function provingLine(line: Pick<MeterLine, "proven">, record: ProtectionRecord): Pick<ProtectionRecord, "set"> {
  let isProven = false;
  return {
    set: (octets, grade) => {
      if (grade === "authenticated" && !isProven) {
        isProven = true;
        line.proven?.();
      }
      return record.set(octets, grade);
    },
  };
}

/** The command token that goes with a plain APDU; undefined where it needs none, or there is none. */
export type TokenFor = (apdu: Uint8Array) => Promise<Uint8Array | undefined>;

const NO_TOKENS: TokenFor = async () => undefined;

/**
 * Makes an association whose keys are in the custodian: octets go back and forth, and the head-end sees what they say
 * but never what protects them.
 */
export class CustodianAssociator implements Associator {
  readonly #custodian: SessionCustodian;
  #opened: OpenedSession;
  readonly #end: Pick<SessionEnd, "release" | "openAgain">;
  #isAgain = false;
  readonly #record: Pick<ProtectionRecord, "set">;
  readonly #tokenFor: TokenFor;

  constructor(
    custodian: SessionCustodian,
    opened: OpenedSession,
    end: Pick<SessionEnd, "release" | "openAgain">,
    record: Pick<ProtectionRecord, "set">,
    tokenFor: TokenFor = NO_TOKENS,
  ) {
    this.#custodian = custodian;
    this.#opened = opened;
    this.#end = end;
    this.#record = record;
    this.#tokenFor = tokenFor;
  }

  async start(): Promise<AssociationStep> {
    return { kind: "send", apdu: this.#opened.apdu };
  }

  async next(received: Uint8Array): Promise<AssociationStep> {
    const answer = await this.#custodian.advanceSession({ session: this.#opened.session, received });
    switch (answer.kind) {
      case "send":
        return { kind: "send", apdu: answer.apdu };
      case "established":
        return {
          kind: "established",
          protection: this.#protection(),
          negotiated: {
            conformance: answer.conformance as Negotiated["conformance"],
            maxReceivePduSize: answer.maxReceivePduSize === 0 ? undefined : answer.maxReceivePduSize,
            serverSystemTitle: undefined,
          },
        };
      case "failed":
        if (answer.code === "session-overtaken" && !this.#isAgain) return this.#startAgain();
        throw new HeadEndError(
          answer.code === "not-authentic" ? "meter-not-authentic" : "meter-refused",
          `${answer.code}: ${answer.message}`,
        );
      default:
        return answer satisfies never;
    }
  }

  /** Whoever spoke with the meter between the opening and our turn has done so: now the line is ours. */
  async #startAgain(): Promise<AssociationStep> {
    this.#isAgain = true;
    const { clientSap, serverSap } = this.#opened;
    this.#opened = await this.#end.openAgain();
    if (this.#opened.clientSap !== clientSap || this.#opened.serverSap !== serverSap)
      throw new HeadEndError("meter-refused", "session-overtaken: the meter is another client's from now on");
    return this.start();
  }

  /** Ends the custodian's session with the association: nothing is sealed or opened in it after this. */
  release(): Promise<Uint8Array> {
    return this.#end.release();
  }

  /** Whatever the meter answers, the line ends now. */
  async released(): Promise<void> {}

  #protection(): Protection {
    const { session } = this.#opened;
    return {
      // The custodian judges what a request does, which a block of it does not show.
      wholeRequests: true,
      seal: async (apdus) => {
        const items = await Promise.all(apdus.map(async (apdu) => ({ apdu, token: await this.#tokenFor(apdu) })));
        const results = await this.#custodian.seal({ session, items });
        return results.map((result) => {
          if (result.kind === "sealed") return result.apdu;
          throw new HeadEndError("seal-refused", `the custodian did not seal it: ${result.code}: ${result.message}`);
        });
      },
      open: async (apdus) => {
        const results = await this.#custodian.open({ session, apdus: [...apdus] });
        return results.map((result, at) => {
          if (result.kind === "refused")
            throw new HeadEndError("meter-not-authentic", `the meter's answer was not accepted: ${result.code}`);
          this.#record.set(apdus[at] as Uint8Array, gradeOf(result));
          return result.apdu;
        });
      },
    };
  }
}

function gradeOf(opened: { readonly authenticated: boolean; readonly encrypted: boolean }): ProtectionGrade {
  if (opened.authenticated) return "authenticated";
  return opened.encrypted ? "confidential" : "none";
}
