import type { Infer } from "../../codec/codec.ts";
import { d } from "../../data/d.ts";
import { attribute, interfaceClass, method } from "../interface-class.ts";
import { logicalNameData } from "../logical-name-data.ts";
import { user, xdlmsContextInfo } from "./association-facts.ts";
import { calledOrNot, callMode } from "./called-or-not.ts";

const attributeAccess = d.array(
  d.structure({
    attributeId: d.integer,
    accessMode: d.enum,
    accessSelectors: d.nullable(d.array(d.integer)),
  }),
);

/** object_list_element, with access modes of methods as `accessMode` writes them. */
function objectListElementOf(accessMode: typeof callMode) {
  return d.structure({
    classId: d.longUnsigned,
    version: d.unsigned,
    logicalName: logicalNameData,
    // Modes are numbers, since their meaning is the version's.
    accessRights: d.structure({
      attributeAccess,
      methodAccess: d.array(d.structure({ methodId: d.integer, accessMode })),
    }),
  });
}

/** object_list_element (Blue Book 4.4.4): one object that the association can see, and what it may do with it. */
export const objectListElement = objectListElementOf(callMode);
export type ObjectListElement = Infer<typeof objectListElement>;

const objectListElementV0 = objectListElementOf(calledOrNot);

const attributes = {
  objectList: attribute(2, d.array(objectListElement)),
  associatedPartnersId: attribute(3, d.structure({ clientSap: d.integer, serverSap: d.longUnsigned })),
  /** An object identifier, as octet-string or as the structure of its arcs. */
  applicationContextName: attribute(4, d.any),
  xdlmsContextInfo: attribute(5, xdlmsContextInfo),
  authenticationMechanismName: attribute(6, d.any),
  secret: attribute(7, d.octetString),
  associationStatus: attribute(8, d.enumeration({ nonAssociated: 0, associationPending: 1, associated: 2 })),
};
const attributesFrom1 = { ...attributes, securitySetupReference: attribute(9, logicalNameData) };
const attributesFrom2 = {
  ...attributesFrom1,
  userList: attribute(10, d.array(user)),
  currentUser: attribute(11, user),
};

const methods = {
  replyToHlsAuthentication: method(1, d.octetString, d.octetString),
  changeHlsSecret: method(2, d.octetString),
  addObject: method(3, objectListElement),
  removeObject: method(4, objectListElement),
};
const methodsFrom2 = { ...methods, addUser: method(5, user), removeUser: method(6, user) };
const name = "Association LN";
const methodOffset = 0x60;

/** Association LN: class_id 15, version 0 (Blue Book 5): no security setup, and methods that are allowed or not. */
export const AssociationLnV0 = interfaceClass({
  id: 15,
  version: 0,
  name,
  methodOffset,
  attributes: { ...attributes, objectList: attribute(2, d.array(objectListElementV0)) },
  methods: {
    ...methods,
    addObject: method(3, objectListElementV0),
    removeObject: method(4, objectListElementV0),
  },
});
/** Association LN, version 1 (Blue Book 4.4.3): access modes 0 none to 6 authenticated read and write. */
export const AssociationLnV1 = interfaceClass({
  id: 15,
  version: 1,
  name,
  methodOffset,
  attributes: attributesFrom1,
  methods,
});
/** Association LN, version 2: adds users. */
export const AssociationLnV2 = interfaceClass({
  id: 15,
  version: 2,
  name,
  methodOffset,
  attributes: attributesFrom2,
  methods: methodsFrom2,
});
/** Association LN, version 3: access modes are bits, see `ACCESS_MODE`. */
export const AssociationLn = interfaceClass({
  id: 15,
  version: 3,
  name,
  methodOffset,
  attributes: attributesFrom2,
  methods: methodsFrom2,
});
