import { encodeApdu } from "../cosem/service-octets.ts";
import { BLOCK_OVERHEAD_BYTES, isBlock } from "../gbt/transfer.ts";
import { encodeBlocks } from "../link/block-transfer.ts";
import { Turn } from "../turn.ts";
import type { ConformanceBit } from "../xdlms/conformance.ts";
import type { InvokeIdAndPriority } from "../xdlms/invoke-id.ts";
import { type DataNotification, dataNotificationConfirm } from "../xdlms/notification.ts";
import { decodeUnsolicited, type Unsolicited } from "../xdlms/unsolicited.ts";
import { BlockCarrier, type BlockLine, type BlockTransferSettings } from "./block-carrier.ts";
import type { Associator, Cancellation, Exchange, ExchangeEvent, Line, Negotiated, Protection } from "./ports.ts";
import { refusalOf } from "./refusal.ts";
import { SessionError } from "./session-error.ts";

/** What a session is made of: who carries octets, and who holds the keys. */
export interface SessionOptions {
  readonly exchange: Exchange;
  readonly associator: Associator;
  /** Sends without waiting, and waits without sending: for services that want no answer, and for several blocks in a row. */
  readonly line?: Line;
  /** Ends the session's waiting; time-outs are the exchange's business. */
  readonly signal?: Cancellation;
  /** Sees every APDU that travels; must not throw. */
  readonly onExchange?: (event: ExchangeEvent) => void;
  /** Octets that a response in blocks may grow to; 16 MiB unless given. */
  readonly maxResponseBytes?: number;
  /** Octets of data in the blocks of long requests, where a meter takes fewer than its PDU size allows. */
  readonly requestBlocks?: RequestBlocks;
  /** How general block transfer is used where it was agreed on. */
  readonly blockTransfer?: BlockTransferSettings;
  /** Gives the invoke id and priority of each request; 1 to 15 in turn with high priority unless given. */
  readonly invokeIds?: () => InvokeIdAndPriority;
}

/** Octets of data in the first and in every other block of a request; as many as fit unless given. */
export interface RequestBlocks {
  readonly firstBytes?: number | undefined;
  readonly nextBytes?: number | undefined;
}

const DEFAULT_MAX_RESPONSE_BYTES = 16 * 1024 * 1024;
/** What ciphering in its longest form adds to an APDU: tag, title, length, security control, counter, tag. */
const PROTECTION_BYTES = 30;
const NO_LIMIT_BYTES = 65_535;
const HIGHEST_INVOKE_ID = 15;
const DATA_NOTIFICATION_CONFIRM = 0x10;
const NEVER: Cancellation = { aborted: false, addEventListener: () => {}, removeEventListener: () => {} };

/** Associates. @throws SessionError when the server refuses or does not prove itself; what the exchange throws. */
export async function converse(options: SessionOptions): Promise<Conversation> {
  const { associator, exchange, onExchange, signal = NEVER } = options;
  let step = await associator.start();
  for (let name = "associate"; step.kind === "send"; name = "authenticate") {
    const { apdu, plain } = step;
    onExchange?.({ direction: "sent", step: name, plain: plain ?? undefined, wire: apdu });
    const received = await exchange(apdu, signal);
    onExchange?.({ direction: "received", step: name, plain: undefined, wire: received });
    step = await associator.next(received);
  }
  return new Conversation(options, step.protection, step.negotiated);
}

/**
 * What sessions of logical and of short names share: an association, one request at a time, protection both ways.
 *
 * States: open, with at most one request under way (others wait for their turn); closed, by `release`.
 */
export class Conversation {
  readonly negotiated: Negotiated;
  /** Octets that a response in blocks may grow to. */
  readonly maxResponseBytes: number;
  /** Octets of the longest APDU that the server takes. */
  readonly #maxSendBytes: number;
  /** Whether APDUs may come and go by general block transfer. */
  readonly #takesBlocks: boolean;
  readonly #options: SessionOptions;
  readonly #protection: Protection;
  readonly #turn = new Turn();
  #invokeId = 0;
  #closed = false;

  constructor(options: SessionOptions, protection: Protection, negotiated: Negotiated) {
    this.#options = options;
    this.#protection = protection;
    this.negotiated = negotiated;
    this.maxResponseBytes = options.maxResponseBytes ?? DEFAULT_MAX_RESPONSE_BYTES;
    this.#maxSendBytes = negotiated.maxReceivePduSize ?? NO_LIMIT_BYTES;
    this.#takesBlocks = this.agreed("general-block-transfer");
  }

  /**
   * Octets of the longest plain request of a service. Where general block transfer carries it any length will do;
   * `blocks` are those of the service itself, which come first unless the session says otherwise.
   */
  maxRequestBytes(blocks?: ConformanceBit): number {
    const own = blocks !== undefined && this.divides(blocks) && this.#options.blockTransfer?.preferred !== true;
    if (!own && this.#takesBlocks) return this.maxResponseBytes;
    return this.#maxSendBytes - (this.#protection.overheadBytes ?? PROTECTION_BYTES);
  }

  get requestBlocks(): RequestBlocks {
    return this.#options.requestBlocks ?? {};
  }

  /** Runs `work` when it is its turn. */
  run<T>(work: () => Promise<T>): Promise<T> {
    return this.#turn.run(work);
  }

  /** Waits for the turn and returns the function that passes it on. */
  takeTurn(): Promise<() => void> {
    return this.#turn.take();
  }

  nextId(): InvokeIdAndPriority {
    const { invokeIds } = this.#options;
    if (invokeIds !== undefined) return invokeIds();
    this.#invokeId = (this.#invokeId % HIGHEST_INVOKE_ID) + 1;
    return { invokeId: this.#invokeId, confirmed: true, highPriority: true };
  }

  agreed(service: ConformanceBit): boolean {
    return this.negotiated.conformance.includes(service);
  }

  /** Whether long requests of a service may go in blocks of its own. */
  divides(blocks: ConformanceBit): boolean {
    return this.agreed(blocks) && this.#protection.wholeRequests !== true;
  }

  /** @throws SessionError `not-associated`, `service-not-negotiated` */
  require(service: ConformanceBit): void {
    if (this.#closed) throw new SessionError("not-associated", "the session was released");
    if (!this.agreed(service))
      throw new SessionError("service-not-negotiated", `the association did not agree on "${service}"`);
  }

  /** Sends one plain APDU, protected, and gives the plain answer; a refusal of the whole request is thrown. */
  async ask(plain: Uint8Array, step: string): Promise<Uint8Array> {
    const sealed = await this.#seal(plain, step);
    const wire = await this.#carry(step, plain, sealed);
    const [opened] = await this.#open([wire], [step]);
    if (opened === undefined) throw new SessionError("not-associated", `${step}: nothing was opened`);
    const refusal = refusalOf(opened);
    if (refusal !== undefined) throw refusal;
    return opened;
  }

  /** Seals all, sends one after the other, opens all. Refusals of whole requests stay in the answers. */
  async askAll(plains: readonly Uint8Array[], steps: readonly string[]): Promise<readonly Uint8Array[]> {
    const sealed = await this.#protection.seal(plains);
    const wires: Uint8Array[] = [];
    for (const [at, octets] of sealed.entries())
      wires.push(await this.#carry(steps[at] as string, plains[at] as Uint8Array, octets));
    return this.#open(wires, steps);
  }

  /**
   * Sends one plain APDU, protected, that nobody answers. Where it is too long for the server it goes in general blocks
   * that stream without a confirmation, as pushes do; blocks of the services themselves would each want an answer.
   *
   * @throws SessionError `line-missing`, `request-too-long`
   */
  async tell(plain: Uint8Array, step: string): Promise<void> {
    const { line, onExchange, blockTransfer } = this.#options;
    if (line === undefined)
      throw new SessionError("line-missing", `${step}: a service without an answer needs the option "line"`);
    const maxBytes = this.maxRequestBytes();
    if (plain.length > maxBytes)
      throw new SessionError("request-too-long", `${step}: the server takes ${maxBytes} octets at a time`);
    const wire = await this.#seal(plain, step);
    onExchange?.({ direction: "sent", step, plain, wire });
    if (!this.#takesBlocks || wire.length <= this.#maxSendBytes) return line.send(wire);
    const { blockBytes = Math.max(1, this.#maxSendBytes - BLOCK_OVERHEAD_BYTES) } = blockTransfer ?? {};
    for (const block of encodeBlocks(wire, blockBytes)) await line.send(block);
  }

  /**
   * Opens what the server said unasked in this association: it is protected as its responses are, and its counter counts
   * with theirs. Lines hand such APDUs out apart from answers.
   */
  async openUnsolicited(octets: Uint8Array): Promise<Unsolicited> {
    const [plain] = await this.#open([octets], ["unsolicited"]);
    return decodeUnsolicited(plain ?? octets);
  }

  /** Confirms a data-notification that wants to be. @throws SessionError `line-missing` */
  confirm({ invokeIdAndPriority, dateTime }: DataNotification): Promise<void> {
    const time = dateTime === undefined ? {} : { dateTime };
    const value = { invokeIdAndPriority, ...time };
    return this.tell(encodeApdu(DATA_NOTIFICATION_CONFIRM, dataNotificationConfirm, value), "confirm a push");
  }

  /** Releases the association; closed whatever comes back. @throws SessionError when the server refuses */
  release(): Promise<void> {
    return this.#turn.run(async () => {
      if (this.#closed) return;
      this.#closed = true;
      const { associator } = this.#options;
      const request = await associator.release();
      const response = await this.#carry("release", request, request);
      this.#options.onExchange?.({ direction: "received", step: "release", plain: response, wire: response });
      await associator.released(response);
    });
  }

  async #seal(plain: Uint8Array, step: string): Promise<Uint8Array> {
    const [sealed] = await this.#protection.seal([plain]);
    if (sealed === undefined) throw new SessionError("not-associated", `${step}: nothing was sealed`);
    return sealed;
  }

  #carry(step: string, plain: Uint8Array, wire: Uint8Array): Promise<Uint8Array> {
    const { exchange, onExchange, signal = NEVER } = this.#options;
    onExchange?.({ direction: "sent", step, plain, wire });
    return this.#takesBlocks ? this.#carryInBlocks(wire) : exchange(wire, signal);
  }

  async #carryInBlocks(wire: Uint8Array): Promise<Uint8Array> {
    const { exchange, line, blockTransfer = {}, signal = NEVER } = this.#options;
    const { maxResponseBytes } = this;
    const over: BlockLine = { exchange, line, signal, maxSendBytes: this.#maxSendBytes, maxResponseBytes };
    if (wire.length > this.#maxSendBytes) return new BlockCarrier(over, blockTransfer).send(wire);
    const response = await exchange(wire, signal);
    return isBlock(response) ? new BlockCarrier(over, blockTransfer).receive(response) : response;
  }

  #open(wires: readonly Uint8Array[], steps: readonly string[]): Promise<readonly Uint8Array[]> {
    const opening = this.#protection.open(wires);
    return this.#options.onExchange === undefined ? opening : this.#observed(opening, wires, steps);
  }

  /** Tells what was received, opened or not. */
  async #observed(
    opening: Promise<readonly Uint8Array[]>,
    wires: readonly Uint8Array[],
    steps: readonly string[],
  ): Promise<readonly Uint8Array[]> {
    let plains: readonly Uint8Array[] = [];
    try {
      plains = await opening;
      return plains;
    } finally {
      for (const [at, wire] of wires.entries())
        this.#options.onExchange?.({ direction: "received", step: steps[at] as string, plain: plains[at], wire });
    }
  }
}
