import type { ApduServer } from "@meterkeep/dlms-node";
import type { MeterConnection } from "@meterkeep/meter";
import type { BenchMeter } from "@meterkeep/meter/testing";

/** What a meter on the bench answers on a socket, or to whoever holds its connection. */
export function served(bench: BenchMeter): ApduServer<MeterConnection> {
  const following = new WeakMap<MeterConnection, readonly Uint8Array[]>();
  return {
    connect: (client, server) => bench.meter.connect(client, server),
    handle: (connection, apdu) => {
      const answer = bench.meter.serve(connection, apdu);
      bench.memory.commit();
      following.set(connection, answer.following ?? []);
      return answer.response;
    },
    following: (connection) => following.get(connection) ?? [],
    disconnect: (connection) => bench.meter.disconnect(connection),
  };
}
