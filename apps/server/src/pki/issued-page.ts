/** A certificate as everybody may see it: which authority, which number, what for; never whose. */
export interface IssuedLine {
  readonly orderedAt: string;
  readonly authority: string;
  readonly authorityName: string;
  readonly serial: string;
  readonly profile: string;
  readonly keyIdentifier: string;
  readonly state: string;
}

/** What was issued, as a page without script that anybody may read: newest first. */
export function issuedPage(lines: readonly IssuedLine[]): string {
  const last = lines.at(-1);
  const older =
    last === undefined
      ? ""
      : `<p><a href="/pki/issued?before=${encodeURIComponent(last.orderedAt)}&amp;authority=${escaped(last.authority)}&amp;serial=${escaped(last.serial)}">Older certificates</a></p>`;
  const rows = lines
    .map(
      (one) => `<tr>
<td><time datetime="${escaped(one.orderedAt)}">${escaped(one.orderedAt.slice(0, 19).replace("T", " "))}</time></td>
<td><a href="/pki/ca/${escaped(one.authority)}.cer">${escaped(one.authorityName)}</a></td>
<td>${escaped(one.profile)}</td>
<td><code>${escaped(one.serial)}</code></td>
<td><code>${escaped(one.keyIdentifier)}</code></td>
<td>${escaped(one.state)}</td>
</tr>`,
    )
    .join("\n");
  const table =
    lines.length === 0
      ? "<p>Nothing was issued before that.</p>"
      : `<div class="wide" role="region" aria-label="Certificates" tabindex="0"><table>
<caption>Certificates, newest first. Times are UTC.</caption>
<thead><tr><th scope="col">Ordered</th><th scope="col">Authority</th><th scope="col">Profile</th><th scope="col">Serial number</th><th scope="col">Key</th><th scope="col">State</th></tr></thead>
<tbody>
${rows}
</tbody></table></div>`;
  return `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>Issued certificates - Meterkeep</title>
<link rel="stylesheet" href="/pki/issued.css">
</head>
<body>
<main>
<h1>Issued certificates</h1>
<p>Every certificate that the authorities of this installation have issued. Each was written to the custodian's ledger
before it was signed. Neither devices nor people are named: who holds a certificate finds it by its serial number or by
the identifier of its key. The same as <a href="/pki/issued.json">JSON</a>; the authorities as <a href="/pki/ca/all.pem">PEM</a>.</p>
${table}
${older}
</main>
</body>
</html>
`;
}

/** Legible in light and dark, without anything from elsewhere. */
export const PAGE_STYLE = `:root { color-scheme: light dark; font: 16px/1.5 system-ui, sans-serif; }
body { margin: 0; padding: 1.5rem; }
main { max-width: 80rem; margin: 0 auto; }
a { color: inherit; }
.wide { overflow-x: auto; }
table { border-collapse: collapse; width: 100%; }
caption { text-align: left; padding: 0.5rem 0; }
th, td { text-align: left; padding: 0.35rem 0.75rem 0.35rem 0; border-bottom: 1px solid; white-space: nowrap; }
`;

function escaped(text: string): string {
  return text.replaceAll(/[&<>"']/g, (character) => `&#${character.charCodeAt(0)};`);
}
