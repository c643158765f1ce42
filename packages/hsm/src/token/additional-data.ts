import type { TokenOperations, ToToken } from "../operations.ts";

/** Wipes the additional data of what a token was asked to cipher, once it has answered: it holds a meter's authentication key. */
export function wipeAdditionalData({ operation, args }: ToToken & { readonly kind: "do" }): void {
  if (operation !== "gcm") return;
  const [, requests] = args as Parameters<TokenOperations["gcm"]>;
  for (const { data } of requests) data.fill(0);
}
