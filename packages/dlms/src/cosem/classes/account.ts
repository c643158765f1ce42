import { d } from "../../data/d.ts";
import { attribute, interfaceClass, method } from "../interface-class.ts";
import { logicalNameData } from "../logical-name-data.ts";

/** Account: class_id 111, version 0 (Blue Book 4.6.2). Amounts count in the account's currency and scale. */
export const Account = interfaceClass({
  id: 111,
  version: 0,
  name: "Account",
  attributes: {
    accountModeAndStatus: attribute(
      2,
      d.structure({
        paymentMode: d.openEnumeration({ credit: 1, prepayment: 2 }),
        accountStatus: d.openEnumeration({ newInactive: 1, active: 2, closed: 3 }),
      }),
    ),
    /** Place in `creditReferenceList`, from 1; 0 for none. */
    currentCreditInUse: attribute(3, d.unsigned),
    currentCreditStatus: attribute(
      4,
      d.bitFlags(
        {
          inCredit: 0,
          lowCredit: 1,
          nextCreditEnabled: 2,
          nextCreditSelectable: 3,
          nextCreditSelected: 4,
          selectableCreditInUse: 5,
          outOfCredit: 6,
        },
        8,
      ),
    ),
    availableCredit: attribute(5, d.doubleLong),
    amountToClear: attribute(6, d.doubleLong),
    clearanceThreshold: attribute(7, d.doubleLong),
    aggregatedDebt: attribute(8, d.doubleLong),
    creditReferenceList: attribute(9, d.array(logicalNameData)),
    chargeReferenceList: attribute(10, d.array(logicalNameData)),
    creditChargeConfiguration: attribute(
      11,
      d.array(
        d.structure({
          creditReference: logicalNameData,
          chargeReference: logicalNameData,
          collectionConfiguration: d.bitFlags(
            { collectWhenDisconnected: 0, collectInLoadLimiting: 1, collectInFriendlyCredit: 2 },
            3,
          ),
        }),
      ),
    ),
    tokenGatewayConfiguration: attribute(
      12,
      /** Per cent of a token that goes to the credit. */
      d.array(d.structure({ creditReference: logicalNameData, tokenProportion: d.unsigned })),
    ),
    accountActivationTime: attribute(13, d.dateTime),
    accountClosureTime: attribute(14, d.dateTime),
    currency: attribute(
      15,
      d.structure({
        /** `EUR`, or a unit where credit is time or energy. */
        currencyName: d.utf8String,
        currencyScale: d.integer,
        currencyUnit: d.openEnumeration({ time: 0, consumption: 1, monetary: 2 }),
      }),
    ),
    lowCreditThreshold: attribute(16, d.doubleLong),
    nextCreditAvailableThreshold: attribute(17, d.doubleLong),
    maxProvision: attribute(18, d.longUnsigned),
    /** Seconds. */
    maxProvisionPeriod: attribute(19, d.doubleLong),
  },
  methods: { activateAccount: method(1), closeAccount: method(2), resetAccount: method(3) },
});
