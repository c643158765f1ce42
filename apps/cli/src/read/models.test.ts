// Object models of 28 meters that exist, each served over TCP and read as a newcomer would.
import assert from "node:assert/strict";
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { after, describe, test } from "node:test";
import { listenWrapper } from "@meterkeep/dlms-node";
import { ModelMeter, parseMeterFile } from "@meterkeep/meter";
import { run } from "../program.ts";
import { scratchTerminal } from "../testing/scratch-terminal.ts";
import { sharedFolder } from "../testing/shared-folder.ts";
import type { MeterRead } from "./meter-read.ts";

const MODELS = sharedFolder("models");
const NOW = Date.parse("2026-11-21T06:07:08Z");

const directory = mkdtempSync(`${tmpdir()}/mk-models-`);
after(() => rmSync(directory, { recursive: true }));

const SHORT_NAMES = `${directory}/short-names.json`;
writeFileSync(
  SHORT_NAMES,
  JSON.stringify({
    family: "Meters of short names",
    sources: ["their object models"],
    profiles: [
      { id: "short", title: "By short names", services: { shortNames: true }, transport: { kinds: ["wrapper-tcp"] } },
    ],
  }),
);

const files = existsSync(MODELS) ? readdirSync(MODELS).filter((name) => name.endsWith(".json")) : [];

/** Every other meter of short names is told of by a profile; the rest have to be found out. */
const told = (name: string) => files.indexOf(name) % 2 === 0;

describe("meters that exist", { skip: files.length === 0 && "the folder of models is not there" }, () => {
  for (const name of files)
    test(`${name} is read whole`, async () => {
      const file = parseMeterFile(JSON.parse(readFileSync(`${MODELS}${name}`, "utf8")));
      const meter = new ModelMeter({ file, now: () => NOW });
      await using listener = await listenWrapper({ server: meter.server });
      const terminal = scratchTerminal({ XDG_STATE_HOME: directory });
      const profile = file.referencing === "short-name" && told(name) ? ["--profile", SHORT_NAMES] : [];
      const status = await run(terminal, ["read", `tcp://${listener.host}:${listener.port}`, ...profile, "--json"]);
      assert.equal(status, 0, terminal.err());
      const { objects, readings } = JSON.parse(terminal.out()) as MeterRead;
      assert.ok(objects.length >= file.objects.length / 2, `${objects.length} of ${file.objects.length} objects`);
      assert.ok(readings.length > 0);
      for (const reading of readings) assert.ok(reading.obis !== "" && reading.name !== "", JSON.stringify(reading));
    });
});
