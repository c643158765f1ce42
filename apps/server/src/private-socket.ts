import { chmod, rm } from "node:fs/promises";
import type { Server } from "node:net";

/**
 * Listens on a Unix socket that only the process's own user and root can open (mode 0600). A socket that an earlier process
 * left behind is replaced.
 */
export async function listenPrivately(server: Server, path: string): Promise<void> {
  await rm(path, { force: true });
  // From the first moment nobody else may connect, hence the mask and not only the mode afterwards.
  const mask = process.umask(0o177);
  try {
    await new Promise<void>((resolve, reject) => {
      server.once("error", reject);
      server.listen(path, () => resolve());
    });
  } finally {
    process.umask(mask);
  }
  await chmod(path, 0o600);
}
