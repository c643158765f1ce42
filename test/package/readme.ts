import assert from "node:assert/strict";
import { readFileSync } from "node:fs";

const README = readFileSync(new URL("../../packages/dlms/README.md", import.meta.url), "utf8");

/** The first TypeScript example under a heading of the README of the library. */
export function exampleUnder(heading: string): string {
  const section = README.split(`\n## ${heading}\n`)[1] ?? "";
  const code = /```ts\n([\s\S]*?)```/.exec(section)?.[1];
  assert.ok(code !== undefined, `the README has no example under "${heading}"`);
  return code;
}

/** The headings with an example under them. */
export function headings(): string[] {
  return README.split("\n## ")
    .slice(1)
    .filter((section) => section.includes("```ts\n"))
    .map((section) => section.slice(0, section.indexOf("\n")));
}
