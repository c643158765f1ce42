/** Commands as they have to be typed for this installation. Pure. */

/** Commands that need no installation: they speak with a meter or a file. */
const ALONE = /^npx meterkeep (decode|read|assess)\b/;

/** `text` with the options that lead to this installation, as its supervisor gave them (` --state DIR`, or nothing). */
export function reaching(text: string, options: string): string {
  if (options === "" || text.includes(" --state ") || ALONE.test(text)) return text;
  if (text.startsWith("npx meterkeep ")) return text + options;
  if (!text.startsWith("npm start")) return text;
  return text.includes(" -- ") ? text + options : `${text} --${options}`;
}
