import type { Infer } from "../../codec/codec.ts";
import { d } from "../../data/d.ts";
import { attribute, interfaceClass, method } from "../interface-class.ts";
import { logicalNameData } from "../logical-name-data.ts";

/** access_right ::= structure { attribute_access, method_access }: modes are numbers, since their meaning is the version's. */
const accessRights = d.structure({
  attributeAccess: d.array(
    d.structure({
      attributeId: d.integer,
      accessMode: d.enum,
      accessSelectors: d.nullable(d.array(d.integer)),
    }),
  ),
  methodAccess: d.array(d.structure({ methodId: d.integer, accessMode: d.enum })),
});

/** object_list_element (Blue Book 4.4.4): one object that the association can see, and what it may do with it. */
export const objectListElement = d.structure({
  classId: d.longUnsigned,
  version: d.unsigned,
  logicalName: logicalNameData,
  accessRights,
});
export type ObjectListElement = Infer<typeof objectListElement>;

const user = d.structure({ userId: d.unsigned, userName: d.visibleString });

const attributes = {
  objectList: attribute(2, d.array(objectListElement)),
  associatedPartnersId: attribute(3, d.structure({ clientSap: d.integer, serverSap: d.longUnsigned })),
  /** An object identifier, as octet-string or as the structure of its arcs. */
  applicationContextName: attribute(4, d.any),
  xdlmsContextInfo: attribute(
    5,
    d.structure({
      conformance: d.bitString,
      maxReceivePduSize: d.longUnsigned,
      maxSendPduSize: d.longUnsigned,
      dlmsVersionNumber: d.unsigned,
      qualityOfService: d.integer,
      cypheringInfo: d.octetString,
    }),
  ),
  authenticationMechanismName: attribute(6, d.any),
  secret: attribute(7, d.octetString),
  associationStatus: attribute(8, d.enumeration({ nonAssociated: 0, associationPending: 1, associated: 2 })),
  securitySetupReference: attribute(9, logicalNameData),
};
const attributesFrom2 = { ...attributes, userList: attribute(10, d.array(user)), currentUser: attribute(11, user) };

const methods = {
  replyToHlsAuthentication: method(1, d.octetString, d.octetString),
  changeHlsSecret: method(2, d.octetString),
  addObject: method(3, objectListElement),
  removeObject: method(4, objectListElement),
};
const methodsFrom2 = { ...methods, addUser: method(5, user), removeUser: method(6, user) };

/** Association LN: class_id 15, version 1 (Blue Book 4.4.3): access modes 0 none to 6 authenticated read and write. */
export const AssociationLnV1 = interfaceClass({ id: 15, version: 1, attributes, methods });
/** Association LN, version 2: adds users. */
export const AssociationLnV2 = interfaceClass({
  id: 15,
  version: 2,
  attributes: attributesFrom2,
  methods: methodsFrom2,
});
/** Association LN, version 3: access modes are bits, see `AccessMode`. */
export const AssociationLn = interfaceClass({ id: 15, version: 3, attributes: attributesFrom2, methods: methodsFrom2 });
