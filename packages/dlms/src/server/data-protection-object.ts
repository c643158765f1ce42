import { equalBytes, NO_BYTES } from "../bytes.ts";
import { decode, encode, type Infer } from "../codec/codec.ts";
import { Writer } from "../codec/writer.ts";
import { DataProtection } from "../cosem/classes/data-protection.ts";
import { ProfileGeneric } from "../cosem/classes/profile-generic.ts";
import { type LogicalName, logicalNameOctets } from "../cosem/logical-name.ts";
import { type AccessRefusal, refuse } from "../cosem/refusal.ts";
import { type SelectiveAccessDescriptor, selectionToDescriptor } from "../cosem/selective-access.ts";
import type { ServeContext, ServedClass } from "../cosem/served.ts";
import { d } from "../data/d.ts";
import { elementsOf } from "../data/data-octets.ts";
import { DATA_TAGS } from "../data/value.ts";
import { DlmsError } from "../errors.ts";
import {
  type LayerRemoved,
  type LayerWanted,
  type ProtectionParameters,
  protectData,
  protectionSource,
  unprotectData,
} from "../security/data-protection.ts";
import type { GeneralSetup } from "../security/message-key.ts";
import { STANDARD_SECURITY } from "../security/profile.ts";
import { type SystemTitle, systemTitle } from "../system-title.ts";
import type { Call } from "./call.ts";
import { callMethod, readAttribute, writeAttribute } from "./object-access.ts";
import { keysFor } from "./protection.ts";
import type { RequestContext } from "./request-context.ts";

type GetParameters = Infer<typeof DataProtection.methods.getProtectedAttributes.parameter>;
type SetParameters = Infer<typeof DataProtection.methods.setProtectedAttributes.parameter>;
type InvokeParameters = Infer<typeof DataProtection.methods.invokeProtectedMethod.parameter>;
type ListedObject = GetParameters["objectList"][number];

/** A request that cannot be carried out, for whatever reason: the client is told no more. */
class Refused extends Error {}

/**
 * Serves data protection (class 30): its three methods, with the key pairs of a security setup. What the objects behind it
 * allow the association holds here too; the protection of the data counts as the request's. The attributes show that
 * nothing is kept in a buffer.
 *
 * Each transaction id serves once: with static keys a second answer under it would repeat key and vector.
 */
export function serveDataProtection<State>(securitySetup: LogicalName): ServedClass<State> {
  return DataProtection.serve<State>({
    get: {
      protectionBuffer: () => NO_BYTES,
      protectionObjectList: () => [],
      protectionParametersGet: () => [],
      protectionParametersSet: () => [],
      requiredProtection: () => 0,
    },
    call: {
      getProtectedAttributes: (request, _, context) => guarded(() => getProtected(securitySetup, request, context)),
      setProtectedAttributes: (request, _, context) => guarded(() => setProtected(securitySetup, request, context)),
      invokeProtectedMethod: (request, _, context) => guarded(() => invokeProtected(securitySetup, request, context)),
    },
  });
}

function getProtected(name: LogicalName, { objectList, protectionParameters }: GetParameters, context: ServeContext) {
  const { call, setup, partner } = open(name, protectionParameters, context);
  const w = new Writer(256);
  w.unsigned8(DATA_TAGS.structure);
  w.length(objectList.length);
  for (const object of objectList) readListed(call, w, object);
  const { parameters, octets } = protectData(
    setup,
    answerLayers(call, name, protectionParameters, partner),
    w.finish(),
  );
  return { protectionParameters: parameters, protectedAttributes: octets };
}

function setProtected(
  name: LogicalName,
  { objectList, protectionParameters, protectedAttributes }: SetParameters,
  context: ServeContext,
): AccessRefusal | undefined {
  const { call, setup } = open(name, protectionParameters, context);
  const { plain, layers } = unprotectData(setup, { parameters: protectionParameters, octets: protectedAttributes });
  const values = elementsOf(plain);
  if (values.length !== objectList.length) throw new Refused();
  const protectedCall = { ...call, protection: protectionOf(call, layers) };
  for (const [at, { classId, logicalName, attributeIndex, dataIndex, restriction }] of objectList.entries()) {
    if (dataIndex !== 0 || restriction.restrictionType !== "none") throw new Refused();
    const descriptor = { classId, instanceId: logicalNameOctets(logicalName), attributeId: attributeIndex };
    const result = writeAttribute(protectedCall, descriptor, values[at] as Uint8Array);
    if (result !== "success") return refuse(result);
  }
  return undefined;
}

function invokeProtected(
  name: LogicalName,
  { objectMethod, protectionParameters, protectedMethodInvocationParameters: octets }: InvokeParameters,
  context: ServeContext,
) {
  const { call, setup, partner } = open(name, protectionParameters, context);
  const { plain, layers } = unprotectData(setup, { parameters: protectionParameters, octets });
  const { classId, logicalName, methodIndex } = objectMethod;
  const descriptor = { classId, instanceId: logicalNameOctets(logicalName), methodId: methodIndex };
  const w = new Writer(64);
  const protectedCall = { ...call, protection: protectionOf(call, layers) };
  const result = callMethod(protectedCall, w, descriptor, plain.length === 0 ? undefined : plain);
  if (result !== "success") return refuse(result);
  if (w.offset === 0) w.unsigned8(DATA_TAGS["null-data"]);
  const answer = protectData(setup, answerLayers(call, name, protectionParameters, partner), w.finish());
  return { protectionParameters: answer.parameters, protectedMethodReturnParameters: answer.octets };
}

/** The setup with the keys of whoever protects, once its parameters name this meter and are new. */
function open(name: LogicalName, parameters: ProtectionParameters, context: ServeContext) {
  // The server makes every context, and makes them of this class.
  const { call } = context as RequestContext;
  const port = call.device.securitySetup(name);
  const [first] = parameters;
  if (port?.general === undefined || first === undefined) throw new Refused();
  const { originatorSystemTitle } = first.protectionOptions;
  const partner = systemTitle(originatorSystemTitle.slice());
  for (const { protectionOptions: options } of parameters)
    if (
      !equalBytes(options.originatorSystemTitle, partner) ||
      !equalBytes(options.recipientSystemTitle, port.systemTitle)
    )
      throw new Refused();
  const { platform, profile = STANDARD_SECURITY } = port.general;
  const security = { setup: port, keys: port.keys.current(), dedicated: undefined, changedKeys: false };
  const keys = {
    ...keysFor(security, "global"),
    keyEncryption: security.keys.keyEncryptionKey,
    ...port.general.keysFor(partner),
  };
  const setup: GeneralSetup<unknown> = { platform, suite: port.suite, profile, keys };
  if (!port.general.acceptTransaction(partner, first.protectionOptions.transactionId.slice())) throw new Refused();
  return { call, setup, partner };
}

/** The same layers the other way. */
function answerLayers(
  call: Call<unknown, unknown>,
  name: LogicalName,
  parameters: ProtectionParameters,
  partner: SystemTitle,
): LayerWanted[] {
  const port = call.device.securitySetup(name);
  if (port === undefined) throw new Refused();
  return parameters.map(({ protectionType, protectionOptions }) => ({
    type: protectionType,
    source: protectionSource(protectionOptions.keyInfo),
    transactionId: protectionOptions.transactionId,
    originator: port.systemTitle,
    recipient: partner,
    counter: port.counters.next(),
  }));
}

/** What the layers prove counts as the request's own protection where the objects ask for some. */
function protectionOf({ protection }: Call<unknown, unknown>, layers: readonly LayerRemoved[]) {
  const has = (...types: readonly LayerRemoved["type"][]) => layers.some(({ type }) => types.includes(type));
  return {
    ...protection,
    authenticated: protection.authenticated || has("authentication", "authentication-encryption", "digital-signature"),
    encrypted: protection.encrypted || has("encryption", "authentication-encryption"),
    signed: protection.signed || has("digital-signature"),
  };
}

function readListed(call: Call<unknown, unknown>, w: Writer, object: ListedObject): void {
  const { classId, logicalName, attributeIndex, dataIndex } = object;
  const descriptor = { classId, instanceId: logicalNameOctets(logicalName), attributeId: attributeIndex };
  const start = w.offset;
  if (readAttribute(call, w, descriptor, selectionOf(object)) !== "success") throw new Refused();
  if (dataIndex === 0) return;
  const element = elementsOf(w.finish().slice(start))[dataIndex - 1];
  if (element === undefined) throw new Refused();
  w.offset = start;
  w.octets(element);
}

const dateRestriction = d.structure({ fromDate: d.any, toDate: d.any });
const entryRestriction = d.structure({ fromEntry: d.doubleLongUnsigned, toEntry: d.doubleLongUnsigned });
const CLOCK = { classId: 8, logicalName: "0.0.1.0.0.255", attributeIndex: 2, dataIndex: 0 } as const;

/** A restriction is a selection of a profile's rows, with all its columns. */
function selectionOf({ restriction }: ListedObject): SelectiveAccessDescriptor | undefined {
  const { restrictionType, restrictionValue } = restriction;
  if (restrictionType === "none") return undefined;
  const { selection: selectors } = ProfileGeneric.attributes.buffer;
  const value = encode(d.any, restrictionValue);
  if (restrictionType === "byDate") {
    const { fromDate, toDate } = decode(dateRestriction, value);
    const range = { restrictingObject: CLOCK, fromValue: fromDate, toValue: toDate, selectedValues: [] };
    return selectionToDescriptor(selectors, { kind: "range", value: range });
  }
  if (restrictionType !== "byEntry") throw new Refused();
  const entry = { ...decode(entryRestriction, value), fromSelectedValue: 1, toSelectedValue: 0 };
  return selectionToDescriptor(selectors, { kind: "entry", value: entry });
}

/** A protection that does not hold, or data that means nothing, is refused like anything else. */
function guarded<T>(work: () => T): T | AccessRefusal {
  try {
    return work();
  } catch (error) {
    if (error instanceof Refused || error instanceof DlmsError) return refuse("other-reason");
    throw error;
  }
}
