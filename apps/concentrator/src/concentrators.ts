import { chmodSync, renameSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import type { SupervisedProcess, Supervisor } from "@meterkeep/api/supervised";
import { type ConcentratorConfig, concentratorIdentityFile } from "@meterkeep/api/supervisor";
import { OwnIdentity } from "@meterkeep/pki";
import { Concentrator } from "./concentrator.ts";
import { openControl } from "./control.ts";
import { MeterPlaces } from "./meter-places.ts";

/** How often certificates are looked at. */
const RENEWAL_MILLISECONDS = 6 * 3_600_000;

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
  const place = { ...config.enrolment, authorities: config.authorities };
  const identities = new Map<string, OwnIdentity>();
  for (const [at, { name, password }] of config.concentrators.entries()) {
    const own = titles.slice(at * config.metersEach, (at + 1) * config.metersEach);
    const served = new Set(own);
    const file = join(config.stateDirectory, concentratorIdentityFile(name));
    const identity = await OwnIdentity.open({ file, name, place, password, now: Date.now });
    identities.set(name, identity);
    const concentrator = stack.use(
      new Concentrator({
        name,
        host: config.host,
        port: 0,
        ...identity.current,
        headEnd: config.headEnd,
        find: async (address) => (served.has(address) ? places.find(address) : undefined),
      }),
    );
    const { port, pushPort } = await concentrator.listen();
    concentrators.set(name, concentrator);
    const meters = own.map((systemTitle) => ({ systemTitle, networkId: 0, physicalAddress: systemTitle }));
    told.push({ name, host: config.host, port, pushPort, meters });
  }
  const renewal = setInterval(() => void renew(identities, concentrators), RENEWAL_MILLISECONDS);
  stack.defer(() => clearInterval(renewal));
  await renew(identities, concentrators);
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

/** What cannot be renewed now goes on with what it has: there is a third of its time left to try again. */
async function renew(
  identities: ReadonlyMap<string, OwnIdentity>,
  concentrators: ReadonlyMap<string, Concentrator>,
): Promise<void> {
  for (const [name, identity] of identities)
    try {
      if (await identity.tend()) concentrators.get(name)?.renew(identity.current);
    } catch (error) {
      process.stdout.write(`${name}: ${(error as Error).message}\n`);
    }
}
