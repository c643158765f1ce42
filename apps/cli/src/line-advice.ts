/** What whoever types a command can do about a line that does not carry, by the codes of package dlms-node and of the link. */
const ADVICE: Readonly<Record<string, string>> = {
  "connection-failed":
    "check address and port, and that the meter or its gateway is on: some take calls at certain times only, and one client at a time",
  "connect-timeout":
    "check the address: a firewall may drop what is sent there, or the meter is busy with another client; --timeout waits longer",
  "connection-closed":
    "a meter that closes at once may have another client, or speak something else: try --link hdlc or --link wrapper",
  "response-timeout":
    "check --client, --server and --link: many meters are silent to those they do not know; --timeout waits longer",
  "frame-malformed": "the port may speak HDLC (--link hdlc), or no DLMS",
  "line-silent": "check --client, --server, --physical, the line's settings and the cable",
  "line-refused": "check --client and --server; another client may hold the meter",
};

/** That, behind what happened; nothing where a code says enough. */
export function adviceOn(code: string): string {
  const advice = Object.hasOwn(ADVICE, code) ? ADVICE[code] : undefined;
  return advice === undefined ? "" : `; ${advice}`;
}
