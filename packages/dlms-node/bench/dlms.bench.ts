import { parseArgs } from "node:util";
import { benchImport } from "./import-cost.ts";
import { benchLoopback } from "./loopback.ts";
import { benchProfile } from "./profile.ts";
import { benchProtection } from "./protection.ts";
import { benchRefusal } from "./refusal.ts";
import { benchRoundTrip } from "./round-trip.ts";
import { startBenchMeter } from "./start-meter.ts";
import { benchStreaming } from "./streaming.ts";

// Everything about the speed of the library, all ratios in one run. Other programs are put beside ours by
//   --peer-server "NAME=tcp://127.0.0.1:4063?client=1&object=1.0.1.8.0.255&counter=1"
//       a server that is running, a register of it, and a counter that it has not seen
//   --peer-client "NAME=COMMAND"
//       a program that associates with the meter at {port} and reads the register again and again
// Both speak the wrapper, mechanism 5, suite 0, authenticated and encrypted, with the keys in start-meter.ts.

const { values } = parseArgs({
  options: {
    rounds: { type: "string", default: "400" },
    seconds: { type: "string", default: "3" },
    "peer-server": { type: "string", multiple: true, default: [] },
    "peer-client": { type: "string", multiple: true, default: [] },
  },
});
const seconds = Number(values.seconds);

benchProtection(Number(values.rounds));
benchProfile(seconds / 3);
benchRefusal();
benchRoundTrip();
await using meter = await startBenchMeter();
await benchStreaming(meter);
await benchLoopback(meter, { seconds, servers: values["peer-server"], clients: values["peer-client"] });
benchImport();
