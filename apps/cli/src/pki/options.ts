import { CERTIFICATE_REASONS } from "@meterkeep/api/custodian";
import { fromHex, type SystemTitle, systemTitle } from "@meterkeep/dlms";
import { CliError } from "../error.ts";
import type { OperatorOptions } from "../operator/options.ts";
import { type Terminal, write } from "../terminal.ts";

export type MakeOptions = OperatorOptions & {
  readonly profile: string;
  readonly parent?: string;
  readonly utility: string;
  readonly island: string;
};

export type IssueOptions = OperatorOptions & {
  readonly profile: string;
  readonly meter?: string;
  readonly subject?: string;
  readonly hwType?: string;
  readonly entity?: string;
  readonly host?: readonly string[];
  readonly out?: string;
};

export type SearchOptions = OperatorOptions & {
  readonly authority?: string;
  readonly serial?: string;
  readonly key?: string;
  readonly meter?: string;
  readonly subject?: string;
  readonly is?: string;
  readonly within?: string;
  readonly limit: string;
};

export type RevokeOptions = OperatorOptions & { readonly reason: string };

/** Prints a value as JSON, or as text for people. */
export async function print(terminal: Terminal, options: OperatorOptions, value: unknown, text: string): Promise<void> {
  await write(terminal.stdout, options.json === true ? `${JSON.stringify(value)}\n` : text);
}

/** Who a certificate is for, from `--meter` or `--subject`. @throws CliError `option-invalid` */
export function subjectFrom({
  meter,
  subject,
  hwType,
  entity,
}: Pick<IssueOptions, "meter" | "subject" | "hwType" | "entity">) {
  if ((meter === undefined) === (subject === undefined))
    throw new CliError("option-invalid", "say who it is for: --meter TITLE or --subject CN=Name,O=Utility");
  if (meter !== undefined) return { kind: "device", systemTitle: titleFrom(meter), hwType } as const;
  const fields = subject!.split(",").map((part) => {
    const [field = "", ...text] = part.split("=");
    if (text.length === 0) throw new CliError("option-invalid", `"${part}" is no field: CN=Name,O=Utility`);
    return { field: field.trim(), text: text.join("=").trim() };
  });
  const octets = entity === undefined ? undefined : fromHex(hexFrom(entity, "--entity"));
  return { kind: "named", fields, entity: octets } as const;
}

/** @throws CliError `option-invalid` */
export function titleFrom(text: string): SystemTitle {
  const title = text.replace(/[\s:-]/g, "");
  if (!/^[0-9A-Fa-f]{16}$/.test(title))
    throw new CliError("option-invalid", `"${text}" is no system title of 16 hex digits`);
  return systemTitle(fromHex(title));
}

/** @throws CliError `option-invalid` */
export function hexFrom(text: string, what: string): string {
  const hex = text.replace(/[\s:]/g, "").toLowerCase();
  if (!/^([0-9a-f]{2}){1,32}$/.test(hex)) throw new CliError("option-invalid", `${what} "${text}" is no hex`);
  return hex;
}

/** @throws CliError `option-invalid` */
export function numberFrom(text: string, what: string): number {
  if (!/^\d{1,7}$/.test(text)) throw new CliError("option-invalid", `${what} must be a whole number`);
  return Number(text);
}

/** @throws CliError `option-invalid` */
export function choiceFrom<const N extends readonly string[]>(names: N, text: string, what: string): N[number] {
  const found = names.find((name) => name === text);
  if (found === undefined) throw new CliError("option-invalid", `${what} must be one of ${names.join(", ")}`);
  return found;
}

export const reasonFrom = (text: string) => choiceFrom(CERTIFICATE_REASONS, text, "--reason");
