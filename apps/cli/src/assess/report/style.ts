/** The look of the report: legible on paper and on a dark screen, the verdicts told by words and shape as well as colour. */
export const STYLE = `
:root { color-scheme: light dark; --ink: #1a1d21; --soft: #555d66; --line: #d5dae0; --paper: #fff; --pass: #1b6e3c; --fail: #a3161f; --none: #6b5200; }
@media (prefers-color-scheme: dark) { :root { --ink: #e8eaed; --soft: #a8b0ba; --line: #3a4149; --paper: #15181c; --pass: #6fd394; --fail: #ff8a8f; --none: #e2c15a; } }
* { box-sizing: border-box; }
body { margin: 0 auto; max-width: 62rem; padding: 2rem 1.25rem; font: 1rem/1.5 system-ui, sans-serif; color: var(--ink); background: var(--paper); }
h1 { margin: 0; font-size: 1.9rem; } h2 { font-size: 1.15rem; margin: 0 0 .5rem; }
.kind { margin: 0; color: var(--soft); } .headline { font-size: 1.25rem; font-weight: 600; margin: .5rem 0 1rem; }
.headline.pass { color: var(--pass); } .headline.fail { color: var(--fail); }
dl { margin: .5rem 0; } dl > div { display: grid; grid-template-columns: 9rem 1fr; gap: 1rem; padding: .15rem 0; }
dt { color: var(--soft); } dd { margin: 0; overflow-wrap: anywhere; }
table { width: 100%; border-collapse: collapse; } th, td { text-align: left; vertical-align: top; padding: .35rem .6rem .35rem 0; border-bottom: 1px solid var(--line); }
th { color: var(--soft); font-weight: 500; } a { color: inherit; }
.badge { display: inline-block; min-width: 6.6rem; text-align: center; font-size: .85rem; font-weight: 600; border: 1.5px solid currentColor; border-radius: .25rem; padding: 0 .4rem; }
.badge.pass { color: var(--pass); } .badge.fail { color: var(--paper); background: var(--fail); border-color: var(--fail); } .badge.not-testable { color: var(--none); border-style: dashed; }
.result { margin-top: 2.25rem; padding-top: 1rem; border-top: 2px solid var(--line); }
.sentence { font-weight: 500; } summary { cursor: pointer; color: var(--soft); padding: .3rem 0; }
.steps { font-size: .85rem; } .steps td:first-child { white-space: nowrap; } .steps .received td { color: var(--soft); } code { font: .8rem/1.4 ui-monospace, monospace; overflow-wrap: anywhere; }
footer { margin-top: 3rem; color: var(--soft); font-size: .85rem; }
@media print { body { max-width: none; padding: 0; font-size: 10pt; } .result { break-inside: avoid-page; } .result:has(details[open]) { break-inside: auto; } tr { break-inside: avoid; } }
`;
