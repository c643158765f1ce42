import { d } from "../../data/d.ts";
import { protectionParameters } from "../../security/data-protection.ts";
import { attribute, interfaceClass, method } from "../interface-class.ts";
import { logicalNameData } from "../logical-name-data.ts";
import { captureObject, timeWindow } from "../structures.ts";
import { restrictedCaptureObject, selectedCaptureObject } from "./selected-capture.ts";

/** transport_service_type (Blue Book 4.4.8): how a push travels. */
const transportService = d.openEnumeration({
  tcp: 0,
  udp: 1,
  ftp: 2,
  smtp: 3,
  sms: 4,
  hdlc: 5,
  mBus: 6,
  zigBee: 7,
  dlmsGateway: 8,
});

const delivery = {
  sendDestinationAndMethod: attribute(
    3,
    d.structure({
      transportService,
      destination: d.octetString,
      message: d.openEnumeration({ aXdr: 0, xml: 1 }),
    }),
  ),
  communicationWindow: attribute(4, d.array(timeWindow)),
  /** Seconds, at most. */
  randomisationStartInterval: attribute(5, d.longUnsigned),
  numberOfRetries: attribute(6, d.unsigned),
};
/** Seconds. */
const repetitionDelay = attribute(7, d.longUnsigned);
/**
 * Seconds: the delay before retry n is `min * (exponent / 100) ** (n - 1)`, at most `max`.
 */
const growingRepetitionDelay = attribute(
  7,
  d.structure({
    repetitionDelayMin: d.longUnsigned,
    repetitionDelayExponent: d.longUnsigned,
    repetitionDelayMax: d.longUnsigned,
  }),
);

const protection = {
  portReference: attribute(8, logicalNameData),
  pushClientSap: attribute(9, d.integer),
  pushProtectionParameters: attribute(10, protectionParameters),
};

const confirmation = {
  pushOperationMethod: attribute(
    11,
    d.openEnumeration({
      unconfirmedRetryOnSupportingLayerFailure: 0,
      unconfirmedRetryOnMissingSupportingLayerConfirmation: 1,
      confirmedRetryOnMissingConfirmation: 2,
    }),
  ),
  /** Of confirmed pushes: when confirmation begins (parts left open do not count), and its interval in seconds, 0 for none. */
  confirmationParameters: attribute(
    12,
    d.structure({ confirmationStartDate: d.dateTime, confirmationInterval: d.doubleLongUnsigned }),
  ),
  lastConfirmationDateTime: attribute(13, d.dateTime),
};

const name = "Push setup";
const methods = { push: method(1) };

/** Push setup: class_id 40, version 0 (Blue Book 4.4.8). */
export const PushSetup = interfaceClass({
  id: 40,
  version: 0,
  name,
  methodOffset: 0x38,
  attributes: { pushObjectList: attribute(2, d.array(captureObject)), ...delivery, repetitionDelay },
  methods,
});

/** Push setup, version 1 (edition 13): parts of profiles, a client and protection of its own. */
export const PushSetupV1 = interfaceClass({
  id: 40,
  version: 1,
  name,
  attributes: {
    pushObjectList: attribute(2, d.array(restrictedCaptureObject)),
    ...delivery,
    repetitionDelay,
    ...protection,
  },
  methods,
});

const attributesFrom2 = {
  pushObjectList: attribute(2, d.array(selectedCaptureObject)),
  ...delivery,
  repetitionDelay: growingRepetitionDelay,
  ...protection,
  ...confirmation,
};
const methodsFrom2 = { ...methods, reset: method(2) };

/** Push setup, version 2 (edition 14): columns of profiles, growing delays, confirmation. */
export const PushSetupV2 = interfaceClass({
  id: 40,
  version: 2,
  name,
  attributes: attributesFrom2,
  methods: methodsFrom2,
});
/** Push setup, version 3 (edition 16): the same with more transport services. */
export const PushSetupV3 = interfaceClass({
  id: 40,
  version: 3,
  name,
  attributes: attributesFrom2,
  methods: methodsFrom2,
});
