/** Sentences that begin with the meter they are about: the page names the meter once, as a link, and says the rest. */

/** The sentence without the name it begins with: `Feldweg 4 pushed 3 readings` is `pushed 3 readings` of Feldweg 4. */
export function withoutName(sentence: string, name: string | undefined): string {
  if (name === undefined || !sentence.startsWith(name)) return sentence;
  return sentence.slice(name.length).replace(/^[:,]?\s+/, "");
}
