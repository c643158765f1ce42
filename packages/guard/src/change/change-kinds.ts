import type { Facts } from "./facts.ts";

/** What the custodian does only when people have agreed to this very change. */
interface ChangeKind {
  /** What is to happen, for those who approve. */
  readonly words: (body: Facts) => string;
  /**
   * `always`: never without approvals. `when-enrolled`: freely as long as nobody is enrolled to approve, which the ledger
   * says each time; as soon as there are approvers, not without them.
   */
  readonly control: "always" | "when-enrolled";
  /** How many: `change` of the thresholds, or `breakGlass`, or one alone. */
  readonly people: "change" | "breakGlass" | "one";
}

/** The changes that people approve. A part that needs one of its own adds a row. */
export const CHANGE_KINDS = {
  "enrol-approver": row("change", (body) => `let ${said(body, "name")} (${said(body, "roles")}) approve from now on`),
  "remove-approver": row("change", (body) => `take the right to approve from ${said(body, "approver")}, at once`),
  "replace-approver": row(
    "change",
    (body) =>
      `let ${said(body, "name")} (${said(body, "roles")}) approve with another key, ${said(body, "id")}, in the place of ${said(body, "replaces")}, which is lost`,
  ),
  "reinstate-approver": row("change", (body) => `let the suspended ${said(body, "approver")} approve again`),
  "enrol-policy-service": row("change", (body) => `accept command tokens of ${said(body, "name")}`),
  "remove-policy-service": row("change", (body) => `accept no more command tokens of ${said(body, "name")}`),
  "loosen-thresholds": row("change", (body) => `allow more, a day from now: ${said(body, "thresholds")}`),
  "tighten-thresholds": row("one", (body) => `allow less, at once: ${said(body, "thresholds")}`),
  thaw: row("change", (body) => `end the freeze of ${instantSaid(body, "since")}`),
  "trust-clock": row(
    "change",
    (body) => `believe the clock that was found at ${instantSaid(body, "found")} after a stop`,
  ),
  "break-glass": row(
    "breakGlass",
    (body) => `lift the caps for ${said(body, "minutes")} minutes: ${said(body, "reason")}`,
  ),
  ceremony: row("change", (body) => `hold the ceremony ${said(body, "ceremony")}: ${said(body, "purpose")}`),
  "rewrap-vault": row(
    "change",
    (body) => `give the vault another root key (${said(body, "to")}) in the place of ${said(body, "root")}`,
    "when-enrolled",
  ),
  "export-keys": row(
    "change",
    (body) => `give ${said(body, "meters")} meters with their keys to ${said(body, "recipient")}`,
  ),
  "enrol-handheld": row(
    "change",
    (body) => `lend meters to the handheld ${said(body, "handheld")} of ${said(body, "technician")} from now on`,
    "when-enrolled",
  ),
  "lend-keys": row(
    "change",
    (body) =>
      `lend the keys of ${said(body, "meters")} to ${said(body, "technician")} (${said(body, "handheld")}) for ${said(body, "hours")} hours: ${said(body, "operations")}`,
    "when-enrolled",
  ),
  "retire-meter": row("change", (body) => `retire meter ${said(body, "meter")} for good`, "when-enrolled"),
  "destroy-keys": row("change", (body) =>
    body["purpose"] === undefined
      ? `destroy keys of ${said(body, "meter")} before their time`
      : `destroy ${said(body, "purpose")} ${said(body, "version")} of ${said(body, "meter")} before its time`,
  ),
  "rotate-keys": row(
    "change",
    (body) =>
      `give new keys to ${counted(body, "meters")}${body["grade"] === undefined ? "" : ` whose takeover is graded ${said(body, "grade")}`} (${said(body, "cause")})`,
    "when-enrolled",
  ),
  "change-key-state": row(
    "change",
    (body) =>
      `${said(body, "command")} the ${said(body, "purpose")} ${said(body, "version")} of meter ${said(body, "meter")}`,
    "when-enrolled",
  ),
  "change-key-policy": row(
    "change",
    (body) =>
      `change keys by another policy: ${Object.entries(body)
        .map(([name, value]) => `${name} ${String(value)}`)
        .join(", ")}`,
    "when-enrolled",
  ),
  "install-child": row(
    "change",
    (body) => `take in the key of the device at M-Bus channel ${said(body, "channel")} of meter ${said(body, "meter")}`,
    "when-enrolled",
  ),
  "enrol-meters": row(
    "change",
    (body) => `give new certificates to ${counted(body, "meters")} (${said(body, "cause")})`,
    "when-enrolled",
  ),
  "change-enrolment-policy": row(
    "change",
    (body) =>
      `change certificates by another policy: ${Object.entries(body)
        .map(([name, value]) => `${name} ${String(value)}`)
        .join(", ")}`,
    "when-enrolled",
  ),
  "add-meter": row(
    "change",
    (body) =>
      `take in meter ${said(body, "meter")} with keys that nobody vouches for, in ${said(body, "utility")}/${said(body, "island")}`,
    "when-enrolled",
  ),
  "import-shipment": row(
    "change",
    (body) => `take in ${said(body, "meters")} meters of ${said(body, "manufacturer")}`,
    "when-enrolled",
  ),
  "take-factory-master": row(
    "change",
    (body) => `take in master ${said(body, "master")} of ${said(body, "manufacturer")}, which factory keys follow from`,
    "when-enrolled",
  ),
  "make-authority": row(
    "change",
    (body) => `make the authority ${said(body, "name")} (${said(body, "profile")}) for ${said(body, "utility")}`,
    "when-enrolled",
  ),
  "adopt-authority": row(
    "change",
    (body) => `trust the authority ${said(body, "name")} (${said(body, "profile")}), ${said(body, "certificate")}`,
    "when-enrolled",
  ),
  "assign-titles": row(
    "change",
    (body) => `say anew which authority may speak for which meters: ${said(body, "rows")}`,
    "when-enrolled",
  ),
  "revoke-authority": row(
    "change",
    (body) => `revoke the authority ${said(body, "authority")} in stages (${said(body, "reason")})`,
    "when-enrolled",
  ),
  "revoke-certificates": row(
    "change",
    (body) =>
      `revoke ${said(body, "count")} certificates of the authority ${said(body, "authority")} (${said(body, "reason")})`,
    "when-enrolled",
  ),
  "move-revocation": row(
    "change",
    (body) => `${said(body, "move")} revocation ${said(body, "plan")} at its stage "${said(body, "stage")}"`,
    "when-enrolled",
  ),
  "enrol-head-end": row(
    "change",
    (body) => `let the head-end ${said(body, "name")} (${said(body, "known")}) ask for ${said(body, "grants")}`,
    "when-enrolled",
  ),
  "enrol-worker": row(
    "change",
    (body) =>
      `let the worker ${said(body, "name")} hold sessions with the meters of ${said(body, "place")} from another machine`,
    "when-enrolled",
  ),
} as const satisfies Readonly<Record<string, ChangeKind>>;

export type ChangeKindName = keyof typeof CHANGE_KINDS;
export const CHANGE_KIND_NAMES = Object.keys(CHANGE_KINDS) as readonly ChangeKindName[];

function row(
  people: ChangeKind["people"],
  words: ChangeKind["words"],
  control: ChangeKind["control"] = "always",
): ChangeKind {
  return { words, people, control };
}

function said(body: Facts, name: string): string {
  const value = body[name];
  return value === undefined ? `(no ${name})` : Array.isArray(value) ? value.join(", ") : String(value);
}

/** A moment as people compare it with their own clock. */
function instantSaid(body: Facts, name: string): string {
  const value = body[name];
  const at = new Date(typeof value === "number" ? value : Number.NaN);
  return Number.isNaN(at.getTime()) ? said(body, name) : at.toISOString();
}

/** A long list by its length: those who approve see the facts themselves beside the words. */
function counted(body: Facts, name: string): string {
  const value = body[name];
  return Array.isArray(value) && value.length > 3 ? `${value.length} ${name}` : said(body, name);
}
