import { d } from "../../data/d.ts";
import { attribute, interfaceClass, method } from "../interface-class.ts";
import { captureObject } from "../structures.ts";

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

const attributes = {
  pushObjectList: attribute(2, d.array(captureObject)),
  sendDestinationAndMethod: attribute(
    3,
    d.structure({
      transportService,
      destination: d.octetString,
      message: d.openEnumeration({ aXdr: 0, xml: 1 }),
    }),
  ),
  communicationWindow: attribute(4, d.array(d.structure({ startTime: d.dateTime, endTime: d.dateTime }))),
  /** Seconds, at most. */
  randomisationStartInterval: attribute(5, d.longUnsigned),
  numberOfRetries: attribute(6, d.unsigned),
  /** Seconds. */
  repetitionDelay: attribute(7, d.longUnsigned),
};

/** Push setup: class_id 40, version 0 (Blue Book 4.4.8). */
export const PushSetup = interfaceClass({ id: 40, version: 0, attributes, methods: { push: method(1) } });
