import { createHash } from "node:crypto";
import { CallRefusal } from "../calls/call-refusal.ts";
import type { AuthorityDocument } from "./document.ts";
import type { Candidate } from "./enrolment.ts";

/** What a person signs to say whose key is lost: SHA-384 of the id, in the place of a document's. */
export function lossHash(lost: string): string {
  return createHash("sha384").update(`meterkeep-lost-key-1/${lost}`).digest("hex");
}

/** Who is to have another key: the same person with the same rights, under the next id that nobody has or had. @throws CallRefusal `change-refused` */
export function replacementFor({ approvers, removed }: AuthorityDocument, lost: string): Candidate {
  const known = approvers.find(({ id }) => id === lost);
  if (known === undefined) throw new CallRefusal("change-refused", `no approver has the id ${lost}`);
  const base = lost.replace(/-[0-9]+$/, "");
  const used = new Set([...approvers.map(({ id }) => id), ...removed]);
  let number = 2;
  while (used.has(`${base}-${number}`)) number += 1;
  return { id: `${base}-${number}`, name: known.name, roles: known.roles, replaces: lost };
}
