import { createDecipheriv } from "node:crypto";
import { SourceError, type SourceRow } from "./source-row.ts";
import { parseXml, type XmlElement } from "./xml.ts";

const KEY_BYTES = 16;
const ALGORITHM = "http://www.w3.org/2001/04/xmlenc#aes128-cbc";
/** Root element and the element of one meter, in both forms that are known. */
const FORMS: Readonly<Record<string, string>> = { MetersInOrder: "Meter", Devices: "Device" };

/**
 * Reads a key file of Kamstrup's (`.kem`): XML encryption with AES-128-CBC, its key and its initialisation vector the octets
 * of the password, filled with zeros. Inside is a list of meters; the fields of one are its elements, named by their path
 * below the meter (`DEK`, `Keys/Key/Value`), a repeated one with `#2`, `#3` behind it.
 *
 * The encryption proves nothing about who wrote it, and the signature of a `.kem2` is not verified.
 *
 * @throws SourceError, also for a wrong password.
 */
export function kemRows(text: string, password: string): SourceRow[] {
  const key = Buffer.from(password, "utf8");
  if (key.length === 0 || key.length > KEY_BYTES)
    throw new SourceError(1, `a password of a .kem file has 1 to ${KEY_BYTES} octets`);
  if (text.startsWith("PK")) throw new SourceError(1, "this is a ZIP archive: unpack it, and convert the .kem in it");
  const cipherText = cipherValueOf(parseXml(text.replace(/^\uFEFF/, "")));
  const document = parseXml(decrypted(cipherText, key));
  const meter = FORMS[document.name];
  if (meter === undefined) throw new SourceError(1, `the list inside is a "${document.name}", which is not known`);
  return document.children
    .filter(({ name }) => name === meter)
    .map((element) => ({ line: element.line, fields: fieldsOf(element) }));
}

function cipherValueOf(root: XmlElement): Buffer {
  const data = root.name === "EncryptedData" ? root : find(root, "EncryptedData");
  const value = data && find(data, "CipherValue");
  if (value === undefined) throw new SourceError(1, "there is no EncryptedData with a CipherValue: not a .kem file");
  const octets = Buffer.from(value.text.replace(/\s/g, ""), "base64");
  if (octets.length === 0 || octets.length % KEY_BYTES !== 0)
    throw new SourceError(
      value.line,
      `${octets.length} octets are encrypted, which is no number of blocks of ${ALGORITHM}`,
    );
  return octets;
}

function find(element: XmlElement, name: string): XmlElement | undefined {
  for (const child of element.children) {
    const found = child.name === name ? child : find(child, name);
    if (found !== undefined) return found;
  }
  return undefined;
}

function decrypted(cipherText: Buffer, password: Buffer): string {
  const key = Buffer.alloc(KEY_BYTES);
  password.copy(key);
  const decipher = createDecipheriv("aes-128-cbc", key, key).setAutoPadding(false);
  const plain = Buffer.concat([decipher.update(cipherText), decipher.final()]);
  key.fill(0);
  // XML encryption fills the last block with anything and its length; some writers fill it with zeros.
  const filled = plain.at(-1) ?? 0;
  const octets = plain.subarray(0, filled <= KEY_BYTES ? plain.length - filled : plain.length);
  const text = octets
    .toString("utf8")
    .replace(/\0+$/, "")
    .replace(/^\uFEFF/, "");
  if (!text.trimStart().startsWith("<") || text.includes("\uFFFD"))
    throw new SourceError(1, "what is inside is no XML: the password is another one");
  return text;
}

function fieldsOf(meter: XmlElement): ReadonlyMap<string, string> {
  const fields = new Map<string, string>();
  const add = (element: XmlElement, path: string): void => {
    if (element.children.length === 0) {
      let [name, number] = [path, 1];
      while (fields.has(name)) name = `${path}#${++number}`;
      fields.set(name, element.text);
    } else for (const child of element.children) add(child, `${path}/${child.name}`);
  };
  for (const child of meter.children) add(child, child.name);
  return fields;
}
