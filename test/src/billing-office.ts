import assert from "node:assert/strict";
import { once } from "node:events";
import { type IncomingMessage, request } from "node:http";

const DAY = 86_400_000;

/** The billing office of the town writes something down: `/work-orders/ID` or `/accounts/METER`. */
export function billingOffice(stateDirectory: string, path: string, body: unknown): Promise<void> {
  return written(`${stateDirectory}/town/billing.sock`, path, body);
}

/** The weather office of the town says this of the next 24 hours from now on. */
export function forecast(stateDirectory: string, lowestCelsius: number, highestCelsius: number): Promise<void> {
  return written(`${stateDirectory}/town/weather.sock`, "/forecasts/town", { lowestCelsius, highestCelsius });
}

async function written(socketPath: string, path: string, body: unknown): Promise<void> {
  const sent = request({ socketPath, method: "PUT", path });
  sent.end(JSON.stringify(body));
  const [response] = (await once(sent, "response")) as [IncomingMessage];
  response.resume();
  assert.equal(response.statusCode, 204);
}

/** A work order for these meters, from yesterday to next week. */
export function workOrder(
  stateDirectory: string,
  id: string,
  reason: string,
  meters: readonly string[],
  cancelled = false,
): Promise<void> {
  return billingOffice(stateDirectory, `/work-orders/${id}`, {
    reason,
    meters,
    notBefore: new Date(Date.now() - DAY).toISOString(),
    notAfter: new Date(Date.now() + 8 * DAY).toISOString(),
    cancelled,
  });
}
