import type { Assessment, Result } from "../assessment.ts";
import type { Verdict } from "../check.ts";
import type { EvidenceStep } from "../evidence.ts";
import { STYLE } from "./style.ts";

const WORDS: Readonly<Record<Verdict, string>> = { pass: "Pass", fail: "Fail", "not-testable": "Not testable" };

/** The report as one HTML file: no script, nothing loaded from anywhere, made to be read and printed. */
export function assessmentHtml(assessment: Assessment): string {
  const { meter, client, begun, ended, program, counts, results } = assessment;
  const name = meter.deviceName ?? meter.systemTitle ?? meter.address;
  const verdict = counts.fail > 0 ? "fail" : "pass";
  const headline =
    counts.fail > 0
      ? `${counts.fail} of ${results.length} checks failed`
      : `No check failed; ${counts.pass} of ${results.length} passed`;
  return `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'">
<title>Security acceptance test of ${text(name)}</title>
<style>${STYLE}</style>
</head>
<body>
<header>
<p class="kind">Security acceptance test of a meter</p>
<h1>${text(name)}</h1>
<p class="headline ${verdict}">${headline}</p>
<dl>
${row("Address", meter.address)}
${row("System title", meter.systemTitle ?? "not said")}
${row("Device name", meter.deviceName ?? "not said")}
${row("As", client)}
${row("From, to", `${begun} – ${ended}`)}
${row("By", program)}
</dl>
</header>
<main>
<section aria-labelledby="overview">
<h2 id="overview">Overview</h2>
<table>
<thead><tr><th scope="col">Verdict</th><th scope="col">Weight</th><th scope="col">Check</th></tr></thead>
<tbody>
${results.map(overviewRow).join("\n")}
</tbody>
</table>
<p>${counts.pass} passed, ${counts.fail} failed, ${counts["not-testable"]} not testable. What is not testable has not passed.</p>
</section>
${results.map(resultSection).join("\n")}
</main>
<footer><p>Octets are those on the line, without the wrapper. No key is in this file.</p></footer>
</body>
</html>
`;
}

function row(name: string, value: string): string {
  return `<div><dt>${name}</dt><dd>${text(value)}</dd></div>`;
}

function overviewRow({ id, title, verdict, severity }: Result): string {
  return `<tr><td>${badge(verdict)}</td><td>${severity}</td><td><a href="#${id}">${text(title)}</a></td></tr>`;
}

function resultSection(result: Result): string {
  const { id, title, verdict, severity, sentence, why, how, clause } = result;
  return `<section id="${id}" class="result" aria-labelledby="${id}-title">
<h2 id="${id}-title">${badge(verdict)} ${text(title)}</h2>
<p class="sentence">${text(sentence)}</p>
<dl>
${row("Weight", severity)}
${row("Why it matters", why)}
${row("What was done", how)}
${row("Demanded by", clause)}
</dl>
${evidenceTable(result)}
</section>`;
}

/** Open where a check failed: a report that is printed shows what proves it. */
function evidenceTable({ verdict, evidence, evidenceLeftOut }: Result): string {
  if (evidence.length === 0) return "<p>Nothing was sent.</p>";
  const left = evidenceLeftOut === 0 ? "" : `, ${evidenceLeftOut} more in the middle left out`;
  return `<details${verdict === "fail" ? " open" : ""}>
<summary>${evidence.length} steps${left}</summary>
<table class="steps">
<thead><tr><th scope="col">Who</th><th scope="col">What</th><th scope="col">Octets</th><th scope="col">ms</th></tr></thead>
<tbody>
${evidence.map(stepRow).join("\n")}
</tbody>
</table>
</details>`;
}

function stepRow({ direction, label, octets, milliseconds }: EvidenceStep): string {
  const who = direction === "sent" ? "we" : "meter";
  const shown = octets === "" ? "–" : (octets.match(/.{1,4}/g) ?? []).join("<wbr>");
  return `<tr class="${direction}"><td>${who}</td><td>${text(label)}</td><td><code>${shown}</code></td><td>${milliseconds ?? ""}</td></tr>`;
}

function badge(verdict: Verdict): string {
  return `<span class="badge ${verdict}">${WORDS[verdict]}</span>`;
}

function text(value: string): string {
  return value.replace(/[&<>"']/g, (character) => `&#${character.charCodeAt(0)};`);
}
