import { d } from "../../data/d.ts";
import { attribute, interfaceClass } from "../interface-class.ts";
import { timeWindow } from "../structures.ts";

const attributes = {
  mode: attribute(2, d.openEnumeration({ dedicated: 0, sharedWithCalls: 1, sharedWithSms: 2, disabled: 4 })),
  listeningWindow: attribute(3, d.array(timeWindow)),
  status: attribute(4, d.openEnumeration({ inactive: 0, active: 1, locked: 2 })),
  /** Calls without an answer after which it goes back to `inactive`; 0 for no limit. */
  numberOfCalls: attribute(5, d.unsigned),
  numberOfRings: attribute(6, d.structure({ ringsInWindow: d.unsigned, ringsOutOfWindow: d.unsigned })),
};
const name = "Auto answer";

/** PSTN auto answer: class_id 28, version 0 (Blue Book 5). */
export const AutoAnswerV0 = interfaceClass({ id: 28, version: 0, name, attributes });
/** Auto answer, version 2 (4.7.5): knows who may call. */
export const AutoAnswer = interfaceClass({
  id: 28,
  version: 2,
  name,
  attributes: {
    ...attributes,
    listOfAllowedCallers: attribute(
      7,
      d.array(
        d.structure({
          callerId: d.octetString,
          callType: d.openEnumeration({ normal: 0, wakeUp: 1 }),
        }),
      ),
    ),
  },
});
