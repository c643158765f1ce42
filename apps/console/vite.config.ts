import { resolve } from "node:path";
import react from "@vitejs/plugin-react";
import { defineConfig, type Plugin } from "vite";
import { compressBuild } from "./compress.ts";

/** The last step of a build, when everything is in its place. */
function compressed(): Plugin {
  let directory = "";
  return {
    name: "compressed",
    apply: "build",
    configResolved: ({ root, build }) => {
      directory = resolve(root, build.outDir);
    },
    closeBundle: { order: "post", sequential: true, handler: () => compressBuild(directory) },
  };
}

/**
 * The output must run under `default-src 'self'` alone: no inline script, no inlined asset, no injected style element.
 * Hence no module-preload polyfill (an inline script) and no `data:` assets.
 */
export default defineConfig({
  plugins: [react(), compressed()],
  root: import.meta.dirname,
  build: {
    target: "es2024",
    outDir: "dist",
    emptyOutDir: true,
    assetsInlineLimit: 0,
    modulePreload: { polyfill: false },
    reportCompressedSize: false,
    chunkSizeWarningLimit: 400,
  },
  server: { host: "127.0.0.1", proxy: { "/api": "http://127.0.0.1:8420" } },
});
