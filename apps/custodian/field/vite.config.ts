/**
 * The build of the technician's page. It must run under a policy that allows files of its own origin alone, and its
 * service worker must know every file by name: no inlined asset, no hashes in names. Run in this folder.
 */
export default {
  build: {
    target: "es2024",
    outDir: "dist",
    assetsInlineLimit: 0,
    modulePreload: { polyfill: false },
    reportCompressedSize: false,
    rolldownOptions: {
      input: { page: "index.html", worker: "src/worker.ts" },
      output: { entryFileNames: "[name].js", chunkFileNames: "[name].js", assetFileNames: "[name][extname]" },
    },
  },
};
