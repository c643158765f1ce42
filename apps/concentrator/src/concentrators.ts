import { chmodSync, renameSync, writeFileSync } from "node:fs";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import type { SupervisedProcess, Supervisor } from "@meterkeep/api/supervised";
import type { ConcentratorConfig } from "@meterkeep/api/supervisor";
import { Concentrator } from "./concentrator.ts";
import { openControl } from "./control.ts";
import { MeterPlaces } from "./meter-places.ts";

/** Starts the concentrators of a town, shares out the meters in the field among them, and says in concentrators.json who is where. */
export async function startConcentrators(
  config: ConcentratorConfig,
  supervisor: Supervisor,
): Promise<SupervisedProcess> {
  await using stack = new AsyncDisposableStack();
  const places = new MeterPlaces(config.exchangeDirectory);
  const titles = await places.inField();
  const concentrators = new Map<string, Concentrator>();
  const told: object[] = [];
  for (const [at, { name, keyFile, certificate }] of config.concentrators.entries()) {
    const own = titles.slice(at * config.metersEach, (at + 1) * config.metersEach);
    const served = new Set(own);
    const concentrator = stack.use(
      new Concentrator({
        name,
        host: config.host,
        port: 0,
        privateKey: await readFile(keyFile, "utf8"),
        certificate,
        authorities: config.authorities,
        headEnd: config.headEnd,
        find: async (address) => (served.has(address) ? places.find(address) : undefined),
      }),
    );
    const { port, pushPort } = await concentrator.listen();
    concentrators.set(name, concentrator);
    const meters = own.map((systemTitle) => ({ systemTitle, networkId: 0, physicalAddress: systemTitle }));
    told.push({ name, host: config.host, port, pushPort, meters });
  }
  const control = await openControl(join(config.stateDirectory, "control.sock"), concentrators);
  stack.defer(() => control.close());
  const file = join(config.exchangeDirectory, "concentrators.json");
  writeFileSync(`${file}.tmp`, JSON.stringify({ concentrators: told }));
  // Others read it, whatever this process's umask keeps from them.
  chmodSync(`${file}.tmp`, 0o644);
  renameSync(`${file}.tmp`, file);
  const behind = Math.min(titles.length, concentrators.size * config.metersEach);
  supervisor.send({ type: "ready", facts: { concentrators: concentrators.size, meters: behind } });
  const running = stack.move();
  return { close: () => running.disposeAsync() };
}
