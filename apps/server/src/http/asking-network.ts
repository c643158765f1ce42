import { isIPv4, isIPv6 } from "node:net";

/** An IPv4 address that stands in an IPv6 one, as a socket for both says it. */
const MAPPED = /^::ffff:(\d+\.\d+\.\d+\.\d+)$/i;

/**
 * From which network somebody asks (MC-16): /24 of IPv4, /48 of IPv6, always written alike.
 *
 * @param address as the socket has it; the admin socket, a path, has none, whatever the type of a request says
 * @returns "" for this machine itself, and for what is no address
 */
export function askingNetwork(address: string | undefined): string {
  const plain = address?.split("%", 1)[0] ?? "";
  const four = MAPPED.exec(plain)?.[1] ?? plain;
  if (isIPv4(four)) return four.startsWith("127.") ? "" : `${four.split(".").slice(0, 3).join(".")}.0/24`;
  if (!isIPv6(plain)) return "";
  const groups = groupsOf(plain);
  const isThisMachine = groups.slice(0, -1).every((group) => group === 0) && groups.at(-1) === 1;
  if (isThisMachine) return "";
  const [first = 0, second = 0, third = 0] = groups;
  return `${[first, second, third].map((group) => group.toString(16)).join(":")}::/48`;
}

/** The eight groups of an IPv6 address, whatever was left out of it. */
function groupsOf(address: string): number[] {
  const [before = [], after = []] = address.split("::").map((half) => half.split(":").flatMap(numbersOf));
  return [...before, ...Array.from({ length: 8 - before.length - after.length }, () => 0), ...after];
}

function numbersOf(group: string): number[] {
  if (group === "") return [];
  if (!group.includes(".")) return [Number.parseInt(group, 16)];
  const [a = 0, b = 0, c = 0, d = 0] = group.split(".").map(Number);
  return [a * 256 + b, c * 256 + d];
}
