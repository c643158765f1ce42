import type { CustodianRequest, OpenedSession } from "@meterkeep/api/custodian";
import { HeadEndError } from "../errors.ts";
import type { SessionCustodian } from "./session-custodian.ts";
import { custodianOutcome } from "./session-outcome.ts";

/**
 * A session with the custodian, from its opening to its end. It ends once: in one call with the release of its association where there is one, by itself
 * where there is none. What went wrong `during` it is its outcome.
 */
export class SessionEnd {
  readonly #custodian: Pick<SessionCustodian, "openSession" | "closeSession">;
  readonly #asked: CustodianRequest<"openSession">;
  #session: string;
  #error: unknown;
  #closing: ReturnType<SessionCustodian["closeSession"]> | undefined;

  /** `opened` is what came of `asked`. */
  constructor(
    custodian: Pick<SessionCustodian, "openSession" | "closeSession">,
    asked: CustodianRequest<"openSession">,
    { session }: Pick<OpenedSession, "session">,
  ) {
    this.#custodian = custodian;
    this.#asked = asked;
    this.#session = session;
  }

  /** Asks for the same once more, in the place of a session that the custodian has ended. */
  async openAgain(): Promise<OpenedSession> {
    const opened = await this.#custodian.openSession(this.#asked);
    this.#session = opened.session;
    return opened;
  }

  /** The session has failed, for the first time: its outcome, where it is not closed yet. */
  failed(error: unknown): void {
    this.#error ??= error;
  }

  /** What is done in the association: whether it failed is known before the release. */
  async during<T>(work: Promise<T>): Promise<T> {
    try {
      return await work;
    } catch (error) {
      this.failed(error);
      throw error;
    }
  }

  /** Closes the session and gives the RLRQ for the meter: the last that this session seals. */
  async release(): Promise<Uint8Array> {
    const { apdu } = await this.#close(true);
    if (apdu === undefined) throw new HeadEndError("seal-refused", "the custodian gave no release");
    return apdu;
  }

  /** Closes the session, where its release has not. @throws what the custodian said of its end, whoever asked for that */
  async close(): Promise<void> {
    await this.#close(false);
  }

  #close(releases: boolean): ReturnType<SessionCustodian["closeSession"]> {
    const outcome = custodianOutcome(this.#error);
    this.#closing ??= this.#custodian.closeSession({ session: this.#session, outcome, releases });
    return this.#closing;
  }
}
