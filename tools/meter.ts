/**
 * `npm run meter -- --model FILE [--port N]`: a virtual meter made from the object model of a real one, on a TCP port with
 * the wrapper. `--check` reads it whole with our own client and ends.
 */
import { readFileSync } from "node:fs";
import { parseArgs } from "node:util";
import { localAssociator, openSession, openShortNameSession } from "../packages/dlms/src/index.ts";
import { connectWrapper, listenWrapper } from "../packages/dlms-node/src/index.ts";
import {
  MODEL_CLIENTS,
  ModelMeter,
  parseMeterFile,
  readWhole,
  type WholeReading,
} from "../packages/meter/src/index.ts";

const USAGE = `npm run meter -- --model FILE [options]
  --model FILE        object model of a meter (docs/formats/meter-models.md)
  --port N            TCP port; 4059 unless given, 0 for any
  --host HOST         address to listen on; 127.0.0.1 unless given
  --clients N,N       service access points of its clients; ${MODEL_CLIENTS.join(",")} unless given
  --password TEXT     low level security with this password; none unless given
  --check             read it whole over TCP with our client, print what came of it, and end`;

const { values } = parseArgs({
  options: {
    model: { type: "string" },
    port: { type: "string", default: "4059" },
    host: { type: "string", default: "127.0.0.1" },
    clients: { type: "string" },
    password: { type: "string" },
    check: { type: "boolean", default: false },
    help: { type: "boolean", default: false },
  },
});

/** Starts the meter, or says what is missing. */
async function main(): Promise<number> {
  const { model, host, password } = values;
  if (values.help || model === undefined) {
    console.log(USAGE);
    return values.help ? 0 : 2;
  }
  const clients = values.clients?.split(",").map(Number);
  const file = parseMeterFile(JSON.parse(readFileSync(model, "utf8")));
  const meter = new ModelMeter({
    file,
    now: Date.now,
    ...(clients === undefined ? {} : { clients }),
    ...(password === undefined ? {} : { password }),
  });
  for (const notice of meter.notices) console.log(`! ${notice}`);
  const listener = await listenWrapper({ server: meter.server, host, port: Number(values.port), maxConnections: 16 });
  console.log(
    `${file.source === "" ? model : file.source}: ${meter.objects.length} objects by ${file.referencing}s on ${listener.host}:${listener.port}`,
  );
  if (!values.check) return new Promise(() => {});
  const [clientSap = 16] = clients ?? [16];
  const reading = await readOver(meter, listener, clientSap);
  await listener[Symbol.asyncDispose]();
  const { objects, read, raw, refused, problems } = reading;
  for (const problem of problems) console.log(`! ${problem}`);
  console.log(
    `read ${objects} objects: ${read} attributes as declared, ${raw} raw, ${refused} refused, ${problems.length} problems`,
  );
  return problems.length === 0 ? 0 : 1;
}

async function readOver(
  meter: ModelMeter,
  { host, port }: { readonly host: string; readonly port: number },
  clientSap: number,
): Promise<WholeReading> {
  await using line = await connectWrapper({ host, port, clientSap, serverSap: 1 });
  const exchange = line.exchange;
  const authentication =
    values.password === undefined
      ? ({ kind: "none" } as const)
      : ({ kind: "lls", password: new TextEncoder().encode(values.password) } as const);
  await using session =
    meter.file.referencing === "short-name"
      ? await openShortNameSession({
          exchange,
          associator: localAssociator({ authentication, referencing: "short-name" }),
        })
      : await openSession({ exchange, associator: localAssociator({ authentication }) });
  return await readWhole(session);
}

process.exitCode = await main();
