import { readdir, readFile, writeFile } from "node:fs/promises";
import { promisify } from "node:util";
import { brotliCompress, constants, gzip } from "node:zlib";

const TEXT = /\.(js|css|html|svg|json|txt)$/;
/** Below this a packet carries it either way. */
const LEAST_OCTETS = 1_024;

/**
 * Puts `NAME.br` and `NAME.gz` beside each text file of a build, so that a server has nothing to compute and the best ratio
 * is paid for once.
 */
export async function compressBuild(directory: string): Promise<void> {
  const entries = await readdir(directory, { recursive: true, withFileTypes: true });
  await Promise.all(
    entries
      .filter((entry) => entry.isFile() && TEXT.test(entry.name))
      .map((entry) => compressFile(`${entry.parentPath}/${entry.name}`)),
  );
}

async function compressFile(file: string): Promise<void> {
  const octets = await readFile(file);
  if (octets.length < LEAST_OCTETS) return;
  const params = {
    [constants.BROTLI_PARAM_MODE]: constants.BROTLI_MODE_TEXT,
    [constants.BROTLI_PARAM_QUALITY]: constants.BROTLI_MAX_QUALITY,
    [constants.BROTLI_PARAM_SIZE_HINT]: octets.length,
  };
  const [brotli, gzipped] = await Promise.all([
    promisify(brotliCompress)(octets, { params }),
    promisify(gzip)(octets, { level: constants.Z_BEST_COMPRESSION }),
  ]);
  await Promise.all([writeFile(`${file}.br`, brotli), writeFile(`${file}.gz`, gzipped)]);
}
