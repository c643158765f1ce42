/** Items that have no name of their own, with their place in the list as one: for lists that are replaced as a whole. */
export function keyed<T>(items: readonly T[]): readonly { readonly key: number; readonly item: T }[] {
  return items.map((item, key) => ({ key, item }));
}
