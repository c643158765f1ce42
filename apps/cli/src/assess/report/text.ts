import { styleText } from "node:util";
import type { Assessment, Result } from "../assessment.ts";
import type { Verdict } from "../check.ts";

const MARKS: Readonly<Record<Verdict, { readonly mark: string; readonly colour: "green" | "red" | "yellow" }>> = {
  pass: { mark: "pass", colour: "green" },
  fail: { mark: "FAIL", colour: "red" },
  "not-testable": { mark: "–", colour: "yellow" },
};

/** One check as a line, with its sentence below it. */
export function resultText({ id, verdict, severity, title, sentence }: Result, colour: boolean): string {
  const { mark, colour: paint } = MARKS[verdict];
  const shown = colour ? styleText(paint, mark.padEnd(4), { validateStream: false }) : mark.padEnd(4);
  const weight = verdict === "fail" ? ` (${severity})` : "";
  return `${shown} ${id.padEnd(22)} ${title}${weight}\n${" ".repeat(28)}${sentence}\n`;
}

/** The end of the test in one line. */
export function summaryText({ counts, results }: Pick<Assessment, "counts" | "results">): string {
  const critical = results.filter(({ verdict, severity }) => verdict === "fail" && severity === "critical").length;
  const weight = counts.fail === 0 ? "" : ` (${critical} critical)`;
  return `\n${counts.pass} passed, ${counts.fail} failed${weight}, ${counts["not-testable"]} not testable\n`;
}
