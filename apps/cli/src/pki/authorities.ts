import type { AuthorityView, Custodian } from "@meterkeep/api/custodian";
import { toPem } from "@meterkeep/pki";
import { CliError } from "../error.ts";
import { asOperator } from "../keys/operator.ts";
import { writeNew } from "../named-file.ts";
import type { OperatorOptions } from "../operator/options.ts";
import type { Terminal } from "../terminal.ts";
import { readPem, readText } from "./files.ts";
import { hexFrom, type MakeOptions, print } from "./options.ts";

/** `meterkeep pki authorities` */
export async function authorities(options: OperatorOptions, terminal: Terminal): Promise<void> {
  const found = await asOperator(options.state, terminal, (custodian) => custodian.authorities({}));
  const shown = found.authorities.map(({ certificate, createdAt, ...rest }) => ({
    ...rest,
    createdAt: new Date(createdAt).toISOString(),
    certificate: toPem("CERTIFICATE", certificate),
  }));
  await print(terminal, options, { address: found.address, authorities: shown }, treeText(found.authorities));
}

/** `meterkeep pki authority add` */
export async function addAuthority(name: string, options: MakeOptions, terminal: Terminal): Promise<void> {
  const { profile, utility, island } = options;
  const parent = hexFrom(options.parent ?? "", "--parent");
  const made = await asOperator(options.state, terminal, (custodian) =>
    custodian.makeAuthority({ utility, island, name, profile, parent }),
  );
  await print(terminal, options, made, made.kind === "made" ? `${name} is made: ${made.authority}\n` : "");
}

/** `meterkeep pki authority request` */
export async function requestAuthority(
  name: string,
  file: string,
  options: MakeOptions,
  terminal: Terminal,
): Promise<void> {
  const { profile, utility, island } = options;
  const made = await asOperator(options.state, terminal, (custodian) =>
    custodian.makeAuthority({ utility, island, name, profile, parent: undefined }),
  );
  if (made.kind !== "requested") return;
  await writeNew(file, toPem("CERTIFICATE REQUEST", made.request));
  const next = `Carry ${file} to the root, then: npx meterkeep pki authority adopt "${name}" CERTIFICATE --profile ${profile} --key ${made.keyName} --parent ROOT\n`;
  await print(terminal, options, { keyName: made.keyName, file }, `The key is ${made.keyName}.\n${next}`);
}

/** `meterkeep pki authority adopt` */
export async function adoptAuthority(
  name: string,
  file: string,
  options: MakeOptions & { readonly key?: string },
  terminal: Terminal,
): Promise<void> {
  const { profile, utility, island, key } = options;
  const parent = options.parent === undefined ? undefined : hexFrom(options.parent, "--parent");
  const certificate = await readPem("CERTIFICATE", file, terminal);
  const { authority } = await asOperator(options.state, terminal, (custodian) =>
    custodian.adoptAuthority({ utility, island, name, profile, parent, keyName: key, certificate }),
  );
  await print(terminal, options, { authority }, `${name} is ${authority}\n`);
}

/** `meterkeep pki assignments` */
export async function assignments(
  options: OperatorOptions & { readonly set?: string },
  terminal: Terminal,
): Promise<void> {
  const table = options.set === undefined ? undefined : jsonIn(options.set, await readText(options.set, terminal));
  const current = await asOperator(options.state, terminal, (custodian) =>
    table === undefined
      ? custodian.assignments({})
      : custodian.setAssignments({ rows: (table as Parameters<Custodian["setAssignments"]>[0]).rows }),
  );
  const lines = current.rows.flatMap(({ name, authority, ranges }) => [
    `${name}  ${authority}`,
    ...ranges.map(({ first, last }) => `  ${first.toUpperCase()} to ${last.toUpperCase()}`),
  ]);
  const head =
    current.number === 0 ? "There is no table: no device is checked against one." : `Table ${current.number}`;
  await print(terminal, options, current, `${[head, ...lines].join("\n")}\n`);
}

/** @throws CliError `input-unreadable` */
function jsonIn(path: string, text: string): unknown {
  try {
    return JSON.parse(text);
  } catch (cause) {
    throw new CliError("input-unreadable", `${path} is no JSON: ${(cause as Error).message}`, { cause });
  }
}

/** The tree, each authority below the one that signed it. */
function treeText(all: readonly AuthorityView[]): string {
  if (all.length === 0) return "There is no authority yet.\n";
  const lines: string[] = [];
  const add = (parent: string | undefined, depth: number): void => {
    for (const one of all.filter((each) => each.parent === parent)) {
      const place = one.utility === "*" ? "" : `  ${one.utility}/${one.island}`;
      const state = one.state === "standing" ? "" : `  ${one.state}: ${one.why ?? ""}`;
      lines.push(`${"  ".repeat(depth)}${one.name}  (${one.profile}, key in ${WHERE[one.keyPlace]})${place}${state}`);
      lines.push(`${"  ".repeat(depth)}  ${one.authority}`);
      add(one.authority, depth + 1);
    }
  };
  add(undefined, 0);
  return `${lines.join("\n")}\n`;
}

const WHERE = { vault: "the vault", token: "a token", offline: "a drawer" } as const;
