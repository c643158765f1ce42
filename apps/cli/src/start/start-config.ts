import { isIP } from "node:net";
import type { SettingValues } from "@meterkeep/api/settings";
import { CliError } from "../error.ts";
import { optionName, START_OPTIONS, type StartOption, variableName } from "./options.ts";

/** The options of one start, checked. */
export type StartConfig = SettingValues<typeof START_OPTIONS> & {
  /** Names of the options that were said, as opposed to left at their default. */
  readonly said: ReadonlySet<string>;
};

/** What others call what we are told. */
const ALSO_READ_FROM: Readonly<Record<string, string>> = {
  databaseUrl: "DATABASE_URL",
  credentialsDirectory: "CREDENTIALS_DIRECTORY",
};

/**
 * Puts options together: the command line counts before the environment, and that before the defaults.
 *
 * @throws {CliError} `option-invalid`, naming the option or variable
 */
export function resolveOptions(
  given: Readonly<Record<string, string | undefined>>,
  env: Readonly<Record<string, string | undefined>>,
): StartConfig {
  const values: Record<string, string | number> = {};
  const said = new Set<string>();
  for (const [name, option] of Object.entries<StartOption>(START_OPTIONS)) {
    const fromEnvironment = env[variableName(name)] ?? env[ALSO_READ_FROM[name] ?? ""];
    const [text, source] =
      given[name] === undefined ? [fromEnvironment, variableName(name)] : [given[name], `--${optionName(name)}`];
    const isSaid = text !== undefined && text !== "";
    if (isSaid) said.add(name);
    const value = isSaid ? parse(option, text, source) : option.default;
    if (typeof value === "string" || typeof value === "number") values[name] = value;
  }
  const config = { ...values, said } as unknown as StartConfig;
  if (isIP(config.listen) === 0) refuse("--listen", `must be an IP address of this machine, not ${config.listen}`);
  for (const network of networksOf(config))
    if (!isNetwork(network))
      refuse("--gateway-networks", `must be networks such as 10.0.0.0/8 with commas between, not ${network}`);
  const { fieldOrigin } = config;
  if (fieldOrigin !== undefined && URL.parse(fieldOrigin)?.origin !== fieldOrigin)
    refuse("--field-origin", `must be an origin, such as https://field.example, not ${fieldOrigin}`);
  keyServiceOf(config);
  enrolmentOf(config);
  workerGateOf(config);
  pkiAddressOf(config);
  pkiLimitsOf(config);
  if (config.organisation !== undefined && !isIssuer(config.organisation))
    refuse("--organisation", `must be an https address, or http on this machine, not ${config.organisation}`);
  if (!isKeyOrigin(config.factoryKeys))
    refuse("--factory-keys", `must be random or derived, not ${config.factoryKeys}`);
  if (!isKeeping(config.meterKeys)) refuse("--meter-keys", `must be session, call or token, not ${config.meterKeys}`);
  if (config.meterKeys === "token" && config.tokensFile === undefined)
    refuse("--meter-keys", "token needs --tokens-file");
  if (config.databaseSuffix !== undefined && !/^[a-z0-9_]{1,20}$/.test(config.databaseSuffix)) {
    refuse("--database-suffix", "must be 1 to 20 of a-z, 0-9 and _");
  }
  return config;
}

/** Whether people can be sent to that provider: over a network only with TLS. */
function isIssuer(text: string): boolean {
  if (!URL.canParse(text)) return false;
  const { protocol, hostname } = new URL(text);
  return protocol === "https:" || (protocol === "http:" && ["localhost", "127.0.0.1", "[::1]"].includes(hostname));
}

/** Whether factory keys come from there. */
export function isKeyOrigin(text: string): text is "random" | "derived" {
  return text === "random" || text === "derived";
}

/** Whether that is a way to keep the working keys of meters. */
export function isKeeping(text: string): text is "session" | "call" | "token" {
  return text === "session" || text === "call" || text === "token";
}

/** The address of `--key-service`, where it is given. @throws {CliError} `option-invalid` */
export function keyServiceOf({ keyService }: Pick<StartConfig, "keyService">) {
  return addressOf("--key-service", keyService);
}

/** The address of `--worker-gate`, where it is given. @throws {CliError} `option-invalid` */
export function workerGateOf({ workerGate }: Pick<StartConfig, "workerGate">) {
  return addressOf("--worker-gate", workerGate);
}

/** The address of `--pki-address`, where it is given. @throws {CliError} `option-invalid` */
export function pkiAddressOf({ pkiAddress: text }: Pick<StartConfig, "pkiAddress">): string | undefined {
  if (text === undefined) return undefined;
  // Lists are signed, and whoever looks for them has no TLS yet (RFC 5280 clause 8).
  const isAddress = URL.canParse(text) && /^https?:$/.test(new URL(text).protocol) && /^[!-~]{1,200}$/.test(text);
  if (!isAddress || text.endsWith("/"))
    refuse("--pki-address", `must be an address without a slash at its end, as http://pki.example/pki, not ${text}`);
  return text;
}

/** The limits of `--pki-limits`. @throws {CliError} `option-invalid` */
export function pkiLimitsOf({ pkiLimits = "" }: Pick<StartConfig, "pkiLimits">) {
  return pkiLimits
    .split(",")
    .filter((part) => part.trim() !== "")
    .map((part) => {
      const [, requester, perDay] = /^\s*(\S.*?)\s*=\s*(\d{1,9})\s*$/.exec(part) ?? [];
      if (requester === undefined)
        refuse("--pki-limits", `must be names with a number each, as operator=100000, not ${part.trim()}`);
      return { requester, perDay: Number(perDay) };
    });
}

/** Where concentrators of the town and workers enrol, unless `--enrolment` says another address. */
const ENROLMENT_PORT = 8_424;

/** The address of `--enrolment`, where it is given, or where concentrators or workers enrol. @throws {CliError} `option-invalid` */
export function enrolmentOf(config: Pick<StartConfig, "enrolment" | "concentrators" | "workerGate">) {
  const { enrolment, concentrators } = config;
  const gate = workerGateOf(config);
  if (enrolment === undefined && gate !== undefined) return { ...gate, port: ENROLMENT_PORT };
  return addressOf("--enrolment", enrolment ?? (concentrators > 0 ? `127.0.0.1:${ENROLMENT_PORT}` : undefined));
}

function addressOf(option: string, text: string | undefined) {
  if (text === undefined) return undefined;
  const [, host = "", port = ""] = /^\[?([^\]]*)\]?:(\d{1,5})$/.exec(text) ?? [];
  if (isIP(host) === 0 || Number(port) > 65_535)
    refuse(option, `must be an address of this machine and a port, not ${text}`);
  return { host, port: Number(port) };
}

/** The networks of `--gateway-networks`; none at all is allowed. */
export function networksOf({ gatewayNetworks }: Pick<StartConfig, "gatewayNetworks">): string[] {
  return gatewayNetworks.split(",").flatMap((network) => (network.trim() === "" ? [] : [network.trim()]));
}

function isNetwork(text: string): boolean {
  const [base = "", bits = "", ...rest] = text.split("/");
  return (
    isIP(base) !== 0 && /^\d{1,3}$/.test(bits) && Number(bits) <= (isIP(base) === 4 ? 32 : 128) && rest.length === 0
  );
}

function parse(option: StartOption, text: string, source: string): string | number {
  if (option.kind !== "integer" && option.kind !== "number") return text;
  const value = Number(text);
  const fits = option.kind === "integer" ? Number.isSafeInteger(value) : Number.isFinite(value);
  if (!fits || value < option.minimum || value > option.maximum) {
    refuse(source, `must be a number from ${option.minimum} to ${option.maximum} (${option.unit}), not ${text}`);
  }
  return value;
}

function refuse(source: string, message: string): never {
  throw new CliError("option-invalid", `${source} ${message}`);
}
