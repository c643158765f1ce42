import assert from "node:assert/strict";
import { once } from "node:events";
import { type IncomingMessage, request } from "node:http";

const DAY = 86_400_000;

/** The billing office of the town writes something down: `/work-orders/ID` or `/accounts/METER`. */
export async function billingOffice(stateDirectory: string, path: string, body: unknown): Promise<void> {
  const sent = request({ socketPath: `${stateDirectory}/town/billing.sock`, method: "PUT", path });
  sent.end(JSON.stringify(body));
  const [response] = (await once(sent, "response")) as [IncomingMessage];
  response.resume();
  assert.equal(response.statusCode, 204);
}

/** A work order for these meters, from yesterday to tomorrow. */
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
    notAfter: new Date(Date.now() + DAY).toISOString(),
    cancelled,
  });
}
