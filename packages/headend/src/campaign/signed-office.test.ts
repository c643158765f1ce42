import assert from "node:assert/strict";
import { generateKeyPairSync, sign } from "node:crypto";
import { once } from "node:events";
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { test } from "node:test";
import { signedOffice } from "./signed-office.ts";
import { httpWeather } from "./weather.ts";

const NOW = Date.UTC(2026, 10, 18, 10);
const HOUR = 3_600_000;
const { privateKey, publicKey } = generateKeyPairSync("ec", { namedCurve: "P-256" });
const pem = publicKey.export({ format: "pem", type: "spki" }).toString();

/** What an office signs for a nonce. */
function signed(nonce: unknown, value: unknown, key = privateKey) {
  const octets = Buffer.from(JSON.stringify(value));
  const message = Buffer.concat([Buffer.from(`${String(nonce)}\n`), octets]);
  return { octets, signature: sign("sha256", message, { key, dsaEncoding: "ieee-p1363" }).toString("base64") };
}

/** An office over HTTP that does with each question what a test wants. */
async function office(answer: (request: IncomingMessage, response: ServerResponse) => void) {
  const server = createServer(answer).listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address() as AddressInfo;
  return {
    address: `http://127.0.0.1:${port}`,
    [Symbol.asyncDispose]: async () => {
      server.closeAllConnections();
      server.close();
      await once(server, "close");
    },
  };
}

const says =
  (value: unknown, key = privateKey) =>
  ({ headers }: IncomingMessage, response: ServerResponse): void => {
    const { octets, signature } = signed(headers["x-nonce"], value, key);
    response.writeHead(200, { "x-signature": signature }).end(octets);
  };

const at = (milliseconds: number): string => new Date(milliseconds).toISOString();
const forecast = {
  place: "town",
  from: at(NOW - HOUR),
  until: at(NOW + 24 * HOUR),
  lowestCelsius: -3.5,
  highestCelsius: 2,
};

test("an office is believed for the question that it was asked, and no recorded answer, other key or changed octet is", async () => {
  await using honest = await office(says({ debt: 1 }));
  assert.deepEqual(await signedOffice("billing system", honest.address, pem)("/accounts"), { debt: 1 });
  const recorded = signed("00".repeat(16), { debt: 1 });
  const other = generateKeyPairSync("ec", { namedCurve: "P-256" }).privateKey;
  const liars: readonly Parameters<typeof office>[0][] = [
    (_, response) => response.writeHead(200, { "x-signature": recorded.signature }).end(recorded.octets),
    says({ debt: 1 }, other),
    ({ headers }, response) => {
      const { signature } = signed(headers["x-nonce"], { debt: 1 });
      response.writeHead(200, { "x-signature": signature }).end(JSON.stringify({ debt: 2 }));
    },
    (_, response) => response.end(JSON.stringify({ debt: 1 })),
    (_, response) => response.writeHead(302, { location: honest.address }).end(),
    (_, response) => response.writeHead(503).end(),
  ];
  for (const liar of liars) {
    await using line = await office(liar);
    await assert.rejects(signedOffice("billing system", line.address, pem)("/accounts", { meters: [] }));
  }
  await using empty = await office((_, response) => response.writeHead(404).end());
  assert.equal(await signedOffice("billing system", empty.address, pem)("/work-orders/1"), undefined);
});

test("MC-08: a forecast is of the place that was asked for and of now, or it is none", async () => {
  const asked = async (value: unknown) => {
    await using line = await office(says(value));
    return await httpWeather({ address: line.address, publicKey: pem, place: "town" }, () => NOW).forecast();
  };
  assert.deepEqual(await asked(forecast), { until: NOW + 24 * HOUR, lowestCelsius: -3.5, highestCelsius: 2 });
  for (const change of [
    { place: "elsewhere" },
    { from: at(NOW + HOUR) },
    { until: at(NOW) },
    { until: "soon" },
    { lowestCelsius: "warm" },
    { highestCelsius: undefined },
  ])
    await assert.rejects(asked({ ...forecast, ...change }), JSON.stringify(change));
});
