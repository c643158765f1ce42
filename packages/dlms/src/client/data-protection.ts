import { concatBytes, equalBytes } from "../bytes.ts";
import { DataProtection } from "../cosem/classes/data-protection.ts";
import { elementsOf } from "../data/data-octets.ts";
import { DATA_TAGS, NULL_DATA } from "../data/value.ts";
import { DlmsError } from "../errors.ts";
import {
  type DataProtectionType,
  type ProtectionParameters,
  protectData,
  unprotectData,
} from "../security/data-protection.ts";
import type { KeySource } from "../security/key-info.ts";
import type { GeneralSetup } from "../security/message-key.ts";
import type { SystemTitle } from "../system-title.ts";
import type { AttributeAddress, MethodAddress } from "./ask.ts";
import type { FrameCounters } from "./protection.ts";
import { remote } from "./remote.ts";
import type { Session } from "./session.ts";
import { SessionError } from "./session-error.ts";

/** How data is protected for itself, whatever association it travels through. */
export interface DataProtectionConfig<Key> {
  /** Keys of both sides; the form is a field of its profile. */
  readonly setup: GeneralSetup<Key>;
  readonly client: SystemTitle;
  readonly meter: SystemTitle;
  /** The layers, the first applied first: to what is sent, and by the meter to what comes back. */
  readonly layers: readonly { readonly type: DataProtectionType; readonly source: KeySource }[];
  /** A transaction id never given before. */
  readonly transactionIds: () => Uint8Array;
  readonly frameCounters: FrameCounters;
}

/** The client of data protection (class 30). Values are encoded Data. */
export interface ProtectedObjects {
  get(attributes: readonly AttributeAddress[]): Promise<readonly Uint8Array[]>;
  set(items: readonly (AttributeAddress & { readonly value: Uint8Array })[]): Promise<void>;
  call(method: MethodAddress, parameter?: Uint8Array): Promise<Uint8Array>;
}

/**
 * Reads, writes and calls through data protection, so that who carries the association sees nothing and changes nothing.
 *
 * What comes back must bear the same layers, from the meter, under the transaction id of its request.
 *
 * @throws from its methods: SessionError `action-refused`, `server-not-authentic`
 */
export function protectedObjects<Key>(
  session: Pick<Session, "get" | "getList" | "set" | "call">,
  logicalName: string,
  config: DataProtectionConfig<Key>,
): ProtectedObjects {
  const { setup } = config;
  const object = remote(session, DataProtection, logicalName);

  function protect(plain: Uint8Array) {
    const { client: originator, meter: recipient, layers, frameCounters, transactionIds } = config;
    const transactionId = transactionIds();
    const first = frameCounters.take(layers.length);
    const wanted = layers.map((layer, at) => ({ ...layer, transactionId, originator, recipient, counter: first + at }));
    return { transactionId, ...protectData(setup, wanted, plain) };
  }

  function unprotect(transactionId: Uint8Array, parameters: ProtectionParameters, octets: Uint8Array): Uint8Array {
    const { plain, layers } = opened(setup, parameters, octets);
    const expected = config.layers.map(({ type }) => type).toReversed();
    const asAsked =
      layers.length === expected.length &&
      layers.every(
        ({ type, header }, at) =>
          type === expected[at] &&
          equalBytes(header.transactionId, transactionId) &&
          equalBytes(header.originator ?? NOBODY, config.meter) &&
          equalBytes(header.recipient ?? NOBODY, config.client),
      );
    if (!asAsked) throw new SessionError("server-not-authentic", "the data is not protected as it was asked for");
    return plain;
  }

  return {
    async get(attributes) {
      const { transactionId, parameters } = protect(NOBODY);
      const answer = await object.call("getProtectedAttributes", {
        objectList: attributes.map(listed),
        protectionParameters: parameters,
      });
      const values = elementsOf(unprotect(transactionId, answer.protectionParameters, answer.protectedAttributes));
      if (values.length !== attributes.length)
        throw new SessionError("unexpected-response", `${values.length} values for ${attributes.length} attributes`);
      return values;
    },
    async set(items) {
      if (items.length > MOST_OF_A_LIST) throw new DlmsError("too-many", `${items.length} attributes at once`);
      const values = items.map(({ value }) => value);
      const { parameters, octets } = protect(concatBytes(Uint8Array.of(DATA_TAGS.structure, items.length), ...values));
      await object.call("setProtectedAttributes", {
        objectList: items.map(listed),
        protectionParameters: parameters,
        protectedAttributes: octets,
      });
    },
    async call({ classId, logicalName: target, methodId }, parameter = NULL_OCTETS) {
      const { transactionId, parameters, octets } = protect(parameter);
      const answer = await object.call("invokeProtectedMethod", {
        objectMethod: { classId, logicalName: target, methodIndex: methodId },
        protectionParameters: parameters,
        protectedMethodInvocationParameters: octets,
      });
      return unprotect(transactionId, answer.protectionParameters, answer.protectedMethodReturnParameters);
    },
  };
}

const NOBODY = new Uint8Array(0);
/** More would not fit a length of one octet, nor any meter. */
const MOST_OF_A_LIST = 127;
const NULL_OCTETS = Uint8Array.of(DATA_TAGS["null-data"]);

function listed({ classId, logicalName, attributeId }: AttributeAddress) {
  const restriction = { restrictionType: "none", restrictionValue: NULL_DATA } as const;
  return { classId, logicalName, attributeIndex: attributeId, dataIndex: 0, restriction };
}

function opened<Key>(setup: GeneralSetup<Key>, parameters: ProtectionParameters, octets: Uint8Array) {
  try {
    return unprotectData(setup, { parameters, octets });
  } catch (error) {
    if (!(error instanceof DlmsError)) throw error;
    throw new SessionError("server-not-authentic", `protected data is not authentic: ${error.message}`, {
      cause: error,
    });
  }
}
