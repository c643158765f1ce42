import { enrolmentOf, keyServiceOf, type StartConfig, workerGateOf } from "./start-config.ts";

/** Where somebody comes in, and who. */
export interface Listening {
  readonly address: string;
  readonly who: string;
}

/** Where Meterkeep listens by the options of this start, besides its console, the custodian's own page and the push port. */
export function listeningOf(config: StartConfig): Listening[] {
  const { fieldPort, fieldOrigin = `http://localhost:${fieldPort}`, callPort, callTlsPort, listen: host } = config;
  const called = (port: number | undefined) => (port === undefined ? undefined : { host, port });
  return [
    ...(fieldPort === undefined ? [] : [{ address: fieldOrigin, who: "technicians with their handhelds" }]),
    ...at(keyServiceOf(config), "head-ends of other vendors, over mutual TLS"),
    ...at(called(callPort), "meters that call"),
    ...at(called(callTlsPort), "meters that call, over mutual TLS"),
    ...at(workerGateOf(config), "workers on other machines, over mutual TLS"),
    ...at(enrolmentOf(config), "whoever enrols for a certificate, over EST"),
  ];
}

function at(place: { readonly host: string; readonly port: number } | undefined, who: string): Listening[] {
  if (place === undefined) return [];
  const { host, port } = place;
  return [{ address: `${host.includes(":") ? `[${host}]` : host}:${port}`, who }];
}
