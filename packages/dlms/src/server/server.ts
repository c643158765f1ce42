import { ACSE_TAGS } from "../acse/acse-apdu.ts";
import { NORMAL } from "../cosem/normal-apdus.ts";
import { decodeApdu } from "../cosem/service-octets.ts";
import { DecodeError } from "../errors.ts";
import { type BlockTransferQuirks, isBlock } from "../gbt/transfer.ts";
import { protectionFormOf } from "../security/tags.ts";
import { dataNotificationConfirm } from "../xdlms/notification.ts";
import { encodeUnsolicited, type Unsolicited } from "../xdlms/unsolicited.ts";
import { ACCESS_REQUEST, serveAccess } from "./access-service.ts";
import { serveAction } from "./action.ts";
import { associate } from "./associate.ts";
import type { AssociationModel } from "./association-model.ts";
import { authenticate } from "./authenticate.ts";
import { type Answers, type BlockLimits, BlockTransfers } from "./block-transfers.ts";
import { agreed, type Call } from "./call.ts";
import {
  type Association,
  type AssociationSecurity,
  Connection,
  type RequestProtection,
  type Standing,
  UNPROTECTED,
} from "./connection.ts";
import type { DeviceModel } from "./device-model.ts";
import { completeDevice, type DeviceParts } from "./device-parts.ts";
import { exceptionFor, RequestRefused } from "./exception.ts";
import { serveGet } from "./get.ts";
import { DEFAULT_MAX_RECEIVE_PDU_BYTES, MAX_LONG_REQUEST_BYTES, offeredConformance } from "./offer.ts";
import type { Device } from "./ports.ts";
import {
  type AssociationStage,
  openRequest,
  protectionOverheadBytes,
  requirePolicy,
  sealResponse,
} from "./protection.ts";
import { READ_REQUEST, serveRead } from "./read.ts";
import { release } from "./release.ts";
import { serveSet } from "./set.ts";
import { serveUnconfirmedWrite, serveWrite, UNCONFIRMED_WRITE_REQUEST, WRITE_REQUEST } from "./write.ts";

const [GET_REQUEST] = NORMAL.getRequest;
const [SET_REQUEST] = NORMAL.setRequest;
const DATA_NOTIFICATION_CONFIRM = 0x10;
const [ACTION_REQUEST] = NORMAL.actionRequest;
const UNSOLICITED_SERVICES = {
  "data-notification": "data-notification",
  "event-notification-request": "event-notification",
  "information-report-request": "information-report",
} as const;
/** What ciphering in its longest form without agreed keys adds, title included. */
const UNCOUNTED_BYTES = 40;
/** What the wrapper and the block lengths can carry when the client names no limit. */
const UNLIMITED_PDU_BYTES = 65_535;

/** Options of a server that belong to no association. */
export interface ServerOptions {
  /**
   * When new keys take effect for an association that is open: `next-association` (the default) lets it end with the
   * keys it began with; `at-once` is what some meters do.
   */
  readonly keyChange?: "next-association" | "at-once";
  /** Blocks that this server takes in a row under general block transfer; 1 unless given. */
  readonly blockWindow?: number;
  /** Where its clients depart from general block transfer. */
  readonly blockQuirks?: BlockTransferQuirks;
  /** Octets that a SET or ACTION in blocks may grow to; 65 536 unless given. */
  readonly maxLongRequestBytes?: number;
}

/**
 * A COSEM server: one meter, any number of clients. Synchronous, without sockets and clock; a runner carries octets.
 *
 * Whatever arrives is answered with a response or an exception-response, never with a thrown error, and nothing in the
 * answers of a security failure tells one failure from another.
 */
export class CosemServer<Key, State = unknown> {
  readonly #model: DeviceModel<State>;
  readonly #device: Device<Key, State>;
  readonly #options: ServerOptions;

  /** @throws DlmsError `invalid-value` when an association of the model needs what the device does not have */
  constructor(model: DeviceModel<State>, device: DeviceParts<Key, State>, options: ServerOptions = {}) {
    this.#model = model;
    this.#device = completeDevice(model, device);
    this.#options = options;
  }

  /** A client begins to speak. */
  connect(clientSap: number, serverSap: number): Connection<Key, State> {
    const model = this.#model.bySap.get(clientSap);
    return new Connection({ clientSap, serverSap }, model, this.#firstStanding(model));
  }

  /** The client is gone, and its association with it. */
  disconnect(connection: Connection<Key, State>): void {
    connection.standing = { kind: "idle" };
  }

  /**
   * Answers one APDU; undefined where the service wants no answer. Under general block transfer more may have to be sent
   * after the answer: `following` has it.
   */
  handle(connection: Connection<Key, State>, apdu: Uint8Array): Uint8Array | undefined {
    connection.following = [];
    try {
      const [answer, ...following] = this.#handle(connection, apdu);
      connection.following = following;
      return answer;
    } catch (error) {
      return this.#refuse(connection, error);
    }
  }

  /** What has to be sent right after the answer to the last APDU: blocks in a row. */
  following(connection: Connection<Key, State>): readonly Uint8Array[] {
    return connection.following;
  }

  /**
   * What to send to a client unasked: an event, a report or a push, protected as responses of the association are.
   * Undefined where the client has no association, or did not agree on the service.
   */
  notify({ standing }: Connection<Key, State>, message: Unsolicited): Uint8Array | undefined {
    if (standing.kind !== "associated") return undefined;
    const { association } = standing;
    const { agreement, security } = association;
    if (!agreed({ association }, UNSOLICITED_SERVICES[message.kind])) return undefined;
    const plain = encodeUnsolicited(message);
    if (security === undefined || !agreement.ciphered) return plain;
    // A data-notification has no tag of its own under the service-specific forms.
    const form = message.kind === "data-notification" ? "general-global" : "global";
    const facts = { form, authenticated: true, encrypted: true, signed: false, lowestBefore: 0 } as const;
    return sealResponse(this.#device.ciphers, security, agreement, facts, plain);
  }

  #handle(connection: Connection<Key, State>, apdu: Uint8Array): Answers {
    const { model } = connection;
    if (model === undefined) throw new RequestRefused("not-associated");
    const tag = apdu[0] ?? 0;
    if (tag === ACSE_TAGS.aarq) return [this.#associate(connection, model, apdu)];
    const { standing } = connection;
    if (standing.kind === "idle") throw new RequestRefused("not-associated");
    if (tag === ACSE_TAGS.rlrq) return [this.#release(connection, model, standing.association, apdu)];
    return this.#transfer(connection, model, standing, apdu);
  }

  /** A request or a response that may come and go in general blocks. */
  #transfer(
    connection: Connection<Key, State>,
    model: AssociationModel<State>,
    standing: Exclude<Standing<Key>, { kind: "idle" }>,
    apdu: Uint8Array,
  ): Answers {
    const { association } = standing;
    const { maxReceivePduSize } = association.agreement;
    const maxSendPduSize = longestResponse(model, association);
    // Some clients count neither their ciphering nor the head of a general block: neither makes the meter hold more.
    const isPlain = protectionFormOf(apdu[0] ?? 0) === undefined && !isBlock(apdu);
    if (apdu.length > maxReceivePduSize + (isPlain ? 0 : UNCOUNTED_BYTES)) throw new RequestRefused("too-long");
    const general = agreed({ association }, "general-block-transfer");
    if (!general) {
      const response = this.#request(connection, model, standing, apdu);
      return response === undefined ? [] : [response];
    }
    connection.blocks ??= new BlockTransfers();
    const limits: BlockLimits = {
      maxSendBytes: maxSendPduSize,
      maxRequestBytes: this.#options.maxLongRequestBytes ?? MAX_LONG_REQUEST_BYTES,
      windowBlocks: this.#options.blockWindow ?? 1,
      quirks: this.#options.blockQuirks ?? {},
    };
    if (isBlock(apdu)) return connection.blocks.take(apdu, limits, (whole) => this.#answer(connection, model, whole));
    connection.blocks.end();
    const response = this.#request(connection, model, standing, apdu);
    if (response === undefined) return [];
    return response.length > maxSendPduSize ? connection.blocks.send(response, limits) : [response];
  }

  /** Answers a request that came in blocks, a refusal included, since the answer goes in blocks too. */
  #answer(
    connection: Connection<Key, State>,
    model: AssociationModel<State>,
    apdu: Uint8Array,
  ): Uint8Array | undefined {
    const { standing } = connection;
    try {
      if (standing.kind === "idle") throw new RequestRefused("not-associated");
      return this.#request(connection, model, standing, apdu);
    } catch (error) {
      return this.#refuse(connection, error);
    }
  }

  #refuse({ model, clientSap }: Connection<Key, State>, error: unknown): Uint8Array {
    const refused = asRefusal(error);
    const association = model?.definition.name ?? `client ${clientSap}`;
    const { reason, cause } = refused;
    this.#device.onEvent?.({ kind: "request-refused", association, reason, error: cause });
    return exceptionFor(refused);
  }

  #associate(connection: Connection<Key, State>, model: AssociationModel<State>, apdu: Uint8Array): Uint8Array {
    connection.standing = { kind: "idle" };
    connection.blocks = undefined;
    if (this.#device.lockedOut?.(model.definition.name) === true) throw new RequestRefused("locked-out");
    const { response, standing, rejected } = associate(this.#device, model, apdu);
    connection.standing = standing;
    const association = model.definition.name;
    if (rejected !== undefined) this.#device.onEvent?.({ kind: "association-refused", association, reason: rejected });
    else if (standing.kind === "associated") this.#associated(model, standing.association);
    return response;
  }

  #associated({ definition }: AssociationModel<State>, { agreement }: Association<Key>): void {
    const { clientSystemTitle } = agreement;
    this.#device.onEvent?.({ kind: "associated", association: definition.name, clientSystemTitle });
  }

  #release(
    connection: Connection<Key, State>,
    model: AssociationModel<State>,
    association: Association<Key>,
    apdu: Uint8Array,
  ): Uint8Array {
    this.#currentSecurity(association);
    const standing = this.#firstStanding(model);
    const response = release(this.#device, association, apdu, standing.kind === "idle" ? "normal" : "not-finished");
    connection.standing = standing;
    if (standing.kind === "idle") this.#device.onEvent?.({ kind: "released", association: model.definition.name });
    return response;
  }

  #request(
    connection: Connection<Key, State>,
    model: AssociationModel<State>,
    standing: Exclude<Standing<Key>, { kind: "idle" }>,
    apdu: Uint8Array,
  ): Uint8Array | undefined {
    const { association } = standing;
    const security = this.#currentSecurity(association);
    const stage = standing.kind === "authenticating" ? "associating" : "associated";
    const { plain, protection } = this.#open(association, security, apdu, stage);
    const seal = (response: Uint8Array) =>
      security === undefined || !association.agreement.ciphered
        ? response
        : sealResponse(this.#device.ciphers, security, association.agreement, protection, response, stage);
    if (standing.kind === "authenticating") {
      const outcome = authenticate(this.#device, standing, security, protection, plain);
      connection.standing = outcome.authentic
        ? { kind: "associated", association, transfer: undefined }
        : { kind: "idle" };
      if (outcome.authentic) this.#associated(model, association);
      else this.#refusedHls(model);
      return seal(outcome.response);
    }
    const call = this.#call(connection, model, association, protection, standing.transfer);
    // Whatever goes wrong from here on, a transfer that was not continued is over.
    standing.transfer = undefined;
    const response = serve(call, plain);
    standing.transfer = call.transfer;
    if (security !== undefined && security.setup.keys.current() !== security.keys) security.changedKeys = true;
    return response === undefined ? undefined : seal(response);
  }

  #refusedHls({ definition }: AssociationModel<State>): void {
    const association = definition.name;
    this.#device.onEvent?.({ kind: "association-refused", association, reason: "authentication-failure" });
  }

  /** The security of the association, unless somebody else has changed the keys since. */
  #currentSecurity({ security }: Association<Key>): AssociationSecurity<Key> | undefined {
    if (security === undefined || security.setup.keys.current() === security.keys) return security;
    if (!security.changedKeys || this.#options.keyChange === "at-once") throw new RequestRefused("keys-changed");
    return security;
  }

  #open(
    { agreement }: Association<Key>,
    security: AssociationSecurity<Key> | undefined,
    apdu: Uint8Array,
    stage: AssociationStage,
  ): { readonly plain: Uint8Array; readonly protection: RequestProtection } {
    const isProtected = protectionFormOf(apdu[0] ?? 0) !== undefined;
    if (isProtected) {
      if (security === undefined || !agreement.ciphered) throw new RequestRefused("not-authentic");
      return openRequest(this.#device.ciphers, security, agreement, apdu, stage);
    }
    if (security !== undefined) requirePolicy(security.setup.policy, UNPROTECTED, stage);
    return { plain: apdu, protection: UNPROTECTED };
  }

  #call(
    { serverSap }: Connection<Key, State>,
    model: AssociationModel<State>,
    association: Association<Key>,
    protection: RequestProtection,
    pending: Call<Key, State>["pending"],
  ): Call<Key, State> {
    const pduBytes = longestResponse(model, association);
    const { security } = association;
    const ciphered = association.agreement.ciphered && security !== undefined;
    const overhead = ciphered ? protectionOverheadBytes(security, protection) : 0;
    return {
      device: this.#device,
      model,
      association,
      serverSap,
      protection,
      pending,
      maxResponseBytes: pduBytes - overhead,
      generalBlocks: generalBlocks(model, association),
      maxRequestBytes: this.#options.maxLongRequestBytes ?? MAX_LONG_REQUEST_BYTES,
      transfer: undefined,
    };
  }

  /** Associated from the start where the association is pre-established, else idle. */
  #firstStanding(model: AssociationModel<State> | undefined): Standing<Key> {
    const definition = model?.definition;
    if (definition?.preEstablished !== true) return { kind: "idle" };
    const { securitySetup } = definition;
    const setup = securitySetup === undefined ? undefined : this.#device.securitySetup(securitySetup);
    const security =
      setup === undefined ? undefined : { setup, keys: setup.keys.current(), dedicated: undefined, changedKeys: false };
    const agreement = {
      conformance: offeredConformance(definition),
      maxReceivePduSize: definition.maxReceivePduSize ?? DEFAULT_MAX_RECEIVE_PDU_BYTES,
      maxSendPduSize: undefined,
      ciphered: setup !== undefined,
      clientSystemTitle: setup?.clientSystemTitle,
    };
    return { kind: "associated", association: { agreement, security }, transfer: undefined };
  }
}

function serve<Key, State>(call: Call<Key, State>, plain: Uint8Array): Uint8Array | undefined {
  const [tag] = plain;
  if (tag === GET_REQUEST) return serveGet(call, plain);
  if (tag === SET_REQUEST) return serveSet(call, plain);
  if (tag === ACTION_REQUEST) return serveAction(call, plain);
  if (tag === ACCESS_REQUEST) return serveAccess(call, plain);
  if (tag === READ_REQUEST) return serveRead(call, plain);
  if (tag === WRITE_REQUEST) return serveWrite(call, plain);
  if (tag === UNCONFIRMED_WRITE_REQUEST) return serveUnconfirmedWrite(call, plain);
  if (tag === DATA_NOTIFICATION_CONFIRM) return hearConfirmation(call, plain);
  throw new RequestRefused("not-supported");
}

/** Octets of the longest APDU that the client takes and this server sends. */
function longestResponse<Key, State>({ definition }: AssociationModel<State>, { agreement }: Association<Key>): number {
  return Math.min(agreement.maxSendPduSize ?? UNLIMITED_PDU_BYTES, definition.maxSendPduSize ?? UNLIMITED_PDU_BYTES);
}

/** The client has taken a push that wanted to be confirmed. */
function hearConfirmation<Key, State>({ device, model }: Call<Key, State>, plain: Uint8Array): undefined {
  const { invokeIdAndPriority } = decodeApdu(dataNotificationConfirm, plain);
  const { invokeId } = invokeIdAndPriority;
  device.onEvent?.({ kind: "push-confirmed", association: model.definition.name, invokeId });
}

function generalBlocks<Key, State>(
  { definition }: AssociationModel<State>,
  association: Association<Key>,
): Call<Key, State>["generalBlocks"] {
  if (!agreed({ association }, "general-block-transfer")) return "none";
  return definition.prefersGeneralBlocks === true ? "preferred" : "agreed";
}

function asRefusal(error: unknown): RequestRefused {
  if (error instanceof RequestRefused) return error;
  if (error instanceof DecodeError) return new RequestRefused("not-decodable");
  // A port of the meter failed, or a counter is used up: the client is told no more than that it cannot be done.
  return new RequestRefused("failed", 0, error);
}
