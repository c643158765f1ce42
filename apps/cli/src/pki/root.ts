import { randomBytes } from "node:crypto";
import { existsSync, readFileSync } from "node:fs";
import { mkdir } from "node:fs/promises";
import { fromHex, toHex } from "@meterkeep/dlms";
import {
  authorityId,
  type Certificate,
  certificateOf,
  crlOf,
  decodeCertificate,
  fromPem,
  nameText,
  OID,
  openRequest,
  PROFILES,
  prepareCertificate,
  prepareCrl,
  prepareRoot,
  textOf,
  toPem,
} from "@meterkeep/pki";
import { CliError } from "../error.ts";
import { writeNew } from "../named-file.ts";
import { type Terminal, write } from "../terminal.ts";
import { readPem } from "./files.ts";
import { hexFrom, numberFrom, reasonFrom } from "./options.ts";
import { type RootKeyOptions, withNewRootKey, withRootKey } from "./root-key.ts";
import { readRegister, writeRegister } from "./root-register.ts";

export type RootOptions = RootKeyOptions;

const DAY_MS = 86_400_000;
const ANY_POLICY = "2.5.29.32.0";
const SHARD_OF_ALL = 0;

/** `meterkeep pki root make` */
export async function makeRootInFolder(
  name: string,
  options: RootOptions & { readonly years: string },
  terminal: Terminal,
): Promise<void> {
  const years = numberFrom(options.years, "--years");
  await mkdir(options.folder, { recursive: true, mode: 0o700 });
  if (existsSync(`${options.folder}/root.crt`))
    throw new CliError("option-invalid", `${options.folder} has a root already`);
  const certificate = await withNewRootKey(options, async (key) => {
    const notBefore = wholeSeconds();
    const prepared = prepareRoot({
      profile: profileOf("root"),
      subject: { names: { CN: name } },
      publicKey: key.publicKey,
      serial: randomBytes(16),
      notBefore,
      notAfter: new Date(notBefore.getTime() + years * 365 * DAY_MS),
    });
    const made = certificateOf(prepared, await key.sign(prepared.octets));
    await writeRegister(options.folder, key, { issued: [], revoked: [], lists: 0 });
    return made;
  });
  await writeNew(`${options.folder}/root.crt`, toPem("CERTIFICATE", certificate.octets));
  await write(
    terminal.stdout,
    `${nameText(certificate.subject)} is made: ${authorityId(certificate)}\nIts certificate is ${options.folder}/root.crt. Put the folder, or the token, into its drawer when the ceremony is over.\n`,
  );
}

/** `meterkeep pki root sign` */
export async function signWithRoot(
  requestFile: string,
  out: string,
  options: RootOptions & { readonly profile: string; readonly crl?: string },
  terminal: Terminal,
): Promise<void> {
  const root = rootOf(options.folder);
  const request = openRequest(await readPem("CERTIFICATE REQUEST", requestFile, terminal));
  const name = textOf(request.subject, OID.commonName);
  if (name === undefined) throw new CliError("option-invalid", `${requestFile} names nobody`);
  const register = readRegister(options.folder, root);
  const certificate = await withRootKey(options, async (key, holders) => {
    const prepared = prepareCertificate(root, {
      profile: profileOf(options.profile),
      subject: { names: { CN: name } },
      publicKey: request.publicKey,
      serial: randomBytes(16),
      notBefore: wholeSeconds(),
      policies: [ANY_POLICY],
      distributionPoints: options.crl === undefined ? [] : [options.crl],
    });
    // First what will have been signed: a certificate that is not in the register could not be revoked.
    const entry = { serial: toHex(prepared.serial), subject: nameText(prepared.subject), at: isoNow(), holders };
    await writeRegister(options.folder, key, { ...register, issued: [...register.issued, entry] });
    return certificateOf(prepared, await key.sign(prepared.octets));
  });
  await writeNew(out, toPem("CERTIFICATE", certificate.octets));
  await write(
    terminal.stdout,
    `${nameText(certificate.subject)} is signed, serial ${toHex(certificate.serial)}: ${out}\n`,
  );
}

/** `meterkeep pki root revoke` */
export async function revokeWithRoot(
  serialText: string,
  options: RootOptions & { readonly reason: string },
  terminal: Terminal,
): Promise<void> {
  // As certificates have it: some programs print leading zeros, and some do not.
  const serial = hexFrom(serialText, "the serial number").replace(/^(?:00)+/, "");
  const register = readRegister(options.folder, rootOf(options.folder));
  if (!register.issued.some((one) => one.serial === serial))
    throw new CliError(
      "option-invalid",
      `this root never signed ${serial}: ${options.folder}/register.json has the others`,
    );
  if (register.revoked.some((one) => one.serial === serial))
    throw new CliError("option-invalid", `${serial} was revoked before, for good`);
  const reason = reasonFrom(options.reason);
  await withRootKey(options, async (key, holders) => {
    const entry = { serial, reason, at: isoNow(), holders };
    await writeRegister(options.folder, key, { ...register, revoked: [...register.revoked, entry] });
  });
  await write(terminal.stdout, `${serial} is in the register. Sign the list now: npx meterkeep pki root list\n`);
}

/** `meterkeep pki root list` */
export async function listOfRoot(
  out: string,
  options: RootOptions & { readonly crl?: string; readonly days: string },
  terminal: Terminal,
): Promise<void> {
  const root = rootOf(options.folder);
  const register = readRegister(options.folder, root);
  const number = register.lists + 1;
  const thisUpdate = wholeSeconds();
  const nextUpdate = new Date(thisUpdate.getTime() + numberFrom(options.days, "--days") * DAY_MS);
  const list = await withRootKey(options, async (key) => {
    await writeRegister(options.folder, key, { ...register, lists: number });
    const shard = options.crl === undefined ? {} : { shard: options.crl };
    const order = { number: BigInt(number), thisUpdate, nextUpdate, ...shard };
    const revocations = register.revoked.map(({ serial, reason, at }) => ({
      serial: fromHex(serial),
      reason,
      revokedAt: new Date(Math.floor(Date.parse(at) / 1000) * 1000),
    }));
    const octets = prepareCrl(root, order, revocations);
    return crlOf(root, octets, await key.sign(octets));
  });
  await writeNew(out, list);
  await write(
    terminal.stdout,
    `${out}: list ${number} with ${register.revoked.length} entries, good until ${nextUpdate.toISOString()}\nPublish it: npx meterkeep pki crl ${authorityId(root)} ${out} --shard ${SHARD_OF_ALL} --publish\n`,
  );
}

function rootOf(folder: string): Certificate {
  const path = `${folder}/root.crt`;
  if (!existsSync(path))
    throw new CliError("input-unreadable", `${path} is not there: \`npx meterkeep pki root make\``);
  return decodeCertificate(fromPem("CERTIFICATE", readFileSync(path, "utf8"))[0]!);
}

function profileOf(name: string) {
  const profile = PROFILES.get(name);
  if (profile === undefined || profile.authority === false)
    throw new CliError("option-invalid", `${name} is no profile of an authority`);
  return profile;
}

function wholeSeconds(): Date {
  return new Date(Math.floor(Date.now() / 1000) * 1000);
}

function isoNow(): string {
  return new Date().toISOString();
}
