import { fileURLToPath } from "node:url";

/** The root of the checkout that this program runs from. */
export function checkoutDirectory(): string {
  return fileURLToPath(new URL("../../../../", import.meta.url)).replace(/\/$/, "");
}
