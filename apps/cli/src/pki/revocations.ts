import type { RevocationEffect } from "@meterkeep/api";
import { REVOCATION_MOVE_NAMES, type RevocationPlanView } from "@meterkeep/api/custodian";
import Table from "cli-table3";
import { EXIT } from "../error.ts";
import { asOperator } from "../keys/operator.ts";
import { fileOctets, writeNew } from "../named-file.ts";
import type { OperatorOptions } from "../operator/options.ts";
import { runningServer } from "../operator/server.ts";
import type { Terminal } from "../terminal.ts";
import { choiceFrom, hexFrom, numberFrom, print, type RevokeOptions, reasonFrom } from "./options.ts";

/** `meterkeep pki revoke` */
export async function revoke(
  authorityText: string,
  serialTexts: readonly string[],
  options: RevokeOptions,
  terminal: Terminal,
): Promise<void> {
  const authority = hexFrom(authorityText, "the authority");
  const serials = serialTexts.map((text) => hexFrom(text, "the serial number"));
  const { revoked, others } = await asOperator(options.state, terminal, (custodian) =>
    custodian.revokeCertificates({ authority, serials, reason: reasonFrom(options.reason) }),
  );
  const before = serials.length - revoked;
  const known = before === 0 ? "" : ` ${before} were revoked before.`;
  const standing = others.map((one) => `  ${one.serial} of ${one.authority}  ${one.subject}\n`).join("");
  const text =
    standing === ""
      ? ""
      : `These stand, for the same key or under the same name: whoever had the key may have renewed with it.\n${standing}`;
  await print(
    terminal,
    options,
    { revoked, others },
    `${revoked} certificates are revoked, for good.${known}\n${text}`,
  );
}

/** `meterkeep pki revoke-authority` */
export async function revokeAuthority(
  authorityText: string,
  options: RevokeOptions & { readonly whatIf?: boolean; readonly certificate?: string },
  terminal: Terminal,
): Promise<void> {
  const authority = hexFrom(authorityText, "the authority");
  const serial = options.certificate && hexFrom(options.certificate, "--certificate");
  if (options.whatIf === true) {
    const query = serial === undefined ? {} : { serial };
    const asked = { params: { authority }, query };
    const effect = await runningServer(options.state, terminal).call("revocationEffect", asked);
    return print(terminal, options, effect, effectText(effect));
  }
  const plan = await asOperator(options.state, terminal, (custodian) =>
    custodian.planRevocation({ authority, serial, reason: reasonFrom(options.reason) }),
  );
  const held = serial === undefined ? "It issues nothing from now on. " : "";
  const text = `${planText(plan)}\n${held}Nothing is revoked yet: npx meterkeep pki revocation ${plan.id} start\n`;
  await print(terminal, options, plan, text);
}

/** `meterkeep pki revocations` */
export async function revocations(options: OperatorOptions, terminal: Terminal): Promise<void> {
  const found = await asOperator(options.state, terminal, (custodian) => custodian.revocations({}));
  const cuts = found.cuts.map(
    ({ utility, island, plan, cutAt }) =>
      `${utility}/${island} is cut since ${new Date(cutAt).toISOString()} (${plan})`,
  );
  const lines = [...found.plans.map(planText), ...cuts];
  await print(
    terminal,
    options,
    found,
    lines.length === 0 ? "Nothing is being revoked in stages.\n" : `${lines.join("\n")}\n`,
  );
}

/** `meterkeep pki replay` */
export async function replay(options: OperatorOptions, terminal: Terminal): Promise<void> {
  const found = await asOperator(options.state, terminal, (custodian) => custodian.replayRegistry({}));
  const { entries, ordered, revokedAgain, missing, lost, altered, unordered } = found;
  const faults = revokedAgain + missing + altered + unordered;
  const text = [
    `Ledger       ${entries} entries, ${ordered} orders for certificates`,
    `Revocations  ${revokedAgain} had been forgotten, and are revoked again`,
    `Registry     ${missing} that were ordered are missing, ${altered} are for another key, ${unordered} nobody ordered`,
    ...lost.map(({ authority, serial, profile }) => `Missing      ${serial} of ${authority} (${profile})`),
    faults === 0
      ? "The registry is what the ledger says.\n"
      : "Somebody has changed the registry, or put back an old one.\n",
  ].join("\n");
  await print(terminal, options, found, text);
  if (missing + altered + unordered > 0) terminal.exitStatus = EXIT.refused;
}

/** `meterkeep pki revocation` */
export async function moveRevocation(
  plan: string,
  move: string,
  options: OperatorOptions,
  terminal: Terminal,
): Promise<void> {
  const wanted = choiceFrom(REVOCATION_MOVE_NAMES, move, "the move");
  const moved = await asOperator(options.state, terminal, (custodian) =>
    custodian.moveRevocation({ plan, move: wanted }),
  );
  await print(terminal, options, moved, `${planText(moved)}\n`);
}

/** `meterkeep pki crl` */
export async function revocationList(
  authorityText: string,
  file: string,
  options: OperatorOptions & { readonly shard: string; readonly delta?: boolean; readonly publish?: boolean },
  terminal: Terminal,
): Promise<void> {
  const authority = hexFrom(authorityText, "the authority");
  const shard = numberFrom(options.shard, "--shard");
  if (options.publish === true) {
    const octets = new Uint8Array(fileOctets(file));
    await asOperator(options.state, terminal, (custodian) => custodian.adoptList({ authority, shard, octets }));
    return print(terminal, options, { published: true }, "It is published.\n");
  }
  const kind = options.delta === true ? "delta" : "full";
  const { list } = await asOperator(options.state, terminal, (custodian) =>
    custodian.publishedList({ authority, shard, kind }),
  );
  if (list === undefined) return print(terminal, options, { list: null }, "Nothing has changed since the full list.\n");
  await writeNew(file, list.octets);
  const until = new Date(list.until).toISOString();
  await print(terminal, options, { file, until }, `${file}, good until ${until}\n`);
}

function planText({
  id,
  authority,
  serial,
  reason,
  stage,
  state,
  meters,
  finished,
  plannedBy,
}: RevocationPlanView): string {
  const what = serial === undefined ? authority : `${authority}, certificate ${serial},`;
  return `${id}  ${what}  ${reason}, by ${plannedBy}: stage "${STAGES[stage]}" is ${state}, ${finished} so far; ${meters} meters in all`;
}

const STAGES = {
  refuse: "refuse its certificates",
  remove: "remove them from meters",
  cut: "cut its islands",
} as const;

function effectText(effect: RevocationEffect): string {
  const { authorities, certificates, meters, loadW, metersWithoutLoad, islands, hoursToEnrol, metersPerHour } = effect;
  const table = new Table({
    head: ["utility", "island", "certificates", "meters"],
    style: { head: [], border: [], compact: true },
  });
  for (const one of islands) table.push([one.utility, one.island, one.certificates, one.meters]);
  const unmeasured = metersWithoutLoad === 0 ? "" : `, without ${metersWithoutLoad} meters that measured nothing yet`;
  const pace =
    hoursToEnrol === undefined || metersPerHour === undefined
      ? "Too few meters were enrolled in 30 days to say how long enrolling them anew would take."
      : `Enrolling them anew would take ${hoursToEnrol.toFixed(1)} hours at the measured ${Math.round(metersPerHour)} meters an hour.`;
  return [
    `Authorities  ${authorities}, with those below it`,
    `Certificates ${certificates} that are valid`,
    `Meters       ${meters}`,
    `Load         ${(loadW / 1000).toFixed(1)} kW${unmeasured}`,
    pace,
    "Nothing has been changed.",
    "",
    islands.length === 0 ? "" : `${table}\n`,
  ].join("\n");
}
