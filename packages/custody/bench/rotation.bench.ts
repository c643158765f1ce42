/**
 * `npm run bench -- rotation [-- --rotations N]`: crosses every crash of ours with every crash of the meter, for every set
 * of purposes, in arrays and one by one, and counts what became of the meters. Ends with status 1 when one is stranded, or
 * a key forgotten.
 */
import { rotationFaults, simulate } from "../src/testing/rotation-simulation.ts";

const wanted = Number(process.argv[process.argv.indexOf("--rotations") + 1] || Number.NaN);
const all = rotationFaults();
const step = Number.isFinite(wanted) ? Math.max(1, Math.floor(all.length / wanted)) : 1;
const chosen = all.filter((_, at) => at % step === 0);
const begun = performance.now();
const { rotations, proven, contacts, mostContacts, stranded, forgotten } = simulate(chosen);
const seconds = (performance.now() - begun) / 1000;
const caught = rotations - proven - stranded.length - forgotten.length;
console.log(`faulted rotations   ${rotations} (of ${all.length} crossings) in ${seconds.toFixed(1)} s`);
console.log(`proven              ${proven}`);
console.log(`ended as refused    ${caught} (the meter said it twice and did it never)`);
console.log(`stranded            ${stranded.length}`);
console.log(`with a lost key     ${forgotten.length}`);
console.log(`contacts            ${(contacts / rotations).toFixed(2)} a rotation, ${mostContacts} at most`);
for (const line of [...stranded, ...forgotten].slice(0, 20)) console.log(`  ${line}`);
if (stranded.length + forgotten.length > 0) process.exitCode = 1;
