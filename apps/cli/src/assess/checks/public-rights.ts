import { type ListedObject, readObjectList } from "../../access/object-list.ts";
import { mayCall, mayRead, mayWrite, versionIn } from "../access-modes.ts";
import { type Check, fail, pass } from "../check.ts";
import { NotTestable } from "../not-testable.ts";

/** Registers and profiles: what a household does can be read from them. */
const PERSONAL_CLASSES: readonly number[] = [3, 4, 5, 7, 61, 62];
const ASSOCIATIONS: readonly number[] = [12, 15];
const MOST_NAMED = 4;

/** What the object list grants the public client. */
export const publicRights: Check = {
  id: "public-rights",
  title: "The public client may read who the meter is, and nothing else",
  severity: "high",
  why: "The public client is anybody: what it may read, everybody on the network knows; what it may change, everybody can.",
  how: "The object list of the public client is read, and the rights in it are looked through for measured values, writable attributes and methods.",
  clause: "Blue Book 4.4.4 (object_list), IDIS and DSMR companion specifications (public client)",
  async run(bench) {
    const objects = await readObjectList(await bench.session("public"));
    if (bench.isByShortNames && objects.every(({ attributes }) => attributes.length === 0))
      throw new NotTestable("The meter lists short names and says nothing of the rights to them.");
    const version = versionIn(objects);
    const named = (some: readonly string[]): string =>
      some.slice(0, MOST_NAMED).join(", ") + (some.length > MOST_NAMED ? ` and ${some.length - MOST_NAMED} more` : "");
    const others = objects.filter(({ classId }) => !ASSOCIATIONS.includes(classId));
    const writable = others.flatMap((object) => members(object, "attributes", (mode) => mayWrite(version, mode)));
    const callable = others.flatMap((object) => members(object, "methods", (mode) => mayCall(version, mode)));
    const personal = others
      .filter(({ classId }) => PERSONAL_CLASSES.includes(classId))
      .filter(({ attributes }) => attributes.some(({ id, mode }) => id === 2 && mayRead(version, mode)))
      .map(({ logicalName }) => logicalName);
    const objections = [
      ...(writable.length > 0 ? [`write ${named(writable)}`] : []),
      ...(callable.length > 0 ? [`call ${named(callable)}`] : []),
      ...(personal.length > 0 ? [`read the measured values ${named(personal)}`] : []),
    ];
    return objections.length > 0
      ? fail(`Anybody may ${objections.join("; ")}.`)
      : pass(`Of ${objects.length} objects the public client may read some and change none.`);
  },
};

function members(
  { logicalName, ...object }: ListedObject,
  kind: "attributes" | "methods",
  allowed: (mode: number) => boolean,
): string[] {
  return object[kind].filter(({ mode }) => allowed(mode)).map(({ id }) => `${logicalName}/${id}`);
}
