import { isIP } from "node:net";
import { fromHex, toHex } from "@meterkeep/dlms";
import { type GeneralName, isHost, PkiError, type SubjectOf } from "@meterkeep/pki";

/** Who a certificate is for, as the channel says it. */
export type AskedSubject =
  | { readonly kind: "device"; readonly systemTitle: Uint8Array; readonly hwType?: string | undefined }
  | {
      readonly kind: "named";
      readonly fields: readonly { readonly field: string; readonly text: string }[];
      readonly entity?: Uint8Array | undefined;
    };

const FIELDS = ["CN", "O", "OU", "C", "L", "serialNumber"] as const;

/** Who a certificate is for, as an authority is told. @throws PkiError `profile-violated` for a field that no profile has */
export function subjectOf(asked: AskedSubject): SubjectOf {
  if (asked.kind === "device") return { systemTitle: asked.systemTitle };
  const names: Partial<Record<(typeof FIELDS)[number], string>> = {};
  for (const { field, text } of asked.fields) {
    const known = FIELDS.find((one) => one === field);
    if (known === undefined || names[known] !== undefined)
      throw new PkiError(
        "profile-violated",
        `${field} is no field of a subject, or is there twice: ${FIELDS.join(", ")}`,
      );
    names[known] = text;
  }
  return asked.entity === undefined ? { names } : { names, entity: asked.entity };
}

/** The same with its names and addresses as text, for a database. */
export function subjectText(subject: SubjectOf, hosts: readonly string[]): string {
  const who = "systemTitle" in subject ? { device: toHex(subject.systemTitle) } : { names: subject.names };
  return JSON.stringify({ ...who, hosts });
}

export function subjectFromText(text: string): { readonly subject: SubjectOf; readonly hosts: readonly string[] } {
  const { device, names, hosts } = JSON.parse(text) as {
    readonly device?: string;
    readonly names?: Readonly<Record<string, string>>;
    readonly hosts: readonly string[];
  };
  return { subject: device === undefined ? { names: names ?? {} } : { systemTitle: fromHex(device) }, hosts };
}

/** Names and addresses as they stand in subjectAltName. @throws PkiError `profile-violated` for what names no host */
export function hostNames(hosts: readonly string[]): readonly GeneralName[] {
  return hosts.map((host) => {
    const name = nameOfHost(host);
    if (!isHost(name))
      throw new PkiError("profile-violated", `${JSON.stringify(host)} is no name or address of a host`);
    return name;
  });
}

function nameOfHost(host: string): GeneralName {
  // A zone is of one machine's interfaces.
  const family = host.includes("%") ? 0 : isIP(host);
  if (family === 0) return { kind: "dNSName", value: host };
  return { kind: "iPAddress", value: family === 4 ? Uint8Array.from(host.split("."), Number) : ipv6Octets(host) };
}

function ipv6Octets(text: string): Uint8Array {
  const [head = "", tail] = new URL(`http://[${text}]`).hostname.slice(1, -1).split("::");
  const words = (part: string): number[] =>
    part === "" ? [] : part.split(":").map((word) => Number.parseInt(word, 16));
  const [first, last] = [words(head), words(tail ?? "")];
  const all = tail === undefined ? first : [...first, ...Array(8 - first.length - last.length).fill(0), ...last];
  return Uint8Array.from(all.flatMap((word) => [word >> 8, word & 0xff]));
}
