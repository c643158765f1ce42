/** What lists of a shard there are: those of all that is revoked, and those of what was since one of them. */
export const LIST_KINDS = ["full", "delta"] as const;
export type ListKind = (typeof LIST_KINDS)[number];

/** The kind of a list, by the number of the full one that it follows. */
export function listKind(since: string | undefined): ListKind {
  return since === undefined ? "full" : "delta";
}

/** What lists that replace each other have in common. */
export function listName(authority: string, shard: number, kind: ListKind): string {
  return `${authority}/${shard}/${kind}`;
}
