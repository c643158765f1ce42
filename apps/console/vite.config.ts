import react from "@vitejs/plugin-react";
import { defineConfig } from "vite";

/**
 * The output must run under `default-src 'self'` alone: no inline script, no inlined asset, no injected style element.
 * Hence no module-preload polyfill (an inline script) and no `data:` assets.
 */
export default defineConfig({
  plugins: [react()],
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
