/** A text with a capital at its beginning and a full stop at its end. */
export function asSentence(text: string): string {
  if (text === "") return text;
  return text.charAt(0).toUpperCase() + text.slice(1) + (/[.!?…]$/.test(text) ? "" : ".");
}
