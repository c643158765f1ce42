/**
 * `npm run bench -- rotation [-- --rotations N] [--custodian N]`: crosses every crash of ours with every crash of the meter, for every set
 * of purposes, in arrays and one by one, and counts what became of the meters. Ends with status 1 when one is stranded, or
 * a key forgotten. With `--custodian` as many rotations go through the custodian as it is in service, octet by octet, struck at
 * every commit of it while the meter is struck at its APDUs.
 */
import { memoryCustodyStore } from "../src/store/memory-store.ts";
import { crossings, RotatedMeter } from "../src/testing/crossed-rotations.ts";
import { MOST_APART, rotationFaults, simulate } from "../src/testing/rotation-simulation.ts";
import { withTestCustody } from "../src/testing/test-custody.ts";

const wanted = Number(process.argv[process.argv.indexOf("--rotations") + 1] || Number.NaN);
const all = rotationFaults();
const apart = Number.isFinite(wanted) ? Math.max(1, Math.floor(all.length / wanted)) : 1;
const chosen = rotationFaults(Math.min(apart, MOST_APART));
const begun = performance.now();
const { rotations, proven, struckTwice, contacts, mostContacts, stranded, forgotten } = simulate(chosen);
const seconds = (performance.now() - begun) / 1000;
const caught = rotations - proven - stranded.length - forgotten.length;
console.log(`faulted rotations   ${rotations} (of ${all.length} crossings) in ${seconds.toFixed(1)} s`);
console.log(`struck by both      ${struckTwice}`);
console.log(`proven              ${proven}`);
console.log(`ended as refused    ${caught} (the meter said it twice and did it never)`);
console.log(`stranded            ${stranded.length}`);
console.log(`with a lost key     ${forgotten.length}`);
console.log(`contacts            ${(contacts / rotations).toFixed(2)} a rotation, ${mostContacts} at most`);
for (const line of [...stranded, ...forgotten].slice(0, 20)) console.log(`  ${line}`);
if (stranded.length + forgotten.length > 0) process.exitCode = 1;

const through = Number(process.argv[process.argv.indexOf("--custodian") + 1] || Number.NaN);
if (process.argv.includes("--custodian") && Number.isFinite(through)) await throughTheCustodian(through);

/** Rotations through the real custodian: one meter of a kind with everything for each hundred of them. */
async function throughTheCustodian(count: number): Promise<void> {
  const since = performance.now();
  const wrong: string[] = [];
  let [done, deaths, meters] = [0, 0, 0];
  let every = 0;
  while (done < count)
    await withTestCustody(async (custody) => {
      meters += 1;
      const one = await RotatedMeter.open(custody, meters);
      const all = crossings(await one.rotate(undefined));
      every = all.length;
      const apart = Math.max(1, Math.floor(all.length / count)) | 1;
      for (let turn = 0; turn < 100 && done < count; turn += 1) {
        const struck = all[(done * apart) % all.length];
        await one.rotate(struck).then(
          ({ crashes }) => {
            deaths += crashes;
          },
          (error: unknown) => wrong.push(String(error)),
        );
        done += 1;
      }
    }, memoryCustodyStore());
  console.log(
    `through the custodian ${done} of ${every} crossings, ${meters} meters, it died ${deaths} times, in ${((performance.now() - since) / 1000).toFixed(1)} s`,
  );
  console.log(`stranded or lost    ${wrong.length}`);
  for (const line of wrong.slice(0, 20)) console.log(`  ${line}`);
  if (wrong.length > 0) process.exitCode = 1;
}
