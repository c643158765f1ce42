import { d } from "../../data/d.ts";
import { attribute, interfaceClass, method } from "../interface-class.ts";

/** Token gateway: class_id 115, version 0 (Blue Book 4.6.5). */
export const TokenGateway = interfaceClass({
  id: 115,
  version: 0,
  name: "Token gateway",
  attributes: {
    token: attribute(2, d.octetString),
    tokenTime: attribute(3, d.dateTime),
    tokenDescription: attribute(4, d.array(d.octetString)),
    tokenDeliveryMethod: attribute(5, d.openEnumeration({ remote: 0, local: 1, manual: 2 })),
    tokenStatus: attribute(
      6,
      d.structure({
        statusCode: d.openEnumeration({
          formatOk: 0,
          authenticationOk: 1,
          validationOk: 2,
          executionOk: 3,
          formatFailure: 4,
          authenticationFailure: 5,
          validationFailure: 6,
          executionFailure: 7,
          received: 8,
        }),
        /** What the failure was about, as the token's own specification says. */
        dataValue: d.bitString,
      }),
    ),
  },
  methods: { enter: method(1, d.octetString) },
});
