/**
 * `npm run meter -- --model FILE [--port N]`: a virtual meter made from the object model of a real one, on a TCP port with
 * the wrapper or HDLC. `--check` reads it whole with our own client and ends.
 */
import { existsSync, readFileSync } from "node:fs";
import { parseArgs } from "node:util";
import {
  BUILT_IN_PROFILES,
  fromHex,
  localAssociator,
  openSession,
  openShortNameSession,
  parseLayoutFile,
  resolveProfile,
  systemTitle,
} from "../packages/dlms/src/index.ts";
import { connectHdlc, connectWrapper, listenHdlc, listenWrapper } from "../packages/dlms-node/src/index.ts";
import {
  MODEL_CLIENTS,
  type ModelClient,
  ModelMeter,
  ModelSecurity,
  mischief,
  parseMeterFile,
  parseMischief,
  readWhole,
  type WholeReading,
} from "../packages/meter/src/index.ts";

const USAGE = `npm run meter -- --model FILE [options]
  --model FILE        object model of a meter (docs/formats/meter-models.md)
  --hdlc              HDLC over TCP instead of the wrapper, logical device 1
  --port N            TCP port; 4059 unless given, 0 for any
  --host HOST         address to listen on; 127.0.0.1 unless given
  --profile ID|FILE   the clients of a meter profile (docs/formats/layouts.md); without it the clients
                      ${MODEL_CLIENTS.map(({ sap }) => sap).join(", ")} associate without security
  --password TEXT     password of clients with low level security
  --keys FILE         JSON with globalUnicastEncryptionKey, authenticationKey, keyEncryptionKey and systemTitle in hex,
                      for clients with GMAC
  --misbehave PLAN    what answers suffer, in per cent: drop=10,delay=5,reorder,duplicate,truncate,reset
  --lie               acknowledge what is written and called, and do nothing
  --block-quirks      take long requests in general blocks from Gurux's clients too (docs/interoperability.md)
  --clock SECONDS     let the clock be wrong
  --counter N         let the counter of what it sends, with --keys, begin at N
  --check             read it whole over TCP with our client, print what came of it, and end`;

const OPTIONS = {
  options: {
    model: { type: "string" },
    port: { type: "string", default: "4059" },
    host: { type: "string", default: "127.0.0.1" },
    hdlc: { type: "boolean", default: false },
    profile: { type: "string" },
    password: { type: "string" },
    keys: { type: "string" },
    misbehave: { type: "string" },
    lie: { type: "boolean", default: false },
    "block-quirks": { type: "boolean", default: false },
    clock: { type: "string" },
    counter: { type: "string" },
    check: { type: "boolean", default: false },
    help: { type: "boolean", default: false },
  },
} as const;

/** How the clients of Gurux Java and Python depart from general block transfer. */
const GURUX_CLIENTS = { wantsLastBlockInConfirmations: true, confirmsAllAs65535: true } as const;

type Options = ReturnType<typeof parseArgs<typeof OPTIONS>>["values"];

/** Starts the meter, or says what is missing. */
async function main(): Promise<number> {
  const { values } = parseArgs(OPTIONS);
  const { model, host, password } = values;
  if (values.help || model === undefined) {
    console.log(USAGE);
    return values.help ? 0 : 2;
  }
  const port = wholeNumber("port", values.port);
  const wrongBySeconds = wholeNumber("clock", values.clock ?? "0");
  const clients = clientsOf(values.profile);
  const security = values.keys === undefined ? undefined : securityFrom(values.keys);
  const file = parseMeterFile(jsonIn(model));
  const meter = new ModelMeter({
    file,
    now: Date.now,
    clients,
    ...(password === undefined ? {} : { password }),
    ...(security === undefined ? {} : { security }),
    ...(values["block-quirks"] ? { options: { blockQuirks: GURUX_CLIENTS } } : {}),
  });
  meter.lies = values.lie;
  if (values.counter !== undefined) security?.rollCounter(wholeNumber("counter", values.counter));
  if (wrongBySeconds !== 0) meter.clock.set(meter.clock.now() + wrongBySeconds * 1000);
  for (const notice of meter.notices) console.log(`! ${notice}`);
  const served = {
    server: meter.server,
    host,
    port,
    maxConnections: 16,
    ...(values.misbehave === undefined
      ? {}
      : {
          transmit: mischief(parseMischief(values.misbehave), {
            random: Math.random,
            later: (work, milliseconds) => void setTimeout(work, milliseconds),
          }),
        }),
  };
  const listener = await (values.hdlc ? listenHdlc({ ...served, logicalDevices: [1] }) : listenWrapper(served));
  const name = file.source === "" ? model : file.source;
  console.log(`${name}: ${meter.objects.length} objects by ${file.referencing}s on ${listener.host}:${listener.port}`);
  console.log(`clients: ${clients.map(({ sap, authentication }) => `${sap} (${authentication})`).join(", ")}`);
  if (!values.check) return new Promise(() => {});
  const reading = await readOver(meter, listener, clients, values);
  await listener[Symbol.asyncDispose]();
  const { objects, read, raw, refused, problems } = reading;
  for (const problem of problems) console.log(`! ${problem}`);
  console.log(
    `read ${objects} objects: ${read} attributes as declared, ${raw} raw, ${refused} refused, ${problems.length} problems`,
  );
  return problems.length === 0 ? 0 : 1;
}

function jsonIn(path: string): unknown {
  let text: string;
  try {
    text = readFileSync(path, "utf8");
  } catch (cause) {
    throw new Error(`${path} cannot be read: ${(cause as Error).message}`, { cause });
  }
  try {
    return JSON.parse(text);
  } catch (cause) {
    throw new Error(`${path} is no JSON: ${(cause as Error).message}`, { cause });
  }
}

function wholeNumber(option: string, text: string): number {
  const value = Number(text);
  if (text.trim() === "" || !Number.isInteger(value))
    throw new Error(`--${option} takes a whole number, not "${text}"`);
  return value;
}

/** The clients of a profile, by its id or from a file with one profile or more: the first counts. */
function clientsOf(profile: string | undefined): readonly ModelClient[] {
  if (profile === undefined) return MODEL_CLIENTS;
  const own = existsSync(profile) ? parseLayoutFile(jsonIn(profile)).profiles : [];
  const { clients = [] } = resolveProfile(own[0]?.id ?? profile, [...own, ...BUILT_IN_PROFILES]);
  return clients.flatMap(({ sap, name, authentication }): ModelClient[] => {
    if (authentication === "none" || authentication === "lls") return [{ sap, authentication }];
    if (authentication === "hls-gmac") return [{ sap, authentication: "gmac" }];
    console.log(`! client ${sap} (${name}) uses ${authentication}, which this meter does not offer; left out`);
    return [];
  });
}

function securityFrom(path: string): ModelSecurity {
  const keys = jsonIn(path) as Record<string, string>;
  const octets = (name: string): Uint8Array => {
    const text = keys[name];
    if (text === undefined) throw new Error(`${path} has no ${name}`);
    return fromHex(text);
  };
  return new ModelSecurity(systemTitle(octets("systemTitle")), {
    globalUnicastEncryptionKey: octets("globalUnicastEncryptionKey"),
    authenticationKey: octets("authenticationKey"),
    keyEncryptionKey: octets("keyEncryptionKey"),
  });
}

async function readOver(
  meter: ModelMeter,
  { host, port }: { readonly host: string; readonly port: number },
  clients: readonly ModelClient[],
  { password, hdlc }: Options,
): Promise<WholeReading> {
  const client = clients.find(({ authentication }) => authentication !== "gmac");
  if (client === undefined) throw new Error("--check needs a client without keys");
  await using line = hdlc
    ? await connectHdlc({ host, port, clientAddress: client.sap, server: { logicalDevice: 1 } })
    : await connectWrapper({ host, port, clientSap: client.sap, serverSap: 1 });
  const exchange = line.exchange;
  const authentication =
    client.authentication === "none"
      ? ({ kind: "none" } as const)
      : ({ kind: "lls", password: new TextEncoder().encode(password ?? "") } as const);
  await using session =
    meter.file.referencing === "short-name"
      ? await openShortNameSession({
          exchange,
          associator: localAssociator({ authentication, referencing: "short-name" }),
        })
      : await openSession({ exchange, associator: localAssociator({ authentication }) });
  return await readWhole(session);
}

try {
  process.exitCode = await main();
} catch (error) {
  const { code } = error as { readonly code?: string };
  console.error(
    `meter: ${error instanceof Error ? error.message : String(error)}${code === undefined ? "" : ` (${code})`}`,
  );
  process.exitCode = 2;
}
