import type { Infer } from "../../codec/codec.ts";
import { d } from "../../data/d.ts";
import { attribute, interfaceClass, method } from "../interface-class.ts";
import { logicalNameData } from "../logical-name-data.ts";
import { selector } from "../selective-access.ts";
import { attributeReference, objectReference } from "../structures.ts";
import { user } from "./association-facts.ts";
import { calledOrNot, callMode } from "./called-or-not.ts";
import { shortName } from "./short-name.ts";

/** objlist_element (Blue Book 4.4.3): an object and its base name. */
export const shortNameListElement = d.structure({
  baseName: shortName,
  classId: d.longUnsigned,
  version: d.unsigned,
  logicalName: logicalNameData,
});
export type ShortNameListElement = Infer<typeof shortNameListElement>;

/** access_rights_element of one object, with access modes of methods as `accessMode` writes them. */
function accessRightsOf(accessMode: typeof callMode) {
  return d.structure({
    baseName: shortName,
    attributeAccess: d.array(
      d.structure({
        attributeId: d.integer,
        accessMode: d.enum,
        accessSelectors: d.nullable(d.array(d.integer)),
      }),
    ),
    methodAccess: d.array(d.structure({ methodId: d.integer, accessMode })),
  });
}

/** Which objects: of a class, or one. */
const bySelection = {
  byClassId: selector(1, d.longUnsigned),
  byObject: selector(2, objectReference),
};
const objectList = attribute(2, d.array(shortNameListElement), bySelection);
const accessRights = accessRightsOf(callMode);
const attributesFrom2 = {
  objectList,
  accessRightsList: attribute(3, d.array(accessRights), bySelection),
  securitySetupReference: attribute(4, logicalNameData),
};
const attributesFrom3 = { ...attributesFrom2, userList: attribute(5, d.array(user)), currentUser: attribute(6, user) };

const methods = {
  /** Reads several attributes by logical name; attribute 0 stands for all. */
  readByLogicalName: method(3, d.array(attributeReference), d.any),
  /** LLS password or HLS secret. */
  changeSecret: method(5, d.octetString),
  replyToHlsAuthentication: method(8, d.octetString, d.octetString),
};
const methodsFrom3 = { ...methods, addUser: method(9, user), removeUser: method(10, user) };
const name = "Association SN";

/** Association SN: class_id 12, version 0 (Blue Book 5). */
export const AssociationSnV0 = interfaceClass({
  id: 12,
  version: 0,
  name,
  methodOffset: 0x20,
  attributes: { objectList },
  methods,
});
/** Association SN, version 1: access rights. */
export const AssociationSnV1 = interfaceClass({
  id: 12,
  version: 1,
  name,
  methodOffset: 0x20,
  attributes: { objectList, accessRightsList: attribute(3, d.array(accessRightsOf(calledOrNot)), bySelection) },
  methods,
});
/** Association SN, version 2: a security setup. */
export const AssociationSnV2 = interfaceClass({
  id: 12,
  version: 2,
  name,
  methodOffset: 0x20,
  attributes: attributesFrom2,
  methods,
});
/** Association SN, version 3: users. */
export const AssociationSnV3 = interfaceClass({
  id: 12,
  version: 3,
  name,
  methodOffset: 0x20,
  attributes: attributesFrom3,
  methods: methodsFrom3,
});
/** Association SN, version 4 (Blue Book 4.4.3): access modes are bits, see `ACCESS_MODE`. */
export const AssociationSn = interfaceClass({
  id: 12,
  version: 4,
  name,
  methodOffset: 0x20,
  attributes: attributesFrom3,
  methods: methodsFrom3,
});
