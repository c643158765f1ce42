import { d } from "../../data/d.ts";
import { attribute, interfaceClass, method } from "../interface-class.ts";
import { attributeReference } from "../structures.ts";

const chargeTable = d.array(d.structure({ index: d.octetString, chargePerUnit: d.long }));

const unitCharge = d.structure({
  chargePerUnitScaling: d.structure({ commodityScale: d.integer, priceScale: d.integer }),
  commodityReference: attributeReference,
  /** A price for each tariff, by its name; one with an empty name where there are none. */
  chargeTable,
});

/** Charge: class_id 113, version 0 (Blue Book 4.6.4). */
export const Charge = interfaceClass({
  id: 113,
  version: 0,
  name: "Charge",
  attributes: {
    totalAmountPaid: attribute(2, d.doubleLong),
    chargeType: attribute(
      3,
      d.openEnumeration({
        consumptionBasedCollection: 0,
        timeBasedCollection: 1,
        paymentEventBasedCollection: 2,
      }),
    ),
    priority: attribute(4, d.unsigned),
    unitChargeActive: attribute(5, unitCharge),
    unitChargePassive: attribute(6, unitCharge),
    unitChargeActivationTime: attribute(7, d.dateTime),
    /** Seconds. */
    period: attribute(8, d.doubleLongUnsigned),
    chargeConfiguration: attribute(9, d.bitFlags({ percentageBasedCollection: 0, continuousCollection: 1 }, 2)),
    lastCollectionTime: attribute(10, d.dateTime),
    lastCollectionAmount: attribute(11, d.doubleLong),
    totalAmountRemaining: attribute(12, d.doubleLong),
    /** Hundredths of a per cent of a payment. */
    proportion: attribute(13, d.longUnsigned),
  },
  methods: {
    updateUnitCharge: method(1, chargeTable),
    activatePassiveUnitCharge: method(2),
    collect: method(3),
    updateTotalAmountRemaining: method(4, d.doubleLong),
    setTotalAmountRemaining: method(5, d.doubleLong, d.doubleLong),
  },
});
