/** Controls (NUL is in no text of a database), what turns or hides the text beside it, halves of characters, line ends. */
const DISTURBING = /[\p{C}\p{Zl}\p{Zp}]/gu;

/** A text of a meter's or a stranger's as it may be kept and shown: each character that could disturb is a `?`. */
export function foreignText(text: string): string {
  return text.replace(DISTURBING, "?");
}
