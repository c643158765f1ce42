import type { Command } from "commander";
import type { OperatorOptions } from "../operator/options.ts";
import type { IssueOptions, MakeOptions, RevokeOptions, SearchOptions } from "../pki/options.ts";
import type { RootOptions } from "../pki/root.ts";
import type { VerifyOptions } from "../pki/verify.ts";
import type { Terminal } from "../terminal.ts";
import { operatorCommand } from "./status.ts";

/** `meterkeep pki`: authorities and certificates, as the operator of the custodian. */
export function registerPki(program: Command, terminal: Terminal): void {
  const pki = program
    .command("pki")
    .summary("authorities, certificates and their revocation")
    .description("Makes authorities, issues, searches and revokes certificates. No private key is ever shown.");
  registerAuthorities(pki, terminal);
  registerCertificates(pki, terminal);
  registerRevocations(pki, terminal);
  registerRoot(pki, terminal);
}

function registerAuthorities(pki: Command, terminal: Terminal): void {
  operatorCommand(pki, "authorities", "show the tree of authorities").action(async (options: OperatorOptions) => {
    await (await import("../pki/authorities.ts")).authorities(options, terminal);
  });
  const authority = pki.command("authority").summary("make an authority").description("Makes an authority.");
  operatorCommand(authority, "add", "make an authority below one whose key is here")
    .argument("<name>", "its common name")
    .requiredOption("--profile <profile>", "scheme, utility, issuing-p256 or issuing-p384")
    .requiredOption("--parent <authority>", "identifier of the authority above it")
    .option("--utility <name>", "whose it is; * above the utilities", "*")
    .option("--island <name>", "where it issues; * above the islands", "*")
    .action(async (name: string, options: MakeOptions) => {
      await (await import("../pki/authorities.ts")).addAuthority(name, options, terminal);
    });
  operatorCommand(authority, "request", "make the key of an authority, and a request for a root that is in a drawer")
    .argument("<name>", "its common name")
    .argument("<file>", "where the request goes (PEM)")
    .option("--profile <profile>", "its profile", "scheme")
    .option("--utility <name>", "whose it is", "*")
    .option("--island <name>", "where it issues", "*")
    .action(async (name: string, file: string, options: MakeOptions) => {
      await (await import("../pki/authorities.ts")).requestAuthority(name, file, options, terminal);
    });
  operatorCommand(authority, "adopt", "take an authority whose certificate was signed elsewhere, or a root")
    .argument("<name>", "its name here")
    .argument("<file>", "its certificate (PEM)")
    .requiredOption("--profile <profile>", "root or scheme, or another")
    .option("--parent <authority>", "identifier of the authority above it; none for a root")
    .option("--key <name>", "the name that `authority request` printed; none where the key is elsewhere")
    .option("--utility <name>", "whose it is", "*")
    .option("--island <name>", "where it issues", "*")
    .action(async (name: string, file: string, options: MakeOptions & { key?: string }) => {
      await (await import("../pki/authorities.ts")).adoptAuthority(name, file, options, terminal);
    });
  operatorCommand(pki, "assignments", "show which authority may speak for which meters, or sign a new table")
    .option("--set <file>", "a table as this command prints it with --json")
    .action(async (options: OperatorOptions & { set?: string }) => {
      await (await import("../pki/authorities.ts")).assignments(options, terminal);
    });
}

function registerCertificates(pki: Command, terminal: Terminal): void {
  operatorCommand(pki, "issue", "issue a certificate for a request")
    .argument("<authority>", "identifier of an issuing authority")
    .argument("<request>", "PKCS #10, PEM; - for standard input")
    .requiredOption("--profile <profile>", "for example dlms-suite-1-signature, technician, tls-server")
    .option("--meter <title>", "the device it is for")
    .option("--hw-type <oid>", "its type, dotted, where its profile names one (hardware modules, GBCS)")
    .option("--subject <fields>", "or who: CN=Name,O=Utility")
    .option("--entity <hex>", "the 8 octets of an organisation's entity (GBCS)")
    .option("--host <name...>", "names and addresses of a TLS end")
    .option("--out <file>", "where the certificate goes; standard output unless given")
    .action(async (authority: string, request: string, options: IssueOptions) => {
      await (await import("../pki/certificates.ts")).issue(authority, request, options, terminal);
    });
  operatorCommand(pki, "batch", "issue for a production line: requests in, certificates out, a line each")
    .argument("<authority>", "identifier of an issuing authority")
    .argument("<in>", 'lines of {"systemTitle", "profile", "request"} (base64 of PKCS #10); - for standard input')
    .argument("<out>", "lines of the same with certificate or refused; - for standard output")
    .option("--resume", "go on behind the last whole line of <out>: what was certified is not certified again")
    .action(async (authority: string, from: string, to: string, options: OperatorOptions & { resume?: boolean }) => {
      await (await import("../pki/batch.ts")).batch(authority, from, to, options, terminal);
    });
  operatorCommand(pki, "search", "find certificates, those that end first before the others")
    .option("--authority <authority>", "of this authority")
    .option("--serial <serial>", "with this serial number")
    .option("--key <identifier>", "for this key")
    .option("--meter <title>", "of this device")
    .option("--subject <text>", "whose subject begins so: CN=4D4B")
    .option("--is <state>", "ordered, valid, revoked or expired")
    .option("--within <days>", "that end within so many days")
    .option("--limit <number>", "how many", "50")
    .action(async (options: SearchOptions) => {
      await (await import("../pki/certificates.ts")).search(options, terminal);
    });
  operatorCommand(pki, "expiry", "say how many certificates end when").action(async (options: OperatorOptions) => {
    await (await import("../pki/certificates.ts")).expiry(options, terminal);
  });
  operatorCommand(pki, "password", "make a password that enrols once, over EST")
    .argument("<name>", "the user name that the client sends")
    .requiredOption("--authority <authority>", "identifier of an issuing authority")
    .requiredOption("--profile <profile>", "for example technician, concentrator, edge-adapter")
    .option("--meter <title>", "the device it is for")
    .option("--subject <fields>", "or who: CN=Name,O=Utility")
    .option("--host <name...>", "names and addresses of a TLS end")
    .option("--hours <hours>", "how long it is good for", "24")
    .action(async (name: string, options: IssueOptions & { authority: string; hours: string }) => {
      await (await import("../pki/certificates.ts")).enrolmentPassword(name, options, terminal);
    });
}

function registerRevocations(pki: Command, terminal: Terminal): void {
  operatorCommand(pki, "revoke", "revoke certificates, for good")
    .argument("<authority>", "who issued them")
    .argument("<serials...>", "their serial numbers")
    .option("--reason <reason>", "as in RFC 5280: keyCompromise, superseded, ...", "unspecified")
    .action(async (authority: string, serials: string[], options: RevokeOptions) => {
      await (await import("../pki/revocations.ts")).revoke(authority, serials, options, terminal);
    });
  operatorCommand(
    pki,
    "revoke-authority",
    "say what revoking an authority would do, or one certificate that meters hold, and plan it",
  )
    .argument("<authority>", "its identifier")
    .option("--certificate <serial>", "one certificate that it issued, in the place of the whole authority")
    .option("--what-if", "say what it would do, and do nothing")
    .option("--reason <reason>", "cACompromise, superseded, cessationOfOperation, ...", "cACompromise")
    .action(async (authority: string, options: RevokeOptions & { whatIf?: boolean; certificate?: string }) => {
      await (await import("../pki/revocations.ts")).revokeAuthority(authority, options, terminal);
    });
  operatorCommand(pki, "revocations", "show revocations in stages, and islands that are cut").action(
    async (options: OperatorOptions) => {
      await (await import("../pki/revocations.ts")).revocations(options, terminal);
    },
  );
  operatorCommand(
    pki,
    "revocation",
    "start or stop a stage, go to the next one, lift the cut of islands, or withdraw what has not begun",
  )
    .argument("<plan>", "as `meterkeep pki revocations` shows it")
    .argument("<move>", "start, stop, next, lift or withdraw")
    .action(async (plan: string, move: string, options: OperatorOptions) => {
      await (await import("../pki/revocations.ts")).moveRevocation(plan, move, options, terminal);
    });
  operatorCommand(
    pki,
    "replay",
    "hold the registry of certificates against the whole ledger, and revoke again what it forgot",
  ).action(async (options: OperatorOptions) => {
    await (await import("../pki/revocations.ts")).replay(options, terminal);
  });
  operatorCommand(pki, "crl", "fetch a revocation list, or give one that a root in a drawer has signed")
    .argument("<authority>", "its identifier")
    .argument("<file>", "where the list goes, or lies (DER)")
    .option("--shard <number>", "of the 64 of an authority", "0")
    .option("--delta", "what has changed since the full list")
    .option("--publish", "publish the file instead")
    .action(
      async (
        authority: string,
        file: string,
        options: OperatorOptions & { shard: string; delta?: boolean; publish?: boolean },
      ) => {
        await (await import("../pki/revocations.ts")).revocationList(authority, file, options, terminal);
      },
    );
}

/** Commands of a ceremony: they speak with no Meterkeep, and are run on a machine without a network. */
function registerRoot(pki: Command, terminal: Terminal): void {
  pki
    .command("verify")
    .summary("judge a certificate by files alone, without a running Meterkeep")
    .description(
      "Judges a certificate by its path to an anchor and, with --crl, by the revocation lists of everybody in it.",
    )
    .argument("<file>", "the certificate (PEM); those that follow it in the file may stand between")
    .requiredOption("--anchors <file>", "roots that are trusted (PEM)")
    .option("--untrusted <files...>", "certificates that may stand between (PEM)")
    .option("--crl <files...>", "revocation lists, full and delta (DER): who has none that holds is not believed")
    .option("--use <use>", "what it is shown for: digitalSignature, keyAgreement, tls-client, ...", "digitalSignature")
    .option("--at <moment>", "the moment by which it is judged, ISO 8601; now unless said")
    .action(async (file: string, options: VerifyOptions) => {
      await (await import("../pki/verify.ts")).verifyByFiles(file, options, terminal);
    });
  const root = pki
    .command("root")
    .summary("ceremonies of an offline root")
    .description("Makes and uses a root whose key is in a drawer: in a file under a passphrase, or in a token.");
  const ceremony = (name: string, summary: string): Command =>
    root
      .command(name)
      .summary(summary)
      .description(`${summary.charAt(0).toUpperCase()}${summary.slice(1)}.`)
      .requiredOption(
        "--folder <directory>",
        "where the root is: its certificate, its register, and its key unless in a token",
      )
      .option("--passphrase-file <file>", "the passphrase of its key (mode 0600)")
      .option("--ceremony <directory>", "the ceremony in which the passphrase was split, instead of its file")
      .option("--share <files...>", "shares of that ceremony, as many as it takes")
      .option("--tokens-file <file>", "a token for its key instead, as for the vault; the first one is used");
  ceremony("make", "make a root: its key and its certificate")
    .argument("<name>", "its common name")
    .option("--years <years>", "how long it is good for", "40")
    .action(async (name: string, options: RootOptions & { years: string }) => {
      await (await import("../pki/root.ts")).makeRootInFolder(name, options, terminal);
    });
  ceremony("sign", "sign the request of an authority below the root")
    .argument("<request>", "PKCS #10, PEM")
    .argument("<out>", "where the certificate goes (PEM)")
    .option("--profile <profile>", "its profile", "scheme")
    .option("--crl <address>", "where the root's lists will lie, for the certificate")
    .action(async (request: string, out: string, options: RootOptions & { profile: string; crl?: string }) => {
      await (await import("../pki/root.ts")).signWithRoot(request, out, options, terminal);
    });
  ceremony("revoke", "put an authority on the root's list")
    .argument("<serial>", "serial number of its certificate")
    .option("--reason <reason>", "cACompromise, superseded, cessationOfOperation, ...", "cACompromise")
    .action(async (serial: string, options: RootOptions & { reason: string }) => {
      await (await import("../pki/root.ts")).revokeWithRoot(serial, options, terminal);
    });
  ceremony("list", "sign the root's revocation list anew")
    .argument("<out>", "where the list goes (DER)")
    .option("--crl <address>", "where it will lie, as in the certificates")
    .option("--days <days>", "how long it is good for", "400")
    .action(async (out: string, options: RootOptions & { crl?: string; days: string }) => {
      await (await import("../pki/root.ts")).listOfRoot(out, options, terminal);
    });
}
