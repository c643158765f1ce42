import { d } from "../../data/d.ts";
import { attribute, interfaceClass, method } from "../interface-class.ts";

/** Credit: class_id 112, version 0 (Blue Book 4.6.3). */
export const Credit = interfaceClass({
  id: 112,
  version: 0,
  name: "Credit",
  attributes: {
    currentCreditAmount: attribute(2, d.doubleLong),
    creditType: attribute(
      3,
      d.openEnumeration({
        tokenCredit: 0,
        reservedCredit: 1,
        emergencyCredit: 2,
        timeBasedCredit: 3,
        consumptionBasedCredit: 4,
      }),
    ),
    /** 1 is used up first; 0 never on its own. */
    priority: attribute(4, d.unsigned),
    warningThreshold: attribute(5, d.doubleLong),
    limit: attribute(6, d.doubleLong),
    creditConfiguration: attribute(
      7,
      d.bitFlags({ visual: 0, confirmation: 1, paidBack: 2, resettable: 3, ableToReceiveFromTokens: 4 }, 5),
    ),
    creditStatus: attribute(
      8,
      d.openEnumeration({ enabled: 0, selectable: 1, selectedOrInvoked: 2, inUse: 3, exhausted: 4 }),
    ),
    presetCreditAmount: attribute(9, d.doubleLong),
    creditAvailableThreshold: attribute(10, d.doubleLong),
    period: attribute(11, d.dateTime),
  },
  methods: {
    /** Adds the amount. */
    updateAmount: method(1, d.doubleLong),
    /** Gives the amount there was. */
    setAmountToValue: method(2, d.doubleLong, d.doubleLong),
    invokeCredit: method(3),
  },
});
