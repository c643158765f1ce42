import { DlmsError, toHex } from "@meterkeep/dlms";
import { PkiError } from "../errors.ts";
import { nameOfIdentifier, OID } from "../x509/identifiers.ts";
import {
  type Name,
  type NameAttribute,
  textAttribute,
  textOf,
  uniqueIdentifier,
  uniqueIdentifierOf,
} from "../x509/name.ts";
import type { NameField, SubjectRule } from "./profile.ts";

/** Attribute types by the short names that profiles use, in the order names are written: most significant first. */
const FIELDS: Readonly<Record<NameField, string>> = {
  C: OID.countryName,
  L: OID.localityName,
  O: OID.organizationName,
  OU: OID.organizationalUnitName,
  CN: OID.commonName,
  serialNumber: OID.serialNumber,
  uniqueIdentifier: OID.x500UniqueIdentifier,
};
const FIELD_NAMES = Object.keys(FIELDS) as NameField[];

/** In either case of letters: who compares names by people's eyes, or folds them, sees no difference. */
const TITLE_SHAPED = /^[0-9A-Fa-f]{16}$/;

/**
 * What nobody sees: controls, formatting, what belongs to no script. A reader in C takes a name to end at a NUL, and so sees
 * another one; PostgreSQL takes none at all.
 */
const UNSEEN = /[\p{Cc}\p{Cf}\p{Cs}\p{Co}\p{Zl}\p{Zp}]/u;

/** Characters that a field has at most (RFC 5280 appendix A.1). */
const MOST_CHARACTERS: Readonly<Partial<Record<NameField, number>>> = { C: 2, L: 128 };
const MOST_OF_OTHERS = 64;

/** Who a certificate is for: a device by its system title (8 octets), or anybody by name. */
export type SubjectOf =
  | { readonly systemTitle: Uint8Array }
  | {
      readonly names: Readonly<Partial<Record<Exclude<NameField, "uniqueIdentifier">, string>>>;
      /** The octets of an entity, for x500UniqueIdentifier. */
      readonly entity?: Uint8Array;
    };

/** The fields of a name by their short names, where each is there once and is text: what renewing repeats. */
export function subjectNames(subject: Name): Readonly<Partial<Record<Exclude<NameField, "uniqueIdentifier">, string>>> {
  return Object.fromEntries(
    FIELD_NAMES.flatMap((field) => {
      const text = textOf(subject, FIELDS[field]);
      return text === undefined ? [] : [[field, text]];
    }),
  );
}

/** The common name of a device: its system title in 16 upper-case hexadecimal digits. */
export function systemTitleText(systemTitle: Uint8Array): string {
  return toHex(systemTitle).toUpperCase();
}

/** The subject as the rule wants it. @throws PkiError `profile-violated` where who it is for does not fit the rule */
export function makeSubject(rule: SubjectRule, of: SubjectOf): Name {
  if (rule.kind === "named") {
    if ("systemTitle" in of)
      throw new PkiError("profile-violated", "this profile names organisations and people, not devices");
    return FIELD_NAMES.flatMap((field) => {
      if (field === "uniqueIdentifier") return of.entity ? [uniqueIdentifier(of.entity)] : [];
      const text = of.names[field];
      return text === undefined ? [] : [attributeOf(field, text)];
    });
  }
  if (!("systemTitle" in of))
    throw new PkiError("profile-violated", "this profile names devices by their system title");
  return rule.kind === "empty" ? [] : [textAttribute(OID.commonName, systemTitleText(of.systemTitle))];
}

/** @throws PkiError `profile-violated` for characters that the field cannot have */
function attributeOf(field: Exclude<NameField, "uniqueIdentifier">, text: string): NameAttribute {
  try {
    return textAttribute(FIELDS[field], text);
  } catch (cause) {
    if (!(cause instanceof DlmsError)) throw cause;
    throw new PkiError("profile-violated", `${field} is ${JSON.stringify(text)}: ${cause.message}`, { cause });
  }
}

/** That a subject is one that the rule allows. @throws PkiError `profile-violated` */
export function requireSubject(rule: SubjectRule, of: SubjectOf): void {
  const [finding] = lintSubject(makeSubject(rule, of), rule);
  if (finding !== undefined) throw new PkiError("profile-violated", `the subject ${finding}`);
}

/** What is wrong with a subject by its rule. */
export function lintSubject(subject: Name, rule: SubjectRule): string[] {
  if (rule.kind === "empty") return subject.length === 0 ? [] : ["is not empty"];
  if (rule.kind === "system-title") {
    const text = textOf(subject, OID.commonName);
    const isTitle = subject.length === 1 && text !== undefined && /^[0-9A-F]{16}$/.test(text);
    return isTitle ? [] : ["is not one common name of 16 upper-case hexadecimal digits"];
  }
  const types = subject.map(({ type }) => type);
  const known = [...rule.required, ...rule.allowed].map((field) => FIELDS[field]);
  const findings = rule.required
    .filter((field) => types.filter((type) => type === FIELDS[field]).length !== 1)
    .map((field) => `does not have exactly one ${field}`);
  for (const type of types)
    if (!known.includes(type)) findings.push(`has ${nameOfIdentifier(type)}, which the profile does not allow`);
  for (const [field, text] of Object.entries(subjectNames(subject)) as [NameField, string][]) {
    const most = MOST_CHARACTERS[field] ?? MOST_OF_OTHERS;
    if (UNSEEN.test(text)) findings.push(`has a ${field} with a character that nobody sees`);
    if ([...text].length > most) findings.push(`has a ${field} of more than ${most} characters`);
  }
  // A reader of the certificate would take it for a device's, and its issuer for one that may speak for that device.
  const name = textOf(subject, OID.commonName) ?? "";
  if (TITLE_SHAPED.test(name.normalize("NFKC").replaceAll(/\s/g, "")))
    findings.push("has a common name that reads as a system title, which only profiles of devices have");
  if (rule.required.includes("uniqueIdentifier") && !hasEntity(subject))
    findings.push("has no entity of 8 octets in x500UniqueIdentifier");
  return findings;
}

function hasEntity(subject: Name): boolean {
  try {
    return uniqueIdentifierOf(subject)?.length === 8;
  } catch {
    // Malformed is as bad as missing.
    return false;
  }
}
