import assert from "node:assert/strict";
import { verify } from "node:crypto";
import { once } from "node:events";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { type IncomingMessage, request } from "node:http";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { Weather } from "@meterkeep/meter";
import { billingBooks } from "./billing.ts";
import { type OfficeBooks, openOffice } from "./office.ts";
import { weatherBooks } from "./weather-office.ts";

interface Forecast {
  readonly lowestCelsius: number;
  readonly highestCelsius: number;
  readonly from: string;
  readonly until: string;
}

const NOON = Date.UTC(2026, 0, 20, 12) / 1000;

/** An office in a folder of its own, asked as a head-end does and written to as a clerk does. */
async function withOffice(
  books: OfficeBooks,
  body: (office: {
    readonly said: Readonly<Record<string, string>>;
    ask(path: string, nonce: string): Promise<{ readonly status: number; readonly value?: unknown }>;
    write(path: string, value: unknown): Promise<number>;
  }) => Promise<void>,
): Promise<void> {
  const folder = mkdtempSync(join(tmpdir(), "mk-office-"));
  const office = await openOffice(books, { stateDirectory: folder, exchangeDirectory: folder });
  const said = JSON.parse(readFileSync(join(folder, `${books.name}.json`), "utf8")) as Record<string, string>;
  try {
    await body({
      said,
      ask: async (path, nonce) => {
        const response = await fetch(new URL(path, said["address"]), { headers: { "x-nonce": nonce } });
        if (!response.ok) return { status: response.status };
        const octets = Buffer.from(await response.arrayBuffer());
        const signature = Buffer.from(response.headers.get("x-signature") ?? "", "base64");
        const isSigned = (of: string): boolean =>
          verify(
            "sha256",
            Buffer.concat([Buffer.from(`${of}\n`), octets]),
            { key: said["publicKey"] ?? "", dsaEncoding: "ieee-p1363" },
            signature,
          );
        assert.deepEqual([isSigned(nonce), isSigned("another")], [true, false]);
        return { status: response.status, value: JSON.parse(octets.toString("utf8")) };
      },
      write: async (path, value) => {
        const sent = request({ socketPath: join(folder, `${books.name}.sock`), method: "PUT", path });
        sent.end(JSON.stringify(value));
        const [response] = (await once(sent, "response")) as [IncomingMessage];
        response.resume();
        return response.statusCode ?? 0;
      },
    });
  } finally {
    await office.close();
    rmSync(folder, { recursive: true, force: true });
  }
}

test("the weather office says of the next 24 hours what the homes feel, signed for the question, until a clerk writes something else", () =>
  withOffice(
    weatherBooks(new Weather(7), () => NOON),
    async ({ said, ask, write }) => {
      assert.equal(said["place"], "town");
      const { value } = await ask("/forecasts/town", "abc");
      const { lowestCelsius, highestCelsius, from, until } = value as Forecast;
      const felt = new Weather(7).extremesAfter(NOON);
      assert.ok(Math.abs(lowestCelsius - felt.lowest) < 0.051 && Math.abs(highestCelsius - felt.highest) < 0.051);
      assert.ok(lowestCelsius < highestCelsius);
      assert.equal(Date.parse(until) - Date.parse(from), 86_400_000);
      assert.equal((await ask("/forecasts/elsewhere", "abc")).status, 404);
      assert.equal(await write("/forecasts/elsewhere", {}), 404);
      assert.equal(await write("/forecasts/town", { lowestCelsius: -9, highestCelsius: 1 }), 204);
      assert.equal(((await ask("/forecasts/town", "abd")).value as Forecast).lowestCelsius, -9);
    },
  ));

test("the billing office knows the orders that were written, and none besides", () =>
  withOffice(billingBooks(), async ({ ask, write }) => {
    assert.equal((await ask("/work-orders/WO-1", "abc")).status, 404);
    assert.equal(await write("/work-orders/WO-1", { reason: "safety", meters: [] }), 204);
    assert.deepEqual((await ask("/work-orders/WO-1", "abc")).value, { id: "WO-1", reason: "safety", meters: [] });
  }));
