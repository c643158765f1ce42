/** Size and root (hex) that a checkpoint's note says; undefined where there is none. */
export function signedHead(note: string | undefined): { readonly size: number; readonly root: string } | undefined {
  const [, size, root] = note?.split("\n") ?? [];
  if (size === undefined || root === undefined) return undefined;
  const octets = Uint8Array.from(atob(root), (character) => character.charCodeAt(0));
  return { size: Number(size), root: [...octets].map((octet) => octet.toString(16).padStart(2, "0")).join("") };
}
