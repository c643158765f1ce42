import type { Infer } from "../codec/codec.ts";
import { PushSetup, PushSetupV1, PushSetupV2, PushSetupV3 } from "../cosem/classes/push-setup.ts";
import type { ServeContext, ServedClass } from "../cosem/served.ts";
import { type DateTime, dateTime } from "../data/date-time.ts";
import type { PushObject } from "./push-body.ts";
import type { DeliverySettings } from "./push-delivery.ts";

type Destination = Infer<typeof PushSetup.attributes.sendDestinationAndMethod.codec>;
type Protection = Infer<typeof PushSetupV2.attributes.pushProtectionParameters.codec>;
type Confirmation = Infer<typeof PushSetupV2.attributes.confirmationParameters.codec>;
type OperationMethod = Infer<typeof PushSetupV2.attributes.pushOperationMethod.codec>;

/** How a push is set up, of all versions (Blue Book 4.4.8): what it sends, where to, and how it is delivered. */
export interface PushSettings {
  readonly pushObjectList: readonly PushObject[];
  readonly destination: Destination;
  readonly communicationWindow: DeliverySettings["communicationWindow"];
  readonly randomisationStartInterval: number;
  readonly numberOfRetries: number;
  readonly repetitionDelay: DeliverySettings["repetitionDelay"];
  /** The setup object of the port; "0.0.0.0.0.0" where there is none. */
  readonly portReference: string;
  readonly pushClientSap: number;
  readonly protection: Protection;
  readonly operationMethod: OperationMethod;
  /** Kept for the client; what it means for a push is the owner's to say. Nothing is given and 0 unless set. */
  readonly confirmation?: Confirmation;
}

/** What the delivery of a push needs of its settings. */
export function deliveryOf(settings: PushSettings): DeliverySettings {
  return { ...settings, deliveredWhen: DELIVERED[settings.operationMethod] ?? "sent" };
}

const DELIVERED: Readonly<Record<string | number, DeliverySettings["deliveredWhen"]>> = {
  unconfirmedRetryOnSupportingLayerFailure: "sent",
  unconfirmedRetryOnMissingSupportingLayerConfirmation: "supported",
  confirmedRetryOnMissingConfirmation: "confirmed",
};

/** What serving a push setup needs of the meter. */
export interface PushPorts<State> {
  readonly settings: (state: State, context: ServeContext) => PushSettings;
  readonly change: (settings: PushSettings, state: State, context: ServeContext) => unknown;
  /** The `push` method: what it answers goes to the client. */
  readonly push: (state: State, context: ServeContext) => unknown;
  /** The `reset` method of versions 2 and 3: pushes under way are given up. */
  readonly reset?: (state: State, context: ServeContext) => unknown;
  readonly lastConfirmation?: (state: State, context: ServeContext) => DateTime;
}

/** Serves class 40 in the version wanted. */
export function servePushSetup<State>(version: 0 | 1 | 2 | 3, ports: PushPorts<State>): ServedClass<State> {
  const settings = (state: State, context: ServeContext) => ports.settings(state, context);
  const change = (part: Partial<PushSettings>, state: State, context: ServeContext) =>
    ports.change({ ...ports.settings(state, context), ...part }, state, context);
  const objects = (state: State, context: ServeContext) =>
    settings(state, context).pushObjectList.map((object) => ({
      ...object,
      restriction: object.restriction ?? NO_RESTRICTION,
      columns: object.columns ?? [],
    }));
  const delivery = {
    get: {
      sendDestinationAndMethod: (state: State, context: ServeContext) => settings(state, context).destination,
      communicationWindow: (state: State, context: ServeContext) => settings(state, context).communicationWindow,
      randomisationStartInterval: (state: State, context: ServeContext) =>
        settings(state, context).randomisationStartInterval,
      numberOfRetries: (state: State, context: ServeContext) => settings(state, context).numberOfRetries,
    },
    set: {
      sendDestinationAndMethod: (destination: Destination, state: State, context: ServeContext) =>
        change({ destination: { ...destination, destination: destination.destination.slice() } }, state, context),
      communicationWindow: (
        communicationWindow: DeliverySettings["communicationWindow"],
        state: State,
        context: ServeContext,
      ) => change({ communicationWindow }, state, context),
      randomisationStartInterval: (seconds: number, state: State, context: ServeContext) =>
        change({ randomisationStartInterval: seconds }, state, context),
      numberOfRetries: (numberOfRetries: number, state: State, context: ServeContext) =>
        change({ numberOfRetries }, state, context),
    },
  };
  const list = {
    get: { pushObjectList: objects },
    set: {
      pushObjectList: (pushObjectList: readonly PushObject[], state: State, context: ServeContext) =>
        change({ pushObjectList }, state, context),
    },
  };
  const constantDelay = {
    get: {
      repetitionDelay: (state: State, context: ServeContext) => settings(state, context).repetitionDelay.min,
    },
    set: {
      repetitionDelay: (seconds: number, state: State, context: ServeContext) =>
        change({ repetitionDelay: { min: seconds, exponent: 100, max: seconds } }, state, context),
    },
  };
  const protection = {
    get: {
      portReference: (state: State, context: ServeContext) => settings(state, context).portReference,
      pushClientSap: (state: State, context: ServeContext) => settings(state, context).pushClientSap,
      pushProtectionParameters: (state: State, context: ServeContext) => settings(state, context).protection,
    },
    set: {
      portReference: (portReference: string, state: State, context: ServeContext) =>
        change({ portReference }, state, context),
      pushClientSap: (pushClientSap: number, state: State, context: ServeContext) =>
        change({ pushClientSap }, state, context),
      pushProtectionParameters: (value: Protection, state: State, context: ServeContext) =>
        change({ protection: value }, state, context),
    },
  };
  const call = { push: (_: unknown, state: State, context: ServeContext) => ports.push(state, context) };
  if (version === 0)
    return PushSetup.serve<State>({
      get: { ...list.get, ...delivery.get, ...constantDelay.get },
      set: { ...list.set, ...delivery.set, ...constantDelay.set },
      call,
    });
  if (version === 1)
    return PushSetupV1.serve<State>({
      get: { ...list.get, ...delivery.get, ...constantDelay.get, ...protection.get },
      set: { ...list.set, ...delivery.set, ...constantDelay.set, ...protection.set },
      call,
    });
  const declared = version === 2 ? PushSetupV2 : PushSetupV3;
  const { reset } = ports;
  return declared.serve<State>({
    get: {
      ...list.get,
      ...delivery.get,
      ...protection.get,
      repetitionDelay: (state, context) => {
        const { min, exponent, max } = settings(state, context).repetitionDelay;
        return { repetitionDelayMin: min, repetitionDelayExponent: exponent, repetitionDelayMax: max };
      },
      pushOperationMethod: (state, context) => settings(state, context).operationMethod,
      confirmationParameters: (state, context) => settings(state, context).confirmation ?? NO_CONFIRMATION,
      lastConfirmationDateTime: (state, context) => ports.lastConfirmation?.(state, context) ?? dateTime({}),
    },
    set: {
      ...list.set,
      ...delivery.set,
      ...protection.set,
      repetitionDelay: ({ repetitionDelayMin, repetitionDelayExponent, repetitionDelayMax }, state, context) =>
        change(
          { repetitionDelay: { min: repetitionDelayMin, exponent: repetitionDelayExponent, max: repetitionDelayMax } },
          state,
          context,
        ),
      pushOperationMethod: (operationMethod, state, context) => change({ operationMethod }, state, context),
      confirmationParameters: (confirmation, state, context) => change({ confirmation }, state, context),
    },
    call: reset === undefined ? call : { ...call, reset: (_, state, context) => reset(state, context) },
  });
}

const NO_CONFIRMATION: Confirmation = { confirmationStartDate: dateTime({}), confirmationInterval: 0 };
const NO_RESTRICTION = { restrictionType: "none", restrictionValue: { type: "null-data", value: null } } as const;
